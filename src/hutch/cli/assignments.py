"""Words of the form ``KEY=VALUE``, as somebody types them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from hutch.queries.typed import parsed_value

__all__ = ["assignments"]

_COMPARING = "<>!~"
"""Before a ``=`` they ask for something else than what is equal, as ``hutch runs`` takes it."""


def assignments(words: Iterable[str]) -> dict[str, Any]:
    """Return the values of words by their keys.

    :raises click.UsageError: if a word is something else, or a key is there twice.
    """
    found: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            msg = f"{word!r} is no KEY=VALUE, such as sample.name=LaB6."
            raise click.UsageError(msg, ctx=click.get_current_context())
        if key[-1] in _COMPARING:
            msg = f"{word!r} compares, and is no KEY=VALUE, such as sample.name=LaB6."
            raise click.UsageError(msg, ctx=click.get_current_context())
        if key in found:
            msg = f"{key!r} is given twice."
            raise click.UsageError(msg, ctx=click.get_current_context())
        found[key] = parsed_value(value)
    return found
