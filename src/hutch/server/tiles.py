"""How the plots of the monitor stand, as far as who asks may know."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any
from urllib.parse import urlencode

from hutch.catalogs import Catalog, Run
from hutch.documents import decode
from hutch.errors import LookupFailedError
from hutch.store.rows.monitor import TileRow

__all__ = ["SourceView", "TileView", "find_tile", "narrowed", "source_views", "tile_item", "worst_of"]

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
    def unreadable(self) -> int:
        """How many rows were passed over because they cannot be read."""
        return int(self.about.get("unreadable", 0))

    @property
    def fraction(self) -> float:
        """Which part of the rows has been taken into account, 0 to 1."""
        return float(self.about.get("fraction", 1.0))

    @property
    def shown(self) -> str:
        """How much was seen, for people."""
        seen, there = int(self.about.get("seen", 0)), int(self.about.get("there", 0))
        if self.unreadable and seen >= there:
            return f"{seen - self.unreadable:,} of {there:,} rows; {self.unreadable:,} cannot be read"
        if self.fraction >= 1:
            return "1 row" if there == 1 else f"all {there:,} rows"
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


def source_views(catalog: Catalog, *, source: str = "") -> list[SourceView]:
    """Return what is watched, what was updated last first; of each source what is bad first.

    A plot that has nothing to show of a source is not among its plots.

    :param catalog: of which only what somebody may read is there.
    :param source: only this one.
    """
    now = time.time()
    rows = catalog.store.tiles(source or None)
    runs = _visible(catalog, {row.run for row in rows if row.run is not None})
    found: dict[str, list[TileView]] = {}
    for row in rows:
        if row.run is not None and row.run not in runs:
            continue
        view = _view(row, now)
        if not view.is_idle:
            found.setdefault(row.source, []).append(view)
    views = []
    for name, tiles in found.items():
        tiles.sort(key=lambda tile: (tile.failure is None, _RANKS.get(tile.verdict, len(_RANKS))))
        run = runs.get(tiles[0].row.run or 0)
        updated = max(tile.row.updated for tile in tiles)
        uid = None if run is None else run.uid
        views.append(SourceView(name, _title(name, run), uid, updated, tiles))
    return sorted(views, key=lambda view: -view.updated)


def narrowed(
    views: Iterable[SourceView], *, source: str = "", plot: str = "", verdict: str = ""
) -> list[SourceView]:
    """Return those of the sources and plots that are asked for.

    :param source: only this one.
    :param plot: only plots of this name.
    :param verdict: only plots of which this is said; ``failed`` for those that stand still.
    """
    found = []
    for view in views:
        tiles = [tile for tile in view.tiles if plot in ("", tile.row.plot) and _is_asked(tile, verdict)]
        if tiles and source in ("", view.name):
            updated = max(tile.row.updated for tile in tiles)
            found.append(replace(view, updated=updated, tiles=tiles))
    return sorted(found, key=lambda view: -view.updated)


def find_tile(catalog: Catalog, source: str, plot: str) -> SourceView:
    """Return one plot of a source, with the source.

    :raises LookupFailedError: if there is none that who asks may see.
    """
    for view in narrowed(source_views(catalog, source=source), plot=plot):
        return view
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


def _visible(catalog: Catalog, runs: set[int]) -> dict[int, Run]:
    """Return those of some runs that are in a catalog, by number."""
    found = {}
    for number, uid in catalog.store.uids_by_id(sorted(runs)).items():
        with suppress(LookupFailedError):
            found[number] = catalog[uid]
    return found


def _is_asked(view: TileView, verdict: str) -> bool:
    """Tell whether a verdict is what is said of a plot; ``failed`` if it stands still."""
    if verdict == "failed":
        return view.failure is not None
    return verdict in ("", view.verdict or "none")


def _title(source: str, run: Run | None) -> str:
    """Return how people call a source: the name of a file, or a run and its stream."""
    if run is None or not source.startswith(f"{run.uid}/"):
        return PurePath(source).name
    named = [str(part) for part in (run.scan_id, run.start.get("plan_name")) if part not in (None, "")]
    return f"{' '.join(named) or run.uid[:8]} · {source.removeprefix(f'{run.uid}/')}"
