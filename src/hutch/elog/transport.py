"""Requests to a logbook: each with a time limit, and each ends in a reply or in one error of hutch.

The library ``requests`` is loaded with the first of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from hutch.elog.profile import timeout_s
from hutch.errors import ElogError, MissingExtraError

if TYPE_CHECKING:
    import requests
    from requests.auth import HTTPBasicAuth

__all__ = ["PAUSES_S", "Reply", "UnreachableError", "ask", "load_requests", "send"]

PAUSES_S = (0.2, 1.0)
"""After how many seconds a question is asked again that nobody answers now, one time each."""

_UNAVAILABLE = frozenset({502, 503, 504})
_SHOWN = 200
"""Characters of an answer that nobody understands which are shown."""


class UnreachableError(ElogError):
    """Nobody answers now; a request that changes nothing may be sent once more."""


class Reply(NamedTuple):
    """What a logbook answers.

    :ivar error: why not, for people; empty if it did what it was asked.
    :ivar value: what was asked for.
    """

    status: int
    error: str
    value: Any

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may succeed a moment later."""
        return self.status in _UNAVAILABLE


def load_requests() -> Any:
    """Return the module ``requests``.

    :raises MissingExtraError: if it is not installed.
    """
    try:
        import requests
    except ModuleNotFoundError as error:
        msg = "hutch.elog needs requests. Install it with: pip install 'hutch[elog]'"
        raise MissingExtraError(msg) from error
    return requests


def send(
    method: str, url: str, auth: HTTPBasicAuth | Mapping[str, str] | None = None, **params: Any
) -> Reply:
    """Send a request and return what is answered.

    :param auth: name and password, or headers; None says nothing about who asks.
    :param params: further ones of ``requests.request``.
    :raises UnreachableError: if nobody answers.
    :raises ElogError: if the request can't be sent, or what is answered can't be read.
    """
    requests = load_requests()
    limit = params.setdefault("timeout", timeout_s())
    # A form that is sent elsewhere would arrive as a question, and its success be no success.
    params.setdefault("allow_redirects", method == "GET")
    identity = _with_headers(requests, auth or {}) if auth is None or isinstance(auth, Mapping) else auth
    host = urlsplit(url).netloc.rpartition("@")[2]
    try:
        with requests.Session() as session:
            response = session.request(method, url, auth=identity, **params)
    except requests.exceptions.SSLError as error:
        msg = f"The certificate of {host} is not trusted: {_reason(error)}"
        raise ElogError(msg) from error
    except requests.exceptions.Timeout as error:
        msg = f"{host} did not answer in time ({limit} s)"
        raise UnreachableError(msg) from error
    except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        msg = f"No connection to {host}: {_reason(error)}"
        raise UnreachableError(msg) from error
    except requests.exceptions.RequestException as error:
        # Not what it says: the address may be the secret of a job.
        msg = f"The request to {host} failed: {type(error).__name__}"
        raise ElogError(msg) from error
    return _understood(response)


def ask(question: Callable[[], Reply]) -> Reply:
    """Return what is answered to a question, which is asked again if nobody answers now.

    :param question: sends it; it must change nothing, and identify itself each time anew.
    :raises ElogError: if nobody answers to the last one either.
    """
    for pause_s in PAUSES_S:
        try:
            reply = question()
        except UnreachableError:
            pass
        else:
            if not reply.is_temporary:
                return reply
        time.sleep(pause_s)
    return question()


def _with_headers(requests: Any, headers: Mapping[str, str]) -> Any:
    """Return what sets headers; given as such, no password of ``~/.netrc`` takes their place."""

    class _Headers(requests.auth.AuthBase):  # type: ignore[misc]
        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers.update(headers)
            return request

    return _Headers()


def _understood(response: requests.Response) -> Reply:
    status = response.status_code
    try:
        found = response.json()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not found.keys() & {"success", "value"}:
        shown = " ".join(response.text[:_SHOWN].split())
        where = f", sent to {response.headers['Location']}" if "Location" in response.headers else ""
        return Reply(status, f"Response {status}{where} is not what a logbook answers: {shown!r}", None)
    # What tells the counters of a job may leave it out.
    if found.get("success", True) and status < 300:
        return Reply(status, "", found.get("value"))
    said = found.get("error_msg") or found.get("errormsg") or "no reason is given"
    return Reply(status, f"Response {status}\nInclude message: {said}", None)


def _reason(error: BaseException) -> str:
    """Return what the system said first, of the errors that led to one."""
    found, reason = error, type(error).__name__
    seen: set[int] = set()
    while id(found) not in seen:
        seen.add(id(found))
        if isinstance(found, OSError) and found.strerror:
            reason = found.strerror
        found = found.__cause__ or found.__context__ or found
    return reason
