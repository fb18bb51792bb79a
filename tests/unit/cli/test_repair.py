"""``hutch verify --repair``, ``reindex`` and ``close``: what they print, where, and how they end."""

from __future__ import annotations

import json
import sqlite3

import pytest

import hutch
from hutch.recording.spooling.spool import SpoolName, mark_of


@pytest.fixture
def change(place):
    """Return a function that changes the database behind hutch's back."""

    def change(statement: str, *values: object) -> None:
        connection = sqlite3.connect(place / "hutch.db")
        with connection:
            assert connection.execute(statement, values).rowcount > 0
        connection.close()

    return change


@pytest.fixture
def damaged(change) -> None:
    """Let a value of the first run, and some of the index, be damaged."""
    change("UPDATE batches SET crc32 = 1 WHERE id = 1")
    change("DELETE FROM leaves WHERE key = 'plan_name'")


def test_verify_of_a_damaged_store_ends_with_1_and_says_what_helps(invoke, damaged) -> None:
    found = invoke("verify")

    assert found.exit_code == 1
    assert "Damaged: 4 errors" in found.stdout
    assert "does not match its checksum: 5 events are damaged" in found.stdout
    assert "checksum: A repair keeps the events that can be read" in found.stdout


def test_a_dry_run_says_what_a_repair_would_do_and_does_nothing(invoke, damaged, place) -> None:
    before = (place / "hutch.db").read_bytes()
    found = invoke("verify", "--repair", "--dry-run")

    assert found.exit_code == 1
    assert "A repair would look after 4 findings:" in found.stdout
    assert (place / "hutch.db").read_bytes() == before
    assert "A repair would look after 4 findings:" in invoke("verify", "--repair", "--dry-run").stdout


def test_a_dry_run_of_a_sound_store_would_change_nothing(invoke) -> None:
    found = invoke("verify", "--repair", "--dry-run")

    assert (found.exit_code, "A repair would change nothing." in found.stdout) == (0, True)


def test_a_repair_tells_each_thing_it_did_on_stderr_and_ends_with_0(invoke, damaged) -> None:
    found = invoke("verify", "--repair")

    assert found.exit_code == 0
    assert "Repaired: Run 1 (" in found.stderr
    assert "all 5 events can be read; marked as doubtful" in found.stderr
    assert "Repaired: The index rows of 3 runs were made again from their documents" in found.stderr
    assert "5 events of stream 'primary', from arrival 2 on, are doubtful" in found.stdout
    assert invoke("verify").exit_code == 0


def test_what_is_lost_is_said_as_long_as_it_is_lost(invoke, change) -> None:
    change("UPDATE batches SET body = x'00' WHERE id = 1")
    assert "Sound, but for events that are known to be lost" in invoke("verify", "--repair").stdout
    found = invoke("verify")

    assert found.exit_code == 0
    assert "Sound, but for events that are known to be lost" in found.stdout
    assert "5 events of stream 'primary', from arrival 2 on, are lost" in found.stdout
    assert "lost: the batch that held them was damaged" in invoke("show", "1").stdout
    # The damaged bytes are a document that others can read.
    assert json.loads(invoke("show", "1", "--json").stdout)["quarantined"][0]["document"]["body"] == "AA=="


def test_what_waits_in_the_spool_is_said_and_taken_in(invoke, place, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HUTCH_SPOOL", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    with hutch.open_catalog(place) as cat:
        path = tmp_path / "spool" / str(SpoolName.fresh("waiting", mark_of(cat.store), "free", 0))
    path.write_bytes(b'["start",{"uid":"waiting","time":2.0}]\n')

    assert "Sound, but for documents that wait to be stored" in invoke("verify").stdout
    assert "Storing 39 B that wait in" in invoke("verify", "--repair").stderr
    assert "Sound: everything" in invoke("verify").stdout
    assert invoke("show", "waiting").exit_code == 0


def test_a_repair_that_leaves_something_wrong_ends_with_1(invoke, change) -> None:
    change("DELETE FROM batches WHERE id = 1")
    found = invoke("verify", "--repair")

    assert found.exit_code == 1
    assert "Damaged: 1 error" in found.stdout
    assert "No repair can: restore it from a backup" in found.stdout


def test_a_repair_as_json_has_what_was_done_and_what_is_still_so(invoke, damaged) -> None:
    found = json.loads(invoke("verify", "--repair", "--json").stdout)

    assert found["is_sound"]
    assert [(done["kind"], done["done"]) for done in found["repairs"]] == [
        ("checksum", True),
        ("missing-index", True),
    ]
    assert {finding["kind"] for finding in found["findings"]} == {
        "doubtful-events",
        "nonconforming",
        "quarantine",
    }


@pytest.mark.parametrize("arguments", [["--dry-run"], ["one", "--store", "two"]])
def test_wrong_usage_of_verify_ends_with_2(invoke, arguments) -> None:
    assert invoke("verify", *arguments).exit_code == 2


def test_reindex_says_what_it_did(invoke, change) -> None:
    assert invoke("reindex").stdout == "3 runs, all of them indexed as they must be\n"
    change("UPDATE leaves SET key = 'strange' WHERE key = 'plan_name'")
    assert invoke("reindex").stdout == "3 runs, 3 of them indexed again, 3 rows in excess removed\n"
    assert invoke("verify").exit_code == 0


def test_reindex_takes_a_store_and_runs(invoke, change, place, monkeypatch) -> None:
    change("DELETE FROM leaves WHERE key = 'plan_name'")
    assert invoke("reindex", "1", "-1").stdout == "2 runs, 2 of them indexed again\n"
    monkeypatch.delenv("HUTCH_STORE")
    assert invoke("reindex", str(place), "2").stdout == "1 run, 1 of them indexed again\n"
    assert json.loads(invoke("reindex", "--store", str(place), "--json").stdout) == {
        "runs": 3,
        "completed": 0,
        "cleared": 0,
        "removed": 0,
        "unreadable": 0,
    }


def test_reindex_names_documents_that_cannot_be_read(invoke, change) -> None:
    change("UPDATE runs SET start = x'7b' WHERE scan_id = 1")

    assert "The documents of 1 run cannot be read; see hutch verify." in invoke("reindex").stderr


def test_close_ends_an_interrupted_run_and_leaves_others(invoke, place) -> None:
    with hutch.open_catalog(place) as cat:
        recorder = cat.recorder()
        recorder("start", {"uid": "interrupted", "time": 3e9, "scan_id": 78})
        recorder.close()
    found = invoke("close", "78", "-2", "--reason", "the power failed", "--author", "me")

    assert found.exit_code == 0
    assert found.stdout == "Run 78 (interrup): ended with abort, events: none\n"
    assert "Run 77 (" in found.stderr
    assert "has ended already. Nothing is changed." in found.stderr
    assert "abort: closed afterwards by me: the power failed" in invoke("show", "78").stdout


def test_close_as_json_has_the_stop_documents(invoke, place) -> None:
    with hutch.open_catalog(place) as cat:
        recorder = cat.recorder()
        recorder("start", {"uid": "interrupted", "time": 3e9, "scan_id": 78})
        recorder.close()
    (stop,) = json.loads(invoke("close", "78", "--reason", "x", "--exit-status", "fail", "--json").stdout)

    assert (stop["exit_status"], stop["run_start"]) == ("fail", "interrupted")


def test_close_of_a_run_that_is_recorded_is_refused(invoke, place) -> None:
    with hutch.open_catalog(place) as cat, cat.start_run() as run:
        found = invoke("close", run.uid, "--reason", "impatience")

    assert found.exit_code == 1
    assert "is being recorded by" in found.stderr


@pytest.mark.parametrize(
    "arguments", [["78"], ["--reason", "x"], ["78", "--reason", "x", "--exit-status", "y"]]
)
def test_wrong_usage_of_close_ends_with_2(invoke, arguments) -> None:
    assert invoke("close", *arguments).exit_code == 2
