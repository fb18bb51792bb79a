"""What other packages add to hutch: found through entry points, loaded when first needed."""

from hutch.plugins.catalogs import published_catalogs
from hutch.plugins.handlers import Handler, find_handler, handler_specs, is_known, register_handler

__all__ = [
    "Handler",
    "find_handler",
    "handler_specs",
    "is_known",
    "published_catalogs",
    "register_handler",
]
