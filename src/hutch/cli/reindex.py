"""``hutch reindex``: make the index again from the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hutch.cli.naming import find_runs, refuse_options, run_bar
from hutch.cli.options import as_json, command, complete_store, in_store, open_existing
from hutch.config import names_store

if TYPE_CHECKING:
    from hutch.catalogs.care.reindexing import Reindexed


@command("hutch reindex", takes_run=True)
@click.argument(
    "words", metavar="[STORE] [RUN...]", nargs=-1, callback=refuse_options, shell_complete=complete_store
)
@as_json
@in_store
def reindex(words: tuple[str, ...], json_wanted: bool, store: str | None) -> None:
    """Make the index that searches use again from the documents.

    What is missing is added, what follows from no document is removed, and what is right is left alone,
    so that searches find all that they found before at any moment. Programs may record meanwhile. It may
    be interrupted and started again. The first word is the store if it is an address, a folder or the path
    of a configured catalog.
    """
    from hutch.catalogs.care import reindexing
    from hutch.cli import format

    is_named = not store and bool(words) and names_store(words[0])
    place, keys = (words[0], words[1:]) if is_named else (store, words)
    catalog = open_existing(place)
    runs = [run.row.id for run in find_runs(catalog, keys)] if keys else None
    with run_bar("indexing") as progress:
        done = reindexing.reindex(catalog.store, runs, progress)
    if json_wanted:
        click.echo(format.to_json(done.to_json()))
        return
    click.echo(f"{format.counted(done.runs, 'run')}, {_told(done)}")
    if done.unreadable:
        runs_text = format.counted(done.unreadable, "run")
        click.echo(f"The documents of {runs_text} cannot be read; see hutch verify.", err=True)


def _told(done: Reindexed) -> str:
    """Return what was done, in words."""
    from hutch.cli.format import counted

    if not done.completed and not done.cleared:
        return "all of them indexed as they must be"
    removed = f", {counted(done.removed, 'row')} in excess removed" if done.removed else ""
    return f"{done.completed:,} of them indexed again{removed}"
