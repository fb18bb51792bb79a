"""The form of every reply: whether it succeeded, what was asked for, and why not, under two names.

``{"success": …, "value": …, "error_msg": …, "errormsg": …}``; clients read the one name or the other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from hutch.documents import plain
from hutch.errors import AttachmentTooLargeError, HutchError
from hutch.server.statuses import status_of

__all__ = ["failure", "iso", "refusal", "reply"]

_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_RETRY_AFTER_S = "5"


def reply(value: Any) -> Response:
    """Return what answers a request that succeeded."""
    return _response(200, {"success": True, "value": value, "error_msg": None, "errormsg": None})


def failure(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return what answers a request that did not succeed.

    :param message: why not, for people.
    """
    told = {"success": False, "value": None, "error_msg": message, "errormsg": message}
    return _response(status, told, headers)


def refusal(error: Exception) -> Response:
    """Return what answers a request that an error has ended; of a mistake of hutch's own it tells nothing."""
    if isinstance(error, HTTPException):
        return failure(error.status_code, str(error.detail), error.headers)
    if isinstance(error, AttachmentTooLargeError):
        return failure(413, str(error))
    if isinstance(error, HutchError):
        status = status_of(error)
        return failure(status, str(error), {"Retry-After": _RETRY_AFTER_S} if status == 503 else None)
    return failure(500, "The server has made a mistake; its log tells which.")


def iso(time: float | None) -> str | None:
    """Return s since 1970 as LCLS's logbook tells times: ``2026-11-26T21:57:00.000Z``."""
    if time is None or not math.isfinite(time):
        return None
    try:
        found = datetime.fromtimestamp(time, UTC)
    except (OverflowError, OSError, ValueError):
        return None
    return f"{found.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _response(status: int, told: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(_encoded(told), status, {**_HEADERS, **(headers or {})}, media_type="application/json")


def _encoded(told: Mapping[str, Any]) -> bytes:
    """Return JSON, whatever a value holds: infinities are null, half characters are escaped."""
    try:
        return orjson.dumps(told, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return json.dumps(_finite(plain(_with_text_keys(told))), allow_nan=False).encode()


def _with_text_keys(value: Any) -> Any:
    match value:
        case Mapping():
            return {str(key): _with_text_keys(one) for key, one in value.items()}
        case list() | tuple():
            return [_with_text_keys(one) for one in value]
    return value


def _finite(value: Any) -> Any:
    match value:
        case dict():
            return {key: _finite(one) for key, one in value.items()}
        case list():
            return [_finite(one) for one in value]
        case float() if not math.isfinite(value):
            return None
    return value
