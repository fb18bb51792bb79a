"""Verdicts in the folder of a source's pictures: ``verdicts.jsonl``, a line for each time that one changed.

It is written by the monitor's own process alone, and tells every process, also after a restart, what was said
last.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from hutch.monitor.sources import SourceSpec

__all__ = ["FILE", "VerdictFile", "verdict_file"]

FILE = "verdicts.jsonl"


def verdict_file(folder: Path, spec: SourceSpec) -> Path:
    """Return where the verdicts of a source are.

    :param folder: of all pictures.
    """
    return folder / f"{spec.base}_dqm" / FILE


class VerdictFile:
    """The verdicts of one source, read anew when the file has changed.

    :param path: the file, which need not be there.
    :param identity: of the source; what was said of another one at the same address does not count.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self._path = path
        self._identity = identity
        self._read: tuple[int, int] | None = None
        self._last: dict[str, dict[str, Any]] = {}
        self._told: dict[str, str] = {}

    def last(self, name: str) -> dict[str, Any] | None:
        """Return what was said last under a name; None if nothing was."""
        self._refresh()
        return self._last.get(name)

    def last_verdict(self, name: str) -> str | None:
        """Return the last verdict under a name, not that there was too little data to tell."""
        self._refresh()
        return self._told.get(name)

    def append(self, line: dict[str, Any]) -> None:
        """Add what is said by now."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        said = json.dumps({**line, "identity": self._identity}, ensure_ascii=False)
        with self._path.open("ab+") as file:
            # A line that was cut short by a kill or a full disk is ended first.
            if file.seek(0, os.SEEK_END) and not _ends_in_newline(file):
                file.write(b"\n")
            file.write(f"{said}\n".encode())

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except OSError:
            self._read, self._last, self._told = None, {}, {}
            return
        seen = (status.st_mtime_ns, status.st_size)
        if seen == self._read:
            return
        self._last, self._told = {}, {}
        for text in self._path.read_bytes().splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and line.get("identity") == self._identity:
                name = str(line.get("name"))
                self._last[name] = line
                if isinstance(line.get("verdict"), str):
                    self._told[name] = line["verdict"]
        self._read = seen


def _ends_in_newline(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")
