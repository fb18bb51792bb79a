"""A program that repairs stores, or makes their index again, until it is killed.

It waits for lines ``<what> <address>`` and forks a child for each, so that a child costs milliseconds. It
says ``pid <process id>`` when the child begins, and ``done`` or ``gone`` when it has ended.
"""

from __future__ import annotations

import os
import sys
import traceback

import pyarrow as pa

import hutch.catalogs.care.adopting
import hutch.catalogs.care.run_repairing  # noqa: F401 - loaded before the fork, which is what this program is for
from hutch.catalogs.care.reindexing import reindex
from hutch.catalogs.repairing import repair
from hutch.store import open_store


def say(*words: object) -> None:
    """Write a line that is there at once and whole."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def work(what: str, address: str) -> None:
    """Do it, and end the process."""
    try:
        store = open_store(address)
        repair(store) if what == "repair" else reindex(store)
        store.close()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> None:
    """Fork a child for every line, and wait for its end."""
    pa.array([0.0])  # the first one imports pandas
    for line in sys.stdin:
        what, address = line.split()
        child = os.fork()
        if not child:
            say("pid", os.getpid())
            work(what, address)
        _, status = os.waitpid(child, 0)
        say("gone" if status else "done")


if __name__ == "__main__":
    main()
