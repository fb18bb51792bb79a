"""Readings as a program gives them: what is wrong with them is said before anything is added to a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from hutch.errors import DocumentError

__all__ = ["all_seconds", "check_name", "common_length", "dictionary", "seconds", "taken_at"]


def dictionary(readings: Any) -> dict[str, Any]:
    """Return readings by key; what numpy has masked was not there, and is None.

    :raises DocumentError: if they are something else.
    """
    try:
        return {key: None if value is np.ma.masked else value for key, value in dict(readings).items()}
    except (TypeError, ValueError) as error:
        given = f"{type(readings).__name__}: {readings!r:.80}"
        msg = f"Readings are {given}. Give a dictionary of them, such as {{'x': 1}}."
        raise DocumentError(msg) from error


def check_name(what: str, name: Any) -> None:
    """Raise if this is no name.

    :raises DocumentError: saying so.
    """
    if not isinstance(name, str) or not name:
        msg = f"The name of a {what} is {name!r}; give text that is not empty."
        raise DocumentError(msg)


def taken_at(
    timestamps: Mapping[str, Any] | None, data: Mapping[str, Any], seconds: Callable[[str, Any], Any]
) -> dict[str, Any]:
    """Return the timestamps that are given, all of which are of keys that there are.

    :param seconds: returns a timestamp, or a column of them, as numbers.
    :raises DocumentError: if there is one too many, or it is no number.
    """
    given = dictionary(timestamps or {})
    unknown = given.keys() - data.keys()
    if unknown:
        lacking, there = sorted(map(str, unknown)), sorted(map(str, data))
        msg = f"There are timestamps for {lacking}, but no readings; there are {there}."
        raise DocumentError(msg)
    return {
        key: seconds(f"timestamp of {key!r}", moment) for key, moment in given.items() if moment is not None
    }


def seconds(what: str, moment: Any) -> float:
    """Return a time as a number.

    :raises DocumentError: if it is none.
    """
    try:
        if not isinstance(moment, (str, bytes)):
            return float(moment)
    except (TypeError, ValueError, OverflowError):
        pass
    msg = f"The {what} is {moment!r:.80}; give seconds since 1970, as time.time() does."
    raise DocumentError(msg)


def all_seconds(what: str, moments: Sequence[Any]) -> list[float]:
    """Return times as numbers."""
    return [seconds(what, moment) for moment in moments]


def common_length(columns: Mapping[str, Sequence[Any]]) -> int:
    """Return the length that all columns have.

    :raises DocumentError: if they differ, or one is no column.
    """
    lengths: dict[str, int] = {}
    for key, column in columns.items():
        try:
            if isinstance(column, (str, bytes, Mapping, Set)):
                raise TypeError
            lengths[key] = len(column)
        except TypeError as error:
            msg = (
                f"The column {key!r} is {type(column).__name__}: {column!r:.80}. "
                "Give a list or an array with one element an event."
            )
            raise DocumentError(msg) from error
    if len(set(lengths.values())) > 1:
        msg = f"The columns have different lengths: {lengths}. Give one element an event in each."
        raise DocumentError(msg)
    return next(iter(lengths.values()), 0)
