"""Which names users, experiments and instruments may have: they stand in addresses and on command lines."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hutch.errors import ConfigurationError

__all__ = ["check_experiment_name", "check_new", "check_user_name", "is_user_name", "parse_instrument"]

_USER = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
_EXPERIMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_INSTRUMENT = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


def is_user_name(name: str) -> bool:
    """Tell whether a user may have a name."""
    return _USER.fullmatch(name) is not None


def check_user_name(name: str) -> None:
    """Raise if no user may have a name.

    :raises ConfigurationError: saying which they may.
    """
    if not is_user_name(name):
        msg = (
            f"{name!r} is no name of a user. Give 1 to 64 lower-case letters, digits, '.', '_', '@' and '-', "
            "of which the first is a letter or a digit, as in 'xppopr'."
        )
        raise ConfigurationError(msg)


def check_experiment_name(name: str) -> None:
    """Raise if no experiment may have a name.

    :raises ConfigurationError: saying which they may.
    """
    if _EXPERIMENT.fullmatch(name) is None:
        msg = (
            f"{name!r} is no name of an experiment. Give 1 to 64 letters, digits, '.', '_' and '-', of which "
            "the first is a letter or a digit, as in 'xppl1001221'."
        )
        raise ConfigurationError(msg)


def check_new(name: str, what: str, known: Iterable[str]) -> None:
    """Raise if there is one of a name already, or of one that people would take for it.

    :param what: that is named.
    :raises ConfigurationError: naming it.
    """
    for other in known:
        if other.casefold() == name.casefold():
            msg = f"There is {what} {other!r} already. Choose another name than {name!r}."
            raise ConfigurationError(msg)


def parse_instrument(name: str) -> str:
    """Return the name of an instrument in capitals, as it is kept.

    :raises ConfigurationError: if it is none.
    """
    if _INSTRUMENT.fullmatch(name) is None:
        msg = f"{name!r} is no instrument. Give 1 to 32 letters, digits, '_' and '-', as in 'XPP'."
        raise ConfigurationError(msg)
    return name.upper()
