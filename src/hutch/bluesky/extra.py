"""What is said where bluesky is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hutch.errors import MissingExtraError

__all__ = ["needing_bluesky"]


@contextmanager
def needing_bluesky(what: str) -> Iterator[None]:
    """Say how to install bluesky if an import fails without it.

    :param what: what needs it, as the beginning of a sentence.
    :raises MissingExtraError: in place of the import's error.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "bluesky":
            raise
        msg = f"{what} needs bluesky. Install it with: pip install 'hutch[bluesky]'"
        raise MissingExtraError(msg) from error
