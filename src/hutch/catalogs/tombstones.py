"""What is left of runs that were deleted, and what is said to who still looks for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hutch.catalogs.metadata import dictionary
from hutch.catalogs.summary import local_time, printable
from hutch.documents import decode
from hutch.errors import RunDeletedError, RunNotFoundError
from hutch.store.protocols.store import RunRow, Store, TombstoneRow

__all__ = ["Tombstone", "check_deleted", "check_present", "list_tombstones", "present_row"]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a run; times in s since 1970."""

    uid: str
    scan_id: int | None
    time: float
    """Of the start."""
    deleted: float
    author: str
    reason: str
    plan: str = ""
    status: str = ""
    streams: Mapping[str, int] = field(default_factory=dict)
    """Rows of each stream."""
    events: int = 0
    documents: int = 0
    size_bytes: int = 0

    @classmethod
    def of(cls, row: TombstoneRow) -> Tombstone:
        """Return a tombstone as the store has it."""
        found = decode(row.summary)
        return cls(
            row.uid,
            row.scan_id,
            row.time,
            row.deleted,
            row.author,
            row.reason,
            plan=str(found.get("plan_name", "")),
            status=str(found.get("status", "")),
            streams=dictionary(found, "streams"),
            events=found.get("events", 0),
            documents=found.get("documents", 0),
            size_bytes=found.get("size_bytes", 0),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)

    def __str__(self) -> str:
        scan = "" if self.scan_id is None else f"{self.scan_id} "
        name = f"{scan}({self.uid[:8]!r})" if scan else repr(self.uid[:8])
        when = local_time(self.deleted)
        return f"Run {name} was deleted on {when} by {printable(self.author)}: {printable(self.reason)}"


def list_tombstones(store: Store, prefix: str = "") -> list[Tombstone]:
    """Return what is left of runs whose uid begins with a text, the last deleted first."""
    return [Tombstone.of(row) for row in store.tombstones(prefix)]


def check_deleted(store: Store, key: str | int) -> None:
    """Raise if the run that somebody looks for, and that is not there, was deleted.

    :param key: the beginning of a uid, or a scan_id.
    :raises RunDeletedError: with when, by whom and why.
    """
    if isinstance(key, int):
        _raise_deleted([row for row in store.tombstones() if row.scan_id == key], key)
    elif key:
        _raise_deleted(store.tombstones(key), key)


def present_row(store: Store, run: int) -> RunRow:
    """Return a run as the store has it now.

    :param run: its number.
    :raises RunDeletedError: if it has been deleted, with when, by whom and why.
    """
    try:
        return store.run_by_id(run)
    except RunNotFoundError:
        _raise_deleted([row for row in store.tombstones() if row.run == run])
        raise


def check_present(store: Store, run: int) -> None:
    """Raise if a run that seems to have nothing has been deleted since it was looked up.

    What was read before this returns was read from a whole run, as runs are deleted whole.

    :param run: its number.
    :raises RunDeletedError: with when, by whom and why.
    """
    present_row(store, run)


def _raise_deleted(rows: Sequence[TombstoneRow], key: object = None) -> None:
    """Raise what tells of the newest of some tombstones, if there are any."""
    if not rows:
        return
    others = len({row.uid for row in rows}) - 1
    more = f" (and {others:,} more that {key!r} fits)" if others else ""
    msg = f"{Tombstone.of(rows[0])}{more}. List what was deleted with: hutch runs --deleted"
    raise RunDeletedError(msg, rows[0].uid)
