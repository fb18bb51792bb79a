"""``hutch runs``: the newest runs as a table."""

from __future__ import annotations

from itertools import islice

import click

from hutch.cli.options import as_json, command, in_store, open_existing


@command("hutch runs --limit 5")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many runs."
)
@as_json
@in_store
def runs(limit: int, json_wanted: bool, store: str | None) -> None:
    """List the newest runs, the newest first.

    The column "marked" counts values that contradict their descriptor and documents in quarantine; see
    them with: hutch show RUN
    """
    from hutch.cli import format, views

    catalog = open_existing(store)
    lines = [views.RunLine.of(run) for run in islice(catalog[::-1].runs(), limit)]
    if json_wanted:
        click.echo(format.to_json([line.to_json() for line in lines]))
        return
    if not lines:
        click.echo(f"No runs yet in {catalog.store.location}", err=True)
        return
    format.write(views.runs_table(lines))
    count = len(catalog)
    if count > len(lines):
        click.echo(f"The newest {len(lines)} of {count:,} runs. More with: --limit {count}", err=True)
