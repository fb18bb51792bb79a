"""Tickets of Kerberos, as HTTP carries them (RFC 4559)."""

from __future__ import annotations

import base64
from importlib import import_module
from typing import Any

from hutch.errors import AccessDeniedError, MissingExtraError

__all__ = ["SPNEGO", "load_gssapi", "negotiate_header", "one_line"]

SPNEGO = (1, 3, 6, 1, 5, 5, 2)
"""The object identifier of the mechanism (RFC 4178)."""


def load_gssapi(what: str) -> Any:
    """Return the module ``gssapi``.

    :param what: what needs it, as the beginning of a sentence.
    :raises MissingExtraError: if it is not installed, or the system lacks the library of Kerberos.
    """
    try:
        return import_module("gssapi")
    except (ImportError, OSError) as error:
        msg = (
            f"{what} needs gssapi, which can't be loaded ({error}). Install it with: "
            "pip install 'hutch[kerberos]'   It needs the library of Kerberos, on Debian: "
            "apt-get install libkrb5-dev; and a ticket: kinit"
        )
        raise MissingExtraError(msg) from error


def negotiate_header(principal: str) -> str:
    """Return a header ``Authorization`` with the ticket of whoever runs this; it serves for one request.

    :param principal: of the service, ``HTTP@host`` or ``HTTP/host@REALM``.
    :raises AccessDeniedError: if there is no ticket, or none is given for this service.
    :raises MissingExtraError: if ``gssapi`` is not installed.
    """
    gssapi = load_gssapi("A logbook behind Kerberos")
    types = gssapi.NameType
    kind = types.kerberos_principal if "/" in principal else types.hostbased_service
    try:
        context = gssapi.SecurityContext(
            name=gssapi.Name(principal, kind), usage="initiate", mech=gssapi.OID.from_int_seq(SPNEGO)
        )
        token = context.step()
    except gssapi.exceptions.GSSError as error:
        msg = f"No ticket of Kerberos for {principal!r}: {one_line(error)}. Get one with: kinit"
        raise AccessDeniedError(msg) from error
    return f"Negotiate {base64.b64encode(token or b'').decode()}"


def one_line(error: Exception) -> str:
    """Return what an error of GSSAPI says, on one line and without its full stop."""
    # Libraries of Kerberos leave the end of their strings in.
    return " ".join(str(error).replace("\0", " ").split()).rstrip(".")
