"""``hutch show``: everything about one run but its data."""

from __future__ import annotations

import click

from hutch.cli.options import as_json, command, find_run, in_store, open_existing, run_argument


@command("hutch show -1", takes_run=True)
@run_argument()
@click.option("--original", is_flag=True, help="Show the start document as it was recorded.")
@as_json
@in_store
def show(key: str, original: bool, json_wanted: bool, store: str | None) -> None:
    """Show one run: metadata and its amendments, streams, keys, and what is wrong.

    RUN is a uid or its beginning, a scan_id, or -1 for the newest run, -2 for the one before.
    """
    from hutch.cli import format
    from hutch.cli.views import runs as views

    run = find_run(open_existing(store), key)
    if json_wanted:
        click.echo(format.to_json(views.run_to_json(run, original=original)))
    else:
        format.write(views.run_view(run, original=original))
