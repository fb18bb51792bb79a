"""``hutch restore``: a live store from a backup."""

from __future__ import annotations

import click

from hutch.cli.options import as_json, command, complete_store


@command("hutch restore backups/beamtime restored")
@click.argument("folder", metavar="BACKUP", shell_complete=complete_store)
@click.argument("to", metavar="TO", shell_complete=complete_store)
@click.option("--files", metavar="DIR", help="With a new database: the folder of large batches.")
@click.option("--unfinished", is_flag=True, help="Take a backup that was interrupted, as the last resort.")
@click.option("--verify", "verify_wanted", is_flag=True, help="Read all of the new store afterwards.")
@as_json
@click.pass_context
def restore(
    ctx: click.Context,
    folder: str,
    to: str,
    files: str | None,
    unfinished: bool,
    verify_wanted: bool,
    json_wanted: bool,
) -> None:
    """Make a live store of a backup, in a new folder or a PostgreSQL database.

    TO is a folder, or an address such as postgresql://user@host/database. It must be new, or an empty
    store. The store that the backup was made of, and the backup, stay as they are. A restoration that was
    interrupted goes on where it stopped; until it is complete, its store can't be used.
    """
    from hutch.cli.views import copies as copy_views
    from hutch.store.copies.backups import restore as restore_backup

    with copy_views.copy_bar() as bar:
        copied = restore_backup(folder, to, files, unfinished=unfinished, report=bar.copy)
    copy_views.write_copied(f"Store of {copied.source}", copied, json_wanted=json_wanted)
    if verify_wanted:
        ctx.exit(0 if copy_views.is_sound(to) and not copied.damaged else 1)
    click.echo(f"Check it with: hutch verify {copied.target}", err=True)
    ctx.exit(1 if copied.damaged else 0)
