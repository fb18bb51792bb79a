"""Who asks, below each prefix, which takes one kind of proof and no other; no cookie is one.

====================  ==========================================================================
``/ws/…``             nothing is asked for: what everybody may see
``/ws-auth/…``        HTTP Basic: a user's name and password
``/ws-kerb/…``        Negotiate: a ticket of Kerberos (RFC 4559)
``/ws-jwt/…``         Bearer: a key, or the token that a job was given
``/ws-jobs/…``        Bearer, or the secret in the address itself: counters of jobs
====================  ==========================================================================

Browsers send passwords and tickets with what other sites' pages ask for. So what changes something is taken
from programs, and from pages of this server.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.requests import Request

from hutch.access import PUBLIC, Identity
from hutch.errors import AccessDeniedError
from hutch.logbook import Job
from hutch.server.access import BASIC, Gate, is_foreign_page
from hutch.server.books import Book
from hutch.server.negotiate import Acceptor, presented_token

__all__ = ["JOBS", "OPEN", "PREFIXES", "Asker", "admit", "check_origin", "identify"]

OPEN, PASSWORD, TICKET, TOKEN, JOBS = "ws", "ws-auth", "ws-kerb", "ws-jwt", "ws-jobs"
PREFIXES = (OPEN, PASSWORD, TICKET, TOKEN, JOBS)

_CHALLENGES = {
    OPEN: BASIC,
    PASSWORD: BASIC,
    TICKET: "Negotiate",
    TOKEN: 'Bearer realm="hutch"',
    JOBS: 'Bearer realm="hutch"',
}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who sends a request.

    :ivar identity: None if nobody known does, or a job.
    :ivar job: the job that a token was given to, and the logbook that has it.
    :ivar headers: that the answer bears, with which the server proves who it is.
    """

    identity: Identity | None = None
    job: tuple[Book, Job] | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """True if somebody known asks, or everybody may."""
        return self.identity is not None or self.job is not None


def identify(
    request: Request, prefix: str, gate: Gate, books: Sequence[Book], acceptor: Acceptor | None
) -> Asker:
    """Return who sends a request, by the proof that a prefix takes; it may take its time.

    :raises HTTPException: 401 if the proof is none, or is wrong.
    :raises TooManyAttemptsError: if too many wrong passwords were given for a name.
    """
    header = request.headers.get("authorization", "")
    if prefix == PASSWORD:
        return _of_password(header, gate)
    if prefix == TICKET:
        return _of_ticket(header, gate, acceptor)
    if prefix in (TOKEN, JOBS):
        return _of_token(header, gate, books, prefix)
    return Asker(PUBLIC if gate.public else None)


def admit(asker: Asker, prefix: str) -> None:
    """Raise if nobody known asks.

    :raises HTTPException: 401, saying where who is known asks.
    """
    if not asker.is_known:
        msg = "Who asks must be known here: ask below /ws-auth, /ws-kerb or /ws-jwt instead of /ws."
        raise _unknown(prefix, msg)


def check_origin(request: Request) -> None:
    """Raise if a page of another site asks that something be changed.

    :raises HTTPException: 403.
    """
    if is_foreign_page(request):
        raise HTTPException(403, "Pages of other sites change nothing here.")


def _of_password(header: str, gate: Gate) -> Asker:
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        raise _unknown(PASSWORD, "A name and a password are needed, as HTTP Basic has them.")
    try:
        name, _, password = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise _unknown(PASSWORD, "The name and the password can't be read.") from None
    found = gate.identify_user(name, password) if name else None
    if found is None:
        raise _unknown(PASSWORD, "The name or the password is wrong.")
    return Asker(found)


def _of_ticket(header: str, gate: Gate, acceptor: Acceptor | None) -> Asker:
    if acceptor is None:
        msg = (
            "This server takes no tickets of Kerberos: it has no keytab. Ask below /ws-auth with a name and "
            "a password, or below /ws-jwt with a key."
        )
        raise _unknown(TICKET, msg)
    try:
        token = presented_token(header)
        if token is None:
            raise _unknown(TICKET, "A ticket of Kerberos is needed. Get one with: kinit")
        principal, answer = acceptor.step(token)
        user = acceptor.user(principal)
    except AccessDeniedError as error:
        raise _unknown(TICKET, str(error)) from error
    found = gate.identify_known(user)
    if found is None:
        msg = f"{user!r} is no user here. An administrator adds them with: hutch user add {user}"
        raise HTTPException(403, msg)
    text = base64.b64encode(answer).decode()
    return Asker(found, headers={"WWW-Authenticate": f"Negotiate {text}"} if answer else {})


def _of_token(header: str, gate: Gate, books: Sequence[Book], prefix: str) -> Asker:
    scheme, _, text = header.partition(" ")
    token = text.strip()
    if scheme.lower() != "bearer" or not token:
        raise _unknown(prefix, "A key is needed, as in the header 'Authorization: Bearer …'.")
    found = gate.identify_key(token)
    if found is not None:
        return Asker(found)
    for book in books:
        try:
            return Asker(job=(book, book.logbook.job_of_token(token)))
        except AccessDeniedError:
            continue
    raise _unknown(prefix, "The key, or the token, is not known here, or has expired.")


def _unknown(prefix: str, message: str) -> HTTPException:
    return HTTPException(401, message, {"WWW-Authenticate": _CHALLENGES[prefix]})
