"""The metadata stash as one RunEngine sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hutch.documents import decode, encode
from hutch.recording.scan_ids import ScanIds
from hutch.recording.stash import Stash
from hutch.store.protocols.store import Store

__all__ = ["RunMetadata"]


class RunMetadata(Stash):
    """A stash whose ``scan_id``, while a run opens, is the number reserved for that run.

    bluesky asks for a number, writes it into ``RE.md``, and reads all of ``RE.md`` for the start document.
    In between another process may have begun a run and changed the stash's ``scan_id``; so while a run
    opens, reading gives the stash as it was at one moment.

    :param store: where the stash is kept.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._scan_ids = ScanIds(store)
        self._number: int | None = None
        self._moment: dict[str, bytes] = {}

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "scan_id" and self._number is not None and value == self._number:
            # Written back by bluesky, before it is known whether the run will begin.
            return
        super().__setitem__(key, value)

    def open_run(self, versions: Mapping[str, str]) -> int:
        """Reserve the next number, and hold still until :meth:`opened`.

        :param versions: of the software in this process, which another process may not share; they
            go over the stash's ``versions``.
        """
        number = self._scan_ids.reserve()
        rows = super()._rows()
        stashed = decode(rows["versions"]) if "versions" in rows else {}
        if isinstance(stashed, dict):
            rows["versions"] = encode({**stashed, **versions})
        rows["scan_id"] = encode(number)
        self._number, self._moment = number, rows
        return number

    def opened(self) -> None:
        """Follow the stash again: the run has begun, or was refused."""
        self._number = None

    def begun(self, scan_id: object) -> None:
        """Take note that a run began with a number."""
        self._scan_ids.used(scan_id)

    def _rows(self) -> dict[str, bytes]:
        return super()._rows() if self._number is None else self._moment
