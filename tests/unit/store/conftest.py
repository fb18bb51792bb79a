"""Backends that must all pass the same tests, and rows to fill them with."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pytest

from hutch.documents import encode
from hutch.store import Store, open_store
from hutch.store.batches.arrow_files import new_batch


@dataclass
class Backend:
    """One place with a store, which may be opened several times."""

    address: str
    opened: list[Store] = field(default_factory=list)

    def open(self) -> Store:
        """Open the store once more, as another program would."""
        self.opened.append(open_store(self.address))
        return self.opened[-1]

    def start_program(self, text: str) -> subprocess.Popen[str]:
        """Start another process that has this store as ``store``; talk to it through its pipes."""
        program = "import sys\nfrom hutch.store import open_store\nstore = open_store(sys.argv[1])\n"
        return subprocess.Popen(
            [sys.executable, "-c", program + textwrap.dedent(text), self.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run_program(self, text: str) -> str:
        """Run another process to its end; return what it printed."""
        with self.start_program(text) as process:
            printed, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        return printed


def _sqlite(request: pytest.FixtureRequest) -> Backend:
    return Backend(str(request.getfixturevalue("tmp_path") / "store"))


def _postgresql(request: pytest.FixtureRequest) -> Backend:
    return Backend(request.getfixturevalue("postgres_address"))


BACKENDS: dict[str, Callable[[pytest.FixtureRequest], Backend]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
}
"""Every database that a store can be in; each must pass the tests of conformance."""


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    found = BACKENDS[request.param](request)
    yield found
    for store in found.opened:
        store.close()


@pytest.fixture
def store(backend: Backend) -> Store:
    return backend.open()


def add_run(store: Store, uid: str, time: float = 1.0, scan_id: int | None = None) -> int:
    """Add an open run; return its id."""
    with store.transaction() as writer:
        run = writer.add_run(uid, time, scan_id, encode({"uid": uid, "time": time}))
    assert run is not None
    return run


def numbers(count: int, first: int = 0) -> pa.RecordBatch:
    """Return a batch of one column of integers that count up."""
    return pa.RecordBatch.from_arrays([pa.array(range(first, first + count), pa.int64())], names=["n"])


def add_batch(store: Store, run: int, batch: pa.RecordBatch, segment: int, first_arrival: int = 1) -> None:
    """Commit a batch of the stream ``primary``."""
    made = new_batch(store.files, run, first_arrival, batch)
    with store.transaction() as writer:
        writer.add_batches(run, "primary", [made.in_segment(segment)])


def add_segment(store: Store, run: int, batch: pa.RecordBatch, stream: str = "primary") -> int:
    """Add a segment for batches like one."""
    with store.transaction() as writer:
        return writer.add_segment(run, stream, "descriptor", batch.schema.serialize().to_pybytes())
