"""The commands of the logbook: what they write, print and refuse."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize("words", [["caf\udce9"], ["x", "--title", "caf\udce9"], ["x", "--tag", "\udce9"]])
def test_bytes_that_are_no_text_are_refused_and_nothing_is_written(invoke, book, words):
    refused = invoke("log", "post", *words)
    assert (refused.exit_code, "are no characters in the encoding" in refused.stderr) == (2, True)
    assert invoke("table", "set", "2", "comment=caf\udce9").exit_code == 2
    assert "\\udce9" in refused.stderr
    assert (book.entries("xpp1").entries, book.params_of_runs("xpp1", runs=[2])) == ((), {2: {}})


@pytest.mark.parametrize("encoding", ["C.UTF-8", "C"])
def test_what_comes_through_a_pipe_and_is_no_text_is_refused(book, place, encoding):
    command = [sys.executable, "-m", "hutch", "log", "post", "-", "--store", str(place)]
    refused = subprocess.run(  # noqa: S603 - of a test
        command, input=b"caf\xe9", env={**os.environ, "LC_ALL": encoding}, capture_output=True, check=False
    )
    assert refused.returncode == 1
    assert b"The standard input has bytes that are no characters" in refused.stderr
    assert book.entries("xpp1").entries == ()


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
    done(invoke, "table", "clone", "gains", "mine")
    assert book.run_table("xpp1", "mine").columns == book.run_table("xpp1", "gains").columns
    assert invoke("table", "clone", "gains", "mine").exit_code == 1
    done(invoke, "table", "delete", "mine")
    done(invoke, "table", "delete", "gains")
    assert [one["name"] for one in json.loads(done(invoke, "table", "list", "--json").stdout)] == ["default"]
    assert invoke("table", "show", "gains").exit_code == 1


def test_groups_of_runs_are_printed_and_no_column_is_refused(invoke, book):
    book.add_run_params("xpp1", 1, {"gain": 2.5})
    shown = done(invoke, "table", "show", "--group-by", "param.gain", "--columns", "run_num").stdout
    lines = [line.split() for line in shown.splitlines()]
    assert lines == [["param.gain", "runs"], ["nothing", "1"], ["2.5", "1"], [], ["run_num"], ["2"], ["1"]]
    for option in ("--sort", "--group-by"):
        refused = invoke("table", "show", option, "nope")
        assert (refused.exit_code, "There is no column 'nope'" in refused.stderr) == (1, True)


def test_locking_says_that_it_holds_for_programs_too(invoke):
    said = " ".join(done(invoke, "experiment", "lock", "--help").stdout.split())
    assert "through hutch serve or in a program that has the store" in said


def test_where_there_is_no_experiment_it_is_said_how_to_get_one(invoke, book):
    book.access.experiments.deactivate("xpp1")
    idle = invoke("log", "post", "x")
    invoke("init", "new")
    new = invoke("log", "post", "x", "--store", "new")

    assert (idle.exit_code, new.exit_code) == (1, 1)
    assert "None is active. Name it with --experiment NAME, or: hutch experiment activate" in idle.stderr
    assert "There is none yet. Make one with: hutch experiment create NAME --instrument XPP" in new.stderr


def test_a_program_without_a_terminal_is_not_shown_an_editor(invoke, book, monkeypatch):
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    refused = invoke("log", "post")

    assert refused.exit_code == 1
    assert "There is no terminal to write in. Give a text, or - to read the standard input." in refused.stderr


# in an editor


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """A function that makes $EDITOR a script, which gets the path of the text as $1, and notes its calls."""
    path = tmp_path / "editor"
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def become(script):
        path.write_text(f"#!/bin/sh\necho called >> {tmp_path}/calls\n{script}\n")
        path.chmod(0o755)
        return tmp_path / "calls"

    return become


TYPE = """sed -i '1s/^/typed/' "$1" """


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--run", "777"], "777"),
        (["--file", "/none"], "cannot be attached"),
        (["--file", "."], "cannot be attached"),
        (["--file", "large"], "has 30 bytes, and the logbook takes 20"),
        (["--tag", "x" * 101], "is no tag"),
        (["--title", "x" * 501], "The title has 501 characters"),
    ],
)
def test_what_cannot_be_taken_is_refused_before_an_editor_opens(
    invoke, book, editor, tmp_path, monkeypatch, options, said
):
    monkeypatch.setenv("HUTCH_ATTACHMENT_LIMIT_BYTES", "20")
    (tmp_path / "large").write_bytes(b"x" * 30)
    first = str(book.post("xpp1", "why?").id)
    calls = editor(TYPE)

    for command in (["post"], ["reply", first], ["edit", first, "--editor"]):
        refused = invoke("log", *command, *options)
        assert (refused.exit_code, said in refused.stderr) == (1, True), refused.output
    assert not calls.exists()


def test_no_editor_opens_for_an_experiment_that_is_locked(invoke, book, editor):
    first = str(book.post("xpp1", "why?").id)
    book.access.experiments.lock("xpp1")
    calls = editor(TYPE)

    for command in (["post"], ["reply", first], ["edit", first]):
        refused = invoke("log", *command)
        assert (refused.exit_code, "hutch experiment unlock xpp1" in refused.stderr) == (1, True)
    assert not calls.exists()


@pytest.mark.parametrize("command", [["post"], ["reply", "1"], ["edit", "1", "--editor"]])
@pytest.mark.parametrize("has_folder", [True, False])
def test_what_was_typed_is_kept_if_it_is_not_taken(invoke, book, editor, tmp_path, command, has_folder):
    assert book.post("xpp1", "").id == 1
    (tmp_path / "data").write_bytes(b"1")
    if not has_folder:
        (tmp_path / "state").write_bytes(b"no folder")
    editor(f"{TYPE}; rm {tmp_path}/data")
    refused = invoke("log", *command, "--file", str(tmp_path / "data"))

    assert refused.exit_code == 1
    assert "cannot be attached" in refused.stderr
    again, path = refused.stderr.strip().rsplit("hutch log ", 1)[1].split(" - < ")
    assert again.split() == [word for word in command if word != "--editor"]
    assert Path(path).read_text() == "typed\n"
    assert Path(path).is_relative_to(tmp_path / "state") == has_folder
    Path(path).unlink()
    assert len(book.entries("xpp1").entries) == 1


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("printf 'below\\n' >> {0}", "below\n"),
        ("printf 'no break' >> {0}", "no break\n"),
        ("sed -i '1d; 2s/.*/above/' {0}", "above\n"),
        ("sed -i '1,2d; s/^# -/above# -/' {0}", "above\n"),
        ("sed -i '1s/.*/above/; $a below' {0}", "above\n\nbelow\n"),
        ("sed -i '1s/.*/# Beam\\n\\n## At night/; $a # Later' {0}", "# Beam\n\n## At night\n\n# Later\n"),
        ("sed -i '1s/.*/    code/; s/$/ /' {0}", "    code\n"),
        ("sed -i '$s/$/joined/' {0}", "joined\n"),
        ("printf 'x\\r\\n\\r\\ny' > {0}", "x\n\ny\n"),
    ],
)
def test_the_entry_is_all_that_is_typed_above_and_below_the_help(invoke, book, editor, script, text):
    editor(script.format('"$1"'))
    done(invoke, "log", "post")
    assert book.entries("xpp1").entries[0].text == text


def test_an_entry_that_says_nothing_is_refused(invoke, book, editor, tmp_path):
    calls = editor("")
    first = book.post("xpp1", "why?", title="T", run=1).id
    for command in (["post"], ["reply", str(first)]):
        for text in ("", "   ", "\n"):
            for given in ([text], ["-"]):
                refused = invoke("log", *command, *given, input=text)
                assert (refused.exit_code, "nothing is written" in refused.stderr) == (1, True)
    assert invoke("log", "edit", str(first), "", "--title", " ").exit_code == 1
    assert len(book.versions(first)) == 1

    (tmp_path / "data").write_bytes(b"1")
    done(invoke, "log", "post", "", "--title", "Beam")
    done(invoke, "log", "post", "", "--file", str(tmp_path / "data"))
    last, titled = book.entries("xpp1").entries[:2]
    assert (last.text, last.attachments[0].name, titled.text, titled.title) == ("", "data", "", "Beam")
    assert invoke("log", "edit", str(last.id), "--without", "1").exit_code == 1
    done(invoke, "log", "edit", str(first), "")
    assert not calls.exists()


def test_the_text_is_edited_together_with_other_things(invoke, book, editor):
    first = str(book.post("xpp1", "why?", run=1, shift="night").id)
    calls = editor(TYPE)
    done(invoke, "log", "edit", first, "--tag", "new", "--shift", "day")
    assert not calls.exists()
    done(invoke, "log", "edit", first, "--tag", "newer", "--run", "current", "--editor")
    entry = book.entry(int(first))
    assert (entry.text, entry.tags, entry.shift, entry.run_num) == ("typedwhy?\n", ("newer",), "day", 2)
    done(invoke, "log", "edit", first, "--shift", "")
    assert (book.entry(int(first)).shift, book.entry(int(first)).text) == (None, "typedwhy?\n")
    both = invoke("log", "edit", first, "text", "--editor")
    assert (both.exit_code, "Give one of them" in both.stderr) == (2, True)


def test_an_answer_is_attached_to_the_run_that_is_named(invoke, book):
    first = str(book.post("xpp1", "why?", run=1).id)
    for options, run in (([], 1), (["--run", "2"], 2), (["--run", "none"], None), (["--run", "current"], 2)):
        made = json.loads(done(invoke, "log", "reply", first, "so", *options, "--json").stdout)
        assert made["run_num"] == run
    listed = json.loads(done(invoke, "log", "list", "--run", "current", "--json").stdout)
    assert [entry["run_num"] for entry in listed] == [2, 2]


def test_entries_of_no_run_cannot_be_asked_for_and_that_is_said(invoke, book):
    refused = invoke("log", "list", "--run", "none")
    assert refused.exit_code == 2
    assert "Give the number of a run, or current" in " ".join(refused.stderr.split())
    assert invoke("log", "list", "--run", "odd").exit_code == 2
