"""Which of the plots that were found somebody wants."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

from hutch.errors import ConfigurationError
from hutch.monitor.plugins.modules import Broken

__all__ = ["check_names"]


def check_names(wanted: Sequence[str] | None, known: Collection[str], broken: Iterable[Broken]) -> None:
    """Refuse names of plots that are not there.

    :param wanted: the names; None for all.
    :raises ConfigurationError: naming the nearest that is there, and what could not be loaded.
    """
    unknown = [name for name in wanted or () if name not in known]
    if not unknown:
        return
    near = get_close_matches(unknown[0], known, 1)
    hint = f"Did you mean {near[0]!r}?" if near else "List them with: hutch monitor plots"
    causes = "".join(f" {one.sentence}" for one in broken)
    msg = f"There is no plot {', '.join(map(repr, unknown))}. {hint}{causes}"
    raise ConfigurationError(msg)
