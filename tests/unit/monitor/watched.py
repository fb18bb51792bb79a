"""A source as the monitor's cycle has it: rows are folded in, checks look, and a tile is published."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from hutch.monitor.arrays import unpack_state
from hutch.monitor.batch import Batch
from hutch.monitor.observing import Tile
from hutch.monitor.plots.column_statistics import ColumnStatistics
from hutch.monitor.sources import Sighting, SourceSpec
from hutch.monitor.verdicts.judging import CheckObserver

__all__ = ["Clock", "Watched", "observer", "read_state"]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def observer(tables: dict, folder: Path, store: str | None = None, plugins=()) -> CheckObserver:
    """Return an observer as a worker process has it."""
    made = CheckObserver(tables, "checks.toml", tuple(map(str, plugins)), folder, store)
    return pickle.loads(pickle.dumps(made))  # noqa: S301 - as it goes to a worker


def read_state(path: Path) -> dict:
    """Return the state in a file that :class:`Watched` has written."""
    return unpack_state(path.read_bytes())


class Watched:
    """One source that grows, and the plot of its columns."""

    def __init__(self, observer, publisher, *, run=None, path="/data/a.h5", clock=None, identity="1") -> None:
        address = path if run is None else f"/store {run}/primary"
        base = "a" if run is None else run
        self.spec = SourceSpec(address, identity, "run" if run else "hdf5", base)
        self.observer = observer
        self.publisher = publisher
        self.run = run
        self.clock = clock or Clock()
        self.plot = ColumnStatistics()
        self.rows = 0

    def grow(self, *values: float, is_complete: bool = False) -> list:
        """Add rows; return what checks said."""
        batch = Batch(self.spec.address, self.spec.format, self.rows, {"T": np.array(values, dtype=float)})
        self.plot.update(batch)
        self.rows += len(values)
        sighting = Sighting(self.spec, self.rows, self.clock(), is_complete, self.run)
        found = self.observer.observe(sighting, "ColumnStatistics", self.plot, self.rows)
        self.publisher.publish(pickle.loads(pickle.dumps(self.tile(sighting, found))))  # noqa: S301
        return found

    def tile(self, sighting: Sighting, found, picture: bytes | None = None) -> Tile:
        from hutch.monitor.arrays import pack_state

        file = self.observer.folder / "state.npz"
        file.write_bytes(pack_state(self.plot.state()))
        return Tile(
            sighting,
            "ColumnStatistics",
            self.rows,
            self.rows,
            self.clock(),
            None,
            0.1,
            judgements=tuple(found),
            picture=picture,
            state_file=file,
        )
