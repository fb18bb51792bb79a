"""A Kafka cluster for tests: the one that librdkafka brings along, over real sockets on loopback."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import confluent_kafka

_BROKER = 1
_OFFSET_COMMIT = 8
_PRODUCER = 0
_FUNCTIONS = {
    "rd_kafka_conf_new": (ctypes.c_void_p, []),
    "rd_kafka_conf_set": (
        ctypes.c_int,
        [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t],
    ),
    "rd_kafka_new": (
        ctypes.c_void_p,
        [ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t],
    ),
    "rd_kafka_destroy": (None, [ctypes.c_void_p]),
    "rd_kafka_mock_cluster_new": (ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int]),
    "rd_kafka_mock_cluster_destroy": (None, [ctypes.c_void_p]),
    "rd_kafka_mock_cluster_bootstraps": (ctypes.c_char_p, [ctypes.c_void_p]),
    "rd_kafka_mock_topic_create": (
        ctypes.c_int,
        [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int],
    ),
    "rd_kafka_mock_broker_set_down": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_int32]),
    "rd_kafka_mock_broker_set_up": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_int32]),
    "rd_kafka_mock_push_request_errors_array": (
        None,
        [ctypes.c_void_p, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)],
    ),
}


def missing() -> str | None:
    """Return why there can be no cluster, or None."""
    try:
        return None if hasattr(_library(), "rd_kafka_mock_cluster_new") else "librdkafka has no mock cluster"
    except (OSError, StopIteration) as error:
        return f"librdkafka is not found beside confluent_kafka: {error!r}"


def _library() -> Any:
    package = Path(confluent_kafka.__file__).parent
    folders = (package.with_name("confluent_kafka.libs"), package / ".dylibs")
    path = next(path for folder in folders for path in folder.glob("librdkafka*"))
    library = ctypes.CDLL(str(path))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Cluster:
    """A cluster of one broker, in memory; a partition keeps its last 5 MB.

    :ivar bootstrap: its address.
    """

    def __init__(self) -> None:
        self._library = _library()
        text = ctypes.create_string_buffer(512)
        settings = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set(settings, b"log_level", b"0", text, len(text))
        self._client = self._library.rd_kafka_new(_PRODUCER, settings, text, len(text))
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, 1)
        self.bootstrap: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def close(self) -> None:
        """End it; its messages are gone."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    def make_topic(self, name: str, partitions: int = 1) -> None:
        """Make a topic."""
        found = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        assert found == 0

    def go_away(self) -> None:
        """Cut all connections, and accept none."""
        assert self._library.rd_kafka_mock_broker_set_down(self._cluster, _BROKER) == 0

    def come_back(self) -> None:
        """Accept connections again."""
        assert self._library.rd_kafka_mock_broker_set_up(self._cluster, _BROKER) == 0

    def refuse_commits(self, *errors: int) -> None:
        """Answer what next tells how far a group has come with these errors, one after the other."""
        numbers = (ctypes.c_int * len(errors))(*errors)
        push = self._library.rd_kafka_mock_push_request_errors_array
        push(self._cluster, _OFFSET_COMMIT, len(errors), numbers)

    def producer(self) -> confluent_kafka.Producer:
        """Return something to publish with."""
        return confluent_kafka.Producer({"bootstrap.servers": self.bootstrap, "log_level": 0})
