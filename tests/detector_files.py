"""Files as detectors write them, and devices that have the RunEngine record where their frames are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import event_model
import h5py
import hdf5plugin
import numpy as np
from ophyd.status import Status

__all__ = ["EigerLike", "frames_of", "write_eiger"]


def frames_of(count: int, shape: tuple[int, int] = (32, 48), first: int = 0) -> np.ndarray:
    """Return frames, each of which is unlike the others: uint32."""
    numbers = np.arange(first, first + count, dtype="uint32")[:, None, None]
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return numbers * 100_000 + (rows * shape[1] + columns).astype("uint32")


def write_eiger(folder: Path, name: str, frames: np.ndarray, per_file: int = 4) -> Path:
    """Write a master file with external links to data files, bitshuffled and LZ4, and a virtual dataset.

    This is what the file writer of DECTRIS leaves: ``name_master.h5`` with ``/entry/data/data_000001`` and so
    on, each in ``name_data_000001.h5``; the virtual dataset of all frames is ``/entry/data/data``.

    :param frames: shape (frames, rows, columns).
    :returns: the master file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count, *shape = frames.shape
    layout = h5py.VirtualLayout(frames.shape, frames.dtype)
    master = folder / f"{name}_master.h5"
    with h5py.File(master, "w", libver="latest") as file:
        group = file.create_group("entry/data")
        for number, start in enumerate(range(0, count, per_file), 1):
            some = frames[start : start + per_file]
            data = f"{name}_data_{number:06d}.h5"
            with h5py.File(folder / data, "w", libver="latest") as part:
                part.create_dataset(
                    "entry/data/data", data=some, chunks=(1, *shape), **hdf5plugin.Bitshuffle(cname="lz4")
                )
            group[f"data_{number:06d}"] = h5py.ExternalLink(data, "/entry/data/data")
            source = h5py.VirtualSource(data, "entry/data/data", some.shape)
            layout[start : start + len(some)] = source
        group.create_virtual_dataset("data", layout, fillvalue=0)
    return master


class EigerLike:
    """A device that writes a series for each run, and tells where its frames are.

    :param dataset: in the master file: the virtual dataset, or the group of links.
    :param per_event: frames of each event.
    """

    parent = None

    def __init__(
        self,
        folder: Path,
        name: str = "eiger",
        dataset: str = "/entry/data/data",
        per_event: int = 1,
        count: int = 10,
    ) -> None:
        self.name = name
        self.frames = frames_of(count * per_event)
        self._folder, self._dataset, self._per_event = folder, dataset, per_event
        self._taken = self._told = 0
        self._compose: Any = None

    def stage(self) -> list[Any]:
        self.master = write_eiger(self._folder, f"{self.name}_1", self.frames)
        self._taken = self._told = 0
        self._compose = None
        return [self]

    def unstage(self) -> list[Any]:
        return [self]

    def trigger(self) -> Status:
        self._taken += 1
        status = Status()
        status.set_finished()
        return status

    def describe(self) -> dict[str, Any]:
        shape = list(self.frames.shape[1:])
        if self._per_event > 1:
            shape = [self._per_event, *shape]
        return {
            self.name: {
                "source": "file",
                "dtype": "array",
                "dtype_numpy": "<u4",
                "shape": shape,
                "external": "STREAM:",
            }
        }

    def read(self) -> dict[str, Any]:
        return {}

    def describe_configuration(self) -> dict[str, Any]:
        return {}

    def read_configuration(self) -> dict[str, Any]:
        return {}

    def get_index(self) -> int:
        return self._taken

    def collect_asset_docs(self, index: int | None = None) -> Any:
        if self._compose is None:
            bundle = event_model.compose_stream_resource(
                mimetype="application/x-hdf5",
                uri=f"file://localhost{self.master}",
                data_key=self.name,
                parameters={"dataset": self._dataset, "chunk_shape": (1, *self.frames.shape[1:])},
            )
            self._compose = bundle.compose_stream_datum
            yield "stream_resource", bundle.stream_resource_doc
        count = self._taken if index is None else index
        if count > self._told:
            yield "stream_datum", self._compose({"start": self._told, "stop": count})
        self._told = count
