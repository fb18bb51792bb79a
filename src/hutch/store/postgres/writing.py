"""What is written in one transaction of PostgreSQL, in as few round trips as it takes.

Statements are collected in a pipeline, and are sent when somebody reads an answer. The changes are numbered
by the store itself, without gaps, under a lock that is held from there to the end of the commit: whoever
reads a number has read all before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hutch.documents import Leaf
from hutch.store.locks import lock_number
from hutch.store.postgres.connections import Connection
from hutch.store.postgres.keeper import Keeper
from hutch.store.postgres.pipeline import Answer, Pipeline
from hutch.store.statements.runs import Statement, Statements
from hutch.store.writing.runs import DatabaseWriter

__all__ = ["PostgresWriter"]

_LOCK = "SELECT pg_advisory_xact_lock(%s)"
_ADD_LEAVES = """
INSERT INTO leaves (key, type, number, text, time, run)
SELECT leaf.key, leaf.type, leaf.number, leaf.text, %s::float8, %s
FROM unnest(%s::text[], %s::smallint[], %s::float8[], %s::text[]) AS leaf (key, type, number, text)
ON CONFLICT DO NOTHING
"""
_ADD_TERMS = """
INSERT INTO entry_terms (experiment, term, entry)
SELECT %s, term, %s FROM unnest(%s::text[]) AS term
ON CONFLICT DO NOTHING
"""
_ADD_CHANGES = """
WITH added AS (
    INSERT INTO changes (number, topic, run, reference, time)
    SELECT newest.number + change.place, change.topic, change.run, change.reference, change.time
    FROM (SELECT coalesce(max(number), 0) AS number FROM changes) AS newest,
    unnest(%s::text[], %s::bigint[], %s::text[], %s::float8[])
    WITH ORDINALITY AS change (topic, run, reference, time, place)
    RETURNING number
)
SELECT max(number), pg_notify(%s, max(number)::text) FROM added
"""


class PostgresWriter(DatabaseWriter):
    """A :class:`~hutch.store.protocols.store.Writer` on a pipeline; it begins a transaction.

    :param scope: of locks: the store's uid.
    :ivar transaction: the server's number of this transaction, after :meth:`finish`.
    """

    def __init__(
        self, pipeline: Pipeline, statements: Statements, keeper: Keeper, scope: str, channel: str
    ) -> None:
        super().__init__(pipeline, statements, keeper.owner)
        self._keeper = keeper
        self._scope = scope
        self._channel = channel
        pipeline.execute("BEGIN")
        self._number = pipeline.execute("SELECT pg_current_xact_id()::text")
        self._added: tuple[Answer, int] | None = None
        self.transaction = ""
        self._held: set[str] = set()
        """Names that are locked until this transaction ends."""

    def lock(self, name: str) -> None:
        """Wait until no other transaction holds a name; hold it to the end of this one."""
        if name not in self._held:
            # What is asked next, also through other connections, must see what the other one has written.
            self._queue_lock(name).fetchone()
            self._held.add(name)

    def add_leaves(self, run: int, time: float, leaves: Iterable[Leaf]) -> None:
        """Add rows to the index; rows that are there already are left alone."""
        rows = sorted(leaves)
        if rows:
            keys, types, numbers, texts = zip(*rows, strict=True)
            values = (_texts(keys), _numbers(types), _numbers(numbers), _texts(texts))
            self._cursor.execute(_ADD_LEAVES, (time, run, *values))

    def add_terms(self, experiment: str, entry: int, terms: Iterable[str]) -> None:
        """Let an entry be found by terms."""
        found = sorted(terms)
        if found:
            self._cursor.execute(_ADD_TERMS, (experiment, entry, _texts(found)))

    def finish(self) -> None:
        """Append what was done to the feed; the transaction must end after that.

        The server's number of it is known then, whatever becomes of the connection.
        """
        (self.transaction,) = self._number.fetchone() or ("",)
        changes, self._changes = self._changes, {}
        if not changes:
            return
        topics, runs, references = zip(*changes, strict=True)
        self._queue_lock("changes")
        times = _numbers(changes.values())
        values = (_texts(topics), _numbers(runs), _texts(references), times, self._channel)
        self._added = self._cursor.execute(_ADD_CHANGES, values), len(topics)

    def prune(self, connection: Connection) -> None:
        """Shorten the feed now and then; to be called after the commit."""
        if self._added is not None:
            answer, count = self._added
            (number, _) = answer.fetchone() or (0, None)
            self._cursor = connection
            self._prune(number, count)

    def stash(self) -> dict[str, bytes]:
        """Return the stash, which nobody else can change before this transaction ends."""
        self._queue_lock("stash")
        return dict(self._execute(self._say.stash, {}).fetchall())

    def _queue_lock(self, name: str) -> Answer:
        answer: Answer = self._cursor.execute(_LOCK, (lock_number(self._scope, name),))
        return answer

    def _execute_each(self, statement: Statement, rows: Iterable[dict[str, Any]]) -> list[bool]:
        answers = [self._execute(statement, values) for values in rows]
        return [answer.fetchone() is not None for answer in answers]

    def _claim(self) -> None:
        self._keeper.claim()


def _numbers(values: Iterable[float | None]) -> str:
    """Return numbers as an array in PostgreSQL's notation, which is faster than the driver's way."""
    return f"{{{','.join('NULL' if value is None else str(value) for value in values)}}}"


def _texts(values: Iterable[str]) -> str:
    """Return texts as an array in PostgreSQL's notation."""
    return f"{{{','.join(map(_quoted, values))}}}"


def _quoted(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
