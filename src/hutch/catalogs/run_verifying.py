"""The check of one run of a store: its documents, its batches, its numbers, its index rows."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from hutch.catalogs.metadata import stream_name
from hutch.documents import Leaf, decode, leaves
from hutch.errors import CorruptBatchError
from hutch.store.protocol import Batch, RunRow, Segment, Store

__all__ = ["RunCheck"]

_TRIES = 3
"""A run that is being recorded is looked at so often until two looks agree."""
_MOST_NAMED = 5


class RunCheck:
    """Checks one run.

    :ivar findings: pairs of "is it an error" and a sentence.
    :ivar files: names of the Arrow files that its batches name.
    """

    def __init__(self, store: Store, row: RunRow) -> None:
        self.findings: list[tuple[bool, str]] = []
        self.files: set[str] = set()
        self.documents = self.events = self.batches = self.size_bytes = self.leaves = 0
        self._store = store
        self._row = row
        self._descriptors: dict[str, dict[str, Any]] = {}
        self._columns: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
        """For each stream: arrival numbers, sequence numbers and digests of uids, batch by batch."""

    def run(self) -> None:
        """Check everything."""
        self._check_start()
        batches = self._store.batches(self._row.id)
        numbers = self._check_documents()
        self._check_batches(batches)
        # What was committed since the batches were listed is left for the next time.
        self._row = self._store.run_by_id(self._row.id)
        self._check_numbers(numbers)
        self._check_counts(len(batches))
        self._check_index()
        self._note()

    # documents

    def _check_start(self) -> None:
        start = self._parse("start document", self._row.start)
        if start is not None and start.get("uid") != self._row.uid:
            self._error(f"its start document has the uid {start.get('uid')!r}")
        if self._row.amended is not None:
            self._parse("amended start document", self._row.amended)
        if self._row.stop is not None:
            self._parse("stop document", self._row.stop)

    def _check_documents(self) -> list[int]:
        """Parse the other documents; return their arrival numbers."""
        rows = self._store.documents(self._row.id)
        for row in rows:
            document = self._parse(f"{row.kind} {row.uid!r}", row.body)
            if document is not None and row.kind == "descriptor":
                self._descriptors[row.uid] = document
                if document.get("uid") != row.uid:
                    self._error(f"the descriptor {row.uid!r} has the uid {document.get('uid')!r}")
        return [row.number for row in rows]

    def _parse(self, what: str, body: bytes) -> dict[str, Any] | None:
        self.documents += 1
        try:
            found = decode(body)
        except (ValueError, RecursionError) as error:
            self._error(f"its {what} cannot be read: {error}")
            return None
        if not isinstance(found, dict):
            self._error(f"its {what} is no dictionary")
            return None
        return found

    # batches

    def _check_batches(self, batches: Sequence[Batch]) -> None:
        segments = {segment.id: segment for segment in self._store.segments(self._row.id)}
        for segment in segments.values():
            if segment.descriptor not in self._descriptors:
                self._error(f"the descriptor {segment.descriptor!r} of its stream {segment.stream!r} is gone")
        for batch in batches:
            if batch.file is not None:
                self.files.add(batch.file)
            if batch.segment not in segments:
                self._error(f"batch {batch.id} belongs to a segment that is gone")
                continue
            try:
                self._check_batch(batch, segments[batch.segment])
            except CorruptBatchError as error:
                # Compaction may have replaced it since it was listed.
                if batch in self._store.batches(self._row.id):
                    self._error(str(error))

    def _check_batch(self, batch: Batch, segment: Segment) -> None:
        body = self._store.read_bytes(batch)
        self.batches += 1
        self.size_bytes += len(body)
        place = f"batch {batch.id} of stream {segment.stream!r}" + (
            f" in {batch.file!r}" if batch.file else ""
        )
        if zlib.crc32(body) != batch.crc32:
            self._error(f"{place} does not match its checksum: {batch.rows:,} events are damaged")
            return
        schema = pa.ipc.read_schema(pa.py_buffer(segment.schema))
        loaded = self._store.load([batch], schema)
        rows = sum(part.num_rows for part in loaded)
        if rows != batch.rows:
            self._error(f"{place} has {rows:,} rows, recorded are {batch.rows:,}")
        if any(part.schema != schema for part in loaded):
            self._error(f"{place} has other columns than its segment")
            return
        self.events += rows
        columns = self._columns.setdefault(segment.stream, [])
        for part in loaded:
            arrival = part.column("arrival").to_numpy()
            uids = np.array([hash(uid) for uid in part.column("uid").to_pylist()], np.int64)
            columns.append((arrival, part.column("seq_num").to_numpy(), uids))
            if len(arrival) > 1 and not bool(np.all(np.diff(arrival) > 0)):
                self._error(f"the arrival numbers of {place} do not grow")
        if loaded and rows and loaded[0].column("arrival")[0].as_py() != batch.first_arrival:
            self._error(f"{place} begins with another arrival number than recorded")

    # numbers

    def _check_numbers(self, documents: Sequence[int]) -> None:
        """Compare arrival numbers, sequence numbers and uids over all streams of the run."""
        columns = [column for some in self._columns.values() for column in some]
        events = np.concatenate([np.empty(0, np.int64), *(arrival for arrival, _, _ in columns)])
        arrivals = np.sort(np.concatenate([events, np.array(documents, np.int64)]))
        doubles = _count_doubles(arrivals)
        if doubles:
            self._error(f"{doubles:,} arrival numbers are there twice")
        uids = np.sort(np.concatenate([np.empty(0, np.int64), *(digest for _, _, digest in columns)]))
        doubles = _count_doubles(uids)
        if doubles:
            self._error(f"{doubles:,} events have a uid that another event of the run has")
        for stream, some in self._columns.items():
            arrival, seq_num = (np.concatenate([column[i] for column in some]) for i in (0, 1))
            order = np.argsort(arrival, kind="stable")
            self._check_gaps(stream, arrival[order], seq_num[order], arrivals)

    def _check_gaps(
        self, stream: str, arrival: np.ndarray, seq_num: np.ndarray, arrivals: np.ndarray
    ) -> None:
        """Look for events that are missing: both their sequence and their arrival numbers are."""
        before = np.concatenate([[0], arrival[:-1]])
        numbers_between = arrival - before - 1
        there = np.searchsorted(arrivals, arrival, "left") - np.searchsorted(arrivals, before, "right")
        lost = numbers_between - there
        skipped = np.diff(seq_num, prepend=0) - 1
        gone = (skipped > 0) & (lost >= skipped)
        if bool(gone.any()):
            ranges = [(int(n - s), int(n - 1)) for n, s in zip(seq_num[gone], skipped[gone], strict=True)]
            named = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in ranges[:_MOST_NAMED])
            more = ", …" if len(ranges) > _MOST_NAMED else ""
            count = int(skipped[gone].sum())
            self._error(f"{count:,} events of stream {stream!r} are missing: seq_num {named}{more}")
        only_skipped = (skipped > 0) & ~gone
        if bool(only_skipped.any()):
            count = int(skipped[only_skipped].sum())
            self._note_that(f"stream {stream!r} came without {count:,} of its sequence numbers")

    def _check_counts(self, listed: int) -> None:
        """Compare the stop document's counts with the rows that are there."""
        if self._row.stop is None or len(self._store.batches(self._row.id)) != listed:
            return
        stop = self._parse_quietly(self._row.stop)
        counts = stop.get("num_events")
        if not isinstance(counts, dict):
            return
        refused = Counter(row.kind for row in self._store.quarantined(self._row.id))["event"]
        streamed = {stream_name(about) for about in self._descriptors.values() if _is_streamed(about)}
        for stream, said in counts.items():
            rows = sum(len(arrival) for arrival, _, _ in self._columns.get(stream, []))
            if not isinstance(said, int) or rows == said or (stream in streamed and rows < said):
                continue
            text = f"stream {stream!r} has {rows:,} events, its stop document says {said:,}"
            if rows < said <= rows + refused:
                self._note_that(f"{text}; {refused:,} are in quarantine")
            elif rows > said:
                self._note_that(f"{text} (points that were taken again after a pause, for example)")
            else:
                self._error(text)

    # the index

    def _check_index(self) -> None:
        """See that the index rows that follow from the documents are there."""
        row = self._row
        expected = self._expected_leaves(row)
        self.leaves = len(expected)
        if self._store.missing_leaves(row.id, row.time, expected):
            self.compare_index()

    def compare_index(self) -> None:
        """Compare all index rows of the run with those that follow from its documents (slow)."""
        for _ in range(_TRIES):
            row = self._store.run_by_id(self._row.id)
            expected = self._expected_leaves(row)
            found = self._store.leaves(row.id)
            if found == expected:
                return
            if self._store.run_by_id(row.id) == row:
                break
        for what, some in (("lacks", expected - found), ("has in excess", found - expected)):
            if some:
                keys = sorted({leaf.key for leaf in some})
                more = ", …" if len(keys) > _MOST_NAMED else ""
                self._error(f"the index {what} {len(some):,} rows: {', '.join(keys[:_MOST_NAMED])}{more}")

    def _expected_leaves(self, row: RunRow) -> set[Leaf]:
        expected = leaves(self._parse_quietly(row.current))
        if row.stop is not None:
            expected |= leaves(self._parse_quietly(row.stop), "stop")
        return expected

    def _parse_quietly(self, body: bytes) -> dict[str, Any]:
        """Return a document, or an empty one if it cannot be read, which has been said."""
        try:
            found = decode(body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    # notes

    def _note(self) -> None:
        if self._row.stop is None and not self._store.is_live(self._row.owner):
            self._note_that("it was interrupted: there is no stop document, and nobody records it")
        for mark in self._store.marks(self._row.id):
            place = f"{mark.stream} {mark.key}".strip()
            times = "" if mark.count == 1 else f", {mark.count:,} times"
            self._note_that(f"nonconforming: {place} {mark.reason}{times}")
        for row in self._store.quarantined(self._row.id):
            self._note_that(f"in quarantine: a document of kind {row.kind!r}: {row.reason}")

    def _error(self, text: str) -> None:
        self.findings.append((True, text))

    def _note_that(self, text: str) -> None:
        self.findings.append((False, text))


def _count_doubles(ordered: np.ndarray) -> int:
    return int(np.count_nonzero(ordered[1:] == ordered[:-1]))


def _is_streamed(descriptor: dict[str, Any]) -> bool:
    """Tell whether some of a stream's data is in files that stream_resource documents name."""
    keys = descriptor.get("data_keys")
    abouts = keys.values() if isinstance(keys, dict) else ()
    return any(isinstance(a, dict) and str(a.get("external", "")).startswith("STREAM:") for a in abouts)
