"""The life of recorders: several on one run, forks, signals. Each lets go of its own, at its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hutch
from hutch.catalogs.verifying import verify
from hutch.errors import RunClosedError
from hutch.recording import Recorder
from hutch.store import open_store

from . import killed_worker as worker

ROOT = Path(__file__).parents[2]
HUTCH = Path(sys.executable).with_name("hutch")


@pytest.fixture(autouse=True)
def spool(tmp_path, monkeypatch):
    monkeypatch.setenv("HUTCH_SPOOL", str(tmp_path / "spool"))
    return tmp_path / "spool"


def begin(recorder, uid="run-1-1"):
    recorder("start", worker.start_of(uid))
    recorder("descriptor", worker.descriptor_of(uid))


def events_of(cat, uid="run-1-1"):
    return [document for name, document in cat[uid].documents(fill="no") if name == "event"]


def expected(count, uid="run-1-1"):
    return [worker.event_of(uid, number) for number in range(1, count + 1)]


# several recorders


def test_a_run_is_let_go_by_the_last_recorder_that_has_it_open(cat):
    first, second = cat.recorder(), cat.recorder()
    for recorder in (first, second):
        begin(recorder)
    first("event", worker.event_of("run-1-1", 1))

    first.close()
    assert cat["run-1-1"].status == "running"
    second("event", worker.event_of("run-1-1", 2))
    second.close()

    assert cat["run-1-1"].status == "interrupted"
    assert events_of(cat) == expected(2)


def test_a_recorder_that_is_closed_leaves_the_end_to_another(cat):
    first, second = cat.recorder(), cat.recorder()
    for recorder in (first, second):
        begin(recorder)
    first.close()
    second("event", worker.event_of("run-1-1", 1))
    second("stop", worker.stop_of("run-1-1", 1))

    assert cat["run-1-1"].status == "success"
    assert events_of(cat) == expected(1)
    assert verify(cat.store).is_sound


def test_a_run_that_was_let_go_is_owned_again_by_who_goes_on(cat):
    recorder = cat.recorder()
    for count in (1, 2, 3):
        begin(recorder)
        recorder("event", worker.event_of("run-1-1", count))
        assert cat["run-1-1"].status == "running"
        recorder.close()
        assert cat["run-1-1"].status == "interrupted"
    assert events_of(cat) == expected(3)


# forks


FORK = """
import os, sys
sys.path.insert(0, sys.argv[2])
from tests.system import killed_worker as worker
import hutch

cat = hutch.open_catalog(sys.argv[1])
recorder = cat.recorder()
recorder("start", worker.start_of("run-1-parent"))
recorder("descriptor", worker.descriptor_of("run-1-parent"))
recorder("event", worker.event_of("run-1-parent", 1))
child = os.fork()
if not child:
    recorder("event", worker.event_of("run-1-parent", 2))
    recorder.close()
    own = cat.recorder()
    own("start", worker.start_of("run-2-child"))
    own("descriptor", worker.descriptor_of("run-2-child"))
    own("event", worker.event_of("run-2-child", 1))
    own("stop", worker.stop_of("run-2-child", 1))
    cat.close()
    sys.exit()  # and what is registered for the end
assert os.waitpid(child, 0)[1] == 0
assert cat["run-1-parent"].status == "running"
recorder("event", worker.event_of("run-1-parent", 3))
recorder("stop", worker.stop_of("run-1-parent", 2))
"""


def test_a_forked_child_leaves_runs_to_its_parent(tmp_path):
    command = [sys.executable, "-c", FORK, str(tmp_path / "store"), str(ROOT)]
    done = subprocess.run(command, timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    with hutch.open_catalog(tmp_path / "store") as cat:
        assert [run.status for run in cat.values()] == ["success", "success"]
        of_parent = [worker.event_of("run-1-parent", number) for number in (1, 3)]
        assert events_of(cat, "run-1-parent") == of_parent
        assert events_of(cat, "run-2-child") == expected(1, "run-2-child")
        # What was given to the wrong process is not lost.
        (row,) = cat.store.quarantined()
        assert json.loads(row.body) == worker.event_of("run-1-parent", 2)


def test_a_forked_child_does_not_end_the_run_of_a_with_statement(tmp_path):
    program = """
import os, sys
import hutch

cat = hutch.open_catalog(sys.argv[1])
with cat.start_run(sample="A") as run:
    run.add("primary", {"x": 1.0})
    child = os.fork()
    if not child:
        try:
            run.add("primary", {"x": 2.0})
        except hutch.errors.RunClosedError as error:
            assert "is recorded by the process" in str(error)
        sys.exit()
    assert os.waitpid(child, 0)[1] == 0
    run.add("primary", {"x": 3.0})
"""
    command = [sys.executable, "-c", program, str(tmp_path / "store")]
    done = subprocess.run(command, timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert RunClosedError.__name__ in program

    with hutch.open_catalog(tmp_path / "store") as cat:
        assert cat[-1].status == "success"
        assert cat[-1].primary.read()["x"].values.tolist() == [1.0, 3.0]
        assert cat.store.quarantined() == []


# signals


RECORD = """
import sys, time
sys.path.insert(0, sys.argv[2])
from tests.system import killed_worker as worker
recorder = worker.Recorder(worker.open_store(sys.argv[1]))
recorder("start", worker.start_of("run-1-1"))
recorder("descriptor", worker.descriptor_of("run-1-1"))
for number in range(1, 100_000):
    recorder("event", worker.event_of("run-1-1", number))
    worker.say(number, time.monotonic())
    time.sleep(0.002)
"""


def test_a_process_that_is_told_to_end_while_it_records_leaves_an_interrupted_run(tmp_path):
    command = [sys.executable, "-c", RECORD, str(tmp_path / "store"), str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = [process.stdout.readline() for _ in range(200)]
        process.send_signal(signal.SIGTERM)
        ended = time.monotonic()
        said += process.stdout.readlines()
    assert process.returncode == -signal.SIGTERM

    safe = max(int(line.split()[0]) for line in said if float(line.split()[1]) < ended - 0.15)
    with hutch.open_catalog(tmp_path / "store") as cat:
        found = events_of(cat)
        assert found == expected(len(found))
        assert len(found) >= safe
        assert cat["run-1-1"].status == "interrupted"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_import_that_is_told_to_end_puts_things_in_order_and_can_be_repeated(tmp_path, number, status):
    file = tmp_path / "runs.jsonl"
    runs = 400
    with file.open("w") as lines:
        for run in range(runs):
            uid = f"run-{run}-1"
            documents = [("start", worker.start_of(uid)), ("descriptor", worker.descriptor_of(uid))]
            documents += [("event", worker.event_of(uid, number)) for number in range(1, 51)]
            for document in [*documents, ("stop", worker.stop_of(uid, 50))]:
                lines.write(json.dumps(document) + "\n")
    open_store(tmp_path / "store").close()
    command = [HUTCH, "import", file, "--store", tmp_path / "store"]

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        with hutch.open_catalog(tmp_path / "store") as cat:
            assert cat.store.wait(cat.store.last_change(), 30.0)
        process.send_signal(number)
        said = process.stderr.read()
    assert process.returncode == status
    assert "Traceback" not in said
    with hutch.open_catalog(tmp_path / "store") as cat:
        assert 0 < len(cat) < runs
        assert {run.status for run in cat.values()} <= {"success", "interrupted"}
        # At most one was being imported.
        assert sum(run.status == "interrupted" for run in cat.values()) <= 1
        assert verify(cat.store).is_sound

    subprocess.run(command, check=True, capture_output=True, timeout=100)

    with hutch.open_catalog(tmp_path / "store") as cat:
        assert {run.status for run in cat.values()} == {"success"}
        assert len(cat) == runs
        assert events_of(cat, "run-399-1") == expected(50, "run-399-1")


def test_sigterm_stays_ignored_where_it_is(tmp_path):
    program = (
        "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "import os; from hutch.cli.signals import heed_sigterm\n"
        "with heed_sigterm(): os.kill(os.getpid(), signal.SIGTERM)\n"
        "print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "alive\n"


def test_the_handler_of_sigterm_is_the_callers_again_afterwards():
    from hutch.cli.signals import heed_sigterm, is_termination

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as caught, heed_sigterm():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    assert is_termination(caught.value)
    assert not is_termination(KeyboardInterrupt())
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_import_fails_if_the_store_does_not_take_all(tmp_path, store, monkeypatch):
    from hutch.errors import StoreError
    from hutch.recording.importing.importer import import_file

    file = tmp_path / "run.jsonl"
    documents = [("start", worker.start_of("run-1-1")), ("descriptor", worker.descriptor_of("run-1-1"))]
    documents += [("event", worker.event_of("run-1-1", number)) for number in range(1, 11)]
    file.write_text("".join(json.dumps(document) + "\n" for document in documents))
    begun = store.transaction
    left = iter([begun])

    def transaction():
        for begin in left:
            return begin()
        raise StoreError("The disk under the store is full.")

    with monkeypatch.context() as patch:
        patch.setattr(store, "transaction", transaction)
        with pytest.raises(StoreError, match="is full"):
            import_file(store, file)

    # Nothing of it waits anywhere: the file has it.
    assert not list(tmp_path.glob("spool/*.jsonl"))
    imported = import_file(store, file)
    assert imported.known_runs == ["run-1-1"]
    cat = hutch.catalogs.Catalog(store)
    assert events_of(cat) == expected(10)
    assert cat["run-1-1"].status == "interrupted"
    Recorder(store)
