"""Documents of small runs, good ones to be made odd by tests, and what became of them in a catalog."""

from __future__ import annotations

from hutch.documents import decode, is_same, plain

KEYS = {
    "x": {"source": "test", "dtype": "number", "shape": []},
    "wave": {"source": "test", "dtype": "array", "shape": [3]},
}


def start(uid="run", **more):
    return {"uid": uid, "time": 100.0, "scan_id": 1, **more}


def descriptor(uid="d", run="run", name="primary", **more):
    return {"uid": uid, "run_start": run, "time": 101.0, "name": name, "data_keys": KEYS, **more}


def event(number, uid=None, of="d", **data):
    return {
        "uid": uid or f"{of}-{number}",
        "descriptor": of,
        "time": 102.0 + number,
        "seq_num": number,
        "data": {"x": number + 0.5, "wave": [1.0, 2.0, 3.0], **data},
        "timestamps": {"x": 102.0, "wave": 102.0},
        "filled": {},
    }


def stop(run="run", **more):
    return {"uid": f"{run}-stop", "run_start": run, "time": 110.0, "exit_status": "success", **more}


def page_of(*events, **changes):
    """Return events as a page."""
    page = {key: [one[key] for one in events] for key in ("uid", "time", "seq_num")}
    for table in ("data", "timestamps", "filled"):
        page[table] = {key: [one[table][key] for one in events] for key in events[0][table]}
    return {"descriptor": "d", **page, **changes}


class Unwilling:
    """What can be neither copied nor shown."""

    def __deepcopy__(self, memo):
        raise RuntimeError("no copy")

    def __repr__(self):
        raise RuntimeError("no name")


def replayed(cat, uid="run"):
    return list(cat[uid].documents(fill="no"))


def quarantined(cat):
    return [(row.kind, row.reason, decode(row.body)) for row in cat.store.quarantined()]


def marked(cat, uid="run"):
    return {(mark.stream, mark.key, mark.reason): mark.count for mark in cat.store.marks(cat[uid].row.id)}


def a_run(*events, end=True):
    found = [("start", start()), ("descriptor", descriptor()), *[("event", one) for one in events]]
    return [*found, ("stop", stop())] if end else found


def assert_same(found, expected):
    assert [name for name, _ in found] == [name for name, _ in expected]
    for (_, got), (_, want) in zip(found, expected, strict=True):
        assert is_same(got, plain(want)), (got, want)
