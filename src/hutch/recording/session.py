"""Runs of programs without Bluesky: the same documents, from a context manager."""

from __future__ import annotations

import os
import threading
import time as clock
import uuid
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from hutch.errors import DocumentError, RunClosedError
from hutch.recording.patience import patiently
from hutch.recording.recorder import Recorder
from hutch.recording.rules import Rules
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


@dataclass
class _Stream:
    """What is known of one stream of a run."""

    seq_num: int = 0
    descriptors: dict[tuple[str, ...], tuple[str, dict[str, dict[str, Any]]]] = field(default_factory=dict)
    """By their keys: the descriptor's uid and its data keys."""


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
        :raises DocumentError: if a value is no reading; nothing is added.
        :raises RunClosedError: if the run has ended.
        """
        from hutch.recording.describing import describe

        moment = clock.time() if time is None else float(time)
        self._check_open()
        with self._lock:
            about = {key: describe(key, value) for key, value in data.items()}
            # None fits every descriptor: the reading was not there.
            blank = {key for key, value in data.items() if value is None}
            descriptor = self._descriptor(stream, about, blank)
            self._streams[stream].seq_num += 1
            event = {
                "uid": str(uuid.uuid4()),
                "time": moment,
                "data": dict(data),
                "timestamps": {**dict.fromkeys(data, moment), **_known(timestamps, data)},
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
        :raises DocumentError: if the lengths differ or a value is no reading; nothing is added.
        :raises RunClosedError: if the run has ended.
        """
        from hutch.recording.describing import describe_column

        count = _common_length({**columns, **({} if time is None else {"time": time})}, timestamps or {})
        if not count:
            return
        times = [clock.time()] * count if time is None else [float(moment) for moment in time]
        self._check_open()
        with self._lock:
            about = {key: describe_column(key, column) for key, column in columns.items()}
            descriptor = self._descriptor(stream, about)
            first = self._streams[stream].seq_num + 1
            self._streams[stream].seq_num += count
            page = {
                "uid": [str(uuid.uuid4()) for _ in range(count)],
                "time": times,
                "data": dict(columns),
                "timestamps": {**dict.fromkeys(columns, times), **_known(timestamps, columns)},
                "seq_num": list(range(first, first + count)),
                "filled": {},
                "descriptor": descriptor,
            }
            self._recorder("event_page", page)

    def configure(self, device: str, settings: Mapping[str, Any]) -> None:
        """Note the configuration of a device: what stays fixed until it is configured again.

        :param settings: by name, as :meth:`add` takes readings. It stands in the descriptors of all
            streams that events are added to from now on.
        :raises DocumentError: if a value is no reading.
        :raises RunClosedError: if the run has ended.
        """
        from hutch.recording.describing import describe

        self._check_open()
        now = clock.time()
        about = {key: describe(key, value) for key, value in settings.items()}
        with self._lock:
            self._configuration[device] = {
                "data": dict(settings),
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
                "num_events": {name: known.seq_num for name, known in self._streams.items()},
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
        elif issubclass(kind, Exception):
            self.close("fail", f"{kind.__name__}: {error}")
        else:
            self.close("abort", f"{kind.__name__}: {error}" if str(error) else kind.__name__)

    def _descriptor(
        self, stream: str, about: dict[str, dict[str, Any]], blank: Set[str] = frozenset()
    ) -> str:
        """Return the uid of the descriptor for these keys; emit one if there is none that fits."""
        from hutch.recording.describing import descriptor_parts, is_described_by

        self._check_open()
        known = self._streams.setdefault(stream, _Stream())
        keys = tuple(sorted(about))
        uid, data_keys = known.descriptors.get(keys, (None, {}))
        if uid is not None and all(
            key in blank or is_described_by(about[key], data_keys[key]) for key in keys
        ):
            return uid
        uid = str(uuid.uuid4())
        descriptor = {
            "uid": uid,
            "run_start": self.uid,
            "time": clock.time(),
            "name": stream,
            **descriptor_parts(about, self._configuration),
        }
        self._recorder("descriptor", descriptor)
        known.descriptors[keys] = (uid, about)
        return uid

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


def _known(timestamps: Mapping[str, Any] | None, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return timestamps, all of which are of keys that there are.

    :raises DocumentError: if there is one too many.
    """
    given = dict(timestamps or {})
    unknown = given.keys() - data.keys()
    if unknown:
        msg = f"There are timestamps for {sorted(unknown)}, but no readings; there are {sorted(data)}."
        raise DocumentError(msg)
    return given


def _common_length(columns: Mapping[str, Sequence[Any]], timestamps: Mapping[str, Sequence[float]]) -> int:
    """Return the length that all columns have.

    :raises DocumentError: if they differ.
    """
    lengths = {key: len(column) for key, column in columns.items()}
    lengths |= {f"timestamps of {key}": len(column) for key, column in timestamps.items()}
    if len(set(lengths.values())) > 1:
        msg = f"The columns have different lengths: {lengths}. Give one element an event in each."
        raise DocumentError(msg)
    return next(iter(lengths.values()), 0)
