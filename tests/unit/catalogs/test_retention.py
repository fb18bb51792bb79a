"""Rules of retention: which runs they take, which they keep, and which rules are refused."""

import time

import pytest

from hutch.catalogs.verifying import verify
from hutch.documents import encode
from hutch.errors import ConfigurationError

DAY_S = 86_400.0


@pytest.fixture
def aged(catalog, record):
    """Runs of 400, 300, 200, 100 and 1 days, with the scan ids 400 and so on."""
    for days in (400, 300, 200, 100, 1):
        record(
            scan_id=days,
            time=time.time() - days * DAY_S,
            purpose="alignment" if days % 200 == 0 else "science",
            sample={"name": "A", "tags": ["x", f"day {days}"]},
            stop="fail" if days == 300 else "success",
        )
    return catalog


def due(catalog):
    return [run.scan_id for run in catalog.retention.plan().runs]


def test_without_rules_nothing_is_due(aged):
    assert due(aged) == []


def test_a_rule_takes_runs_that_are_old_enough(aged):
    aged.retention.set("old", older_than_days=150)

    assert due(aged) == [400, 300, 200]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"where": {"purpose": "alignment"}}, [400, 200]),
        ({"where": {"purpose": "alignment", "scan_id": 200}}, [200]),
        ({"where": {"scan_id": 200.0}}, [200]),
        ({"where": {"scan_id": "200"}}, []),
        ({"where": {"scan_id": True}}, []),
        ({"where": {"start.purpose": "alignment"}}, [400, 200]),
        ({"where": {"sample.name": "A"}}, [400, 300, 200, 100]),
        ({"where": {"sample.tags": "day 300"}}, [300]),
        ({"where": {"sample": {"name": "A", "tags": ["x", "day 300"]}}}, [300]),
        ({"where": {"sample.name.deeper": "A"}}, []),
        ({"where": {"stop.exit_status": "fail"}}, [300]),
        ({"unless": {"purpose": "alignment"}}, [300, 100]),
        ({"unless": {"purpose": "alignment", "stop.exit_status": "fail"}}, [100]),
        ({"status": ["fail"]}, [300]),
        ({"status": ("success", "fail")}, [400, 300, 200, 100]),
        ({"keep_last": 2}, [400, 300, 200]),
        ({"keep_last": 1, "where": {"purpose": "alignment"}}, [400]),
        ({"keep_last": 9}, []),
    ],
)
def test_conditions_choose_among_them(aged, declared, expected):
    aged.retention.set("rule", older_than_days=50, **declared)

    assert due(aged) == expected


def test_what_was_amended_counts(aged):
    aged[300].amend({"purpose": "alignment"}, reason="wrong label")
    aged.retention.set("rule", older_than_days=50, where={"purpose": "alignment"})

    assert due(aged) == [400, 300, 200]


def test_a_rule_that_keeps_wins(aged):
    aged.retention.set("old", older_than_days=50)
    aged.retention.set("thesis", keep=True, where={"purpose": "alignment"}, keep_last=1)
    plan = aged.retention.plan()

    assert [run.scan_id for run in plan.runs] == [400, 300, 100]
    assert plan.kept == {aged[200].uid: "thesis"}
    assert plan.obstacles == []


def test_interrupted_runs_are_taken_and_running_ones_never(catalog, record, compose):
    record(stop=None, time=1.0)
    recorder = catalog.recorder()
    documents = compose(time=2.0, uid="running")
    for name, document in documents[:3]:
        recorder(name, document)
    catalog.retention.set("old", older_than_days=1)
    catalog.retention.set("failed", older_than_days=1, status=["interrupted"])

    assert [run.status for run in catalog.retention.plan().runs] == ["interrupted"]
    for name, document in documents[3:]:
        recorder(name, document)


def test_the_rules_are_applied_with_a_reason_that_names_them(aged):
    aged.retention.set("alignment", older_than_days=150, where={"purpose": "alignment"})
    aged.retention.set("old", older_than_days=350.5)
    result = aged.retention.plan().execute(author="alice")

    assert len(result.deleted) == 2
    assert [run.scan_id for run in aged.values()] == [300, 100, 1]
    assert {(stone.author, stone.reason) for stone in aged.deleted} == {
        ("alice", "rule 'alignment': delete runs older than 150 days where purpose = \"alignment\"")
    }
    assert due(aged) == []
    assert verify(aged.store).errors == []


def test_a_damaged_document_is_neither_taken_nor_let_go(aged):
    import sqlite3
    from contextlib import closing
    from pathlib import Path

    aged.retention.set("old", older_than_days=50, where={"sample.name": "A"})
    with closing(sqlite3.connect(Path(aged.store.location) / "hutch.db")) as connection, connection:
        connection.execute("UPDATE runs SET start = ? WHERE scan_id = 300", (b"{damaged",))
    assert due(aged) == [400, 200, 100]
    aged.retention.set("thesis", keep=True, where={"sample.name": "B"})
    assert len(aged.plan_deletion([300]).obstacles) == 1


def test_rules_are_kept_replaced_and_removed(aged):
    aged.retention.set("old", older_than_days=50, status=["fail"], keep_last=3, author="alice")
    aged.retention.set("old", older_than_days=60, where={"a": None}, unless={"b": [1, 2]})
    (rule,) = aged.retention.rules()

    assert (rule.name, rule.older_than_days, rule.where, rule.unless) == (
        "old",
        60,
        {"a": None},
        {"b": [1, 2]},
    )
    assert (rule.keep, rule.status, rule.keep_last) == (False, (), 0)
    assert str(rule) == "delete runs older than 60 days where a = null, unless b = [1, 2]"
    aged.retention.remove("old")
    assert aged.retention.rules() == []
    with pytest.raises(ConfigurationError, match="There is no rule of retention 'old'. Rules: none"):
        aged.retention.remove("old")


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({}, "give older_than_days"),
        ({"older_than_days": 0}, "a number of days above 0"),
        ({"older_than_days": float("nan")}, "a number of days above 0"),
        ({"older_than_days": "90d"}, "a number of days above 0"),
        ({"older_than_days": True}, "a number of days above 0"),
        ({"older_than": 9}, "has no 'older_than'; did you mean 'older_than_days'"),
        ({"xyzzy": 9}, "has no 'xyzzy'. There are keep, older_than_days"),
        ({"keep": True, "older_than_days": 5}, "so it has no age"),
        ({"older_than_days": 5, "where": ["a"]}, "where is .* give a dictionary"),
        ({"older_than_days": 5, "where": {"a..b": 1}}, "where has the key 'a..b'"),
        ({"older_than_days": 5, "unless": {"a": object()}}, "unless 'a': A value of type object"),
        ({"keep": True, "where": {"n": {"$gt": 5}}}, "rules only ask what is equal"),
        ({"older_than_days": 5, "unless": {"n": {"$ne": 5}}}, "rules only ask what is equal"),
        ({"older_than_days": 5, "status": "fail"}, "status is 'fail'; give some of"),
        ({"older_than_days": 5, "status": ["running"]}, r"status is \['running'\]; give some of success"),
        ({"older_than_days": 5, "keep_last": -1}, "keep_last is -1"),
        ({"older_than_days": 5, "keep_last": 1.5}, "keep_last is 1.5"),
    ],
)
def test_bad_rules_are_refused(aged, declared, message):
    with pytest.raises(ConfigurationError, match=message):
        aged.retention.set("rule", **declared)
    assert aged.retention.rules() == []


def test_everything_that_is_wrong_with_a_rule_is_told_at_once(aged):
    with pytest.raises(ConfigurationError) as caught:
        aged.retention.set("a rule", older_than_days=-1, where={"": 1}, status="x", keep_last="y")

    assert len(str(caught.value).splitlines()) == 6


def test_a_rule_that_is_not_understood_stops_every_deletion(aged):
    with aged.store.transaction() as writer:
        writer.set_retention("later", encode({"keep": True, "moon": "full"}), "alice")

    with pytest.raises(ConfigurationError, match="'later' can't be used: it has no 'moon'"):
        aged.retention.plan()
    with pytest.raises(ConfigurationError, match="'moon'"):
        aged.plan_deletion([1])


def test_progress_is_told(aged):
    steps = []
    aged.retention.set("old", older_than_days=50)
    aged.retention.plan(lambda *step: steps.append(step))

    assert steps == [(number, 5) for number in (1, 2, 3, 4)]
