"""``hutch init``: make a store."""

from __future__ import annotations

import click

from hutch.cli.options import command
from hutch.config import store_location


@command("hutch init beamtime")
@click.argument("folder", metavar="[DIR]", required=False)
def init(folder: str | None) -> None:
    """Make a store in a folder.

    Without DIR it is made in $HUTCH_STORE, else in ./hutch-store. A store that is there stays as it is.
    """
    from hutch.store import open_store
    from hutch.store.places import DATABASE

    place = store_location(folder)
    was_there = (place / DATABASE).exists()
    with_store = open_store(place)
    with_store.close()
    click.echo("There is a store already:" if was_there else "Made a store:", err=True)
    click.echo(with_store.location)
