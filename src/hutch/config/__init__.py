"""Settings, and where they come from: a flag, then the environment, then a default."""

from hutch.config.limits import patience_s, spool_memory_bytes
from hutch.config.locations import (
    DEFAULT_STORE,
    STORE_VARIABLE,
    spool_folder,
    state_folder,
    store_location,
)

__all__ = [
    "DEFAULT_STORE",
    "STORE_VARIABLE",
    "patience_s",
    "spool_folder",
    "spool_memory_bytes",
    "state_folder",
    "store_location",
]
