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

    :param where: the store's folder.
    :param api_key: for a catalog behind an address; a folder needs none.
    :param root_map: folders of detector files that have moved, old to new.
    :param datetimes: True gives times of streams as datetime64[ns] instead of seconds since 1970.
    :raises ConfigurationError: if ``where`` is an address, or ``api_key`` is given for a folder.
    :raises StoreError: if the folder cannot hold a store, or holds something else.
    """
    if "://" in os.fspath(where):
        msg = f"This version of hutch opens folders only, and {os.fspath(where)!r} is an address."
        raise ConfigurationError(msg)
    if api_key is not None:
        msg = f"api_key is for a catalog behind an address; the folder {os.fspath(where)!r} needs none."
        raise ConfigurationError(msg)
    return Catalog(open_store(where), root_map=root_map, datetimes=datetimes)
