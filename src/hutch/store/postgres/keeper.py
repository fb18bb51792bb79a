"""The thread that keeps one session open: it holds the owner's lock, beats, and hears of changes.

An owner is a process that records. It lives as long as this session holds an advisory lock, which the
server releases when the process or its host dies. When the session is lost and the process is not (the
server was restarted, say), the thread opens another one and takes the lock again. Its heartbeat, in the
database's own time, tells for how long it may take to do so; no clock of any host plays a part.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

from hutch.errors import StoreError, StoreUnavailableError
from hutch.store.locks import lock_number
from hutch.store.owners import Process
from hutch.store.postgres.connections import Connection, Connections
from hutch.store.postgres.faults import told

__all__ = ["Keeper", "is_live"]

logger = logging.getLogger("hutch.store")

_BEAT_S = 5.0
_RETRY_S = 0.5
_CLAIM_S = 10.0
"""Seconds after which a process that cannot have its lock is told so."""
_DEAF_S = 60.0
"""Seconds without anybody waiting after which changes are no longer listened to."""
_FORGET_S = 7 * 86_400

_RETURN_S = 30.0
"""Seconds after a restart of the server in which an owner may come back."""

_IS_LIVE = """
WITH restarted AS (
    SELECT extract(epoch FROM greatest(pg_postmaster_start_time(), stats_reset)) AS time
    FROM pg_stat_archiver
), before AS (
    SELECT uid, heartbeat FROM owners, restarted WHERE heartbeat < restarted.time
)
SELECT NOT pg_try_advisory_xact_lock_shared(%s) OR EXISTS (
    SELECT FROM before, restarted WHERE before.uid = %s
    AND extract(epoch FROM clock_timestamp()) < restarted.time + %s
    AND before.heartbeat > (SELECT max(heartbeat) FROM before) - %s
)
"""
"""Whether an owner lives: its lock is held; or it lived when the server went down (other owners lived hardly
longer), and may not have come back yet. After a crash the server's statistics begin anew."""

_CLAIM = """
INSERT INTO owners (uid, host, pid, program, since, heartbeat)
VALUES (%s, %s, %s, %s, extract(epoch FROM clock_timestamp()), extract(epoch FROM clock_timestamp()))
ON CONFLICT (uid) DO UPDATE SET heartbeat = excluded.heartbeat
"""
_BEAT = "UPDATE owners SET heartbeat = extract(epoch FROM clock_timestamp()) WHERE uid = %s"
_FORGET = "DELETE FROM owners WHERE heartbeat < extract(epoch FROM clock_timestamp()) - %s"
_RELEASE = "DELETE FROM owners WHERE uid = %s"


def is_live(ask: Callable[[str, tuple[Any, ...]], list[Any]], owner: str) -> bool:
    """Tell whether an owner is a process that lives.

    :param ask: executes a statement and returns all rows.
    """
    return bool(ask(_IS_LIVE, (lock_number("owner", owner), owner, _RETURN_S, _RETURN_S))[0][0])


class Keeper:
    """The session of one store in one process; it is opened when it is first needed.

    :param connections: opens the session.
    :param channel: on which each transaction sends the number of its last change.
    :ivar owner: this process, as open runs name it.
    :ivar newest: the number of the newest change that was heard of.
    """

    def __init__(self, connections: Connections, channel: str) -> None:
        self.owner = Process.current()
        self.newest = 0
        self._connections = connections
        self._channel = channel
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wake: tuple[int, int] | None = None
        self._failure: StoreError | None = None
        self._is_claimed = self._is_held = self._is_listening = self._is_stopped = False
        self._is_owner = False
        self._heard_until = 0.0

    @property
    def is_owner(self) -> bool:
        """True once this process may own runs, also while it has lost its session."""
        return self._is_owner

    def claim(self) -> None:
        """Be the owner of runs from now on, and hold the lock that tells so.

        :raises StoreError: if the server cannot be reached.
        """
        if self._is_held:
            return
        with self._news:
            self._is_claimed = True
            self._failure = None
            self._start()
            done = self._news.wait_for(lambda: self._is_held or self._failure is not None, _CLAIM_S)
            if done and self._failure is None:
                return
            # Who owns no run yet need not become an owner later.
            self._is_claimed = self._is_owner
            if self._failure is not None:
                raise self._failure
        msg = f"The server of the store {self._connections.address.shown!r} does not answer in time."
        raise StoreUnavailableError(msg)

    def listen(self, after: int, deadline: float) -> bool:
        """Wait until a change after a number was heard of; tell whether one was.

        :param deadline: in the time of ``time.monotonic``.
        """
        with self._news:
            while self.newest <= after:
                self._heard_until = max(self._heard_until, min(deadline, time.monotonic()) + _DEAF_S)
                if not self._is_listening:
                    self._start()
                left = deadline - time.monotonic()
                if left <= 0 or self._is_stopped:
                    return False
                self._news.wait(min(left, _DEAF_S / 2))
        return True

    def stop(self) -> None:
        """Let go of all runs at once, and end the session."""
        with self._news:
            self._is_stopped = True
            self._news.notify_all()
            thread = self._thread
            self._poke()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLAIM_S)

    def after_fork(self) -> None:
        """In a child process, which has a keeper of its own: close what was to wake the parent's."""
        if self._wake is not None:
            os.close(self._wake[0])
            os.close(self._wake[1])

    def _start(self) -> None:
        """Have the thread do what was asked for."""
        if self._thread is None and not self._is_stopped:
            self._wake = os.pipe()
            os.set_blocking(self._wake[0], False)
            os.set_blocking(self._wake[1], False)
            self._thread = threading.Thread(target=self._keep, name="hutch keeper", daemon=True)
            self._thread.start()
        else:
            self._poke()

    def _poke(self) -> None:
        if self._wake is not None:
            with contextlib.suppress(BlockingIOError):
                os.write(self._wake[1], b"!")

    @property
    def _is_needed(self) -> bool:
        return not self._is_stopped and (self._is_claimed or time.monotonic() < self._heard_until)

    def _keep(self) -> None:
        """Serve over one session after the other, until nobody needs it."""
        while True:
            try:
                with contextlib.closing(self._connections.open()) as connection:
                    self._serve(connection)
            except StoreError as error:
                self._lose(error)
            except psycopg.Error as error:
                self._lose(told(error, self._connections.address))
            with self._news:
                self._is_held = self._is_listening = False
                if not self._is_needed:
                    self._thread, wake = None, self._wake
                    self._wake = None
                    break
                failed = self._failure is not None
            if failed:
                self._sleep(_RETRY_S)
        if wake is not None:
            os.close(wake[0])
            os.close(wake[1])

    def _lose(self, error: StoreError) -> None:
        with self._news:
            if self._is_held:
                logger.warning("The session with the database was lost and is opened again: %s", error)
                # The first try to come back follows at once.
                self._failure = None
            else:
                self._failure = error
            self._is_held = self._is_listening = False
            self._news.notify_all()

    def _serve(self, connection: Connection) -> None:
        """Do what is asked for over one session, as long as it lasts."""
        beaten = 0.0
        while self._is_needed:
            if self._is_claimed and not self._is_held:
                self._hold(connection)
                beaten = time.monotonic()
            self._tune_in(connection)
            now = time.monotonic()
            if self._is_held and now - beaten >= _BEAT_S:
                connection.execute(_BEAT, (self.owner.uid,))
                beaten = now
            pause = _BEAT_S if self._is_held or not self._is_claimed else _RETRY_S
            self._sleep(pause, connection)
            self._hear(connection)
        if self._is_held:
            connection.execute("SELECT pg_advisory_unlock(%s)", (lock_number("owner", self.owner.uid),))
            connection.execute(_RELEASE, (self.owner.uid,))

    def _hold(self, connection: Connection) -> None:
        """Take the lock; the server may not have noticed yet that the session before this one has ended."""
        number = lock_number("owner", self.owner.uid)
        (taken,) = connection.execute("SELECT pg_try_advisory_lock(%s)", (number,)).fetchone() or (False,)
        if not taken:
            return
        owner = self.owner
        connection.execute(_CLAIM, (owner.uid, owner.host, owner.pid, owner.program))
        connection.execute(_FORGET, (_FORGET_S,))
        with self._news:
            self._is_held = self._is_owner = True
            self._failure = None
            self._news.notify_all()

    def _tune_in(self, connection: Connection) -> None:
        """Listen to changes while somebody waits for them."""
        wanted = time.monotonic() < self._heard_until
        if wanted and not self._is_listening:
            connection.execute(f'LISTEN "{self._channel}"')
            # What came before is not told.
            (newest,) = connection.execute("SELECT max(number) FROM changes").fetchone() or (None,)
            with self._news:
                self._is_listening, self._failure = True, None
                self.newest = max(self.newest, newest or 0)
                self._news.notify_all()
        elif self._is_listening and not wanted:
            connection.execute(f'UNLISTEN "{self._channel}"')
            self._is_listening = False

    def _hear(self, connection: Connection) -> None:
        numbers = [int(notice.payload) for notice in connection.notifies(timeout=0)]
        if numbers:
            with self._news:
                self.newest = max(self.newest, *numbers)
                self._news.notify_all()

    def _sleep(self, seconds: float, connection: Connection | None = None) -> None:
        """Wait until there is something to do."""
        wake = self._wake
        if wake is None:
            return
        poll = select.poll()
        poll.register(wake[0], select.POLLIN)
        if connection is not None:
            poll.register(connection.fileno(), select.POLLIN)
        poll.poll(1000 * seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(wake[0], 4096)
