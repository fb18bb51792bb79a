"""``hutch serve``: give catalogs to browsers, programs and Tiled's clients, until somebody says stop."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import click

from hutch.cli.options import command, complete_store
from hutch.config import STORE_VARIABLE, configuration, find_store
from hutch.errors import MissingExtraError

if TYPE_CHECKING:
    from hutch.config import CatalogSettings

__all__ = ["serve"]

_EXTRA = frozenset({"fastapi", "prometheus_client", "starlette", "tiled", "uvicorn"})
"""What the extra ``server`` installs."""
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  what is listened at, and where that is found
_NAME = "raw"


@command("hutch serve beamtime --port 8000")
@click.argument("store", metavar="[STORE]", required=False, shell_complete=complete_store)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen at; 0 takes one that is free.",
)
@click.option("--public", is_flag=True, help="Let everybody read who can connect, without a key.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--ssl-certfile", metavar="FILE", type=click.Path(exists=True, dir_okay=False), help=(
    "Certificate, for https."
))  # fmt: skip
@click.option("--ssl-keyfile", metavar="FILE", type=click.Path(exists=True, dir_okay=False), help=(
    "Private key of the certificate."
))  # fmt: skip
def serve(
    store: str | None,
    host: str,
    port: int,
    public: bool,
    workers: int,
    ssl_certfile: str | None,
    ssl_keyfile: str | None,
) -> None:
    """Serve catalogs to browsers, programs and the clients of Tiled.

    STORE is a folder, an address (postgresql://…) or a catalog of hutch.toml, and is served under the name
    raw. Without it and without $HUTCH_STORE every catalog of hutch.toml is served under its name. The address
    is printed with a key that allows everything; what $HUTCH_ADMIN_KEY holds allows everything too.
    Needs: pip install 'hutch[server]'
    """
    if ssl_keyfile and not ssl_certfile:
        msg = "--ssl-keyfile needs --ssl-certfile."
        raise click.UsageError(msg)
    try:
        from hutch.server import process
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        msg = f"Serving needs {error.name}. Install it with: pip install 'hutch[server]'"
        raise MissingExtraError(msg) from error
    served = process.Served(_find_catalogs(store), secrets.token_hex(16), public)
    with process.open_socket(host, port) as listening:
        address = _address(host, listening.getsockname()[1], secure=ssl_certfile is not None)

        def announce() -> None:
            click.echo(f"{address}/?api_key={served.key}")
            click.echo(f"Serving {', '.join(served.catalogs)}. Stop with Ctrl-C.", err=True)

        try:
            process.serve(
                served,
                listening,
                announce,
                workers=workers,
                certificate=ssl_certfile,
                private_key=ssl_keyfile,
            )
        except KeyboardInterrupt:  # by then all has come to its end
            click.echo("Stopped.", err=True)


def _find_catalogs(store: str | None) -> dict[str, CatalogSettings]:
    """Return what is to be served, by its name."""
    if not store and not os.environ.get(STORE_VARIABLE):
        known = configuration().settings.catalogs
        if known:
            return dict(known)
    return {_NAME: find_store(store)}


def _address(host: str, port: int, *, secure: bool) -> str:
    shown = _EVERYWHERE.get(host, host)
    return f"http{'s' if secure else ''}://{f'[{shown}]' if ':' in shown else shown}:{port}"
