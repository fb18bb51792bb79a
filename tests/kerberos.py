"""A private realm of Kerberos for tests: a real KDC, with keys of a service and of users."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

__all__ = ["REALM", "SERVICE", "Realm", "missing"]

REALM = "HUTCH.TEST"
SERVICE = f"HTTP/localhost@{REALM}"

_PROGRAMS = ("krb5kdc", "kdb5_util", "kadmin.local", "kinit", "kdestroy")
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
_PR_SET_PDEATHSIG = 1

_CLIENT = """
[libdefaults]
  default_realm = {realm}
  dns_lookup_realm = false
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
[domain_realm]
  localhost = {realm}
"""

_SERVER = """
[kdcdefaults]
  kdc_listen = 127.0.0.1:{port}
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {folder}/principal
    key_stash_file = {folder}/stash
    acl_file = {folder}/acl
    max_life = 1h
  }}
[logging]
  kdc = FILE:{folder}/kdc.log
"""


def missing() -> str | None:
    """Say why there can be no realm here; None if there can be one."""
    lacking = [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]
    if lacking:
        packages = "krb5-kdc krb5-admin-server krb5-user libkrb5-dev"
        return f"there is no {', '.join(lacking)}; on Debian: apt-get install {packages}"
    if find_spec("gssapi") is None:
        return "there is no gssapi; install it with: make kerberos"
    return None


class Realm:
    """A KDC in a folder of its own, on a port of its own.

    :ivar environment: the variables with which programs find it.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hutch-krb-"))
        self.port = _free_port()
        self.environment = {
            "KRB5_CONFIG": f"{self.folder}/krb5.conf",
            "KRB5_KDC_PROFILE": f"{self.folder}/kdc.conf",
            "KRB5CCNAME": f"FILE:{self.folder}/tickets",
        }
        values = {"realm": REALM, "port": self.port, "folder": self.folder}
        (self.folder / "krb5.conf").write_text(_CLIENT.format(**values))
        (self.folder / "kdc.conf").write_text(_SERVER.format(**values))
        # The system watches the thread that starts the KDC, so it must be one that stays.
        self._starter = ThreadPoolExecutor(1)
        self._run("kdb5_util", "-r", REALM, "create", "-s", "-P", "of-the-tests")
        self.keytab = self.add(SERVICE)
        self._start()

    def add(self, principal: str) -> Path:
        """Make a principal; return the file with its keys."""
        keytab = self.folder / f"{principal.replace('/', '_')}.keytab"
        for query in (f"addprinc -randkey {principal}", f"ktadd -k {keytab} {principal}"):
            self._run("kadmin.local", "-r", REALM, "-q", query)
        return keytab

    def kinit(self, principal: str, *options: str) -> None:
        """Fetch a ticket as the user does whose name it is."""
        keytab = self.folder / f"{principal.replace('/', '_')}.keytab"
        self._run("kinit", *options, "-k", "-t", str(keytab), principal)

    def kdestroy(self) -> None:
        """Throw all tickets away."""
        self._run("kdestroy", "-q", "-A")

    def remove(self) -> None:
        """Stop the KDC and delete all it has."""
        self._kdc.terminate()
        self._kdc.wait(timeout=30)
        self._starter.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        self._kdc = self._starter.submit(
            subprocess.Popen,
            [shutil.which("krb5kdc", path=_PATH), "-n", "-r", REALM],
            env=os.environ | self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_end_with_parent,
        ).result()
        deadline = time.monotonic() + 30
        while True:
            with (
                contextlib.suppress(ConnectionRefusedError),
                socket.create_connection(("127.0.0.1", self.port), timeout=5),
            ):
                return
            if time.monotonic() > deadline or self._kdc.poll() is not None:
                raise RuntimeError((self.folder / "kdc.log").read_text()[-2000:])
            time.sleep(0.01)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [shutil.which(program, path=_PATH), *arguments],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=30,
        )
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stderr}")


def _end_with_parent() -> None:
    """Have the system stop the KDC when the tests are killed (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
