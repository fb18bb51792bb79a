"""What a plot has accumulated, kept in a file together with how far it has come.

The state and the row up to which it counts are replaced in one step, so whoever is killed in between finds
both as they were. A file is NumPy's ``.npz`` without pickles: ``header``, JSON as bytes, and the arrays of
the state as ``state/NAME``.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hutch.monitor.sources import BadRange

__all__ = ["Kept", "Keeper", "read_state", "replace_file", "sweep"]

_FOLDER = ".hutch-monitor"
_TEMPORARY = ".hutch-new-"
"""How files begin that are being written."""
_LONGEST_WRITE_S = 3600.0
"""What has not been written to for so long belongs to a process that was killed."""
_STATE = "state/"
_LAYOUT = 1
_MOST_BAD = 1_000
"""As many unreadable ranges are kept of a plot."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How far a plot has come in a source.

    :ivar identity: of the source.
    :ivar version: of the plot.
    :ivar cursor: the number of the row up to which the state counts.
    :ivar skipped: how many rows up to there were left out, because only a sample was asked for.
    :ivar updated: when rows were taken into account last, s since 1970.
    :ivar bad: rows that cannot be read, and were passed over.
    :ivar mark: how the row before the cursor looked; empty if that is not known.
    """

    identity: str
    version: str
    cursor: int
    skipped: int = 0
    updated: float = 0.0
    bad: tuple[BadRange, ...] = ()
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Keeper:
    """Where the states of a monitor's plots are.

    :ivar folder: ``<out>/.hutch-monitor/states``.
    """

    folder: Path

    @classmethod
    def under(cls, out: Path) -> Keeper:
        """Return the keeper of an output folder."""
        return cls(out / _FOLDER / "states")

    def file(self, base: str, plot: str) -> Path:
        """Return the file of one plot of one source."""
        return self.folder / base / f"{plot}.npz"

    def read_kept(self, base: str, plot: str) -> Kept | None:
        """Return how far a plot had come; None if nothing is kept, or if it cannot be read."""
        try:
            with np.load(self.file(base, plot), allow_pickle=False) as arrays:
                return _header(arrays)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return None

    def read(self, base: str, plot: str) -> tuple[Kept, dict[str, npt.NDArray[Any]]] | None:
        """Return how far a plot had come, and its state; None if nothing is kept, or if it cannot be read."""
        try:
            return read_state(self.file(base, plot))
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return None

    def write(self, base: str, plot: str, kept: Kept, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep a plot's state.

        :raises OSError: if it cannot be written; what was kept before is as it was.
        :raises TypeError: if the state holds Python objects.
        """
        arrays = {}
        for name, kept_array in state.items():
            array = arrays[f"{_STATE}{name}"] = np.asarray(kept_array)
            if array.dtype.hasobject:
                msg = f"{name!r} holds Python objects; a plot's state is arrays of numbers or text."
                raise TypeError(msg)
        header = asdict(kept) | {"layout": _LAYOUT, "bad": [asdict(bad) for bad in kept.bad[-_MOST_BAD:]]}
        buffer = io.BytesIO()
        # The keys hold a slash: none of them is a parameter of savez.
        np.savez(buffer, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
        replace_file(self.file(base, plot), buffer.getbuffer())


def read_state(file: Path) -> tuple[Kept, dict[str, npt.NDArray[Any]]]:
    """Return what a file of a plot's state holds.

    :raises OSError: if it cannot be read.
    :raises ValueError: if it is none.
    """
    with np.load(file, allow_pickle=False) as arrays:
        state = {name.removeprefix(_STATE): arrays[name] for name in arrays.files if name.startswith(_STATE)}
        return _header(arrays), state


def replace_file(file: Path, content: bytes | memoryview) -> None:
    """Write a file in one step: whoever reads it sees the old content or the new.

    :raises OSError: if it cannot be written; the old content is there still.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(prefix=_TEMPORARY, suffix=file.suffix, dir=file.parent)
    try:
        with open(number, "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), 0o666 & ~_umask())
        os.replace(name, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def sweep(folder: Path) -> None:
    """Remove what processes that were killed long ago have left half-written in a folder.

    Others may be at work in it: what is new stays.
    """
    oldest = time.time() - _LONGEST_WRITE_S
    with suppress(OSError):
        for file in folder.glob(f"{_TEMPORARY}*"):
            with suppress(OSError):
                if file.stat().st_mtime < oldest:
                    file.unlink()


def _header(arrays: Any) -> Kept:
    found = json.loads(arrays["header"].tobytes())
    if found.pop("layout") != _LAYOUT:
        msg = "The file was written by another version of hutch."
        raise ValueError(msg)
    return Kept(**found | {"bad": tuple(BadRange(**bad) for bad in found["bad"])})


def _umask() -> int:
    before = os.umask(0o022)
    os.umask(before)
    return before
