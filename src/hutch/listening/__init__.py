"""Documents from elsewhere: listen to bluesky's 0MQ proxy and to Kafka topics, and record what comes.

What talks to 0MQ and Kafka is in extras, and loaded when a source is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hutch.errors import MissingExtraError
from hutch.listening.listener import IDLE_S, Listener, Status

if TYPE_CHECKING:
    from hutch.listening.kafka_topics import KafkaSource
    from hutch.listening.zmq_proxy import ZmqSource

__all__ = ["IDLE_S", "Listener", "Status", "kafka_source", "zmq_source"]


def zmq_source(address: str, **options: Any) -> ZmqSource:
    """Return the address of a 0MQ proxy as something to listen to.

    :param address: ``host:port`` at which the proxy gives documents out.
    :param options: of :class:`hutch.listening.zmq_proxy.ZmqSource`.
    :raises MissingExtraError: if pyzmq is not installed.
    :raises ListeningError: if the address cannot be used.
    """
    try:
        from hutch.listening.zmq_proxy import ZmqSource
    except ModuleNotFoundError as error:
        raise _missing(error, "0MQ", "zmq", ("zmq", "msgpack")) from error
    return ZmqSource(address, **options)


def kafka_source(bootstrap: str, topics: Iterable[str], **options: Any) -> KafkaSource:
    """Return topics of a Kafka cluster as something to listen to.

    :param bootstrap: ``host:port`` of one or more brokers, separated by commas.
    :param options: of :class:`hutch.listening.kafka_topics.KafkaSource`.
    :raises MissingExtraError: if confluent-kafka is not installed.
    :raises ListeningError: if the settings cannot be used.
    """
    try:
        from hutch.listening.kafka_topics import KafkaSource
    except ModuleNotFoundError as error:
        raise _missing(error, "Kafka", "kafka", ("confluent_kafka", "msgpack")) from error
    return KafkaSource(bootstrap, list(topics), **options)


def _missing(error: ModuleNotFoundError, what: str, extra: str, modules: tuple[str, ...]) -> ImportError:
    if (error.name or "").partition(".")[0] not in modules:
        return error
    msg = f"Listening to {what} needs {error.name}. Install it with: pip install 'hutch[{extra}]'"
    return MissingExtraError(msg)
