"""``hutch monitor checks``, ``replay`` and ``reference``: what data are judged by, over what is past too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from hutch.cli.options import as_json, author_option, command, find_run, in_store, open_existing
from hutch.cli.several import SpreadingCommand
from hutch.config import configuration
from hutch.errors import HutchError, LookupFailedError, NoStoreError

if TYPE_CHECKING:
    from hutch.catalogs import Catalog
    from hutch.monitor.checks.finding import Kinds
    from hutch.monitor.checks.settings import ConfiguredCheck, Tables
    from hutch.monitor.plugins.modules import Broken
    from hutch.monitor.sources import Sighting
    from hutch.monitor.verdicts.replaying import Progress, Replayed

__all__ = ["checks", "reference", "replay"]

_FILES = (".h5", ".hdf5", ".hdf", ".nxs")
"""How names end that are meant as files, whether these are there or not."""


def _plugins(function: Callable[..., Any]) -> Callable[..., Any]:
    text = "A folder, file or module of plots and checks of your own. Repeatable."
    return click.option("--plugins", multiple=True, metavar="DIR|MODULE", help=text)(function)


@command("hutch monitor checks", cls=SpreadingCommand)
@click.option("--plugins", multiple=True, metavar="DIR|MODULE...", help="Plots and checks of your own.")
@as_json
def checks(plugins: tuple[str, ...], json_wanted: bool) -> None:
    """List the kinds of checks, with their parameters.

    A check is set up in hutch.toml, in a table [monitor.checks.NAME] that says its kind, check = "Rate", and
    its parameters. Its verdicts are found by NAME: hutch runs dqm.NAME=bad
    """
    from hutch.cli import format
    from hutch.cli.views import monitor as monitor_views

    kinds = _kinds(plugins, _left_out(plugins))
    if json_wanted:
        click.echo(format.to_json([kind.to_json() for kind in kinds.kinds.values()]))
    else:
        format.write(monitor_views.kinds_view(kinds.kinds.values()))


@command("hutch monitor replay plan_name=scan --limit 20")
@click.argument("what", nargs=-1, metavar="[QUERY|FILE]…")
@click.option("--checks", "file", metavar="FILE", type=click.Path(dir_okay=False), help=(
    "A TOML file with tables [monitor.checks.NAME]; else those of hutch.toml."
))  # fmt: skip
@click.option("--check", "names", multiple=True, metavar="NAME", help="Only this check. Repeatable.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many runs."
)
@click.option("--post", is_flag=True, help="Post the verdicts to the runs; else nothing is written.")
@click.option("--scheduler", metavar="ADDRESS", help=(
    "Have the workers of this scheduler of dask read, many at a time.  [default: of hutch.toml]"
))  # fmt: skip
@_plugins
@as_json
@in_store
def replay(
    what: tuple[str, ...],
    file: str | None,
    names: tuple[str, ...],
    limit: int,
    post: bool,
    scheduler: str | None,
    plugins: tuple[str, ...],
    json_wanted: bool,
    store: str | None,
) -> None:
    """Say what checks would have said of past runs and files.

    Each QUERY is as in "hutch runs"; a FILE is one that is there. Without either, it is the newest runs. For
    each change of a verdict the row is told up to which data had been looked at.
    """
    from hutch.cli import format
    from hutch.cli.views import monitor as monitor_views
    from hutch.monitor.checks.settings import make_checks, tables_in
    from hutch.monitor.verdicts import replaying

    left_out = _left_out(plugins)
    kinds = _kinds(plugins, left_out)
    tables, where = tables_in(file)
    chosen = make_checks(tables, kinds, where)
    if names:
        known = {one.name for one in chosen}
        for name in names:
            if name not in known:
                listed = ", ".join(sorted(known)) or "none"
                msg = f"There is no check {name!r}; there are: {listed}."
                raise click.UsageError(msg, ctx=click.get_current_context())
        chosen = [one for one in chosen if one.name in names]
    if not chosen:
        click.echo("No checks are set up. List their kinds with: hutch monitor checks", err=True)
        if json_wanted:
            click.echo(format.to_json({"verdicts": [], "summary": replaying.summarize([])}))
        return
    catalog, sightings = _sightings(what, {one.stream for one in chosen}, limit, store)
    address = scheduler or configuration().settings.monitor.scheduler
    if address:
        found = _replay_elsewhere(address, sightings, chosen, tables, catalog, plugins, post)
    else:
        found = _replay_here(sightings, chosen, catalog, plugins, left_out, post)
    if json_wanted:
        summary = replaying.summarize(found)
        click.echo(format.to_json({"verdicts": [one.to_json() for one in found], "summary": summary}))
    elif found:
        format.write(monitor_views.replay_view(found))
    else:
        click.echo("There was nothing to judge: no run or file has what the checks look at.", err=True)


@command("hutch monitor reference LaB6 42 43")
@click.argument("name", required=False)
@click.argument("what", nargs=-1, metavar="[RUN|FILE]…")
@click.option("--remove", is_flag=True, help="Let the name stand for nothing any more.")
@click.option("--stream", default="primary", show_default=True, help="The stream of runs that is compared.")
@author_option
@_plugins
@as_json
@in_store
def reference(
    name: str | None,
    what: tuple[str, ...],
    remove: bool,
    stream: str,
    author: str | None,
    plugins: tuple[str, ...],
    json_wanted: bool,
    store: str | None,
) -> None:
    """Let a NAME stand for runs and files that checks compare with, or list such names.

    What plots accumulate of them is kept, so that they need not be read again. A check names it so:
    references = ["NAME"]
    """
    from hutch.catalogs.signatures import sign
    from hutch.cli import format
    from hutch.cli.views import monitor as monitor_views
    from hutch.monitor.verdicts.replaying import keep_reference
    from hutch.monitor.verdicts.trying import known_plots

    if name is not None and not what and not remove:
        msg = f"Name the runs or files that {name!r} stands for, or give --remove."
        raise click.UsageError(msg, ctx=click.get_current_context())
    catalog = open_existing(store)
    if name is not None:
        author = sign("a reference", author).author
        if remove:
            if catalog.store.saved_reference(name) is None:
                msg = f"There is no reference {name!r}. List them with: hutch monitor reference"
                raise LookupFailedError(msg)
            with catalog.store.transaction() as writer:
                writer.save_reference(name, None, author)
        else:
            sightings = [one for key in what for one in _named(catalog, key, stream)]
            left_out = _left_out(plugins)
            for broken in left_out:
                click.echo(f"hutch: {broken.sentence}", err=True)
            plots = known_plots(plugins, left_out)
            with _bar(len(sightings)) as (_, progress):
                problems = keep_reference(catalog, name, sightings, plots, author, progress)
            _tell_problems(problems)
    rows = catalog.store.saved_references()
    if json_wanted:
        click.echo(format.to_json(monitor_views.references_to_json(rows)))
    elif rows:
        format.write(monitor_views.references_table(rows))
    else:
        click.echo("No references are saved.", err=True)


def _replay_here(
    sightings: Sequence[Sighting],
    checks: Sequence[ConfiguredCheck],
    catalog: Catalog | None,
    plugins: Sequence[str],
    left_out: Sequence[Broken],
    post: bool,
) -> list[Replayed]:
    from hutch.monitor.verdicts.replaying import replay_sightings
    from hutch.monitor.verdicts.trying import known_plots

    plots = known_plots(plugins, left_out)
    found: list[Replayed] = []
    with _bar(len(sightings)) as (step, progress):
        for sighting in sightings:
            step(sighting.spec.base)
            found += replay_sightings(
                [sighting], checks, plots, catalog=catalog, post=post, progress=progress
            )
    return found


def _replay_elsewhere(
    scheduler: str,
    sightings: Sequence[Sighting],
    checks: Sequence[ConfiguredCheck],
    tables: Tables,
    catalog: Catalog | None,
    plugins: Sequence[str],
    post: bool,
) -> list[Replayed]:
    from hutch.monitor.verdicts.replaying_elsewhere import replay_elsewhere
    from hutch.monitor.working.spreading import connected

    found: list[Replayed] = []
    with connected(scheduler) as client, _bar(len(sightings)) as (step, _):
        several = replay_elsewhere(
            sightings, checks, tables, client, catalog=catalog, plugins=plugins, post=post
        )
        step(scheduler)
        for some in several:
            found += some
            step(scheduler)
    return found


def _tell_problems(problems: Mapping[str, str]) -> None:
    """Say of which plots nothing is kept, once for all that lack the same."""
    from hutch.cli.format import counted

    by_reason: dict[str, list[str]] = {}
    for plot, why in problems.items():
        by_reason.setdefault(why, []).append(plot)
    for why, plots in by_reason.items():
        others = f" and {counted(len(plots) - 1, 'other')}" if len(plots) > 1 else ""
        click.echo(f"Nothing is kept of the plot {plots[0]}{others}: {why}", err=True)


def _left_out(plugins: Sequence[str]) -> Sequence[Broken]:
    """Return the plug-ins that end a process, or never come to an end, when they are loaded.

    They are loaded elsewhere first, so that none of them takes the command with it.
    """
    from hutch.monitor.plugins.modules import find_origins
    from hutch.monitor.verdicts.probing import probe
    from hutch.monitor.working.cycle import Limits

    return probe({}, "", find_origins(plugins), Limits().seconds).left_out


def _kinds(plugins: Sequence[str], left_out: Sequence[Broken]) -> Kinds:
    """Return the kinds of checks; those that are broken are named."""
    from hutch.monitor.checks.finding import find_checks
    from hutch.monitor.plugins.modules import find_origins

    kinds = find_checks(find_origins(plugins), left_out=left_out)
    for broken in kinds.broken:
        click.echo(f"hutch: {broken.sentence}", err=True)
    for kind in kinds.kinds.values():
        if kind.replaces:
            click.echo(f"The check {kind.name} of {kind.origin} replaces that of {kind.replaces}.", err=True)
    return kinds


def _sightings(
    what: Sequence[str], streams: set[str], limit: int, store: str | None
) -> tuple[Catalog | None, list[Sighting]]:
    """Return the runs and files that somebody asked for, and the catalog; None if only files were."""
    from hutch.monitor.reading.watching import sight_file
    from hutch.monitor.verdicts.replaying import sightings_of
    from hutch.queries.typed import typed_queries

    files = [one for one in what if os.path.isfile(one) or os.path.splitext(one)[1] in _FILES]
    queries = [one for one in what if one not in files]
    found = []
    for one in files:
        try:
            found.append(sight_file(one))
        except HutchError as error:
            if len(what) == 1:
                raise
            click.echo(f"hutch: {error}", err=True)
    try:
        catalog = open_existing(store)
    except NoStoreError:
        if store is None and files and not queries:
            return None, found
        raise
    if queries or not files:
        chosen = catalog
        for asked in typed_queries(queries):
            chosen = chosen.search(asked)
        for run in chosen[::-1][:limit].runs():
            found += sightings_of(run, sorted(streams))
    return catalog, found


def _named(catalog: Catalog, key: str, stream: str) -> list[Sighting]:
    from hutch.monitor.reading.watching import sight_file
    from hutch.monitor.verdicts.replaying import sightings_of

    if os.path.isfile(key):
        return [sight_file(key)]
    run = find_run(catalog, key)
    found = list(sightings_of(run, [stream]))
    if not found:
        has = ", ".join(run) or "none"
        msg = (
            f"The run {key!r} has no stream {stream!r} to compare with; it has {has}. Name one with --stream"
        )
        raise LookupFailedError(msg)
    return found


@contextmanager
def _bar(count: int) -> Iterator[tuple[Callable[[str], None], Progress]]:
    """Show how many sources are done, and how far the one at hand is."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from hutch.cli import format

    terminal = format.console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task("", total=max(count, 1))
        done = -1

        def step(name: str) -> None:
            nonlocal done
            done += 1
            bar.update(task, completed=done, description=format.printable(name))

        def progress(rows: int, of_rows: int) -> None:
            bar.update(task, completed=max(done, 0) + rows / max(of_rows, 1))

        yield step, progress
