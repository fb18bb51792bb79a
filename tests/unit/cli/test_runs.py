"""``hutch runs`` finds what somebody types."""

from __future__ import annotations

import csv
import json

import pytest

import hutch


@pytest.fixture(autouse=True)
def more_runs(place):
    """Ten runs more, whose times are chosen."""
    with hutch.open_catalog(place) as cat:
        recorder = cat.recorder()
        for number in range(10):
            start = {"uid": f"{number}aaa", "time": 1.6e9 + 86_400 * number, "scan_id": 100 + number}
            sample = {"name": "LaB6" if number % 2 else "Silicon wafer"}
            recorder("start", {**start, "plan_name": "dwell", "num_points": number, "sample": sample})
            recorder(
                "stop",
                {"uid": f"s{number}", "run_start": start["uid"], "time": 1.7e9, "exit_status": "success"},
            )
        recorder.close()


def scan_ids(found):
    assert found.exit_code == 0, found.stderr
    return [row["scan_id"] for row in json.loads(found.stdout)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["plan_name=dwell", "num_points>7"], [109, 108]),
        (["num_points>=8", "num_points!=9"], [108]),
        (["num_points<1"], [100]),
        (["sample.name~^Sil", "num_points<3"], [102, 100]),
        (["silicon", "wafer", "num_points<3"], [102, 100]),
        (["sil*", "num_points=4"], [104]),
        (['{"num_points": {"$in": [1, 2]}}'], [102, 101]),
        (["--where", "num_points", "in", "3,5"], [105, 103]),
        (["--where", "num_points", "in", "[3]"], [103]),
        (["--where", "sample.name", "contains", "wafer", "num_points>6"], [108]),
        (["--where", "num_points", "exists", "yes", "--where", "num_points", "<=", "0"], [100]),
        (["--plan", "dwell", "--since", "2020-09-20", "--until", "2020-09-22"], [108, 107]),
        (["plan_name=dwell", "--sort", "num_points", "--limit", "2"], [100, 101]),
        (["plan_name=dwell", "--sort", "sample.name", "--sort=-num_points", "--limit", "2"], [109, 107]),
        (["stop.exit_status=success", "num_points=3"], [103]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_runs_finds_what_is_asked_for(invoke, arguments, expected):
    assert scan_ids(invoke("runs", "--json", *arguments)) == expected


def test_chosen_columns_are_shown(invoke):
    found = invoke("runs", "num_points>7", "--columns", "scan_id,sample.name, stop.exit_status,uid")
    head, *lines = found.stdout.splitlines()
    assert head.split() == ["scan_id", "sample.name", "stop.exit_status", "uid"]
    assert lines[0].split() == ["109", "LaB6", "success", "9aaa"]


def test_csv_has_the_usual_columns_and_text_that_is_no_formula(invoke, place):
    with hutch.open_catalog(place) as cat, cat.start_run(plan_name="=1+1", gain=-2.5):
        pass
    rows = list(
        csv.DictReader(
            invoke("runs", "--csv", "--limit", "1", "--where", "gain", "<", "0").stdout.splitlines()
        )
    )
    assert [row["plan"] for row in rows] == ["'=1+1"]
    wanted = invoke("runs", "gain<0", "--csv", "--columns", "gain,plan_name").stdout
    assert wanted == "gain,plan_name\n-2.5,'=1+1\n"


def test_nothing_that_fits_is_said_to_be_so(invoke):
    found = invoke("runs", "plan_name=never")
    assert (found.exit_code, found.stdout) == (0, "")
    assert "None of the 13 runs" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "a", "like", "b"], "Unknown operator 'like'. Known are: =, !=, <"),
        (["a~("], "'\\(' is no regular expression"),
        (["a>[1]"], "\\$gt compares numbers, text and bools"),
        (["{a: 1}"], "is no JSON"),
        (["--since", "soon"], "'soon' is no time"),
        (["--since", "2026", "--until", "2025"], "is later than until='2025'"),
        (["--where", "a", "exists", "maybe"], "'exists' takes yes or no"),
        (["--columns", "a..b"], "'a..b' is no key"),
        (["--sort", "a."], "'a.' is no key"),
        (["{}", '{"$foo": 1}'], "Unknown operator '\\$foo'"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_understood_is_refused_in_a_line(invoke, arguments, message):
    found = invoke("runs", *arguments)
    assert (found.exit_code, found.stdout) == (1, "")
    assert message.replace("\\", "") in found.stderr


def test_one_form_of_output_is_chosen(invoke):
    assert invoke("runs", "--csv", "--json").exit_code == 2


@pytest.mark.parametrize("arguments", [[], ["num_points>=0"], ["--sort", "num_points"]])
def test_no_limit_is_too_high(invoke, arguments):
    assert scan_ids(invoke("runs", "--json", *arguments, "--limit", str(10**30)))[-1]


@pytest.mark.parametrize("names", ["", " , "])
def test_columns_without_a_name_are_refused(invoke, names):
    found = invoke("runs", "--columns", names)
    assert (found.exit_code, found.stdout) == (2, "")
    assert "--columns takes names with commas between" in found.stderr


def test_verdicts_have_a_column_where_there_are_some(invoke, place):
    from hutch.catalogs.verdicts import post_verdict

    assert "verdicts" not in invoke("runs", "num_points>7").stdout
    with hutch.open_catalog(place) as cat:
        for number, (name, verdict) in enumerate([("rate", "bad"), ("hot", "good"), ("noise", "medium")]):
            post_verdict(
                cat.store, cat[109].row.id, name, verdict, origin={"value": number, "sentence": f"why {name}"}
            )
        post_verdict(cat.store, cat[108].row.id, "hot", "good", origin={"value": 1, "sentence": "fine"})

    assert "bad: rate" in invoke("runs", "num_points>7").stdout
    assert scan_ids(invoke("runs", "--json", "dqm.rate=bad")) == [109]
    rows = json.loads(invoke("runs", "--json", "num_points>7").stdout)
    assert [row["verdicts"] for row in rows] == [
        {"hot": "good", "noise": "medium", "rate": "bad"},
        {"hot": "good"},
    ]
    found = invoke("runs", "num_points>6", "--csv", "--columns", "scan_id,verdicts,dqm.noise").stdout
    assert found.splitlines()[1:] == ["109,bad: rate,medium", "108,1 good,", "107,,"]
    shown = invoke("show", "109").stdout
    assert "verdicts" in shown
    assert "why rate" in shown
    assert json.loads(invoke("show", "109", "--json").stdout)["verdicts"]["rate"]["sentence"] == "why rate"
