"""The commands that correct and delete: what they print, and what they refuse."""

from __future__ import annotations

import json
import shlex

import pytest

import hutch


@pytest.fixture
def uids(place) -> list[str]:
    with hutch.open_catalog(place) as cat:
        return list(cat)


def runs(place):
    with hutch.open_catalog(place) as cat:
        return [run.scan_id for run in cat.values()]


def starts(place, key):
    with hutch.open_catalog(place) as cat:
        return [run.start.get(key) for run in cat.values()]


# amend


def test_amend_sets_values_in_several_runs(invoke, place) -> None:
    found = invoke("amend", "1", "-2:", "sample.name=LaB6", "n=[1, 2]", "--reason", "wrong label")

    assert found.exit_code == 1  # the first run's sample is text
    assert "'sample' is 'A': it is no dictionary" in found.stderr
    assert starts(place, "n") == [None] * 3

    found = invoke(
        "amend", "1", "-2:", "sample=LaB6", "n=[1, 2]", "--remove", "hints", "--reason", "wrong label"
    )
    assert found.exit_code == 0, found.output
    assert starts(place, "sample") == ["LaB6"] * 3
    assert starts(place, "n") == [[1, 2]] * 3
    assert "Run 1 (" in found.stdout
    assert "hints" in found.stdout


@pytest.mark.parametrize(
    ("text", "value"),
    [("LaB6", "LaB6"), ("12", 12), ('"12"', "12"), ("true", True), ("null", None), ("NaN", "NaN"),
     ('{"a.b": 1}', {"a.b": 1}), ("1e3", 1000.0), ("", ""), ("a=b", "a=b"), (str(2**70), 2**70),
     ("[" * 100_000, "[" * 100_000)],
)  # fmt: skip
def test_values_are_json_or_text(invoke, place, text, value) -> None:
    found = invoke("amend", "1", f"extra={text}", "--reason", "x")

    if value == {"a.b": 1}:
        assert "neither '.' nor '/'" in found.stderr
        return
    assert found.exit_code == 0, found.output
    assert starts(place, "extra")[0] == value


def test_a_dry_run_shows_before_and_after_and_changes_nothing(invoke, place) -> None:
    found = invoke("amend", "1", "sample=LaB6", "--reason", "x", "--dry-run")

    assert [line.split() for line in found.stdout.splitlines()[1:]] == [
        ["field", "before", "after"], ["sample", "A", "LaB6"],
    ]  # fmt: skip
    assert "Nothing is changed yet" in found.stderr
    assert starts(place, "sample")[0] == "A"


def test_amend_says_when_nothing_changes(invoke) -> None:
    found = invoke("amend", "1", "sample=A", "--reason", "x")

    assert (found.exit_code, found.stdout.count("nothing to change")) == (0, 1)


def test_undo_takes_back_the_last_amendment(invoke, place) -> None:
    invoke("amend", "1", "sample=LaB6", "--reason", "x")
    found = invoke("amend", "1", "--undo", "--reason", "it was right", "--author", "alice", "--json")

    assert json.loads(found.stdout)[0]["edits"] == [{"path": ["sample"], "before": "LaB6", "after": "A"}]
    assert starts(place, "sample")[0] == "A"
    assert "was never amended" in invoke("amend", "2", "--undo", "--reason", "x").stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["1", "--reason", "x"],
        ["1", "a=1"],
        ["a=1", "--reason", "x"],
        ["1", "a=1", "--undo", "--reason", "x"],
        ["1", "a=1", "a=2", "--reason", "x"],
        ["1", "=2", "--reason", "x"],
        ["1", "--nosuch", "a=1", "--reason", "x"],
        ["1:2", "a=1", "--reason", "x"],
        ["1", "a>=1", "--reason", "x"],
    ],
)
def test_amend_that_is_not_clear_ends_with_2(invoke, arguments) -> None:
    assert invoke("amend", *arguments).exit_code == 2


def test_amend_of_a_range_without_runs_says_so(invoke) -> None:
    found = invoke("amend", "-1:-2", "a=1", "--reason", "x")

    assert found.exit_code == 1
    assert "There is no run in '-1:-2': the catalog has 3" in found.stderr


def test_show_marks_what_was_amended_and_shows_the_original_on_request(invoke) -> None:
    invoke("amend", "1", "sample=LaB6", "--reason", "wrong label", "--author", "alice")
    shown, original = invoke("show", "1").stdout, invoke("show", "1", "--original").stdout

    assert "sample *   LaB6" in shown
    assert "alice   wrong label  sample  A       LaB6" in shown
    assert "sample     A" in original
    as_json = json.loads(invoke("show", "1", "--json").stdout)
    assert as_json["start"]["sample"] == "LaB6"
    assert as_json["amendments"][0]["edits"] == [{"path": ["sample"], "before": "A", "after": "LaB6"}]
    assert json.loads(invoke("show", "1", "--json", "--original").stdout)["start"]["sample"] == "A"
    assert "*" not in invoke("show", "2").stdout


# delete


def test_delete_only_says_what_would_go_and_how(invoke, place, uids) -> None:
    found = invoke("delete", "-1", "1", "--reason", "a test", "--author", "alice")

    assert found.exit_code == 0, found.output
    assert [line.split()[0] for line in found.stdout.splitlines()[1:3]] == ["77", "1"]
    assert "To be deleted: 2 runs with 6 events" in found.stdout
    assert runs(place) == [1, 2, 77]

    line = found.stderr.strip().partition("Delete this with: ")[2]
    done = invoke(*shlex.split(line)[1:])
    assert done.exit_code == 0
    assert "Deleted 2 runs with 6 events" in done.stdout
    assert runs(place) == [2]


def test_delete_with_yes_refuses_names_that_may_be_another_run_by_now(invoke, place) -> None:
    for key in ("-1", "-2:", "0"):
        found = invoke("delete", key, "--reason", "x", "--yes")
        assert found.exit_code == 2
        assert f"{key!r} may be another run by now" in found.stderr
    assert len(runs(place)) == 3


def test_delete_can_be_given_again_and_goes_on(invoke, place) -> None:
    with hutch.open_catalog(place) as cat:
        cat.plan_deletion([1]).execute("a test")
    found = invoke("delete", "1", "2", "--reason", "a test", "--yes")

    assert found.exit_code == 0, found.output
    assert "Run 1 (" in found.stderr
    assert "Deleted 1 run" in found.stdout
    again = invoke("delete", "1", "2", "--reason", "a test", "--yes")
    assert (again.exit_code, again.stdout) == (0, "")
    assert "There is nothing to delete" in again.stderr
    assert runs(place) == [77]


def test_delete_given_again_does_not_go_on_to_another_run_of_the_scan_id(invoke, place) -> None:
    with hutch.open_catalog(place) as cat:
        recorder = cat.recorder()
        for number in range(2):
            start = {"uid": f"same-{number}", "time": 3e9 + number, "scan_id": 5}
            stop = {"uid": f"s{number}", "run_start": start["uid"], "time": 4e9, "exit_status": "success"}
            recorder("start", start)
            recorder("stop", stop)
        recorder.close()
    assert invoke("delete", "5", "--reason", "x", "--yes").exit_code == 0

    found = invoke("delete", "5", "--reason", "x", "--yes")
    assert found.exit_code == 1
    assert "and a run that was deleted" in found.stderr
    assert invoke("delete", "same", "--reason", "x", "--yes").exit_code == 1
    assert runs(place).count(5) == 1
    assert invoke("delete", "same-0", "--reason", "x", "--yes").exit_code == 0


def test_a_scan_id_is_not_taken_for_the_beginning_of_a_deleted_uid(invoke, place) -> None:
    with hutch.open_catalog(place) as cat:
        recorder = cat.recorder()
        recorder("start", {"uid": "2f00", "time": 1.0})
        recorder.close()
        cat.plan_deletion("2f00").execute("a test")

    assert invoke("delete", "2", "--reason", "x", "--yes").exit_code == 0
    assert runs(place) == [1, 77]


def test_a_deleted_scan_id_is_not_taken_for_a_uid(invoke, place) -> None:
    with hutch.open_catalog(place) as cat:
        cat.recorder()("start", {"uid": "1f00", "time": 1.0})
        cat.plan_deletion([1]).execute("a test")

    found = invoke("show", "1")
    assert found.exit_code == 1
    assert "was deleted" in found.stderr


def test_delete_refuses_a_run_that_is_being_recorded(invoke, place) -> None:
    with hutch.open_catalog(place) as cat, cat.start_run(plan_name="long") as run:
        looked = invoke("delete", run.uid, "1", "--reason", "x")
        found = invoke("delete", run.uid, "1", "--reason", "x", "--yes")
    assert looked.exit_code == 0
    assert "is being recorded" in looked.stdout
    assert found.exit_code == 1
    assert "Nothing was deleted." in found.stderr
    assert len(runs(place)) == 4


def test_delete_as_json(invoke, uids) -> None:
    plan = json.loads(invoke("delete", "1", "--reason", "x", "--json").stdout)
    done = json.loads(invoke("delete", "1", "--reason", "x", "--json", "--yes").stdout)

    assert (plan["events"], plan["runs"][0]["streams"], plan["external"]) == (5, {"primary": 5}, [])
    assert done == {"deleted": [uids[0]], "gone": [], "spared": {}}


def test_delete_needs_a_reason(invoke, place) -> None:
    assert invoke("delete", "1", "--yes").exit_code == 2
    assert "Say in a few words why" in invoke("delete", "1", "--yes", "--reason", " ").stderr
    assert len(runs(place)) == 3


def test_delete_needs_a_reason_also_to_say_what_would_go(invoke) -> None:
    found = invoke("delete", "1", "--reason", " ")
    assert found.exit_code == 1
    assert "Say in a few words why" in found.stderr


def test_runs_lists_what_was_deleted(invoke) -> None:
    nothing = invoke("runs", "--deleted")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    for key in ("1", "77"):
        invoke("delete", key, "--reason", "a test", "--author", "alice", "--yes")
    found = invoke("runs", "--deleted").stdout.splitlines()
    one = invoke("runs", "--deleted", "--limit", "1")

    assert [line.split()[0] for line in found] == ["scan_id", "77", "1"]
    assert found[1].split()[-3:] == ["alice", "a", "test"]
    assert "The last 1 of 2" in one.stderr
    stone = json.loads(invoke("runs", "--deleted", "--json").stdout)[1]
    assert (stone["scan_id"], stone["events"], stone["author"]) == (1, 5, "alice")


def test_ctrl_c_says_how_far_a_deletion_came(invoke, place, monkeypatch) -> None:
    from hutch.store import pacing

    rest = pacing._rest

    def interrupt(turns) -> None:
        rest(turns)
        monkeypatch.setattr(pacing, "_rest", rest)
        raise KeyboardInterrupt

    monkeypatch.setattr(pacing, "_rest", interrupt)
    found = invoke("delete", "1", "2", "--reason", "x", "--yes")
    assert found.exit_code == 130
    assert "the same command goes on" in found.stderr
    assert runs(place) == [2, 77]
    assert invoke("delete", "1", "2", "--reason", "x", "--yes").exit_code == 0
    assert runs(place) == [77]


# retention


def test_rules_of_retention_are_set_listed_applied_and_removed(invoke, place) -> None:
    nothing = invoke("retention", "list")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    with hutch.open_catalog(place) as cat:
        recorder = cat.recorder()
        for number in range(3):
            recorder("start", {"uid": f"old-{number}", "time": 1.0 + number, "purpose": "alignment"})
        recorder.close()
    set_ = invoke(
        "retention", "set", "alignment", "--older-than", "12w", "--where", "purpose=alignment",
        "--status", "interrupted", "--keep-last", "1",
    )  # fmt: skip
    invoke("retention", "set", "thesis", "--keep", "--where", "uid=old-0")
    listed = invoke("retention", "list").stdout
    looked = invoke("retention", "apply")

    assert 'delete runs older than 84 days where purpose = "alignment"' in set_.stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["name", "alignment", "thesis"]
    assert json.loads(invoke("retention", "list", "--json").stdout)[1] == {
        "name": "thesis", "keep": True, "where": {"uid": "old-0"},
    }  # fmt: skip
    assert "old-1" in looked.stdout
    assert "rule 'alignment'" in looked.stdout
    assert "The rule thesis keeps 1 run" in looked.stderr
    assert "hutch retention apply --yes" in looked.stderr
    assert len(runs(place)) == 6
    assert [run["uid"] for run in json.loads(invoke("retention", "apply", "--json").stdout)["runs"]] == [
        "old-1"
    ]

    done = invoke("retention", "apply", "--yes", "--author", "alice")
    assert (done.exit_code, "Deleted 1 run" in done.stdout) == (0, True)
    assert len(runs(place)) == 5
    assert "There is nothing to delete" in invoke("retention", "apply", "--yes").stderr
    assert invoke("retention", "remove", "alignment").exit_code == 0
    assert invoke("retention", "remove", "alignment").exit_code == 1


@pytest.mark.parametrize(
    ("age", "days"), [("90", 90), ("90d", 90), ("36h", 1.5), ("2w", 14), ("1y", 365), ("0.5d", 0.5)]
)
def test_ages_have_units(invoke, age, days) -> None:
    invoke("retention", "set", "rule", "--older-than", age)

    assert json.loads(invoke("retention", "list", "--json").stdout)[0]["older_than_days"] == days


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["rule", "--older-than", "soon"], 2),
        (["rule", "--older-than", "-3d"], 2),
        (["rule", "--older-than", "9d", "--where", "purpose"], 2),
        (["rule", "--older-than", "9d", "--keep-last", "-1"], 2),
        (["rule", "--keep", "--where", "num_points>=50"], 2),
        (["rule", "--older-than", "9d", "--unless", "purpose!=alignment"], 2),
        (["rule", "--keep", "--where", 'num_points={"$gt": 50}'], 1),
        (["rule", "--older-than", "0d"], 1),
        (["rule", "--keep", "--older-than", "9d"], 1),
        (["rule"], 1),
        (["rule", "--older-than", "9d", "--status", "running"], 1),
        (["a rule", "--older-than", "9d"], 1),
    ],
)
def test_bad_rules_are_refused(invoke, arguments, status) -> None:
    assert invoke("retention", "set", *arguments).exit_code == status
    assert invoke("retention", "list").stdout == ""


@pytest.mark.parametrize("name", ["set", "list", "remove", "apply"])
def test_help_of_retention_ends_in_examples_that_run(invoke, name) -> None:
    if name == "remove":
        invoke("retention", "set", "alignment", "--keep")
    *_, heading, line = invoke("retention", name, "--help").stdout.splitlines()

    assert heading == "Example:"
    assert invoke(*shlex.split(line)[1:]).exit_code == 0
