"""``hutch serve`` with an experiment in it, as clients of LCLS's logbook find it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import hutch
from hutch.access import Access
from hutch.logbook import Logbook

__all__ = ["ACTIVE", "LOCKED", "PASSWORD", "Service", "make_store", "serve"]

ACTIVE, LOCKED = "xppx1", "xppx2"
PASSWORD = "a long password of operators"  # noqa: S105


@dataclass(frozen=True)
class Service:
    """A server that runs, and the store that it serves."""

    url: str
    store: Path
    log: Path


def make_store(folder: Path) -> None:
    """Make a store with an experiment of XPP that is active and open, and one that is locked and is not."""
    with hutch.open_catalog(folder) as catalog:
        access = Access(catalog.store)
        for user in ("xppopr", "mfxopr", "ada"):
            access.users.add(user, PASSWORD, scopes=["read", "record", "write"])
        access.experiments.create(ACTIVE, instrument="XPP", is_open=True)
        access.experiments.create(LOCKED, instrument="XPP")
        access.experiments.create("mfxx1", instrument="MFX")
        access.experiments.set_role(ACTIVE, "ada", "operator")
        access.executables.allow("/bin/true")
        Logbook(catalog).start_run(LOCKED)
        access.experiments.lock(LOCKED)
        access.experiments.activate(ACTIVE)


@contextmanager
def serve(store: Path, log: Path, **environment: str) -> Iterator[Service]:
    """Run ``hutch serve``, and stop it."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "hutch.cli", "serve", str(store), "--port", "0"],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        address = process.stdout.readline().strip()
        if not address:
            pytest.fail(log.read_text())
        yield Service(address.partition("/?")[0], store, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate(timeout=10)
