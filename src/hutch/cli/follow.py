"""``hutch follow``: the rows of a run while it is recorded."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from hutch.cli.options import command, find_run, in_store, open_existing, run_argument

if TYPE_CHECKING:
    from hutch.catalogs import Catalog, Run

_LOOKED_AT = 100
"""Among so many of the newest runs an open one is looked for."""
_PATIENCE_S = 1.0


@command("hutch follow -1", takes_run=True)
@run_argument(required=False)
@click.option("--timeout", "timeout_s", metavar="S", type=click.FloatRange(min=0), help=(
    "Give up after so many seconds in which nothing came; else wait until the run ends."
))  # fmt: skip
@click.option(
    "--json",
    "json_wanted",
    is_flag=True,
    help=("Print [name, document], a line each, as hutch import reads it."),
)
@in_store
def follow(key: str | None, timeout_s: float | None, json_wanted: bool, store: str | None) -> None:
    """Print the rows of a run as they are recorded, until it ends.

    RUN is a uid or its beginning, a scan_id, or -1 for the newest run. Without it, the run that is open
    now is followed, else the next one.
    """
    from hutch.cli.views.live import LiveRows
    from hutch.documents import encode

    catalog = open_existing(store)
    run = find_run(catalog, key) if key is not None else _open_or_next(catalog, timeout_s)
    if run is None:
        click.echo(f"No run began within {timeout_s:g} s.", err=True)
        click.get_current_context().exit(1)
    if json_wanted:
        for pair in run.follow(timeout_s=timeout_s):
            click.echo(encode(pair))
        return
    with LiveRows() as rows:
        for name, document in run.follow(timeout_s=timeout_s):
            rows(name, document)
        rows.end(run.status)


def _open_or_next(catalog: Catalog, timeout_s: float | None) -> Run | None:
    """Return the newest run that is being recorded, or wait for one to begin."""
    import time

    from hutch.errors import StoreUnavailableError
    from hutch.store import Topic

    store = catalog.store
    cursor = store.last_change()
    for run in islice(catalog[::-1].runs(), _LOOKED_AT):
        if run.status == "running":
            return run
    click.echo(f"Waiting for the next run in {store.location} …", err=True)
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while deadline is None or time.monotonic() < deadline:
        try:
            store.wait(cursor, _PATIENCE_S)
            news = store.changes(cursor)
        except StoreUnavailableError:
            time.sleep(_PATIENCE_S)
            continue
        for change in news:
            cursor = change.number
            if change.topic is Topic.START:
                return catalog[change.reference]
    return None
