"""``hutch user``: who may log in at ``hutch serve``."""

from __future__ import annotations

import getpass
import sys
import warnings

import click

from hutch.cli.options import as_json, author_option, command, group, in_store, open_existing

__all__ = ["user"]


@group("hutch user list")
def user() -> None:
    """Add, list, disable and remove users, who log in at hutch serve by name and password.

    What they may do in an experiment is said by hutch experiment role. A user called xppopr is operator
    in all experiments of the instrument XPP.
    """


@command("hutch user add alice --no-password", name="add")
@click.argument("name", metavar="NAME")
@click.option("--password-stdin", "from_stdin", is_flag=True, help="Read the password from stdin, a line.")
@click.option("--no-password", is_flag=True, help="Let them in by API keys only, or by a proxy.")
@click.option("--scope", "scopes", metavar="SCOPE", multiple=True, help=(
    "What they may do: read, record, write, admin; may be given again; else read, record and write."
))  # fmt: skip
@click.option(
    "--catalog", "catalogs", metavar="NAME", multiple=True, help="Only in this one; may be given again."
)
@author_option
@in_store
def add(
    name: str,
    from_stdin: bool,
    no_password: bool,
    scopes: tuple[str, ...],
    catalogs: tuple[str, ...],
    author: str | None,
    store: str | None,
) -> None:
    """Add a user; the password is asked for unless an option says otherwise."""
    from hutch.access import Access
    from hutch.access.users import USUAL_SCOPES

    if from_stdin and no_password:
        raise click.UsageError("Give --password-stdin or --no-password, not both.")
    users = Access(open_existing(store).store).users
    password = None if no_password else _read_password(from_stdin=from_stdin)
    users.add(name, password, scopes=scopes or USUAL_SCOPES, catalogs=catalogs, author=author)
    click.echo(f"Added the user {name}.", err=True)


@command("hutch user list", name="list")
@as_json
@in_store
def list_(json_wanted: bool, store: str | None) -> None:
    """List the users."""
    from hutch.access import Access
    from hutch.cli import format
    from hutch.cli.views import access as access_views

    catalog = open_existing(store)
    found = Access(catalog.store).users.all()
    if json_wanted:
        click.echo(format.to_json([one.to_json() for one in found]))
    elif found:
        format.write(access_views.users_table(found))
    else:
        click.echo(f"No users in {catalog.store.location}. Add one with: hutch user add NAME", err=True)


@command("hutch user passwd alice", name="passwd")
@click.argument("name", metavar="NAME")
@click.option("--password-stdin", "from_stdin", is_flag=True, help="Read the password from stdin, a line.")
@in_store
def passwd(name: str, from_stdin: bool, store: str | None) -> None:
    """Give a user another password; their API keys stay."""
    from hutch.access import Access

    users = Access(open_existing(store).store).users
    users.find(name)
    users.set_password(name, _read_password(from_stdin=from_stdin))
    click.echo(f"The user {name} has another password.", err=True)


@command("hutch user disable alice", name="disable")
@click.argument("name", metavar="NAME")
@in_store
def disable(name: str, store: str | None) -> None:
    """Let a user not in any more, neither by password nor by their API keys; their roles stay."""
    from hutch.access import Access

    Access(open_existing(store).store).users.disable(name)
    click.echo(f"Disabled the user {name}.", err=True)


@command("hutch user enable alice", name="enable")
@click.argument("name", metavar="NAME")
@in_store
def enable(name: str, store: str | None) -> None:
    """Let a user in again who was disabled."""
    from hutch.access import Access

    Access(open_existing(store).store).users.enable(name)
    click.echo(f"Enabled the user {name}.", err=True)


@command("hutch user remove alice", name="remove")
@click.argument("name", metavar="NAME")
@in_store
def remove(name: str, store: str | None) -> None:
    """Remove a user with their roles and API keys; what they wrote and recorded stays."""
    from hutch.access import Access

    Access(open_existing(store).store).users.remove(name)
    click.echo(f"Removed the user {name}, their roles and API keys.", err=True)


def _read_password(*, from_stdin: bool) -> str:
    """Return a password: a line of stdin, or what is typed twice, unseen."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    with warnings.catch_warnings():
        # Where there is no terminal, nothing is shown either.
        warnings.simplefilter("ignore", getpass.GetPassWarning)
        try:
            return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
        except click.Abort as error:
            if not isinstance(error.__context__, EOFError):
                raise
            msg = (
                "No password came, and it is asked for twice. Give it once, as a line, with --password-stdin."
            )
            raise click.UsageError(msg) from error


for _command in (add, list_, passwd, disable, enable, remove):
    user.add_command(_command)
