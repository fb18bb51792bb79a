"""A program that amends and deletes runs until it is killed, and says what it was told is done.

It waits for lines ``<address> <task>`` and forks a child for each, so that a child costs milliseconds. The
child looks at the store there, says ``pid <process id>``, and writes a line for everything that returned:
``amended <uid>``, ``deleted <uid>``, ``complete`` if it had the time, and in the end ``gone``.
"""

from __future__ import annotations

import os
import signal
import sys

import hutch.catalogs.changing.amending
import hutch.catalogs.changing.deleting
import hutch.catalogs.changing.retention
import hutch.store.postgres.store  # noqa: F401 - loaded before the fork, which is what this program is for
from hutch.catalogs import Catalog
from hutch.store import open_store


def say(*words: object) -> None:
    """Write a line that is there at once and whole."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def amend(catalog: Catalog, value: int) -> None:
    """Amend every run."""
    runs = list(catalog.values())
    say("pid", os.getpid())
    for run in runs:
        run.amend({"sample.name": f"S{value}", "value": value}, remove=["typo"], reason=f"value {value}")
        say("amended", run.uid)


def delete(catalog: Catalog) -> None:
    """Delete the runs that are to be deleted by name."""
    plan = catalog.plan_deletion([run for run in catalog.values() if run.start["fate"] == "delete"])
    say("pid", os.getpid())
    plan.execute("a test", progress=lambda done, _: say("deleted", plan.runs[done - 1].uid))


def retain(catalog: Catalog) -> None:
    """Apply the rules of retention."""
    plan = catalog.retention.plan()
    say("pid", os.getpid())
    plan.execute(progress=lambda done, _: say("deleted", plan.runs[done - 1].uid))


def work(address: str, task: str) -> None:
    """Do one task in a store, and wait for the end."""
    catalog = Catalog(open_store(address, create=False))
    word, _, value = task.partition("-")
    if word == "amend":
        amend(catalog, int(value))
    else:
        {"delete": delete, "retain": retain}[word](catalog)
    say("complete")
    while True:
        signal.pause()


def main() -> None:
    """Fork a child for every line, and wait for its end."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            try:
                work(*line.split())
            finally:
                os._exit(1)
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    main()
