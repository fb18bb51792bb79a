"""Making, finding and bringing up to date a store in a folder."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from hutch.errors import NoStoreError, ReadOnlyStoreError, StoreError, StoreFullError, StoreVersionError
from hutch.store import tables
from hutch.store.faults import translate
from hutch.store.places import DATABASE, check_folder, is_writable
from hutch.store.protocol import Store
from hutch.store.sqlite import SqliteStore, connect

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["open_store"]


def open_store(where: str | os.PathLike[str], *, create: bool = True) -> Store:
    """Open a store, and make it if it is not there.

    :param where: a folder. It may exist and hold other files; the store adds ``hutch.db``,
        ``files/`` and ``owners/``.
    :param create: False refuses a folder without a store instead of making one.
    :raises NoStoreError: if there is none and none may be made, or something else is in its place.
    :raises NetworkFilesystemError: if the folder is on a network file system.
    :raises StoreVersionError: if a newer hutch wrote it.
    """
    folder = Path(where).expanduser().absolute()
    path = folder / DATABASE
    check_folder(folder)
    if not path.exists():
        if not create:
            msg = f"There is no store in {str(folder)!r}. Make one with: hutch init {folder}"
            raise NoStoreError(msg)
        _create(folder)
    _bring_up_to_date(path)
    return SqliteStore(folder)


def _create(folder: Path) -> None:
    """Make a store that appears at once and whole, also if two processes make it together."""
    early = folder / f".{DATABASE}-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "files").mkdir(exist_ok=True)
        (folder / "owners").mkdir(exist_ok=True)
        _write_schema(early)
        with contextlib.suppress(FileExistsError):
            os.link(early, folder / DATABASE)
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


def _nearest(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _write_schema(path: Path) -> None:
    from sqlalchemy import URL, create_engine
    from sqlalchemy.exc import DBAPIError

    engine = create_engine(URL.create("sqlite", database=str(path)))
    try:
        _write_tables(engine)
    except DBAPIError as error:
        translate(error.orig if isinstance(error.orig, sqlite3.Error) else error, path.parent)
    finally:
        engine.dispose()


def _write_tables(engine: Engine) -> None:
    from hutch import __version__

    facts = {"store": uuid.uuid4().hex, "made": str(time.time()), "made_by": __version__}
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        tables.metadata.create_all(connection)
        connection.exec_driver_sql(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
        )
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (tables.HEAD,))
        connection.execute(
            tables.properties.insert(), [{"key": key, "value": value} for key, value in facts.items()]
        )


def _bring_up_to_date(path: Path) -> None:
    """Migrate an older store; Alembic is loaded only then."""
    writable = is_writable(path.parent)
    with contextlib.closing(connect(path, writable=writable)) as connection:
        try:
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
            # Others that use Alembic have a table of that name too.
            connection.execute("SELECT value FROM properties WHERE key = 'store'")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_NOTADB):
                translate(error, path.parent)
            msg = f"{str(path)!r} is not a database of hutch: {error}."
            raise NoStoreError(msg) from error
    if rows == [(tables.HEAD,)]:
        return
    from hutch.store import migrating

    if not rows or not migrating.is_known(rows[0][0]):
        version = rows[0][0] if rows else "none"
        msg = (
            f"The store {str(path.parent)!r} has schema {version!r}, and this hutch knows up to "
            f"{tables.HEAD!r}: it was written by a newer one. Upgrade with: pip install --upgrade hutch"
        )
        raise StoreVersionError(msg)
    if not writable:
        msg = f"The store {str(path.parent)!r} must be migrated first, and can only be read."
        raise ReadOnlyStoreError(msg)
    from sqlalchemy import URL

    migrating.upgrade(URL.create("sqlite", database=str(path)))
