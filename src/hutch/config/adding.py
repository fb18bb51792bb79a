"""Adding a catalog to a file of settings: what people wrote in it stays, and nothing is half written."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from hutch.config.addresses import is_address, shown_place, without_secrets
from hutch.config.file import FILE, find_file, understood
from hutch.config.reading import dotted, quoted, why_no_path
from hutch.errors import ConfigurationError

__all__ = ["add_catalog", "check_addition"]

_BEGINNING = """\
# Settings of hutch. Relative folders start from the folder of this file.

# The catalog that commands use if none is named.
default = {path}
"""


def check_addition(path: str, store: str) -> None:
    """Refuse a catalog that could not be added, before anything is done for it.

    :param path: of the catalog, as in ``"csx/raw"``.
    :param store: a folder or an address.
    :raises ConfigurationError: if something has this name already or it is none, the address holds a
        password, or the file can't be used.
    """
    reason = why_no_path(path)
    if reason is not None:
        msg = (
            f"{path!r} is no path of a catalog: {reason}. Give names with '/' between them, as in 'csx/raw'."
        )
        raise ConfigurationError(msg)
    if is_address(store) and without_secrets(store)[1]:
        msg = (
            f"The address {shown_place(store)!r} was given with a password, which belongs in no file of "
            "settings. Put it into ~/.pgpass or $PGPASSWORD, and give the address without it."
        )
        raise ConfigurationError(msg)
    file = _file()
    _added(_content(file), file, path, store)


def add_catalog(path: str, store: str) -> Path:
    """Add a catalog to the file of settings that is in force, or make ``./hutch.toml``.

    :param path: of the catalog, as in ``"csx/raw"``.
    :param store: a folder or an address.
    :returns: the file.
    :raises ConfigurationError: if it can't be added; see :func:`check_addition`.
    """
    check_addition(path, store)
    file = _file()
    # Whoever keeps it elsewhere has a link here.
    target = Path(os.path.realpath(file))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.parent):
            _replace(target, _added(_content(file), file, path, store))
    except OSError as error:
        msg = f"{str(file)!r} can't be written: {error.strerror}."
        raise ConfigurationError(msg) from error
    return file


def _file() -> Path:
    """Return the file of settings that is in force, which may not be there yet; else ``./hutch.toml``."""
    return find_file() or Path(FILE).absolute()


def _content(file: Path) -> bytes:
    """Return what is in a file; nothing if it is not there."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            msg = f"{str(file)!r} is no file that a catalog can be added to."
            raise ConfigurationError(msg)
        return file.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        msg = f"{str(file)!r} can't be read: {error.strerror}."
        raise ConfigurationError(msg) from error


def _added(content: bytes, file: Path, path: str, store: str) -> bytes:
    """Return what a file holds with one more catalog.

    :raises ConfigurationError: if it can't be used, or has something of this name.
    """
    _check_is_free(path, understood(content, file).catalogs, file)
    lines = f"[{dotted('catalogs', *path.split('/'))}]\nstore = {quoted(_written(store, file.parent))}\n"
    if not content:
        content = _BEGINNING.format(path=quoted(path)).encode()
    separator = "\n" if content.endswith(b"\n") else "\n\n"
    end = "\r\n" if b"\r\n" in content else "\n"
    # What is not in UTF-8 can't be read again.
    added = (separator + lines).replace("\n", end).encode(errors="replace")
    try:
        is_right = understood(content + added, file).catalogs[path].store == _absolute(store)
    except ConfigurationError:
        is_right = False
    if not is_right:
        msg = (
            f"Catalog {path!r} can't be added at the end of {str(file)!r}. Add it yourself, as its store "
            f"and what is in the file allow: store = {_absolute(store)!r}"
        )
        raise ConfigurationError(msg)
    return content + added


def _check_is_free(path: str, known: Iterable[str], file: Path) -> None:
    for other in known:
        if other == path:
            reason = "is there already"
        elif path.startswith(f"{other}/"):
            reason = f"can't be below {other!r}, which is a catalog"
        elif other.startswith(f"{path}/"):
            reason = f"can't be where {other!r} is, as a catalog is no folder of catalogs"
        else:
            continue
        msg = f"Catalog {path!r} {reason}; see {str(file)!r}. Give another name."
        raise ConfigurationError(msg)


def _written(store: str, start: Path) -> str:
    """Return how a store is written into a file in a folder: relative if it is there or below."""
    if is_address(store):
        return store
    folder = Path(_absolute(store))
    if start not in (folder, *folder.parents):
        return str(folder)
    near = str(folder.relative_to(start))
    return f"./{near}" if near.startswith("~") else near


def _absolute(store: str) -> str:
    return store if is_address(store) else str(Path(store).expanduser().absolute())


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other process add something in a folder meanwhile, as far as its file system can tell."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes) -> None:
    """Write a file, which is whole or as it was at any moment."""
    early = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with open(os.open(early, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            if path.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(early, path)
    finally:
        early.unlink(missing_ok=True)
