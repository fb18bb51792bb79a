"""``hutch compact``: merge what was recorded in many small batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hutch.cli.naming import run_bar
from hutch.cli.options import as_json, command, complete_store, in_store, open_existing
from hutch.documents.text import size_text

if TYPE_CHECKING:
    from hutch.catalogs.care.compaction import Compacted


@command("hutch compact")
@click.argument("place", metavar="[STORE]", required=False, shell_complete=complete_store)
@as_json
@in_store
@click.pass_context
def compact(ctx: click.Context, place: str | None, json_wanted: bool, store: str | None) -> None:
    """Merge the small batches of runs, so that reading them is fast.

    Recording processes do this by themselves; it is needed for runs whose process died, and for many runs
    that were imported. Events stay as they are, and programs may read and record meanwhile; runs that are
    being recorded are left to their process. Files that were replaced are deleted ten minutes later, by
    the next process that records or compacts. It may be interrupted and started again. Exit status 1 if
    something in the store is damaged; that is left as it is.
    """
    if place and store:
        msg = "Give the store once: as STORE or with --store."
        raise click.UsageError(msg, ctx)
    from hutch.catalogs.care import compaction
    from hutch.cli import format

    catalog = open_existing(place or store)
    done = compaction.Compacted(catalog.store.location)
    try:
        with run_bar("compacting") as progress:
            compaction.compact(catalog.store, done, progress)
    except KeyboardInterrupt:
        click.echo("Interrupted. The same command goes on where it stopped.", err=True)
        raise
    finally:
        if json_wanted:
            click.echo(format.to_json(done.to_json()))
        else:
            _write(done)
    ctx.exit(1 if done.damaged else 0)


def _write(done: Compacted) -> None:
    from rich.text import Text

    from hutch.cli.format import counted, printable, write

    if done.made:
        batches = f"{done.replaced:,} batches are {done.made:,} now"
        text = f"{counted(done.runs, 'run')} merged: {batches}, {size_text(done.written_bytes)} written"
    else:
        text = "nothing to merge"
    write(Text(printable(f"{done.store}: {text}")))
    if done.deleted_files:
        write(Text(f"  {counted(done.deleted_files, 'file')} deleted that had been replaced", style="dim"))
    if done.waiting_files:
        write(Text(f"  {counted(done.waiting_files, 'file')} replaced, to be deleted later", style="dim"))
    if done.left:
        write(Text(f"  {counted(len(done.left), 'run')} being recorded, left to their process", style="dim"))
    for text in done.damaged:
        write(Text(f"  {printable(text)}", style="red"))
