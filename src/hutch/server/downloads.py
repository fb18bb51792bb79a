"""How bytes that somebody has attached are handed out, so that no browser does anything with them."""

from __future__ import annotations

from urllib.parse import quote

from hutch.logbook import Attachment

__all__ = ["download_headers"]

_SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What a browser may show; their bytes were looked at."""


def download_headers(file: Attachment) -> dict[str, str]:
    """Return the headers with which an attachment is handed out."""
    is_shown = file.type in _SHOWN
    plain = "".join(one if one.isascii() and (one.isalnum() or one in "._- ") else "_" for one in file.name)
    name = f"filename=\"{plain[-100:] or 'file'}\"; filename*=UTF-8''{quote(file.name[-200:], safe='')}"
    return {
        "Content-Type": file.type if is_shown else "application/octet-stream",
        "Content-Length": str(file.size),
        "Content-Disposition": f"{'inline' if is_shown else 'attachment'}; {name}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
