"""A program that records runs, or reads what others record, as fast as it can.

``record <folder> <name> <count>`` records runs; ``read <folder> <count>`` follows the changes feed until so
many runs have ended, looks at every run meanwhile, and prints how often it looked.
"""

from __future__ import annotations

import sys

import hutch

EVENTS = 3


def record(folder: str, name: str, count: int) -> None:
    """Record runs of three events each."""
    with hutch.open_catalog(folder) as catalog:
        for number in range(count):
            with catalog.start_run(sample=name, number=number) as run:
                for point in range(EVENTS):
                    run.add("primary", {"x": number + point * 0.25, "name": name})


def read(folder: str, count: int) -> None:
    """Follow the feed, and look at each run that it tells of and at the newest."""
    looks = cursor = ended = 0
    with hutch.open_catalog(folder) as catalog:
        store = catalog.store
        while ended < count:
            store.wait(cursor, timeout_s=10.0)
            changes = store.changes(cursor, limit=50)
            for change in changes:
                assert change.number == cursor + 1, "the feed has a gap"
                cursor = change.number
                if change.topic == "stop":
                    ended += 1
                    assert look(catalog[store.run_by_id(change.run).uid]) == EVENTS
                    looks += 1
            look(catalog[-1])
            assert len(list(catalog[-3:].values())) <= 3
            looks += 1
    sys.stdout.write(f"{looks}\n")


def look(run: hutch.catalogs.Run) -> int:
    """Check what is there of a run; return its number of events."""
    documents = list(run.documents(fill="no"))
    names = [name for name, _ in documents]
    events = [document for name, document in documents if name == "event"]
    start = documents[0][1]
    assert names[0] == "start"
    assert [event["seq_num"] for event in events] == list(range(1, len(events) + 1))
    for event in events:
        expected = {"x": start["number"] + (event["seq_num"] - 1) * 0.25, "name": start["sample"]}
        assert event["data"] == expected
    if names[-1] == "stop":
        assert documents[-1][1]["num_events"] == {"primary": len(events)}
        assert run.status == "success"
    return len(events)


if __name__ == "__main__":
    command, place, *rest = sys.argv[1:]
    if command == "record":
        record(place, rest[0], int(rest[1]))
    else:
        read(place, int(rest[0]))
