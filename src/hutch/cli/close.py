"""``hutch close``: end runs whose process died."""

from __future__ import annotations

import click

from hutch.cli.naming import find_runs, runs_argument
from hutch.cli.options import TEXT, as_json, command, in_store, open_existing


@command('hutch close -1 --reason "the computer lost its power"', takes_run=True)
@runs_argument
@click.option(
    "--reason", metavar="TEXT", type=TEXT, required=True, help="Why it ended, for whoever asks in a year."
)
@click.option("--author", metavar="NAME", help="Who says so; else user@host.")
@click.option(
    "--exit-status",
    type=click.Choice(["abort", "fail", "success"]),
    default="abort",
    show_default=True,
    help="How it ended.",
)
@as_json
@in_store
def close(
    keys: tuple[str, ...],
    reason: str,
    author: str | None,
    exit_status: str,
    json_wanted: bool,
    store: str | None,
) -> None:
    """End runs that were interrupted: write the stop document that their process could not write.

    RUN is a uid or its beginning, a scan_id, -1 for the newest run, or -5: for the newest five. The stop
    document says who wrote it, when and why. A run that is being recorded is not ended; one that has
    ended is left as it is.
    """
    from hutch.cli import format
    from hutch.errors import RunClosedError

    found = []
    for run in find_runs(open_existing(store), keys):
        try:
            stop = run.close_interrupted(reason=reason, author=author, exit_status=exit_status)
        except RunClosedError as error:
            click.echo(f"{error} Nothing is changed.", err=True)
            continue
        found.append(stop)
        if not json_wanted:
            counts = ", ".join(f"{count:,} of {name}" for name, count in stop["num_events"].items())
            name = run.uid[:8] if run.scan_id is None else f"{run.scan_id} ({run.uid[:8]})"
            text = f"Run {name}: ended with {exit_status}, events: {counts or 'none'}"
            click.echo(format.printable(text))
    if json_wanted:
        click.echo(format.to_json(found))
