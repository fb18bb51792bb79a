"""A folder of files that grow, plug-ins that behave and misbehave, and a monitor over them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hutch.errors import SourceUnavailableError
from hutch.monitor.batch import Batch
from hutch.monitor.keeping import Keeper
from hutch.monitor.reading.opening import open_source
from hutch.monitor.reading.watching import FolderWatcher
from hutch.monitor.sources import BadRange, Source, SourceSpec
from hutch.monitor.working.cycle import Limits, Monitor

__all__ = [
    "BARE",
    "FAULTS",
    "GOOD",
    "TEMPLATE",
    "Bench",
    "TellsSettings",
    "faulty",
    "open_breaking",
    "open_in_small_parts",
    "shipped_telling",
]

GOOD = '''
import numpy as np
from matplotlib.figure import Figure


class Total:
    """Add the values up. The rest is silence."""

    formats = ("hdf5",)

    def __init__(self):
        self.total = self.rows = self.order = 0

    def update(self, batch):
        values = batch["values"]
        self.total += int(values.sum())
        self.rows += len(values)
        # Tells whether rows came in order, each once.
        for value in values[:: max(len(values) // 7, 1)]:
            self.order = (self.order * 31 + int(value)) % 1_000_003

    def merge(self, other):
        self.total += other.total
        self.rows += other.rows

    def state(self):
        return {"total": np.array(self.total), "rows": np.array(self.rows)}

    def restore(self, state):
        self.total, self.rows = int(state["total"]), int(state["rows"])

    def figure(self, fig=None):
        fig = fig or Figure((1, 1), dpi=20)
        fig.suptitle(str(self.total))
        return fig


class Other(Total):
    """Do the same elsewhere."""
'''
"""Two plots that add up what has come."""

BARE = """
import numpy as np
from matplotlib.figure import Figure

class Bare:
    def __init__(self):
        self.rows = 0

    def update(self, batch):
        self.rows += len(batch)

    def merge(self, other):
        self.rows += other.rows

    def state(self):
        return {"rows": np.array(self.rows)}

    def restore(self, state):
        self.rows = int(state["rows"])

    def figure(self):
        return Figure((1, 1), dpi=20)

class Nowhere(Bare):
    formats = ()
"""
"""Two plots that accumulate, and have nothing but the methods that they must have; one is for nothing."""

TEMPLATE = """
import matplotlib.pyplot as plt
import numpy as np
class TemplatePlot(object):
    def __call__(self, filename, fh, fig=None):
        # pre-process data in fh
        if fig is not None:
            # do stuff to update plot
            pass
        else:
            # do stuff to make new plot
            fig = plt.figure()
        return fig
"""
"""The template that plots of the older form begin with."""

FAULTS = {
    "Raises": ("update", "raise ValueError('no such channel')"),
    "Hangs": ("update", "while True: pass"),
    "EatsMemory": ("update", "self.hoard = [np.empty(10_000_000) for _ in range(100)]"),
    "Exits": ("update", "os._exit(7)"),
    "Crashes": ("update", "os.kill(os.getpid(), signal.SIGSEGV)"),
    "ReturnsNothing": ("figure", "return None"),
    "HangsInDrawing": ("figure", "while True: pass"),
    "LeavesByExit": ("figure", "sys.exit(3)"),
    "Interrupts": ("update", "raise KeyboardInterrupt"),
    "KeepsObjects": ("state", "return {'hoard': np.array([self])}"),
}
"""What a plot does wrong, in which of its methods."""


def faulty(name: str, flag: Path) -> str:
    """Return a plug-in that does something wrong for as long as a file is there."""
    method, deed = FAULTS[name]
    arguments = {"update": "batch", "figure": "fig=None", "state": ""}[method]
    passed = {"update": "batch", "figure": "fig", "state": ""}[method]
    code = f"""
    import os, signal, sys
    import numpy as np
    from .good import Total

    class {name}(Total):
        def {method}(self, {arguments}):
            if os.path.exists({str(flag)!r}):
                {deed}
            return super().{method}({passed})
    """
    return textwrap.dedent(code)


class TellsSettings:
    """Writes down beside the file which settings of matplotlib it is drawn with."""

    formats = ("hdf5",)

    def update(self, batch):  # type: ignore[no-untyped-def]
        self.source = batch.source

    def state(self):  # type: ignore[no-untyped-def]
        return {}

    def restore(self, state):  # type: ignore[no-untyped-def]
        pass

    def figure(self, fig=None):  # type: ignore[no-untyped-def]
        from pathlib import Path

        from matplotlib import rcParams
        from matplotlib.figure import Figure

        told = Path(self.source).with_suffix(f".{type(self).__name__}")
        names = ("font.size", "lines.linewidth", "font.sans-serif")
        size, width, fonts = (rcParams[name] for name in names)
        told.write_text(f"{size}, {width}, {fonts[0]}")
        return fig or Figure((1, 1), dpi=20)


class Shipped(TellsSettings):
    """Does so, and comes with hutch."""


def shipped_telling() -> dict[str, type]:
    """Return a plot as if hutch shipped it."""
    return {"Shipped": Shipped}


class _SmallParts:
    """A source that gives few rows at a time."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.spec = source.spec

    def __enter__(self) -> _SmallParts:
        self._source.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._source.__exit__(*exc)

    def rows(self) -> int:
        return self._source.rows()

    def read(self, start: int, stop: int) -> Batch | BadRange:
        return self._source.read(start, min(start + 1000, stop))

    def write(self, batch: Batch, group: Any) -> None:
        self._source.write(batch, group)


class _Torn(_SmallParts):
    """A source of which rows 20 to 29 cannot be read."""

    def read(self, start: int, stop: int) -> Batch | BadRange:
        if 20 <= start < 30:
            return BadRange(start, min(stop, 30), "torn")
        return self._source.read(start, min(20, stop) if start < 20 else stop)


class _Breaking(_SmallParts):
    """A source that cannot be read from row 1005 on while a file ``.broken`` lies beside its own.

    Where its batches begin is noted in a file ``.begins``.
    """

    def read(self, start: int, stop: int) -> Batch | BadRange:
        beside = Path(self.spec.address)
        if start >= 1005 and beside.with_suffix(".broken").exists():
            raise SourceUnavailableError("the server is away")
        if stop - start > 1:
            with beside.with_suffix(".begins").open("a") as file:
                print(start, file=file)
        return super().read(start, stop)


def open_breaking(spec: SourceSpec) -> Source:
    """Open a source that may break off."""
    return _Breaking(open_source(spec))


def open_with_a_hole(spec: SourceSpec) -> Source:
    """Open a source of which some rows cannot be read."""
    return _Torn(open_source(spec))


def open_in_small_parts(spec: SourceSpec) -> Source:
    """Open a source that gives few rows at a time."""
    return _SmallParts(open_source(spec))


class Bench:
    """Files, plug-ins and an output folder below one folder."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.plugins = folder / "plugins"
        self.out = folder / "out"
        self.said: list[str] = []
        for one in (self.data, self.plugins):
            one.mkdir()
        self.plug_in("good", GOOD)

    def plug_in(self, name: str, text: str) -> None:
        """Drop a file into the folder of plug-ins."""
        (self.plugins / f"{name}.py").write_text(text)

    def grow(self, name: str, values: Sequence[int] | np.ndarray) -> Path:
        """Add rows to a file, which is made."""
        path = self.data / f"{name}.h5"
        rows = np.asarray(values, np.int64)
        with h5py.File(path, "a") as file:
            if "values" not in file:
                file.create_dataset("values", (0,), np.int64, maxshape=(None,), chunks=(50_000,))
            dataset = file["values"]
            dataset.resize(len(dataset) + len(rows), axis=0)
            dataset[len(dataset) - len(rows) :] = rows
        return path

    def monitor(self, *, limit_s: float = 30.0, **options: Any) -> Monitor:
        """Return a monitor of the folder, with the plug-ins alone."""
        limits = options.pop("limits", Limits(limit_s, 300_000_000, 2.0))
        # However busy the machine is, a cycle draws all.
        options.setdefault("interval_s", 600.0)
        chosen = {"plugins": [str(self.plugins)], "shipped": dict, "workers": 1, "limits": limits, **options}
        return Monitor(self.out, [FolderWatcher(self.data)], say=self.said.append, **chosen)

    def state(self, base: str, plot: str) -> dict[str, int]:
        """Return what a plot has accumulated, as it is kept."""
        found = Keeper.under(self.out).read(base, plot)
        assert found is not None
        return {name: int(array) for name, array in found[1].items()} | {"cursor": found[0].cursor}

    def status(self, base: str) -> dict[str, Any]:
        """Return what ``status.json`` says of the plots."""
        found: dict[str, Any] = json.loads((self.out / f"{base}_dqm" / "status.json").read_text())["plots"]
        return found

    def picture(self, base: str, plot: str) -> Path:
        """Return where a picture is."""
        return self.out / f"{base}_dqm" / f"{base}_{plot}.png"
