"""Statements on their way to the server, many at a time.

The driver's own pipeline sends each statement by itself; here they are collected until somebody wants an
answer, which halves the work of both sides. Statements are prepared when they are said for the first time.
"""

from __future__ import annotations

import contextlib
import re
import select
from collections import deque
from collections.abc import Iterable
from functools import cache
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult

from hutch.store.postgres.connections import Connection

__all__ = ["Answer", "Pipeline"]

_GLANCE_MS = 100
_FINE = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})

_names: WeakKeyDictionary[Connection, dict[tuple[str, tuple[int, ...]], bytes]] = WeakKeyDictionary()
"""Names of the statements that are prepared on a connection, by their text and the types of their values."""

_numbers = count(1)


class Answer:
    """Where the answer to a statement will be; reading it waits for it and for all before it."""

    __slots__ = ("_pipeline", "_result", "_row", "_rows")

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._result: PGresult | None = None
        self._rows: list[tuple[Any, ...]] | None = None
        self._row = 0

    @property
    def rowcount(self) -> int:
        """How many rows the statement changed."""
        return self._arrived().command_tuples or 0

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row."""
        rows = self.fetchall()
        self._row += 1
        return rows[self._row - 1] if self._row <= len(rows) else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows."""
        if self._rows is None:
            self._rows = self._pipeline.rows_of(self._arrived())
        return self._rows

    def take(self, result: PGresult) -> None:
        """Note the server's answer."""
        self._result = result

    def _arrived(self) -> PGresult:
        if self._result is None:
            self._pipeline.fetch(self)
        if self._result is None:
            raise psycopg.InterfaceError("the statement was not executed")
        return self._result

    @property
    def is_there(self) -> bool:
        """True once the server has answered."""
        return self._result is not None


class _Preparation:
    """The answer to the preparation of a statement."""

    __slots__ = ("key", "names")

    def __init__(self, names: dict[Any, bytes], key: Any) -> None:
        self.names, self.key = names, key

    def take(self, result: PGresult) -> None:
        """Nothing follows from it."""

    def forget(self) -> None:
        """Forget a statement that could not be prepared."""
        self.names.pop(self.key, None)


class Pipeline:
    """The statements of one transaction, as a cursor; to be ended by :meth:`end` or :meth:`give_up`.

    :param connection: that is used for nothing else meanwhile.
    :ivar rowcount: of all rows that were changed by the last :meth:`executemany`.
    """

    def __init__(self, connection: Connection) -> None:
        self._pgconn = connection.pgconn
        self._transformer = Transformer(connection)
        self._names = _names.setdefault(connection, {})
        self._waiting: deque[Answer | _Preparation] = deque()
        self._many: list[Answer] = []
        self._poll = select.poll()
        self._is_ending = False
        self._pgconn.enter_pipeline_mode()

    def execute(self, text: str, values: tuple[Any, ...] = ()) -> Answer:
        """Collect a statement; return where its answer will be."""
        dumped = self._transformer.dump_sequence(values, [PyFormat.AUTO] * len(values))
        types = tuple(self._transformer.types or ())
        key = (text, types)
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = b"hutch_%d" % next(_numbers)
            self._pgconn.send_prepare(name, _numbered(text), types)
            self._waiting.append(_Preparation(self._names, key))
        self._pgconn.send_query_prepared(name, dumped, self._transformer.formats, Format.BINARY)
        answer = Answer(self)
        self._waiting.append(answer)
        return answer

    def executemany(self, text: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Collect a statement for several rows of values."""
        self._many = [self.execute(text, row) for row in rows]

    @property
    def rowcount(self) -> int:
        """How many rows the last :meth:`executemany` changed."""
        return sum(answer.rowcount for answer in self._many)

    def rows_of(self, result: PGresult) -> list[tuple[Any, ...]]:
        """Return the rows of a result as Python's values."""
        self._transformer.set_pgresult(result, format=Format.BINARY)
        return self._transformer.load_rows(0, result.ntuples, tuple)

    def fetch(self, wanted: Answer) -> None:
        """Send what was collected, and read until an answer is there.

        :raises psycopg.Error: if a statement failed; those after it are not executed.
        """
        self._pgconn.send_flush_request()
        self._send()
        while self._waiting and not wanted.is_there:
            self._read()

    def end(self, text: str) -> None:
        """Send what was collected and a last statement, read all answers, and leave the connection.

        :raises psycopg.Error: if a statement failed; those after it are not executed.
        """
        self._is_ending = True
        self._pgconn.send_query_params(text.encode(), None)
        self._waiting.append(Answer(self))
        self._pgconn.pipeline_sync()
        self._send()
        while self._waiting:
            self._read()
        self._leave()

    def give_up(self) -> None:
        """Take back the transaction, and leave the connection to others.

        :raises psycopg.Error: if the connection is lost.
        """
        if not self._is_ending:
            self._pgconn.pipeline_sync()
            self._send()
        while self._waiting:
            with contextlib.suppress(psycopg.DatabaseError):
                self._read()
        self._leave()
        self._pgconn.exec_(b"ROLLBACK")

    def _leave(self) -> None:
        """Read the end of all answers."""
        self._next_result()
        self._pgconn.exit_pipeline_mode()

    def _read(self) -> None:
        """Read the next answer."""
        place = self._waiting.popleft()
        result = self._next_result()
        if result is None:
            raise psycopg.OperationalError("the connection to the server is lost: an answer is missing")
        self._next_result()
        if result.status in _FINE:
            place.take(result)
            return
        if isinstance(place, _Preparation):
            place.forget()
        if result.status != ExecStatus.PIPELINE_ABORTED:
            raise psycopg.errors.error_from_result(result)

    def _next_result(self) -> PGresult | None:
        while self._pgconn.is_busy():
            self._wait(select.POLLIN)
            self._pgconn.consume_input()
        return self._pgconn.get_result()

    def _send(self) -> None:
        while self._pgconn.flush():
            # The server may want to be rid of answers before it takes more.
            if self._wait(select.POLLIN | select.POLLOUT) & select.POLLIN:
                self._pgconn.consume_input()

    def _wait(self, for_what: int) -> int:
        self._poll.register(self._pgconn.socket, for_what)
        # Now and then Python looks whether somebody has pressed Ctrl-C.
        while not (events := self._poll.poll(_GLANCE_MS)):
            pass
        return events[0][1]


@cache
def _numbered(text: str) -> bytes:
    """Return a statement with its parameters as ``$1``, ``$2`` instead of ``%s``."""
    numbers = count(1)
    return re.sub("%(.)", lambda found: f"${next(numbers)}" if found[1] == "s" else found[1], text).encode()
