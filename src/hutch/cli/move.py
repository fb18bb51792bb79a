"""``hutch move``: a store to another place, or from a folder into a database and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from hutch.cli.options import as_json, command, complete_store
from hutch.config import configuration, shown_place, store_location
from hutch.errors import ConfigurationError

if TYPE_CHECKING:
    from hutch.store import Store


@command("hutch move beamtime archive/beamtime")
@click.argument("place", metavar="FROM", shell_complete=complete_store)
@click.argument("to", metavar="TO", shell_complete=complete_store)
@click.option("--files", metavar="DIR", help="With a new database: the folder of large batches.")
@click.option("--delete-old", is_flag=True, help="Delete the old store when the new one is in use.")
@as_json
def move(place: str, to: str, files: str | None, delete_old: bool, json_wanted: bool) -> None:
    """Move a store to another folder, or between a folder and a PostgreSQL database.

    Everything is copied and verified; then the old store says that it has moved, and can't be used any
    more. It is deleted only with --delete-old. A move that was interrupted goes on where it stopped, and
    until it is complete, the old store is used as before. Nothing may be recorded at the end of it.
    """
    from hutch.catalogs.verifying import verify
    from hutch.cli.views import copies as copy_views
    from hutch.store.copies import moving

    old = store_location(place)
    with copy_views.copy_bar() as bar:

        def check(store: Store) -> Sequence[str]:
            return [str(finding) for finding in verify(store, bar.verify).errors]

        copied = moving.move(old, to, files, check=check, report=bar.copy)
    if delete_old:
        moving.delete_old(old, to)
    copy_views.write_copied("Store", copied, json_wanted=json_wanted, is_old_deleted=delete_old)
    if not delete_old:
        words = f"hutch move {copied.source} {copied.target} --delete-old"
        click.echo(f"The old store is still there. Delete it with: {words}", err=True)
    _say_what_names_it(copied.source, copied.target)
    click.echo("Programs that have the old one open must be started again.", err=True)


def _say_what_names_it(old: str, new: str) -> None:
    """Say which catalogs of ``hutch.toml`` are still in the old place."""
    try:
        path, settings = configuration()
    except ConfigurationError:
        return
    names = [name for name, catalog in settings.catalogs.items() if shown_place(catalog.store) == old]
    if names:
        click.echo(
            f"Catalog {', '.join(names)} is still in the old place; write in {path}: store = {new!r}",
            err=True,
        )
