"""The kinds of files that the monitor reads; packages add others as entry points of ``hutch.formats``.

What an entry point names is a format: an object or a class without arguments that has what
:class:`hutch.monitor.sources.Format` asks for. Those of packages are asked first, then hutch's own, the
particular ones before the general one.
"""

from hutch.monitor.formats.files import FileSource
from hutch.monitor.formats.known import GROUP, broken_formats, find_format, format_named, known_formats

__all__ = [
    "GROUP",
    "FileSource",
    "broken_formats",
    "find_format",
    "format_named",
    "known_formats",
]
