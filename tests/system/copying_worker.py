"""A program that backs up, restores and moves stores until it is killed.

It waits for lines of JSON, ``["back_up" | "restore" | "move", place, place, files or null]``, and forks a
child for each, so that a child costs milliseconds. It writes ``pid <process id>`` when the child begins, and
``gone <exit status>`` when it has ended: 0 if it did it all, below 0 for a signal.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import pyarrow as pa

import hutch.catalogs.verifying
import hutch.store.batches.unpacking  # noqa: F401 - loaded before the fork, which is what this program is for
import hutch.store.copies.postgres_side
from hutch.store.copies import backups, copying, loose_copying, moving, table_copying
from hutch.store.protocols.store import Store


def take_small_steps() -> None:
    """Do little at once: there are more moments to be killed at."""
    copying._RUNS_OF_A_PORTION = 3
    copying._FEW_RUNS = 2
    table_copying._ROWS_AT_ONCE = 50
    table_copying._BODIES_AT_ONCE = 4
    loose_copying._FEED_AT_ONCE = 50


def check(store: Store) -> list[str]:
    """Return what is wrong with a store."""
    return [str(finding) for finding in hutch.catalogs.verifying.verify(store).errors]


def copy(what: str, source: str, target: str, files: str | None) -> None:
    """Do what is asked for."""
    if what == "back_up":
        backups.back_up(source, target)
    elif what == "restore":
        backups.restore(source, target, files)
    else:
        moving.move(source, target, files, check=check)
        if what == "move and delete":
            moving.delete_old(source, target)


def say(*words: object) -> None:
    """Write a line that is there at once and whole."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def main() -> None:
    """Fork a child for every line, and wait for its end."""
    pa.array([0.0])  # the first one imports pandas
    take_small_steps()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            say("pid", os.getpid())
            copy(*json.loads(line))
            os._exit(0)
        say("gone", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
