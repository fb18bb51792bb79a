"""Files of entries: kept by what is in them, never by what they are called, and never executed.

The bytes go through once, on their way to the disk if they are many; what they are is told by themselves.
The name is data: it is shown, and nothing is ever written under it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import time
import unicodedata
import uuid
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from hutch.documents.text import storable
from hutch.errors import AttachmentTooLargeError, DocumentError
from hutch.logbook.entries import Attachment
from hutch.store.faults import translate
from hutch.store.protocols.store import Store
from hutch.store.rows.logbook import NewBlob
from hutch.store.syncing import sync_data, sync_path

__all__ = ["FOLDER", "File", "NewFile", "Received", "receive", "shown_name"]

FOLDER = "attachments"
"""Folder below that of the store's files."""

_IN_ROW_BYTES = 100_000
"""Up to this size bytes lie in the database."""
_CHUNK_BYTES = 2**18
_LONGEST_NAME = 255
_THUMBNAIL_PIXELS = 320
_MOST_PIXELS = 50_000_000
"""A larger image gets no thumbnail: it may be made to fill the memory."""

_IMAGES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
}
"""Raster images that pillow opens and browsers may show. SVG is none: it can hold scripts."""

_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89HDF\r\n\x1a\n", "application/x-hdf5"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
)


@dataclass(frozen=True)
class NewFile:
    """A file that is to be attached.

    :ivar content: bytes, an open binary file that is read to its end, or the path of a file.
    :ivar name: what it is called; that of the path if none is given.
    """

    content: bytes | IO[bytes] | os.PathLike[str]
    name: str = ""
    description: str = ""


File = NewFile | str | os.PathLike[str] | tuple[Any, ...]
"""What can be attached: a path, a pair of a path and a description, or a :class:`NewFile`."""


def shown_name(name: str) -> str:
    """Return a name as it can be shown and offered for saving: no path, no control or direction characters.

    It has at most 255 bytes, with the ending kept, and is never empty.
    """
    last = storable(name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    kept = "".join(char for char in last if unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp", "Cn"))
    kept = kept.replace("\ufffd", "").strip().lstrip(".") or "file"
    if len(kept.encode()) <= _LONGEST_NAME:
        return kept
    stem, dot, ending = kept.rpartition(".")
    ending = f"{dot}{ending}" if stem and len(ending.encode()) <= 20 else ""
    room = _LONGEST_NAME - len(ending.encode())
    return kept.encode()[:room].decode("utf-8", "ignore") + ending


@dataclass
class Received:
    """Files whose bytes are on the disk or in the memory, and that no row names yet."""

    blobs: list[NewBlob] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)


def receive(store: Store, files: Sequence[File], limit_bytes: int) -> Received:
    """Take files: read them, find out what they are, and put large ones onto the disk.

    As attachments they are numbered from 1 on.

    :param limit_bytes: how large each may be.
    :raises AttachmentTooLargeError: if one is larger; nothing is kept of it.
    :raises DocumentError: if one cannot be read.
    """
    found = Received()
    for number, file in enumerate(map(_new_file, files), 1):
        with _opened(file) as content:
            blob, is_image = _take(store.files, content, limit_bytes, file.name)
        name = storable(file.name)[: 4 * _LONGEST_NAME] or "file"
        found.blobs.append(blob)
        found.attachments.append(
            Attachment(
                number,
                name,
                blob.digest,
                blob.type,
                blob.size,
                storable(file.description),
                has_thumbnail=is_image and blob.thumbnail is not None,
            )
        )
    return found


def _new_file(file: File) -> NewFile:
    match file:
        case NewFile():
            return file
        case (path, description):
            return NewFile(Path(path), Path(path).name, str(description))
        case str() | os.PathLike():
            return NewFile(Path(file), Path(file).name)
    msg = f"{file!r} cannot be attached. Give a path, a pair of a path and a description, or a NewFile."
    raise DocumentError(msg)


def _opened(file: NewFile) -> AbstractContextManager[IO[bytes]]:
    if isinstance(file.content, bytes):
        return contextlib.nullcontext(io.BytesIO(file.content))
    if isinstance(file.content, os.PathLike):
        try:
            return Path(file.content).open("rb")
        except (OSError, ValueError) as error:
            msg = f"The file {str(file.content)!r} cannot be attached: {error}."
            raise DocumentError(msg) from error
    return contextlib.nullcontext(file.content)


def _take(files: Path, content: IO[bytes], limit_bytes: int, name: str) -> tuple[NewBlob, bool]:
    """Read a file to its end; return what is to be kept, and whether it is an image."""
    with ExitStack() as stack:
        spool = _Spool(files)
        stack.callback(spool.discard)
        digest, crc32, size = hashlib.sha256(), 0, 0
        for chunk in _chunks(content):
            size += len(chunk)
            if size > limit_bytes:
                msg = (
                    f"The file {shown_name(name)!r} is larger than {limit_bytes:,} bytes, which is the most "
                    "the logbook takes. Leave it where it is, and write where that is."
                )
                raise AttachmentTooLargeError(msg, limit_bytes)
            digest.update(chunk)
            crc32 = zlib.crc32(chunk, crc32)
            spool.write(chunk)
        kind, thumbnail = _look_at(spool)
        place = spool.keep(digest.hexdigest())
        body = None if place else spool.body()
    found = NewBlob(digest.hexdigest(), size, crc32, kind, time.time(), place, thumbnail, body)
    return found, kind.startswith("image/")


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    while chunk := content.read(_CHUNK_BYTES):
        yield chunk


class _Spool:
    """Bytes on their way: in the memory while they are few, else in a file that has no name yet."""

    def __init__(self, files: Path) -> None:
        self._files = files
        self._buffer = io.BytesIO()
        self._path: Path | None = None
        self._file: IO[bytes] | None = None

    def write(self, chunk: bytes) -> None:
        """Take some more."""
        if self._file is not None:
            self._file.write(chunk)
            return
        self._buffer.write(chunk)
        if self._buffer.tell() > _IN_ROW_BYTES:
            folder = self._files / FOLDER
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._path = folder / f".{uuid.uuid4().hex}"
                self._file = self._path.open("w+b")
                self._file.write(self._buffer.getvalue())
            except OSError as error:
                translate(error, self._files.parent)
            self._buffer = io.BytesIO()

    def reader(self) -> IO[bytes]:
        """Return all of it as an open file, at its beginning."""
        found = self._buffer if self._file is None else self._file
        found.seek(0)
        return found

    def body(self) -> bytes:
        """Return all of it, if it is in the memory."""
        return self._buffer.getvalue()

    def keep(self, digest: str) -> str | None:
        """Put a file onto the disk under a name made of its digest; return that, None if there is no file."""
        if self._file is None or self._path is None:
            return None
        name = f"{FOLDER}/{digest[:2]}/{digest}"
        path = self._files / name
        try:
            self._file.flush()
            sync_data(self._file.fileno())
            path.parent.mkdir(exist_ok=True)
            # Also over one that is there: it is young again, so that no repair takes it for left over.
            self._path.replace(path)
            self._path = None
            sync_path(path.parent)
        except OSError as error:
            translate(error, self._files.parent)
        return name

    def discard(self) -> None:
        """Close the file, and delete it unless it has been kept."""
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


# what it is


def _look_at(spool: _Spool) -> tuple[str, bytes | None]:
    """Return the type of bytes, and a small picture of an image."""
    head = spool.reader().read(4096)
    image = _image_type(spool.reader())
    if image is not None:
        return image, _thumbnail(spool.reader())
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind, None
    return ("text/plain" if _is_text(head) else "application/octet-stream"), None


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        # A character may be cut in two.
        head[:-3].decode() if len(head) == 4096 else head.decode()
    except UnicodeDecodeError:
        return False
    return True


def _image_type(file: IO[bytes]) -> str | None:
    """Return the type of a raster image; only its head is read."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=tuple(_IMAGES)) as image:
                return _IMAGES[str(image.format)]
    except Exception:  # whatever a decoder does with bytes that anybody may send
        return None


def _thumbnail(file: IO[bytes]) -> bytes | None:
    """Return a small PNG of an image; None if it is damaged, or has too many pixels."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=tuple(_IMAGES)) as image:
                if image.width * image.height > _MOST_PIXELS:
                    return None
                image.draft("RGB", (2 * _THUMBNAIL_PIXELS, 2 * _THUMBNAIL_PIXELS))
                image.thumbnail((_THUMBNAIL_PIXELS, _THUMBNAIL_PIXELS))
                turned = ImageOps.exif_transpose(image)
                out = io.BytesIO()
                turned.convert("RGBA" if "A" in turned.getbands() else "RGB").save(out, "PNG")
                return out.getvalue()
    except Exception:  # as above: the file is kept all the same
        return None
