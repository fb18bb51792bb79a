"""Where the files of detectors are now, and which of them may be opened."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from hutch.errors import ExternalDataError, ForbiddenFileError

__all__ = ["FilePlaces", "missing", "moved", "path_of"]

_LIMIT_BYTES = 2**28
_DATABASE, _BATCHES = "hutch.db", ".arrow"
"""How the files of a store are called, in which there is what not everybody may read."""


@dataclass(frozen=True)
class FilePlaces:
    """What is known about the folders of files, and what of them may be opened.

    :ivar root_map: folders that have moved, old to new.
    :ivar roots: only files below these folders are opened, wherever links lead; None opens all.
    :ivar limit_bytes: with ``roots``, files and chunks that are larger than this, unpacked, are not read.
    """

    root_map: Mapping[str, str] = field(default_factory=dict)
    roots: Sequence[Path] | None = None
    limit_bytes: int = _LIMIT_BYTES

    @property
    def are_limited(self) -> bool:
        """Whether files come from people who may not read all that this process can."""
        return self.roots is not None

    @property
    def largest_bytes(self) -> int | None:
        """How large a file or a chunk may be when it is unpacked; None sets no limit."""
        return self.limit_bytes if self.are_limited else None

    def find(self, uri: str) -> str:
        """Return the path of a file that may be opened.

        :param uri: ``file://localhost/data/a.h5``, ``file:///data/a.h5`` or a path.
        :raises ExternalDataError: if it is missing, saying where to say where it is now.
        :raises ForbiddenFileError: if it may not be opened.
        """
        path = moved(path_of(uri), self.root_map)
        self.check(path)
        if not os.path.exists(path):
            raise ExternalDataError(missing(path))
        return path

    def check(self, path: str) -> None:
        """Refuse a file that may not be opened.

        :raises ForbiddenFileError: if it lies elsewhere, links followed.
        """
        if self.roots is None:
            return
        real = Path(os.path.realpath(path))
        if not any(real.is_relative_to(os.path.realpath(root)) for root in self.roots):
            msg = (
                f"the file {path!r} is outside the folders that detectors' files are opened in. "
                "Add its folder to roots in [files] of hutch.toml, or to $HUTCH_FILE_ROOTS"
            )
            raise ForbiddenFileError(msg)
        if real.name.startswith(_DATABASE) or real.suffix == _BATCHES:
            msg = f"the file {path!r} is one of a store of hutch's, and no detector's"
            raise ForbiddenFileError(msg)


def path_of(uri: str) -> str:
    """Return the path in a URI, or the path itself.

    :raises ExternalDataError: if it is on no disk of this host.
    """
    parts = urlsplit(uri) if "://" in uri else None
    if parts is not None and parts.scheme != "file":
        msg = f"hutch reads files of this host, and {uri!r} is none"
        raise ExternalDataError(msg)
    # What follows a "?" or "#" belongs to the path, as those who write such documents quote nothing.
    path = uri if parts is None else unquote(uri.partition("://")[2])
    if parts is not None:
        path = path[len(parts.netloc) :] if path.startswith(parts.netloc) else path
    if "\0" in path or not path:
        msg = f"{uri!r} names no file"
        raise ExternalDataError(msg)
    return path


def moved(path: str, root_map: Mapping[str, str]) -> str:
    """Return where a file is now: the longest old folder that it is below is replaced."""
    for old in sorted(root_map, key=len, reverse=True):
        folder = old.rstrip("/")
        if path == old or path.startswith(f"{folder}/"):
            return root_map[old].rstrip("/") + path[len(folder) :]
    return path


def missing(path: str) -> str:
    """Say that a file is missing, and where to say where it is now."""
    folder = os.path.dirname(path)
    return (
        f"the file {path!r} is missing. If it has moved, tell where to: hutch.open_catalog(…, "
        f"root_map={{{folder!r}: '/new/folder'}}), or root_map of the catalog in hutch.toml"
    )
