"""Opening a store; making, finding and bringing up to date one in a folder."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import uuid
from pathlib import Path

from hutch.errors import (
    ConfigurationError,
    NoStoreError,
    ReadOnlyStoreError,
    StoreError,
    StoreFullError,
)
from hutch.store.addresses import is_address
from hutch.store.faults import translate
from hutch.store.folder_lock import FolderLock
from hutch.store.places import (
    BACKUP_NOTE,
    DATABASE,
    check_folder,
    is_backup_folder,
    is_writable,
    named_folder,
)
from hutch.store.protocols.store import Store
from hutch.store.roles import MOVED, admit, backup_note, is_backup
from hutch.store.schema.versions import is_behind, write_schema
from hutch.store.sqlite.store import BUSY_TIMEOUT_S, SqliteStore, connect

__all__ = ["bring_up_to_date", "check_no_files", "has_store", "make_folder", "open_store"]


def open_store(
    where: str | os.PathLike[str], *, create: bool = True, files: str | os.PathLike[str] | None = None
) -> Store:
    """Open a store, and make it if it is not there.

    :param where: a folder, which may exist and hold other files (the store adds ``hutch.db``,
        ``files/`` and ``owners/``), or the address ``postgresql://…`` of a database.
    :param create: False refuses a place without a store instead of making one.
    :param files: the folder of Arrow files that belongs to a database, as this host sees it; else
        ``$HUTCH_FILES``, else what ``hutch.toml`` says, else the one it was made with. A new store in a
        database needs one.
    :raises NoStoreError: if there is none and none may be made, or something else is in its place.
    :raises ConfigurationError: if it is no name of a folder, or files are given with one.
    :raises NetworkFilesystemError: if the folder is on a network file system.
    :raises StoreVersionError: if a newer hutch wrote it.
    :raises StoreUnavailableError: if the server of the database does not answer.
    """
    if is_address(os.fspath(where)):
        from hutch.store.postgres.opening import open_database

        return open_database(os.fspath(where), create=create, files=files)
    check_no_files(where, files)
    folder = named_folder(where)
    path = folder / DATABASE
    if not is_backup_folder(folder):
        check_folder(folder)
    if not path.exists():
        if not create:
            msg = f"There is no store in {str(folder)!r}. Make one with: hutch init {folder}"
            raise NoStoreError(msg)
        make_folder(folder)
    return SqliteStore(folder, admit(bring_up_to_date(path), str(folder)))


def check_no_files(where: str | os.PathLike[str], files: str | os.PathLike[str] | None) -> None:
    """Refuse a folder of files beside a store that is in a folder.

    :raises ConfigurationError: if one is given.
    """
    if files is not None:
        msg = f"A folder of files is given with a database; the store {os.fspath(where)!r} has its own."
        raise ConfigurationError(msg)


def has_store(where: str | os.PathLike[str]) -> bool:
    """Tell whether there is a store at a place, of whatever version.

    :raises StoreError: if the server of a database cannot be asked.
    """
    if is_address(os.fspath(where)):
        from hutch.store.postgres.opening import find_database

        return find_database(os.fspath(where))
    return (named_folder(where) / DATABASE).exists()


def make_folder(folder: Path, **facts: str) -> None:
    """Make a store that appears at once and whole, also if two processes make it together.

    :param facts: that are kept about it; if they say that it is a backup, its folder says so too.
    """
    early = folder / f".{DATABASE}-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "files").mkdir(exist_ok=True)
        if is_backup(facts):
            (folder / BACKUP_NOTE).write_text(backup_note(facts, str(folder)))
        else:
            (folder / "owners").mkdir(exist_ok=True)
        _write_schema(early, **facts)
        _appear(early, folder / DATABASE)
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        msg = f"No store can be made in {str(folder)!r}: {error.strerror}."
        if not is_writable(_nearest(folder)):
            raise ReadOnlyStoreError(msg) from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFullError(msg) from error
        raise StoreError(msg) from error
    finally:
        for leftover in folder.glob(f"{early.name}*"):
            leftover.unlink()


def _appear(early: Path, path: Path) -> None:
    """Give a file its name, unless there is one of that name."""
    try:
        os.link(early, path)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        # A file system without links.
        if not path.exists():
            early.rename(path)


def _nearest(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _write_schema(path: Path, **facts: str) -> None:
    from sqlalchemy import URL, create_engine
    from sqlalchemy.exc import DBAPIError

    engine = create_engine(URL.create("sqlite", database=str(path)))
    try:
        with engine.begin() as connection:
            if not is_backup(facts):
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            write_schema(connection, **facts)
    except DBAPIError as error:
        translate(error.orig if isinstance(error.orig, sqlite3.Error) else error, path.parent)
    finally:
        engine.dispose()


def bring_up_to_date(path: Path) -> dict[str, str]:
    """Migrate an older store; Alembic is loaded only then.

    :returns: its properties.
    """
    writable = is_writable(path.parent)
    if writable and is_backup_folder(path.parent):
        _roll_back(path)
    with contextlib.closing(connect(path, writable=writable)) as connection:
        try:
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
            # Others that use Alembic have a table of that name too.
            properties = dict(connection.execute("SELECT key, value FROM properties").fetchall())
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_NOTADB):
                translate(error, path.parent)
            msg = f"{str(path)!r} is not a database of hutch: {error}."
            raise NoStoreError(msg) from error
    if MOVED in properties or not is_behind([row[0] for row in rows], str(path.parent)):
        return properties
    if not writable:
        msg = f"The store {str(path.parent)!r} must be migrated first, and can only be read."
        raise ReadOnlyStoreError(msg)
    _migrate(path)
    return properties


def _migrate(path: Path) -> None:
    """Migrate a database; whoever writes into it meanwhile is waited for.

    :raises StoreError: if it cannot be done; the store is what it was then.
    """
    from sqlalchemy import URL, create_engine
    from sqlalchemy.exc import DBAPIError

    from hutch.store.schema import migrating

    url = URL.create("sqlite", database=str(path))
    try:
        migrating.upgrade(create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}))
    except DBAPIError as error:
        translate(error.orig if isinstance(error.orig, sqlite3.Error) else error, path.parent)


def _roll_back(path: Path) -> None:
    """Undo what a backup began to write that was killed: its readers must not."""
    if not path.with_name(f"{path.name}-journal").exists():
        return
    with (
        contextlib.suppress(StoreError),
        FolderLock(path.parent),
        contextlib.closing(connect(path)) as database,
    ):
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
