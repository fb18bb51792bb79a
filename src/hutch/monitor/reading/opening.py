"""From the description of a source, which crosses processes, to the source."""

from __future__ import annotations

from hutch.monitor.sources import Source, SourceSpec

__all__ = ["open_source"]

_RUN = "run"


def open_source(spec: SourceSpec) -> Source:
    """Open a source in this process, to be closed by leaving its context; nothing is read yet.

    :raises UnknownFormatError: if no format of its name is installed here.
    :raises StoreError: if it is a stream of a run, and the store cannot be opened.
    """
    if spec.format == _RUN:
        from hutch.monitor.reading.run_sources import RunSource

        return RunSource(spec)
    from hutch.monitor.formats import format_named

    return format_named(spec.format).open(spec)
