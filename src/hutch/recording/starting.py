"""The beginning of a run: a new one in the store, or one that is there already and goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hutch.documents import leaves
from hutch.errors import RunOwnedError, StoreUnavailableError
from hutch.recording.run_writer import RunWriter
from hutch.store import RunRow, Store

__all__ = ["PATIENCE_S", "begin_run", "continue_run", "patiently", "scan_id_of"]

PATIENCE_S = float(os.environ.get("HUTCH_PATIENCE_S") or 5.0)
"""Seconds that the beginning of a run waits for a store that does not answer."""

_PAUSE_S = 0.1

_Answer = TypeVar("_Answer")


def patiently(ask: Callable[[], _Answer], patience_s: float = PATIENCE_S) -> _Answer:
    """Do something with a store that may be away for a moment.

    :returns: what that returns.
    :raises StoreUnavailableError: if the store does not answer for longer.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return ask()
        except StoreUnavailableError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE_S)


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
        # So that only one process takes it over, and nobody deletes it meanwhile.
        writer.lock(f"run/{row.id}")
        row = store.run_by_id(row.id)
        if row.stop is None:
            if store.is_live(row.owner):
                msg = f"Run {uid!r} is being recorded by another process; it is not recorded twice."
                raise RunOwnedError(msg)
            writer.own_run(row.id)
    run = RunWriter(store, row)
    run.go_on()
    return run


def scan_id_of(start: Mapping[str, Any]) -> int | None:
    """Return the scan_id by which a run is found; None if it has none of 64 bit."""
    number = start.get("scan_id")
    return number if type(number) is int and -(2**63) <= number < 2**63 else None


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, (str, bytes, bool)) and float(value) == float(value)  # noqa: PLR0124
    except (TypeError, ValueError, OverflowError):
        return False
