"""How long and how much, when a store is away: from the environment, else the file, else a default."""

from __future__ import annotations

from hutch.config.file import in_force, steady_configuration

__all__ = ["attachment_limit_bytes", "patience_s", "read_limit_bytes", "spool_memory_bytes"]


def patience_s() -> float:
    """Return for how many seconds the beginning of a run waits for a store that does not answer.

    ``$HUTCH_PATIENCE_S``, else ``recording.patience_s`` of ``hutch.toml``, else 5.

    :raises ConfigurationError: if that is no such number.
    """
    found: float = in_force(steady_configuration().settings.recording, "patience_s")
    return found


def read_limit_bytes() -> int:
    """Return how many bytes of detectors' files are read at once by those who say nothing.

    ``$HUTCH_READ_LIMIT_BYTES``, else ``files.read_limit_bytes`` of ``hutch.toml``, else 1 GB.

    :raises ConfigurationError: if it is no such number.
    """
    found: int = in_force(steady_configuration().settings.files, "read_limit_bytes")
    return found


def spool_memory_bytes() -> int:
    """Return how many bytes of a run are kept in memory, about, while the store is away.

    ``$HUTCH_SPOOL_MEMORY_BYTES``, else ``spool.memory_bytes`` of ``hutch.toml``, else 64 MB. The rest is in
    the spool alone.

    :raises ConfigurationError: if that is no such number.
    """
    found: int = in_force(steady_configuration().settings.spool, "memory_bytes")
    return found


def attachment_limit_bytes() -> int:
    """Return how many bytes a file may have that is attached to an entry.

    :raises ConfigurationError: if the environment says what can't be used.
    """
    found: int = in_force(steady_configuration().settings.logbook, "attachment_limit_bytes")
    return found
