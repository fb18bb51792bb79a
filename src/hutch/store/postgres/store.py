"""The store of a site: a PostgreSQL database, and a folder of Arrow files that all hosts share.

A commit waits until it is on the server's disk (``synchronous_commit``), so there is nothing that
:meth:`PostgresStore.sync` must do.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from hutch.errors import StoreError
from hutch.store.addresses import Address
from hutch.store.postgres.connections import Connection, Connections
from hutch.store.postgres.doubts import Doubt, was_committed
from hutch.store.postgres.faults import is_refusal, translate
from hutch.store.postgres.keeper import Keeper, is_live
from hutch.store.postgres.pipeline import Pipeline
from hutch.store.postgres.writing import PostgresWriter
from hutch.store.reading.runs import DatabaseReader
from hutch.store.reopening import reopened
from hutch.store.statements.runs import Statement, Statements

if TYPE_CHECKING:
    from hutch.store.protocols.store import Store

__all__ = ["PostgresStore"]


class PostgresStore(DatabaseReader):
    """A :class:`~hutch.store.protocols.store.Store` in a database; open it with ``hutch.store.open_store``.

    :param address: of the database, whose schema is up to date.
    :param uid: of the store.
    :param files: the folder of Arrow files as this host sees it.
    """

    def __init__(self, address: Address, uid: str, files: Path) -> None:
        self._address = address
        self._channel = f"hutch_{uid[:16]}"
        self._connections = Connections(address)
        self._keeper = Keeper(self._connections, self._channel)
        self._write_lock = threading.RLock()
        self._open_writer: PostgresWriter | None = None
        self._doubt: Doubt | None = None
        self._closed = False
        super().__init__(self._ask, _statements(), files)
        self._uid = uid
        _open_stores.add(self)
        self._end = weakref.finalize(self, _end, self._connections, self._keeper)
        # At exit others still commit what they have; the system ends the connections.
        self._end.atexit = False

    def __reduce__(self) -> tuple[Callable[[str], Store], tuple[str]]:
        return reopened, (self._address.conninfo,)

    @property
    def location(self) -> str:
        """The address without its password, for people."""
        return self._address.shown

    @property
    def is_closed(self) -> bool:
        """Whether it was closed in this process."""
        return self._closed

    def is_live(self, owner: str | None) -> bool:
        """Tell whether the owner of an open run is a process that lives."""
        if owner is None:
            return False
        if owner == self._keeper.owner.uid and self._keeper.is_owner:
            return True
        return is_live(self._read, owner)

    def wait(self, after: int, timeout_s: float) -> bool:
        """Wait until there is a change after a cursor; tell whether there is."""
        deadline = time.monotonic() + timeout_s
        self._check_open()
        if self._keeper.newest > after or self.last_change() > after:
            return True
        return timeout_s > 0 and self._keeper.listen(after, deadline)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[PostgresWriter]:
        """Open a transaction: committed on leaving, rolled back on an error.

        What is committed is on the server's disk. Within one transaction another one of the same
        thread joins it. None begins before it is known what became of the one before it.
        """
        with self._write_lock:
            if self._open_writer is not None:
                yield self._open_writer
                return
            self._check_open()
            self._settle()
            connection = self._connections.take()
            pipeline = Pipeline(connection)
            try:
                writer = PostgresWriter(pipeline, self._say, self._keeper, self._uid, self._channel)
                self._open_writer = writer
                yield writer
                writer.finish()
                # From here on it may be committed, though nobody is told.
                self._doubt = Doubt(writer.transaction, connection.info.backend_pid)
                pipeline.end("COMMIT")
                self._doubt = None
            except BaseException as error:
                self._recover(connection, pipeline, error)
            else:
                with contextlib.suppress(psycopg.Error):  # the next one does it as well
                    writer.prune(connection)
            finally:
                self._open_writer = None
                self._connections.give_back(connection)

    def _recover(self, connection: Connection, pipeline: Pipeline, error: BaseException) -> None:
        """Roll back, and raise the error as one of hutch's; not if the commit was done after all."""
        if isinstance(error, psycopg.Error) and is_refusal(error):
            self._doubt = None
        if self._doubt is not None or not isinstance(error, Exception):
            # Nobody knows at which point it was interrupted.
            connection.close()
            if isinstance(error, psycopg.Error) and self._settle():
                return
        else:
            with contextlib.suppress(psycopg.Error):
                pipeline.give_up()
        if isinstance(error, psycopg.Error):
            translate(error, self._address)
        raise error

    def _settle(self) -> bool:
        """Find out whether the last transaction was committed, if that is not known.

        :raises StoreUnavailableError: if the server does not tell in time.
        """
        if self._doubt is None:
            return False
        try:
            outcome = was_committed(self._doubt, self._connections)
        except psycopg.Error as error:
            translate(error, self._address)
        self._doubt = None
        return outcome

    def sync(self) -> None:
        """Do nothing: what is committed is on the server's disk."""

    def tidy(self) -> None:
        """Do nothing: the server does it."""

    def close(self) -> None:
        """Close connections and let owned runs go."""
        with self._write_lock:
            if not self._closed:
                self._closed = True
                self._end()

    def after_fork(self) -> None:
        """In a child process: leave the parent's connections alone, and open own ones."""
        self._keeper.after_fork()
        self._connections.after_fork()
        self._keeper = Keeper(self._connections, self._channel)
        self._write_lock, self._open_writer, self._doubt = threading.RLock(), None, None
        self._end.detach()
        if not self._closed:
            self._end = weakref.finalize(self, _end, self._connections, self._keeper)
            self._end.atexit = False

    def _ask(self, statement: Statement, values: dict[str, Any]) -> list[Any]:
        return self._read(statement.text, statement.order(values))

    def _read(self, text: str, values: tuple[Any, ...]) -> list[Any]:
        """Return the rows of a statement that only reads; it is said once more if its connection was lost."""
        self._check_open()
        connection = self._connections.take()
        try:
            try:
                return connection.execute(text, values, binary=True).fetchall()
            except psycopg.OperationalError:
                if not connection.closed:
                    raise
            self._connections.drop_idle()
            connection = self._connections.open()
            return connection.execute(text, values, binary=True).fetchall()
        except psycopg.Error as error:
            translate(error, self._address)
        finally:
            self._connections.give_back(connection)

    def _check_open(self) -> None:
        if self._closed:
            msg = f"The store {self.location!r} has been closed."
            raise StoreError(msg)


def _end(connections: Connections, keeper: Keeper) -> None:
    keeper.stop()
    connections.close()


_open_stores: weakref.WeakSet[PostgresStore] = weakref.WeakSet()


def _after_fork() -> None:
    for store in list(_open_stores):
        store.after_fork()


os.register_at_fork(after_in_child=_after_fork)

_said: list[Statements] = []


def _statements() -> Statements:
    """Return the statements for PostgreSQL, compiled once a process."""
    if not _said:
        dialect = PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]
        _said.append(Statements(dialect))
    return _said[0]
