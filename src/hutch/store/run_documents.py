"""What a search puts conditions to: the documents of runs, and what was posted to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hutch.documents import decode
from hutch.store.rows import Posted, RunRow

if TYPE_CHECKING:
    from hutch.store.index_reading import IndexReader

__all__ = ["read_documents"]


def read_documents(
    reader: IndexReader, runs: Sequence[int], *, with_posted: bool
) -> Iterator[tuple[RunRow, dict[str, Any]]]:
    """Yield runs with their documents by source; those that are damaged are left to a verification.

    :param with_posted: what was posted is asked for as well.
    """
    rows = reader.runs_by_id(runs)
    posted = reader.posted_now(runs) if with_posted else {}
    for run, row in rows.items():
        found = _parse(row, posted.get(run, {}))
        if found is not None:
            yield row, found


def _parse(row: RunRow, posted: Posted) -> dict[str, Any] | None:
    found: dict[str, Any] = {"stop": None, "param": {}, "dqm": {}}
    try:
        found["start"] = decode(row.current)
        if row.stop is not None:
            found["stop"] = decode(row.stop)
        for source, values in posted.items():
            found[source] = {name: decode(value) for name, value in values.items()}
    except (ValueError, RecursionError):
        return None
    return found
