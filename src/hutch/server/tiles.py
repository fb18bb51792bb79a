"""How the plots of the monitor stand, as far as who asks may know."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any
from urllib.parse import urlencode

from hutch.catalogs import Catalog
from hutch.documents import decode
from hutch.errors import LookupFailedError
from hutch.store.monitor_rows import TileRow

__all__ = ["SourceView", "TileView", "find_tile", "source_views", "tile_item", "worst_of"]

_RANKS = {"bad": 0, "medium": 1, "good": 2}
"""What needs somebody stands first."""


@dataclass(frozen=True)
class TileView:
    """A plot of a source.

    :ivar verdict: the worst that checks say of it; empty if they say nothing.
    :ivar said: what each says: ``name``, ``verdict``, ``value``, ``sentence``.
    """

    row: TileRow
    about: Mapping[str, Any]
    said: Sequence[Mapping[str, Any]]
    now: float = field(default_factory=time.time)

    @property
    def verdict(self) -> str:
        """The worst that is said of it."""
        return worst_of(str(one["verdict"]) for one in self.said if one["verdict"])

    @property
    def failure(self) -> Mapping[str, Any] | None:
        """Why it stands still, or None."""
        found: Mapping[str, Any] | None = self.about.get("failure")
        return found

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to show, though all rows were taken into account."""
        has_word = self.failure is not None or any(one["verdict"] for one in self.said)
        return self.row.picture_bytes is None and self.fraction >= 1 and not has_word

    @property
    def fraction(self) -> float:
        """Which part of the rows has been taken into account, 0 to 1."""
        return float(self.about.get("fraction", 1.0))

    @property
    def shown(self) -> str:
        """How much was seen, for people."""
        seen, there = int(self.about.get("seen", 0)), int(self.about.get("there", 0))
        if self.fraction >= 1:
            return f"all {there:,} rows"
        # Only what is complete is called so, however little is missing.
        return f"{min(int(100 * self.fraction), 99)} % of {there:,} rows (up to {seen:,})"

    @property
    def age(self) -> str:
        """How long ago it was brought up to date, for people."""
        return age_text(self.now - self.row.updated) if self.row.updated else "no rows yet"

    @property
    def key(self) -> str:
        """What tells it from other tiles of a page, fit for an address."""
        return urlencode({"source": self.row.source, "plot": self.row.plot})


@dataclass(frozen=True)
class SourceView:
    """A source with its plots.

    :ivar run: the uid of the run that it belongs to; None if it belongs to none.
    """

    name: str
    title: str
    run: str | None
    updated: float
    tiles: Sequence[TileView]

    @property
    def verdict(self) -> str:
        """The worst that is said of one of its plots."""
        return worst_of(tile.verdict for tile in self.tiles)


def source_views(
    catalog: Catalog, *, source: str = "", plot: str = "", verdict: str = ""
) -> list[SourceView]:
    """Return what is watched, what was updated last first.

    :param catalog: of which only what somebody may read is there.
    :param source: only this one.
    :param plot: only plots of this name.
    :param verdict: only plots of which this is said; ``failed`` for those that stand still.
    """
    now = time.time()
    rows = catalog.store.tiles(source or None)
    uids = _visible(catalog, {row.run for row in rows if row.run is not None})
    found: dict[str, list[TileView]] = {}
    for row in rows:
        if row.run is not None and row.run not in uids:
            continue
        view = _view(row, now)
        if not view.is_idle and plot in ("", row.plot) and _is_asked(view, verdict):
            found.setdefault(row.source, []).append(view)
    views = []
    for name, tiles in found.items():
        tiles.sort(key=lambda tile: (tile.failure is None, _RANKS.get(tile.verdict, len(_RANKS))))
        first = tiles[0].row
        uid = uids.get(first.run or 0)
        updated = max(tile.row.updated for tile in tiles)
        views.append(SourceView(name, _title(catalog, first, uid), uid, updated, tiles))
    return sorted(views, key=lambda view: -view.updated)


def find_tile(catalog: Catalog, source: str, plot: str) -> TileView:
    """Return one plot of a source.

    :raises LookupFailedError: if there is none that who asks may see.
    """
    for view in source_views(catalog, source=source, plot=plot):
        return view.tiles[0]
    msg = f"The monitor has no plot {plot!r} of {source!r}."
    raise LookupFailedError(msg)


def tile_item(tile: TileView, run: str | None) -> dict[str, Any]:
    """Return a plot as programs are told of it."""
    return {
        "source": tile.row.source,
        "plot": tile.row.plot,
        "run": run,
        "updated": tile.row.updated,
        "seen": tile.about.get("seen", 0),
        "there": tile.about.get("there", 0),
        "fraction": tile.fraction,
        "verdict": tile.verdict or None,
        "verdicts": list(tile.said),
        "failure": None if tile.failure is None else tile.failure.get("sentence"),
        "has_picture": tile.row.picture_bytes is not None,
    }


def worst_of(verdicts: Any) -> str:
    """Return the worst of some verdicts; empty if there are none."""
    return min((one for one in verdicts if one in _RANKS), key=_RANKS.__getitem__, default="")


def age_text(seconds: float) -> str:
    """Return how long ago something was, for people."""
    if seconds < 1.5:  # noqa: PLR2004
        return "just now"
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def _view(row: TileRow, now: float) -> TileView:
    about: Mapping[str, Any] = decode(row.meta)
    said = [{"name": name, **one} for name, one in sorted(about.get("verdicts", {}).items())]
    said.sort(key=lambda one: _RANKS.get(one["verdict"], len(_RANKS)))
    return TileView(row, about, said, now)


def _visible(catalog: Catalog, runs: set[int]) -> dict[int, str]:
    """Return the uids of those of some runs that are in a catalog."""
    uids = catalog.store.uids_by_id(sorted(runs))
    return {run: uid for run, uid in uids.items() if uid in catalog}


def _is_asked(view: TileView, verdict: str) -> bool:
    """Tell whether a verdict is what is said of a plot; ``failed`` if it stands still."""
    if verdict == "failed":
        return view.failure is not None
    return verdict in ("", view.verdict or "none")


def _title(catalog: Catalog, row: TileRow, uid: str | None) -> str:
    """Return how people call a source: the name of a file, or a run and its stream."""
    if uid is None or not row.source.startswith(f"{uid}/"):
        return PurePath(row.source).name
    summary = catalog[uid].summary()
    named = " ".join(str(part) for part in (summary.scan_id, summary.plan) if part not in (None, ""))
    return f"{named or uid[:8]} · {row.source.removeprefix(f'{uid}/')}"
