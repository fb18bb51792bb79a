"""How what somebody has attached is handed out, so that no browser does anything with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from hutch.logbook import Attachment, shown_name

__all__ = ["file_response", "thumbnail_response"]

_CHUNK_BYTES = 2**18
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def file_response(about: Attachment, content: IO[bytes], *, caching: str) -> Response:
    """Return an attachment: as a download, unless its bytes are a raster image.

    :param content: open, and closed when all of it has been sent.
    :param caching: who may keep it, and for how long, as ``Cache-Control`` says it.
    """
    headers = {
        **_HEADERS,
        "Cache-Control": caching,
        "Content-Length": str(about.size),
        "Content-Disposition": _disposition(about),
        # No charset is added: what the bytes are is for who reads them.
        "Content-Type": about.type if about.is_image else "application/octet-stream",
        "ETag": f'"{about.digest}"',
    }
    return StreamingResponse(_chunks(content), 200, headers)


def thumbnail_response(picture: bytes, *, caching: str) -> Response:
    """Return the small picture of an attachment."""
    return Response(picture, 200, {**_HEADERS, "Cache-Control": caching}, media_type="image/png")


def _disposition(about: Attachment) -> str:
    """Say that a file is to be saved, unless it is a picture, and under which name (RFC 6266)."""
    name = shown_name(about.name)
    plain = re.sub(r'[^ -~]|["\\%]', "_", name)
    kind = "inline" if about.is_image else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    with content:
        while chunk := content.read(_CHUNK_BYTES):
            yield chunk
