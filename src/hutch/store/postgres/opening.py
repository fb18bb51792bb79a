"""Making, finding and bringing up to date a store in a PostgreSQL database."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg

from hutch.config import database_files
from hutch.errors import NoStoreError, StoreError
from hutch.store.addresses import Address
from hutch.store.locks import MIGRATION, lock_number
from hutch.store.postgres.connections import Connection, Connections
from hutch.store.postgres.faults import translate
from hutch.store.postgres.store import PostgresStore
from hutch.store.roles import admit
from hutch.store.schema.versions import is_behind, write_schema
from hutch.store.syncing import sync_path

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = [
    "ARROW_FILES",
    "FILES_VARIABLE",
    "MARKER",
    "Found",
    "files_folder",
    "find_database",
    "look",
    "make_engine",
    "mark",
    "marked",
    "migrate",
    "open_database",
]

FILES_VARIABLE = "HUTCH_FILES"
"""The environment variable that says where this host sees a database's folder of files."""

MARKER = ".hutch-store"
"""A file in a database's folder of files; its first line is the uid of the store."""


ARROW_FILES = "files"
"""The folder of Arrow files within that, as in the folder of a store without a server."""


class Found(NamedTuple):
    """What a database says about its store."""

    uid: str
    versions: list[str]
    files: str
    properties: dict[str, str]


def open_database(text: str, *, create: bool, files: str | os.PathLike[str] | None) -> PostgresStore:
    """Open the store in a database; for what it takes and raises see ``hutch.store.open_store``."""
    address = Address(text)
    connections = Connections(address)
    try:
        with contextlib.closing(connections.open()) as connection:
            found = look(connection, address)
            if found is None:
                if not create or files is None:
                    msg = (
                        f"There is no store in the database {address.shown!r}. "
                        f"Make one with: hutch init {address.shown} --files DIR"
                    )
                    raise NoStoreError(msg)
                _check_is_free(connection, address)
                _create(connections, Path(files).expanduser().absolute())
                found = look(connection, address)
            if found is not None and create and files is not None:
                _mark(connection, found, address)
        if found is None:
            msg = f"The store in {address.shown!r} is gone again."
            raise NoStoreError(msg)
        admit(found.properties, address.shown)
        if is_behind(found.versions, address.shown):
            migrate(connections)
    except psycopg.Error as error:
        translate(error, address)
    folder = files_folder(found, address, files)
    _check_files(folder, found, address)
    return PostgresStore(address, found.uid, folder / ARROW_FILES)


def files_folder(found: Found, address: Address, files: str | os.PathLike[str] | None = None) -> Path:
    """Return a store's folder of files as this host sees it."""
    return Path(files or database_files(address.conninfo) or found.files).expanduser().absolute()


def find_database(text: str) -> bool:
    """Tell whether there is a store in a database.

    :raises NoStoreError: if there is something of another program's.
    :raises StoreError: if the server cannot be asked.
    """
    address = Address(text)
    try:
        with contextlib.closing(Connections(address).open()) as connection:
            return look(connection, address) is not None
    except psycopg.Error as error:
        translate(error, address)


def look(connection: Connection, address: Address) -> Found | None:
    """Return what there is of a store; None if there is nothing.

    :raises NoStoreError: if there is something of another program's.
    """
    row = connection.execute("SELECT to_regclass('alembic_version'), to_regclass('properties')").fetchone()
    if row is None or row == (None, None):
        return None
    facts: dict[str, str] = {}
    with contextlib.suppress(psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        versions = [row[0] for row in connection.execute("SELECT version_num FROM alembic_version")]
        facts = dict(connection.execute("SELECT key, value FROM properties"))
    if "store" not in facts or "files" not in facts:
        msg = (
            f"The database {address.shown!r} is in use by something else: it has tables "
            f"{'alembic_version' if row[0] else 'properties'!r} that are not of hutch. {_OF_ITS_OWN}"
        )
        raise NoStoreError(msg)
    return Found(facts["store"], versions, facts["files"], facts)


_OF_ITS_OWN = "Give hutch a database, or a schema (?options=-csearch_path%3DNAME), of its own."


def _check_is_free(connection: Connection, address: Address) -> None:
    """Refuse a database, or a schema, that something else uses.

    :raises NoStoreError: if it has tables.
    """
    rows = connection.execute(
        "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE nspname = current_schema() AND relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY relname LIMIT 4"
    ).fetchall()
    if rows:
        names = ", ".join(repr(row[0]) for row in rows[:3]) + (" and others" if len(rows) > 3 else "")  # noqa: PLR2004
        msg = f"The database {address.shown!r} is in use by something else: it has {names}. {_OF_ITS_OWN}"
        raise NoStoreError(msg)


def _create(connections: Connections, files: Path) -> None:
    """Make the tables, all or none, and then mark the folder; two processes do it one after the other."""
    _make_folder(files)
    with _engine(connections) as engine, engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock_number(MIGRATION)})")
        if connection.exec_driver_sql("SELECT to_regclass('properties')").scalar() is None:
            _check_is_unmarked(files)
            write_schema(connection, files=str(files))


def migrate(connections: Connections) -> None:
    """Bring the tables up to date."""
    from hutch.store.schema import migrating

    with _engine(connections) as engine:
        migrating.upgrade(engine)


@contextlib.contextmanager
def _engine(connections: Connections) -> Iterator[Engine]:
    """Open an engine of SQLAlchemy, whose errors are those of the driver."""
    from sqlalchemy.exc import DBAPIError

    engine = make_engine(connections)
    try:
        yield engine
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise error.orig from error
        raise
    finally:
        engine.dispose()


def make_engine(connections: Connections, pool_size: int = 0) -> Engine:
    """Return an engine of SQLAlchemy.

    :param pool_size: connections that it keeps open.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool, QueuePool

    def connect() -> Connection:
        connection = connections.open()
        connection.autocommit = False
        return connection

    options: dict[str, Any] = {"poolclass": QueuePool, "pool_size": pool_size} if pool_size else {}
    return create_engine("postgresql+psycopg://", creator=connect, **{"poolclass": NullPool, **options})


# the folder of files


def _make_folder(files: Path) -> None:
    """Make a folder, and see that something can be written into it."""
    probe = files / f"{MARKER}-{uuid.uuid4().hex}"
    try:
        (files / ARROW_FILES).mkdir(parents=True, exist_ok=True)
        probe.write_text("?\n")
        sync_path(probe)
        probe.unlink()
    except OSError as error:
        msg = f"The folder of files {str(files)!r} cannot be used: {error.strerror}."
        raise StoreError(msg) from error


def _check_is_unmarked(files: Path) -> None:
    """Refuse a folder that another store uses.

    :raises NoStoreError: if it is marked.
    """
    if (files / MARKER).exists():
        msg = (
            f"The folder {str(files)!r} belongs to another store, says its file {MARKER!r}. "
            "Give each store a folder of its own."
        )
        raise NoStoreError(msg)


def _mark(connection: Connection, found: Found, address: Address) -> None:
    """Mark the folder that a store was made with, unless it is marked or has lost its mark since."""
    files = Path(found.files)
    if not (files / MARKER).exists() and connection.execute("SELECT FROM runs LIMIT 1").fetchone() is None:
        mark(files, found.uid, address)


def mark(files: Path, uid: str, address: Address) -> None:
    """Mark a folder as that of a store.

    :raises StoreError: if that cannot be written.
    """
    early = files / f"{MARKER}-{uuid.uuid4().hex}"
    try:
        early.write_text(f"{uid}\nThe Arrow files of the store {address.shown}\n")
        sync_path(early)
        early.rename(files / MARKER)
        sync_path(files)
    except OSError as error:
        msg = f"The folder of files {str(files)!r} cannot be used: {error.strerror}."
        raise StoreError(msg) from error


def _check_files(files: Path, found: Found, address: Address) -> None:
    """Refuse a folder that is not the store's.

    :raises NoStoreError: if it is not there, or belongs to another store.
    """
    remedy = (
        f"The store was made with {found.files!r}. If this host sees that folder elsewhere, "
        f"say where with: export {FILES_VARIABLE}=DIR"
    )
    try:
        uid = marked(files)
    except OSError as error:
        msg = (
            f"The folder of files {str(files)!r} is not that of the store {address.shown!r}: its file "
            f"{MARKER!r} cannot be read ({error.strerror}). {remedy}"
        )
        raise NoStoreError(msg) from error
    if uid != found.uid:
        msg = f"The folder of files {str(files)!r} belongs to another store than {address.shown!r}. {remedy}"
        raise NoStoreError(msg)


def marked(files: Path) -> str:
    """Return the uid that a folder is marked with."""
    lines = (files / MARKER).read_text(errors="replace").splitlines()
    return lines[0].strip() if lines else ""
