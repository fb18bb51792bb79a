"""``hutch amend``: correct the metadata of runs afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hutch.cli.assignments import assignments
from hutch.cli.naming import find_runs, refuse_options, run_bar
from hutch.cli.options import TEXT, as_json, command, in_store, open_existing

if TYPE_CHECKING:
    from hutch.catalogs import Run
    from hutch.catalogs.changing.amending import Edit


@command('hutch amend -1 sample.name=LaB6 --reason "wrong label on the stage"', takes_run=True)
@click.argument("words", metavar="RUN... [KEY=VALUE]...", nargs=-1, required=True, callback=refuse_options)
@click.option("--remove", metavar="KEY", multiple=True, help="Remove a field; may be given again.")
@click.option("--undo", "is_undo", is_flag=True, help="Take back the last amendment, by one more.")
@click.option("--reason", metavar="TEXT", type=TEXT, required=True, help="Why, for whoever asks in a year.")
@click.option("--author", metavar="NAME", help="Who; else user@host.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@as_json
@in_store
def amend(
    words: tuple[str, ...],
    remove: tuple[str, ...],
    is_undo: bool,
    reason: str,
    author: str | None,
    dry_run: bool,
    json_wanted: bool,
    store: str | None,
) -> None:
    """Correct the start documents of runs; what was recorded is kept beside it.

    RUN is a uid or its beginning, a scan_id, -1 for the newest run, or -5: for the newest five. KEY is a
    field, sample.name a field in a field. VALUE is taken as JSON if it is JSON, else as text; '"12"' is
    text too. Each run is changed as a whole or not at all, and none if one of them can't be.
    """
    from hutch.cli import format

    keys = [word for word in words if "=" not in word]
    values = assignments(word for word in words if "=" in word)
    if not keys:
        raise click.UsageError("Name at least one run, such as -1 for the newest.")
    if is_undo == bool(values or remove):
        raise click.UsageError("Give KEY=VALUE or --remove KEY, or --undo alone.")
    runs = find_runs(open_existing(store), keys)

    def change(run: Run, *, only_look: bool) -> tuple[Edit, ...]:
        if is_undo:
            return run.undo_amendment(reason=reason, author=author, dry_run=only_look)
        return run.amend(values, remove=remove, reason=reason, author=author, dry_run=only_look)

    # All of them are looked at before the first is changed.
    edits = {run: change(run, only_look=True) for run in runs}
    if not dry_run:
        with run_bar("amending") as progress:
            for done, run in enumerate(runs, 1):
                edits[run] = change(run, only_look=False)
                progress(done, len(runs))
    if json_wanted:
        found = [{"uid": run.uid, "scan_id": run.scan_id, "edits": _json(edits[run])} for run in runs]
        click.echo(format.to_json(found))
    else:
        _write(edits, dry_run=dry_run)


def _write(edits: dict[Run, tuple[Edit, ...]], *, dry_run: bool) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from hutch.cli import format
    from hutch.cli.views import care as care_views

    for run, changed in edits.items():
        name = run.uid[:8] if run.scan_id is None else f"{run.scan_id} ({run.uid[:8]})"
        said = "would change" if dry_run else "amended"
        if not changed:
            said = "is so already: nothing to change"
        format.write(Text(f"Run {format.printable(name)}: {said}", style="bold" if changed else "dim"))
        if changed:
            format.write(Padding(care_views.edits_table(changed), (0, 0, 0, 2), expand=False))
    if dry_run:
        click.echo("Nothing is changed yet. Change it without --dry-run.", err=True)


def _json(edits: tuple[Edit, ...]) -> list[dict[str, Any]]:
    return [edit.to_json() for edit in edits]
