"""Files of documents on their way into a store, whole, twice, grown and broken."""

from __future__ import annotations

import gzip
import json
import math
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hutch.catalogs import Catalog
from hutch.cli.group import hutch as program
from hutch.documents import encode, is_same
from hutch.errors import ImportFileError
from hutch.recording.importing.document_files import read_documents
from hutch.recording.importing.importer import import_file

Documents = list[tuple[str, dict[str, Any]]]


def documents(uid: str = "run-1", points: int = 3, stop: bool = True) -> Documents:
    """Return the documents of a run with values that JSON libraries like to change."""
    key = {"dtype": "number", "shape": [], "source": "sim"}
    found: Documents = [
        ("start", {"uid": uid, "time": 1.5, "scan_id": 7, "gain": math.nan, "big": 2**70, "name": "\ud800"}),
        ("descriptor", {"uid": f"{uid}/d", "run_start": uid, "time": 2.0, "name": "primary",
                        "data_keys": {"b": key, "a": key}, "hints": {}, "configuration": {},
                        "object_keys": {"dev": ["b", "a"]}}),
    ]  # fmt: skip
    for number in range(1, points + 1):
        event = {"uid": f"{uid}/{number}", "descriptor": f"{uid}/d", "time": 2.0 + number, "seq_num": number}
        data = {"b": number if number % 2 else math.inf, "a": -0.5 * number}
        found.append(("event", {**event, "data": data, "timestamps": {"b": 1.0, "a": 1.0}}))
    if stop:
        found.append(("stop", {"uid": f"{uid}/s", "run_start": uid, "time": 9.0, "exit_status": "success",
                               "num_events": {"primary": points}}))  # fmt: skip
    return found


def as_lines(found: Documents) -> bytes:
    return b"".join(json.dumps(pair).encode() + b"\n" for pair in found)


def as_list(found: Documents) -> bytes:
    return json.dumps(found).encode()


def as_indented_list(found: Documents) -> bytes:
    return b"\n" + json.dumps(found, indent=2).encode() + b"\n\n"


def as_hutch_writes_them(found: Documents) -> bytes:
    return b"".join(encode(pair) + b"\n" for pair in found)


def state(store) -> list[Any]:
    """Return everything a store has, the changes included."""
    runs = store.runs()
    parts = (store.documents, store.batches, store.marks, store.quarantined)
    return [runs, store.last_change(), [part(row.id) for row in runs for part in parts], store.quarantined()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.mark.parametrize("write", [as_lines, as_list, as_indented_list, as_hutch_writes_them])
@pytest.mark.parametrize("squeeze", [bytes, gzip.compress])
def test_documents_that_go_in_come_out(store, file, write, squeeze) -> None:
    file.write_bytes(squeeze(write(documents())))
    found = import_file(store, file)

    assert (found.runs, found.skipped, found.marked, found.quarantined) == (["run-1"], 0, 0, 0)
    assert found.documents == {"start": 1, "descriptor": 1, "event": 3, "stop": 1}
    replayed = list(Catalog(store)["run-1"].documents(fill="no"))
    assert is_same([list(pair) for pair in replayed], [list(pair) for pair in documents()])


@pytest.mark.parametrize("stop", [True, False])
def test_importing_twice_changes_nothing(store, file, stop) -> None:
    nobodys = ("event", {"uid": "x", "descriptor": "nobody's", "data": {}, "timestamps": {}, "seq_num": 1})
    odd = ("event", {"uid": "y", "descriptor": "run-1/d", "time": 3.0, "seq_num": 4, "timestamps": {},
                     "data": {"b": "text", "c": 1}})  # fmt: skip
    some = documents(stop=False)
    file.write_bytes(as_lines([*some, odd, nobodys, *documents()[5:]] if stop else [*some, odd, nobodys]))
    first = import_file(store, file)
    before = state(store)
    second = import_file(store, file)

    assert (first.quarantined, first.marked > 0) == (1, True)
    assert state(store) == before
    assert (second.runs, second.known_runs, second.marked, second.quarantined) == ([], ["run-1"], 0, 0)
    assert second.skipped == second.documents.total()


def test_a_run_that_is_twice_in_a_file_is_there_once(store, file) -> None:
    file.write_bytes(as_lines(documents() * 2))
    found = import_file(store, file)

    assert (found.runs, found.known_runs, found.skipped) == (["run-1"], [], 6)
    assert len(Catalog(store)["run-1"].primary) == 3


def test_pages_that_are_there_already_are_left_alone(store, file) -> None:
    events = [document for name, document in documents() if name == "event"]
    page = {key: [event[key] for event in events] for key in ("uid", "time", "seq_num")}
    for table in ("data", "timestamps"):
        page[table] = {key: [event[table][key] for event in events] for key in ("b", "a")}
    page["descriptor"] = "run-1/d"
    bulk = ("bulk_events", {"run-1/d": events})
    file.write_bytes(as_lines(documents()))
    import_file(store, file)
    before = state(store)
    start, descriptor, *_, stop = documents()
    file.write_bytes(as_lines([start, descriptor, ("event_page", page), bulk, stop]))

    assert import_file(store, file).skipped == 5
    assert state(store) == before


def test_a_file_that_has_grown_brings_what_is_new(store, file) -> None:
    file.write_bytes(as_lines(documents(points=2, stop=False)))
    assert import_file(store, file).open_runs == ["run-1"]
    assert Catalog(store)["run-1"].status == "interrupted"
    file.write_bytes(as_lines([*documents(points=4), *documents("run-2")]))
    found = import_file(store, file)

    assert (found.skipped, found.known_runs, found.runs, found.open_runs) == (4, ["run-1"], ["run-2"], [])
    run = Catalog(store)["run-1"]
    assert (run.status, len(run.primary)) == ("success", 4)


def test_another_document_of_a_known_uid_goes_into_quarantine(store, file) -> None:
    file.write_bytes(as_lines(documents()))
    import_file(store, file)
    changed = documents()
    changed[3][1]["data"]["a"] = 1000.0
    file.write_bytes(as_lines(changed))
    found = import_file(store, file)

    assert (found.quarantined, found.skipped) == (1, 5)
    run = Catalog(store)["run-1"]
    assert run.primary.read()["a"].values.tolist() == [-0.5, -1.0, -1.5]
    assert run.status == "success"


def test_progress_ends_at_the_size_of_the_file(file) -> None:
    file.write_bytes(gzip.compress(as_lines(documents(points=200))))
    seen: list[tuple[int, int]] = []
    assert sum(1 for _ in read_documents(file, lambda done, total: seen.append((done, total)))) == 203

    assert seen == sorted(seen)
    assert seen[-1] == (file.stat().st_size, file.stat().st_size)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"hello", r"Line 1 of .* is no JSON"),
        (b'{"uid": 1}\n', r"Line 1 of .* is no document: \{'uid': 1\}"),
        (b'["start", 3]', r"is no document: \['start', 3\]"),
        (b'[["start", {}], ["stop"]]', r"Element 2 of .*, from line 1, is no document: \['stop'\]"),
        (b'[["start", {}]\n["stop", {}]]', "After element 1 .* neither ',' nor ']'"),
        (b'[["start", {}],\n\n["stop", {]]', "Element 2 of .*, from line 3, is no JSON"),
        (b'[["start", {}]', "After element 1 .* neither ',' nor ']'"),
        (b'[["start", {}]] x', "something after the end"),
        (b'[["start", {"a": "\xff"}]]', "is no JSON"),
        (gzip.compress(b'["start", {}]', mtime=0)[:-9], "damaged gzip file"),
        (b"\x1f\x8bnothing", "damaged gzip file"),
        (b"[" * 100_000, "Element 1 of .* is no JSON"),
    ],
)
def test_a_broken_file_is_refused_saying_where(file, content, match) -> None:
    file.write_bytes(content)

    with pytest.raises(ImportFileError, match=match):
        list(read_documents(file))


def test_an_empty_list_holds_no_documents(store, file) -> None:
    file.write_bytes(b"[ ]\n")

    assert import_file(store, file).documents.total() == 0


def test_documents_come_through_a_pipe(tmp_path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    lines = '["start", {"uid": "u", "time": 1.0}]\n["stop", {"uid": "v", "time": 2.0, "run_start": "u"}]\n'
    writer = threading.Thread(target=pipe.write_text, args=(lines,))
    writer.start()
    done = CliRunner().invoke(program, ["import", str(pipe), "--store", str(tmp_path / "new")])
    writer.join()
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{pipe}: 1 new run, 2 new documents")


def test_a_folder_is_no_file(tmp_path) -> None:
    with pytest.raises(ImportFileError, match="cannot be read: Is a directory"):
        list(read_documents(tmp_path))


def test_what_came_before_a_broken_line_is_imported(store, file) -> None:
    file.write_bytes(as_lines([*documents(), *documents("run-2", stop=False)]) + b'["event", {')

    with pytest.raises(ImportFileError, match=r"(?s)Line 12 .*The 11 documents before that are imported"):
        import_file(store, file)
    catalog = Catalog(store)
    assert [(run.uid, run.status) for run in catalog.runs()] == [
        ("run-1", "success"),
        ("run-2", "interrupted"),
    ]
    assert len(catalog["run-2"].primary) == 3
