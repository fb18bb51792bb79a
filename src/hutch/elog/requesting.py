"""A request about an experiment: as whom it is sent is found out; what went wrong is told, not raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hutch.elog.auth import get_elog_auth, prefix_of
from hutch.elog.profile import base_url
from hutch.elog.transport import Reply, ask, send
from hutch.errors import HutchError

if TYPE_CHECKING:
    from requests.auth import HTTPBasicAuth

__all__ = ["NOT_SENT", "SUCCESS", "elog_http_request", "request_as"]

SUCCESS = "SUCCESS"
"""What is said of a request that did what it should."""

NOT_SENT = -1
"""The status of a request to which there was no answer."""


def elog_http_request(
    exp: str, endpoint: str, request_type: str, **params: Any
) -> tuple[int, str, Any | None]:
    """Send a request about an experiment, as whoever may speak about it.

    :param exp: name of the experiment.
    :param endpoint: path, as ``xppl1001221/ws/runs``.
    :param request_type: ``GET`` or ``POST``.
    :param params: further ones of ``requests.request``: ``params``, ``data``, ``json``, ``files``,
        ``headers``, ``timeout``.
    :returns: the status of the answer, -1 if there is none; ``SUCCESS``, or what went wrong; and with GET
        what was asked for.
    """
    return request_as(lambda: get_elog_auth(exp), endpoint, request_type, **params)


def request_as(
    identify: Callable[[], HTTPBasicAuth | Mapping[str, str]],
    endpoint: str,
    request_type: str,
    **params: Any,
) -> tuple[int, str, Any | None]:
    """Send a request as somebody; see :func:`elog_http_request`.

    :param identify: returns as whom; it is called for each attempt, as a ticket serves once.
    """
    method = request_type.upper()
    if method not in ("GET", "POST"):
        return NOT_SENT, "Invalid request type!", None

    def attempt() -> Reply:
        auth = identify()
        url = f"{base_url(prefix_of(auth))}/{endpoint.lstrip('/')}"
        return send(method, url, auth, **params)

    doing = "asking" if method == "GET" else "posting to"
    try:
        reply = ask(attempt) if method == "GET" else attempt()
    except HutchError as error:
        return NOT_SENT, f"Error when {doing} eLog: {error}", None
    if reply.error:
        return reply.status, f"Error when {doing} eLog: {reply.error}", None
    return reply.status, SUCCESS, reply.value if method == "GET" else None
