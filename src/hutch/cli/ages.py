"""Spans of time as people type them: days, unless another unit is said."""

from __future__ import annotations

import re

import click

__all__ = ["parse_days"]

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([hdwy]?)")
_DAYS = {"h": 1 / 24, "d": 1.0, "": 1.0, "w": 7.0, "y": 365.0}


def parse_days(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Return a span of time in days: ``90d``, or with another unit ``12h``, ``6w``, ``1y``."""
    if value is None:
        return None
    found = _AGE.fullmatch(value.strip())
    if found is None:
        msg = f"{value!r} is no age; give days, hours, weeks or years: 90d, 12h, 6w, 1y"
        raise click.BadParameter(msg, ctx=ctx, param=param)
    return float(found[1]) * _DAYS[found[2]]
