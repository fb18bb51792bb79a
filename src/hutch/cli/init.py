"""``hutch init``: make a store."""

from __future__ import annotations

import click

from hutch.cli.options import command
from hutch.config import store_location


@command("hutch init beamtime")
@click.argument("place", metavar="[STORE]", required=False)
@click.option("--files", metavar="DIR", help=(
    "With a database: the folder of large batches, which all hosts that use the store must share."
))  # fmt: skip
def init(place: str | None, files: str | None) -> None:
    """Make a store in a folder, or in a PostgreSQL database.

    STORE is a folder, or an address such as postgresql://user@host/database; a database needs --files as
    well. Without STORE it is $HUTCH_STORE, else ./hutch-store. A store that is there stays as it is.
    """
    from hutch.store import has_store, open_store

    location = store_location(place)
    was_there = has_store(location)
    store = open_store(location, files=files)
    store.close()
    click.echo("There is a store already:" if was_there else "Made a store:", err=True)
    click.echo(store.location)
    if "://" in location:
        click.echo(f"Its large batches are in {store.files}", err=True)
