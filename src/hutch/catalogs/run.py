"""One run: its metadata, its streams, its documents."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from hutch.assets.places import FilePlaces
from hutch.catalogs.metadata import PRIMARY, Document, stream_name
from hutch.catalogs.open_runs import open_status
from hutch.catalogs.stream import Stream
from hutch.catalogs.summary import DAMAGED, RunSummary, count_points, in_brief, local_time, printable
from hutch.catalogs.tombstones import check_present, present_row
from hutch.documents import decode
from hutch.errors import StreamNotFoundError
from hutch.store.protocols.store import Mark, QuarantineRow, RunRow, Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hutch.catalogs.changing.amending import Amendment, Change, Edit, Path, Values
    from hutch.catalogs.verdicts import RunVerdict
    from hutch.recording.rules.rules import Rules

__all__ = ["Run"]


class Run:
    """A run of a catalog; while it is open, everything about it is read anew when asked for.

    ``list(run)`` names its streams, ``run.primary`` and ``run["primary"]`` are one. What somebody else
    amends after the run has ended shows when it is looked up again.

    :param store: where the run is.
    :param row: the run as the store has it.
    :param places: where the files of detectors are, and which of them are opened.
    :param datetimes: True gives times of streams as datetime64[ns].
    :param rules: what its metadata must hold when it is amended; None stands for what every run must.
    """

    def __init__(
        self,
        store: Store,
        row: RunRow,
        *,
        places: FilePlaces = FilePlaces(),  # noqa: B008 - it cannot be changed
        datetimes: bool = False,
        rules: Rules | None = None,
    ) -> None:
        self.store = store
        self.places = places
        self.datetimes = datetimes
        self._rules = rules
        self._row = row
        self._start: tuple[bytes, Document] | None = None

    # metadata

    @property
    def row(self) -> RunRow:
        """The run as the store has it now.

        :raises RunDeletedError: if it is open, and has been deleted.
        """
        if self._row.stop is None:
            self._row = present_row(self.store, self._row.id)
        return self._row

    @property
    def uid(self) -> str:
        """The uid of the start document."""
        return self._row.uid

    @property
    def scan_id(self) -> int | None:
        """The counting number of the run, which is not unique; None if it has none."""
        found = self.start.get("scan_id")
        return found if type(found) is int else None

    @property
    def start(self) -> Document:
        """The start document: what was known when the run began, as amended since."""
        body = self.row.current
        if self._start is None or self._start[0] != body:
            self._start = body, Document(decode(body))
        return self._start[1]

    @property
    def original_start(self) -> Document:
        """The start document as it was recorded, whatever was amended since."""
        return Document(decode(self._row.start))

    @property
    def stop(self) -> Document | None:
        """The stop document; None as long as there is none."""
        body = self.row.stop
        return None if body is None else Document(decode(body))

    @property
    def metadata(self) -> Document:
        """Both, as ``run.metadata["start"]`` and ``run.metadata["stop"]``; attributes work too."""
        return Document({"start": self.start, "stop": self.stop})

    @property
    def descriptors(self) -> list[Document]:
        """The descriptors of all streams, in order of arrival.

        :raises RunDeletedError: if the run has been deleted since it was looked up.
        """
        rows = self.store.documents(self._row.id, ["descriptor"])
        if not rows:
            check_present(self.store, self._row.id)
        return [Document(decode(row.body)) for row in rows]

    @property
    def status(self) -> str:
        """``running``, ``interrupted`` (its process died), ``success``, ``abort`` or ``fail``."""
        row = self.row
        if row.stop is not None:
            return str(decode(row.stop).get("exit_status", "unknown"))
        return open_status(self.store, row)

    @property
    def nonconforming(self) -> list[Mark]:
        """What contradicts its descriptor: kept as it came, and counted here."""
        return self.store.marks(self._row.id)

    @property
    def quarantined(self) -> list[QuarantineRow]:
        """Documents of this run that could not be placed, whole."""
        return self.store.quarantined(self._row.id)

    # corrections

    @property
    def amendments(self) -> list[Amendment]:
        """The corrections of the start document, oldest first."""
        from hutch.catalogs.changing.amending import list_amendments

        return list_amendments(self.store, self._row)

    def amend(
        self,
        values: Values | None = None,
        *,
        remove: Iterable[Path] = (),
        reason: str,
        author: str | None = None,
        dry_run: bool = False,
    ) -> tuple[Edit, ...]:
        """Correct the start document; the recorded one is kept beside it.

        :param values: what to set; ``"sample.name"`` is the field ``name`` in ``sample``, as is
            ``("sample", "name")``, which takes names that hold dots.
        :param remove: fields to remove; what is not there is left alone.
        :param reason: why, for whoever asks in a year.
        :param author: who; else the user of this process and the host's name.
        :param dry_run: True changes nothing and returns what would change.
        :returns: what changed; nothing if everything was so already.
        :raises MetadataError: with everything that breaks a rule; then nothing is changed.
        :raises RunDeletedError: if the run has been deleted.
        """
        from hutch.catalogs.changing.amending import amend

        change = amend(values or {}, remove, self._rules)
        return self._change_start(change, reason, author, dry_run)

    def undo_amendment(
        self, *, reason: str, author: str | None = None, dry_run: bool = False
    ) -> tuple[Edit, ...]:
        """Take back the last amendment, by one more; done twice, it takes back itself.

        :returns: what changed.
        :raises ConfigurationError: if the run was never amended.
        """
        from hutch.catalogs.changing.amending import undo

        return self._change_start(undo(self.store), reason, author, dry_run)

    def _change_start(
        self, change: Change, reason: str, author: str | None, dry_run: bool
    ) -> tuple[Edit, ...]:
        from hutch.catalogs.changing.amending import apply, preview
        from hutch.catalogs.signatures import sign

        if dry_run:
            return preview(self.store, self._row, change)
        edits = apply(self.store, self._row, change, sign(reason, author))
        self._row = present_row(self.store, self._row.id)
        return edits

    # the end of an interrupted run

    def close_interrupted(
        self, *, reason: str, author: str | None = None, exit_status: str = "abort"
    ) -> Document:
        """End a run whose process died: write the stop document that it could not write.

        The document says who wrote it, when and why; its time is that of the last event.

        :param reason: why it ended, for whoever asks in a year.
        :param author: who says so; else the user of this process and the host's name.
        :param exit_status: ``abort``, ``fail`` or ``success``.
        :returns: the stop document.
        :raises RunOwnedError: if a live process records the run.
        :raises RunClosedError: if it has ended.
        """
        from hutch.catalogs.care.closing import close_run
        from hutch.catalogs.signatures import sign

        return Document(close_run(self.store, self.row, sign(reason, author), exit_status))

    # streams

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream_names())

    def __len__(self) -> int:
        return len(self._stream_names())

    def __bool__(self) -> bool:
        return True  # a run without streams is a run

    def __contains__(self, name: object) -> bool:
        return name in self._stream_names()

    def __getitem__(self, name: str) -> Stream:
        """Return a stream.

        :raises StreamNotFoundError: if there is none of this name, naming those there are.
        """
        names = self._stream_names()
        if name not in names:
            streams = f"Streams: {', '.join(names)}" if names else "It has no streams"
            msg = f"No stream {name!r} in run {self.uid!r}. {streams}"
            raise StreamNotFoundError(msg)
        return Stream(self, name)

    def __getattr__(self, name: str) -> Stream:
        # Programs that probe objects (copy, IPython) must not cause questions to the store.
        if name.startswith("_"):
            msg = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(msg)
        return self[name]

    def keys(self) -> list[str]:
        """Return the names of the streams, primary first."""
        return self._stream_names()

    def values(self) -> list[Stream]:
        """Return the streams, primary first."""
        return [Stream(self, name) for name in self._stream_names()]

    def items(self) -> list[tuple[str, Stream]]:
        """Return pairs of name and stream, primary first."""
        return [(name, Stream(self, name)) for name in self._stream_names()]

    def count_rows(self) -> dict[str, int]:
        """Return the number of rows of each stream that are committed.

        :raises RunDeletedError: if the run has been deleted since it was looked up.
        """
        streams = {segment.id: segment.stream for segment in self.store.segments(self._row.id)}
        counts = dict.fromkeys(streams.values(), 0)
        for batch in self.store.batches(self._row.id):
            # A segment that was added since is counted the next time.
            if batch.segment in streams:
                counts[streams[batch.segment]] += batch.rows
        if not any(counts.values()):
            check_present(self.store, self._row.id)
        return counts

    def __call__(self) -> Run:
        """Return the run itself, as DataBroker's entries do."""
        return self

    def get(self) -> Run:
        """Return the run itself, like :meth:`__call__`."""
        return self

    # documents

    def documents(self, *, fill: str, amended: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
        """Replay the run: yield ``(name, document)`` as recorded, in the order of arrival.

        What was recorded in event pages comes as events.

        :param fill: ``"no"`` leaves datum ids in the events, ``"yes"`` puts numpy arrays in their
            place, ``"delayed"`` dask arrays; ``filled`` then names the datum.
        :param amended: True yields the start document as it was amended since.
        :raises ConfigurationError: for another ``fill``.
        :raises ExternalDataError: while iterating, if a detector's file cannot be read.
        """
        from hutch.catalogs.reading.replay import replay

        return replay(self.store, self.row, self.places, fill, amended=amended)

    def canonical(self, *, fill: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Replay the run under DataBroker's old name of :meth:`documents`."""
        warnings.warn("Run.canonical is now Run.documents", DeprecationWarning, stacklevel=2)
        return self.documents(fill=fill)

    def restream(
        self, callback: Callable[[str, dict[str, Any]], object], *, fill: str = "no", amended: bool = False
    ) -> None:
        """Call a function, or a callback of Bluesky, with every ``(name, document)`` of the run."""
        for name, document in self.documents(fill=fill, amended=amended):
            callback(name, document)

    def follow(self, *, timeout_s: float | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield ``(name, document)`` of the run as they are committed, from its start until it ends.

        It ends after the stop document, or when the recording process has died.

        :param timeout_s: ends after so long without a new document, in s; None waits without limit.
        """
        from hutch.catalogs.reading.replay import follow

        return follow(self.store, self.row, timeout_s)

    def plot(self, *, stream: str | None = None, x: str | None = None, y: Iterable[str] = ()) -> Figure:
        """Return a picture of the run: lines of a scan, an image of a grid, the path of a trajectory.

        :param stream: else the one that the hints name, else ``primary``.
        :param x: the key to draw against, or ``time``; else the axes that the hints name.
        :param y: the keys to draw; else those that the hints name, else every number.
        :raises StreamNotFoundError: if there is no such stream or key, or no number to draw.
        """
        from hutch.catalogs.showing.plotting import draw

        return draw(self, stream=stream, x=x, y=y)

    def verdicts(self) -> dict[str, RunVerdict]:
        """Return what checks of the monitor say of the run by now, by name."""
        from hutch.catalogs.verdicts import verdicts_of

        return verdicts_of(self.store, self._row.id)

    def verdict_history(self, name: str | None = None) -> list[RunVerdict]:
        """Return all that checks, or one of them, have said of the run, the oldest first."""
        from hutch.catalogs.verdicts import verdict_history

        return verdict_history(self.store, self._row.id, name)

    # comparing and showing

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Run):
            return NotImplemented
        return self.uid == other.uid and self.store.location == other.store.location

    def __hash__(self) -> int:
        return hash((self.uid, self.store.location))

    def summary(self) -> RunSummary:
        """Return what a table of runs says about this one."""
        plan, scan_id, status = in_brief(self)
        points = 0 if status == DAMAGED else count_points(self.stop, self.count_rows)
        return RunSummary(self.uid, scan_id, plan, self._row.time, status, points)

    def __repr__(self) -> str:
        plan, scan_id, status = in_brief(self)
        number = "" if scan_id is None else f" {scan_id}"
        what = f" {printable(plan)}" if plan else ""
        return f"<Run{number} {self.uid!r}{what} {local_time(self._row.time)} {status}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show it in IPython, with its streams."""
        printer.text(repr(self))
        for name, stream in self.items():
            printer.break_()
            printer.text(f"  {name}: {stream.counted()}")

    def _repr_html_(self) -> str:
        from hutch.catalogs.showing.notebook import run_html

        return run_html(self)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for name in self._stream_names() if name.isidentifier())})

    def _ipython_key_completions_(self) -> list[str]:
        return self._stream_names()

    def _stream_names(self) -> list[str]:
        documents = self.store.documents(self._row.id, ["descriptor"])
        found = [stream_name(decode(row.body)) for row in documents]
        names = dict.fromkeys([*found, *(segment.stream for segment in self.store.segments(self._row.id))])
        if not names:
            check_present(self.store, self._row.id)
        return sorted(names, key=lambda name: name != PRIMARY)
