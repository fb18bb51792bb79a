"""``hutch verify``: the proof that a store has what was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hutch.cli.options import as_json, command, in_store, open_existing

if TYPE_CHECKING:
    from hutch.catalogs.verifying import Finding, Verification

_MOST_SHOWN = 100


@command("hutch verify")
@click.argument("place", metavar="[STORE]", required=False)
@as_json
@in_store
@click.pass_context
def verify(ctx: click.Context, place: str | None, json_wanted: bool, store: str | None) -> None:
    """Check that a store has all that was recorded, unharmed.

    Every batch is read and compared with its checksum, every number with its neighbours and with the
    stop document, the index with the documents. Nothing is changed. Exit status 1 if something is
    damaged or gone; what came odd, and is kept as it came, is noted.
    """
    if place and store:
        msg = "Give the store once: as STORE or with --store."
        raise click.UsageError(msg, ctx)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from hutch.catalogs import verifying
    from hutch.cli import format

    catalog = open_existing(place or store)
    terminal = format.console(stderr=True)
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TextColumn("runs"))
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task("", total=None)
        found = verifying.verify(
            catalog.store, lambda done, total: bar.update(task, completed=done, total=total)
        )
    if json_wanted:
        click.echo(format.to_json(found.to_json()))
    else:
        _write(found)
    ctx.exit(0 if found.is_sound else 1)


def _write(found: Verification) -> None:
    from rich.text import Text

    from hutch.cli import format

    counts = (
        format.counted(found.runs, "run"),
        format.counted(found.documents, "document"),
        format.counted(found.events, "event"),
        f"{found.batches:,} batch{'' if found.batches == 1 else 'es'} of {format.size(found.size_bytes)}",
    )
    format.write(Text(f"{found.store}: {', '.join(counts)}"))
    if found.is_sound:
        format.write(Text("Sound: everything that was recorded is there, unharmed.", style="green"))
    else:
        format.write(Text(f"Damaged: {format.counted(len(found.errors), 'error')}", style="bold red"))
    _write_some(found.errors, "red")
    if found.notes:
        format.write(Text(f"{format.counted(len(found.notes), 'note')}: kept as it came, and worth knowing"))
    _write_some(found.notes, "yellow")


def _write_some(findings: list[Finding], style: str) -> None:
    from rich.text import Text

    from hutch.cli import format

    for finding in findings[:_MOST_SHOWN]:
        format.write(Text(f"  {format.printable(str(finding))}", style=style))
    if len(findings) > _MOST_SHOWN:
        format.write(Text(f"  … and {len(findings) - _MOST_SHOWN:,} more; --json shows all"))
