"""Who changes or deletes what was recorded, and why: nothing of the kind is done without a name."""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass

from hutch.errors import ConfigurationError

__all__ = ["Signature", "sign", "this_user"]


@dataclass(frozen=True, slots=True)
class Signature:
    """A name and a reason."""

    author: str
    reason: str


def sign(reason: str, author: str | None = None) -> Signature:
    """Return a signature; without an author it is the user of this process and the host's name.

    :raises ConfigurationError: if there is no reason.
    """
    if not isinstance(reason, str) or not reason.strip():
        msg = f"The reason is {reason!r}. Say in a few words why, for whoever asks in a year."
        raise ConfigurationError(msg)
    return Signature((author or "").strip() or this_user(), reason.strip())


def this_user() -> str:
    """Return the name of this process's user, and the host's."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container may run under a number that has no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
