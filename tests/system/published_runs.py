"""A program that scans simulated devices with a real RunEngine, and publishes what it emits.

``zmq ADDRESS PREFIX SERIALIZER`` publishes to a 0MQ proxy, ``kafka BOOTSTRAP TOPIC`` with bluesky-kafka.
It waits for a line before each run, the number of points, and writes every document as a line of JSON.
For 0 points it publishes something without a meaning.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

from hutch.documents import encode

SERIALIZERS = ("pickle", "msgpack", "json")


def zmq_publisher(address: str, prefix: str, serializer: str) -> Callable[[str, Any], None]:
    """Return bluesky's publisher to a 0MQ proxy."""
    import pickle

    import msgpack
    import msgpack_numpy
    from bluesky.callbacks.zmq import Publisher

    ways = {
        "pickle": pickle.dumps,
        "msgpack": lambda value: msgpack.packb(value, default=msgpack_numpy.encode),
        "json": encode,
    }
    publisher: Callable[[str, Any], None] = Publisher(
        address, prefix=prefix.encode(), serializer=ways[serializer]
    )
    return publisher


def kafka_publisher(bootstrap: str, topic: str) -> Callable[[str, Any], None]:
    """Return bluesky-kafka's publisher."""
    from bluesky_kafka import Publisher

    publisher: Callable[[str, Any], None] = Publisher(
        topic, bootstrap, key="a beamline", flush_on_stop_doc=True, producer_config={"log_level": 0}
    )
    return publisher


def main(kind: str, *arguments: str) -> None:
    """Do a run for each line on stdin."""
    warnings.simplefilter("ignore")
    import numpy as np
    from bluesky import RunEngine, plans
    from ophyd.sim import SynSignal, det, hw, motor

    publish = zmq_publisher(*arguments) if kind == "zmq" else kafka_publisher(*arguments)
    frames = iter(range(1_000_000))
    image = SynSignal(name="image", func=lambda: np.full((2, 3), next(frames), dtype="uint16"))
    engine = RunEngine({})

    def say(name: str, document: Any) -> None:
        os.write(1, encode([name, document]) + b"\n")

    engine.subscribe(say)
    engine.subscribe(publish)
    os.write(1, b'["ready",{}]\n')
    for line in sys.stdin:
        points = int(line)
        if not points:
            publish("probe", {"uid": "probe"})
            os.write(1, b'["done",{}]\n')
            continue
        engine(plans.scan([det, image, hw().direct_img], motor, -1, 1, points), sample={"name": "LaB6"})
        os.write(1, b'["done",{}]\n')


if __name__ == "__main__":
    main(*sys.argv[1:])
