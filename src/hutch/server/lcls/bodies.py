"""What requests carry: read while it comes, up to a size, and for so long.

Files go into temporary ones as they arrive; nothing of them is in the logbook before all have come. Who
sends nothing more is told so after a while; others do not wait for them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from hutch.logbook import NewFile
from hutch.server.lcls.calls import Body

__all__ = ["Carried", "Limits", "carried", "most_of_files"]

_MOST_FILES = 50
_MOST_FIELDS = 100
_MOST_FIELD_BYTES = 8_000_000
_REST_BYTES = 10_000_000
"""Of what is carried besides files."""
_FILES = 4
"""So many files of the greatest size are taken at once."""
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken, and for how long it is waited for.

    :ivar file_bytes: returns how large a file may be.
    :ivar pause_s: for the next part of what is carried.
    :ivar whole_s: for all of it.
    """

    file_bytes: Callable[[], int]
    pause_s: float = 30.0
    whole_s: float = 600.0


def most_of_files(file_bytes: int) -> int:
    """Return how many bytes of files are taken at once.

    :param file_bytes: how large one may be.
    """
    return _FILES * file_bytes


@dataclass(slots=True)
class Carried:
    """What a request carries.

    :ivar fields: each with all its values.
    :ivar json: None if it carries none.
    """

    fields: dict[str, list[str]] = field(default_factory=dict)
    json: Any = None
    files: list[NewFile] = field(default_factory=list)


@asynccontextmanager
async def carried(request: Request, kind: Body, limits: Limits) -> AsyncIterator[Carried]:
    """Give what a request carries; its files are open until the end.

    :raises HTTPException: 400 if it can't be read, 408 if it does not come, 413 if it is too large.
    """
    if kind is Body.NONE:
        yield Carried()
        return
    most = _REST_BYTES + (most_of_files(limits.file_bytes()) if kind is Body.FORM else 0)
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > most:
        raise _too_large(most)
    request = Request(request.scope, _limited(request.receive, limits.pause_s, most))
    try:
        async with asyncio.timeout(limits.whole_s):
            found = await _read(request, kind)
    except TimeoutError:
        raise HTTPException(408, "What the request carries did not come in time.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The request broke off.") from None
    except MultiPartException as error:
        raise HTTPException(400, f"The form can't be read: {error.message}") from error
    try:
        yield found
    finally:
        await request.close()


async def _read(request: Request, kind: Body) -> Carried:
    told = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind is Body.FORM and told in _FORMS:
        form = await request.form(
            max_files=_MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=_MOST_FIELD_BYTES
        )
        found = Carried()
        for name, value in form.multi_items():
            if not isinstance(value, UploadFile):
                found.fields.setdefault(name, []).append(value)
            elif name in ("files", "files[]", "file") and (value.filename or value.size):
                found.files.append(NewFile(value.file, value.filename or ""))
        return found
    body = await request.body()
    return Carried(json=_parsed(body) if body.strip() else None)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"JSON was expected: {error}.") from error


def _limited(receive: Receive, pause_s: float, most: int) -> Receive:
    """Return what receives the same, as long as it comes, and is not too much."""
    came = 0

    async def receiving() -> Message:
        nonlocal came
        async with asyncio.timeout(pause_s):
            message = await receive()
        came += len(message.get("body", b""))
        if came > most:
            raise _too_large(most)
        return message

    return receiving


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"The request carries more than {most:,} bytes, which is the most taken here.")
