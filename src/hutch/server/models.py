"""What hutch's own JSON routes answer, as OpenAPI describes it; times are in s since 1970."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

__all__ = [
    "CatalogItem",
    "Count",
    "Counted",
    "Distinct",
    "Failure",
    "Health",
    "RunDetails",
    "RunItem",
    "RunList",
    "StreamDetails",
    "TileItem",
]


class Failure(BaseModel):
    """What is answered in place of what was asked for."""

    error: str = Field(description="what happened, what was expected, and what to do")


class Health(BaseModel):
    """How the server is."""

    status: str


class CatalogItem(BaseModel):
    """A catalog."""

    name: str
    runs: int = Field(description="how many runs there are")


class RunItem(BaseModel):
    """A run in a list."""

    uid: str
    scan_id: int | None
    plan: str
    time: float | None = Field(description="of the start")
    status: str = Field(description="running, interrupted, success, abort or fail")
    points: int = Field(description="events of the primary stream")
    metadata: dict[str, Any] | None = Field(None, description="start and stop, if they were asked for")


class RunList(BaseModel):
    """A page of runs."""

    runs: list[RunItem]
    total: int = Field(description="how many runs were found")
    offset: int
    limit: int


class RunDetails(BaseModel):
    """A run."""

    uid: str
    status: str
    streams: dict[str, int] = Field(description="rows of each stream")
    metadata: dict[str, Any] = Field(description="start, as amended, and stop, null as long as there is none")


class StreamDetails(BaseModel):
    """A stream."""

    name: str
    rows: int
    data_keys: dict[str, Any]
    descriptors: list[dict[str, Any]]


class Counted(BaseModel):
    """A value, and how many runs have it."""

    value: Any
    count: int


class Distinct(BaseModel):
    """The different values at a key."""

    key: str
    values: list[Counted]


class Count(BaseModel):
    """How many runs were found."""

    count: int


class TileItem(BaseModel):
    """How a plot of the monitor stands."""

    source: str = Field(description="the path of a file; of a stream of a run uid/stream")
    plot: str
    run: str | None = Field(description="the uid of the run that it belongs to")
    updated: float = Field(description="when rows were taken into account last")
    seen: int = Field(description="the number of the row up to which they were")
    there: int = Field(description="how many rows there were then")
    fraction: float
    verdict: str | None = Field(description="the worst that is said of it: good, medium or bad")
    verdicts: list[dict[str, Any]]
    failure: str | None = Field(description="why it stands still")
    has_picture: bool
