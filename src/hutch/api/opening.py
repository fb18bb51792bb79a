"""From a place to a catalog."""

from __future__ import annotations

import os
from collections.abc import Mapping

from hutch.catalogs import Catalog
from hutch.errors import ConfigurationError
from hutch.store import open_store

__all__ = ["open_catalog"]


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
    store = open_store(where)
    if api_key is not None:
        store.close()
        msg = f"api_key is for a catalog behind a server of hutch; the store {store.location!r} needs none."
        raise ConfigurationError(msg)
    return Catalog(store, root_map=root_map, datetimes=datetimes)
