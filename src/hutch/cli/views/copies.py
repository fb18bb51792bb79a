"""What ``hutch backup``, ``restore`` and ``move`` show: a bar while they copy, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from hutch.cli.format import counted, duration, to_json, write
from hutch.documents.text import size_text

if TYPE_CHECKING:
    from rich.progress import Progress

    from hutch.catalogs.verifying import Done
    from hutch.store.copies.copied import Copied
    from hutch.store.copies.copying import Progress as CopyProgress

__all__ = ["CopyBar", "copy_bar", "is_sound", "write_copied"]

_MOST_SHOWN = 100


class CopyBar:
    """A bar on stderr, if that is a terminal, for a copy and what follows it."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=1.0, verb="")

    def copy(self, done: CopyProgress) -> None:
        """Show how far a copy has come."""
        self._show("copying", done)

    def verify(self, done: Done) -> None:
        """Show how far a verification has come."""
        self._show("verifying", done)

    def _show(self, verb: str, done: CopyProgress | Done) -> None:
        text = f"{done.runs:,}/{done.of_runs:,} runs, {size_text(done.size_bytes)}"
        self._bar.update(self._task, completed=done.share, description=text, verb=verb)


@contextmanager
def copy_bar() -> Iterator[CopyBar]:
    """Show a bar; who interrupts is told that it can be taken up again."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from hutch.cli.format import console

    terminal = console(stderr=True)
    verb, text = TextColumn("{task.fields[verb]}"), TextColumn("{task.description}")
    columns = (verb, BarColumn(), text, TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        try:
            yield CopyBar(bar)
        except KeyboardInterrupt:
            click.echo("Interrupted. The same command goes on where it stopped.", err=True)
            raise


def write_copied(done: str, copied: Copied, *, json_wanted: bool, **more: Any) -> None:
    """Print what a copy did.

    :param done: what it is, as "Backup of 'beamtime'".
    :param more: what else JSON tells.
    """
    from rich.text import Text

    from hutch.catalogs.summary import local_time
    from hutch.cli.format import printable

    if json_wanted:
        click.echo(to_json({**copied.to_json(), **more}))
        return
    work = [f"{counted(copied.copied_runs, 'run')} copied"]
    if copied.deleted_runs:
        work.append(f"{counted(copied.deleted_runs, 'run')} deleted")
    work.append(f"{size_text(copied.size_bytes)} in {duration(copied.duration_s)}")
    total = counted(copied.runs, "run")
    write(Text(printable(f"{done} in {copied.target}: {total} as of {local_time(copied.moment)}")))
    write(Text(f"  {', '.join(work)}", style="dim"))
    if copied.damaged:
        write(Text("Damaged in the source, and copied as it is:", style="bold red"))
        for text in copied.damaged[:_MOST_SHOWN]:
            write(Text(f"  {printable(text)}", style="red"))
        if len(copied.damaged) > _MOST_SHOWN:
            write(Text(f"  … and {len(copied.damaged) - _MOST_SHOWN:,} more; --json shows all"))
        write(Text("  Look at the source with: hutch verify", style="dim"))


def is_sound(place: str) -> bool:
    """Verify a store, and print what is wrong with it."""
    from rich.text import Text

    from hutch.catalogs.verifying import verify
    from hutch.cli.format import printable
    from hutch.store import open_store

    with closing(open_store(place, create=False)) as store, copy_bar() as bar:
        found = verify(store, bar.verify)
    for finding in found.errors[:_MOST_SHOWN]:
        write(Text(f"  {printable(str(finding))}", style="red"))
    counts = f"{counted(found.runs, 'run')}, {counted(found.events, 'event')}"
    if found.is_sound:
        click.echo(f"Verified: {counts}, all of it sound.", err=True)
    else:
        click.echo(f"Verified: {counts}, {counted(len(found.errors), 'error')}.", err=True)
    return found.is_sound
