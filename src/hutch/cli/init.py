"""``hutch init``: make a store, and give it a name."""

from __future__ import annotations

import click

from hutch.cli.options import command, complete_store
from hutch.config import configuration, database_files, find_file, find_store
from hutch.errors import ConfigurationError

_FIRST = "raw"
"""What the first catalog is called if nobody says."""


@command("hutch init beamtime")
@click.argument("place", metavar="[STORE]", required=False, shell_complete=complete_store)
@click.option("--files", metavar="DIR", help=(
    "With a database: the folder of large batches, which all hosts that use the store must share."
))  # fmt: skip
@click.option("--name", metavar="PATH", help=(
    "Name its catalog in hutch.toml, as in csx/raw; the file is made if there is none."
))  # fmt: skip
@click.option("--no-config", is_flag=True, help="Write no hutch.toml where there is none.")
def init(place: str | None, files: str | None, name: str | None, no_config: bool) -> None:
    """Make a store in a folder, or in a PostgreSQL database.

    STORE is a folder, or an address such as postgresql://user@host/database; a database needs --files as
    well. It can be a catalog of hutch.toml, too. Without STORE it is $HUTCH_STORE, else the default catalog
    of hutch.toml, else ./hutch-store. A store that is there stays as it is. Where no hutch.toml is found,
    one is written into the working folder that names the store.
    """
    from hutch.config.adding import check_addition
    from hutch.store import has_store, open_store

    if name is not None and no_config:
        msg = "--name is written into hutch.toml; it does not go with --no-config."
        raise click.UsageError(msg)
    file = find_file()
    is_configured = file is not None and file.exists()
    found = find_store(place, use_file=is_configured)
    if name is not None:
        check_addition(name, found.store)
    if found.path:
        click.echo(f"Catalog {found.path!r} of {file}:", err=True)
    was_there = has_store(found.store)
    store = open_store(found.store, files=files or (found.files and database_files(found.store)))
    store.close()
    click.echo("There is a store already:" if was_there else "Made a store:", err=True)
    click.echo(store.location)
    if "://" in found.store:
        click.echo(f"Its large batches are in {store.files}", err=True)
    if name is not None:
        _add(name, found.store)
    elif not is_configured and not no_config:
        try:
            _add(_FIRST, found.store)
        except ConfigurationError as error:
            # The store is made, and that was asked for.
            click.echo(f"No hutch.toml was written. {error}", err=True)


def _add(name: str, store: str) -> None:
    """Name a store in the file of settings."""
    from hutch.config.adding import add_catalog

    file = add_catalog(name, store)
    settings = configuration().settings
    if len(settings.catalogs) == 1:
        click.echo(f"Wrote {file}: it is catalog {name!r} there, and the default.", err=True)
        return
    click.echo(f"Added to {file}: it is catalog {name!r} there.", err=True)
    if settings.default_catalog is None:
        first = next(iter(settings.catalogs))
        click.echo(
            "None of the catalogs there is the default, which commands use if none is named. To have one, "
            f'write at the top of the file: default = "{first}"',
            err=True,
        )
