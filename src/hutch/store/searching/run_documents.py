"""What a search puts conditions to: the documents of runs, and what was posted to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Protocol

from hutch.documents import decode
from hutch.queries.paths import POSTED
from hutch.store.rows.runs import Posted, RunRow

__all__ = ["read_documents"]


class _Reader(Protocol):
    def runs_by_id(self, ids: Sequence[int]) -> dict[int, RunRow]: ...

    def posted_now(self, runs: Sequence[int]) -> dict[int, Posted]: ...


def read_documents(
    reader: _Reader, runs: Sequence[int], *, sources: Collection[str]
) -> Iterator[tuple[RunRow, dict[str, Any]]]:
    """Yield runs with their documents by source; those that are damaged are left to a verification.

    :param sources: which are wanted.
    """
    rows = reader.runs_by_id(runs)
    posted = reader.posted_now(runs) if POSTED & set(sources) else {}
    for run, row in rows.items():
        found = _parse(row, posted.get(run, {}), sources)
        if found is not None:
            yield row, found


def _parse(row: RunRow, posted: Posted, sources: Collection[str]) -> dict[str, Any] | None:
    found: dict[str, Any] = {"stop": None, "param": {}, "dqm": {}}
    try:
        if "start" in sources:
            found["start"] = decode(row.current)
        if "stop" in sources and row.stop is not None:
            found["stop"] = decode(row.stop)
        for source, values in posted.items():
            found[source] = {name: decode(value) for name, value in values.items()}
    except (ValueError, RecursionError):
        return None
    return found
