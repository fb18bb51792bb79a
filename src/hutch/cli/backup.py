"""``hutch backup``: a copy of a store in use, consistent and brought up to date at each call."""

from __future__ import annotations

import click

from hutch.cli.options import as_json, command, complete_store, in_store
from hutch.config import store_location


@command("hutch backup backups/beamtime")
@click.argument("places", metavar="[STORE] DIR", nargs=-1, required=True, shell_complete=complete_store)
@click.option("--full", is_flag=True, help="Compare all that is there, instead of only what changed.")
@click.option("--verify", "verify_wanted", is_flag=True, help="Read all of the backup again afterwards.")
@as_json
@in_store
@click.pass_context
def backup(
    ctx: click.Context,
    places: tuple[str, ...],
    full: bool,
    verify_wanted: bool,
    json_wanted: bool,
    store: str | None,
) -> None:
    """Make a backup of a store in the folder DIR, or bring the one that is there up to date.

    The store may be in use: nobody waits, and the backup is the store as it was at one moment. Only what
    is new or has changed is copied, each batch compared with its checksum. A backup that was interrupted
    goes on where it stopped. DIR may be on a network file system. It is a store that is only read: look
    at it with hutch runs --store DIR. Files of detectors are not in it. Exit status 1 if something in
    the store is damaged; all else has been copied then.
    """
    if len(places) > 2 or (len(places) == 2 and store):  # noqa: PLR2004
        msg = "Give one DIR, and the store once: as STORE or with --store."
        raise click.UsageError(msg, ctx)
    from hutch.cli.views import copies as copy_views
    from hutch.store.copies.backups import back_up

    *given, folder = places
    with copy_views.copy_bar() as bar:
        copied = back_up(store_location(given[0] if given else store), folder, bar.copy, full=full)
    copy_views.write_copied(f"Backup of {copied.source}", copied, json_wanted=json_wanted)
    sound = copy_views.is_sound(folder) if verify_wanted else True
    ctx.exit(0 if sound and not copied.damaged else 1)
