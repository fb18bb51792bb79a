"""A PostgreSQL server of the benchmarks' own, with the defaults it comes with."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

__all__ = ["address_of_new_store", "programs", "server"]

_READY_S = 30


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, or None if there is none on this machine."""
    # Debian keeps them off the path, a folder for each version.
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if installed:
        return installed[-1]
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Start a server whose data is below a folder, and stop it afterwards.

    :returns: the address of its database ``postgres``.
    """
    found = programs()
    if found is None:
        msg = "PostgreSQL is not installed"
        raise RuntimeError(msg)
    place = Path(mkdtemp(dir=folder, prefix="postgres-"))
    # The server refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(place, user)
        place.chmod(0o755)
        folder.chmod(0o755)
    data = place / "data"
    made = [found / "initdb", "-D", data, "-A", "trust", "-U", "postgres"]
    subprocess.run(made, check=True, user=user, stdout=subprocess.DEVNULL, cwd=place)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [found / "postgres", "-D", data, "-p", str(port), "-k", place]
    command += ["-c", "listen_addresses=127.0.0.1"]
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(command, user=user, stdout=log, stderr=log, cwd=place)
    try:
        address = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        ready = [found / "pg_isready", "-q", "-d", address, "-t", str(_READY_S)]
        for _ in range(_READY_S * 10):
            if subprocess.run(ready, check=False).returncode == 0:
                break
            if process.poll() is not None:
                raise RuntimeError((place / "log").read_text())
        yield address
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(place)


def address_of_new_store(server_address: str, files: Path) -> str:
    """Make a database and a store in it; return the store's address."""
    import psycopg

    with psycopg.connect(server_address, autocommit=True) as connection:
        count = connection.execute("SELECT count(*) FROM pg_database").fetchone()[0]
        name = f"bench_{count}"
        connection.execute(f"CREATE DATABASE {name}")
    address = server_address.rpartition("/")[0] + f"/{name}"
    hutch = Path(sys.executable).with_name("hutch")
    command = [hutch, "init", address, "--files", files, "--no-config"]
    subprocess.run(command, check=True, capture_output=True)
    return address
