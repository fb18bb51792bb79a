"""Settings, and where they come from: a flag, then the environment, then ``hutch.toml``, then a default."""

from hutch.config.addresses import shown_place
from hutch.config.file import Configuration, configuration, find_file
from hutch.config.limits import patience_s, read_limit_bytes, spool_memory_bytes
from hutch.config.locations import (
    DEFAULT_STORE,
    STORE_VARIABLE,
    database_files,
    file_roots,
    find_store,
    names_store,
    spool_folder,
    state_folder,
    store_location,
)
from hutch.config.settings import CatalogSettings, Settings

__all__ = [
    "DEFAULT_STORE",
    "STORE_VARIABLE",
    "CatalogSettings",
    "Configuration",
    "Settings",
    "configuration",
    "database_files",
    "file_roots",
    "find_file",
    "find_store",
    "names_store",
    "patience_s",
    "read_limit_bytes",
    "shown_place",
    "spool_folder",
    "spool_memory_bytes",
    "state_folder",
    "store_location",
]
