"""The text of an entry at the prompt: checked for before it is typed, and kept if it is not taken."""

from __future__ import annotations

import os
import re
import shlex
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hutch.cli.options import NO_TEXT
from hutch.config import state_folder
from hutch.errors import AttachmentTooLargeError, DocumentError, HutchError, RunDeletedError

if TYPE_CHECKING:
    from hutch.logbook import Logbook

__all__ = ["check_entry", "written"]

_HELP = (
    "# ---------------- These two lines are of hutch, and not of the entry ----------------",
    "# Write the entry above, in markdown. Without text nothing is posted.",
)
_FOLDER = "drafts"
"""Folder below the user's state folder."""

_OWN = "|".join(map(re.escape, _HELP))
_HELP_LINES = re.compile(rf"^(?:{_OWN})[ \t]*(?:\n|\Z)|{_OWN}", re.MULTILINE)
"""Lines of help, also where somebody has joined them with others."""

_BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")


def check_entry(
    book: Logbook,
    experiment: str,
    *,
    run: int | None = None,
    title: str | None = None,
    tags: Iterable[str] = (),
    files: Iterable[Path] = (),
) -> None:
    """Raise what writing an entry would, as far as it can be known before its text is typed.

    :param run: the number of a run; None or 0 if none is named.
    :raises ExperimentLockedError: if the experiment is locked; so do the other errors of ``Logbook.post``.
    """
    from hutch.access import Action
    from hutch.config.limits import attachment_limit_bytes
    from hutch.logbook.entries import clean_tags, clean_title

    book.check(Action.WRITE, experiment)
    if run:
        # One that was deleted keeps its number, and its entries.
        with suppress(RunDeletedError):
            book.run(experiment, run)
    clean_title(title)
    clean_tags(tags)
    limit_bytes = attachment_limit_bytes()
    for file in files:
        _check_file(file, limit_bytes)


@contextmanager
def written(text: str | None, command: str, before: str = "") -> Iterator[str]:
    """Yield what somebody writes: on the command line, to the standard input, or in an editor.

    What was typed in an editor is kept in a file if it is not taken, and the error names that.

    :param text: as given; ``-`` stands for the standard input, None for an editor.
    :param command: that takes the text once more, without its options.
    :param before: what the editor shows at first.
    :raises DocumentError: if nothing is typed.
    """
    if text is not None:
        yield text if text != "-" else _read()
        return
    typed = _typed(before)
    try:
        yield typed
    except BaseException as error:
        path = shlex.quote(str(_keep(typed)))
        said = f"What was typed is kept. Give it again, with the other options: {command} - < {path}"
        if isinstance(error, HutchError):
            error.args = (f"{error} {said}", *error.args[1:])
        else:
            click.echo(said, err=True)
        raise


def _read() -> str:
    """Return what comes from the standard input.

    :raises DocumentError: if it is no text.
    """
    try:
        text = sys.stdin.read() if sys.stdin else ""
        text.encode()
    except UnicodeError as error:
        raise DocumentError(f"The standard input {NO_TEXT}") from error
    return text


def _typed(before: str) -> str:
    """Return what somebody types in an editor, without the help that it shows.

    :raises DocumentError: if that is nothing, or nobody is there to type: a program has no terminal.
    """
    has_editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not has_editor and not (sys.stdin and sys.stdin.isatty()):
        raise DocumentError("There is no terminal to write in. Give a text, or - to read the standard input.")
    found = click.edit("\n".join([f"{before}\n", *_HELP, ""]), extension=".md")
    text = _BLANK_LINES.sub("", _HELP_LINES.sub("", found or "")).rstrip()
    if not text:
        raise DocumentError("Nothing was written, so nothing is posted.")
    return f"{text}\n"


def _keep(text: str) -> Path:
    """Write a text into a new file that only the user reads, and return its path."""
    folder = state_folder() / _FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, path = tempfile.mkstemp(".md", "entry-", folder)
    except OSError:
        handle, path = tempfile.mkstemp(".md", "entry-")
    with open(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(path)


def _check_file(path: Path, limit_bytes: int) -> None:
    """Raise if a file cannot be read, or is too large."""
    try:
        found = path.stat()
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            # What comes through a pipe can be read only once.
            return
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:
        raise DocumentError(f"The file {str(path)!r} cannot be attached: {error}.") from error
    if found.st_size > limit_bytes:
        msg = (
            f"The file {str(path)!r} has {found.st_size:,} bytes, and the logbook takes {limit_bytes:,}. "
            "Leave it where it is, and write where that is."
        )
        raise AttachmentTooLargeError(msg, limit_bytes)
