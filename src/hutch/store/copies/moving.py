"""Moving a store to another place, or from a folder into a database and back.

Everything is copied while the store is in use, and checked. Then nobody may write for a moment: what came
since is copied, and the old store says that it has moved, to whoever opens it and to whoever has it open.
From the first step to the last the one or the other has everything, and the same command goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa

from hutch.errors import RunOwnedError, StoreError, StoreMovedError
from hutch.store.copies.copied import Copied, Report, nothing_copied, what_was_copied
from hutch.store.copies.copy_places import (
    Where,
    check_apart,
    look,
    open_side,
    open_target,
    open_unadmitted,
    shown,
)
from hutch.store.copies.copying import Copier
from hutch.store.copies.loose_copying import copy_properties
from hutch.store.copies.sides import Side, read_properties
from hutch.store.copies.table_copying import TableCopier
from hutch.store.opening import open_store
from hutch.store.protocols.store import Store
from hutch.store.roles import COPY, MOVED, MOVED_CODE, Copy, Purpose, moved_message
from hutch.store.schema import tables as t

__all__ = ["Check", "delete_old", "move"]

Check = Callable[[Store], Sequence[str]]
"""Looks at a store, and returns what is wrong with it."""

_MOST_NAMED = 5
_UNTOUCHED = frozenset({t.properties, t.owners})
"""Tables that a store which has moved may still be written in."""


def move(
    where: Where, to: Where, files: Where | None = None, *, check: Check, report: Report | None = None
) -> Copied:
    """Move a store; a move that was interrupted goes on.

    :param where: the store: a folder or an address.
    :param to: a new folder, or the address of a database; an empty store may be there.
    :param files: the folder of files for a database in which there is no store yet.
    :param check: is given the new store before the old one says that it has moved.
    :param report: called with the progress now and then.
    :raises RunOwnedError: if a run is being recorded.
    :raises StoreMovedError: if the store has moved to another place already.
    :raises StoreError: if the new place is not empty, or the new store is not sound.
    """
    began = time.monotonic()
    found = look(where)
    if found is not None and MOVED in found:
        return _go_on(where, found, to, began)
    with contextlib.closing(open_store(where, create=False)) as store:
        _check_nobody_records(store)
        wanted = Copy(Purpose.MOVE, store.uid, store.location)
        with contextlib.closing(open_side(where)) as source:
            if COPY in source.properties():
                words = f"hutch restore {source.place} {shown(to)}"
                msg = f"{source.place!r} is a backup. Make a store of it with: {words}"
                raise StoreError(msg)
            check_apart(to, source)
            with open_target(to, wanted, files) as target:
                copier = Copier(source, target, link=True, report=report)
                copier.catch_up()
                try:
                    _check(to, check)
                except StoreError:
                    copier.start_over()
                    raise

                def seal(tables: TableCopier, copy: Copy) -> None:
                    _check_nobody_records(store)
                    copy_properties(tables, **{COPY: copy.text, "store": store.uid})
                    _mark(tables.source, source.place, target.place)

                copier.finish(seal, standstill=True)
                _open_for_all(target)
                return what_was_copied(copier, source, target, began)


def delete_old(where: Where, to: Where) -> None:
    """Delete a store that has moved; what else is in its folder stays.

    :param to: where it has moved to.
    :raises StoreError: if it has not moved there.
    """
    found = look(where)
    if found is None:
        return
    if MOVED not in found:
        msg = f"{os.fspath(where)!r} has not moved, so it is not deleted."
        raise StoreError(msg)
    _check_moved_to(where, found, to)
    with contextlib.closing(open_side(where, whole=False)) as side:
        side.delete()


def _go_on(where: Where, found: Mapping[str, str], to: Where, began: float) -> Copied:
    """Let the new store be used, if that is all that was left to do."""
    _check_moved_to(where, found, to)
    with contextlib.closing(open_side(to)) as target:
        _open_for_all(target)
        return nothing_copied(shown(where), target, began)


def _check_moved_to(where: Where, found: Mapping[str, str], to: Where) -> None:
    """See that a store has moved to a place, and is there.

    :raises StoreMovedError: if it has moved to another place.
    :raises StoreError: if it is not there any more.
    """
    said = json.loads(found[MOVED])["to"]
    if said != shown(to):
        raise StoreMovedError(moved_message(shown(where), said), said)
    there = look(to)
    if there is None or there["store"] != found["store"]:
        msg = f"{shown(where)!r} has moved to {said!r}, and the store is not there any more."
        raise StoreError(msg)


def _check_nobody_records(store: Store) -> None:
    """Refuse to move a store while a run is open whose owner lives.

    :raises RunOwnedError: if there is one.
    """
    said = []
    for run in store.owned_runs():
        if run.owner is None or not store.is_live(run.owner):
            continue
        owner = store.owner(run.owner)
        name = run.uid[:8] if run.scan_id is None else f"{run.scan_id} ({run.uid[:8]})"
        by = f"{owner.program!r} (pid {owner.pid} on {owner.host})" if owner else "a live process"
        said.append(f"run {name} by {by}")
    if said:
        more = ", …" if len(said) > _MOST_NAMED else ""
        msg = (
            f"The store {store.location!r} is not moved while runs are recorded: "
            f"{', '.join(said[:_MOST_NAMED])}{more}. Wait for their end, and run this again; it goes on."
        )
        raise RunOwnedError(msg)


def _check(to: Where, check: Check) -> None:
    """Look at the new store before the old one is given up.

    :raises StoreError: if something is wrong with it.
    """
    with contextlib.closing(open_unadmitted(to)) as store:
        wrong = check(store)
    if wrong:
        more = ", …" if len(wrong) > _MOST_NAMED else ""
        msg = (
            f"The store is not moved, as not all of it is sound: {'; '.join(wrong[:_MOST_NAMED])}{more}. "
            "Look at the old one with: hutch verify"
        )
        raise StoreError(msg)


def _mark(source: sa.Connection, place: str, to: str) -> None:
    """Let a store say that it has moved: to whoever opens it, and whoever writes into it.

    :raises StoreMovedError: if it has moved already.
    """
    found = read_properties(source)
    if MOVED in found:
        said = json.loads(found[MOVED])["to"]
        raise StoreMovedError(moved_message(place, said), said)
    value = json.dumps({"to": to, "time": time.time()})
    source.execute(t.properties.insert(), [{"key": MOVED, "value": value}])
    message = moved_message(place, to).replace("'", "''")
    is_server = source.dialect.name == "postgresql"
    if is_server:
        message = message.replace("%", "%%")
        source.exec_driver_sql(
            "CREATE FUNCTION hutch_moved() RETURNS trigger LANGUAGE plpgsql AS $moved$ BEGIN "
            f"RAISE EXCEPTION USING ERRCODE = '{MOVED_CODE}', MESSAGE = '{message}'; END $moved$"
        )
    for table in t.metadata.sorted_tables:
        if table in _UNTOUCHED:
            continue
        if is_server:
            source.exec_driver_sql(
                f"CREATE TRIGGER hutch_moved BEFORE INSERT OR UPDATE OR DELETE ON {table.name} "
                "FOR EACH STATEMENT EXECUTE FUNCTION hutch_moved()"
            )
            continue
        for event in ("INSERT", "UPDATE", "DELETE"):
            source.exec_driver_sql(
                f"CREATE TRIGGER moved_{table.name}_{event} BEFORE {event} ON {table.name} "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )


def _open_for_all(target: Side) -> None:
    """Let a store that has been moved here be used."""
    target.settle()
    with target.transaction() as connection:
        connection.execute(sa.delete(t.properties).where(t.properties.c.key == COPY))
