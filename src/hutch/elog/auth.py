"""As whom a logbook is spoken to: the operator of the active experiment's instrument, else oneself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hutch.elog.profile import base_url, operator_password, service_principal
from hutch.elog.tickets import negotiate_header
from hutch.elog.transport import ask, load_requests, send
from hutch.errors import AccessDeniedError, ConfigurationError, ElogError, MissingExtraError

if TYPE_CHECKING:
    from requests.auth import HTTPBasicAuth

__all__ = [
    "get_elog_active_expmt",
    "get_elog_auth",
    "get_elog_kerberos_auth",
    "get_elog_opr_auth",
    "prefix_of",
]


def get_elog_active_expmt(hutch: str, *, endstation: int = 0) -> str:
    """Return the name of the experiment that is active at an instrument; empty if none is.

    :param hutch: the instrument, as ``XPP``.
    :param endstation: its station.
    :raises ElogError: if the logbook can't be asked, or knows no such instrument; it is a RuntimeError too.
    """
    url = f"{base_url('ws')}/ws/activeexperiment_for_instrument_station"
    params = {"instrument_name": hutch, "station": f"{endstation}"}
    try:
        reply = ask(lambda: send("GET", url, params=params))
    except ElogError as error:
        msg = f"The active experiment of {hutch!r} can't be asked for. {error}"
        raise ElogError(msg) from error  # not one after which it is asked again: it was
    if reply.error:
        msg = f"The active experiment of {hutch!r} can't be asked for; is it an instrument? {reply.error}"
        raise ElogError(msg)
    name = reply.value.get("name") if isinstance(reply.value, dict) else None
    return str(name or "")


def get_elog_auth(exp: str) -> HTTPBasicAuth | dict[str, str]:
    """Return as whom an experiment is spoken about.

    While it is active, as the operator of its instrument; else as the user who has a ticket of Kerberos.
    Where neither is to be had, a job of a workflow speaks with the token that it was started with.

    :param exp: name of the experiment; its first three letters are the instrument's.
    :returns: name and password, or headers.
    :raises ElogError: if the logbook does not tell which experiment is active.
    :raises ConfigurationError: if there is no password.
    :raises AccessDeniedError: if there is no ticket.
    """
    try:
        if exp.lower() == get_elog_active_expmt(hutch=exp[:3]).lower():
            return get_elog_opr_auth(exp)
        return get_elog_kerberos_auth()
    except (AccessDeniedError, ConfigurationError, MissingExtraError):
        token = os.environ.get("Authorization", "")
        is_ours = os.environ.get("EXPERIMENT", "").lower() == exp.lower()
        if is_ours and token.lower().startswith("bearer "):
            return {"Authorization": token}
        raise


def get_elog_opr_auth(exp: str) -> HTTPBasicAuth:
    """Return name and password of the operator of an experiment's instrument, ``xppopr``.

    :raises ConfigurationError: if there is no password.
    """
    password = operator_password()
    # Text would be sent in Latin-1, which knows few letters.
    secret = password if password.isascii() else password.encode()
    found: HTTPBasicAuth = load_requests().auth.HTTPBasicAuth(f"{exp[:3]}opr", secret)
    return found


def get_elog_kerberos_auth() -> dict[str, str]:
    """Return headers with the ticket of Kerberos that ``kinit`` has fetched; they serve for one request.

    :raises AccessDeniedError: if there is no ticket.
    :raises MissingExtraError: if the extra ``kerberos`` is not installed.
    """
    return {"Authorization": negotiate_header(service_principal())}


def prefix_of(auth: HTTPBasicAuth | Mapping[str, str]) -> str:
    """Return the beginning of paths for those who identify themselves so."""
    if not isinstance(auth, Mapping):
        return "ws-auth"
    scheme = auth.get("Authorization", "").partition(" ")[0]
    return "ws-jwt" if scheme.lower() == "bearer" else "ws-kerb"
