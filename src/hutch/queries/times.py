"""Times as people write them, and the queries about them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from hutch.errors import QueryError
from hutch.queries.conditions import And, Condition, Field, Lasts, Order, Path
from hutch.queries.query import Query

__all__ = ["Duration", "TimeRange", "parse_time"]

_FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H",
    "%Y-%m-%d",
    "%Y-%m",
    "%Y",
)
_START_TIME = Path("start", ("time",))


def parse_time(moment: Any, timezone: str | tzinfo | None = None) -> float:
    """Return a moment in s since 1970.

    :param moment: that number, a datetime, or text: ``2019``, ``2019-09``, ``2019-09-01``, ``2019-09-01 12``,
        ``2019-09-01 12:30`` or ``2019-09-01 12:30:15``; with ``T`` instead of the blank too.
    :param timezone: of text, and of a datetime that has none, as in ``"Europe/Berlin"``; else the local one.
    :raises QueryError: if it is none of these.
    """
    if isinstance(moment, str):
        return _timestamp(_parse(moment), timezone)
    if isinstance(moment, datetime):
        return _timestamp(moment, timezone)
    if hasattr(moment, "to_pydatetime"):
        return _timestamp(moment.to_pydatetime(), timezone)
    if isinstance(moment, bool) or not hasattr(moment, "__float__"):
        raise _no_time(moment)
    try:
        found = float(moment)
    except (TypeError, ValueError, OverflowError):  # a datetime64 of numpy's, an array, 10**400
        raise _no_time(moment) from None
    if math.isnan(found):
        raise _no_time(moment)
    return found


def _parse(text: str) -> datetime:
    cleaned = text.strip().replace("T", " ", 1)
    for form in _FORMATS:
        try:
            return datetime.strptime(cleaned, form)
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(cleaned)
    except ValueError:
        raise _no_time(text) from None


def _timestamp(moment: datetime, timezone: str | tzinfo | None) -> float:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_zone(timezone))
    try:
        return moment.timestamp()
    except (OverflowError, OSError, ValueError) as error:
        raise _no_time(moment) from error


def _zone(timezone: Any) -> tzinfo | None:
    """Return a time zone; None for the local one."""
    if timezone is None or isinstance(timezone, tzinfo):
        return timezone
    try:
        return ZoneInfo(timezone)
    except (LookupError, ValueError, TypeError, OSError) as error:
        msg = f"There is no time zone {timezone!r}. Give its name, as in 'Europe/Berlin' or 'UTC'."
        raise QueryError(msg) from error


def _no_time(moment: Any) -> QueryError:
    return QueryError(
        f"{moment!r} is no time. Give s since 1970, a datetime, or text such as '2019', '2019-09', "
        "'2019-09-01', '2019-09-01 12', '2019-09-01 12:30' or '2019-09-01 12:30:15'."
    )


@dataclass(frozen=True, init=False)
class TimeRange(Query):
    """Runs that began within a time; see :func:`parse_time` for how to give it.

    :ivar since: s since 1970, of which the range begins; None leaves it open.
    :ivar until: s since 1970, before which the range ends; None leaves it open.
    """

    since: float | None
    until: float | None
    timezone: str | None = field(default=None, compare=False)

    def __init__(self, since: Any = None, until: Any = None, timezone: Any = None) -> None:
        """Begin with ``since``, and end before ``until``.

        :param timezone: of times that say none; None is the local one.
        :raises QueryError: if one is no time, or the range is reversed.
        """
        first = None if since is None else parse_time(since, timezone)
        last = None if until is None else parse_time(until, timezone)
        if first is not None and last is not None and first > last:
            msg = f"since={since!r} is later than until={until!r}. Exchange the two."
            raise QueryError(msg)
        if timezone is not None:
            _zone(timezone)
        object.__setattr__(self, "since", first)
        object.__setattr__(self, "until", last)
        object.__setattr__(self, "timezone", None if timezone is None else str(timezone))

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        parts: list[Condition] = []
        if self.since is not None:
            parts.append(Field(_START_TIME, Order("$gte", self.since)))
        if self.until is not None:
            parts.append(Field(_START_TIME, Order("$lt", self.until)))
        return And(tuple(parts))


@dataclass(frozen=True)
class Duration(Query):
    """Runs that took so long from their start to their stop; those without a stop are not among them.

    :ivar longer_than: at least so many s; None leaves it open.
    :ivar shorter_than: less than so many s; None leaves it open.
    """

    longer_than: float | None = None
    shorter_than: float | None = None

    def __post_init__(self) -> None:
        for value in (self.longer_than, self.shorter_than):
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if value is not None and (not is_number or math.isnan(value)):
                msg = f"A duration is a number of s; not {value!r}."
                raise QueryError(msg)
        longer, shorter = self.longer_than, self.shorter_than
        if longer is not None and shorter is not None and longer > shorter:
            msg = f"No run is longer than {longer!r} s and shorter than {shorter!r} s. Exchange the two."
            raise QueryError(msg)

    @property
    def condition(self) -> Condition:
        """The condition that it stands for."""
        return Lasts(self.longer_than, self.shorter_than)
