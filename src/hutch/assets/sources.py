"""Sources: what has the frames of one stream_resource, whatever the format of its files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

__all__ = ["Index", "Resource", "Source"]

Index = tuple[int | slice, ...]
"""What of each frame is wanted: one entry for a dimension, steps are positive."""

Resource = Mapping[str, Any]
"""A stream_resource document."""


class Source(Protocol):
    """Frames in files, one after the other along the first dimension."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of frames that the files have now, then the shape of one."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values."""
        ...

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """The shape of what is stored, and compressed, as one; None if it is one piece."""
        ...

    def read(self, start: int, stop: int, step: int, within: Index, out: np.ndarray) -> None:
        """Read frames into an array, which has their shape.

        :param step: between frames, positive.
        :param within: of each frame.
        :raises ExternalDataError: if the files do not have these frames.
        """
        ...

    def close(self) -> None:
        """Close what is open; reading opens it again."""
        ...
