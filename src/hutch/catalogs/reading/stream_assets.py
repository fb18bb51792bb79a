"""What stream_resource and stream_datum documents announce: which frames each row of a stream has."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from hutch.assets import Announced
from hutch.catalogs.metadata import dictionary
from hutch.documents import decode, decode_all
from hutch.errors import ExternalDataError
from hutch.store.protocols.store import RunRow, Store

__all__ = ["StreamAssets", "assets_of"]

_HDF5 = {"HDF5", "AD_HDF5", "AD_HDF5_SINGLE", "AD_HDF5_SWMR", "AD_HDF5_SWMR_STREAM", "AD_HDF5_SWMR_SLICE"}
_MOST_KEPT = 32
_FRAMES = "/entry/data/data"
"""Where areaDetector's HDF5 files have their frames, and its documents do not say so."""


@dataclass(frozen=True)
class _Datums:
    """The stream_datum documents of one resource; ``[start, stop)`` of sequence numbers and of indices."""

    descriptors: list[str]
    ranges: np.ndarray


class StreamAssets:
    """The stream_resource and stream_datum documents of a run.

    :param store: where they are.
    :param run: the run's number in the store.
    """

    def __init__(self, store: Store, run: int) -> None:
        self._store = store
        self._resources = store.bodies_of_kind(run, "stream_resource")
        self._bodies = store.bodies_of_kind(run, "stream_datum")

    def seq_nums(self, descriptors: Collection[str]) -> np.ndarray:
        """Return the sequence numbers that have frames in a stream, each once, in order: int64."""
        found = [
            np.arange(first, last)
            for datums in self._datums.values()
            for descriptor, (first, last, _, _) in zip(datums.descriptors, datums.ranges, strict=True)
            if descriptor in descriptors
        ]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)

    def announced(self, key: str, keys: Collection[str], seq_nums: np.ndarray) -> Announced:
        """Return which frames of a key the rows have.

        :param keys: all that are in files, of the stream.
        :param seq_nums: of the rows, in their order.
        """
        resources: list[dict[str, Any]] = []
        which, numbers, seqs = [], [], []
        count = 0
        for uid, datums in self._datums.items():
            resource = self._resource(uid)
            if resource.get("data_key", key if len(keys) == 1 else None) != key:
                continue
            seq, number = _expanded(datums.ranges)
            if not len(seq):
                continue
            if resources and number[0] == count:
                # It goes on counting where the one before has ended, and its own frames begin at 0.
                number = number - count
            count += int(number[-1]) + 1
            seqs.append(seq)
            numbers.append(number)
            which.append(np.full(len(seq), len(resources)))
            resources.append(resource)
        rows = len(seq_nums)
        if not resources:
            return Announced((), np.full(rows, -1), np.full(rows, -1))
        places = _places(np.concatenate(seqs), seq_nums)
        there = places >= 0
        found = [np.where(there, np.concatenate(some)[places], -1) for some in (which, numbers)]
        return Announced(resources, *found)

    @cached_property
    def _datums(self) -> dict[str, _Datums]:
        """By resource, in order of their first arrival."""
        datums = decode_all(self._bodies)
        try:
            rows = [_row(datum) for datum in datums]
        except (KeyError, TypeError):
            # Those that break their schema are marked in the store.
            rows = [_row(datum) for datum in datums if _is_whole(datum)]
        found: dict[str, _Datums] = {}
        for uid in dict.fromkeys(row[0] for row in rows):
            mine = [row for row in rows if row[0] == uid]
            ranges = np.array([row[2:] for row in mine], np.int64)
            found[uid] = _Datums([row[1] for row in mine], ranges)
        return found

    def _resource(self, uid: str) -> dict[str, Any]:
        for resource in decode_all(self._resources):
            if resource.get("uid") == uid:
                return _normal(resource)
        found = self._store.find_document("stream_resource", uid)
        if found is None:
            msg = f"no stream_resource {uid!r} was recorded"
            raise ExternalDataError(msg)
        return _normal(decode(found[1].body))


_kept: WeakKeyDictionary[Store, OrderedDict[int, StreamAssets]] = WeakKeyDictionary()
"""What was asked for of late, by the run's number."""


def assets_of(store: Store, run: RunRow) -> StreamAssets:
    """Return what was announced of a run; once it has ended nothing more is, and it is read only once."""
    kept = _kept.setdefault(store, OrderedDict())
    found = kept.get(run.id) or StreamAssets(store, run.id)
    if run.stop is not None:
        kept[run.id] = found
        while len(kept) > _MOST_KEPT:
            kept.popitem(last=False)
    return found


def _row(datum: Any) -> tuple[str, str, int, int, int, int]:
    seqs, indices = datum["seq_nums"], datum["indices"]
    numbers = seqs["start"], seqs["stop"], indices["start"], indices["stop"]
    return (datum["stream_resource"], datum["descriptor"], *numbers)


def _is_whole(datum: Any) -> bool:
    try:
        return all(type(number) is int for number in _row(datum)[2:])
    except (KeyError, TypeError):
        return False


def _normal(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stream_resource as event-model has it since 1.20, whatever wrote it."""
    parameters = dictionary(resource, "parameters") or dictionary(resource, "resource_kwargs")
    if "mimetype" in resource:
        return {**resource, "parameters": parameters}
    spec, path = str(resource.get("spec")), str(resource.get("resource_path"))
    root = str(resource.get("root") or "")
    uri = f"{root.rstrip('/')}/{path.lstrip('/')}" if root else path
    if spec in _HDF5:
        parameters = {"dataset": parameters.get("path") or _FRAMES, **parameters}
        return {**resource, "uri": uri, "mimetype": "application/x-hdf5", "parameters": parameters}
    return {**resource, "uri": uri, "mimetype": f"application/x-{spec}", "parameters": parameters}


def _expanded(ranges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sequence number and the index of each value in some datums."""
    first_seq, last_seq, first, last = ranges.T
    # Datums that have no frames for their events, or do not say for which, announce nothing.
    sizes = np.minimum(last_seq - first_seq, last - first).clip(0)
    ends = np.cumsum(sizes)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes)
    return np.repeat(first_seq, sizes) + within, np.repeat(first, sizes) + within


def _places(announced: np.ndarray, seq_nums: np.ndarray) -> np.ndarray:
    """Return for each row where its sequence number was announced; -1 if it never was.

    When a plan is rewound, numbers come again: the second row has what was announced the second time.
    """
    order = np.argsort(announced, kind="stable")
    in_order = announced[order]
    first = np.searchsorted(in_order, seq_nums, "left")
    last = np.searchsorted(in_order, seq_nums, "right")
    place = np.minimum(first + _times_before(seq_nums), last - 1)
    found: np.ndarray = np.where(last > first, order[np.clip(place, 0, len(order) - 1)], -1)
    return found


def _times_before(numbers: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return for each number how often it came before."""
    values = np.asarray(numbers)
    order = np.argsort(values, kind="stable")
    in_order = values[order]
    starts = np.searchsorted(in_order, in_order, "left")
    found = np.empty(len(values), np.int64)
    found[order] = np.arange(len(values)) - starts
    return found
