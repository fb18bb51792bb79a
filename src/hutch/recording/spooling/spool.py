"""Files for documents that the store cannot take now: one for each run and process, only appended to.

A file holds JSON lines of ``[name, document]`` that ``hutch import`` reads. Its name tells whose it is::

    <run>.<host>.<owner>.<number>.<store>.jsonl

``owner`` is the name of a lock that the writing process holds (:mod:`hutch.store.owners`), or ``free``
once it has let go of the file. Files of processes that died are taken in by the next recorder of their
store (:mod:`hutch.recording.committing.leftovers`).

They lie in :func:`hutch.config.spool_folder`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import socket
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hutch.config import spool_folder
from hutch.documents import encode
from hutch.store import Store, owners
from hutch.store.places import network_filesystem
from hutch.store.syncing import sync_data, sync_path

__all__ = [
    "SpoolFile",
    "SpoolName",
    "abandoned_files",
    "claim",
    "line_of",
    "mark_of",
    "release",
    "remove",
    "spool_folder",
    "whereabouts",
]

_FREE = "free"
_PROCESS = "pid-"
"""Before the id of a process that owns files where there are no locks."""
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_SUFFIX = ".jsonl"
_PARTS = 5


def mark_of(store: Store) -> str:
    """Return by what files of a store are known: its uid, and where it is if that is a folder.

    A copy of a store, such as a backup, has the same uid and must not take what belongs to the store.

    :raises StoreError: if the store cannot be asked.
    """
    place = "" if "://" in store.location else os.path.realpath(store.location)
    digest = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{store.uid}-{digest[:8] if place else 'site'}"


@dataclass(frozen=True)
class SpoolName:
    """What the name of a file tells."""

    run: str
    """The run's uid, as far as it can be part of a name; two uids never give the same."""
    host: str
    owner: str
    number: str
    """Of the first arrival in it, and what no other file has."""
    mark: str

    @classmethod
    def parse(cls, path: Path) -> SpoolName | None:
        """Return what a name tells; None if it is another file's."""
        parts = path.name.removesuffix(_SUFFIX).split(".")
        return cls(*parts) if path.suffix == _SUFFIX and len(parts) == _PARTS else None

    @classmethod
    def fresh(cls, uid: str, mark: str, owner: str, first: int) -> SpoolName:
        """Return a name that no other file has."""
        return cls(_plain(uid), _host(), owner, f"{first}-{uuid.uuid4().hex[:8]}", mark)

    @property
    def first_arrival(self) -> int:
        """No document in it had a lower arrival number when it came, but descriptors; 0 if unknown."""
        number = self.number.partition("-")[0]
        return int(number) if number.isdecimal() else 0

    def __str__(self) -> str:
        return ".".join((self.run, self.host, self.owner, self.number, self.mark)) + _SUFFIX


class SpoolFile:
    """A file of this process; see the module.

    :ivar size: bytes that are safely in it.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = 0
        self._descriptor = descriptor
        self._is_synced = True

    @classmethod
    def create(cls, uid: str, mark: str, first: int = 0) -> SpoolFile:
        """Make an empty file for a run.

        :param mark: of the store, see :func:`mark_of`.
        :param first: arrival number of the first document.
        :raises OSError: if that is not possible.
        """
        folder = spool_folder()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / str(SpoolName.fresh(uid, mark, _hold(folder), first))
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            return cls(path, os.open(path, flags, 0o644))
        except OSError:
            _drop(folder)
            raise

    def append(self, text: bytes) -> None:
        """Give lines to the operating system, all or none: they survive the death of the process.

        :raises OSError: if there is no room.
        """
        self._is_synced = False
        try:
            view = memoryview(text)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(text)

    def read(self, start: int, end: int) -> bytes:
        """Return what is in it between two places.

        :raises OSError: if it cannot be read.
        """
        parts = []
        while start < end:
            part = os.pread(self._descriptor, end - start, start)
            if not part:
                msg = f"{str(self.path)!r} has been cut short"
                raise OSError(msg)
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def sync(self) -> None:
        """Put what is in it onto the disk.

        :raises OSError: if that is not possible.
        """
        if not self._is_synced:
            self._is_synced = True
            sync_data(self._descriptor)
            sync_path(self.path.parent)

    def discard(self) -> None:
        """Remove it: the store has all that is in it."""
        os.close(self._descriptor)
        remove(self.path)

    def let_go(self) -> Path:
        """Close it and leave it to whoever comes; return where it is."""
        with contextlib.suppress(OSError):
            self.sync()
        os.close(self._descriptor)
        return release(self.path)


def abandoned_files(mark: str, *, anywhere: bool = False) -> list[Path]:
    """Return files of a store whose processes are dead or have let go, the oldest first.

    :param mark: of the store, see :func:`mark_of`.
    :param anywhere: also those of the store when it was in another place, or of a copy of it.
    """
    folder = spool_folder()
    found = list(_files_of(folder, mark.partition("-")[0] if anywhere else mark))
    if not found:
        return []
    is_shared = network_filesystem(folder) is not None
    free: list[tuple[int, Path]] = []
    for path, name in found:
        if _is_free(folder, name, is_shared):
            # Somebody else may have taken it in meanwhile.
            with contextlib.suppress(FileNotFoundError):
                free.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(free)]


def whereabouts(path: Path) -> Path:
    """Return where a file is by now whose process may have let go of it or died."""
    name = SpoolName.parse(path)
    if name is None or path.exists():
        return path
    same = (other for other, its in _files_of(path.parent, name.mark) if its.number == name.number)
    return next(same, path)


def claim(path: Path) -> Path | None:
    """Make an abandoned file one of this process; return where it is now, None if another was faster."""
    name = SpoolName.parse(path)
    if name is None:
        return None
    mine = path.with_name(str(replace(name, host=_host(), owner=_hold(path.parent))))
    try:
        path.rename(mine)
    except OSError:
        _drop(path.parent)
        return None
    return mine


def release(path: Path) -> Path:
    """Leave a file of this process to whoever comes; return where it is now."""
    name = SpoolName.parse(path)
    if name is None:
        return path
    free = path.with_name(str(replace(name, owner=_FREE)))
    with contextlib.suppress(OSError):
        path.rename(free)
        path = free
    _drop(path.parent)
    return path


def remove(path: Path) -> None:
    """Remove a file of this process."""
    with contextlib.suppress(OSError):
        path.unlink()
    _drop(path.parent)


def line_of(kind: str, body: bytes) -> bytes:
    """Return a document as a line.

    :param body: the document as it is kept.
    """
    return b"[" + encode(kind) + b"," + body + b"]\n"


def _files_of(folder: Path, mark: str) -> Iterator[tuple[Path, SpoolName]]:
    """Yield the files whose mark is this, or begins with it."""
    try:
        entries = os.listdir(folder)
    except OSError:
        return
    for entry in entries:
        name = SpoolName.parse(Path(entry))
        if name is not None and mark in (name.mark, name.mark.partition("-")[0]):
            yield folder / entry, name


def _is_free(folder: Path, name: SpoolName, is_shared: bool) -> bool:
    if name.owner == _FREE:
        return True
    if is_shared and name.host != _host():
        # Locks of another host need not be seen here.
        return False
    if name.owner.startswith(_PROCESS):
        import psutil

        return name.host == _host() and not psutil.pid_exists(int(name.owner.removeprefix(_PROCESS)))
    return not owners.is_live(folder / "owners", name.owner)


@dataclass
class _Holding:
    """This process as an owner of files in one folder."""

    owner: owners.Owner | None
    """None where there are no locks."""
    files: int = 0

    @property
    def name(self) -> str:
        return self.owner.uid if self.owner else f"{_PROCESS}{os.getpid()}"


_holdings: dict[tuple[str, int], _Holding] = {}
_guard = threading.Lock()


def _hold(folder: Path) -> str:
    """Own one more file in a folder; return by what name.

    :raises OSError: if no lock can be made there.
    """
    key = (os.path.realpath(folder), os.getpid())
    with _guard:
        if key not in _holdings:
            try:
                _holdings[key] = _Holding(owners.Owner.claim(folder / "owners"))
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                _holdings[key] = _Holding(None)
        _holdings[key].files += 1
        return _holdings[key].name


def _drop(folder: Path) -> None:
    """Own one file less in a folder; without any, there is nothing open in it."""
    key = (os.path.realpath(folder), os.getpid())
    with _guard:
        holding = _holdings.get(key)
        if holding is None:
            return
        holding.files -= 1
        if holding.files <= 0:
            del _holdings[key]
            if holding.owner is not None:
                holding.owner.release()


def _after_fork() -> None:
    global _guard
    _guard = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def _host() -> str:
    return re.sub("[^A-Za-z0-9-]", "_", socket.gethostname())[:40]


def _plain(uid: str) -> str:
    """Return a uid as part of a file's name."""
    if re.fullmatch("[A-Za-z0-9-]{1,60}", uid):
        return uid
    digest = hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{re.sub('[^A-Za-z0-9-]', '_', uid)[:40]}_{digest[:16]}"
