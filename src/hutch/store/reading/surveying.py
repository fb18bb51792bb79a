"""Questions about many runs at once, or about everything: what a verification and an index need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from hutch.store.rows.runs import Batch, DocumentRow, Mark, RunContents, RunRow, Segment, posted_of
from hutch.store.statements.runs import Statement, Statements

__all__ = ["Survey"]

_LEAVES_AT_ONCE = 50_000

LeafRow = tuple[int, float, str, int, float, str]
"""Run, its time, and the four fields of a leaf."""


class Survey:
    """The part of a :class:`~hutch.store.protocols.store.Store` that looks at all of it."""

    _query: Callable[[Statement, dict[str, Any]], list[Any]]
    _say: Statements

    def runs_after(self, run: int, limit: int) -> list[RunRow]:
        """Return runs in the order of their ids, from the first one after an id on."""
        return [RunRow(*row) for row in self._query(self._say.runs_after, {"run": run, "limit": limit})]

    def contents(self, first: int, last: int) -> dict[int, RunContents]:
        """Return what the runs between two ids hold, of those that hold something.

        While a run is recorded, each batch in it has its segment there, and each segment its
        descriptor: they are read in this order.
        """
        found: defaultdict[int, RunContents] = defaultdict(RunContents)
        say, values = self._say, {"first": first, "last": last}
        for run, *row in self._query(say.batches_of_runs, values):
            found[run].batches.append(Batch(*row))
        for run, number, *row in self._query(say.segments_of_runs, values):
            found[run].segments.append(Segment(number, run, *row))
        for run, *row in self._query(say.documents_of_runs, values):
            found[run].documents.append(DocumentRow(*row))
        for run, *row in self._query(say.marks_of_runs, values):
            found[run].marks.append(Mark(*row))
        for run, *row in self._query(say.refused_of_runs, values):
            found[run].refused.append((row[0], row[1]))
        for run, posted in posted_of(self._query(say.posted_of_runs, values)).items():
            found[run].posted.update(posted)
        return dict(found)

    def bodies(self, first: int, last: int) -> dict[int, bytes]:
        """Return the bytes of all batches in rows, by id, of the runs between two ids."""
        return dict(self._query(self._say.bodies_of_runs, {"first": first, "last": last}))

    def count_bytes(self) -> int:
        """Return the size of all batches, in rows and in files (slow: a scan)."""
        return int(self._query(self._say.count_bytes, {})[0][0])

    def leaf_pages(self) -> Iterator[list[LeafRow]]:
        """Yield the whole index, page by page: run, its time, and the four fields of a leaf.

        Each page is a statement of its own, so no transaction lasts long.
        """
        page = self._query(self._say.first_leaves, {"limit": _LEAVES_AT_ONCE})
        while page:
            yield page
            run, time, key, type_, number, text = page[-1]
            place = {"key": key, "type": type_, "number": number, "text": text, "time": time, "run": run}
            page = self._query(self._say.leaves_after, {**place, "limit": _LEAVES_AT_ONCE})

    def check_database(self) -> list[str]:
        """Return nothing: a server looks after its tables itself."""
        return []
