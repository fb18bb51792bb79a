"""The seam between a listener and what it listens to: a source, and what that gives.

A source has channels (the topics of Kafka, the one address of 0MQ), and these have partitions, in each
of which messages are numbered. The number of the next message of each partition is a position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

__all__ = ["Begin", "Gap", "Message", "Positions", "Source"]

Positions = Mapping[int, int]
"""Offsets of the next messages, by partition."""


class Message(NamedTuple):
    """A document, or what cannot be understood as one."""

    channel: str
    partition: int
    offset: int
    name: str
    document: Any
    """The document; the bytes of the message if there is a fault."""
    fault: str = ""
    """Why it is no document."""


@dataclass(frozen=True, slots=True)
class Begin:
    """A partition is listened to from an offset on."""

    channel: str
    partition: int
    offset: int
    end: int
    """The offset after the last message that is there now."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages are gone before they were listened to."""

    channel: str
    partition: int
    first: int
    end: int
    """The offset of the first message that is there."""
    reason: str


class Source(Protocol):
    """Something to listen to."""

    keeps_messages: bool
    """True if messages can be asked for again."""

    def open(self, find: Callable[[str, str], Positions | None], say: Callable[[str], None]) -> None:
        """Begin.

        :param find: called with the name of each channel, and its title for people, when it is there
            for the first time; returns where to go on, None if it was never listened to.
        :param say: called with sentences for people.
        """
        ...

    def receive(self, timeout_s: float) -> list[Message | Begin | Gap]:
        """Return what came; wait for something at most so long."""
        ...

    def seek(self, channel: str, positions: Positions) -> None:
        """Go back in a channel, if messages are kept."""
        ...

    def kept(self, channel: str, positions: Positions) -> None:
        """Take note that everything before these positions is in the store, and on its disk."""
        ...

    def is_at_end(self) -> bool:
        """Tell whether all was received that there was in the beginning; False if nobody asked for that."""
        ...

    def lag(self) -> int | None:
        """Return how many messages are there and not received yet; None if nobody can know."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
