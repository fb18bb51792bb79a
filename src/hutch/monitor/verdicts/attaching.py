"""Which run a file that is watched belongs to: the one whose documents name it, else the one that is open."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from hutch.assets.places import moved, path_of
from hutch.catalogs.metadata import dictionary
from hutch.documents import decode
from hutch.errors import ExternalDataError, FeedPrunedError
from hutch.store.protocols.store import RunRow, Store, Topic

__all__ = ["Attachments"]

_KINDS = ("resource", "stream_resource")
_RUNS_BEFORE = 200
"""As many of the newest runs are asked at first for the files that they name."""
_AT_ONCE = 1000


class Attachments:
    """Knows which run a file belongs to.

    :param store: that the runs are in.
    :param root_map: folders of detectors' files that have moved, old to new.
    :param attach_open: a file that no run names belongs to the run that is open and began last; it stays with
        it when that has ended.
    """

    def __init__(
        self, store: Store, *, attach_open: bool = False, root_map: Mapping[str, str] | None = None
    ) -> None:
        self._store = store
        self._root_map = root_map or {}
        self._attach_open = attach_open
        self._named: dict[str, int] = {}
        self._open: dict[str, int] = {}
        self._cursor: int | None = None

    def run_of(self, path: str) -> RunRow | None:
        """Return the run that a file belongs to; None if to none."""
        self._catch_up()
        run = self._named.get(os.path.realpath(path))
        if run is None and self._attach_open:
            run = self._open.get(path)
            if run is None:
                live = [row for row in self._store.owned_runs() if self._store.is_live(row.owner)]
                run = max(live, key=lambda row: (row.time, row.id)).id if live else None
                if run is not None:
                    self._open[path] = run
        return None if run is None else self._store.runs_by_id([run]).get(run)

    def _catch_up(self) -> None:
        """Read what documents have come that name files."""
        if self._cursor is None:
            self._cursor = self._store.last_change()
            for row in reversed(self._store.runs(limit=_RUNS_BEFORE, newest_first=True)):
                self._read(row.id)
            return
        while True:
            try:
                changes = self._store.changes(self._cursor, _AT_ONCE)
            except FeedPrunedError:
                self._cursor = None
                self._catch_up()
                return
            if not changes:
                return
            asked = {one.run for one in changes if one.topic is Topic.DOCUMENT and one.reference in _KINDS}
            for run in asked:
                if run is not None:
                    self._read(run)
            self._cursor = changes[-1].number

    def _read(self, run: int) -> None:
        for kind in _KINDS:
            for body in self._store.bodies_of_kind(run, kind):
                path = self._path(body)
                if path is not None:
                    self._named[os.path.realpath(path)] = run

    def _path(self, body: bytes) -> str | None:
        """Return the path of the file that a document names; None if it names none of this host."""
        try:
            document: dict[str, Any] = dictionary(decode(body))
            if "uri" in document:
                path = path_of(str(document["uri"]))
            else:
                path = os.path.join(str(document.get("root") or ""), str(document["resource_path"]))
        except (ValueError, KeyError, RecursionError, ExternalDataError):
            return None
        return moved(path, self._root_map)
