"""``hutch delete``: delete runs, after a look at what would go."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from hutch.cli.naming import check_names, find_runs, run_bar, runs_argument, short_uids
from hutch.cli.options import TEXT, as_json, command, in_store, open_existing
from hutch.errors import RunDeletedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hutch.catalogs import Catalog, Run
    from hutch.catalogs.changing.deleting import Deletion, DeletionResult

__all__ = ["carry_out", "delete", "write_plan", "write_result"]


@command('hutch delete -1 --reason "the shutter was closed"', takes_run=True)
@runs_argument
@click.option("--reason", metavar="TEXT", type=TEXT, required=True, help="Why, for whoever looks for them.")
@click.option("--author", metavar="NAME", help="Who; else user@host.")
@click.option("--yes", "is_sure", is_flag=True, help="Delete them; else it is only said what would go.")
@as_json
@in_store
@click.pass_context
def delete(
    ctx: click.Context,
    keys: tuple[str, ...],
    reason: str,
    author: str | None,
    is_sure: bool,
    json_wanted: bool,
    store: str | None,
) -> None:
    """Delete runs: without --yes only say what would go.

    RUN is a uid or its beginning, or a scan_id; without --yes also -1 for the newest run, or -5: for the
    newest five. A tombstone stays that says who deleted what, when and why; see hutch runs --deleted.
    Files of detectors are never touched. A run that is being recorded is not deleted.
    """
    from hutch.catalogs.signatures import sign
    from hutch.cli import format

    catalog = open_existing(store)
    # The command that is printed is one that works.
    sign(reason, author)
    if is_sure:
        check_names(catalog, keys)
    runs = _still_there(catalog, keys)
    with run_bar("looking at") as progress:
        plan = catalog.plan_deletion(runs, progress)
    if is_sure:
        result = carry_out(plan, reason, author)
        if json_wanted:
            click.echo(format.to_json(asdict(result)))
        ctx.exit(write_result(plan, result, quiet=json_wanted))
    write_plan(plan, json_wanted=json_wanted)
    if plan.runs and not json_wanted:
        words = ["hutch", "delete", short_uids(plan.runs, catalog), "--reason", shlex.quote(reason)]
        words += ["--author", shlex.quote(author)] if author else []
        words += ["--store", shlex.quote(store)] if store else []
        click.echo(f"Nothing is deleted yet. Delete this with: {' '.join(words)} --yes", err=True)


def carry_out(plan: Deletion, reason: str, author: str | None) -> DeletionResult:
    """Delete what a plan names, showing progress; after Ctrl-C it is said how far it came."""
    done = 0

    def note(count: int, total: int) -> None:
        nonlocal done
        done = count
        progress(count, total)

    with run_bar("deleting") as progress:
        try:
            return plan.execute(reason, author, note)
        except KeyboardInterrupt:
            total = len(plan.runs)
            click.echo(f"Stopped after {done:,} of {total:,} runs; the same command goes on.", err=True)
            raise


def write_plan(plan: Deletion, *, json_wanted: bool) -> None:
    """Print what would go."""
    from rich.text import Text

    from hutch.cli import format
    from hutch.cli.views import care as care_views

    if json_wanted:
        found = {
            "runs": [run.to_json() for run in plan.runs],
            "events": plan.events,
            "size_bytes": plan.size_bytes,
            "external": plan.external,
            "kept": plan.kept,
        }
        click.echo(format.to_json(found))
        return
    if not plan.runs:
        click.echo("There is nothing to delete.", err=True)
        return
    format.write(care_views.planned_table(plan.runs))
    for sentence in care_views.deletion_sentences(plan.runs, is_done=False):
        format.write(Text(sentence))
    for obstacle in plan.obstacles:
        format.write(Text(format.printable(str(obstacle)), style="bold red"))


def write_result(plan: Deletion, result: DeletionResult, *, quiet: bool) -> int:
    """Print what became of a deletion; return the exit status."""
    from rich.text import Text

    from hutch.cli import format
    from hutch.cli.views import care as care_views

    deleted = set(result.deleted)
    if not plan.runs:
        click.echo("There is nothing to delete.", err=True)
    elif not quiet:
        runs = [run for run in plan.runs if run.uid in deleted]
        for sentence in care_views.deletion_sentences(runs, is_done=True):
            format.write(Text(sentence))
    for uid in result.gone:
        click.echo(f"Run {format.printable(uid)}: somebody else deleted it meanwhile.", err=True)
    for uid, reason in result.spared.items():
        click.echo(f"Run {format.printable(uid)} is not deleted: {reason}.", err=True)
    return 1 if result.spared else 0


def _still_there(catalog: Catalog, keys: Sequence[str]) -> list[Run]:
    """Return the runs that are named and there; say of the others that they are gone already."""
    found: dict[str, Run] = {}
    for key in keys:
        try:
            found.update((run.uid, run) for run in find_runs(catalog, [key]))
        except RunDeletedError as error:
            click.echo(str(error), err=True)
    return list(found.values())
