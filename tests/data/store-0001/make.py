"""How this store was made, by the last version of hutch that knew schema 0001 and no other.

It is not made again: what matters is that a store of that time is read for ever. To look at how it was
made: take the version before the migration 0002 and run ``python make.py FOLDER``. It leaves in the folder

- ``hutch.sql``, the database as SQL,
- ``files.json``, the Arrow files, packed,
- ``documents.json``, what that version replayed of each run: kinds, and SHA-256 of the documents.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sqlite3
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

import hutch
from hutch.documents import encode

TIME = 1_700_000_000.0
KEYS = {
    "x": {"source": "test", "dtype": "number", "shape": []},
    "wave": {"source": "test", "dtype": "array", "shape": [3]},
}
FRAME = {"frame": {"source": "test", "dtype": "array", "shape": [20_000]}}


def start(uid: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "start", {"uid": uid, "time": TIME, "scan_id": 1, "plan_name": "scan", **more}


def descriptor(uid: str, run: str, name: str = "primary", keys: Any = KEYS) -> tuple[str, dict[str, Any]]:
    about = {"uid": uid, "run_start": run, "time": TIME + 1, "name": name, "data_keys": keys}
    configuration = {"det": {"data": {"gain": 2.5}, "timestamps": {"gain": TIME}, "data_keys": {}}}
    return "descriptor", {**about, "configuration": configuration, "hints": {}, "object_keys": {"det": ["x"]}}


def event(of: str, number: int, **data: Any) -> tuple[str, dict[str, Any]]:
    values = {"x": number + 0.5, "wave": [1.0, 2.0, float(number)], **data}
    times = dict.fromkeys(values, TIME + number)
    about = {"uid": f"{of}-{number}", "descriptor": of, "time": TIME + number, "seq_num": number}
    return "event", {**about, "data": values, "timestamps": times, "filled": {}}


def stop(run: str, **more: Any) -> tuple[str, dict[str, Any]]:
    about = {"uid": f"{run}-stop", "run_start": run, "time": TIME + 60, "exit_status": "success"}
    return "stop", {**about, **more}


def page(of: str, first: int, count: int) -> tuple[str, dict[str, Any]]:
    numbers = range(first, first + count)
    times = [TIME] * count
    data = {"frame": [[0.0] * 20_000] * count}
    about = {"uid": [f"{of}-{n}" for n in numbers], "descriptor": of, "time": times, "seq_num": list(numbers)}
    return "event_page", {**about, "data": data, "timestamps": dict.fromkeys(data, times), "filled": {}}


def runs() -> list[list[tuple[str, dict[str, Any]]]]:
    """Return the documents of runs of every kind."""
    plain = [start("plain", sample="LaB6", motors=["m1", "m2"], scan_id=1), descriptor("p", "plain")]
    plain += [event("p", n) for n in range(1, 6)] + [stop("plain", num_events={"primary": 5})]
    odd_start = {
        "sample": {"name": "ü \U0001f600", "parts": [{"a": 1}, {"a": 2}]},
        "none": None,
        "empty": [{}, []],
    }
    odd_start |= {
        "big": 2**70,
        "nan": float("nan"),
        "inf": float("-inf"),
        "long": "x" * 300,
        "many": list(range(100)),
    }
    odd = [start("odd", **odd_start, time=TIME + 1), descriptor("o", "odd")]
    odd += [event("o", 1), event("o", 2, x=2**70), event("o", 3, x="text"), event("o", 4, wave=[1.0] * 5)]
    odd += [event("o", 5, x=float("nan"), wave=[[1], [2, 3]]), event("o", 6, more=True)]
    odd += [event("nobody", 1), stop("odd", exit_status="abort", reason="the beam was lost")]
    large = [
        start("large", time=TIME + 2),
        descriptor("l", "large", keys=FRAME),
        page("l", 1, 8),
        page("l", 9, 1),
    ]
    large += [stop("large", exit_status="fail", reason="ValueError: 'no'")]
    external = [start("external", time=TIME + 3), descriptor("e", "external"), descriptor("e2", "external")]
    external += [descriptor("eb", "external", "baseline"), event("eb", 1), event("e", 1), event("e2", 2)]
    resource = {
        "uid": "r",
        "run_start": "external",
        "spec": "AD_HDF5",
        "root": "/data",
        "resource_path": "a.h5",
    }
    external += [
        ("resource", {**resource, "resource_kwargs": {"frame_per_point": 1}, "path_semantics": "posix"})
    ]
    external += [("datum", {"datum_id": "r/0", "resource": "r", "datum_kwargs": {"point_number": 0}})]
    uris = {"uri": "file://localhost/data/b.h5", "data_key": "img", "mimetype": "application/x-hdf5"}
    external += [("stream_resource", {"uid": "sr", "run_start": "external", **uris, "parameters": {}})]
    indices = {"indices": {"start": 0, "stop": 5}, "seq_nums": {"start": 1, "stop": 6}}
    external += [("stream_datum", {"uid": "sr/0", "stream_resource": "sr", "descriptor": "e", **indices})]
    external += [event("e", 3), stop("external", num_events={"primary": 3, "baseline": 1})]
    empty = [start("empty", time=TIME + 4), descriptor("m", "empty"), stop("empty", num_events={})]
    left = [
        start("left", time=TIME + 5, scan_id=2**80),
        descriptor("f", "left"),
        event("f", 1),
        event("f", 2),
    ]
    return [plain, odd, large, external, empty, left]


def main(folder: Path) -> None:
    """Make the store, and leave it in files that are kept with the tests."""
    place = Path(tempfile.mkdtemp()) / "store"
    if not os.fork():
        # A process of its own, so that a run is left by a dead one.
        catalog = hutch.open_catalog(place)
        recorder = catalog.recorder()
        for documents in runs():
            for name, document in documents:
                recorder(name, document)
        while len(list(catalog["left"].documents(fill="no"))) < 4:
            pass
        os._exit(0)
    os.wait()
    with hutch.open_catalog(place) as catalog:
        catalog.md["user"] = {"name": "ö", "numbers": [1, 2.5, None], "array": np.arange(3).tolist()}
        catalog.md["scan_id"] = 1
        with catalog.start_run(plan_name="dwell", sample="Si") as run:
            for number in range(3):
                run.add("primary", {"temperature": 20.0 + number, "label": "a", "count": number, "on": True})
        catalog.recorder()("event", {"uid": "lost", "descriptor": "none of all"})
        found = {
            uid: [
                [name, hashlib.sha256(encode(document)).hexdigest()]
                for name, document in run.documents(fill="no")
            ]
            for uid, run in catalog.items()
        }
    (folder / "documents.json").write_text(json.dumps(found, indent=1) + "\n")
    with sqlite3.connect(place / "hutch.db") as connection:
        # SQLite does not read the infinities that it writes.
        said = (line.replace(",-Inf,", ",-9e999,") for line in connection.iterdump())
        (folder / "hutch.sql").write_text("\n".join(said) + "\n")
    files = {
        path.relative_to(place / "files").as_posix(): base64.b64encode(
            zlib.compress(path.read_bytes(), 9)
        ).decode()
        for path in (place / "files").rglob("*.arrow")
    }
    (folder / "files.json").write_text(json.dumps(files, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
