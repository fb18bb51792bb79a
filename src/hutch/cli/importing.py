"""``hutch import``: documents from files into a store."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hutch.cli.options import command, in_store, open_or_make
from hutch.errors import ImportFileError, MissingExtraError, RunOwnedError

if TYPE_CHECKING:
    from hutch.recording.importing.importer import Imported
    from hutch.recording.importing.metadata_importing import ImportedMetadata
    from hutch.store import Store

__all__ = ["import_", "import_one", "import_sentences"]

_OF_ONE_FILE = (ImportFileError, MissingExtraError, RunOwnedError)
"""What keeps one file from being taken, and no other."""


@command("hutch import runs.jsonl.gz --store beamtime", name="import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@in_store
@click.pass_context
def import_(ctx: click.Context, files: tuple[Path, ...], store: str | None) -> None:
    """Import runs from files of documents, or metadata that bluesky kept, into a store.

    A file is a JSON list, or JSON lines, of [name, document], plain or gzipped; or it is the folder of a
    PersistentDict, or the file of a HistoryDict, whose keys are then metadata of every run. What the store
    has already is left alone. The store is made if it is not there, unless it is a catalog of hutch.toml.
    Exit status 1 if a file cannot be taken; the others are.
    """
    opened = open_or_make(store).store
    is_whole = True
    for file in files:
        try:
            for sentence in _taken(opened, file):
                click.echo(sentence)
        except _OF_ONE_FILE as error:
            click.echo(f"hutch: {error}", err=True)
            is_whole = False
    ctx.exit(0 if is_whole else 1)


def import_one(store: Store, file: Path) -> Imported:
    """Import a file, showing progress on stderr if that is a terminal.

    :raises ImportFileError: if the file is something else.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from hutch.cli.format import console, printable
    from hutch.recording.importing.importer import import_file

    terminal = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with (
        _quiet_recorder(),
        Progress(
            *columns,
            TimeRemainingColumn(),
            console=terminal,
            transient=True,
            disable=not terminal.is_terminal,
        ) as bar,
    ):
        task = bar.add_task(printable(file.name), total=None)
        return import_file(store, file, lambda done, total: bar.update(task, completed=done, total=total))


def import_sentences(imported: Imported) -> Iterator[str]:
    """Yield what came of an import, a line each."""
    from hutch.cli.format import counted

    runs, known = len(imported.runs), len(imported.known_runs)
    total = imported.documents.total()
    yield f"{imported.path}: {counted(runs, 'new run')}, {counted(total - imported.skipped, 'new document')}"
    if imported.skipped:
        yield f"  skipped: {counted(imported.skipped, 'document')} of {counted(known, 'run')} that were there"
    if imported.marked:
        yield f"  marked: {counted(imported.marked, 'value')} unlike their descriptor (hutch show RUN)"
    if imported.quarantined:
        yield f"  in quarantine: {counted(imported.quarantined, 'document')} without a place (hutch verify)"
    if imported.open_runs:
        names = ", ".join(uid[:8] for uid in imported.open_runs[:5])
        more = ", …" if len(imported.open_runs) > 5 else ""
        yield f"  without an end: {counted(len(imported.open_runs), 'run')} ({names}{more})"


def _taken(store: Store, file: Path) -> Iterator[str]:
    """Import a file of documents, or metadata that bluesky kept; yield what came of it, a line each."""
    from hutch.recording.importing.metadata_importing import import_metadata, is_metadata

    if is_metadata(file):
        yield from _metadata_sentences(import_metadata(store, file))
    else:
        yield from import_sentences(import_one(store, file))


def _metadata_sentences(imported: ImportedMetadata) -> Iterator[str]:
    from hutch.cli.format import counted, printable

    yield f"{imported.path}: {counted(len(imported.taken), 'new key')} of metadata for every run"
    if imported.known:
        names = printable(", ".join(imported.known))
        yield f"  skipped: {counted(len(imported.known), 'key')} with a value already ({names})"
    for reason in imported.refused.values():
        yield f"  left out: {printable(reason)}"


@contextmanager
def _quiet_recorder() -> Iterator[None]:
    """Keep warnings about single documents from the terminal: they are counted afterwards."""
    logger = logging.getLogger("hutch.recording")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
