"""Connections to a PostgreSQL server: few, opened when needed, closed when idle, lent to one user each."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import weakref
from collections import deque
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper

from hutch.errors import StoreError
from hutch.store.addresses import Address
from hutch.store.postgres.faults import is_crowded, translate

__all__ = ["Connection", "Connections"]

Connection = psycopg.Connection[tuple[Any, ...]]

_OLDEST_SERVER = 14_00_00
_CROWDED_S = 5.0
"""Seconds for which a server that has too many connections is asked again."""
_CROWDED_PAUSE_S = 0.1
_IDLE_S = 30.0
"""Seconds after which a connection that nobody used is closed."""

_DEFAULTS = {
    "application_name": "hutch",
    "connect_timeout": 10,
    # So that neither side takes a host that has vanished for one that is silent.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}

_SETTINGS = """
SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""

_leaked_by_fork: list[Any] = []
"""Connections of a parent process, which a child must not end."""


class Connections:
    """The connections of one store in one process.

    :param address: of the database.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._idle: deque[tuple[Connection, float]] = deque()
        self._open: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._reaper: threading.Timer | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def open(self) -> Connection:
        """Open a connection of one's own, which commits each statement by itself.

        :raises StoreUnavailableError: if the server does not answer, or has too many of them.
        :raises NoStoreError: if there is no such database.
        :raises StoreError: if the server does not let this user in.
        """
        deadline = time.monotonic() + _CROWDED_S
        while True:
            try:
                return self._connect()
            except psycopg.Error as error:
                if not is_crowded(error) or time.monotonic() > deadline:
                    translate(error, self.address)
            time.sleep(_CROWDED_PAUSE_S)

    def take(self) -> Connection:
        """Return a connection that nobody else uses; give it back with :meth:`give_back`."""
        while True:
            try:
                connection, _ = self._idle.pop()
            except IndexError:
                return self.open()
            if not _has_ended(connection):
                return connection
            connection.close()

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next user, if it is as good as new."""
        status = connection.info.transaction_status
        if self._is_closed or connection.closed or status != TransactionStatus.IDLE:
            connection.close()
            return
        self._idle.append((connection, time.monotonic()))
        if self._reaper is None:
            self._reap_later()

    def drop_idle(self) -> None:
        """Close what nobody uses, as when the server was seen to end one of them."""
        while self._idle:
            self._idle.popleft()[0].close()

    def close(self) -> None:
        """Close what nobody uses, and from now on what is given back."""
        with self._lock:
            self._is_closed = True
            if self._reaper is not None:
                self._reaper.cancel()
        self.drop_idle()

    def after_fork(self) -> None:
        """In a child process: let go of the parent's connections without a word to the server.

        The child closes its copies of the sockets: the server would else not see the parent die.
        """
        for connection in list(self._open):
            with contextlib.suppress(OSError, psycopg.Error):
                os.close(connection.fileno())
            _leaked_by_fork.append(connection)
        self._idle, self._open = deque(), weakref.WeakSet()
        self._reaper, self._lock = None, threading.Lock()

    def _connect(self) -> Connection:
        given = conninfo_to_dict(self.address.conninfo)
        options: dict[str, Any] = {key: value for key, value in _DEFAULTS.items() if key not in given}
        connection: Connection = psycopg.connect(
            self.address.conninfo, autocommit=True, client_encoding="utf-8", **options
        )
        self._open.add(connection)
        if connection.info.server_version < _OLDEST_SERVER:
            version = connection.info.server_version // 10_000
            connection.close()
            msg = f"The server of {self.address.shown!r} is PostgreSQL {version}; hutch needs 14 or newer."
            raise StoreError(msg)
        # Integers have one type for all sizes, else each statement would be prepared for each of them.
        connection.adapters.register_dumper(int, Int8BinaryDumper)
        connection.execute(_SETTINGS)
        return connection

    def _reap_later(self) -> None:
        with self._lock:
            if self._reaper is not None or self._is_closed:
                return
            self._reaper = threading.Timer(_IDLE_S, _reap, (weakref.ref(self),))
            self._reaper.name = "hutch idle connections"
            self._reaper.daemon = True
            self._reaper.start()

    def reap(self) -> None:
        """Close connections that were idle for a while."""
        with self._lock:
            self._reaper = None
        kept: list[tuple[Connection, float]] = []
        while self._idle:
            connection, since = self._idle.popleft()
            if time.monotonic() - since >= _IDLE_S:
                connection.close()
            else:
                kept.append((connection, since))
        self._idle.extendleft(reversed(kept))
        if self._idle:
            self._reap_later()


def _reap(connections: weakref.ref[Connections]) -> None:
    found = connections()
    if found is not None:
        found.reap()


def _has_ended(connection: Connection) -> bool:
    """Tell whether the server has ended an idle connection: there is something to read, if only the end."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
