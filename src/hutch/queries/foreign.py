"""Query objects of Tiled, of bluesky-tiled-plugins and of DataBroker, as hutch's own.

They are known by their module and name, so that none of these packages is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hutch.errors import QueryError
from hutch.queries.conditions import Condition, everything, nothing
from hutch.queries.fields import (
    Comparison,
    Contains,
    Eq,
    FullText,
    In,
    KeyPresent,
    Like,
    NotEq,
    NotIn,
    Regex,
)
from hutch.queries.identities import PartialUID, ScanID, ScanIDRange, Uids
from hutch.queries.mongo import parse
from hutch.queries.query import Query
from hutch.queries.times import TimeRange

__all__ = ["condition_of"]

_PACKAGES = frozenset({"tiled", "bluesky_tiled_plugins", "databroker"})

_SPEC = "BlueskyRun"

_KNOWN: dict[str, Callable[[Any], Query]] = {
    "Comparison": lambda q: Comparison(getattr(q.operator, "value", q.operator), q.key, q.value),
    "Contains": lambda q: Contains(q.key, q.value),
    "Eq": lambda q: Eq(q.key, q.value),
    "FullText": lambda q: FullText(q.text),
    "In": lambda q: In(q.key, q.value),
    "KeyLookup": lambda q: Uids((q.key,)),
    "KeyPresent": lambda q: KeyPresent(q.key, q.exists),
    "KeysFilter": lambda q: Uids(tuple(q.keys)),
    "Like": lambda q: Like(q.key, q.pattern),
    "NotEq": lambda q: NotEq(q.key, q.value),
    "NotIn": lambda q: NotIn(q.key, q.value),
    "Regex": lambda q: Regex(q.key, q.pattern, q.case_sensitive),
    "ScanIDRange": lambda q: ScanIDRange(q.start_id, q.end_id, getattr(q, "duplicates", "latest")),
    "TimeRange": lambda q: TimeRange(q.since, q.until),
    "_PartialUID": lambda q: PartialUID(*q.partial_uids),
    "_ScanID": lambda q: ScanID(*q.scan_ids, duplicates=q.duplicates),
}


def condition_of(query: Any) -> Condition:
    """Return the condition that anything stands for that can be searched with.

    :raises QueryError: if that is nothing of the kind.
    """
    if isinstance(query, Query):
        return query.condition
    kind = type(query)
    if kind.__module__.partition(".")[0] in _PACKAGES and not isinstance(query, Mapping):
        if kind.__name__ in _KNOWN:
            return _KNOWN[kind.__name__](query).condition
        if kind.__name__ == "StructureFamilyQuery":
            family = getattr(query.value, "value", query.value)
            return everything if family == "container" else nothing
        if kind.__name__ == "SpecsQuery":
            is_run = set(query.include) <= {_SPEC} and _SPEC not in query.exclude
            return everything if is_run else nothing
    if isinstance(query, Mapping):
        return parse(query)
    msg = (
        f"{query!r} of type {kind.__name__} is no query. Give a dictionary, as in {{'plan_name': 'scan'}}, "
        "or one of hutch.queries, as in Key('plan_name') == 'scan'."
    )
    raise QueryError(msg)
