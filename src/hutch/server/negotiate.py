"""Tickets of Kerberos that requests carry (RFC 4559), checked with the keys of the service.

A ticket tells a principal; who that is here, is for the store to say.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hutch.config.settings import ServerSettings
from hutch.elog.tickets import load_gssapi, one_line
from hutch.errors import AccessDeniedError, ConfigurationError

__all__ = ["Acceptor", "configured_acceptor", "presented_token"]

_MOST_BYTES = 64 * 1024
"""Of a token: no ticket is that long, and nobody known has sent it yet."""

_REMEDY = "Get a new ticket with: kinit"


class Acceptor:
    """Checks tickets of one service; several threads may use it at once.

    :param keytab: the file with the keys.
    :param realm: whose users are users here.
    :param service: the principal whose tickets are taken, ``HTTP@host`` or ``HTTP/host@REALM``; empty takes
        those of every service that the keytab has keys of.
    :param replay_cache: the file that tells which tickets have been seen, for all processes that serve; the
        system's own if none is given.
    :param reuse_s: for how many seconds a token that was taken may be sent again to this acceptor. Clients of
        LCLS's logbook make one and send it with all their requests, for as long as Kerberos lets them, which
        is five minutes; 0 takes each once.
    :param clock: tells seconds that only grow.
    :raises ConfigurationError: if the keytab can't be read, or has no keys of the service.
    :raises MissingExtraError: if ``gssapi`` is not installed.
    """

    def __init__(
        self,
        keytab: Path,
        realm: str,
        *,
        service: str = "",
        replay_cache: Path | None = None,
        reuse_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gssapi = load_gssapi("Checking tickets of Kerberos")
        self._realm = realm
        self._taken = _Taken(reuse_s, clock)
        _check_readable(keytab)
        where = {"keytab": f"FILE:{keytab}"}
        if replay_cache is not None:
            where["rcache"] = f"file2:{replay_cache}"
        try:
            self._credentials = self._gssapi.Credentials(
                name=self._name(service) if service else None, usage="accept", store=where
            )
        except self._gssapi.exceptions.GSSError as error:
            of = f" of {service!r}" if service else ""
            msg = f"The keytab {str(keytab)!r} can't be used: it has no keys{of} ({one_line(error)})."
            raise ConfigurationError(msg) from error

    def step(self, token: bytes) -> tuple[str, bytes]:
        """Check a token.

        :returns: the principal who sends it, as ``ada@FACILITY.ORG``, and what is answered, with which the
            service proves who it is; it may be empty.
        :raises AccessDeniedError: if it is no ticket of this service, has expired, or was sent before.
        """
        if not token or len(token) > _MOST_BYTES:
            msg = f"No ticket of Kerberos: {len(token)} bytes. {_REMEDY}"
            raise AccessDeniedError(msg)
        known = self._taken.find(token)
        if known is not None:
            return known
        try:
            context = self._gssapi.SecurityContext(creds=self._credentials, usage="accept")
            reply = context.step(token)
            # An error that has an answer is raised by the next look at the context, which is this one.
            is_complete = context.complete
            principal = str(context.initiator_name) if is_complete else ""
        except self._gssapi.exceptions.GSSError as error:
            msg = f"The ticket of Kerberos is not taken: {one_line(error)}. {_REMEDY}"
            raise AccessDeniedError(msg) from error
        if not is_complete:
            msg = f"The ticket of Kerberos is not taken: it needs a second message. {_REMEDY}"
            raise AccessDeniedError(msg)
        return self._taken.keep(token, (principal, reply or b""))

    def user(self, principal: str) -> str:
        """Return the name of the user that a principal is: ``ada`` of ``ada@FACILITY.ORG``.

        :raises AccessDeniedError: if it is of another realm, or no user but a service or a role.
        """
        name, _, realm = principal.rpartition("@")
        if realm != self._realm:
            msg = f"{principal!r} is no user here. Users of the realm {self._realm!r} are."
            raise AccessDeniedError(msg)
        # With an instance, "ada/admin", or escaped characters it is somebody else than the user of that name.
        if not name or set(name) & set("/@\\"):
            msg = (
                f"{principal!r} is no user here: the name of a user, as in 'ada@{self._realm}', was expected."
            )
            raise AccessDeniedError(msg)
        return name

    def _name(self, service: str) -> Any:
        types = self._gssapi.NameType
        kind = types.kerberos_principal if "/" in service else types.hostbased_service
        return self._gssapi.Name(service, kind)


class _Taken:
    """What tokens told that were taken a moment ago; of the tokens only digests are kept."""

    def __init__(self, keep_s: float, clock: Callable[[], float]) -> None:
        self._keep_s = keep_s
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[bytes, tuple[float, tuple[str, bytes]]] = {}

    def find(self, token: bytes) -> tuple[str, bytes] | None:
        digest = hashlib.sha256(token).digest()
        with self._lock:
            taken_at, told = self._told.get(digest, (0.0, None))
        return told if told is not None and self._clock() - taken_at < self._keep_s else None

    def keep(self, token: bytes, told: tuple[str, bytes]) -> tuple[str, bytes]:
        if self._keep_s <= 0:
            return told
        now = self._clock()
        with self._lock:
            # They stand in the order in which they came.
            while self._told:
                oldest = next(iter(self._told))
                if now - self._told[oldest][0] < self._keep_s:
                    break
                del self._told[oldest]
            self._told[hashlib.sha256(token).digest()] = (now, told)
        return told


def configured_acceptor(settings: ServerSettings) -> Acceptor | None:
    """Return what checks tickets as ``[server]`` says; None if no keytab is named.

    :raises ConfigurationError: if the realm is not named, or the keytab can't be used.
    :raises MissingExtraError: if ``gssapi`` is not installed.
    """
    if settings.keytab is None:
        return None
    if settings.realm is None:
        msg = (
            f"There is a keytab {str(settings.keytab)!r} and no realm. Name the one whose users are users "
            "here in hutch.toml, as in: [server] realm = 'FACILITY.ORG'"
        )
        raise ConfigurationError(msg)
    return Acceptor(settings.keytab, settings.realm, reuse_s=settings.ticket_reuse_s)


def presented_token(header: str) -> bytes | None:
    """Return the token in a header ``Authorization: Negotiate …``; None if it is another one.

    :raises AccessDeniedError: if it can't be read.
    """
    scheme, _, text = header.strip().partition(" ")
    if scheme.lower() != "negotiate":
        return None
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        msg = f"What follows 'Negotiate' is no base64: {error}."
        raise AccessDeniedError(msg) from error


def _check_readable(keytab: Path) -> None:
    try:
        with keytab.open("rb"):
            return
    except OSError as error:
        msg = (
            f"The keytab {str(keytab)!r} can't be read: {error.strerror}. Make one with: "
            f"kadmin -q 'ktadd -k {keytab} HTTP/HOST'"
        )
        raise ConfigurationError(msg) from error
