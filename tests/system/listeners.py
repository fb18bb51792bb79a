"""Listeners for tests: in a thread, and as the whole program; and what waits for them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hutch.documents import decode, encode_lossy, is_same
from hutch.listening import Listener, Status

from . import killed_worker as worker
from . import published_runs

LATEST_S = 30.0


def wait_until(condition: Callable[[], Any], what: str = "") -> Any:
    """Return what a condition gives as soon as that is true."""
    deadline = time.monotonic() + LATEST_S
    beat = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, what or "it took too long"
        beat.wait(0.01)
    return found


class Listening:
    """A listener in a thread of this process: ``with Listening(store, source) as listening:``."""

    def __init__(self, store: Any, source: Any, **options: Any) -> None:
        self.said: list[str] = []
        self.status = Status()
        self.error: BaseException | None = None
        self.listener = Listener(store, source, say=self.said.append, **options)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Listening:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.stop()
        self._thread.join(LATEST_S)
        assert not self._thread.is_alive()

    def wait(self, condition: Callable[[Status], Any]) -> Status:
        """Wait until the status is as it should be."""
        wait_until(lambda: condition(self.status) or self.error is not None, f"{self.status} {self.said}")
        assert self.error is None, self.error
        return self.status

    def wait_said(self, text: str) -> str:
        """Wait until something is said."""
        return wait_until(lambda: next((line for line in self.said if text in line), ""), f"{self.said}")

    def wait_end(self) -> None:
        """Wait until it ends by itself."""
        self._thread.join(LATEST_S)
        assert not self._thread.is_alive()
        assert self.error is None, self.error

    def _run(self) -> None:
        def tick(status: Status) -> None:
            self.status = status

        try:
            self.listener.run(tick)
        except BaseException as error:
            self.error = error
        self.status = self.listener.status


class Program:
    """``hutch listen`` as a process of its own, with ``--json``."""

    def __init__(self, *arguments: str, store: Any) -> None:
        command = [sys.executable, "-m", "hutch.cli", "listen", *arguments, "--json", "--store", str(store)]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        self.statuses: list[dict[str, Any]] = []
        self.said: list[str] = []
        self._threads = [
            threading.Thread(target=self._read, args=(self.process.stdout, self._take_status)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.said.append)),
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, condition: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Wait until a status is as it should be, and return it."""
        return wait_until(
            lambda: next((status for status in self.statuses if condition(status)), None),
            f"{self.statuses[-1:]} {self.said}",
        )

    def wait_said(self, text: str) -> str:
        """Wait until something is said."""
        return wait_until(lambda: next((line for line in self.said if text in line), ""), f"{self.said}")

    def end(self, number: int | None = signal.SIGTERM) -> int:
        """Send a signal, or none, wait for the end, and return the exit status."""
        if number is not None:
            self.process.send_signal(number)
        status = self.process.wait(LATEST_S)
        for thread in self._threads:
            thread.join(LATEST_S)
        self.process.stdout.close()
        self.process.stderr.close()
        return status

    def close(self) -> None:
        """End it, if it has not."""
        if self.process.returncode is None:
            self.end(signal.SIGKILL)

    def _read(self, pipe: Any, take: Callable[[str], object]) -> None:
        for line in pipe:
            take(line.rstrip("\n"))

    def _take_status(self, line: str) -> None:
        self.statuses.append(json.loads(line))


def assert_recorded(run: Any, sent: list[tuple[str, Any]]) -> None:
    """Check that a run replays what was sent, in that order."""
    found = [(name, document) for name, document in run.documents(fill="no")]
    kinds, wanted = ([name for name, _ in documents] for documents in (found, sent))
    assert kinds == wanted, (len(kinds), len(wanted), kinds, wanted)
    for (_, got), (_, want) in zip(found, sent, strict=True):
        plain = [decode(encode_lossy(document)[0]) for document in (got, want)]
        assert is_same(*plain), plain


class Engine:
    """The program that scans and publishes."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, published_runs.__file__, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert decode(self._process.stdout.readline().encode())[0] == "ready"

    def scan(self, points: int) -> list[tuple[str, Any]]:
        """Scan and return the documents; of 0 points, publish something without a meaning."""
        self._process.stdin.write(f"{points}\n")
        self._process.stdin.flush()
        found = []
        while True:
            name, document = decode(self._process.stdout.readline().encode())
            if name == "done":
                return found
            found.append((name, document))

    def close(self) -> None:
        """Wait for its end."""
        self._process.communicate(timeout=30)


def documents_of(uid: str, count: int, end: bool = True) -> Iterator[tuple[str, Any]]:
    """Yield the documents of a run."""
    yield "start", worker.start_of(uid)
    yield "descriptor", worker.descriptor_of(uid)
    for number in range(1, count + 1):
        yield "event", worker.event_of(uid, number)
    if end:
        yield "stop", worker.stop_of(uid, count)


def fill(file: Path) -> None:
    """Leave no room on a disk."""
    with file.open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(bytes(4096))
