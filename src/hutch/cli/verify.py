"""``hutch verify``: the proof that a store has what was recorded, and the repair of what is not so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from hutch.cli.options import as_json, command, complete_store, in_store, open_existing
from hutch.documents.text import size_text

if TYPE_CHECKING:
    from hutch.catalogs.care.findings import Finding, Repair, Verification
    from hutch.catalogs.verifying import Done, Progress
    from hutch.store import Store

_MOST_SHOWN = 100


@command("hutch verify")
@click.argument("place", metavar="[STORE]", required=False, shell_complete=complete_store)
@click.option("--repair", "is_repair", is_flag=True, help="Repair what is safe to repair, and say what.")
@click.option("--dry-run", is_flag=True, help="With --repair: only say what it would do.")
@as_json
@in_store
@click.pass_context
def verify(
    ctx: click.Context,
    place: str | None,
    is_repair: bool,
    dry_run: bool,
    json_wanted: bool,
    store: str | None,
) -> None:
    """Check that a store has all that was recorded, unharmed; repair it if asked to.

    Every batch is read and compared with its checksum, every number with its neighbours and with the
    stop document, the index with the documents. Without --repair nothing is changed. Exit status 1 if
    something is damaged or gone, with --repair if it still is; what came odd, and is kept as it came, is
    noted. Runs that are being recorded are checked as far as they are, and never repaired.
    """
    if place and store:
        msg = "Give the store once: as STORE or with --store."
        raise click.UsageError(msg, ctx)
    if dry_run and not is_repair:
        msg = "--dry-run goes with --repair; without it nothing is ever changed."
        raise click.UsageError(msg, ctx)
    from hutch.catalogs import repairing, verifying
    from hutch.cli import format

    catalog = open_existing(place or store)
    with _bar() as progress:
        if is_repair and not dry_run:
            _announce_spool(catalog.store)
            found = repairing.repair(catalog.store, progress, _say)
        else:
            found = verifying.verify(catalog.store, progress)
    if json_wanted:
        click.echo(format.to_json(found.to_json()))
    else:
        _write(found, plan=dry_run)
    ctx.exit(0 if found.is_sound else 1)


@contextmanager
def _bar() -> Iterator[Progress | None]:
    """Show on stderr how far the check has come; give None if that is no terminal."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from hutch.cli import format

    terminal = format.console(stderr=True)
    if not terminal.is_terminal:
        yield None
        return
    columns = (TextColumn("verifying"), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True) as bar:
        task = bar.add_task("", total=1.0)

        def show(done: Done) -> None:
            text = f"{done.runs:,}/{done.of_runs:,} runs, {size_text(done.size_bytes)}"
            bar.update(task, completed=done.share, description=text)

        yield show


def _announce_spool(store: Store) -> None:
    """Say what is taken in first, as that may take its time."""
    from hutch.cli import format
    from hutch.recording.spooling.spool import abandoned_files, mark_of

    for path in abandoned_files(mark_of(store)):
        size = size_text(path.stat().st_size)
        click.echo(format.printable(f"Storing {size} that wait in {str(path)!r} …"), err=True)


def _say(repair: Repair) -> None:
    """Tell a repair when it is done."""
    from hutch.cli import format

    word = "Repaired" if repair.is_done else "Left"
    click.echo(format.printable(f"{word}: {repair}"), err=True)


def _write(found: Verification, *, plan: bool) -> None:
    from rich.text import Text

    from hutch.cli import format

    counts = (
        format.counted(found.runs, "run"),
        format.counted(found.documents, "document"),
        format.counted(found.events, "event"),
        f"{found.batches:,} batch{'' if found.batches == 1 else 'es'} of {size_text(found.size_bytes)}",
    )
    format.write(Text(f"{found.store}: {', '.join(counts)}"))
    if not found.is_sound:
        still = "Still damaged" if found.repairs else "Damaged"
        format.write(Text(f"{still}: {format.counted(len(found.errors), 'error')}", style="bold red"))
    elif missing := _missing(found):
        format.write(Text(f"Sound, but for {' and '.join(missing)}; they are named below", style="yellow"))
    else:
        format.write(Text("Sound: everything that was recorded is there, unharmed.", style="green"))
    _write_some(found.errors, "red")
    _write_remedies(found.errors)
    if found.notes:
        format.write(Text(f"{format.counted(len(found.notes), 'note')}: kept as it came, and worth knowing"))
    _write_some(found.notes, "yellow")
    if plan:
        _write_plan([finding for finding in found.findings if finding.kind.is_repairable])


def _missing(found: Verification) -> list[str]:
    """Return what is not there though nothing is wrong with the store."""
    from hutch.catalogs.care.findings import Kind

    texts = {
        Kind.LOST: "events that are known to be lost",
        Kind.SPOOLED: "documents that wait to be stored",
    }
    there = {finding.kind for finding in found.findings}
    return [text for kind, text in texts.items() if kind in there]


def _write_some(findings: Sequence[Finding], style: str) -> None:
    from rich.text import Text

    from hutch.cli import format

    for finding in findings[:_MOST_SHOWN]:
        format.write(Text(f"  {format.printable(str(finding))}", style=style))
    if len(findings) > _MOST_SHOWN:
        format.write(Text(f"  … and {len(findings) - _MOST_SHOWN:,} more; --json shows all"))


def _write_remedies(findings: Sequence[Finding]) -> None:
    """Say for each kind of finding what helps."""
    from rich.text import Text

    from hutch.cli import format

    for kind in dict.fromkeys(finding.kind for finding in findings):
        remedy = next(finding.remedy for finding in findings if finding.kind is kind)
        format.write(Text(f"  {kind.value}: {remedy}", style="dim"))


def _write_plan(findings: Sequence[Finding]) -> None:
    from rich.text import Text

    from hutch.cli import format

    if not findings:
        format.write(Text("A repair would change nothing."))
        return
    format.write(Text(f"A repair would look after {format.counted(len(findings), 'finding')}:"))
    _write_some(findings, "")
    _write_remedies(findings)
