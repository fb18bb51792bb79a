"""What the tables of a store are made of: their common metadata, and types that every database has."""

from __future__ import annotations

import sqlalchemy as sa

__all__ = ["Float", "Id", "Text", "metadata"]

metadata = sa.MetaData()

# Compared by code point everywhere, so that prefixes are ranges.
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Float: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL, "sqlite")
