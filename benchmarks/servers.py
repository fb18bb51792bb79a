"""Servers in processes of their own, on loopback: hutch's, and a genuine one of Tiled."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["KEY", "genuine_app", "served"]

KEY = "0123456789abcdef"


def genuine_app(folder: Path, readable: Path | None) -> Any:
    """Return Tiled's application over a catalog in SQLite, as its documentation sets it up."""
    from bluesky_tiled_plugins.exporters import json_seq_exporter
    from tiled.catalog import from_uri
    from tiled.config import Authentication
    from tiled.media_type_registration import default_serialization_registry
    from tiled.server.app import build_app

    default_serialization_registry.register("BlueskyRun", "application/json-seq", json_seq_exporter)
    catalog = from_uri(
        f"sqlite:///{folder}/catalog.db",
        writable_storage=[f"file://localhost{folder}/files", f"sqlite:///{folder}/tables.db"],
        readable_storage=[f"file://localhost{readable}"] if readable else None,
        init_if_not_exists=True,
    )
    return build_app(catalog, authentication=Authentication(single_user_api_key=KEY))


def _hutch_app(folder: Path, readable: Path | None) -> Any:
    import hutch
    from hutch.server import Admission, build_app

    catalog = hutch.open_catalog(folder)
    if readable is not None:
        catalog.limit_files([readable])
    return build_app({"raw": catalog}, Admission([KEY]))


@contextmanager
def served(kind: str, folder: Path, readable: Path | None = None) -> Iterator[str]:
    """Serve a store of hutch's (``hutch``) or a catalog of Tiled's (``tiled``); give the address."""
    command = [sys.executable, "-m", "benchmarks.servers", kind, str(folder), str(readable or "")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise RuntimeError
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _main(kind: str, folder: str, readable: str) -> None:
    import logging
    import socket

    import uvicorn

    make = {"hutch": _hutch_app, "tiled": genuine_app}[kind]
    app = make(Path(folder), Path(readable) if readable else None)
    logging.disable(logging.WARNING)
    listening = socket.create_server(("127.0.0.1", 0))

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)

    Announcing(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listening])


if __name__ == "__main__":
    _main(*sys.argv[1:])
