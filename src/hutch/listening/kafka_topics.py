"""Documents from Kafka topics, in the format of ``bluesky_kafka.Publisher``: msgpack of name and document.

Partitions are read from where the store says, never from where a consumer group is. So topics and
partitions are looked for here: new ones appear, and brokers go away and come back. librdkafka connects
again by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from hutch.errors import DocumentError, ListeningError
from hutch.listening.formats import read_message
from hutch.listening.messages import Begin, Gap, Message, Positions

__all__ = ["KafkaSource"]

_MOST = 1000
"""Messages that are received at once."""
_LOOK_S = 10.0
"""Seconds after which is looked for new partitions."""
_LOOK_AGAIN_S = 1.0
"""Seconds after which is looked again for what was not there."""
_ANSWER_S = 3.0
"""So long is waited for an answer of a broker."""
_LAST_WORD_S = 5.0
"""So long is waited at the end for the cluster to have heard how far this has come."""
_PATIENCE_S = 30.0
"""So long is waited for a broker if an end is asked for."""

_GONE = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - that is its public name
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    }
)


@dataclass
class _Partition:
    """A partition that is listened to."""

    offset: int
    """Of the next message."""
    end: int
    """After the last message that was there in the beginning."""
    newest: int
    """After the last message that is known to be there."""
    is_at_end: bool = False


class KafkaSource:
    """Topics of a Kafka cluster.

    :param bootstrap: ``host:port`` of one or more brokers, separated by commas.
    :param first: where to begin in topics that were never listened to.
    :param until_end: end when everything is read that is there in the beginning.
    :param settings: further settings of librdkafka, for security above all.
    :param group: tell the cluster how far this has come, under the name of this consumer group, for
        those who monitor it; nothing is read from it.
    :param trusts_pickles: let pickled documents run what they name.
    :raises ListeningError: if librdkafka does not take the settings.
    """

    keeps_messages = True

    def __init__(
        self,
        bootstrap: str,
        topics: list[str],
        *,
        first: Literal["beginning", "now"] = "beginning",
        until_end: bool = False,
        settings: Mapping[str, str] | None = None,
        group: str = "",
        trusts_pickles: bool = False,
    ) -> None:
        self._bootstrap = bootstrap
        self._topics = list(dict.fromkeys(topics))
        self._first = first
        self._until_end = until_end
        self._group = group
        self._trusts_pickles = trusts_pickles
        self._partitions: dict[tuple[str, int], _Partition] = {}
        self._channels: dict[str, str] = {}
        """Topic to channel."""
        self._known: dict[str, Positions | None] = {}
        """What is known of a topic from before, by channel."""
        self._complete: set[str] = set()
        """Topics of which all partitions are listened to."""
        self._missing: set[str] = set()
        self._ready: list[Message | Begin | Gap] = []
        self._error = ""
        self._is_closed = False
        self._untold: dict[tuple[str, int], int] = {}
        """How far this has come, by topic and partition, as far as the cluster has not confirmed it."""
        self._unanswered = 0
        """How often the cluster was told so, and has not answered yet."""
        self._next_look = 0.0
        self._deadline = time.monotonic() + _PATIENCE_S
        if not bootstrap.strip():
            raise ListeningError("No broker is named. Give host:port of one or more, as in 'localhost:9092'.")
        try:
            self._consumer = Consumer(
                {
                    "reconnect.backoff.max.ms": 2000,
                    **(settings or {}),
                    "bootstrap.servers": bootstrap,
                    "group.id": group or "hutch-listen",
                    "enable.auto.commit": False,
                    "auto.offset.reset": "error",
                    "enable.partition.eof": True,
                    "allow.auto.create.topics": False,
                    "log_level": 0,  # what it would print is said here, and once
                    "error_cb": self._note_error,
                    "on_commit": self._note_answer,
                }
            )
        except KafkaException as error:
            msg = f"Kafka cannot be asked with these settings: {error.args[0].str()}."
            raise ListeningError(msg) from error

    def open(self, find: Callable[[str, str], Positions | None], say: Callable[[str], None]) -> None:
        """Begin."""
        self._find = find
        self._say = say

    def receive(self, timeout_s: float) -> list[Message | Begin | Gap]:
        """Return what came; wait for something at most so long."""
        if time.monotonic() >= self._next_look:
            self._look()
        if not self._ready:
            first = self._consumer.poll(timeout_s)
            for message in [] if first is None else [first, *self._consumer.consume(_MOST - 1, 0)]:
                self._read(message)
        found, self._ready = self._ready, []
        return found

    def seek(self, channel: str, positions: Positions) -> None:
        """Go back in a channel."""
        topic = next(topic for topic, name in self._channels.items() if name == channel)
        for number, offset in positions.items():
            if (topic, number) in self._partitions:
                self._read_from(topic, number, offset)

    def kept(self, channel: str, positions: Positions) -> None:
        """Tell the cluster, if it is to know."""
        if not self._group or not positions:
            return
        topic = next(topic for topic, name in self._channels.items() if name == channel)
        self._untold.update({(topic, number): offset for number, offset in positions.items()})
        self._tell()

    def is_at_end(self) -> bool:
        """Tell whether everything was received that there was in the beginning.

        :raises ListeningError: if a broker or a topic is not there.
        """
        if not self._until_end:
            return False
        unread = [topic for topic in self._topics if topic not in self._complete]
        is_read = all(partition.is_at_end for partition in self._partitions.values())
        if not unread:
            return is_read
        if self._missing.issuperset(unread) and is_read:
            msg = f"There is no topic {unread[0]!r} at {self._bootstrap}. The others are recorded."
            raise ListeningError(msg)
        if time.monotonic() > self._deadline:
            reason = self._error or "no broker answers"
            msg = f"Kafka at {self._bootstrap} could not be listened to for {_PATIENCE_S:g} s: {reason}."
            raise ListeningError(msg)
        return False

    def lag(self) -> int | None:
        """Return how many messages are there and not received yet."""
        if not self._partitions:
            return None
        lag = 0
        for (topic, number), partition in self._partitions.items():
            place = TopicPartition(topic, number)
            if not self._is_closed:
                _, end = self._consumer.get_watermark_offsets(place, cached=True)
                partition.newest = max(partition.newest, end)
            lag += max(partition.newest - partition.offset, 0)
        return lag

    def close(self) -> None:
        """Let go of connections, once the cluster has heard how far this has come, if it answers soon."""
        self._is_closed = True
        # What was told a moment ago is dropped if the connection ends before it is answered.
        until = time.monotonic() + _LAST_WORD_S
        while self._untold and time.monotonic() < until:
            if not self._unanswered:
                self._tell()
            self._consumer.poll(0.05)
        self._consumer.close()

    def _tell(self) -> None:
        """Tell the cluster how far this has come; what it refuses, moving maybe, is told again later."""
        places = [TopicPartition(topic, number, offset) for (topic, number), offset in self._untold.items()]
        try:
            self._consumer.commit(offsets=places, asynchronous=True)
            self._unanswered += 1
        except KafkaException as error:
            self._note_error(error.args[0])

    def _note_answer(self, error: Any, places: Any) -> None:
        self._unanswered -= 1
        for place in [] if error is not None else places:
            name = place.topic, place.partition
            if place.error is None and self._untold.get(name) == place.offset:
                del self._untold[name]

    # what there is

    def _look(self) -> None:
        """Look for topics and partitions that are not listened to yet."""
        self._next_look = time.monotonic() + _LOOK_AGAIN_S
        try:
            for topic in self._topics:
                self._look_at(topic)
        except KafkaException as error:
            self._note_error(error.args[0])
            return
        if self._error:
            self._say(f"The Kafka broker at {self._bootstrap} answers again.")
            self._error = ""
        if not self._missing:
            self._next_look = time.monotonic() + _LOOK_S

    def _look_at(self, topic: str) -> None:
        metadata = self._consumer.list_topics(topic, timeout=_ANSWER_S)
        about = metadata.topics[topic]
        if about.error is not None:
            if about.error.code() not in _GONE:
                raise KafkaException(about.error)
            if topic not in self._missing:
                self._missing.add(topic)
                self._say(f"There is no topic {topic!r} at {self._bootstrap}; waiting for it.")
            return
        if topic not in self._channels:
            name = f"kafka {metadata.cluster_id or self._bootstrap} {topic}"
            known = self._find(name, topic)
            # A topic that was waited for is read from its beginning.
            is_new = known is None and topic not in self._missing
            self._known[topic] = None if is_new else known or {}
            self._channels[topic] = name
        for number in sorted(about.partitions):
            if (topic, number) not in self._partitions:
                self._begin(topic, number)
        self._missing.discard(topic)
        self._complete.add(topic)
        # So is a partition that appears later.
        self._known[topic] = self._known[topic] or {}

    def _begin(self, topic: str, number: int) -> None:
        low, high = self._ends_of(topic, number)
        known = self._known[topic]
        if known is None:
            offset = high if self._first == "now" else low
        else:
            offset = known.get(number, low)
        partition = self._partitions[topic, number] = _Partition(offset, high, high)
        self._ready.append(Begin(self._channels[topic], number, offset, high))
        if not low <= offset <= high:
            self._jump(topic, number, low, high)
        self._read_from(topic, number, partition.offset)

    def _ends_of(self, topic: str, number: int) -> tuple[int, int]:
        place = TopicPartition(topic, number)
        low, high = self._consumer.get_watermark_offsets(place, timeout=_ANSWER_S)
        return low, high

    def _jump(self, topic: str, number: int, low: int, high: int) -> None:
        """Go on with the first message that is there: what comes next is not."""
        partition = self._partitions[topic, number]
        where = f"of topic {topic!r}, partition {number},"
        if partition.offset < low:
            count = f"{low - partition.offset:,} messages"
            reason = f"{count} {where} are gone: {partition.offset} to {low - 1}, the broker keeps no more."
        else:
            reason = (
                f"The position {partition.offset} {where} is after its end {high}: the topic was made anew. "
                "It is read from its beginning."
            )
        self._ready.append(Gap(self._channels[topic], number, partition.offset, low, reason))
        partition.offset = low
        partition.is_at_end = False

    def _read_from(self, topic: str, number: int, offset: int) -> None:
        """Have messages come from an offset on, and what is on its way forgotten."""
        partition = self._partitions[topic, number]
        partition.offset, partition.is_at_end = offset, offset >= partition.end
        place = TopicPartition(topic, number, offset)
        if place in self._consumer.assignment():
            self._consumer.incremental_unassign([place])
        self._consumer.incremental_assign([place])

    # what comes

    def _read(self, message: KafkaMessage[Any, Any]) -> None:
        topic, number, offset = message.topic(), message.partition(), message.offset()
        error = message.error()
        partition = self._partitions.get((topic or "", -1 if number is None else number))
        if partition is None or topic is None or number is None or offset is None:
            if error is not None:
                self._note_error(error)
            return
        if error is None:
            partition.offset = offset + 1
            partition.is_at_end |= partition.offset >= partition.end
            self._ready.append(self._understood(topic, number, offset, message.value()))
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - that is its public name
            partition.is_at_end = True
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
            self._begin_anew(topic, number)
        elif error.code() in _GONE:
            self._consumer.incremental_unassign([TopicPartition(topic, number)])
            del self._partitions[topic, number]
            # If it comes back it is another one, and read from its beginning.
            self._known[topic] = {}
            self._complete.discard(topic)
            self._next_look = 0.0
        else:
            self._note_error(error)

    def _begin_anew(self, topic: str, number: int) -> None:
        """Go on after the broker said that it does not have what comes next."""
        offset = self._partitions[topic, number].offset
        try:
            low, high = self._ends_of(topic, number)
        except KafkaException as error:
            self._note_error(error.args[0])
        else:
            if not low <= offset <= high:
                self._jump(topic, number, low, high)
        self._read_from(topic, number, self._partitions[topic, number].offset)

    def _understood(self, topic: str, number: int, offset: int, value: bytes | None) -> Message:
        here = (self._channels[topic], number, offset)
        try:
            name, document = read_message(value or b"", trusts_pickles=self._trusts_pickles)
        except DocumentError as error:
            return Message(*here, "", value or b"", str(error))
        return Message(*here, name, document)

    def _note_error(self, error: KafkaError) -> None:
        """Say once what is wrong with the cluster; it is tried again for ever."""
        if error.code() == KafkaError._TRANSPORT and not self._error:  # noqa: SLF001
            # One connection of several; if it matters, the next look tells.
            self._next_look = min(self._next_look, time.monotonic())
            return
        self._next_look = min(self._next_look, time.monotonic() + _LOOK_AGAIN_S)
        if not self._error:
            self._say(f"Kafka at {self._bootstrap}: {error.str()}. Trying again.")
        self._error = error.str()
