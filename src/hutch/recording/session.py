"""Runs of programs without Bluesky: the same documents, from a context manager."""

from __future__ import annotations

import os
import threading
import time as clock
import uuid
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self

from hutch.errors import DocumentError, RunClosedError
from hutch.recording.patience import patiently
from hutch.recording.readings import all_seconds, check_name, common_length, dictionary, seconds, taken_at
from hutch.recording.recorder import Recorder
from hutch.recording.rules.rules import Rules
from hutch.recording.scan_ids import ScanIds
from hutch.recording.stash import Stash
from hutch.store import Store

__all__ = ["RecordedRun", "start_run"]


def start_run(store: Store, md: Mapping[str, Any], *, rules: Rules | None = None) -> RecordedRun:
    """Begin a run.

    :param md: metadata of the start document; what it lacks comes from the store's stash. ``uid``,
        ``time`` and ``versions`` are made, and ``scan_id`` is one more than the last if not given.
    :param rules: what the metadata must hold beyond what every run must.
    :returns: the open run; use it in a ``with`` statement.
    :raises MetadataError: if the metadata breaks a rule; nothing is recorded and no number used up.
    """
    from hutch import __version__

    stashed = patiently(Stash(store).copy)
    for key in ("scan_id", "versions"):  # of this run, and of this process
        stashed.pop(key, None)
    plain = (rules or Rules()).check({**stashed, **md})
    numbers = ScanIds(store)
    if "scan_id" not in plain:
        plain["scan_id"] = numbers.reserve()
    start = {
        "uid": str(uuid.uuid4()),
        "time": clock.time(),
        "versions": {"hutch": __version__},
        **plain,
    }
    run = RecordedRun(Recorder(store), start)
    numbers.used(start["scan_id"])
    return run


class _Descriptor(NamedTuple):
    uid: str
    data_keys: dict[str, dict[str, Any]]


@dataclass
class _Stream:
    """What is known of one stream of a run."""

    seq_num: int = 0
    descriptors: dict[tuple[str, ...], list[_Descriptor]] = field(default_factory=dict)
    """By their keys, those that may still be used."""
    added: set[str] = field(default_factory=set)
    """The keys of its events."""
    linked: dict[str, int] = field(default_factory=dict)
    """How many values of keys are in files."""


class RecordedRun:
    """An open run that a program adds readings to; see :func:`start_run`.

    An exception inside the ``with`` statement ends the run with ``exit_status`` ``fail`` and the
    reason, Ctrl-C with ``abort``, leaving it normally with ``success``. It can be used from several
    threads.
    """

    def __init__(self, recorder: Recorder, start: dict[str, Any]) -> None:
        self._recorder = recorder
        self._start = start
        self._streams: dict[str, _Stream] = {}
        self._configuration: dict[str, dict[str, Any]] = {}
        self._lock = threading.RLock()
        self._is_closed = False
        self._process = os.getpid()
        recorder("start", start)

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "open"
        return f"<RecordedRun {self.scan_id} {self.uid!r}, {state}>"

    @property
    def uid(self) -> str:
        """The run's unique id."""
        return str(self._start["uid"])

    @property
    def scan_id(self) -> int:
        """The run's number."""
        return int(self._start["scan_id"])

    def add(
        self,
        stream: str,
        data: Mapping[str, Any],
        timestamps: Mapping[str, float] | None = None,
        *,
        time: float | None = None,
    ) -> None:
        """Add one event to a stream.

        :param data: readings by key: text, numbers, bools, None, lists or arrays. A set of keys, or
            a kind of value, that is new in the stream is described by a new descriptor.
        :param timestamps: when each reading was taken, s since 1970; ``time`` where not given.
        :param time: of the event, s since 1970; now if not given.
        :raises DocumentError: if a value is no reading, or a time no number; nothing is added.
        :raises RunClosedError: if the run has ended.
        """
        from hutch.recording.describing import describe

        check_name("stream", stream)
        data = dictionary(data)
        moment = clock.time() if time is None else seconds("time", time)
        taken = taken_at(timestamps, data, seconds)
        about = {key: describe(key, value) for key, value in data.items()}
        # None fits every descriptor: the reading was not there.
        blank = {key for key, value in data.items() if value is None}
        self._check_open()
        with self._lock:
            self._check_keys(stream, added=data)
            descriptor = self._descriptor(stream, about, blank)
            self._streams[stream].seq_num += 1
            event = {
                "uid": str(uuid.uuid4()),
                "time": moment,
                "data": data,
                "timestamps": {**dict.fromkeys(data, moment), **taken},
                "seq_num": self._streams[stream].seq_num,
                "filled": {},
                "descriptor": descriptor,
            }
            self._recorder("event", event)

    def extend(
        self,
        stream: str,
        columns: Mapping[str, Sequence[Any]],
        timestamps: Mapping[str, Sequence[float]] | None = None,
        *,
        time: Sequence[float] | None = None,
    ) -> None:
        """Add many events to a stream at once.

        :param columns: readings by key, one element (of the first axis, for arrays) an event; all of
            one length.
        :param timestamps: when each reading was taken, s since 1970; ``time`` where not given.
        :param time: of the events, s since 1970; now, for all of them, if not given.
        :raises DocumentError: if the lengths differ, a value is no reading, or a time no number; nothing is
            added.
        :raises RunClosedError: if the run has ended.
        """
        from hutch.recording.describing import describe_column

        check_name("stream", stream)
        columns = dictionary(columns)
        stamps = {f"timestamps of {key}": column for key, column in dictionary(timestamps or {}).items()}
        count = common_length({**columns, **stamps, **({} if time is None else {"time of the events": time})})
        times = [clock.time()] * count if time is None else all_seconds("time", time)
        taken = taken_at(timestamps, columns, all_seconds)
        self._check_open()
        if not count:
            return
        about = {key: describe_column(key, column) for key, column in columns.items()}
        with self._lock:
            self._check_keys(stream, added=columns)
            descriptor = self._descriptor(stream, about)
            first = self._streams[stream].seq_num + 1
            self._streams[stream].seq_num += count
            page = {
                "uid": [str(uuid.uuid4()) for _ in range(count)],
                "time": times,
                "data": columns,
                "timestamps": {**dict.fromkeys(columns, times), **taken},
                "seq_num": list(range(first, first + count)),
                "filled": {},
                "descriptor": descriptor,
            }
            self._recorder("event_page", page)

    def link(
        self,
        key: str,
        file: str | os.PathLike[str],
        dataset: str | None = None,
        mimetype: str | None = None,
        *,
        stream: str = "primary",
    ) -> None:
        """Say that the values of a key are in a file, which stays where it is.

        The first frame in it goes with the first event of the stream, whether events are added before or
        afterwards, the second with the second. What is linked under the same key later goes on behind. In a
        stream without events each frame is a row. Link before the first event if the run is to be copied into
        a Tiled server with Bluesky's ``TiledWriter``, which looks at the first descriptor of a stream only.

        :param file: HDF5, TIFF, NPY or CSV with a frame, or a number, along the first dimension for each
            event; or one image as TIFF, JPEG or PNG. It is looked at for how many there are, their shape and
            dtype.
        :param dataset: the path of the dataset in an HDF5 file, ``/entry/data/data``; if it has only one, it
            may be left out.
        :param mimetype: what kind of file it is; going by the ending of its name if not given.
        :raises DocumentError: if it is not clear what is meant, there are no frames, or events have the key;
            nothing is added.
        :raises ExternalDataError: if the file cannot be read.
        :raises RunClosedError: if the run has ended.
        """
        from hutch.recording.linking import look_into

        check_name("key", key)
        check_name("stream", stream)
        self._check_open()
        found = look_into(key, file, dataset, mimetype)
        with self._lock:
            self._check_keys(stream, added=(), linked=(key,))
            descriptor = self._descriptor(stream, {key: found.data_key})
            known = self._streams[stream]
            first = known.linked.get(key, 0) + 1
            known.linked[key] = first - 1 + found.frames
            resource = {"uid": str(uuid.uuid4()), "run_start": self.uid, **found.resource}
            datum = {
                "uid": f"{resource['uid']}/0",
                "stream_resource": resource["uid"],
                "descriptor": descriptor,
                "indices": {"start": 0, "stop": found.frames},
                "seq_nums": {"start": first, "stop": first + found.frames},
            }
            self._recorder("stream_resource", resource)
            self._recorder("stream_datum", datum)

    def configure(self, device: str, settings: Mapping[str, Any]) -> None:
        """Note the configuration of a device: what stays fixed until it is configured again.

        :param settings: by name, as :meth:`add` takes readings. It stands in the descriptors of all
            streams that events are added to from now on.
        :raises DocumentError: if a value is no reading.
        :raises RunClosedError: if the run has ended.
        """
        from hutch.recording.describing import describe

        check_name("device", device)
        settings = dictionary(settings)
        self._check_open()
        now = clock.time()
        about = {key: describe(key, value) for key, value in settings.items()}
        with self._lock:
            self._configuration[device] = {
                "data": settings,
                "timestamps": dict.fromkeys(settings, now),
                "data_keys": about,
            }
            for known in self._streams.values():
                known.descriptors.clear()

    def close(self, exit_status: str = "success", reason: str = "") -> None:
        """End the run; everything is on the disk when this returns. Ending it twice does nothing.

        :param exit_status: ``success``, ``abort`` or ``fail``.
        :raises DocumentError: if it is none of these.
        """
        if exit_status not in ("success", "abort", "fail"):
            msg = f"A run ends with 'success', 'abort' or 'fail', not with {exit_status!r}."
            raise DocumentError(msg)
        if self._process != os.getpid():
            # A forked child leaves the run to its parent.
            return
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            stop = {
                "uid": str(uuid.uuid4()),
                "time": clock.time(),
                "run_start": self.uid,
                "exit_status": exit_status,
                "reason": reason,
                "num_events": {
                    name: known.seq_num or max(known.linked.values(), default=0)
                    for name, known in self._streams.items()
                },
            }
            self._recorder("stop", stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
            return
        reason = f"{kind.__name__}: {error}" if str(error) else kind.__name__
        self.close("fail" if issubclass(kind, Exception) else "abort", reason)

    def _descriptor(
        self, stream: str, about: dict[str, dict[str, Any]], blank: Set[str] = frozenset()
    ) -> str:
        """Return the uid of the descriptor for these keys; emit one if there is none that fits."""
        from hutch.recording.describing import descriptor_parts, widened

        self._check_open()
        known = self._streams.setdefault(stream, _Stream())
        usable = known.descriptors.setdefault(tuple(sorted(about)), [])
        place, data_keys = len(usable), about
        for number, (uid, described) in enumerate(usable):
            wide = widened(described, about, blank)
            if wide == described:
                return uid
            if wide is not None:
                place, data_keys = number, wide
        uid = str(uuid.uuid4())
        descriptor = {
            "uid": uid,
            "run_start": self.uid,
            "time": clock.time(),
            "name": stream,
            **descriptor_parts(data_keys, self._configuration),
        }
        self._recorder("descriptor", descriptor)
        # In place of the narrower one, so that there are few, however the readings vary.
        usable[place : place + 1] = [_Descriptor(uid, data_keys)]
        return uid

    def _check_keys(self, stream: str, added: Iterable[str], linked: Iterable[str] = ()) -> None:
        """Note which keys a stream has in its events; none of them may have values in files as well.

        :raises DocumentError: naming one that would be.
        """
        known = self._streams.setdefault(stream, _Stream())
        both = next((key for key in added if key in known.linked), None)
        both = both or next((key for key in linked if key in known.added), None)
        if both is not None:
            msg = (
                f"The key {both!r} of the stream {stream!r} has values in events and in a file. Give one of "
                "them another name."
            )
            raise DocumentError(msg)
        known.added.update(added)

    def _check_open(self) -> None:
        if self._process != os.getpid():
            msg = (
                f"Run {self.scan_id} ({self.uid!r}) is recorded by the process {self._process}, from which "
                "this one was forked: begin another one with cat.start_run()."
            )
            raise RunClosedError(msg)
        if self._is_closed:
            msg = f"Run {self.scan_id} ({self.uid!r}) has ended: begin another one with cat.start_run()."
            raise RunClosedError(msg)
