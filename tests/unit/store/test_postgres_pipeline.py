"""Statements that are sent together: their answers, their errors, and the connection afterwards."""

from __future__ import annotations

import math

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from hutch.store.addresses import Address
from hutch.store.postgres.connections import Connections
from hutch.store.postgres.pipeline import Pipeline


@pytest.fixture
def connection(postgres_server):
    connections = Connections(Address(postgres_server.address()))
    found = connections.open()
    found.execute("CREATE TEMP TABLE kept (n bigint PRIMARY KEY, text text, body bytea)")
    yield found
    found.close()


@pytest.fixture
def pipeline(connection):
    found = Pipeline(connection)
    found.execute("BEGIN")
    return found


def kept(connection):
    return [row[0] for row in connection.execute("SELECT n FROM kept ORDER BY n")]


def is_idle(connection):
    return connection.info.transaction_status == TransactionStatus.IDLE


def test_answers_may_be_read_in_any_order_and_late(connection, pipeline):
    first = pipeline.execute("INSERT INTO kept VALUES (%s, %s) RETURNING n, text", (1, "a%s"))
    second = pipeline.execute("SELECT n FROM kept WHERE text LIKE 'a%%'")
    third = pipeline.execute("UPDATE kept SET n = n + %s", (10,))

    assert third.rowcount == 1
    assert (second.fetchall(), second.fetchone(), second.fetchone()) == ([(1,)], (1,), None)
    pipeline.end("COMMIT")
    assert first.fetchone() == (1, "a%s")
    assert (kept(connection), is_idle(connection)) == ([11], True)


@pytest.mark.parametrize(
    "value",
    [2**63 - 1, -(2**63), math.inf, 5e-324, -0.0, "", "ä\U0010ffff", b"", bytes(range(256)), True, None],
    ids=repr,
)
def test_values_come_back_exactly(pipeline, value):
    types = {int: "bigint", float: "float8", str: "text", bytes: "bytea", bool: "bool"}
    (found,) = pipeline.execute(f"SELECT %s::{types.get(type(value), 'text')}", (value,)).fetchone()

    assert (found, type(found), repr(found)) == (value, type(value), repr(value))
    pipeline.end("COMMIT")


def test_more_than_any_buffer_holds_goes_both_ways(connection, pipeline):
    rows = [(number, "x" * 1000, b"\1" * 100_000) for number in range(200)]
    pipeline.executemany("INSERT INTO kept VALUES (%s, %s, %s)", rows)
    answers = [pipeline.execute("SELECT body FROM kept WHERE n = %s", (number,)) for number, *_ in rows]

    assert all(answer.fetchone() == (b"\1" * 100_000,) for answer in answers)
    pipeline.executemany("DELETE FROM kept WHERE n = %s", [(number,) for number in range(100, 300)])
    assert pipeline.rowcount == 100
    pipeline.end("COMMIT")
    assert kept(connection) == list(range(100))


@pytest.mark.parametrize(
    ("text", "values", "error"),
    [
        ("INSERT INTO kept VALUES (%s)", (1,), psycopg.errors.UniqueViolation),
        ("SELEC", (), psycopg.errors.SyntaxError),
        ("SELECT * FROM nowhere", (), psycopg.errors.UndefinedTable),
        ("SELECT %s::int / %s", (1, 0), psycopg.errors.DivisionByZero),
    ],
)
@pytest.mark.parametrize("when", ["when its answer is read", "at the end", "when a later answer is read"])
def test_what_fails_is_told_and_all_is_taken_back(connection, pipeline, text, values, error, when):
    pipeline.execute("INSERT INTO kept VALUES (%s)", (1,))
    failing = pipeline.execute(text, values)
    later = pipeline.execute("INSERT INTO kept VALUES (2) RETURNING n")

    with pytest.raises(error):
        {"at the end": lambda: pipeline.end("COMMIT")}.get(
            when, (later if "later" in when else failing).fetchall
        )()
    pipeline.give_up()

    assert is_idle(connection)
    assert kept(connection) == []
    with pytest.raises(psycopg.InterfaceError, match="was not executed"):
        later.fetchone()
    # And the connection is as good as new.
    again = Pipeline(connection)
    again.execute("BEGIN")
    again.execute("INSERT INTO kept VALUES (%s)", (1,))
    again.execute("INSERT INTO kept VALUES (2) RETURNING n")
    again.end("COMMIT")
    assert kept(connection) == [1, 2]


def test_giving_up_takes_back_what_was_sent_and_what_was_not(connection, pipeline):
    assert pipeline.execute("INSERT INTO kept VALUES (1) RETURNING n").fetchone() == (1,)
    pipeline.execute("INSERT INTO kept VALUES (2)")
    pipeline.give_up()

    assert (kept(connection), is_idle(connection)) == ([], True)


def test_what_the_driver_cannot_send_is_refused_before_it_is_sent(connection, pipeline):
    with pytest.raises(psycopg.DataError, match="NUL"):
        pipeline.execute("SELECT %s::text", ("\0",))
    with pytest.raises(OverflowError):
        pipeline.execute("SELECT %s", (2**63,))
    pipeline.give_up()
    assert is_idle(connection)


def test_a_lost_connection_is_told_at_every_step(connection, pipeline, postgres_server):
    pipeline.execute("SELECT 1").fetchone()
    postgres_server.execute(f"SELECT pg_terminate_backend({connection.info.backend_pid})")

    for step in (
        lambda: pipeline.execute("SELECT 2").fetchone(),
        lambda: pipeline.end("COMMIT"),
        pipeline.give_up,
    ):
        with pytest.raises(psycopg.OperationalError):
            step()
