"""What other packages add to hutch: found through entry points, loaded when first needed."""

from hutch.plugins.catalogs import published_catalogs
from hutch.plugins.handlers import find_handler, handler_specs, register_handler

__all__ = ["find_handler", "handler_specs", "published_catalogs", "register_handler"]
