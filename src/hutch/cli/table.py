"""``hutch table``: run tables of an experiment."""

from __future__ import annotations

import json
from typing import Any

import click

from hutch.cli.log_options import experiment_option, open_logbook, the_experiment
from hutch.cli.options import TEXT, as_json, author_option, command, group, in_store

__all__ = ["table"]


@group("hutch table show --sort param.gain --descending")
def table() -> None:
    """Show tables of the runs of an experiment, define them, and fill in parameters."""


@command("hutch table list", name="list")
@experiment_option
@as_json
@in_store
def list_(experiment: str | None, json_wanted: bool, store: str | None) -> None:
    """List the run tables of an experiment."""
    from hutch.cli import format
    from hutch.cli.views import log as log_views

    book = open_logbook(store)
    found = book.run_tables(the_experiment(book, experiment))
    if json_wanted:
        click.echo(format.to_json([one.to_json() for one in found]))
    else:
        format.write(log_views.run_tables_table(found))


@command("hutch table show --columns run_num,start.sample,param.gain", name="show")
@click.argument("name", metavar="[TABLE]", required=False)
@click.option("--columns", metavar="A,B,…", help="In place of those of the table; see hutch table sources.")
@click.option("--sort", metavar="COLUMN", help="Else the latest run comes first.")
@click.option("--descending", is_flag=True, help="The other way round.")
@click.option(
    "--group-by",
    metavar="COLUMN",
    help="Rows that have the same there stand together, below a count of each.",
)
@click.option("--limit", metavar="N", type=click.IntRange(min=0), default=100, help="Rows.  [default: 100]")
@experiment_option
@as_json
@in_store
def show(
    name: str | None,
    columns: str | None,
    sort: str | None,
    descending: bool,
    group_by: str | None,
    limit: int,
    experiment: str | None,
    json_wanted: bool,
    store: str | None,
) -> None:
    """Show the runs of an experiment in a run table.

    TABLE is its name; else the default one.
    """
    from hutch.cli import format
    from hutch.cli.views import log as log_views
    from hutch.logbook import Column

    book = open_logbook(store)
    data = book.table_data(
        the_experiment(book, experiment),
        name or "default",
        columns=None if columns is None else _names(columns),
        sort=sort,
        descending=descending,
        group_by=group_by,
        limit=limit,
    )
    if json_wanted:
        click.echo(format.to_json(data.to_json()))
    else:
        if group_by is not None and data.groups:
            shown = [column for column in data.columns if column.source == group_by]
            format.write(log_views.groups_view(data, shown[0] if shown else Column.parse(group_by)))
        format.write(log_views.data_table(data))
        if data.total > len(data.rows):
            click.echo(f"{len(data.rows):,} of {data.total:,} runs; more with --limit.", err=True)


@command("hutch table csv > runs.csv", name="csv")
@click.argument("name", metavar="[TABLE]", required=False)
@experiment_option
@in_store
def csv(name: str | None, experiment: str | None, store: str | None) -> None:
    """Print all rows of a run table as CSV, in which no text is a formula."""
    book = open_logbook(store)
    data = book.table_data(the_experiment(book, experiment), name or "default", limit=None)
    click.echo(data.to_csv(), nl=False)


@command("hutch table sources", name="sources")
@experiment_option
@as_json
@in_store
def sources(experiment: str | None, json_wanted: bool, store: str | None) -> None:
    """List what columns can show."""
    from hutch.cli import format

    book = open_logbook(store)
    found = book.sources(the_experiment(book, experiment))
    if json_wanted:
        click.echo(format.to_json(found))
    else:
        for names in found.values():
            for name in names:
                click.echo(format.printable(name))


@command("hutch table create gains run_num,start.sample,param.gain", name="create")
@click.argument("name", metavar="TABLE")
@click.argument("columns", metavar="A,B,…")
@click.option("--description", metavar="TEXT", type=TEXT, help="What it is for.")
@click.option("--replace", is_flag=True, help="Define it anew if it is there.")
@experiment_option
@author_option
@in_store
def create(
    name: str,
    columns: str,
    description: str | None,
    replace: bool,
    experiment: str | None,
    author: str | None,
    store: str | None,
) -> None:
    """Define a run table."""
    book = open_logbook(store)
    chosen = the_experiment(book, experiment)
    is_there = any(one.name == name for one in book.run_tables(chosen))
    if replace and is_there:
        book.update_run_table(chosen, name, _names(columns), description=description, author=author)
    else:
        book.create_run_table(chosen, name, _names(columns), description=description or "", author=author)
    click.echo(f"Defined the run table {name} of {chosen}.", err=True)


@command("hutch table clone default mine", name="clone")
@click.argument("name", metavar="TABLE")
@click.argument("to", metavar="NEW")
@experiment_option
@author_option
@in_store
def clone(name: str, to: str, experiment: str | None, author: str | None, store: str | None) -> None:
    """Define a run table NEW that is what TABLE is."""
    book = open_logbook(store)
    chosen = the_experiment(book, experiment)
    book.clone_run_table(chosen, name, to, author=author)
    click.echo(f"Defined the run table {to} of {chosen}, as {name} is.", err=True)


@command("hutch table delete gains", name="delete")
@click.argument("name", metavar="TABLE")
@experiment_option
@author_option
@in_store
def delete(name: str, experiment: str | None, author: str | None, store: str | None) -> None:
    """Delete a run table; runs and their values stay."""
    book = open_logbook(store)
    book.delete_run_table(the_experiment(book, experiment), name, author=author)
    click.echo(f"Deleted the run table {name}.", err=True)


@command("hutch table set 12 gain=3 comment='good data'", name="set")
@click.argument("run", metavar="RUN", type=click.IntRange(min=1))
@click.argument("values", metavar="NAME=VALUE …", type=TEXT, nargs=-1, required=True)
@experiment_option
@author_option
@in_store
def set_(
    run: int, values: tuple[str, ...], experiment: str | None, author: str | None, store: str | None
) -> None:
    """Post parameters to a run; what was there before is kept as its history.

    RUN is its number in the experiment. A VALUE that is JSON is a number, a list and so on, else text.
    """
    book = open_logbook(store)
    chosen = the_experiment(book, experiment)
    book.add_run_params(chosen, run, dict(map(_assigned, values)), author=author)
    click.echo(f"Posted {len(values)} to run {run} of {chosen}.", err=True)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _assigned(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{text!r} is none. Write NAME=VALUE.", param_hint="NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


for _command in (list_, show, csv, sources, create, clone, delete, set_):
    table.add_command(_command)
