"""One plot of one source in a worker: the instance, how far it has come, and its figure."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hutch.monitor.batch import Batch
from hutch.monitor.keeping import Keeper, Kept
from hutch.monitor.plugins.plot_finding import PlotInfo
from hutch.monitor.sources import BadRange, Source, SourceSpec
from hutch.monitor.working.drawing import as_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Handed", "Seat"]


class Handed:
    """New rows as they are handed to plots.

    Those of the older form get a file each, so that one that closes its own or writes into it harms no other.

    :param source: what they were read from.
    """

    def __init__(self, source: Source, batch: Batch) -> None:
        self._source = source
        self.batch = batch
        self._image: bytes | None = None
        """What such a file holds, byte by byte; made once."""

    @contextmanager
    def file(self) -> Iterator[Any]:
        """Lend an open ``h5py.File`` in memory that holds these rows only, and is nobody else's."""
        import h5py

        if self._image is None:
            name = f"{self._source.spec.base}-{self.batch.start}.h5"
            with h5py.File(name, "w", driver="core", backing_store=False) as file:
                self._source.write(self.batch, file)
                file.flush()
                self._image = file.id.get_file_image()
        with h5py.File(h5py.h5f.open_file_image(self._image, h5py.h5f.FILE_IMAGE_OPEN_RW)) as file:
            yield file


class Seat:
    """A plot of a source.

    :param make: makes an instance of the plot.
    """

    def __init__(self, info: PlotInfo, spec: SourceSpec, make: Callable[[], Any]) -> None:
        self.info = info
        self.spec = spec
        self.plot: Any = make()
        self.begun = self.cursor = 0
        self.skipped = 0
        self.updated = 0.0
        self.bad: list[BadRange] = []
        self.figure: Figure | None = None
        self.seconds = 0.0
        self.kept_cursor: int | None = None
        self.mark = ""

    def restore(self, keeper: Keeper) -> None:
        """Go on from what is kept of this identity of the source, if there is anything.

        A state that the plot does not take is that of another version of it.
        """
        if self.info.is_called:
            return
        found = keeper.read(self.spec.base, self.info.name)
        if found is None or (found[0].identity, found[0].version) != (self.spec.identity, self.info.version):
            return
        kept, state = found
        self.plot.restore(state)
        self.begun = self.cursor = self.kept_cursor = kept.cursor
        self.skipped = kept.skipped
        self.updated = kept.updated
        self.bad = list(kept.bad)
        self.mark = kept.mark

    def update(self, handed: Handed) -> None:
        """Take rows into account."""
        if not self.info.is_called:
            self.plot.update(handed.batch)
        elif len(handed.batch):
            with handed.file() as file:
                drawn = self.plot(self.spec.address, file, self.figure)
            self.figure = as_figure(self.info.name, drawn)

    def draw(self) -> Figure | None:
        """Return the figure; None if there is nothing to draw, or the older form has not been called yet."""
        if not self.info.is_called:
            if getattr(self.plot, "is_idle", False):
                return None
            draw = self.plot.figure
            drawn = draw(self.figure) if inspect.signature(draw).parameters else draw()
            self.figure = as_figure(self.info.name, drawn)
        return self.figure

    def keep(self, keeper: Keeper) -> None:
        """Write the state, if it has changed.

        :raises OSError: if it cannot be written.
        """
        if self.kept_cursor == self.cursor:
            return
        kept = Kept(
            identity=self.spec.identity,
            version=self.info.version,
            cursor=self.cursor,
            skipped=self.skipped,
            updated=self.updated,
            bad=tuple(self.bad),
            mark=self.mark,
        )
        state = {} if self.info.is_called else self.plot.state()
        keeper.write(self.spec.base, self.info.name, kept, state)
        self.kept_cursor = self.cursor

    def skip_to(self, row: int) -> None:
        """Leave out the rows up to one, because only a sample is asked for."""
        if row > self.cursor:
            self.skipped += row - self.cursor
            self.cursor = row
