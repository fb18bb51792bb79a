"""A program that listens to Kafka until it is killed.

It waits for lines ``<bootstrap> <store> <topic> ...`` and forks a child for each, so that a child costs
milliseconds. It writes ``pid <process id>`` and in the end ``gone``.
"""

from __future__ import annotations

import os
import sys

import pyarrow as pa

import hutch.listening.kafka_topics
import hutch.recording.committing.committer
import hutch.recording.events.duplicates
import hutch.recording.events.stream_buffer
import hutch.store.batches.arrow_files
import hutch.store.batches.unpacking  # noqa: F401 - loaded before the fork, which is what this program is for
from hutch.listening import Listener, kafka_source
from hutch.store import open_store

pa.array([0.0])  # the first one imports pandas


def main() -> None:
    """Fork a child for every line, and wait for its end."""
    for line in sys.stdin:
        bootstrap, address, *topics = line.split()
        child = os.fork()
        if not child:
            os.write(1, f"pid {os.getpid()}\n".encode())
            Listener(open_store(address), kafka_source(bootstrap, topics)).run()
            os._exit(0)
        os.waitpid(child, 0)
        os.write(1, b"gone\n")


if __name__ == "__main__":
    main()
