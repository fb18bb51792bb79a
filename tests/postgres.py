"""A private PostgreSQL server for tests; those that ask stop it, kill it and start it again."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path

import psutil
import psycopg

__all__ = ["PostgresServer", "find_programs", "missing"]

_USER = "postgres"


def find_programs() -> Path | None:
    """Return the folder of the server's programs, the newest if there are several."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    on_path = shutil.which("initdb")
    return versions[-1] if versions else Path(on_path).parent if on_path else None


def missing() -> str | None:
    """Say why no server can be started here; None if one can."""
    if find_programs() is None:
        return "there is no initdb; on Debian: apt-get install postgresql"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(_USER)
        except KeyError:
            return f"there is no user {_USER!r}, and root may not run the server"
    return None


class PostgresServer:
    """A server in a folder of its own, on a port of its own."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hutch-pg-"))
        self.port = _free_port()
        self._programs = find_programs()
        self._user = _USER if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        if self._user:
            shutil.chown(self.folder, self._user)
        initdb = [f"{self._programs}/initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", _USER]
        initdb += ["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(initdb, check=True, capture_output=True, user=self._user, cwd=self.folder, timeout=60)
        self.start()

    def address(self, database: str = "postgres", *, host: str | None = None, port: int | None = None) -> str:
        """Return the address of a database, through the server's socket unless a host is given."""
        place = f"{host}:{port or self.port}" if host else ""
        query = "" if host else f"?host={self.folder}&port={self.port}"
        return f"postgresql://{_USER}@{place}/{database}{query}"

    def make_database(self) -> str:
        """Make an empty database; return its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def execute(self, statement: str, database: str = "postgres") -> list[tuple]:
        """Execute a statement as the administrator; return its rows."""
        with psycopg.connect(self.address(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def start(self, **settings: object) -> None:
        """Start the server with settings of its configuration, and wait until it answers."""
        command = [f"{self._programs}/postgres", "-D", f"{self.folder}/data", "-p", f"{self.port}"]
        # Not onto the disk: a test may kill the server, but does not cut the power.
        defaults = {"unix_socket_directories": self.folder, "listen_addresses": "127.0.0.1", "fsync": "off"}
        for name, value in (defaults | settings).items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, user=self._user, cwd=self.folder, start_new_session=True
            )
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                self.execute("SELECT 1")
                return
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop the server as its administrator does; whoever is connected is told."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=30)

    def kill(self) -> None:
        """Kill the server and all that it started, as the system does when it runs out of memory."""
        server = psutil.Process(self._process.pid)
        server.suspend()
        for child in server.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        server.kill()
        self._process.wait(timeout=30)

    def remove(self) -> None:
        """Stop the server and delete all it has."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
