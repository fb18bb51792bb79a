"""Servers on loopback, in threads of their own: hutch's, and a genuine one of Tiled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import uvicorn

KEY = "secret"


class _Announcing(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an application; give its address."""
    config = uvicorn.Config(
        app, port=0, log_level="warning", ws="none", access_log=False, proxy_headers=False
    )
    server = _Announcing(config)

    def run() -> None:
        try:
            server.run()
        finally:
            server.ready.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    server.ready.wait(30)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


def key_cookie(address: str, key: str = KEY) -> dict[str, str]:
    """Return the cookie in which a browser keeps the key of the server at an address."""
    return {f"hutch_key_{address.rpartition(':')[2]}": key}


@contextmanager
def tiled_client(address: str, key: str | None = KEY, **options: Any) -> Iterator[Any]:
    """Give Tiled's client of a server, closed afterwards."""
    from tiled.client import from_uri

    client = from_uri(address, api_key=key, **options)
    try:
        yield client
    finally:
        client.context.close()


def genuine_app(folder: Path) -> Any:
    """Return Tiled's own application over a catalog of Tiled's own, as facilities run it for Bluesky."""
    from bluesky_tiled_plugins.exporters import json_seq_exporter
    from tiled.catalog import from_uri
    from tiled.config import Authentication
    from tiled.media_type_registration import default_serialization_registry
    from tiled.server.app import build_app

    (folder / "data").mkdir(parents=True)
    catalog = from_uri(
        str(folder / "catalog.db"),
        writable_storage=[str(folder / "data"), f"duckdb:///{folder / 'storage.duckdb'}"],
        init_if_not_exists=True,
        specs=[{"name": "CatalogOfBlueskyRuns", "version": "3.0"}],
    )
    formats = deepcopy(default_serialization_registry)
    formats.register("BlueskyRun", "application/json-seq", json_seq_exporter)
    return build_app(
        catalog, authentication=Authentication(single_user_api_key=KEY), serialization_registry=formats
    )
