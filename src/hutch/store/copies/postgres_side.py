"""The side of a copy that is in a PostgreSQL database."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import psycopg
import sqlalchemy as sa

from hutch.errors import NoStoreError, StoreError
from hutch.store.addresses import Address
from hutch.store.copies.sides import Side
from hutch.store.locks import lock_number
from hutch.store.postgres.connections import Connections
from hutch.store.postgres.faults import translate
from hutch.store.postgres.opening import (
    ARROW_FILES,
    MARKER,
    Found,
    files_folder,
    look,
    make_engine,
    mark,
    marked,
    migrate,
    open_database,
)
from hutch.store.postgres.store import PostgresStore
from hutch.store.roles import COPY
from hutch.store.schema import tables
from hutch.store.schema.versions import is_behind

__all__ = ["DatabaseSide", "look_at_database", "open_database_target", "open_unadmitted_database"]

_POOL_SIZE = 2


class DatabaseSide(Side):
    """The side of a store in a database that is there, up to date, with its folder of files.

    :param whole: False takes one whose folder is gone already.
    :raises NoStoreError: if there is no store.
    """

    def __init__(self, text: str, *, whole: bool = True) -> None:
        self._address = Address(text)
        self._found = _find(self._address)
        self._root = files_folder(self._found, self._address)
        if whole:
            self.check()
        engine = make_engine(Connections(self._address), _POOL_SIZE)
        super().__init__(engine, self._address.shown, self._root / ARROW_FILES)

    def check(self) -> None:
        """See that the folder of files is still there, and not a place where it was mounted.

        :raises NoStoreError: if it is gone.
        """
        if not (self._root / MARKER).exists():
            msg = (
                f"The folder of files {str(self._root)!r} of the store {self._address.shown!r} is gone: "
                f"there is no file {MARKER!r} in it. Put it back, and run this again."
            )
            raise NoStoreError(msg)

    def translate(self, error: Exception) -> NoReturn:
        """Raise an error of the driver as one of hutch's."""
        if isinstance(error, psycopg.Error):
            translate(error, self._address)
        raise error

    def settle(self) -> None:
        """Mark the folder of files with the store's present uid."""
        uid = self.properties()["store"]
        if marked(self._root) != uid:
            mark(self._root, uid, self._address)

    def delete(self) -> None:
        """Delete the store, its database last; other tables, and other files in the folder, stay."""
        self.delete_files()
        try:
            (self._root / MARKER).unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self._root.rmdir()
            with self.engine.begin() as connection:
                tables.metadata.drop_all(connection)
                connection.exec_driver_sql("DROP TABLE alembic_version")
                connection.exec_driver_sql("DROP FUNCTION IF EXISTS hutch_moved()")
        except sa.exc.DBAPIError as error:
            self.translate(error.orig if isinstance(error.orig, Exception) else error)
        self.close()


def look_at_database(text: str) -> dict[str, str] | None:
    """Return the properties of the store in a database, brought up to date; None if there is none."""
    address = Address(text)
    try:
        return _find(address).properties
    except NoStoreError:
        return None


def _find(address: Address) -> Found:
    """Return what there is, brought up to date.

    :raises NoStoreError: if there is no store.
    """
    connections = Connections(address)
    try:
        with contextlib.closing(connections.open()) as connection:
            found = look(connection, address)
            if found is not None and is_behind(found.versions, address.shown):
                migrate(connections)
    except psycopg.Error as error:
        translate(error, address)
    if found is None:
        msg = f"There is no store in the database {address.shown!r}."
        raise NoStoreError(msg)
    return found


def open_unadmitted_database(text: str) -> PostgresStore:
    """Open a store, whatever it is."""
    address = Address(text)
    found = _find(address)
    return PostgresStore(address, found.uid, files_folder(found, address) / ARROW_FILES)


@contextlib.contextmanager
def open_database_target(text: str, files: str | os.PathLike[str] | None) -> Iterator[DatabaseSide]:
    """Open a database to be filled by this process alone; a store is made if there is none.

    :param files: the folder of files if there is none.
    :raises StoreError: if another process copies into it.
    """
    address = Address(text)
    properties = look_at_database(text)
    if properties is None or (files is not None and COPY not in properties):
        # Also where the making of one was interrupted.
        open_database(text, create=True, files=files).close()
    found = _find(address)
    if files is not None and Path(files).expanduser().absolute() != Path(found.files):
        msg = f"The store in {address.shown!r} has its files in {found.files!r}, not in {os.fspath(files)!r}."
        raise StoreError(msg)
    with (
        contextlib.closing(DatabaseSide(text)) as side,
        contextlib.closing(Connections(address).open()) as connection,
    ):
        number = lock_number("copy")
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (number,)).fetchone()
        if row != (True,):
            msg = f"Another process copies into {address.shown!r} now. Wait for its end."
            raise StoreError(msg)
        yield side
