"""The checks that are set up, looked at in a process of their own: to load a plug-in is to run it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from hutch.errors import ConfigurationError, PluginError
from hutch.monitor.checks.finding import GROUP, find_checks
from hutch.monitor.checks.settings import make_checks
from hutch.monitor.plugins.modules import Broken, Origin, published_origins
from hutch.monitor.working.worker import PRELOADED

__all__ = ["Probed", "probe"]

_DONE, _LOADING, _WRONG = "done", "loading", "wrong"


@dataclass(frozen=True, slots=True)
class Probed:
    """What is known of the checks that are set up.

    :ivar plots: by the name of each, the plots that it looks at; ``*`` stands for any characters.
    :ivar broken: places whose checks cannot be loaded.
    :ivar replaced: a sentence for each kind that takes the place of another.
    :ivar left_out: places that end a process, or do not come to an end, when they are loaded.
    """

    plots: Mapping[str, tuple[str, ...]]
    broken: tuple[Broken, ...] = ()
    replaced: tuple[str, ...] = ()
    left_out: tuple[Broken, ...] = ()


def probe(
    tables: Mapping[str, Mapping[str, Any]], where: str, origins: Sequence[Origin], limit_s: float
) -> Probed:
    """Return what is known of checks; nobody's code runs in this process, or for longer than a limit.

    :param tables: of the checks.
    :param where: the file that they are from, for people.
    :param origins: of plug-ins that were named.
    :param limit_s: how long it may take to load one, s.
    :raises ConfigurationError: naming everything that is wrong with the checks.
    """
    if not [*origins, *published_origins(GROUP)]:
        return _look(tables, where, origins, [], lambda origin: None)
    plain = {name: dict(table) for name, table in tables.items()}
    left_out: list[Broken] = []
    while True:
        found = _asked(plain, where, tuple(origins), left_out, limit_s)
        if isinstance(found, Probed):
            return found
        place, why = found
        if not place:
            raise PluginError(f"The checks cannot be looked at: {why}.")
        sentence = f"The plug-ins in {place!r} are left out: {why} while they were loaded."
        left_out.append(Broken(place, sentence))


def _asked(
    tables: dict[str, Any], where: str, origins: Sequence[Origin], left_out: Sequence[Broken], limit_s: float
) -> Probed | tuple[str, str]:
    """Return what a process says; or what it was loading when it came to no good, and what became of it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    ours, theirs = context.Pipe(duplex=False)
    arguments = (theirs, tables, where, origins, left_out)
    process = context.Process(target=_answer, args=arguments, daemon=True)
    process.start()
    theirs.close()
    loading = ""
    try:
        while True:
            if not ours.poll(limit_s):
                return loading, f"it took longer than {limit_s:g} s"
            what, content = ours.recv()
            if what == _LOADING:
                loading = content
            elif what == _WRONG:
                raise ConfigurationError(content)
            else:
                found: Probed = content
                return found
    except EOFError:
        return loading, "the process ended"
    finally:
        process.kill()
        process.join()
        ours.close()


def _answer(
    connection: Connection,
    tables: dict[str, Any],
    where: str,
    origins: Sequence[Origin],
    left_out: Sequence[Broken],
) -> None:
    """Say what is known of checks, and before each place that is loaded, which one that is.

    If nobody listens any more, as who asked has been told to end, it ends quietly.
    """
    with suppress(BrokenPipeError):
        try:
            found = _look(
                tables, where, origins, left_out, lambda origin: connection.send((_LOADING, origin))
            )
        except ConfigurationError as error:
            connection.send((_WRONG, str(error)))
        except (KeyboardInterrupt, SystemExit):
            return  # that nothing more is said is told of what was loaded
        else:
            connection.send((_DONE, found))


def _look(
    tables: Mapping[str, Any],
    where: str,
    origins: Sequence[Origin],
    left_out: Sequence[Broken],
    announce: Callable[[str], object],
) -> Probed:
    kinds = find_checks(origins, announce, left_out)
    replaced = (
        f"The check {kind.name} of {kind.origin} replaces that of {kind.replaces}."
        for kind in kinds.kinds.values()
        if kind.replaces
    )
    plots = {check.name: check.plots for check in make_checks(tables, kinds, where)}
    return Probed(plots, tuple(kinds.broken), tuple(replaced), tuple(left_out))
