"""Words of the form ``KEY=VALUE``, as somebody types them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click

__all__ = ["assignments", "parsed_value"]


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
        if key in found:
            msg = f"{key!r} is given twice."
            raise click.UsageError(msg, ctx=click.get_current_context())
        found[key] = parsed_value(value)
    return found


def parsed_value(text: str) -> Any:
    """Return a value: what JSON says, or the text itself if it is none."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> Any:
    """Leave NaN and Infinity, which are no JSON, to be text."""
    raise ValueError(constant)
