"""Runs of an experiment: their numbers, those begun by hand, their parameters, and tables of them."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import textwrap

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutch.catalogs.verifying import verify
from hutch.errors import (
    DocumentError,
    QueryError,
    RunClosedError,
    RunDeletedError,
    RunNotFoundError,
    RunOwnedError,
    RunTableNotFoundError,
)
from hutch.logbook import Column, ColumnType

ON_EACH_DATABASE = True


def record(catalog, **metadata):
    with catalog.start_run(**metadata) as run:
        pass
    return run.uid


def numbers(book, experiment="xpp1"):
    return {run.run.uid: run.num for run in book.runs(experiment)}


# numbers


def test_a_number_is_the_scan_id_where_that_is_free_else_one_more_than_the_greatest(book, catalog):
    first = record(catalog, experiment="xpp1", scan_id=5)
    again = record(catalog, experiment="xpp1", scan_id=5)
    third = record(catalog, experiment="xpp1", scan_id=3)
    own = record(catalog, experiment="xpp1", scan_id=3, run_num=40)
    odd = record(catalog, experiment="xpp1", scan_id=-3)

    assert numbers(book) == {first: 5, again: 6, third: 3, own: 40, odd: 41}
    later = record(catalog, experiment="xpp1", scan_id=6)
    assert numbers(book)[later] == 42
    assert book.run("xpp1", 6).run.uid == again
    assert book.run_of("xpp1", later).num == 42


def test_a_run_belongs_to_the_experiment_it_names_or_to_the_active_one_at_its_instrument(book, catalog):
    book.access.experiments.create("xpp2", instrument="XPP")
    at_xpp = record(catalog, instrument="xpp")
    elsewhere = record(catalog, instrument="MFX")
    named = record(catalog, instrument="XPP", experiment="xpp2")
    both = record(catalog, experiment=["xpp1", "xpp2"])

    assert set(numbers(book)) == {at_xpp, both}
    assert set(numbers(book, "xpp2")) == {named, both}
    with pytest.raises(RunNotFoundError, match="has no run"):
        book.run_of("xpp1", elsewhere)


def test_a_number_stays_with_its_run_and_is_not_given_again(book, catalog):
    uids = [record(catalog, experiment="xpp1") for _ in range(3)]
    assert numbers(book) == dict(zip(uids, [1, 2, 3], strict=True))
    catalog.plan_deletion(uids[2]).execute(reason="a test")
    catalog[uids[0]].amend({"experiment": "other"}, reason="wrong one")

    assert numbers(book) == {uids[1]: 2}
    assert book.current_run("xpp1").num == 2
    with pytest.raises(RunDeletedError):
        book.run("xpp1", 3)
    with pytest.raises(RunNotFoundError, match="no run 1"):
        book.run("xpp1", 1)
    new = record(catalog, experiment="xpp1")
    assert numbers(book)[new] == 4


def test_a_run_that_is_corrected_into_an_experiment_gets_a_number(book, catalog):
    uid = record(catalog, sample="A")
    assert numbers(book) == {}
    catalog[uid].amend({"experiment": "xpp1"}, reason="forgotten")

    assert numbers(book) == {uid: 1}


def test_processes_that_ask_at_once_give_the_same_numbers(book, catalog, store_address):
    for _ in range(30):
        record(catalog, experiment="xpp1", scan_id=7)
    program = textwrap.dedent("""
        import sys
        from hutch.logbook import Logbook
        from hutch.store import open_store
        store = open_store(sys.argv[1])
        print({run.run.uid: run.num for run in Logbook(store).runs("xpp1")})
        store.close()
    """)
    asked = [
        subprocess.Popen([sys.executable, "-c", program, store_address], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {process.communicate(timeout=60)[0] for process in asked}

    assert len(answers) == 1
    assert answers == {f"{numbers(book)}\n"}
    assert sorted(numbers(book).values()) == list(range(7, 37))


# by hand


def test_a_run_begun_by_hand_is_numbered_from_one_and_ended_by_anybody(book, catalog, store_address):
    record(catalog, sample="of nobody")
    first = book.start_run("xpp1", author="daq", sample="A")
    assert (first.num, first.is_open, first.run.scan_id) == (1, True, 2)
    assert book.current_run("xpp1").run.uid == first.run.uid
    program = textwrap.dedent("""
        import sys
        from hutch.logbook import Logbook
        from hutch.store import open_store
        store = open_store(sys.argv[1])
        Logbook(store).end_run("xpp1", author="other", reason="done")
        store.close()
    """)
    subprocess.run([sys.executable, "-c", program, store_address], check=True, timeout=60)

    ended = book.run("xpp1", 1)
    assert (ended.run.status, ended.run.stop["reason"], ended.is_open) == ("success", "done", False)
    with pytest.raises(RunClosedError, match="has ended already"):
        book.end_run("xpp1")
    assert [run.uid for run in catalog.search({"sample": "A", "stop.exit_status": "success"}).runs()]


def test_a_run_that_is_begun_ends_the_one_before_it(book):
    book.start_run("xpp1")
    second = book.start_run("xpp1")

    assert second.num == 2
    assert [run.is_open for run in book.runs("xpp1")] == [True, False]
    assert book.run("xpp1", 1).run.stop["reason"] == "another run was begun"
    with pytest.raises(DocumentError, match="success"):
        book.end_run("xpp1", exit_status="odd")


def test_a_run_that_a_live_process_records_is_not_ended(book, catalog):
    with catalog.start_run(experiment="xpp1"):
        with pytest.raises(RunOwnedError):
            book.end_run("xpp1")
    assert book.run("xpp1", 1).run.status == "success"


# parameters


def test_parameters_are_searched_for_and_keep_their_history(book, catalog):
    uid = record(catalog, experiment="xpp1")
    book.add_run_params("xpp1", 1, {"gain": 3, "comment": "ok"}, author="ada")
    book.add_run_params("xpp1", 1, {"gain": 4}, author="bob", origin={"job": 7})

    assert [run.uid for run in catalog.search({"param.gain": 4}).runs()] == [uid]
    assert len(catalog.search({"param.gain": 3})) == 0
    history = [
        (row["value"], row["author"], row["origin"]) for row in book.history_of_param("xpp1", 1, "gain")
    ]
    assert history == [(3, "ada", None), (4, "bob", {"job": 7})]
    assert book.params_of_runs("xpp1") == {1: {"gain": 4, "comment": "ok"}}
    assert book.params_of_runs("xpp1", ["gain"], [1, 9]) == {1: {"gain": 4}}
    with pytest.raises(DocumentError):
        book.add_run_params("xpp1", 1, {"good": 1, "": 2})
    assert book.params_of_runs("xpp1")[1].keys() == {"gain", "comment"}
    with pytest.raises(RunNotFoundError):
        book.add_run_params("xpp1", 9, {"gain": 1})


# run tables


def test_tables_are_defined_cloned_changed_and_deleted(book):
    book.create_run_table(
        "xpp1", "gains", ["run_num", {"source": "param.gain", "label": "Gain", "type": "number"}]
    )
    book.clone_run_table("xpp1", "gains", "copy", author="ada")
    book.update_run_table("xpp1", "copy", ["run_num"])
    book.update_run_table("xpp1", "default", ["run_num", "start.sample"])

    assert [(one.name, one.is_system) for one in book.run_tables("xpp1")] == [
        ("default", False),
        ("copy", False),
        ("gains", False),
    ]
    assert book.run_table("xpp1", "gains").columns[1] == Column("param.gain", "Gain", ColumnType.NUMBER)
    book.delete_run_table("xpp1", "copy")
    book.delete_run_table("xpp1", "default")
    assert [(one.name, one.is_system) for one in book.run_tables("xpp1")] == [
        ("default", True),
        ("gains", False),
    ]
    with pytest.raises(DocumentError, match="cannot be deleted"):
        book.delete_run_table("xpp1", "default")
    with pytest.raises(DocumentError, match="already"):
        book.create_run_table("xpp1", "gains", ["run_num"])
    for missing in (book.delete_run_table, book.run_table):
        with pytest.raises(RunTableNotFoundError, match="hutch table list"):
            missing("xpp1", "none")
    for wrong in ([], ["a..b"], [{"source": "param.x", "type": "odd"}], [3]):
        with pytest.raises((DocumentError, QueryError)):
            book.create_run_table("xpp1", "wrong", wrong)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(-2, 2, width=16),
    st.sampled_from(["a", "B", "=1"]),
)
_ORDER = {int: 1, float: 1, str: 2, bool: 3}


def _place(value):
    """Where a value stands: nothing, numbers, text, bools; as told of ``Catalog.sort``."""
    return (0, 0) if value is None else (_ORDER[type(value)], value)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(VALUES, min_size=1, max_size=8), descending=st.booleans())
def test_rows_are_sorted_by_a_parameter_as_a_list_is(book, catalog, values, descending):
    name = f"exp{len(book.access.experiments.all())}"
    book.access.experiments.create(name, instrument="XPP")
    for place, value in enumerate(values, 1):
        record(catalog, experiment=name, run_num=place)
        book.add_run_params(name, place, {} if value is None else {"x": value})
    latest_first = sorted(range(1, len(values) + 1), reverse=True)
    expected = sorted(latest_first, key=lambda num: _place(values[num - 1]), reverse=descending)

    data = book.table_data(name, columns=["run_num", "param.x"], sort="param.x", descending=descending)
    assert list(data.runs) == expected
    assert [row[1] for row in data.rows] == [values[num - 1] for num in expected]
    page = book.table_data(name, sort="param.x", descending=descending, start=1, limit=2)
    assert list(page.runs) == expected[1:3]
    assert page.total == len(values)


def test_a_run_that_was_begun_by_hand_goes_on_when_who_began_it_has_died(book, store):
    run = book.start_run("xpp1")
    with store.transaction() as writer:
        writer.disown_run(run.run.row.id)

    assert book.run("xpp1", 1).run.status == "running"
    assert book.table_data("xpp1", columns=["status"]).rows == (("running",),)
    assert [found.kind for found in verify(store).findings if "interrupted" in found.text] == []
    assert book.end_run("xpp1").run.status == "success"


def test_rows_have_what_runs_have(book, catalog):
    for sample in ("A", "B", "A"):
        record(catalog, experiment="xpp1", sample=sample, nested={"x": [1, 2]})
    book.add_run_params("xpp1", 2, {"gain": 2.5})
    book.post("xpp1", "x", tags="Dark good", run=2)
    job = book.create_job("xpp1", book.define_workflow("xpp1", "w", "/bin/true").id, 2)
    book.set_counters(job.token, [{"key": "events", "value": 12}])
    columns = ["run_num", "start.sample", "start.nested.x", "status", "tags", "param.gain", "counter.events"]
    data = book.table_data("xpp1", columns=columns, runs=(2, None))

    assert data.rows == (
        (3, "A", [1, 2], "success", "", None, None),
        (2, "B", [1, 2], "success", "Dark good", 2.5, 12),
    )
    bare = book.table_data("xpp1", columns=["sample", "nested.x"], sort="sample", limit=1)
    assert (bare.runs, bare.rows) == ((3,), (("A", [1, 2]),))
    assert book.table_data("xpp1", sort="counter.events", descending=True).runs[0] == 2
    assert book.table_data("xpp1", sort="duration").total == 3
    grouped = book.table_data("xpp1", columns=["run_num"], group_by="start.sample")
    assert (grouped.runs, grouped.groups) == ((3, 1, 2), (("A", 2), ("B", 1)))
    table = data.to_arrow()
    assert table.column("param.gain").to_pylist() == [None, 2.5]
    assert table.column("run_num").type == "int64"
    assert {"param.gain", "start.nested.x", "counter.events", "tags"} <= {
        source for sources in book.sources("xpp1").values() for source in sources
    }
    with pytest.raises(QueryError, match="no order by tags"):
        book.table_data("xpp1", sort="tags")


def test_groups_of_runs_that_have_not_ended_are_called_as_in_cells(book, catalog):
    record(catalog, experiment="xpp1")
    with catalog.start_run(experiment="xpp1") as run:
        run.add("primary", {"x": 1.0})
        data = book.table_data("xpp1", columns=["status"], group_by="status")
    assert data.rows == (("success",), ("running",))
    assert data.groups == (("success", 1), ("running", 1))


@pytest.mark.parametrize("source", ["nope", "start", "counter", "nested.x"])
def test_rows_have_no_order_by_what_is_no_column(book, catalog, source):
    record(catalog, experiment="xpp1")
    for order in ({"sort": source}, {"group_by": source}):
        with pytest.raises(QueryError, match=f"no column '{source}' to order .* run_num, .* param.NAME"):
            book.table_data("xpp1", **order)
        assert book.table_data("xpp1", columns=[source], **order).runs == (1,)
    assert book.table_data("xpp1", sort="param.nobody", group_by="dqm.nobody").runs == (1,)


def test_csv_holds_no_formula_and_numbers_stay_numbers(book, catalog):
    record(catalog, experiment="xpp1")
    odd = {"a": "=1+1", "b": "+1", "c": "-1", "d": "@x", "e": "\tx", "f": -1.5, "g": 'say "x", y', "h": True}
    book.add_run_params("xpp1", 1, odd)
    text = book.table_data("xpp1", columns=[f"param.{name}" for name in odd]).to_csv()
    head, row = csv.reader(io.StringIO(text))

    assert head == [f"param.{name}" for name in odd]
    assert row == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "-1.5", 'say "x", y', "true"]


def test_a_cell_of_a_parameter_can_be_changed_and_no_other(book, catalog):
    record(catalog, experiment="xpp1")
    book.set_cell("xpp1", 1, "param.comment", "good", author="ada")

    (row,) = book.history_of_param("xpp1", 1, "comment")
    assert (row["value"], row["author"], row["origin"]) == ("good", "ada", {"table": True})
    with pytest.raises(DocumentError, match="shows what was recorded"):
        book.set_cell("xpp1", 1, "start.sample", "B")
