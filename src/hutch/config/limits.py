"""How long and how much, when a store is away: from the environment, else a default."""

from __future__ import annotations

import math
import os

from hutch.errors import ConfigurationError

__all__ = ["patience_s", "spool_memory_bytes"]


def patience_s() -> float:
    """Return for how many seconds the beginning of a run waits for a store that does not answer.

    ``$HUTCH_PATIENCE_S``, else 5.

    :raises ConfigurationError: if that is no such number.
    """
    return _number("HUTCH_PATIENCE_S", 5.0, "seconds, as in HUTCH_PATIENCE_S=5")


def spool_memory_bytes() -> int:
    """Return how many bytes of a run are kept in memory, about, while the store is away.

    ``$HUTCH_SPOOL_MEMORY_BYTES``, else 64 MB. The rest is in the spool alone.

    :raises ConfigurationError: if that is no such number.
    """
    wanted = "bytes, as in HUTCH_SPOOL_MEMORY_BYTES=64000000"
    return int(_number("HUTCH_SPOOL_MEMORY_BYTES", 64_000_000, wanted))


def _number(variable: str, default: float, wanted: str) -> float:
    given = os.environ.get(variable)
    if not given:
        return default
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        msg = f"${variable} is {given!r}. Give a number of {wanted}."
        raise ConfigurationError(msg)
    return number
