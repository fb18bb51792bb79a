"""Files of documents: a JSON list or JSON lines of ``[name, document]``, plain or gzipped.

What a file is, is decided by what it holds, not by its name. NaN, infinities and integers of any size
are read as Python writes them.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from hutch.errors import ImportFileError

__all__ = ["Progress", "read_documents"]

Progress = Callable[[int, int], object]
"""Called with how many bytes of a file are done, and how many there are."""

NamedDocument = tuple[str, dict[str, Any]]

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_PEEKED_BYTES = 4096
_WHITESPACE = re.compile(r"[ \t\n\r]*")
_EXPECTED = 'Expected is a JSON list, or JSON lines, of ["name", {document}], plain or gzipped.'


def read_documents(
    path: str | os.PathLike[str], progress: Progress | None = None, *, spooled: bool = False
) -> Iterator[NamedDocument]:
    """Yield ``(name, document)`` as they stand in a file; of JSON lines one at a time is in memory.

    :param spooled: it is of the spool, whose writer may have died: what comes after the last end of a
        line is no document, and a document may be anything.
    :raises ImportFileError: if the file cannot be read or is something else, naming where.
    """
    path = Path(path)
    try:
        total = path.stat().st_size
        with path.open("rb") as raw:
            is_zipped = raw.peek(2)[:2] == _GZIP
            file: BufferedReader[Any] = BufferedReader(gzip.GzipFile(fileobj=raw)) if is_zipped else raw
            # How far the file on the disk has been read tells, also where it is zipped.
            # A pipe does not tell.
            tell = progress if raw.seekable() else None
            report = lambda: tell(raw.tell(), total) if tell else None  # noqa: E731
            if spooled:
                yield from _parse_lines(path, file, report, spooled=True)
            else:
                yield from _parse(path, file, report)
            if progress:
                progress(total, total)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"{str(path)!r} is a damaged gzip file: {error}"
        raise ImportFileError(msg) from error
    except OSError as error:
        msg = f"{str(path)!r} cannot be read: {error.strerror or error}."
        raise ImportFileError(msg) from error


def _parse(path: Path, file: BufferedReader[Any], report: Callable[[], object]) -> Iterator[NamedDocument]:
    beginning = file.peek(_PEEKED_BYTES).removeprefix(_BOM).split()
    if not beginning:
        msg = f"{str(path)!r} is empty. {_EXPECTED}"
        raise ImportFileError(msg)
    # A list begins with two brackets or is empty; a line holds one document.
    if b"".join(beginning[:2])[:2] in (b"[[", b"[]"):
        return _parse_list(path, file, report)
    return _parse_lines(path, file, report)


def _parse_lines(
    path: Path, file: BufferedReader[Any], report: Callable[[], object], *, spooled: bool = False
) -> Iterator[NamedDocument]:
    for number, line in enumerate(file, 1):
        if spooled and not line.endswith(b"\n"):
            return
        text = line.removeprefix(_BOM) if number == 1 else line
        if not text.strip():
            continue
        place = f"Line {number} of {str(path)!r}"
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            msg = f"{place} is no JSON: {error}. {_EXPECTED}"
            raise ImportFileError(msg) from error
        yield tuple(found) if spooled else _named(found, place)
        report()


def _parse_list(
    path: Path, file: BufferedReader[Any], report: Callable[[], object]
) -> Iterator[NamedDocument]:
    """Yield the elements of one JSON list; its text is in memory, what it holds is not."""
    try:
        text = file.read().removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        msg = f"{str(path)!r} is no JSON: {error}. {_EXPECTED}"
        raise ImportFileError(msg) from error
    report()
    decoder = json.JSONDecoder()
    position, count = _skip_space(text, _skip_space(text, 0) + 1), 0
    is_over = text[position : position + 1] == "]"
    while not is_over:
        count += 1
        place = f"Element {count} of {str(path)!r}, from line {1 + text.count(chr(10), 0, position)},"
        try:
            found, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            msg = f"{place} is no JSON: {error}. {_EXPECTED}"
            raise ImportFileError(msg) from error
        yield _named(found, place)
        position = _skip_space(text, position)
        is_over = text[position : position + 1] == "]"
        if not is_over and text[position : position + 1] != ",":
            msg = f"After element {count} of {str(path)!r} the list goes on with neither ',' nor ']'."
            raise ImportFileError(msg)
        position = _skip_space(text, position + 1)
    if position < len(text) and count:
        msg = f"{str(path)!r} has something after the end of its list. {_EXPECTED}"
        raise ImportFileError(msg)


def _skip_space(text: str, position: int) -> int:
    found = _WHITESPACE.match(text, position)
    return found.end() if found else position


def _named(found: Any, place: str) -> NamedDocument:
    if isinstance(found, list) and len(found) == 2:
        name, document = found
        if isinstance(name, str) and isinstance(document, dict):
            return name, document
    shown = repr(found)
    shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
    msg = f"{place} is no document: {shown}. {_EXPECTED}"
    raise ImportFileError(msg)
