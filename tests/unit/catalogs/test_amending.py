"""Corrections of start documents: what changes, who sees it, and what is refused."""

import threading

import pytest

import hutch
from hutch.catalogs.changing.amending import Edit
from hutch.catalogs.verifying import verify
from hutch.documents import decode, is_same, plain
from hutch.errors import MISSING, ConfigurationError, MetadataError
from hutch.recording.rules.rules import Rules


@pytest.fixture
def run(catalog, record):
    record(scan_id=7, plan_name="scan", typo=1, sample={"name": "LaB", "layers": [{"nm": 3}, {"nm": 4}]})
    return catalog[-1]


def is_sound(run):
    found = verify(run.store)
    assert found.errors == []
    return found.is_sound


def test_an_amendment_sets_adds_and_removes(run):
    edits = run.amend(
        {"sample.name": "LaB6", "scan_id": 12, "beam.energy_keV": 8.05}, remove=["typo"], reason="wrong label"
    )

    assert edits == (
        Edit(("scan_id",), 7, 12),
        Edit(("typo",), 1, MISSING),
        Edit(("sample", "name"), "LaB", "LaB6"),
        Edit(("beam",), MISSING, {"energy_keV": 8.05}),
    )
    assert run.start.sample == {"name": "LaB6", "layers": [{"nm": 3}, {"nm": 4}]}
    assert "typo" not in run.start
    assert run.scan_id == run.metadata["start"]["scan_id"] == run.summary().scan_id == 12
    assert is_sound(run)


def test_every_reader_sees_the_amended_document_and_may_ask_for_the_original(catalog, run):
    recorded = dict(run.start)
    run.amend({"scan_id": 12, "plan_name": "count"}, reason="wrong label")

    assert catalog[12] == run
    assert 7 not in catalog
    assert "count" in repr(catalog)
    assert run.primary.metadata["start"]["plan_name"] == "count"
    assert run.original_start == recorded
    assert next(run.documents(fill="no")) == ("start", recorded)
    assert next(run.documents(fill="no", amended=True)) == ("start", run.start)
    assert next(run.follow()) == ("start", recorded)
    seen = []
    run.restream(lambda name, document: seen.append((name, document)), amended=True)
    assert seen == list(run.documents(fill="no", amended=True))


def test_the_history_has_who_when_why_and_every_value(catalog, run):
    run.amend({"sample.name": "LaB6"}, reason="wrong label", author="alice")
    run.amend({"gain": float("nan")}, remove="typo", reason="  forgotten ")

    first, second = catalog[-1].amendments
    assert (first.author, first.reason, first.edits) == (
        "alice", "wrong label", (Edit(("sample", "name"), "LaB", "LaB6"),),
    )  # fmt: skip
    assert "@" in second.author
    assert second.reason == "forgotten"
    assert first.time <= second.time
    assert {edit.field: edit.before for edit in second.edits} == {"typo": 1, "gain": MISSING}
    assert second.to_json()["edits"][0] == {"path": ["typo"], "before": 1}


def test_an_amendment_in_another_process_shows_when_the_run_is_looked_up_again(catalog, run):
    with hutch.open_catalog(catalog.store.location) as other:
        other[-1].amend({"plan_name": "count"}, reason="wrong label")

    assert catalog[-1].start["plan_name"] == "count"


def test_nothing_is_kept_if_everything_is_so_already(run):
    assert run.amend({"scan_id": 7, "sample.name": "LaB"}, remove=["nothing.of.it"], reason="again") == ()
    assert run.amendments == []
    assert run.row.amended is None


def test_one_is_neither_true_nor_one_point_zero(run):
    for value in (True, 1.0, "1", 1):
        run.amend({"typo": value}, reason="type")

    assert [type(edit.after) for amendment in run.amendments for edit in amendment.edits] == [
        bool, float, str, int,
    ]  # fmt: skip


def test_a_dry_run_tells_what_would_change(run):
    edits = run.amend({"sample": "LaB6"}, reason="", dry_run=True)

    assert edits == (Edit(("sample",), run.start["sample"], "LaB6"),)
    assert run.amendments == []


def test_a_path_of_steps_takes_names_with_dots(catalog, record):
    record(sample={"a.b": 1, "c": 2})
    run = catalog[-1]
    run.amend({}, remove=[("sample", "a.b")], reason="an odd name")

    assert run.start["sample"] == {"c": 2}


def test_what_was_odd_before_does_not_stop_an_amendment(catalog, record):
    record(owner=5, sample={"a.b": 1, "name": "x"}, plan_name="scan")
    run = catalog[-1]
    run.amend({"sample.name": "y", "plan_name": "count"}, reason="wrong label")

    assert run.start["sample"] == {"a.b": 1, "name": "y"}
    with pytest.raises(MetadataError, match="'owner' is 6: it must be text"):
        run.amend({"owner": 6}, reason="still wrong")


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_changed(run):
    with pytest.raises(MetadataError, match=r"^Run 7 \('.*'\) was not amended, its metadata") as caught:
        run.amend(
            {
                "uid": "other",
                "owner": 5,
                "sample": 3,
                "scan_id": "12",
                "a/b": 1,
                "plan_name.deep": 1,
                "gain": object(),
                "beam..energy": 1,
                "fine": 1,
            },
            remove=["time", ("beam", 5)],
            reason="all of it",
        )

    fields = {problem.field for problem in caught.value.problems}
    assert fields == {
        "uid", "owner", "sample", "scan_id", "a/b", "plan_name", "gain", "beam..energy", "time", "beam.5",
    }  # fmt: skip
    assert "fine" not in run.start
    assert run.amendments == []


def test_a_value_is_changed_once(run):
    with pytest.raises(MetadataError, match="'sample.name' is 'x': it is changed twice"):
        run.amend({"sample": {"name": "y"}, "sample.name": "x"}, reason="twice")
    with pytest.raises(MetadataError, match="'typo' is 2: it is changed twice"):
        run.amend({"typo": 2}, remove=["typo"], reason="twice")


def test_the_rules_of_a_catalog_hold_for_amendments(run):
    run._rules = Rules(required=("sample",))

    with pytest.raises(MetadataError, match="'sample' is missing: it is required"):
        run.amend({}, remove=["sample"], reason="not needed")


@pytest.mark.parametrize("reason", ["", " ", None])
def test_an_amendment_needs_a_reason(run, reason):
    with pytest.raises(ConfigurationError, match="Say in a few words why"):
        run.amend({"typo": 2}, reason=reason)


def test_an_amendment_needs_something_to_change(run):
    with pytest.raises(ConfigurationError, match="nothing to amend"):
        run.amend(reason="why not")


def test_numpy_values_and_tuples_become_plain(run):
    import numpy as np

    run.amend({"grid": np.arange(3), "shape": (2, 3)}, reason="forgotten")

    assert run.start["grid"] == [0, 1, 2]
    assert run.start["shape"] == [2, 3]


def test_undo_restores_what_was_before_exactly(catalog, run):
    before = dict(run.start)
    run.amend({"sample.name": "LaB6", "deep.er": {"a": 1}}, remove=["typo"], reason="wrong label")
    run.undo_amendment(reason="it was right")

    assert is_same(decode(run.row.current), plain(before))
    assert run.row.amended == run.row.start
    assert [amendment.reason for amendment in run.amendments] == ["wrong label", "it was right"]
    run.undo_amendment(reason="it was wrong after all")
    assert run.start.sample.name == "LaB6"
    assert is_sound(run)


def test_undo_without_an_amendment_is_refused(run):
    with pytest.raises(ConfigurationError, match="was never amended"):
        run.undo_amendment(reason="why not")


def test_an_open_run_can_be_amended_and_its_recorder_goes_on(catalog, compose):
    documents = compose(scan_id=3, sample="A", streams={"primary": [{"x": float(n)} for n in range(4)]})
    recorder = catalog.recorder()
    for name, document in documents[:3]:
        recorder(name, document)
    run = catalog[-1]
    with hutch.open_catalog(catalog.store.location) as other:
        other[-1].amend({"sample": "B", "scan_id": 4}, reason="wrong sample on the stage")
    assert (run.start["sample"], run.scan_id, run.status) == ("B", 4, "running")
    for name, document in documents[3:]:
        recorder(name, document)

    assert (run.start["sample"], run.status, len(run.primary)) == ("B", "success", 4)
    assert list(run.documents(fill="no")) == documents
    assert run.quarantined == []
    assert is_sound(run)


def test_the_same_documents_are_known_after_an_amendment(catalog, compose):
    documents = compose(sample="A")
    for _ in range(2):
        recorder = catalog.recorder()
        for name, document in documents:
            recorder(name, document)
        recorder.close()
        if not catalog[-1].amendments:
            catalog[-1].amend({"sample": "B"}, reason="wrong label")

    assert (len(catalog), catalog[-1].start["sample"], catalog[-1].quarantined) == (1, "B", [])


def test_amendments_at_the_same_time_follow_each_other(catalog, run):
    def amend(number):
        with hutch.open_catalog(catalog.store.location) as other:
            for count in range(10):
                other[-1].amend({f"writer_{number}": count}, reason="counting")

    threads = [threading.Thread(target=amend, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    found = catalog[-1]
    assert len(found.amendments) == 40
    assert [found.start[f"writer_{number}"] for number in range(4)] == [9] * 4
    assert is_sound(found)
