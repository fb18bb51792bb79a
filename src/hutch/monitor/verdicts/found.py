"""What a check has said of a plot of a source, with all that it rests on; it crosses processes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hutch.monitor.sources import Sighting

__all__ = ["Found", "source_name", "stream_name"]


@dataclass(frozen=True, slots=True)
class Found:
    """One judgement.

    :ivar name: of the verdict.
    :ivar verdict: ``good``, ``medium``, ``bad``, or None.
    :ivar before: what was said before.
    :ivar check: the kind of the check; its version and parameters beside.
    :ivar rows: the number of the row up to which data were looked at.
    :ivar references: names of the sources that it was compared with.
    :ivar picture: of the plot, a PNG, if the verdict has turned bad.
    :ivar is_broken: whether the check itself has failed; the sentence says how.
    """

    name: str
    verdict: str | None
    before: str | None
    value: float | None
    sentence: str
    check: str
    version: str
    parameters: Mapping[str, Any]
    plot: str
    plot_version: str
    rows: int
    references: tuple[str, ...] = ()
    picture: bytes | None = None
    is_broken: bool = False

    def origin(self, sighting: Sighting, begun: float | None) -> dict[str, Any]:
        """Return what the verdict rests on, as a document; times in s since 1970.

        :param begun: when the first of the data were taken; None if nobody knows. The interval begins at
            the latest when it ends: a file may be older than the run that it belongs to.
        """
        value = self.value if self.value is not None and math.isfinite(self.value) else None
        return {
            "value": value,
            "sentence": self.sentence,
            "check": self.check,
            "version": self.version,
            "parameters": dict(self.parameters),
            "plot": self.plot,
            "plot_version": self.plot_version,
            "source": source_name(sighting),
            "stream": stream_name(sighting),
            "rows": [0, self.rows],
            "interval": [None if begun is None else min(begun, sighting.written), sighting.written],
            "references": list(self.references),
        }

    def to_json(self) -> dict[str, Any]:
        """Return what a page shows of it."""
        words = ("verdict", "value", "sentence", "check", "rows")
        return {word: getattr(self, word) for word in words}


def stream_name(sighting: Sighting) -> str | None:
    """Return the stream of a run that a source is; None if it is none."""
    return None if sighting.run is None else sighting.spec.address.rpartition("/")[2]


def source_name(sighting: Sighting) -> str:
    """Return how a store calls a source: ``uid/stream``, or the path of a file."""
    if sighting.run is None:
        return sighting.spec.address
    return f"{sighting.run}/{stream_name(sighting)}"
