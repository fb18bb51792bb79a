"""The simulated camera of ``hutch demo``, which writes its frames into HDF5 files of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from event_model import compose_stream_resource
from ophyd.status import Status

from hutch.errors import MissingExtraError

try:
    import h5py
except ImportError as error:
    raise MissingExtraError("The camera writes HDF5 files: pip install 'hutch[files]'") from error

__all__ = ["Camera"]

_DATASET = "/entry/data/data"
_SHAPE = (192, 256)
_PHOTONS = 220.0
"""In the middle of the spot, on average."""

Position = Callable[[], float]


class Camera:
    """Sees a spot of light, and writes a frame each time it is triggered: uint16, 192 rows of 256 pixels.

    A file is begun for each run, and can be read while it grows. The documents tell where frames are.

    :param folder: where files are written.
    :param x: returns the spot's distance from the middle along rows, in pixels.
    :param y: along columns.
    """

    parent = None

    def __init__(self, name: str, folder: Path, x: Position, y: Position) -> None:
        self.name = name
        self._folder = folder
        self._position = x, y
        self._random = np.random.default_rng()
        self._file: Any = None
        self._compose: Any = None
        self._told = 0

    def __repr__(self) -> str:
        return f"Camera(name={self.name!r})"

    @property
    def hints(self) -> dict[str, list[str]]:
        """What is worth seeing."""
        return {"fields": [self.name]}

    def stage(self) -> list[Any]:
        """Begin a file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self.name}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid4().hex[:6]}.h5"
        self._file = h5py.File(path, "w", libver="latest")
        self._file.create_dataset(
            _DATASET,
            shape=(0, *_SHAPE),
            maxshape=(None, *_SHAPE),
            chunks=(1, *_SHAPE),
            dtype="uint16",
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
        self._file.swmr_mode = True
        self._compose = None
        self._told = 0
        return [self]

    def unstage(self) -> list[Any]:
        """End the file."""
        if self._file is not None:
            self._file.close()
        self._file = None
        return [self]

    def trigger(self) -> Status:
        """Take a frame and write it."""
        frames = self._file[_DATASET]
        frames.resize(len(frames) + 1, axis=0)
        frames[-1] = self._frame()
        frames.flush()
        status = Status()
        status.set_finished()
        return status

    def _frame(self) -> np.ndarray:
        x, y = (position() for position in self._position)
        rows, columns = np.ogrid[: _SHAPE[0], : _SHAPE[1]]
        across, down = columns - _SHAPE[1] / 2 - x, rows - _SHAPE[0] / 2 - y
        spot = np.exp(-((across / 22) ** 2 + (down / 15) ** 2) / 2)
        ring = 0.35 * np.exp(-(((np.hypot(across, down) - 62) / 5) ** 2) / 2)
        return self._random.poisson(2.0 + _PHOTONS * (spot + ring)).astype(np.uint16)

    def describe(self) -> dict[str, Any]:
        """Return the data key of the frames."""
        return {
            self.name: {
                "source": f"file://localhost{self._file.filename}",
                "dtype": "array",
                "dtype_numpy": "<u2",
                "shape": list(_SHAPE),
                "dims": [f"{self.name}_row", f"{self.name}_column"],
                "units": "counts",
                "external": "STREAM:",
            }
        }

    def read(self) -> dict[str, Any]:
        """Return nothing: the frames are in the file."""
        return {}

    def describe_configuration(self) -> dict[str, Any]:
        """Return the data key of the exposure time."""
        return {"exposure": {"source": "SIM:exposure", "dtype": "number", "shape": [], "units": "s"}}

    def read_configuration(self) -> dict[str, Any]:
        """Return the exposure time."""
        return {"exposure": {"value": 0.02, "timestamp": time.time()}}

    def get_index(self) -> int:
        """Return how many frames there are."""
        return len(self._file[_DATASET])

    def collect_asset_docs(self, index: int | None = None) -> Iterator[tuple[str, Any]]:
        """Yield the documents that tell where the frames are that were not told of yet."""
        if self._compose is None:
            bundle = compose_stream_resource(
                mimetype="application/x-hdf5",
                uri=f"file://localhost{self._file.filename}",
                data_key=self.name,
                parameters={"dataset": _DATASET, "chunk_shape": (1, *_SHAPE), "swmr": True},
                validate=False,
            )
            self._compose = bundle.compose_stream_datum
            yield "stream_resource", bundle.stream_resource_doc
        count = self.get_index() if index is None else index
        if count > self._told:
            yield "stream_datum", self._compose({"start": self._told, "stop": count})
        self._told = count
