"""Frames of area detectors: the last one, and the mean of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from hutch.monitor.batch import Batch
from hutch.monitor.forms import State
from hutch.monitor.plots.row_plot import RowPlot

if TYPE_CHECKING:
    from hutch.monitor.plots.drawing import Picture

__all__ = ["Frames"]

_MOST_DETECTORS = 2
_MOST_PIXELS = 1024
"""A side of a frame that is kept; of a larger one several pixels are put together."""


class Frames(RowPlot):
    """Show the last frame of each area detector of a run, and the mean of all its frames.

    State: for each of ``names``, numbered from 0: ``last_0`` and ``sum_0``, shape (rows, columns), int64 if
    the detector counts and float64 else: sums over ``side_0`` by ``side_0`` pixels of the last frame, and of
    all ``frames_0`` frames; ``row_0``: which row the last is of.
    """

    headline = "Frames"

    def _chosen(self, batch: Batch) -> list[str]:
        return [name for name in batch if _is_frames(batch[name])][:_MOST_DETECTORS]

    def _make(self) -> None:
        self.kept: list[dict[str, npt.NDArray[Any]]] = [{} for _ in self.names or ()]

    def _take(self, batch: Batch) -> None:
        for name, kept in zip(self.names or (), self.kept, strict=True):
            if name in batch and _is_frames(batch[name]):
                _fold(kept, _summed(batch[name], batch.start + len(batch) - 1))

    def _take_over(self, other: Self) -> None:
        for ours, theirs in zip(self.kept, other.kept, strict=True):
            _fold(ours, theirs)

    def _kept(self) -> dict[str, npt.NDArray[Any]]:
        return {f"{name}_{at}": array for at, kept in enumerate(self.kept) for name, array in kept.items()}

    def _put_back(self, state: State) -> None:
        for at, kept in enumerate(self.kept):
            found = {name: state.get(f"{name}_{at}") for name in ("last", "sum", "side", "frames", "row")}
            kept.update({name: np.array(array) for name, array in found.items() if array is not None})

    def _missing(self) -> str:
        return "" if any(self.kept) else "this stream has no frames to draw"

    def _build(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import image_panel

        many = len(self.kept)
        height = 0.86 / many
        for at in range(many):
            bottom = 0.09 + height * (many - 1 - at)
            for column, what in enumerate(("last", "mean")):
                place = (0.07 + 0.49 * column, bottom, 0.365, height - 0.17)
                image_panel(made, f"{what} {at}", place, "", "viridis")
                made.kept[f"{what} {at}"][0].set(xlabel="column", ylabel="row")

    def _draw(self, made: Picture) -> None:
        from hutch.monitor.plots.drawing import color_range, number, set_image

        for at, kept in enumerate(self.kept):
            if not kept:
                continue
            side = int(kept["side"])
            pixels = side * side
            frames = int(kept["frames"])
            for what, image in (("last", kept["last"] / pixels), ("mean", kept["sum"] / (pixels * frames))):
                rows, columns = image.shape
                extent = (-0.5, columns * side - 0.5, rows * side - 0.5, -0.5)
                axes = made.kept[f"{what} {at}"][0]
                # Row 0 is on top, as detectors are shown.
                set_image(made, f"{what} {at}", image[::-1], extent, color_range(image))
                told = f"frame of row {int(kept['row'])}" if what == "last" else f"mean of {number(frames)}"
                axes.set_title(f"{self.label(at)}: {told}", fontsize=14, loc="left")


def _is_frames(column: npt.NDArray[Any]) -> bool:
    return column.ndim >= 3 and column.dtype.kind in "fiub" and 0 not in column.shape[1:]


def _summed(column: npt.NDArray[Any], row: int) -> dict[str, npt.NDArray[Any]]:
    """Return what is kept of some rows, each of a frame or of several; shape (rows, …, height, width)."""
    frames = np.asarray(column).reshape(-1, *column.shape[-2:])
    side = -(-max(frames.shape[1:]) // _MOST_PIXELS)
    wide: Any = np.float64 if frames.dtype.kind == "f" else np.int64
    return {
        "last": _binned(frames[-1].astype(wide), side),
        "sum": _binned(frames.sum(axis=0, dtype=wide), side),
        "side": np.array(side),
        "frames": np.array(len(frames)),
        "row": np.array(row),
    }


def _binned(frame: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    """Return sums of squares of pixels; what is left at the lower and right edges is cut off."""
    if side == 1:
        return frame
    rows, columns = (length // side for length in frame.shape)
    cut = frame[: rows * side, : columns * side]
    summed: npt.NDArray[Any] = cut.reshape(rows, side, columns, side).sum(axis=(1, 3))
    return summed


def _fold(kept: dict[str, npt.NDArray[Any]], more: dict[str, npt.NDArray[Any]]) -> None:
    """Add to what is kept; frames of another shape begin anew if they are later."""
    if not more:
        return
    is_later = not kept or int(more["row"]) > int(kept["row"])
    if not kept or kept["sum"].shape != more["sum"].shape:
        kept.update({name: array.copy() for name, array in more.items()} if is_later else {})
        return
    kept["sum"] = kept["sum"] + more["sum"]
    kept["frames"] = kept["frames"] + more["frames"]
    if is_later:
        kept["last"], kept["row"] = more["last"].copy(), more["row"].copy()
