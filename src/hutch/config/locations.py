"""Where things are: said by somebody, or found."""

from __future__ import annotations

import os
from pathlib import Path

from hutch.config.addresses import is_address
from hutch.config.file import configuration, in_force, steady_configuration
from hutch.config.settings import CatalogSettings
from hutch.errors import ConfigurationError

__all__ = [
    "DEFAULT_STORE",
    "STORE_VARIABLE",
    "database_files",
    "file_roots",
    "find_store",
    "names_store",
    "spool_folder",
    "state_folder",
    "store_location",
]

STORE_VARIABLE = "HUTCH_STORE"
"""The environment variable that names the store."""

DEFAULT_STORE = "hutch-store"
"""The store's folder below the working folder, if nothing else is said."""


def find_store(given: str | None = None, *, use_file: bool = True) -> CatalogSettings:
    """Return which store is meant, and how its catalog is opened.

    What is given, else ``$HUTCH_STORE``, else the default catalog of ``hutch.toml``, else ``./hutch-store``.
    A store is named by its folder or its address, or by the path of a configured catalog if there is no
    such folder.

    :param use_file: False asks as if no catalog was configured.
    :raises ConfigurationError: if nothing says which of several configured catalogs is meant, or the
        settings are needed and can't be used.
    """
    named = given or os.environ.get(STORE_VARIABLE)
    if named and is_address(named):
        return CatalogSettings(store=named)
    if named:
        folder = os.path.expanduser(named)
        known = None if os.path.exists(folder) or not use_file else _configured(named)
        return known or CatalogSettings(store=str(Path(folder)))
    found = _default() if use_file else None
    return found or CatalogSettings(store=DEFAULT_STORE)


def store_location(given: str | None = None) -> str:
    """Return where the store is that :func:`find_store` finds.

    :returns: a folder, or an address with ``://``.
    """
    return find_store(given).store


def names_store(word: str) -> bool:
    """Tell whether a word that may mean something else names a store: an address, a folder or a catalog."""
    return is_address(word) or os.path.isdir(word) or _configured(word) is not None


def _configured(path: str) -> CatalogSettings | None:
    """Return the configured catalog of a path; None if there is none."""
    # No name of a catalog begins so, whatever the file says.
    if path.startswith((".", "/", "~")):
        return None
    return configuration().settings.catalogs.get(path.rstrip("/"))


def _default() -> CatalogSettings | None:
    path, settings = configuration()
    if settings.default_catalog is None and settings.catalogs and not os.path.exists(DEFAULT_STORE):
        first = next(iter(settings.catalogs))
        msg = (
            f"None of the catalogs of {str(path)!r} is the default: {', '.join(settings.catalogs)}. "
            f'Name one, as in --store {first}, or write at the top of the file: default = "{first}"'
        )
        raise ConfigurationError(msg)
    return settings.default_catalog


def database_files(address: str) -> Path | None:
    """Return where this host sees the folder of files of a store in a database; None if nobody says.

    ``$HUTCH_FILES``, else ``files`` of the catalog in ``hutch.toml`` whose store has this address.
    """
    wanted = _normal(address)
    known = configuration().settings.catalogs.values()
    found = next((one for one in known if one.files and _normal(one.store) == wanted), None)
    files: Path | None = in_force(found or CatalogSettings(store=address), "files")
    return files


def file_roots() -> tuple[Path, ...]:
    """Return the folders below which a server opens detectors' files.

    ``$HUTCH_FILE_ROOTS``, separated by colons, else ``files.roots`` of ``hutch.toml``, else none.
    """
    roots: tuple[Path, ...] = in_force(configuration().settings.files, "roots")
    return roots


def state_folder() -> Path:
    """Return the user's folder for what hutch keeps between calls; it may not exist yet.

    ``$XDG_STATE_HOME/hutch``, else ``~/.local/state/hutch``.
    """
    state = os.environ.get("XDG_STATE_HOME")
    return Path(state) / "hutch" if state else Path.home() / ".local" / "state" / "hutch"


def spool_folder() -> Path:
    """Return the folder of documents that a store could not take; it may not exist yet.

    ``$HUTCH_SPOOL``, else ``spool.folder`` of ``hutch.toml``, else ``spool`` in the user's state folder,
    where it does not matter that the store is away or its disk full.
    """
    chosen: Path | None = in_force(steady_configuration().settings.spool, "folder")
    return chosen or state_folder() / "spool"


def _normal(address: str) -> str:
    """Return an address with the one of its two schemes that libpq has too."""
    scheme, separator, rest = address.partition("://")
    return f"postgresql{separator}{rest}" if scheme.lower() in ("postgres", "postgresql") else address
