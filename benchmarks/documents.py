"""The documents that every contestant gets: runs of scalar readings, as a RunEngine would emit them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["KEYS", "Document", "described_run", "event", "paged_run", "run", "stop"]

Document = tuple[str, dict[str, Any]]

KEYS = tuple(f"reading_{number}" for number in range(10))
"""Ten scalar data keys."""


def described_run(scan_id: int = 1, keys: Sequence[str] = KEYS) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a start and a descriptor of scalar keys, ten unless they are named."""
    now = time.time()
    start = {
        "uid": str(uuid.uuid4()),
        "time": now,
        "scan_id": scan_id,
        "plan_name": "scan",
        "plan_type": "generator",
        "plan_args": {"detectors": ["det"], "num": 10, "args": ["motor", -1.0, 1.0]},
        "detectors": ["det"],
        "motors": ["motor"],
        "num_points": 10,
        "sample": {"name": "LaB6", "temperature": 21.4},
        "operator": "night shift",
        "proposal_id": 12345,
        "hints": {"dimensions": [[["motor"], "primary"]]},
        "versions": {"bluesky": "1.15.1", "ophyd": "1.11.2"},
    }
    descriptor = {
        "uid": str(uuid.uuid4()),
        "run_start": start["uid"],
        "time": now,
        "name": "primary",
        "data_keys": {
            key: {"dtype": "number", "shape": [], "source": f"SIM:{key}", "object_name": "det"}
            for key in keys
        },
        "object_keys": {"det": list(keys)},
        "configuration": {"det": {"data": {}, "timestamps": {}, "data_keys": {}}},
        "hints": {"det": {"fields": [keys[0]]}},
    }
    return start, descriptor


def event(descriptor: str, number: int, keys: Sequence[str] = KEYS) -> dict[str, Any]:
    """Return the event with a number from 0."""
    now = 1_750_000_000.0 + 0.01 * number
    return {
        "uid": str(uuid.uuid4()),
        "descriptor": descriptor,
        "seq_num": number + 1,
        "time": now,
        "data": {key: number + 0.1 * place for place, key in enumerate(keys)},
        "timestamps": dict.fromkeys(keys, now),
        "filled": {},
    }


def stop(start: str, events: int) -> dict[str, Any]:
    """Return the stop of a run with so many events."""
    return {
        "uid": str(uuid.uuid4()),
        "run_start": start,
        "time": time.time(),
        "exit_status": "success",
        "reason": "",
        "num_events": {"primary": events},
    }


def run(events: int, scan_id: int = 1, keys: Sequence[str] = KEYS) -> list[Document]:
    """Return a run of single events."""
    start, descriptor = described_run(scan_id, keys)
    return [
        ("start", start),
        ("descriptor", descriptor),
        *(("event", event(descriptor["uid"], number, keys)) for number in range(events)),
        ("stop", stop(start["uid"], events)),
    ]


def paged_run(pages: int, rows: int) -> list[Document]:
    """Return a run whose events come in pages of so many rows."""
    start, descriptor = described_run()
    return [
        ("start", start),
        ("descriptor", descriptor),
        *(("event_page", page) for page in _pages(descriptor["uid"], pages, rows)),
        ("stop", stop(start["uid"], pages * rows)),
    ]


def _pages(descriptor: str, pages: int, rows: int) -> Iterator[dict[str, Any]]:
    for page in range(pages):
        events = [event(descriptor, number) for number in range(page * rows, (page + 1) * rows)]
        yield {
            "descriptor": descriptor,
            "uid": [row["uid"] for row in events],
            "seq_num": [row["seq_num"] for row in events],
            "time": [row["time"] for row in events],
            "data": {key: [row["data"][key] for row in events] for key in KEYS},
            "timestamps": {key: [row["timestamps"][key] for row in events] for key in KEYS},
            "filled": {},
        }
