"""The two sides of a copy: a store as tables and files, for reading and writing in bulk.

Both databases are spoken to through SQLAlchemy, so that copying is written once. Whoever opens a side looks
first at what it is: a side asks for no permission.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from hutch.errors import NoStoreError
from hutch.store import faults
from hutch.store.copies.file_copying import remove_files
from hutch.store.folder_lock import LOCK
from hutch.store.places import DATABASE, is_backup_folder, is_writable
from hutch.store.schema import tables
from hutch.store.sqlite import checkpoints
from hutch.store.sqlite.store import connect

__all__ = ["FolderSide", "Side", "read_properties"]

_CACHE_KIB = 65_536


def read_properties(connection: sa.Connection) -> dict[str, str]:
    """Return the properties of a store."""
    rows = connection.execute(sa.select(tables.properties.c.key, tables.properties.c.value))
    return {row.key: row.value for row in rows}


class Side(ABC):
    """One side of a copy.

    :param engine: of its database, which says ``BEGIN`` when a transaction begins.
    :param place: where it is, for people.
    :param files: the folder of Arrow files.
    """

    def __init__(self, engine: sa.Engine, place: str, files: Path) -> None:
        self.engine = engine
        self.place = place
        self.files = files

    @abstractmethod
    def check(self) -> None:
        """See that the store is still there.

        :raises StoreError: if it is gone.
        """

    @abstractmethod
    def translate(self, error: Exception) -> NoReturn:
        """Raise an error of the driver as one of hutch's."""

    @abstractmethod
    def settle(self) -> None:
        """Let all that names the store have its present uid."""

    @abstractmethod
    def delete(self) -> None:
        """Delete the store, its database last."""

    @property
    def is_server(self) -> bool:
        """Tell whether the database is one of PostgreSQL."""
        return self.engine.dialect.name == "postgresql"

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """Open a transaction that reads what there is at one moment, and keeps nobody waiting."""
        self.check()
        with self._begin(isolation_level="REPEATABLE READ", postgresql_readonly=True) as connection:
            yield connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Open a transaction that writes."""
        self.check()
        with self._begin(hutch_writes=True) as connection:
            yield connection

    @contextlib.contextmanager
    def standstill(self) -> Iterator[sa.Connection]:
        """Open a transaction that writes, while nobody else can."""
        self.check()
        with self._begin(hutch_writes=True) as connection:
            if self.is_server:
                names = ", ".join(table.name for table in tables.metadata.sorted_tables)
                connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
                connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
            yield connection

    def properties(self) -> dict[str, str]:
        """Return the properties of the store."""
        with self.snapshot() as connection:
            return read_properties(connection)

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    def delete_files(self) -> None:
        """Delete the files that batches or attachments name, or named, and the folders that are empty then.

        Others stay: nobody knows whether what is in them is anywhere else.
        """
        with self._begin() as connection:
            for column in (tables.batches.c.file, tables.discarded.c.file, tables.blobs.c.file):
                remove_files(self.files, connection.execute(sa.select(column)).scalars())
        for folder in [*self.files.glob("attachments/*"), *self.files.glob("*"), self.files]:
            with contextlib.suppress(OSError):
                folder.rmdir()

    @contextlib.contextmanager
    def _begin(self, **options: Any) -> Iterator[sa.Connection]:
        if not self.is_server:
            options.pop("isolation_level", None)
        try:
            with self.engine.connect() as connection:
                connection = connection.execution_options(**options)
                with connection.begin():
                    yield connection
        except DBAPIError as error:
            self.translate(error.orig if isinstance(error.orig, Exception) else error)


class FolderSide(Side):
    """The side of a store in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / DATABASE
        self._is_writable = is_writable(folder)
        # What is read without locks may be written by the next time.
        pool = QueuePool if self._is_writable else NullPool
        engine = sa.create_engine("sqlite://", creator=self._connect, poolclass=pool)
        sa.event.listen(engine, "begin", _begin)
        try:
            self._inode = self._path.stat().st_ino
        except OSError as error:
            faults.translate(error, folder)
        super().__init__(engine, str(folder), folder / "files")

    def check(self) -> None:
        """See that the store is still there.

        :raises NoStoreError: if it is gone.
        """
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                return
        msg = f"The store {self.place!r} has been removed or replaced. Put it back, and run this again."
        raise NoStoreError(msg)

    def translate(self, error: Exception) -> NoReturn:
        """Raise an error of SQLite, or of the system, as one of hutch's."""
        faults.translate(error, self._folder)

    def settle(self) -> None:
        """Do nothing: only the database names the store."""

    def delete(self) -> None:
        """Delete the store, its database last; what else is in the folder stays."""
        self.delete_files()
        self.close()
        try:
            shutil.rmtree(self._folder / "owners", ignore_errors=True)
            for name in (LOCK, checkpoints.LOCK, f"{DATABASE}-wal", f"{DATABASE}-shm", DATABASE):
                (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            faults.translate(error, self._folder)
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self._path, writable=self._is_writable)
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        connection.execute("PRAGMA synchronous=EXTRA")
        if is_backup_folder(self._folder):
            # A backup, maybe on a network file system, where memory is not mapped safely.
            connection.execute("PRAGMA mmap_size=0")
        return connection


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("hutch_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
