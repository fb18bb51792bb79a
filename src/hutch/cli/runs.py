"""``hutch runs``: the newest runs as a table."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from hutch.cli.options import as_json, command, in_store, open_existing
from hutch.cli.waiting import say_what_waits
from hutch.errors import RunDeletedError

if TYPE_CHECKING:
    from hutch.catalogs import Catalog


_COLUMNS = ("scan_id", "uid", "plan", "time", "status", "points")


@command("hutch runs plan_name=scan 'num_points>50' --since 2026-11")
@click.argument("query", nargs=-1)
@click.option(
    "--since", metavar="TIME", help="Began then or later: 2026, 2026-11, 2026-11-26, '2026-11-26 12:30'."
)
@click.option("--until", metavar="TIME", help="Began before then.")
@click.option("--plan", metavar="NAME", help="Of this plan.")
@click.option("--where", nargs=3, multiple=True, metavar="KEY OP VALUE", help=(
    "A condition; OP is one of = != < <= > >= ~ (regular expression) in contains exists. Repeatable."
))  # fmt: skip
@click.option("--columns", metavar="NAMES", help=(
    "Names with commas between: scan_id, uid, plan, time, status, points, marked, verdicts, or keys as in "
    "sample.name and dqm.packet_rate."
))  # fmt: skip
@click.option(
    "--sort", multiple=True, metavar="[-]KEY", help="Order by this key, with - descending. Repeatable."
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many runs."
)
@click.option("--deleted", is_flag=True, help="List what is left of deleted runs instead.")
@click.option("--csv", "csv_wanted", is_flag=True, help="Print CSV.")
@as_json
@in_store
def runs(
    query: tuple[str, ...],
    since: str | None,
    until: str | None,
    plan: str | None,
    where: tuple[tuple[str, str, str], ...],
    columns: str | None,
    sort: tuple[str, ...],
    limit: int,
    deleted: bool,
    csv_wanted: bool,
    json_wanted: bool,
    store: str | None,
) -> None:
    """List runs, the newest first.

    Each QUERY is KEY=VALUE (also != < <= > >=, and ~ for a regular expression), a query in MongoDB's language
    as JSON, or a word that must be among a run's values; 'anneal*' is the beginning of one. All must hold.

    The column "marked" counts values that contradict their descriptor and documents in quarantine; see
    them with: hutch show RUN. Those of "verdicts" are what checks of the monitor say: dqm.NAME in a QUERY.
    """
    from hutch.cli import format
    from hutch.cli.views import run_columns
    from hutch.cli.views import runs as views
    from hutch.queries.typed import typed_queries

    if json_wanted and csv_wanted:
        msg = "Give --json or --csv, not both."
        raise click.UsageError(msg, ctx=click.get_current_context())
    catalog = open_existing(store)
    say_what_waits(catalog.store)
    if deleted:
        _list_deleted(catalog, limit, json_wanted=json_wanted)
        return
    chosen = None if columns is None else run_columns.Columns(_names(columns))
    found = catalog
    for asked in typed_queries(query, where, plan=plan, since=since, until=until):
        found = found.search(asked)
    ordered = found.sort(*map(_order, sort)) if sort else found[::-1]
    lines: list[tuple[int, views.RunLine]] = []
    for run in ordered[:limit].runs():
        with suppress(RunDeletedError):  # a moment ago
            lines.append((run.row.id, views.RunLine.of(run)))
    if chosen is None and csv_wanted:
        chosen = run_columns.Columns(_COLUMNS)
    if chosen is not None:
        rows = chosen.rows(catalog.store, lines)
        if csv_wanted:
            click.echo(run_columns.as_csv(rows, chosen.names), nl=False)
            return
    if json_wanted:
        said = [line.to_json() for _, line in lines] if chosen is None else rows
        click.echo(format.to_json(said))
        return
    if not lines:
        click.echo(_nothing(catalog, is_search=found is not catalog), err=True)
        return
    if chosen is None:
        format.write(views.runs_table([line for _, line in lines]))
    else:
        format.write(run_columns.as_table(rows, chosen.names))
    count = len(found)
    if count > len(lines):
        which = "first" if sort else "newest"
        click.echo(f"The {which} {len(lines)} of {count:,} runs. More with: --limit {count}", err=True)


def _names(columns: str) -> list[str]:
    names = [name.strip() for name in columns.split(",") if name.strip()]
    if not names:
        msg = "--columns takes names with commas between, as in scan_id,uid,sample.name."
        raise click.UsageError(msg, ctx=click.get_current_context())
    return names


def _order(key: str) -> tuple[str, int]:
    return (key[1:], -1) if key.startswith("-") else (key, 1)


def _nothing(catalog: Catalog, *, is_search: bool) -> str:
    place = catalog.store.location
    if not is_search or not len(catalog):
        return f"No runs yet in {place}"
    return f"None of the {len(catalog):,} runs in {place} is like that."


def _list_deleted(catalog: Catalog, limit: int, *, json_wanted: bool) -> None:
    """Print what is left of the runs that were deleted last."""
    from hutch.cli import format
    from hutch.cli.views import care as care_views

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
