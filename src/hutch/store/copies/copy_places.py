"""The places that stores are copied to and from: what is there, and who may write into it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from hutch.errors import NoStoreError, ReadOnlyStoreError, StoreError
from hutch.store.addresses import Address, is_address
from hutch.store.copies.file_copying import loose_files
from hutch.store.copies.sides import FolderSide, Side, read_properties
from hutch.store.faults import FULL, READ_ONLY, translate
from hutch.store.folder_lock import LOCK, FolderLock
from hutch.store.opening import bring_up_to_date, check_no_files, make_folder
from hutch.store.places import DATABASE, check_folder, named_folder
from hutch.store.protocols.store import Store
from hutch.store.roles import COPY, Copy, Purpose
from hutch.store.schema import tables as t
from hutch.store.sqlite.store import SqliteStore

__all__ = [
    "Where",
    "check_apart",
    "held",
    "look",
    "open_side",
    "open_target",
    "open_unadmitted",
    "shown",
    "target_folder",
]

Where = str | os.PathLike[str]

_CONTENT = (t.runs, t.stash, t.retention, t.cursors, t.tombstones, t.quarantine)


def look(where: Where) -> dict[str, str] | None:
    """Return the properties of the store at a place, brought up to date; None if there is none."""
    if is_address(os.fspath(where)):
        from hutch.store.copies.postgres_side import look_at_database

        return look_at_database(os.fspath(where))
    path = target_folder(where) / DATABASE
    return bring_up_to_date(path) if path.exists() else None


def open_side(where: Where, *, whole: bool = True) -> Side:
    """Return the side of a store that is there.

    :param whole: False takes one whose files are gone already.
    """
    if is_address(os.fspath(where)):
        from hutch.store.copies.postgres_side import DatabaseSide

        return DatabaseSide(os.fspath(where), whole=whole)
    return FolderSide(target_folder(where))


def open_unadmitted(where: Where) -> Store:
    """Open a store for reading, whatever it is: a copy before it is complete, say."""
    if is_address(os.fspath(where)):
        from hutch.store.copies.postgres_side import open_unadmitted_database

        return open_unadmitted_database(os.fspath(where))
    return SqliteStore(target_folder(where), "it is being copied.")


def target_folder(where: Where) -> Path:
    """Return the folder of a store that is in one."""
    return named_folder(where)


def shown(where: Where) -> str:
    """Return a place as people see it, and as a store that has moved there says it."""
    if is_address(os.fspath(where)):
        return Address(os.fspath(where)).shown
    return str(target_folder(where))


def check_apart(place: Where, store: Side) -> None:
    """Refuse a folder that is that of a store, or within it."""
    if is_address(os.fspath(place)):
        return
    inner = Path(os.path.realpath(target_folder(place)))
    outer = Path(os.path.realpath(store.files.parent))
    if inner == outer or outer in inner.parents:
        msg = f"{os.fspath(place)!r} is within the store {store.place!r} itself. Give another folder."
        raise StoreError(msg)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if it is not there.

    :raises StoreError: if it cannot be written to, or somebody else holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(folder)
    except StoreError:
        raise
    except OSError as error:
        if error.errno in FULL:
            translate(error, folder)
        msg = f"The folder {str(folder)!r} cannot be written to: {error.strerror}. Give another folder."
        kind = ReadOnlyStoreError if error.errno in READ_ONLY else StoreError
        raise kind(msg) from error
    with lock:
        yield


@contextlib.contextmanager
def open_target(where: Where, wanted: Copy, files: Where | None = None) -> Iterator[Side]:
    """Open a place to be filled: a new one, an empty store, or where the same copy was interrupted.

    :param wanted: what is to be there.
    :param files: the folder of files of a database in which there is no store yet.
    :raises StoreError: if there is something else.
    :raises ConfigurationError: if files are given with a folder, which has its own.
    """
    if is_address(os.fspath(where)):
        from hutch.store.copies.postgres_side import open_database_target

        with open_database_target(os.fspath(where), files) as side:
            _claim(side, wanted)
            yield side
        return
    check_no_files(where, files)
    folder = target_folder(where)
    if wanted.purpose is not Purpose.BACKUP:
        check_folder(folder)
    elif folder.exists() and not folder.is_dir():
        msg = f"{str(folder)!r} is a file; a backup is a folder."
        raise NoStoreError(msg)
    check_free(look(folder), wanted, str(folder))
    with held(folder):
        # Somebody else may have been there in the meantime.
        properties = look(folder)
        check_free(properties, wanted, str(folder))
        if properties is None:
            if list((folder / "files").glob("*")):
                msg = f"{str(folder)!r} has a folder 'files' that belongs to no store. Give another folder."
                raise StoreError(msg)
            make_folder(folder, **{COPY: wanted.text})
        with contextlib.closing(FolderSide(folder)) as side:
            if wanted.purpose is not Purpose.BACKUP:
                _claim(side, wanted)
            yield side
            is_done = COPY not in side.properties()
        if is_done:
            (folder / LOCK).unlink(missing_ok=True)


def check_free(properties: dict[str, str] | None, wanted: Copy, place: str) -> None:
    """Refuse a place where there is something that would be lost.

    :param properties: of the store that is there, if any.
    """
    if properties is None:
        return
    copy = Copy.parse(properties[COPY]) if COPY in properties else None
    if copy is None:
        if wanted.purpose is not Purpose.BACKUP:
            return  # it may be empty
        what = "a live store"
    elif (copy.purpose, copy.of) == (wanted.purpose, wanted.of):
        return
    elif copy.purpose is Purpose.BACKUP:
        what = f"a backup of another store, {copy.source!r}" if copy.of != wanted.of else "a backup"
    else:
        what = f"an unfinished {copy.purpose} of {copy.source!r}"
    msg = f"{place!r} is {what}. Give the {wanted.purpose} of {wanted.source!r} another place."
    raise StoreError(msg)


def _claim(side: Side, wanted: Copy) -> None:
    """Make an empty store one that is being filled, and no other.

    :raises StoreError: if it is not empty.
    """
    with side.standstill() as connection:
        properties = read_properties(connection)
        check_free(properties, wanted, side.place)
        if COPY in properties:
            return
        for table in _CONTENT:
            count = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()
            if count:
                noun = "run" if table is t.runs else f"row of {table.name}"
                msg = (
                    f"{side.place!r} is not empty, it has {count:,} {noun}{'s' if count > 1 else ''}. "
                    f"Give the {wanted.purpose} a new place."
                )
                raise StoreError(msg)
        if list(loose_files(side.files, set())):
            msg = f"{side.place!r} is not empty, it has Arrow files. Give the {wanted.purpose} a new place."
            raise StoreError(msg)
        connection.execute(t.properties.insert(), [{"key": COPY, "value": wanted.text}])
