"""A process that serves: which catalogs it opens, who may ask, and how it starts and ends."""

from __future__ import annotations

import json
import logging
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from hutch.api.opening import open_configured
from hutch.catalogs import Catalog
from hutch.config import CatalogSettings, configuration, file_roots
from hutch.errors import ConfigurationError
from hutch.server.access import Admission
from hutch.server.app import build_app
from hutch.server.negotiate import configured_acceptor

__all__ = ["Served", "make_app", "open_socket", "serve"]

_HANDED_ON = "HUTCH_SERVED"
"""The environment variable in which processes for several workers find what to serve."""
_PATIENCE_S = 10
"""So long, at the end, answers that are on their way are waited for."""


@dataclass(frozen=True, slots=True)
class Served:
    """What is served, and to whom.

    :ivar catalogs: by the name under which each is served.
    :ivar key: allows everything, as does what ``$HUTCH_ADMIN_KEY`` holds.
    :ivar public: whether everybody may read.
    """

    catalogs: Mapping[str, CatalogSettings]
    key: str
    public: bool = False

    def open(self) -> dict[str, Catalog]:
        """Open the catalogs, all or none.

        :raises StoreError: if one can't be opened.
        :raises ConfigurationError: if its settings do not fit.
        """
        found: dict[str, Catalog] = {}
        try:
            for name, settings in self.catalogs.items():
                found[name] = open_configured(settings)
            roots = [*file_roots(), *map(_folder_of, found.values())]
            for catalog in found.values():
                catalog.limit_files(roots)
        except Exception:
            for catalog in found.values():
                catalog.close()
            raise
        return found

    def app(self) -> FastAPI:
        """Return the application, which closes the catalogs when it ends."""
        settings = configuration().settings.server
        admission = Admission(
            [self.key],
            self.public,
            settings.user_header or "",
            settings.proxies,
            configured_acceptor(settings),
            settings.lcls_get_run_control,
        )
        return build_app(self.open(), admission, closes=True, enters_verdicts=True)

    def to_text(self) -> str:
        """Return it as text, for another process."""
        catalogs = {
            name: {**asdict(one), "root_map": dict(one.root_map), "files": one.files and str(one.files)}
            for name, one in ((name, _plain(found)) for name, found in self.catalogs.items())
        }
        return json.dumps({"catalogs": catalogs, "key": self.key, "public": self.public})

    @classmethod
    def from_text(cls, text: str) -> Served:
        """Return what text says."""
        found = json.loads(text)
        catalogs = {name: CatalogSettings(**settings) for name, settings in found["catalogs"].items()}
        return cls(catalogs, found["key"], found["public"])


def make_app() -> FastAPI:
    """Return the application of one of several workers."""
    _log_requests()
    return Served.from_text(os.environ[_HANDED_ON]).app()


def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    :param port: 0 takes any that is free.
    :raises ConfigurationError: if the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        msg = f"Nothing can listen at {host!r}, port {port}: {error}. Give another with --host or --port."
        raise ConfigurationError(msg) from error


def serve(
    served: Served,
    listening: socket.socket,
    ready: Callable[[], None],
    *,
    workers: int = 1,
    certificate: str | None = None,
    private_key: str | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; what is being answered then is answered still.

    :param ready: called when it begins.
    :param workers: as many processes.
    :param certificate: file of TLS, with its private key in another.
    :raises ConfigurationError: if the certificate cannot be used.
    """
    _log_requests()
    if certificate is not None:
        _check_certificate(certificate, private_key)
    options: dict[str, Any] = {
        "access_log": False,
        # Who asks is whoever is connected: what a header says of that, anybody can say.
        "proxy_headers": False,
        "log_level": "warning",
        "ws": "none",
        "timeout_graceful_shutdown": _PATIENCE_S,
        "ssl_certfile": certificate,
        "ssl_keyfile": private_key,
    }
    if workers == 1:
        _Announcing(uvicorn.Config(served.app(), **options), ready).run(sockets=[listening])
        return
    from uvicorn.supervisors import Multiprocess

    # Made here first, for who starts it to see what is wrong; connections are no process's but their own.
    for catalog in served.app().state.catalogs.values():
        catalog.close()
    os.environ[_HANDED_ON] = served.to_text()
    config = uvicorn.Config("hutch.server.process:make_app", factory=True, workers=workers, **options)
    ready()
    Multiprocess(config, sockets=[listening]).run()


def _check_certificate(certificate: str, private_key: str | None) -> None:
    """Refuse what is no certificate with its private key, before anything is opened for it."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, private_key)
    except OSError as error:
        msg = (
            f"The certificate in {certificate!r} cannot be used: {error}. Give a file in PEM with "
            "--ssl-certfile, and its private key with --ssl-keyfile unless it is in the same file."
        )
        raise ConfigurationError(msg) from error


class _Announcing(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()


def _log_requests() -> None:
    """Write the lines about requests to stderr, as they are."""
    logger = logging.getLogger("hutch.server.requests")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.propagate = False
    logger.setLevel(logging.INFO)


def _folder_of(catalog: Catalog) -> Path:
    """Return the folder of a store, below which there may be detectors' files: its demo has them there."""
    files = catalog.store.files
    return files if "://" in catalog.store.location else files.parent


def _plain(settings: CatalogSettings) -> CatalogSettings:
    """Return settings that can be copied: their tables are plain dictionaries."""
    return CatalogSettings(
        settings.store,
        dict(settings.root_map),
        settings.datetimes,
        settings.api_key_env,
        settings.files,
        settings.path,
    )
