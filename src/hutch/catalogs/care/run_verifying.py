"""The check of one run of a store: its documents, its batches, its numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from hutch.catalogs.care.batch_verifying import Columns, check_batch, place_of, read_body, schema_of
from hutch.catalogs.care.findings import DOUBTFUL, LOST, Finding, Kind
from hutch.catalogs.changing.amending import edits_of
from hutch.catalogs.expected_leaves import expected_leaves
from hutch.catalogs.metadata import stream_name
from hutch.catalogs.open_runs import is_going_on
from hutch.documents import Leaf, decode
from hutch.errors import CorruptBatchError, CorruptDocumentError
from hutch.store.protocols.store import Batch, DocumentRow, RunContents, RunRow, Segment, Store

__all__ = ["RunCheck"]

_MOST_NAMED = 5

_PER_MARK = {LOST: Kind.LOST, DOUBTFUL: Kind.DOUBTFUL}


class RunCheck:
    """Checks one run; its index rows are left to :mod:`hutch.catalogs.care.index_verifying`.

    :param row: was read before the contents, so that what it tells of has its place in them.
    :param bodies: bytes of batches in rows, by id, if they were read already.
    :param progress: called with the size of each batch, in bytes.
    :ivar row: the run.
    :ivar findings: what was found.
    :ivar files: names of the Arrow files that its batches name.
    :ivar damaged: batches whose bytes are gone or not those that were committed.
    """

    def __init__(
        self,
        store: Store,
        row: RunRow,
        contents: RunContents,
        bodies: Mapping[int, bytes] | None = None,
        progress: Callable[[int], object] = lambda size_bytes: None,
    ) -> None:
        self.row = row
        self.findings: list[Finding] = []
        self.files = {batch.file for batch in contents.batches if batch.file is not None}
        self.damaged: list[Batch] = []
        self.documents = self.events = self.batches = self.size_bytes = 0
        self._store = store
        self._contents = contents
        self._bodies = bodies
        self._progress = progress
        self._descriptors: dict[str, dict[str, Any]] = {}
        self._columns: dict[str, list[Columns]] = {}
        """By stream."""
        self._holes: dict[str, list[tuple[int, int]]] = {}
        """By stream: from which arrival on how many events are known to be gone."""

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing is damaged or gone."""
        return not any(finding.is_error for finding in self.findings)

    @cached_property
    def leaves(self) -> set[Leaf] | None:
        """The index rows that follow from the documents; None if those cannot be read."""
        return expected_leaves(self.row, self._contents.posted)

    def run(self) -> None:
        """Check everything."""
        self._check_start()
        for document in self._contents.documents:
            self._check_document(document)
        for mark in self._contents.marks:
            if mark.reason == LOST:
                self._holes.setdefault(mark.stream, []).append((mark.first_arrival, mark.count))
        self._check_batches()
        self._check_numbers()
        self._check_counts()
        self._note()

    # documents

    def _check_start(self) -> None:
        row = self.row
        for what, body in (("start document", row.start), ("amended start document", row.amended)):
            start = None if body is None else self._parse(what, body)
            if start is not None and start.get("uid") != row.uid:
                self._find(Kind.WRONG_UID, f"its {what} has the uid {start.get('uid')!r}")
        if row.stop is not None:
            self._parse("stop document", row.stop)
        for amendment in () if row.amended is None else self._store.amendments(row.id):
            try:
                edits_of(amendment)
            except CorruptDocumentError as error:
                text = f"what its amendment {amendment.id} changed cannot be read: {error.__cause__}"
                self._find(Kind.UNREADABLE, text)

    def _check_document(self, row: DocumentRow) -> None:
        document = self._parse(f"{row.kind} {row.uid!r}", row.body)
        if document is not None and row.kind == "descriptor":
            self._descriptors[row.uid] = document
            if document.get("uid") != row.uid:
                self._find(Kind.WRONG_UID, f"the descriptor {row.uid!r} has the uid {document.get('uid')!r}")

    def _parse(self, what: str, body: bytes) -> dict[str, Any] | None:
        self.documents += 1
        try:
            found = decode(body)
        except (ValueError, RecursionError) as error:
            self._find(Kind.UNREADABLE, f"its {what} cannot be read: {error.__cause__ or error}")
            return None
        if not isinstance(found, dict):
            self._find(Kind.UNREADABLE, f"its {what} is no dictionary")
            return None
        return found

    # batches

    def _check_batches(self) -> None:
        segments = {segment.id: segment for segment in self._contents.segments}
        for segment in segments.values():
            if segment.descriptor not in self._descriptors:
                self._find(
                    Kind.NO_DESCRIPTOR,
                    f"the descriptor {segment.descriptor!r} of its stream {segment.stream!r} is gone",
                )
            if schema_of(segment) is None:
                text = f"the columns of segment {segment.id} of stream {segment.stream!r} cannot be read"
                self._find(Kind.NO_SEGMENT, text)
        of_segments: dict[int, list[Batch]] = {number: [] for number in segments}
        for batch in self._contents.batches:
            if batch.segment in segments:
                of_segments[batch.segment].append(batch)
            else:
                text = f"batch {batch.id} of {batch.rows:,} events belongs to a segment that is gone"
                self._find(Kind.NO_SEGMENT, text, batch.file)
        for number, batches in of_segments.items():
            self._check_segment(segments[number], batches)

    def _check_segment(self, segment: Segment, batches: Sequence[Batch]) -> None:
        """Check batches, and in the place of those that are merged meanwhile the merged ones."""
        waiting = deque(batches)
        rows = sum(batch.rows for batch in batches)
        checked = first = 0
        is_merged = False
        while waiting and not (is_merged and checked >= rows):
            batch = waiting.popleft()
            columns: list[Columns] = []
            try:
                body = read_body(self._store, batch, self._bodies)
            except CorruptBatchError as error:
                now = self._store.batches(self.row.id, segment.id)
                if batch in now or sum(other.rows for other in now) < rows:
                    text = f"{place_of(batch, segment.stream)} with {batch.rows:,} events is gone: {error}"
                    self._find(Kind.NO_BATCH, text, batch.file)
                    self._miss(batch, segment.stream)
                    checked = first = first + batch.rows
                else:
                    # Rows keep their places: it goes on with the batch that holds the next one.
                    waiting, first, self._bodies, is_merged = deque(now), 0, None, True
                    while first + waiting[0].rows <= checked:
                        first += waiting.popleft().rows
                    self.files |= {other.file for other in waiting if other.file is not None}
                continue
            self._check_batch(batch, segment, body, columns)
            found = _rows_of(columns, checked - first, rows - first) if is_merged else columns
            self.events += sum(len(arrival) for arrival, _, _ in found)
            self._columns.setdefault(segment.stream, []).extend(found)
            checked = first = first + batch.rows

    def _check_batch(self, batch: Batch, segment: Segment, body: pa.Buffer, columns: list[Columns]) -> None:
        stream = segment.stream
        self.batches += 1
        self.size_bytes += len(body)
        self._progress(len(body))
        for flaw in check_batch(batch, segment, body, columns):
            self._find(flaw.kind, flaw.text, batch.file)
            if flaw.kind is Kind.CHECKSUM:
                self._miss(batch, stream)

    def _miss(self, batch: Batch, stream: str) -> None:
        """Note that the events of a batch are not there, which is said already."""
        self.damaged.append(batch)
        self._holes.setdefault(stream, []).append((batch.first_arrival, batch.rows))

    # numbers

    def _check_numbers(self) -> None:
        """Compare arrival numbers, sequence numbers and uids over all streams of the run."""
        columns = [column for some in self._columns.values() for column in some]
        documents = np.array([row.number for row in self._contents.documents], np.int64)
        arrivals = np.sort(np.concatenate([documents, *(arrival for arrival, _, _ in columns)]))
        doubles = _count_doubles(arrivals)
        if doubles:
            self._find(Kind.ARRIVALS, f"{doubles:,} arrival numbers are there twice")
        if columns:
            doubles = _count_doubles(np.sort(np.concatenate([digests for _, _, digests in columns])))
            if doubles:
                text = f"{doubles:,} events have a uid that another event of the run has"
                self._find(Kind.DUPLICATES, text)
        for stream, some in self._columns.items():
            if some:
                arrival, seq_num = (np.concatenate([column[i] for column in some]) for i in (0, 1))
                order = np.argsort(arrival, kind="stable")
                self._check_gaps(stream, arrival[order], seq_num[order], arrivals)

    def _check_gaps(
        self, stream: str, arrival: np.ndarray, seq_num: np.ndarray, arrivals: np.ndarray
    ) -> None:
        """Look for events that are missing: both their sequence and their arrival numbers are."""
        last = np.concatenate([[0], seq_num[:-1]])
        skipped = seq_num - last - 1
        if not bool((skipped > 0).any()):
            return
        ordered = np.unique(seq_num)
        elsewhere = np.searchsorted(ordered, seq_num, "left") - np.searchsorted(ordered, last, "right")
        skipped = np.where(skipped > 0, skipped - elsewhere, 0)
        before = np.concatenate([[0], arrival[:-1]])
        numbers_between = arrival - before - 1
        there = np.searchsorted(arrivals, arrival, "left") - np.searchsorted(arrivals, before, "right")
        lost = numbers_between - there
        holes = np.sort(np.array([first for first, _ in self._holes.get(stream, [])], np.int64))
        # What is known to be lost begins between the two.
        known = np.searchsorted(holes, arrival, "left") > np.searchsorted(holes, before, "right")
        gone = (skipped > 0) & (lost >= skipped) & ~known
        if bool(gone.any()):
            ranges = [(int(n - s), int(n - 1)) for n, s in zip(seq_num[gone], skipped[gone], strict=True)]
            named = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in ranges[:_MOST_NAMED])
            more = ", …" if len(ranges) > _MOST_NAMED else ""
            count = int(skipped[gone].sum())
            self._find(Kind.GAP, f"{count:,} events of stream {stream!r} are missing: seq_num {named}{more}")
            self._holes.setdefault(stream, []).append((int(before[gone][0]) + 1, count))
        only_skipped = (skipped > 0) & ~gone & ~known
        if bool(only_skipped.any()):
            count = int(skipped[only_skipped].sum())
            self._find(Kind.SKIPPED, f"stream {stream!r} came without {count:,} of its sequence numbers")

    def _check_counts(self) -> None:
        """Compare the stop document's counts with the rows that are there."""
        counts = (_parse_quietly(self.row.stop) or {}).get("num_events")
        if not isinstance(counts, dict):
            return
        refused = sum(1 for kind, _ in self._contents.refused if kind == "event")
        streamed = {stream_name(about) for about in self._descriptors.values() if _is_streamed(about)}
        for stream, said in counts.items():
            rows = sum(len(arrival) for arrival, _, _ in self._columns.get(stream, []))
            lost = sum(count for _, count in self._holes.get(stream, []))
            is_enough = rows <= said <= rows + lost if isinstance(said, int) else True
            if is_enough or (stream in streamed and rows < said):
                continue
            text = f"stream {stream!r} has {rows:,} events, its stop document says {said:,}"
            if rows < said <= rows + lost + refused:
                self._find(Kind.REFUSED, f"{text}; {refused:,} are in quarantine")
            elif rows > said:
                why = "points that were taken again after a pause, for example"
                self._find(Kind.TAKEN_AGAIN, f"{text} ({why})")
            else:
                self._find(Kind.COUNT, text)

    # notes

    def _note(self) -> None:
        self._note_interruption()
        for mark in self._contents.marks:
            times = "" if mark.count == 1 else f", {mark.count:,} times"
            text = f"nonconforming: {f'{mark.stream} {mark.key}'.strip()} {mark.reason}{times}"
            if mark.reason in _PER_MARK:
                text = f"{mark.count:,} events of stream {mark.stream!r}, {mark.key}, are {mark.reason}"
            self._find(_PER_MARK.get(mark.reason, Kind.NONCONFORMING), text)
        for kind, reason in self._contents.refused:
            self._find(Kind.QUARANTINE, f"in quarantine: a document of kind {kind!r}: {reason}")

    def _note_interruption(self) -> None:
        row = self.row
        if row.stop is not None or is_going_on(self._store, row):
            return
        text = "it was interrupted: there is no stop document, and"
        owner = None if row.owner is None else self._store.owner(row.owner)
        if owner is not None:
            who = f"{owner.program!r} (process {owner.pid} on {owner.host})"
            self._find(Kind.DEAD_OWNER, f"{text} {who}, which recorded it, has died")
        elif row.owner is not None:
            self._find(Kind.DEAD_OWNER, f"{text} the process that recorded it has died")
        else:
            self._find(Kind.INTERRUPTED, f"{text} nobody records it")

    def _find(self, kind: Kind, text: str, file: str | None = None) -> None:
        self.findings.append(Finding(kind, text, self.row.uid, self.row.scan_id, file))


def _rows_of(columns: Sequence[Columns], start: int, stop: int) -> list[Columns]:
    """Return what columns, one after the other, have between two rows."""
    found, place = [], 0
    for arrival, seq_num, digests in columns:
        rows = slice(max(start - place, 0), max(stop - place, 0))
        if len(arrival[rows]):
            found.append((arrival[rows], seq_num[rows], digests[rows]))
        place += len(arrival)
    return found


def _parse_quietly(body: bytes | None) -> dict[str, Any] | None:
    """Return a document; None if it cannot be read, or if there is none."""
    try:
        found = None if body is None else decode(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _count_doubles(ordered: Sequence[int] | np.ndarray) -> int:
    return int(np.count_nonzero(ordered[1:] == ordered[:-1]))


def _is_streamed(descriptor: dict[str, Any]) -> bool:
    """Tell whether some of a stream's data is in files that stream_resource documents name."""
    keys = descriptor.get("data_keys")
    abouts = keys.values() if isinstance(keys, dict) else ()
    return any(isinstance(a, dict) and str(a.get("external", "")).startswith("STREAM:") for a in abouts)
