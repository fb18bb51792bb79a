"""The commands of the logbook: what they write, print and refuse."""

from __future__ import annotations

import csv
import io
import json

import pytest

import hutch
from hutch.logbook import Logbook


@pytest.fixture
def book(place):
    """The logbook of a store with three runs of the experiment that is active."""
    with hutch.open_catalog(place) as cat:
        book = Logbook(cat.store)
        book.access.experiments.create("xpp1", instrument="XPP")
        book.access.experiments.activate("xpp1")
        for sample in ("A", "B"):
            with cat.start_run(experiment="xpp1", sample=sample, scan_id=len(sample)):
                pass
        yield book


def done(invoke, *arguments, **more):
    found = invoke(*arguments, **more)
    assert found.exit_code == 0, found.output
    return found


def test_an_entry_is_posted_with_all_that_belongs_to_it(invoke, book, tmp_path):
    path = tmp_path / "spectrum.dat"
    path.write_bytes(b"1 2 3")
    options = ["--title", "Beam", "--tag", "dark", "--tag", "beam", "--file", str(path), "--author", "ada"]
    posted = done(invoke, "log", "post", "The *beam* is back.", *options, "--run", "1", "--json")
    entry = json.loads(posted.stdout)

    kept = book.entry(entry["id"])
    assert (kept.text, kept.title, kept.tags, kept.author) == (
        "The *beam* is back.",
        "Beam",
        ("dark", "beam"),
        "ada",
    )
    assert (kept.run_num, kept.experiment, kept.attachments[0].name) == (1, "xpp1", "spectrum.dat")
    said = done(invoke, "log", "post", "another")
    assert f"Posted entry {entry['id'] + 1} (xpp1, run 2)." in said.stderr
    assert said.stdout == ""


def test_the_text_comes_from_the_standard_input_or_an_editor(invoke, book, tmp_path, monkeypatch):
    done(invoke, "log", "post", "-", "--run", "none", input="from\nstdin\n")
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i '1s/^/typed/' \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    done(invoke, "log", "post")
    typed, read = book.entries("xpp1").entries

    assert (read.text, read.run_num) == ("from\nstdin\n", None)
    assert (typed.text, typed.run_num) == ("typed\n", 2)
    done(invoke, "log", "edit", str(typed.id))
    assert book.entry(typed.id).text == "typedtyped\n"
    editor.write_text("#!/bin/sh\n")
    refused = invoke("log", "post")
    assert (refused.exit_code, len(book.entries("xpp1").entries)) == (1, 2)
    assert "Nothing was written" in refused.stderr


def test_entries_are_answered_edited_deleted_and_restored(invoke, book):
    first = book.post("xpp1", "why?", author="ada").id
    done(invoke, "log", "reply", str(first), "because", "--tag", "x")
    done(invoke, "log", "edit", str(first), "why not?", "--title", "T", "--tag", "y")
    done(invoke, "log", "edit", str(first), "--run", "none")
    done(invoke, "log", "delete", str(first))
    assert book.entry(first).is_deleted
    done(invoke, "log", "restore", str(first))

    shown = done(invoke, "log", "show", str(first)).stdout
    for part in ("why not?", "because", "#y", "version 5", "by ada"):
        assert part in shown
    thread = json.loads(done(invoke, "log", "show", str(first), "--json").stdout)
    assert [entry["text"] for entry in thread] == ["why not?", "because"]
    versions = json.loads(done(invoke, "log", "show", str(first), "--versions", "--json").stdout)
    assert [one["action"] for one in versions] == ["post", "edit", "edit", "delete", "restore"]
    assert "why?" in done(invoke, "log", "show", str(first), "--versions").stdout


def test_entries_are_listed_and_found(invoke, book):
    for number in range(3):
        book.post("xpp1", f"entry {number} \x1b[31m", tags=["t", f"n{number}"], run=1 + number % 2)

    listed = json.loads(done(invoke, "log", "list", "--json").stdout)
    assert [entry["text"][:7] for entry in listed] == ["entry 2", "entry 1", "entry 0"]
    page = done(invoke, "log", "list", "--limit", "1")
    assert f"--before {listed[0]['id']}" in page.stderr
    assert "\x1b[31m" not in page.stdout
    found = json.loads(done(invoke, "log", "search", "entry", "t:n1", "run:2", "--json").stdout)
    assert [entry["id"] for entry in found] == [listed[1]["id"]]
    assert json.loads(done(invoke, "log", "list", "--tag", "n0", "--run", "1", "--json").stdout)
    assert "No entries." in done(invoke, "log", "search", "nothing").stderr
    tags = json.loads(done(invoke, "log", "tags", "--json").stdout)
    assert tags[-1] == {"tag": "t", "entries": 3, "runs": [1, 2]}
    assert "1-2" in done(invoke, "log", "tags").stdout


def test_the_experiment_must_be_clear(invoke, book):
    book.access.experiments.create("mfx1", instrument="MFX")
    assert invoke("log", "post", "x", "--experiment", "mfx1").exit_code == 0
    book.access.experiments.activate("mfx1")
    refused = invoke("log", "post", "x")

    assert refused.exit_code == 1
    assert "2 are active (mfx1, xpp1). Name it: --experiment NAME" in refused.stderr
    assert invoke("log", "post", "x", "--experiment", "none").exit_code == 1
    assert invoke("log", "post", "x", "--run", "odd").exit_code == 2
    book.access.experiments.lock("xpp1")
    locked = invoke("log", "post", "x", "--experiment", "xpp1")
    assert (locked.exit_code, "hutch experiment unlock xpp1" in locked.stderr) == (1, True)


def test_run_tables_are_defined_filled_and_shown(invoke, book):
    done(invoke, "table", "set", "2", "gain=3.5", "comment==1+1", "list=[1, 2]", "--author", "ada")
    assert book.params_of_runs("xpp1", runs=[2]) == {2: {"gain": 3.5, "comment": "=1+1", "list": [1, 2]}}
    columns = "run_num,start.sample,param.gain,param.comment"
    done(invoke, "table", "create", "gains", columns, "--description", "of the detector")
    assert invoke("table", "create", "gains", "run_num").exit_code == 1
    done(invoke, "table", "create", "gains", columns, "--replace")

    rows = list(csv.reader(io.StringIO(done(invoke, "table", "csv", "gains").stdout)))
    assert rows[1:] == [["2", "B", "3.5", "'=1+1"], ["1", "A", "", ""]]
    found = json.loads(done(invoke, "table", "show", "gains", "--sort", "run_num", "--json").stdout)
    assert found["runs"] == [1, 2]
    assert "=1+1" in done(invoke, "table", "show", "gains").stdout
    assert "1 of 2 runs" in done(invoke, "table", "show", "--limit", "1").stderr
    assert "of the detector" in done(invoke, "table", "list").stdout
    assert "param.gain" in done(invoke, "table", "sources").stdout.splitlines()
    done(invoke, "table", "delete", "gains")
    assert [one["name"] for one in json.loads(done(invoke, "table", "list", "--json").stdout)] == ["default"]
    assert invoke("table", "show", "gains").exit_code == 1
