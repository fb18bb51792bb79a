"""What the tests of the server share: a store with odd runs, served once."""

from __future__ import annotations

import math

import httpx
import pytest

import hutch
from hutch.server import Admission, build_app

from ...serving import KEY, serving, tiled_client

KEYS = {
    "x": {"source": "test", "dtype": "number", "shape": [], "units": "mm"},
    "n": {"source": "test", "dtype": "integer", "shape": []},
    "on": {"source": "test", "dtype": "boolean", "shape": []},
    "label": {"source": "test", "dtype": "string", "shape": []},
    "wave": {"source": "test", "dtype": "array", "shape": [3]},
    "names": {"source": "test", "dtype": "array", "shape": [2]},
    "ragged": {"source": "test", "dtype": "array", "shape": [None]},
    "odd": {"source": "test", "dtype": "string", "shape": []},
    "some": {"source": "test", "dtype": "integer", "shape": []},
    "time": {"source": "test", "dtype": "number", "shape": []},
    "_hidden": {"source": "test", "dtype": "number", "shape": []},
}


def readings(number):
    return {
        "x": math.nan if number == 2 else number + 0.5,
        "n": 2**60 + number,
        "on": number % 2 == 1,
        "label": "ü" * number,
        "wave": [float(number), 2.0, 3.0],
        "names": ["first", "second" * number],
        "ragged": [1.0] * number,
        "odd": {"a": number},
        "some": None if number == 2 else number,
        "time": 7.0,
        "_hidden": 1.0 * number,
    }


def odd_run(uid="odd-run", end=True):
    """Yield documents of every kind of value."""
    yield "start", {"uid": uid, "time": 100.0, "scan_id": 1, "big": 10**30, "nan": math.nan, "half": "\ud800"}
    yield "descriptor", {
        "uid": f"{uid}-d", "run_start": uid, "time": 101.0, "name": "primary", "data_keys": KEYS,
        "object_keys": {"device": list(KEYS)}, "configuration": {}, "hints": {},
    }  # fmt: skip
    for number in (1, 2, 3):
        data = readings(number)
        yield "event", {
            "uid": f"{uid}-{number}", "descriptor": f"{uid}-d", "time": 102.0 + number, "seq_num": number,
            "data": data, "timestamps": dict.fromkeys(data, 102.0 + number), "filled": {},
        }  # fmt: skip
    if end:
        yield "stop", {"uid": f"{uid}-stop", "run_start": uid, "time": 110.0, "exit_status": "success"}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    with hutch.open_catalog(tmp_path_factory.mktemp("served") / "store") as found:
        recorder = found.recorder()
        for name, document in odd_run():
            recorder(name, document)
        recorder.close()
        for number in range(2, 8):
            with found.start_run(
                plan_name="scan" if number % 2 else "count", sample="A", scan_id=number
            ) as run:
                run.add("primary", {"temperature": 20.0 + number})
        yield found


@pytest.fixture(scope="module")
def address(catalog):
    with serving(build_app({"raw": catalog, "csx/raw": catalog}, Admission([KEY]))) as found:
        yield found


@pytest.fixture(scope="module")
def http(address):
    """A client of HTTP with a key."""
    with httpx.Client(base_url=address, headers={"Authorization": f"Apikey {KEY}"}) as found:
        yield found


@pytest.fixture(scope="module")
def tiled(address):
    """Tiled's client."""
    with tiled_client(address) as found:
        yield found
