"""What became of a transaction whose connection was lost while it was committed."""

from __future__ import annotations

import contextlib
import time
from typing import NamedTuple

import psycopg

from hutch.errors import StoreUnavailableError
from hutch.store.postgres.connections import Connections

__all__ = ["Doubt", "was_committed"]

_PATIENCE_S = 5.0
"""Seconds for which a server is asked that is being restarted, say."""
_PAUSE_S = 0.05

# One that still lies open has lost its client, and is ended so that its fate is decided.
_ASK = """
SELECT pg_xact_status(%s::xid8), (
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_xid = %s::xid8::xid
)
"""


class Doubt(NamedTuple):
    """A transaction of which it is not known whether it was committed."""

    transaction: str
    """The server's number of it, of 64 bit, which it never gives again."""
    process: int
    """The process id of the server's side of the connection."""


def was_committed(doubt: Doubt, connections: Connections) -> bool:
    """Find out whether a transaction was committed; when this returns, it is over.

    :raises StoreUnavailableError: if the server does not tell in time.
    :raises psycopg.Error: if the server tells something else.
    """
    deadline = time.monotonic() + _PATIENCE_S
    failure: Exception | None = None
    while True:
        try:
            with contextlib.closing(connections.open()) as connection:
                values = (doubt.transaction, doubt.process, doubt.transaction)
                (status, _) = connection.execute(_ASK, values).fetchone() or (None, None)
            if status != "in progress":
                return bool(status == "committed")
        except psycopg.errors.InvalidParameterValue:
            # "is in the future": a server that never heard of it has taken over.
            return False
        except (psycopg.OperationalError, StoreUnavailableError) as error:
            failure = error
        if time.monotonic() > deadline:
            msg = (
                f"The connection with the store {connections.address.shown!r} was lost during a commit, and "
                "the server does not tell yet whether it was done. Nothing is written until it does."
            )
            raise StoreUnavailableError(msg) from failure
        time.sleep(_PAUSE_S)
