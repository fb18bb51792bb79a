"""Reading: the catalog, its runs and streams, and replay."""

from hutch.catalogs.catalog import Catalog
from hutch.catalogs.run import Run
from hutch.catalogs.stream import Stream

__all__ = ["Catalog", "Run", "Stream"]
