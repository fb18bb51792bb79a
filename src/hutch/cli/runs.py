"""``hutch runs``: the newest runs as a table."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

import click

from hutch.cli.options import as_json, command, in_store, open_existing
from hutch.cli.waiting import say_what_waits
from hutch.errors import RunDeletedError

if TYPE_CHECKING:
    from hutch.catalogs import Catalog


@command("hutch runs --limit 5")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many runs."
)
@click.option("--deleted", is_flag=True, help="List what is left of deleted runs instead.")
@as_json
@in_store
def runs(limit: int, deleted: bool, json_wanted: bool, store: str | None) -> None:
    """List the newest runs, the newest first.

    The column "marked" counts values that contradict their descriptor and documents in quarantine; see
    them with: hutch show RUN
    """
    from hutch.cli import format, views

    catalog = open_existing(store)
    say_what_waits(catalog.store)
    if deleted:
        _list_deleted(catalog, limit, json_wanted=json_wanted)
        return
    lines: list[views.RunLine] = []
    for run in islice(catalog[::-1].runs(), limit):
        with suppress(RunDeletedError):  # a moment ago
            lines.append(views.RunLine.of(run))
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


def _list_deleted(catalog: Catalog, limit: int, *, json_wanted: bool) -> None:
    """Print what is left of the runs that were deleted last."""
    from hutch.cli import care_views, format

    stones = catalog.deleted
    if json_wanted:
        click.echo(format.to_json([stone.to_json() for stone in stones[:limit]]))
        return
    if not stones:
        click.echo(f"No run was deleted from {catalog.store.location}", err=True)
        return
    format.write(care_views.tombstones_table(stones[:limit]))
    if len(stones) > limit:
        click.echo(f"The last {limit} of {len(stones):,}. More with: --limit {len(stones)}", err=True)
