"""``hutch workflow``: which programs workflows may run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hutch.cli.options import as_json, author_option, command, group, in_store, open_existing
from hutch.errors import ConfigurationError

if TYPE_CHECKING:
    from hutch.access.executables import Executables

__all__ = ["workflow"]


@group("hutch workflow allow /opt/lute/launch_lute.sh")
def workflow() -> None:
    """Say which programs workflows may run.

    Operators of an experiment define workflows, here or with LCLS's clients; what is not on this list they
    cannot name.
    """


def _executables(store: str | None) -> Executables:
    from hutch.access import Access

    return Access(open_existing(store).store).executables


@command("hutch workflow allow /opt/lute/launch_lute.sh", name="allow")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@author_option
@in_store
def allow(paths: tuple[str, ...], author: str | None, store: str | None) -> None:
    """Let workflows run programs.

    PATH is that of a program on the machine where it is to be run. Definitions name it word for word.
    """
    full = [os.path.abspath(path) for path in paths]
    for path in full:
        if Path(path).is_dir():
            msg = f"{path!r} is a folder. Allow each program in it by its own path."
            raise ConfigurationError(msg)
    listed = _executables(store)
    for path in full:
        listed.allow(path, author=author)
        click.echo(f"Workflows may run {path}.", err=True)
        if not os.access(path, os.X_OK):
            click.echo("  On this machine there is no such program.", err=True)


@command("hutch workflow forbid /opt/lute/launch_lute.sh", name="forbid")
@click.argument("path", metavar="PATH")
@in_store
def forbid(path: str, store: str | None) -> None:
    """Let workflows not run a program any more.

    Workflows that name PATH stay defined, and get no new jobs.
    """
    full = os.path.abspath(path)
    _executables(store).forbid(full)
    click.echo(f"Workflows may not run {full} any more.", err=True)


@command("hutch workflow allowed", name="allowed")
@as_json
@in_store
def allowed(json_wanted: bool, store: str | None) -> None:
    """List the programs that workflows may run."""
    from hutch.cli import format
    from hutch.cli.views import access as access_views

    found = _executables(store).all()
    if json_wanted:
        click.echo(format.to_json([one.to_json() for one in found]))
    elif found:
        format.write(access_views.executables_table(found))
    else:
        click.echo("Workflows may run nothing yet. Allow a program with: hutch workflow allow PATH", err=True)


for _command in (allow, forbid, allowed):
    workflow.add_command(_command)
