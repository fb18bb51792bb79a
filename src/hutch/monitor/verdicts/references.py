"""What a check compares with: sources that are named, or the last good ones that are like the one at hand."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hutch.documents import decode
from hutch.errors import LookupFailedError, RunNotFoundError
from hutch.monitor.arrays import unpack_state
from hutch.monitor.checks.forms import Seen
from hutch.monitor.checks.settings import ConfiguredCheck
from hutch.monitor.forms import Plot
from hutch.monitor.plugins.plot_finding import plot_version
from hutch.monitor.sources import Sighting
from hutch.monitor.verdicts.attaching import Attachments
from hutch.monitor.verdicts.found import source_name
from hutch.store.protocols.store import Store
from hutch.store.rows.monitor import PlotStateRow

if TYPE_CHECKING:
    from hutch.catalogs import Catalog, Run

__all__ = ["ReferenceFinder"]

_MOST_LOOKED_AT = 200
"""As many runs that are alike are asked for what was kept of them."""
_MOST_KEPT = 128
"""As many comparisons keep what they compare with at once."""
_BAD = "bad"


class ReferenceFinder:
    """Finds what was kept of the plots of other sources, in a store.

    What was found is kept: a source has the same references from its beginning to its end.

    :param open_catalog: returns the catalog of the store when it is first needed; None if there is none, and
        so nothing is found.
    """

    def __init__(self, open_catalog: Callable[[], Catalog] | None, *, attach_open: bool = False) -> None:
        self._open_catalog = open_catalog
        self._attach_open = attach_open
        self._found: dict[tuple[str, str, str, str], list[Seen]] = {}

    def find(self, check: ConfiguredCheck, sighting: Sighting, name: str, plot: Plot) -> list[Seen]:
        """Return what a check compares a plot with; nothing if it compares with nothing.

        :param name: the plot's.
        :raises LookupFailedError: if a run that is named is not there, or nothing was kept of it by this
            version of the plot.
        """
        if self._open_catalog is None or not (check.references or check.last):
            return []
        key = (check.name, sighting.spec.address, sighting.spec.identity, name)
        if key not in self._found:
            rows = list(self._rows(check, sighting, name, plot_version(plot)))
            fitting = [row for row in rows if row.version == plot_version(plot)]
            self._found[key] = [_seen(row, plot) for row in fitting]
            while len(self._found) > _MOST_KEPT:
                del self._found[next(iter(self._found))]
        return self._found[key]

    def _rows(
        self, check: ConfiguredCheck, sighting: Sighting, name: str, version: str
    ) -> Iterator[PlotStateRow]:
        for reference in check.references:
            yield from self._named(reference, check.stream, name, version)
        run = self._run_of(sighting) if check.last else None
        if run is not None:
            yield from self._alike(check, run, name, is_file=sighting.run is None)
        elif check.last:
            yield from self._newest(check, sighting, name)

    def _run_of(self, sighting: Sighting) -> str | None:
        """Return the uid of the run that a source is of, or a file belongs to."""
        if sighting.run is not None:
            return sighting.run
        row = self._attachments.run_of(sighting.spec.address)
        return None if row is None else row.uid

    def _named(self, reference: str, stream: str, name: str, version: str) -> Iterator[PlotStateRow]:
        store = self._store
        saved = store.saved_reference(reference)
        named = [reference] if saved is None else decode(saved.sources)
        for one in named:
            kept = store.plot_state(os.path.abspath(one), name)
            kept = kept or self._of_run(self._run(str(one)), stream, name)
            if kept is None or kept.version != version:
                what = "Nothing was kept" if kept is None else "Only another version's state was kept"
                msg = (
                    f"{what} of the plot {name!r} of the reference {one!r}. Keep it with: hutch monitor "
                    f"reference {'NAME' if saved is None else reference} {' '.join(map(str, named))}"
                )
                raise LookupFailedError(msg)
            yield kept

    def _alike(self, check: ConfiguredCheck, uid: str, name: str, *, is_file: bool) -> Iterator[PlotStateRow]:
        """Yield what was kept of the newest good runs before one that have the same metadata.

        :param is_file: of the files that belong to these runs, and not of their streams.
        """
        from hutch.queries import Key

        run = self._run(uid)
        found = self._catalog
        for key in check.match:
            values = _value(run.start, key)
            if values is None:
                return
            found = found.search(Key(key) == values)
        looked_at = found.search({"time": {"$lt": run.row.time}})[::-1][:_MOST_LOOKED_AT]
        left = check.last
        for other in looked_at.runs():
            if other.uid == uid or not _is_good(other):
                continue
            kept = self._of_run(other, check.stream, name, is_file=is_file)
            if kept is not None:
                yield kept
                left -= 1
            if not left:
                return

    def _newest(self, check: ConfiguredCheck, sighting: Sighting, name: str) -> Iterator[PlotStateRow]:
        """Yield what was kept of the newest files that were good."""
        here = source_name(sighting)
        kept = self._store.newest_plot_states(name, _MOST_LOOKED_AT)
        good = [row for row in kept if row.source != here and _BAD not in _verdicts(row)]
        yield from good[: check.last]

    def _of_run(self, run: Run, stream: str, name: str, *, is_file: bool = False) -> PlotStateRow | None:
        kept = self._store.plot_states_of_run(run.row.id, name)
        ours = [row for row in kept if row.source == f"{run.uid}/{stream}"]
        # What is none of its streams is a file that belongs to it.
        files = [row for row in kept if not row.source.startswith(f"{run.uid}/")]
        return next(iter(files if is_file else [*ours, *files]), None)

    def _run(self, key: str) -> Run:
        if key.isdecimal():
            # A scan_id before a uid that has only digits.
            with contextlib.suppress(RunNotFoundError):
                return self._catalog[int(key)]
        return self._catalog[key]

    @cached_property
    def _catalog(self) -> Catalog:
        if self._open_catalog is None:
            msg = "There is no store to look for references in."
            raise LookupFailedError(msg)
        return self._open_catalog()

    @cached_property
    def _attachments(self) -> Attachments:
        return Attachments(self._store, attach_open=self._attach_open)

    @property
    def _store(self) -> Store:
        return self._catalog.store


def _seen(row: PlotStateRow, like: Plot) -> Seen:
    plot = type(like)()
    plot.restore(unpack_state(row.state))
    return Seen(row.source, row.plot, plot, row.rows)


def _is_good(run: Run) -> bool:
    """Tell whether a run has ended well, and no check calls it bad."""
    return run.status == "success" and all(one.verdict != _BAD for one in run.verdicts().values())


def _verdicts(row: PlotStateRow) -> list[Any]:
    meta = decode(row.meta)
    said = meta.get("verdicts") if isinstance(meta, dict) else None
    return list(said.values()) if isinstance(said, dict) else []


def _value(document: Any, key: str) -> Any:
    for part in key.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    return document if isinstance(document, (str, int, float, bool)) else None
