"""Pages and bulk documents, taken apart into events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hutch.errors import DocumentError

__all__ = ["bulk_events", "page_events"]


def page_events(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the events of a page, also of one whose fields are odd.

    :raises DocumentError: if the columns are not of one length, so that rows cannot be told.
    """
    try:
        uids, columns = list(page["uid"]), dict(_columns(page))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"it is no page of events: {error!r}"
        raise DocumentError(msg) from error
    for place, column in columns.items():
        if len(column) != len(uids):
            msg = f"{'.'.join(place)!r} has {len(column)} elements, there are {len(uids)} uids"
            raise DocumentError(msg)
    plain = {key: page[key] for key in page if (key,) not in columns and key not in _TABLES}
    events = []
    for row in range(len(uids)):
        event: dict[str, Any] = {**plain, **{key: {} for key in _TABLES if key in page}}
        for place, column in columns.items():
            target = event if len(place) == 1 else event[place[0]]
            target[place[-1]] = column[row]
        events.append(event)
    return events


def bulk_events(bulk: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the events of a ``bulk_events`` document: a list of events for each descriptor.

    :raises DocumentError: if it is not made of lists of events.
    """
    events: list[dict[str, Any]] = []
    for key, some in bulk.items():
        if not isinstance(some, (list, tuple)) or not all(isinstance(event, Mapping) for event in some):
            msg = f"{key!r:.80} holds no list of events" if isinstance(key, str) else "a key is no text"
            raise DocumentError(msg)
        events += [dict(event) for event in some]
    return events


_TABLES = ("data", "timestamps", "filled")


def _columns(page: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Yield the columns of a page: where they are, and their elements."""
    for key in ("seq_num", "time", "uid"):
        yield (key,), list(page[key])
    for table in _TABLES:
        for key, column in page.get(table, {}).items():
            yield (table, key), list(column)
