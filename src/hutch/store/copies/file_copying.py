"""Arrow files from one store's folder to another's: there whole and on the disk, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from hutch.store.faults import translate
from hutch.store.syncing import sync_data, sync_path

__all__ = ["FileCopier", "Wanted", "loose_files", "remove_files"]

_BLOCK_BYTES = 2**22
_NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})
_OURS = re.compile(r"\.?\d+-.*\.arrow")


class Wanted(NamedTuple):
    """A file that a batch names."""

    name: str
    size: int
    crc32: int


class FileCopier:
    """Copies files, and compares each with its checksum on the way.

    :param source: the folder of files of one store.
    :param target: that of the other.
    :param link: give a file a second name instead of copying it, where the file system can.
    :param on_bytes: told how many bytes have been dealt with.
    """

    def __init__(
        self, source: Path, target: Path, *, link: bool = False, on_bytes: Callable[[int], object]
    ) -> None:
        self.copied = 0
        self._source = source
        self._target = target
        self._link = link
        self._on_bytes = on_bytes

    def is_here(self, wanted: Wanted, *, is_read: bool = False) -> bool:
        """Tell whether a file has been copied.

        :param is_read: read it, and compare it with its checksum.
        """
        path = self._target / wanted.name
        try:
            there = path.stat()
            if there.st_size != wanted.size or (self._link and self._is_other(there, wanted)):
                return False
            if not is_read:
                return True
            found = 0
            with path.open("rb") as file:
                while block := file.read(_BLOCK_BYTES):
                    found = zlib.crc32(block, found)
        except OSError:
            return False
        return found == wanted.crc32

    def _is_other(self, there: os.stat_result, wanted: Wanted) -> bool:
        """Tell whether what should be a second name has become one of a file that was replaced."""
        with contextlib.suppress(FileNotFoundError):
            source = (self._source / wanted.name).stat()
            return there.st_dev == source.st_dev and there.st_ino != source.st_ino
        return False

    def bring(self, files: Iterable[Wanted]) -> dict[str, str]:
        """Copy files, also over those that are there.

        :returns: what is wrong with those that are damaged, or cannot be read, by name; a damaged one is
            copied as it is.
        :raises StoreError: if one cannot be written.
        """
        wrong: dict[str, str] = {}
        folders: set[Path] = set()
        try:
            for wanted in files:
                path = self._target / wanted.name
                if path.parent not in folders:
                    self._make_folder(path.parent)
                    folders.add(path.parent)
                reason = self._bring_one(wanted, path)
                if reason:
                    wrong[wanted.name] = reason
            for folder in folders:
                sync_path(folder)
        except OSError as error:
            translate(error, self._target.parent)
        return wrong

    def _make_folder(self, folder: Path) -> None:
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            sync_path(folder.parent)

    def _bring_one(self, wanted: Wanted, path: Path) -> str | None:
        """Copy a file; return what is wrong with it, if anything."""
        source = self._source / wanted.name
        early = path.with_name(f".{path.name}")
        early.unlink(missing_ok=True)
        if self._link and self._linked(source, early):
            early.replace(path)
            self._on_bytes(wanted.size)
            return None
        try:
            descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        try:
            found = self._copy(descriptor, early)
        finally:
            os.close(descriptor)
        if isinstance(found, str):
            early.unlink(missing_ok=True)
            return found
        early.replace(path)
        self.copied += 1
        size, checksum = found
        if size != wanted.size:
            return f"has {size:,} bytes, recorded are {wanted.size:,}"
        return None if checksum == wanted.crc32 else "does not match its checksum"

    def _linked(self, source: Path, early: Path) -> bool:
        try:
            os.link(source, early)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._link = error.errno == errno.EMLINK
            return False
        return True

    def _copy(self, descriptor: int, early: Path) -> tuple[int, int] | str:
        """Copy an open file and put it onto the disk.

        :returns: its size and checksum, or why it cannot be read to its end.
        """
        size = checksum = 0
        with early.open("wb") as file:
            while True:
                try:
                    block = os.read(descriptor, _BLOCK_BYTES)
                except OSError as error:
                    return f"cannot be read: {error.strerror}"
                if not block:
                    break
                checksum = zlib.crc32(block, checksum)
                size += len(block)
                file.write(block)
                self._on_bytes(len(block))
            file.flush()
            sync_data(file.fileno())
        return size, checksum


def loose_files(folder: Path, named: set[str]) -> Iterable[str]:
    """Yield the names of a store's files below its folder that no batch names."""
    for place, _, names in os.walk(folder):
        for name in names:
            found = (Path(place) / name).relative_to(folder).as_posix()
            if found not in named and _OURS.fullmatch(name):
                yield found


def remove_files(folder: Path, names: Iterable[str | None]) -> None:
    """Delete files, if they have a name; what is gone already is no error.

    :raises StoreError: if one cannot be deleted.
    """
    try:
        for name in filter(None, names):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        translate(error, folder.parent)
