"""From a place to a catalog."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hutch.config import CatalogSettings
from hutch.errors import ConfigurationError, HutchError

if TYPE_CHECKING:
    from hutch.catalogs import Catalog
    from hutch.store import Store

__all__ = ["open_catalog", "open_configured"]


def open_catalog(
    where: str | os.PathLike[str],
    *,
    api_key: str | None = None,
    root_map: Mapping[str, str] | None = None,
    datetimes: bool = False,
) -> Catalog:
    """Open the catalog of a store, and make the store if there is none.

    :param where: the store's folder, or the address ``postgresql://…`` of the database that
        ``hutch init`` made a store in.
    :param api_key: for a catalog behind a server of hutch; a store needs none.
    :param root_map: folders of detector files that have moved, old to new.
    :param datetimes: True gives times of streams as datetime64[ns] instead of seconds since 1970.
    :raises ConfigurationError: if ``where`` is an address of something else, or ``api_key`` is given.
    :raises StoreError: if there can be no store at this place, or is something else.
    """
    from hutch.catalogs import Catalog

    return Catalog(_open(where, api_key, create=True), root_map=root_map, datetimes=datetimes)


def open_configured(found: CatalogSettings, *, create: bool = False) -> Catalog:
    """Open a catalog as its settings say.

    :param create: True makes the store if there is none.
    :raises ConfigurationError: if the settings do not fit the store.
    :raises StoreError: if there is no store, or it can't be opened.
    """
    from hutch.catalogs import Catalog

    try:
        store = _open(found.store, _key(found), create=create)
    except HutchError as error:
        if found.path:
            error.args = (f"Catalog {found.path!r} can't be opened. {error}", *error.args[1:])
        raise
    return Catalog(store, found.name, found.root_map, found.datetimes)


def _open(where: str | os.PathLike[str], api_key: str | None, *, create: bool) -> Store:
    from hutch.store import open_store

    store = open_store(where, create=create)
    if api_key is not None:
        store.close()
        msg = f"A key is for a catalog behind a server of hutch; the store {store.location!r} needs none."
        raise ConfigurationError(msg)
    return store


def _key(found: CatalogSettings) -> str | None:
    """Return the key that a catalog is opened with."""
    if found.api_key_env is None:
        return None
    key = os.environ.get(found.api_key_env)
    if not key:
        msg = f"It needs the key that ${found.api_key_env} holds, and this variable is not set."
        raise ConfigurationError(msg)
    return key
