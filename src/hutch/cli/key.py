"""``hutch key``: keys that programs show to be let in by ``hutch serve``."""

from __future__ import annotations

import time

import click

from hutch.cli.ages import parse_days
from hutch.cli.options import TEXT, as_json, author_option, command, group, in_store, open_existing

__all__ = ["key"]

_DAY_S = 86_400.0


@group("hutch key list")
def key() -> None:
    """Make, list and revoke API keys, with which programs are let in by hutch serve.

    What a key may do is said by its scopes: read, record, write, admin. With an owner it has the roles
    of this user in experiments, and may do no more than they may.
    """


@command("hutch key create --scope read --expires 30d --note 'for the plots'", name="create")
@click.option(
    "--scope", "scopes", metavar="SCOPE", multiple=True, required=True, help=(
        "What it may do: read, record (add runs), write (correct, logbook), admin; may be given again."
    )
)  # fmt: skip
@click.option("--owner", metavar="USER", help="The user whose roles in experiments it has.")
@click.option("--expires", metavar="AGE", callback=parse_days, help="Of no use after that: 12h, 30d, 1y.")
@click.option("--note", metavar="TEXT", type=TEXT, default="", help="What it is for.")
@click.option(
    "--catalog", "catalogs", metavar="NAME", multiple=True, help="Only for this one; may be given again."
)
@author_option
@as_json
@in_store
def create(
    scopes: tuple[str, ...],
    owner: str | None,
    expires: float | None,
    note: str,
    catalogs: tuple[str, ...],
    author: str | None,
    json_wanted: bool,
    store: str | None,
) -> None:
    """Make a key, and print it: it can't be shown again, as only a hash of it is kept."""
    from hutch.access import Access
    from hutch.cli import format

    keys = Access(open_existing(store).store).keys
    text, made = keys.create(
        scopes,
        owner=owner,
        catalogs=catalogs,
        note=note,
        expires_s=None if expires is None else expires * _DAY_S,
        author=author,
    )
    if json_wanted:
        click.echo(format.to_json({"key": text, **made.to_json(time.time())}))
        return
    click.echo(f"Made a key that may {', '.join(made.scopes)}. It is not shown again:", err=True)
    click.echo(text)


@command("hutch key list", name="list")
@as_json
@in_store
def list_(json_wanted: bool, store: str | None) -> None:
    """List the keys by their beginnings, those of no use any more too."""
    from hutch.access import Access
    from hutch.cli import format
    from hutch.cli.views import access as access_views

    catalog = open_existing(store)
    found, now = Access(catalog.store).keys.all(), time.time()
    if json_wanted:
        click.echo(format.to_json([one.to_json(now) for one in found]))
    elif found:
        format.write(access_views.keys_table(found, now))
    else:
        said = "Make one with: hutch key create --scope read"
        click.echo(f"No keys in {catalog.store.location}. {said}", err=True)


@command("hutch key revoke 1a2b3c4d", name="revoke")
@click.argument("prefix", metavar="KEY")
@in_store
def revoke(prefix: str, store: str | None) -> None:
    """Let a key be of no use from now on.

    KEY is its beginning, as hutch key list has it.
    """
    from hutch.access import Access

    found = Access(open_existing(store).store).keys.revoke(prefix)
    click.echo(f"Revoked the key {found.prefix}.", err=True)


for _command in (create, list_, revoke):
    key.add_command(_command)
