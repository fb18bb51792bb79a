"""A worker process from its start to its end: it does one job after the other, until nobody asks any more."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.connection import Connection, wait
from typing import Any

from hutch.monitor.working.jobs import Call, Finished, Ready, Setup

__all__ = ["PRELOADED", "run_worker"]

PRELOADED = ["hutch.monitor.working.work", "matplotlib.backends.backend_agg", "matplotlib.figure", "h5py"]
"""What the process that workers are forked from has loaded."""


def run_worker(connection: Connection, setup: Setup) -> None:
    """Load the plug-ins, and do jobs until the other end is closed.

    :param connection: jobs come in, and answers go out; each job is answered with ``Finished`` at its end.
    """
    _set_up_process(setup)
    from hutch.monitor.plugins.plot_finding import find_plots
    from hutch.monitor.working.drawing import set_up
    from hutch.monitor.working.memory import Growth, limit_memory
    from hutch.monitor.working.surroundings import Surroundings
    from hutch.monitor.working.work import Work

    set_up()
    limit_memory(setup.limit_bytes)
    surroundings = Surroundings()

    def announce(origin: str) -> None:
        surroundings.return_home()
        connection.send(Call(origin, "import"))

    finds = find_plots(setup.origins, setup.shipped(), announce, setup.left_out)
    surroundings.return_home()
    surroundings.settle()
    work = Work(setup, finds, connection.send, Growth(), surroundings)
    connection.send(Ready(dict(finds.infos), tuple(finds.broken)))
    while True:
        try:
            job = connection.recv()
        except (EOFError, OSError):
            return
        work.do(job)
        connection.send(Finished())


def _set_up_process(setup: Setup) -> None:
    """Keep the terminal's signals and the standard output from plug-ins, and end when the monitor does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(setup.environment)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: Any) -> None:
    """End this process, whatever it does, when another has ended."""
    wait([sentinel])
    os._exit(1)
