"""The schema of a new store, and whether that of an old one is up to date; the same for every database."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from hutch.errors import StoreVersionError
from hutch.store.schema import tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

__all__ = ["is_behind", "write_schema"]


def write_schema(connection: Connection, **facts: str) -> str:
    """Make all tables in an empty database, in the transaction that is open.

    :param facts: that are kept about the store, besides those of every store.
    :returns: the uid of the new store.
    """
    from hutch import __version__

    uid = uuid.uuid4().hex
    facts = {"store": uid, "made": str(time.time()), "made_by": __version__, **facts}
    tables.metadata.create_all(connection, checkfirst=False)
    # As Alembic makes it.
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{tables.HEAD}')")  # noqa: S608
    connection.execute(
        tables.properties.insert(), [{"key": key, "value": value} for key, value in facts.items()]
    )
    return uid


def is_behind(versions: Sequence[str], location: str) -> bool:
    """Tell whether a store must be migrated.

    :param versions: what stands in its table of the version; one.
    :param location: of the store, for people.
    :raises StoreVersionError: if a newer hutch wrote it.
    """
    if list(versions) == [tables.HEAD]:
        return False
    from hutch.store.schema import migrating

    if not versions or not migrating.is_known(versions[0]):
        version = versions[0] if versions else "none"
        msg = (
            f"The store {location!r} has schema {version!r}, and this hutch knows up to "
            f"{tables.HEAD!r}: it was written by a newer one. Upgrade with: pip install --upgrade hutch"
        )
        raise StoreVersionError(msg)
    return True
