"""What is in the spool comes into the store: all of it, once, in order, whoever takes it in."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutch.catalogs import Catalog
from hutch.catalogs.verifying import verify
from hutch.documents import REPLACED, encode
from hutch.errors import StoreUnavailableError
from hutch.recording import Recorder, finish
from hutch.recording.committing import leftovers
from hutch.recording.committing.committer import Committer
from hutch.recording.committing.starting import continue_run
from hutch.recording.importing.importer import import_file
from hutch.recording.spooling import spool
from hutch.store import open_store
from hutch.store.pacing import Pace

from . import killed_worker as worker
from .sample_runs import a_run, event, marked, quarantined
from .sample_runs import stop as a_stop
from .test_faults_round_trip import assert_same, events_apart, quick, runs


@pytest.fixture(scope="module", autouse=True)
def shared_spool(tmp_path_factory):
    """A spool; memory is given one lot only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUTCH_SPOOL", str(tmp_path_factory.mktemp("spool")))
        patch.setenv("HUTCH_SPOOL_MEMORY_BYTES", "1")
        yield spool.spool_folder()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A spool of its own for one test."""
    monkeypatch.setenv("HUTCH_SPOOL", str(tmp_path / "spool"))
    return tmp_path / "spool"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("spooled") / "store")
    yield Catalog(store)
    finish(store)
    store.close()


def writer_of(recorder, uid):
    return recorder._runs[uid]


def leave(store, recorder, uid):
    """Be as a process that died: its file is there, and its run belongs to nobody."""
    run = recorder._runs.pop(uid)
    Committer.of(store).runs.pop(uid, None)
    # The dead commit nothing: a commit that goes on ends before, and the next one finds nothing.
    with run._commit_lock:
        with store.transaction() as writer:
            writer.disown_run(run.row.id)
        # Last of all: whoever looks for such files in the background finds a run that nobody writes.
        return run.leave_spool()


def take_in(store):
    leftovers.take_in(store, spool.mark_of(store), lambda: False)


@settings(quick, max_examples=100)
@given(documents=runs(), data=st.data())
def test_any_run_that_was_in_the_spool_comes_back_as_it_went_in(catalog, documents, data):
    mark = spool.mark_of(catalog.store)
    recorder = Recorder(catalog.store)
    uid = documents[0][1]["uid"]
    for name, document in documents:
        recorder(name, document)
        if name != "stop" and data.draw(st.booleans()):
            writer_of(recorder, uid).put_aside(mark)
    recorder.close()

    assert_same(list(catalog[uid].documents(fill="no")), events_apart(documents))
    assert catalog.store.quarantined() == []
    assert spool.abandoned_files(mark) == []


@settings(quick, max_examples=100)
@given(documents=runs(), cut=st.integers(0, 14), data=st.data())
def test_any_run_that_was_left_in_the_spool_comes_back_once(catalog, documents, cut, data):
    store, mark = catalog.store, spool.mark_of(catalog.store)
    recorder = Recorder(store)
    uid = documents[0][1]["uid"]
    for number, (name, document) in enumerate(documents):
        if name == "stop":
            break
        recorder(name, document)
        run = writer_of(recorder, uid)
        if number == cut or data.draw(st.booleans()):
            run.put_aside(mark)
        if number == cut:
            # Committed, and the process died before it could remove the file.
            run.commit()
    run.put_aside(mark)
    leave(store, recorder, uid)
    take_in(store)
    assert_same(
        list(catalog[uid].documents(fill="no")),
        events_apart(item for item in documents if item[0] != "stop"),
    )

    recorder = Recorder(store)
    for item in documents:  # and the same once more, with the stop
        recorder(*item)
    recorder.close()
    assert_same(list(catalog[uid].documents(fill="no")), events_apart(documents))
    assert store.quarantined() == []
    assert spool.abandoned_files(mark) == []


def test_everything_that_was_in_the_spool_is_sound(catalog, shared_spool):
    found = verify(catalog.store)
    assert found.is_sound, found.errors
    assert list(shared_spool.glob("*.jsonl")) == []


def test_marks_are_the_same_as_without_the_spool(tmp_path):
    odd = [
        event(1),
        event(2, x="text", extra=1),
        event(3, x={1, 2}),
        event(4, wave=[1.0]),
        event(5, x=object),
    ]
    found = []
    for number, is_spooled in enumerate((False, True)):
        store = open_store(tmp_path / f"store-{number}")
        recorder = Recorder(store)
        for name, document in a_run(*odd, end=False):
            recorder(name, document)
            if is_spooled:
                writer_of(recorder, "run").put_aside(spool.mark_of(store))
        recorder("stop", a_stop())
        cat = Catalog(store)
        found.append((list(cat["run"].documents(fill="no")), marked(cat), quarantined(cat)))
        finish(store)
        store.close()

    (direct, direct_marks, _), (spooled, spooled_marks, _) = found
    assert_same(spooled, direct)
    # What no document can hold is text after it was in a file, and its type is told so.
    assert {reason for _, _, reason in spooled_marks} >= {reason for _, _, reason in direct_marks} - {
        "is set, described as number",
        "is type, described as number",
    }
    assert count_of(spooled_marks, REPLACED) == count_of(direct_marks, REPLACED) == 2
    assert found[0][2] == found[1][2] == []


def count_of(marks, reason):
    return sum(count for (_, _, other), count in marks.items() if other == reason)


def spooled_run(store, count, uid="run-1-1", *, stop=True):
    """Leave a run in the spool that the store has not got, as a process that died."""
    recorder = Recorder(store, pace=Pace())  # which takes in nothing that was left
    recorder("start", worker.start_of(uid))
    recorder("descriptor", worker.descriptor_of(uid))
    run = writer_of(recorder, uid)
    for number in range(1, count + 1):
        recorder("event", worker.event_of(uid, number))
    if stop:
        run.take(worker.stop_of(uid, count))
    run.put_aside(spool.mark_of(store))
    return leave(store, recorder, uid)


def events_of(catalog, uid="run-1-1"):
    return [document for name, document in catalog[uid].documents(fill="no") if name == "event"]


def test_a_torn_end_is_what_was_never_told_to_be_safe(store, folder):
    path = spooled_run(store, 100, stop=False)
    with path.open("ab") as file:
        file.write(b'["event",{"uid":"torn","da')

    imported = import_file(store, path)

    assert imported.open_runs == ["run-1-1"]
    assert events_of(Catalog(store)) == [worker.event_of("run-1-1", number) for number in range(1, 101)]
    assert store.quarantined() == []


def test_a_file_without_a_whole_line_is_removed(store, folder):
    spooled_run(store, 1).write_bytes(b'["start",{"ui')
    spooled_run(store, 1, "run-1-2").write_bytes(b"")

    take_in(store)

    assert not list(folder.glob("*.jsonl"))


def test_a_damaged_file_is_left_and_named(store, folder, caplog):
    path = spooled_run(store, 10)
    path.write_bytes(b"no JSON\n" + path.read_bytes())

    take_in(store)

    assert "is no JSON" in caplog.text
    (left,) = folder.glob("*.jsonl")
    left.unlink()


def test_a_damaged_file_is_not_tried_again_and_again(store, folder, caplog):
    path = spooled_run(store, 10)
    path.write_bytes(b"no JSON\n")
    for _ in range(5):
        Recorder(store)
        taking_in = Committer.of(store)._taking_in
        taking_in.join(timeout=30)

    assert caplog.text.count("is no JSON") == 1
    Committer.of(store).take_in_leftovers(again=True)
    Committer.of(store)._taking_in.join(timeout=30)
    assert caplog.text.count("is no JSON") == 2


def test_two_that_go_on_with_a_run_at_once_share_it(store, monkeypatch):
    documents = a_run(event(1), event(2))
    first = Recorder(store)
    for name, document in documents[:3]:
        first(name, document)
    first.close()

    def slowly(store, uid):
        found = continue_run(store, uid)
        time.sleep(0.3)
        return found

    monkeypatch.setattr("hutch.recording.recorder.continue_run", slowly)
    recorders = [Recorder(store, retried=True) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(lambda recorder: recorder(*documents[0]), recorders):
            pass
    assert writer_of(recorders[0], "run") is writer_of(recorders[1], "run")
    for name, document in documents[1:]:
        for recorder in recorders:
            recorder(name, document)

    assert_same(list(Catalog(store)["run"].documents(fill="no")), documents)
    assert verify(store).is_sound


RECORD_ON = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.system import killed_worker as worker
worker.Recorder(worker.open_store(sys.argv[1]))("start", worker.start_of("run-1-1"))
print("there", flush=True)
sys.stdin.read()
"""


def test_what_another_process_records_on_is_left(store, folder, tmp_path, caplog):
    spooled_run(store, 10)
    command = [sys.executable, "-c", RECORD_ON, store.location, str(Path(__file__).parents[2])]
    environment = {**os.environ, "HUTCH_SPOOL": str(tmp_path / "another")}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as other:
        assert other.stdout.readline() == "there\n"
        take_in(store)
        other.kill()
    assert "is being recorded by another process" in caplog.text
    assert len(list(folder.glob("*.jsonl"))) == 1

    take_in(store)

    assert events_of(Catalog(store)) == [worker.event_of("run-1-1", number) for number in range(1, 11)]
    assert not list(folder.glob("*.jsonl"))


def test_taking_in_can_be_ended_at_any_line_and_goes_on_the_next_time(store, folder):
    spooled_run(store, 3000)
    spooled_run(store, 20, "run-1-2")
    for lines in range(6):
        left = [lines]

        def is_over(left=left):
            left[0] -= 1
            return left[0] < 0

        leftovers.take_in(store, spool.mark_of(store), is_over)
    take_in(store)

    catalog = Catalog(store)
    assert not list(folder.glob("*.jsonl"))
    assert events_of(catalog) == [worker.event_of("run-1-1", number) for number in range(1, 3001)]
    assert [run.status for run in catalog.values()] == ["success", "success"]
    assert verify(store).is_sound


def test_files_of_other_stores_are_left_alone(store, tmp_path, folder):
    other = open_store(tmp_path / "other")
    path = spooled_run(other, 10)

    take_in(store)

    assert path.exists()
    take_in(other)
    assert not path.exists()
    finish(other)
    other.close()


def test_a_recorder_takes_in_what_was_left(store, folder, caplog):
    caplog.set_level(logging.WARNING)
    path = spooled_run(store, 500)
    Recorder(store)
    taking_in = Committer.of(store)._taking_in
    assert taking_in is not None
    taking_in.join(timeout=30)

    assert not path.exists()
    assert Catalog(store)["run-1-1"].status == "success"
    assert len(events_of(Catalog(store))) == 500
    assert "Stored what another process had left" in caplog.text


IMPORT = """
import sys
from hutch.errors import RunOwnedError
from hutch.recording.importing.importer import import_file
from hutch.store import open_store
try:
    import_file(open_store(sys.argv[1]), sys.argv[2])
except RunOwnedError:
    print("owned")
"""


def test_a_file_of_a_live_process_is_not_imported_by_another(store, folder):
    recorder = Recorder(store)
    recorder("start", worker.start_of("run-1-1"))
    recorder("descriptor", worker.descriptor_of("run-1-1"))
    recorder("event", worker.event_of("run-1-1", 1))
    run = writer_of(recorder, "run-1-1")
    commit, run.commit = run.commit, refuse
    Committer.of(store)._keeper.put_aside(run, StoreUnavailableError("It does not answer."))
    command = [sys.executable, "-c", IMPORT, store.location, str(run.spooled)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("owned\n", "")
    assert run.spooled.exists()

    run.commit = commit
    recorder("stop", worker.stop_of("run-1-1", 1))
    finish(store)
    assert Catalog(store)["run-1-1"].status == "success"
    assert not list(folder.glob("*.jsonl"))


def refuse(*args, **options):
    raise StoreUnavailableError("It does not answer.")


def test_what_is_left_of_a_run_that_was_deleted_waits_for_a_person(folder, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("HUTCH_SPOOL_MEMORY_BYTES", "1000000")
    with contextlib.closing(open_store(tmp_path / "store")) as store:
        recorder = Recorder(store)
        for name, document in a_run(event(1)):
            recorder(name, document)
        recorder.close()
        mark = spool.mark_of(store)
        file = spool.SpoolFile.create("run", mark)
        for name, document in a_run(event(1), event(2)):
            file.append(spool.line_of(name, encode(document)))
        path = file.let_go()
        Catalog(store).plan_deletion("run").execute(reason="of no use")

        with caplog.at_level(logging.WARNING):
            assert leftovers.take_in(store, mark, lambda: False) == [path]
        assert path.exists() and len(Catalog(store)) == 0
        assert "was deleted by" in caplog.text and "of no use. Delete the file, or" in caplog.text
        import_file(store, path)
        assert Catalog(store)["run"].primary.read().sizes["time"] == 2
        finish(store)
