"""The beginning of a run: a new one in the store, or one that is there already and goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from hutch.documents import leaves
from hutch.errors import RunOwnedError
from hutch.recording.committing.run_writer import RunWriter
from hutch.store import RunRow, Store, Writer

__all__ = ["begin_run", "continue_run", "hold_run", "scan_id_of"]


def begin_run(store: Store, uid: str, doc: dict[str, Any], body: bytes) -> RunRow | None:
    """Store a start document at once: the run is there before its first event.

    :param doc: in plain Python types.
    :param body: the document as it is kept.
    :returns: None if the store has a run of this uid.
    :raises StoreError: if the store cannot take it.
    """
    started: Any = doc.get("time")
    moment = float(started) if _is_number(started) else time.time()
    scan_id = scan_id_of(doc)
    with store.transaction() as writer:
        run = writer.add_run(uid, moment, scan_id, body)
        if run is None:
            return None
        writer.add_leaves(run, moment, leaves(doc))
    return RunRow(run, uid, moment, scan_id, "", body, None)


def continue_run(store: Store, uid: str) -> RunWriter:
    """Return a run of the store to go on with; take it over if its owner has died.

    :raises RunOwnedError: if another live process records it.
    """
    with store.transaction() as writer:
        (row,) = store.runs_by_uid([uid])
        hold_run(writer, row.id)
        row = store.run_by_id(row.id)
        if row.stop is None:
            if store.is_live(row.owner):
                msg = f"Run {uid!r} is being recorded by another process; it is not recorded twice."
                raise RunOwnedError(msg)
            writer.own_run(row.id)
    run = RunWriter(store, row)
    run.go_on()
    return run


def hold_run(writer: Writer, run: int) -> None:
    """Be the only one to take over or delete a run, until the transaction ends.

    What a server was still committing for somebody who has died is there afterwards.
    """
    writer.lock(f"run/{run}")
    # Whoever commits holds this.
    writer.lock("changes")


def scan_id_of(start: Mapping[str, Any]) -> int | None:
    """Return the scan_id by which a run is found; None if it has none of 64 bit."""
    number = start.get("scan_id")
    return number if type(number) is int and -(2**63) <= number < 2**63 else None


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, (str, bytes, bool)) and float(value) == float(value)  # noqa: PLR0124
    except (TypeError, ValueError, OverflowError):
        return False
