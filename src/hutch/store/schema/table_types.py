"""What every table is made of: the one schema, and the types of columns in each database."""

from __future__ import annotations

import sqlalchemy as sa

__all__ = ["Float", "Id", "Text", "metadata"]

metadata = sa.MetaData()

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Compared by code point everywhere, so that prefixes are ranges."""

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Float: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL, "sqlite")
