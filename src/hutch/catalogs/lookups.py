"""Finding one run of a catalog by what people call it: uid, beginning of a uid, scan_id, position."""

from __future__ import annotations

import operator

from hutch.catalogs.finding.selection import Selection
from hutch.catalogs.run import Run
from hutch.catalogs.tombstones import check_deleted
from hutch.errors import AmbiguousRunError, RunIndexError, RunNotFoundError
from hutch.store.protocols.store import RunRow

__all__ = ["Lookup"]

_CANDIDATES = 10
"""As many runs are named when a prefix fits several."""

_KEYS = "Give a uid or its beginning, a scan_id, a negative number that counts from the newest, or a slice."


class Lookup:
    """Finds runs among some, and says what there is when it finds none.

    :param name: of the catalog, for messages.
    """

    def __init__(self, runs: Selection, name: str) -> None:
        self._runs = runs
        self._name = name

    def find(self, key: object) -> RunRow:
        """Return the run that a key names.

        :raises TypeError: if it is no key.
        :raises LookupFailedError: if it names no run, or several.
        """
        if isinstance(key, str):
            return self._find_uid(key)
        if isinstance(key, bool):
            msg = f"{key!r} is no key of a run. {_KEYS}"
            raise TypeError(msg)
        try:
            number = operator.index(key)  # type: ignore[arg-type]
        except TypeError:
            msg = f"{key!r} of type {type(key).__name__} is no key of a run. {_KEYS}"
            raise TypeError(msg) from None
        return self._find_number(number)

    def _find_uid(self, uid: str) -> RunRow:
        row = self._runs.by_uid(uid)
        if row is not None:
            return row
        rows = self._runs.by_prefix(uid, _CANDIDATES + 1) if uid else []
        if len(rows) == 1:
            return rows[0]
        if not rows:
            self._check_deleted(uid)
            msg = f"No run {uid!r} {self._described()}"
            raise RunNotFoundError(msg)
        candidates = [row.uid for row in rows[:_CANDIDATES]]
        count = f"more than {_CANDIDATES}" if len(rows) > _CANDIDATES else str(len(rows))
        named = "\n".join(f"  {Run(self._runs.store, row)!r}" for row in rows[:_CANDIDATES])
        msg = f"{uid!r} fits {count} runs in catalog {self._name!r}. Give more of the uid:\n{named}"
        raise AmbiguousRunError(msg, candidates)

    def _find_number(self, number: int) -> RunRow:
        if number > 0:
            row = self._runs.by_scan_id(number)
            if row is None:
                self._check_deleted(number)
                msg = f"No run with scan_id {number} {self._described()}"
                raise RunNotFoundError(msg)
            return row
        row = self._runs.at(number)
        if row is None:
            count = self._runs.count()
            reason = f"it has {count} run{'s' if count != 1 else ''}"
            msg = f"No run at {number} in catalog {self._name!r}: {reason}. List runs with: hutch runs"
            raise RunIndexError(msg)
        return row

    def _check_deleted(self, key: str | int) -> None:
        """Raise if the run was deleted; a tombstone does not say who might have read the run."""
        if self._runs.among is None:
            check_deleted(self._runs.store, key)

    def _described(self) -> str:
        """Return where it was looked for with a hint at what there is, for messages."""
        is_whole = self._runs.is_whole
        newest = self._runs.newest()
        place = f"in catalog {self._name!r}" if is_whole else f"among these runs of catalog {self._name!r}"
        if newest is None:
            return f"{place}: it is empty." if is_whole else f"{place}: there are none."
        scan = "" if newest.scan_id is None else f"{newest.scan_id} "
        short = f"({newest.uid[:8]!r})" if scan else repr(newest.uid[:8])
        found = "Newest run" if is_whole else "The newest of them"
        return f"{place}. {found}: {scan}{short}. List runs with: hutch runs"
