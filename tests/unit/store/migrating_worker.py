"""A program that opens old stores, and is killed when it has said so many statements.

It waits for lines ``<statements> <address>`` and forks a child for each, which costs milliseconds. It writes
a line for each child: how it ended.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import Pool

import hutch.store.postgres.opening  # noqa: F401 - loaded before the fork, which is what this program is for
from hutch.store import open_store


def _die_after(statements: int) -> None:
    said = 0

    def count(*_: Any) -> None:
        nonlocal said
        said += 1
        if said > statements:
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    sa.event.listen(sa.Engine, "commit", count)
    sa.event.listen(Pool, "checkin", count)


def main() -> None:
    """Fork a child for every line, and wait for its end."""
    for line in sys.stdin:
        statements, address = line.rstrip("\n").split(" ", 1)
        child = os.fork()
        if not child:
            _die_after(int(statements))
            open_store(address).close()
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
