"""``hutch experiment``: what runs belong to, and who may do what with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hutch.cli.options import TEXT, as_json, author_option, command, group, in_store, open_existing

if TYPE_CHECKING:
    from hutch.access import Access

__all__ = ["experiment"]


@group("hutch experiment list")
def experiment() -> None:
    """Make experiments, activate and lock them, and say who may do what in them.

    A run belongs to the experiment in the field experiment of its start document, else to the one that is
    active at its instrument. Only members of an experiment read it at hutch serve, unless it is opened.
    """


def _access(store: str | None) -> Access:
    from hutch.access import Access

    return Access(open_existing(store).store)


@command("hutch experiment create xppl1001221 --instrument XPP --leader 'Ada Lovelace'", name="create")
@click.argument("name", metavar="NAME")
@click.option("--instrument", metavar="XPP", required=True, help="Where it is done.")
@click.option(
    "--station", metavar="N", type=click.IntRange(min=0), default=0, help="Of the instrument; else 0."
)
@click.option("--leader", metavar="NAME", type=TEXT, default="", help="Whose experiment it is.")
@click.option("--description", metavar="TEXT", type=TEXT, default="", help="What it is about.")
@click.option("--start", metavar="TIME", help="When it begins: 2026-11-26, '2026-11-26 12:30'.")
@click.option("--end", metavar="TIME", help="When it ends.")
@click.option("--open", "is_open", is_flag=True, help="Let all read it who may read the catalog.")
@author_option
@in_store
def create(
    name: str,
    instrument: str,
    station: int,
    leader: str,
    description: str,
    start: str | None,
    end: str | None,
    is_open: bool,
    author: str | None,
    store: str | None,
) -> None:
    """Make an experiment, which only its members read, unless --open is given."""
    from hutch.queries.times import parse_time

    begins, ends = (None if text is None else parse_time(text) for text in (start, end))
    made = _access(store).experiments.create(
        name,
        instrument=instrument,
        station=station,
        leader=leader,
        description=description,
        begins=begins,
        ends=ends,
        is_open=is_open,
        author=author,
    )
    readers = "all who may read the catalog" if made.is_open else "its members"
    click.echo(f"Made the experiment {name} at {made.instrument}; {readers} may read it.", err=True)


@command("hutch experiment describe xppl1001221 --leader 'Ada Lovelace'", name="describe")
@click.argument("name", metavar="NAME")
@click.option("--leader", metavar="NAME", type=TEXT, help="Whose experiment it is.")
@click.option("--description", metavar="TEXT", type=TEXT, help="What it is about.")
@click.option("--start", metavar="TIME", help="When it begins: 2026-11-26, '2026-11-26 12:30'.")
@click.option("--end", metavar="TIME", help="When it ends.")
@author_option
@in_store
def describe(
    name: str,
    leader: str | None,
    description: str | None,
    start: str | None,
    end: str | None,
    author: str | None,
    store: str | None,
) -> None:
    """Say more, or something else, about an experiment; what is not given stays."""
    from hutch.queries.times import parse_time

    begins, ends = (None if text is None else parse_time(text) for text in (start, end))
    _access(store).experiments.describe(
        name, leader=leader, description=description, begins=begins, ends=ends, author=author
    )
    click.echo(f"Noted. Look at it with: hutch experiment show {name}", err=True)


@command("hutch experiment activate xppl1001221", name="activate")
@click.argument("name", metavar="NAME")
@author_option
@in_store
def activate(name: str, author: str | None, store: str | None) -> None:
    """Make an experiment the active one at its instrument and station, in place of another."""
    found = _access(store).experiments.activate(name, author=author)
    click.echo(f"Active at {found.instrument}, station {found.station}: {name}", err=True)


@command("hutch experiment deactivate xppl1001221", name="deactivate")
@click.argument("name", metavar="NAME")
@author_option
@in_store
def deactivate(name: str, author: str | None, store: str | None) -> None:
    """Have no experiment active where this one is."""
    was_active = _access(store).experiments.deactivate(name, author=author)
    click.echo(f"{name} is not active any more." if was_active else f"{name} was not active.", err=True)


@command("hutch experiment list", name="list")
@as_json
@in_store
def list_(json_wanted: bool, store: str | None) -> None:
    """List the experiments."""
    from hutch.cli import format
    from hutch.cli.views import access as access_views

    experiments = _access(store).experiments
    found, active = experiments.all(), experiments.active_names()
    if json_wanted:
        shown = [{**one.to_json(), "active": one.name in active} for one in found]
        click.echo(format.to_json(shown))
    elif found:
        format.write(access_views.experiments_table(found, active))
    else:
        said = "Make one with: hutch experiment create NAME --instrument XPP"
        click.echo(f"No experiments yet. {said}", err=True)


@command("hutch experiment show xppl1001221", name="show")
@click.argument("name", metavar="NAME")
@as_json
@in_store
def show(name: str, json_wanted: bool, store: str | None) -> None:
    """Show an experiment: who may do what in it, and how many runs it has."""
    from hutch.access import Access
    from hutch.cli import format
    from hutch.cli.views import access as access_views

    catalog = open_existing(store)
    experiments = Access(catalog.store).experiments
    found = experiments.find(name)
    roles = {user: role.label for user, role in experiments.roles(name).items()}
    runs = len(catalog.restricted(experiments.runs_of(name)))
    is_active = name in experiments.active_names()
    if json_wanted:
        click.echo(format.to_json({**found.to_json(), "active": is_active, "runs": runs, "roles": roles}))
    else:
        format.write(access_views.experiment_view(found, roles, runs, is_active=is_active))


@command("hutch experiment role xppl1001221 alice editor", name="role")
@click.argument("name", metavar="NAME")
@click.argument("user", metavar="USER")
@click.argument("role", metavar="ROLE")
@author_option
@in_store
def role(name: str, user: str, role: str, author: str | None, store: str | None) -> None:
    """Give a user a role in an experiment, or with none take it away.

    ROLE is reader, writer (records and writes entries), editor (corrects), operator (activates, locks,
    deletes), or none. Each may do what those before it may.
    """
    _access(store).experiments.set_role(name, user, None if role == "none" else role, author=author)
    click.echo(
        f"{user} is {role} in {name}." if role != "none" else f"{user} has no role in {name}.", err=True
    )


@command("hutch experiment lock xppl1001221", name="lock")
@click.argument("name", metavar="NAME")
@author_option
@in_store
def lock(name: str, author: str | None, store: str | None) -> None:
    """Let nobody write into an experiment, through hutch serve or in a program that has the store."""
    _access(store).experiments.lock(name, author=author)
    click.echo(f"Locked {name}.", err=True)


@command("hutch experiment unlock xppl1001221", name="unlock")
@click.argument("name", metavar="NAME")
@author_option
@in_store
def unlock(name: str, author: str | None, store: str | None) -> None:
    """Let write into an experiment again who may."""
    _access(store).experiments.unlock(name, author=author)
    click.echo(f"Unlocked {name}.", err=True)


@command("hutch experiment restrict xppl1001221", name="restrict")
@click.argument("name", metavar="NAME")
@author_option
@in_store
def restrict(name: str, author: str | None, store: str | None) -> None:
    """Let only its members read an experiment."""
    _access(store).experiments.restrict(name, author=author)
    click.echo(f"Only members of {name} may read it.", err=True)


@command("hutch experiment open xppl1001221", name="open")
@click.argument("name", metavar="NAME")
@author_option
@in_store
def open_(name: str, author: str | None, store: str | None) -> None:
    """Let all read an experiment who may read the catalog."""
    _access(store).experiments.open(name, author=author)
    click.echo(f"All who may read the catalog may read {name}.", err=True)


@command("hutch experiment audit xppl1001221", name="audit")
@click.argument("name", metavar="NAME")
@click.option(
    "--limit", metavar="N", type=click.IntRange(1, 100_000), default=50, help="How many.  [default: 50]"
)
@as_json
@in_store
def audit(name: str, limit: int, json_wanted: bool, store: str | None) -> None:
    """Show who did what in an experiment, the newest first: entries, run tables, jobs, roles, locks."""
    from hutch.cli import format
    from hutch.cli.views import access as access_views
    from hutch.logbook import Logbook

    book = Logbook(open_existing(store))
    found = book.audit(book.access.experiments.find(name).name, limit=limit)
    if json_wanted:
        click.echo(format.to_json(found))
    elif found:
        format.write(access_views.audit_table(found))
    else:
        click.echo(f"Nobody did anything in {name} yet.", err=True)


for _command in (
    create,
    describe,
    activate,
    deactivate,
    list_,
    show,
    role,
    lock,
    unlock,
    restrict,
    open_,
    audit,
):
    experiment.add_command(_command)
