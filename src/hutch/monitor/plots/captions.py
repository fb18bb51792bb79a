"""Words in pictures that fit: the lines below a title, and names that are too long."""

from __future__ import annotations

from collections.abc import Iterable

from hutch.monitor.plots.drawing import plain

__all__ = ["below_title", "shortened"]

_PER_INCH = 10.3
"""Characters of the line below a title, on average."""
_MOST_LINES = 2
_BETWEEN = " · "


def below_title(parts: Iterable[str], width: float) -> str:
    """Return what stands below a title, in lines that are not wider than the picture.

    :param parts: what is to be said; none of them is cut if it need not be.
    :param width: of the picture, inches.
    """
    most = int((width - 0.3) * _PER_INCH)
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}{_BETWEEN}{part}" if lines else part
        if lines and (len(longer) <= most or len(lines) == _MOST_LINES):
            lines[-1] = longer
        else:
            lines.append(part)
    return "\n".join(plain(line, most) for line in lines)


def shortened(name: str, most: int) -> str:
    """Return a name without its middle if it is too long: names that are alike differ at their ends."""
    name = plain(name, len(name))
    if len(name) <= most:
        return name
    begin = (most - 1) // 3
    return f"{name[:begin]}…{name[len(name) - (most - 1 - begin) :]}"
