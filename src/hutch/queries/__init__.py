"""What can be asked about runs: query objects, and MongoDB's language in dictionaries."""

from hutch.queries.fields import (
    Comparison,
    Contains,
    Eq,
    FullText,
    In,
    Key,
    KeyPresent,
    Like,
    NotEq,
    NotIn,
    Regex,
)
from hutch.queries.foreign import condition_of
from hutch.queries.identities import PartialUID, PlanName, ScanID, ScanIDRange
from hutch.queries.query import Query
from hutch.queries.times import Duration, TimeRange

__all__ = [
    "Comparison",
    "Contains",
    "Duration",
    "Eq",
    "FullText",
    "In",
    "Key",
    "KeyPresent",
    "Like",
    "NotEq",
    "NotIn",
    "PartialUID",
    "PlanName",
    "Query",
    "Regex",
    "ScanID",
    "ScanIDRange",
    "TimeRange",
    "condition_of",
]
