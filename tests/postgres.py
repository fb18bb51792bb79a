"""A private PostgreSQL server for tests; those that ask stop it, kill it and start it again."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import psutil
import psycopg

__all__ = ["GUARDED", "PostgresServer", "Proxy", "find_programs", "missing"]

GUARDED = "guarded"
"""A user that must give a password, once a test has made it."""

_USER = "postgres"
_PR_SET_PDEATHSIG = 1


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
        # The system watches the thread that starts the server, so it must be one that stays.
        self._starter = ThreadPoolExecutor(1)
        self._numbers = count(1)
        self._template: str | None = None
        self.own(self.folder)
        initdb = [f"{self._programs}/initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", _USER]
        initdb += ["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(initdb, check=True, capture_output=True, user=self._user, cwd=self.folder, timeout=60)
        rules = self.folder / "data" / "pg_hba.conf"
        rules.write_text(f"host all {GUARDED} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        self.start()

    def address(
        self, database: str = "postgres", *, user: str = _USER, host: str = "", port: int | None = None
    ) -> str:
        """Return the address of a database, through the server's socket unless a host is given."""
        if host:
            return f"postgresql://{user}@{host}:{port or self.port}/{database}"
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"

    def program(self, name: str) -> str:
        """Return the path of one of the server's programs."""
        return f"{self._programs}/{name}"

    def own(self, folder: Path) -> None:
        """Let a folder belong to the user who runs the server."""
        if self._user:
            shutil.chown(folder, self._user)

    def make_database(self, template: str = "template1", tablespace: str = "pg_default") -> str:
        """Make a database that is empty, or like another one; return its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} TABLESPACE {tablespace}")
        return name

    def make_store(self, files: Path, tablespace: str = "pg_default") -> str:
        """Make a database with a store; return its address. A copy of the first one, which is faster."""
        from hutch.store import open_store
        from hutch.store.postgres.opening import MARKER

        if self._template is None:
            self._template = self.make_database()
            open_store(self.address(self._template), files=self.folder / "files").close()
        name = self.make_database(self._template, tablespace)
        uid = uuid.uuid4().hex
        for key, value in (("store", uid), ("files", files)):
            self.execute(f"UPDATE properties SET value = '{value}' WHERE key = '{key}'", name)  # noqa: S608
        (files / "files").mkdir(parents=True)
        (files / MARKER).write_text(f"{uid}\n")
        return self.address(name)

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
            self._process = self._starter.submit(
                subprocess.Popen,
                command,
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            ).result()
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
        children = server.children(recursive=True)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        server.kill()
        self._process.wait(timeout=30)
        # A new server does not begin while one of them holds on to the memory that they shared.
        psutil.wait_procs(children, timeout=30)

    def kill_process(self, pid: int) -> None:
        """Kill one process of the server, which then ends all others, recovers and goes on by itself."""
        os.kill(pid, signal.SIGKILL)

    def remove(self) -> None:
        """Stop the server and delete all it has."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        self._starter.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)


def _end_with_parent() -> None:
    """Have the system stop the server when the tests are killed (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Proxy:
    """A way to the server that can be cut at a chosen point; it takes one connection after the other.

    :ivar port: on the loopback interface.
    :ivar cut: what a client says that its connection does not survive, or None.
    :ivar is_delivered: False if the server shall not even hear that.
    :ivar is_held_back: True if the answer is not given, and the connection left open.
    :ivar refuses: True if it takes no new connections.
    :ivar cuts: how many connections were cut.
    """

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.cut: bytes | None = None
        self.is_delivered = True
        self.is_held_back = False
        self.refuses = False
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.refuses:
                    client.close()
                    continue
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        is_cut = False
        with client, socket.create_connection(("127.0.0.1", self._server.port)) as server:
            while True:
                for readable in select.select([client, server], [], [])[0]:
                    said = readable.recv(65536)
                    if not said:
                        return
                    if is_cut and readable is server and b"COMMIT\0" in said:
                        if self.is_held_back:
                            continue
                        return
                    if readable is client and self.cut is not None and self.cut in said:
                        self.cut, is_cut = None, True
                        self.cuts += 1
                        if not self.is_delivered:
                            return
                    (server if readable is client else client).sendall(said)
