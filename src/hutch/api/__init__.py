"""The public face of hutch."""

from hutch.api.discovery import catalog
from hutch.api.opening import open_catalog

__all__ = ["catalog", "open_catalog"]
