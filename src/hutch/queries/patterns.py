"""Regular expressions, by RE2: whoever writes one cannot make anybody wait."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from hutch.errors import QueryError

__all__ = ["OPTIONS", "check_pattern", "finder", "literal_prefix", "quoted", "wildcards"]

OPTIONS = "ims"
"""``i`` ignores case, ``m`` lets ``^`` and ``$`` fit at each line, ``s`` lets ``.`` fit a line's end."""

_SPECIAL = frozenset(r"\.+*?()|[]{}^$")
_REPEATS = frozenset("*?{|")


def check_pattern(pattern: Any, options: Any = "") -> None:
    """Raise if something is no regular expression that RE2 takes.

    :raises QueryError: saying why not.
    """
    if not isinstance(pattern, str):
        msg = f"A regular expression is text; {pattern!r} is {type(pattern).__name__}."
        raise QueryError(msg)
    if not isinstance(options, str) or set(options) - set(OPTIONS):
        msg = f"Options of a regular expression are some of {', '.join(OPTIONS)}; not {options!r}."
        raise QueryError(msg)
    finder(pattern, options)


@lru_cache(maxsize=512)
def finder(pattern: str, options: str = "") -> Callable[[str], bool]:
    """Return a function that tells whether a regular expression fits a part of a text.

    :raises QueryError: if it is none.
    """
    import re2

    settings = re2.Options()
    settings.log_errors = False
    flags = "".join(sorted(set(options)))
    try:
        compiled = re2.compile(f"(?{flags}){pattern}" if flags else pattern, settings)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if error.args else "it cannot be read"
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        msg = (
            f"{pattern!r} is no regular expression that RE2 takes: {reason}. "
            "There are no look-arounds and no references to groups; syntax: "
            "https://github.com/google/re2/wiki/Syntax"
        )
        raise QueryError(msg) from error

    def fits(text: str) -> bool:
        try:
            return compiled.search(text) is not None
        except UnicodeEncodeError:  # lone surrogates
            return compiled.search(text.encode("utf-8", "replace").decode()) is not None

    return fits


def literal_prefix(pattern: str, options: str = "") -> str:
    """Return text with which everything begins that a pattern fits; empty if that cannot be told."""
    if options or not pattern.startswith("^") or "|" in pattern:
        return ""
    found = ""
    for char in pattern[1:]:
        if char in _SPECIAL:
            # What is repeated may also be absent.
            return found[:-1] if char in _REPEATS else found
        found += char
    return found


def quoted(text: str) -> str:
    """Return a pattern that fits just a text."""
    return "".join(f"\\{char}" if char.isascii() and not char.isalnum() else char for char in text)


def wildcards(pattern: str) -> str:
    """Return the regular expression of a pattern of SQL: ``%`` is any text, ``_`` any character."""
    beginning = pattern.rstrip("%")
    if beginning != pattern and not set(beginning) & {"%", "_"}:
        return f"^{quoted(beginning)}"  # which an index answers
    parts = {"%": ".*", "_": "."}
    return "(?s)^" + "".join(parts.get(char) or quoted(char) for char in pattern) + "$"
