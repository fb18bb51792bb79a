"""The embedded store: a folder with an SQLite database and Arrow files.

The database is in WAL mode with ``synchronous=NORMAL``: a commit is a write to the operating system
and survives the death of the process at any instruction. To survive a power cut, the write-ahead log
is synchronized by :meth:`SqliteStore.sync`, outside of any transaction, so no commit waits for it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import sqlite

from hutch.errors import NoStoreError, ReadOnlyStoreError, StoreError
from hutch.store import owners
from hutch.store.faults import translate
from hutch.store.places import DATABASE, has_log, is_backup_folder, is_writable
from hutch.store.reading.runs import DatabaseReader
from hutch.store.reopening import reopened
from hutch.store.sqlite import checkpoints
from hutch.store.sqlite.write_ahead_log import has_frames
from hutch.store.statements.runs import Statement, Statements
from hutch.store.syncing import sync_data, sync_path
from hutch.store.writing.runs import DatabaseWriter

if TYPE_CHECKING:
    from hutch.store.protocols.store import Store

__all__ = ["BUSY_TIMEOUT_S", "SqliteStore", "connect"]

BUSY_TIMEOUT_S = 60.0
_TRY_AGAIN_S = 0.001
_TIDY_PAGES = 1000
_MOST_PAGES = 16_000
"""Pages in the log after which a commit moves them, if nobody has done it at leisure."""

_LOOK_EVERY = 64
"""Commits after which that is looked at."""

_POLL_S = 0.01

_leaked_by_fork: list[Any] = []
"""Connections of a parent process: SQLite forbids a child even to close them."""


def connect(path: Path, *, writable: bool = True) -> sqlite3.Connection:
    """Open a connection that takes its transactions as they are said, and waits for locks.

    :raises StoreError: if SQLite cannot open it.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"
    if not writable:
        # Without a log to read, SQLite need not make the files that a reader of one needs.
        is_read_alone = not has_log(path) and not is_backup_folder(path.parent)
        uri = f"{path.absolute().as_uri()}?{'immutable=1' if is_read_alone else 'mode=ro'}"
    try:
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA mmap_size=268435456")
        connection.execute("PRAGMA synchronous=NORMAL")
        # Debian's SQLite writes zeros over what is deleted: six times the time, and all of it to the log.
        connection.execute("PRAGMA secure_delete=FAST")
    except sqlite3.Error as error:
        translate(error, path.parent)
    return connection


class SqliteStore(DatabaseReader):
    """A :class:`~hutch.store.protocols.store.Store` in a folder; open it with ``hutch.store.open_store``.

    :param frozen: why it may only be read, if so.
    """

    def __init__(self, folder: Path, frozen: str | None = None) -> None:
        self._folder = folder
        self._path = folder / DATABASE
        self._frozen = frozen
        self._writable = frozen is None and is_writable(folder)
        self._keeps_connections = self._writable or is_backup_folder(folder)
        self._idle: deque[sqlite3.Connection] = deque()
        self._writer: sqlite3.Connection | None = None
        self._open_writer: DatabaseWriter | None = None
        self._write_lock = threading.RLock()
        self._sync_lock = threading.Lock()
        self._log: tuple[int, int] | None = None
        self._commits = 0
        self._owner: owners.Owner | None = None
        self._closed = False
        try:
            self._inode = self._path.stat().st_ino
        except OSError as error:
            translate(error, folder)
        super().__init__(self._ask, _statements(), folder / "files")
        _open_stores.add(self)

    def __reduce__(self) -> tuple[Callable[[str], Store], tuple[str]]:
        return reopened, (str(self._folder),)

    @property
    def location(self) -> str:
        """The folder, for people."""
        return str(self._folder)

    @property
    def is_closed(self) -> bool:
        """Whether it was closed in this process."""
        return self._closed

    def is_live(self, owner: str | None) -> bool:
        """Tell whether the owner of an open run is a process that lives."""
        return owner is not None and owners.is_live(self._folder / "owners", owner)

    def wait(self, after: int, timeout_s: float) -> bool:
        """Wait until there is a change after a cursor; tell whether there is."""
        deadline = time.monotonic() + timeout_s
        version = None
        with self._reading_connection() as connection:
            while True:
                # Cheap: SQLite looks at a counter in shared memory.
                now = connection.execute("PRAGMA data_version").fetchone()[0]
                if now != version and self.last_change() > after:
                    return True
                version = now
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                time.sleep(min(_POLL_S, left))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[DatabaseWriter]:
        """Open a transaction: committed on leaving, rolled back on an error.

        What is committed survives the death of the process; :meth:`sync` makes it survive a power
        cut. Within one transaction another one of the same thread joins it.
        """
        with self._write_lock:
            connection = self._writing_connection()
            if self._open_writer is not None:
                yield self._open_writer
                return
            try:
                _begin(connection)
                self._open_writer = DatabaseWriter(connection.cursor(), self._say, self._claimed())
                yield self._open_writer
                self._open_writer.finish()
                connection.execute("COMMIT")
                self._commits += 1
            except BaseException as error:
                with contextlib.suppress(sqlite3.Error):
                    connection.rollback()
                if isinstance(error, (sqlite3.Error, OSError)):
                    translate(error, self._folder)
                raise
            finally:
                self._open_writer = None
            if self._commits % _LOOK_EVERY == 0:
                self._relieve()

    def sync(self) -> None:
        """Put what is committed onto the disk."""
        with self._sync_lock:
            if self._closed:
                return
            path = self._path.with_name(f"{DATABASE}-wal")
            try:
                found = path.stat().st_ino
                if self._log is None or self._log[1] != found:
                    if self._log is not None:
                        os.close(self._log[0])
                        self._log = None
                    self._log = (os.open(path, os.O_RDWR | os.O_CLOEXEC), found)
                    sync_path(self._folder)
                sync_data(self._log[0])
            except FileNotFoundError:
                # No log: SQLite has put everything into the database, and onto the disk.
                return
            except OSError as error:
                translate(error, self._folder)

    def tidy(self) -> None:
        """Move what is in the log into the database, if that is much, before a commit has to."""
        if self._has_pages(_TIDY_PAGES):
            try:
                self._checkpoint()
            except StoreError:
                if not self._closed:  # meanwhile, which moves all of it
                    raise

    def close(self) -> None:
        """Close connections and let owned runs go."""
        with self._write_lock, self._sync_lock:
            if self._closed:
                return
            self._closed = True
            if self._log is not None:
                os.close(self._log[0])
            while self._idle:
                self._idle.pop().close()
            if self._writer is not None:
                self._writer.close()
            if self._owner is not None:
                self._owner.release()

    def after_fork(self) -> None:
        """In a child process: leave the parent's connections alone, and open own ones."""
        _leaked_by_fork.extend([*self._idle, self._writer])
        self._idle, self._writer, self._open_writer = deque(), None, None
        self._owner, self._log = None, None
        self._write_lock, self._sync_lock = threading.RLock(), threading.Lock()

    def check_database(self) -> list[str]:
        """Return what SQLite finds wrong in its file, and which rows belong to a run that is not there."""
        with self._reading_connection() as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(20)")]
            orphans = Counter((row[0], row[2]) for row in connection.execute("PRAGMA foreign_key_check"))
        said = [text for text in found if text != "ok"]
        for (table, parent), count in orphans.items():
            said.append(f"{count:,} rows of table {table!r} name a row of table {parent!r} that is not there")
        return said

    def _has_pages(self, count: int) -> bool:
        """Tell whether so many pages are in the log."""
        with self._sync_lock:
            return not self._closed and self._log is not None and has_frames(self._log[0], count)

    def _relieve(self) -> None:
        """Move what is in the log into the database if nobody has done it at leisure."""
        if self._log is None:
            self.sync()
        if self._has_pages(_MOST_PAGES):
            with contextlib.suppress(StoreError):  # what is committed is committed
                self._checkpoint()

    def _checkpoint(self) -> None:
        """Move what is in the log into the database, unless somebody else does it now."""
        try:
            with checkpoints.sole(self._folder) as is_sole:
                if is_sole:
                    self._stir()
                    with self._reading_connection() as connection:
                        checkpoints.checkpoint(connection)
        except OSError as error:
            translate(error, self._folder)

    def _stir(self) -> None:
        with self._write_lock:
            connection = self._writing_connection()
            try:
                _begin(connection)
                checkpoints.stir(connection)
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                with contextlib.suppress(sqlite3.Error):
                    connection.rollback()
                translate(error, self._folder)

    def _ask(self, statement: Statement, values: dict[str, Any]) -> list[Any]:
        with self._reading_connection() as connection:
            return connection.execute(statement.text, statement.order(values)).fetchall()

    @contextlib.contextmanager
    def _reading_connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that nobody else uses meanwhile."""
        self._check_open()
        try:
            connection = self._idle.pop()
        except IndexError:
            self._check_in_place()
            connection = connect(self._path, writable=self._writable)
        try:
            yield connection
        except sqlite3.Error as error:
            translate(error, self._folder)
        finally:
            # One that takes the file for immutable must not be used when somebody else may have written.
            if self._closed or not self._keeps_connections:
                connection.close()
            else:
                self._idle.append(connection)

    def _writing_connection(self) -> sqlite3.Connection:
        self._check_open()
        if not self._writable:
            why = self._frozen or "its folder is not writable."
            msg = f"The store {self.location!r} can only be read: {why}"
            raise ReadOnlyStoreError(msg)
        self._check_in_place()
        if self._writer is None:
            self._writer = connect(self._path)
            self._writer.execute("PRAGMA busy_timeout=0")
            # SQLite must not do it by itself: see checkpoints.
            self._writer.execute("PRAGMA wal_autocheckpoint=0")
        return self._writer

    def _check_in_place(self) -> None:
        try:
            in_place = self._path.stat().st_ino == self._inode
        except OSError:
            in_place = False
        if not in_place:
            msg = (
                f"The store {self.location!r} has been removed or replaced while it was open. "
                "Put it back, or open it again."
            )
            raise NoStoreError(msg)

    def _claimed(self) -> owners.Owner:
        if self._owner is None:
            self._owner = owners.Owner.claim(self._folder / "owners")
        return self._owner

    def _check_open(self) -> None:
        if self._closed:
            msg = f"The store {self.location!r} has been closed."
            raise StoreError(msg)


def _begin(connection: sqlite3.Connection) -> None:
    """Begin a transaction as soon as nobody else has one.

    SQLite itself would sleep for up to 100 ms between two tries, in which others come first.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(_TRY_AGAIN_S)


_open_stores: weakref.WeakSet[SqliteStore] = weakref.WeakSet()


def _after_fork() -> None:
    for store in list(_open_stores):
        store.after_fork()


os.register_at_fork(after_in_child=_after_fork)

_said: list[Statements] = []


def _statements() -> Statements:
    """Return the statements for SQLite, compiled once a process."""
    if not _said:
        _said.append(Statements(sqlite.dialect(paramstyle="qmark")))
    return _said[0]
