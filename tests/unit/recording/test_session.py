"""Runs of programs without Bluesky."""

import threading

import numpy as np
import pandas as pd
import pytest

import hutch
from hutch.catalogs.verifying import verify
from hutch.errors import DocumentError, MetadataError, RunClosedError

ON_EACH_DATABASE = True


def test_leaving_normally_is_a_success(cat):
    with cat.start_run(plan_name="dwell", sample="A") as run:
        run.add("primary", {"temperature": 21.4})
    found = cat[run.uid]
    assert found.status == "success"
    assert found.start["sample"] == "A"
    assert found.start["scan_id"] == 1
    assert found.stop["num_events"] == {"primary": 1}
    assert found.primary.read()["temperature"].values.tolist() == [21.4]


def test_an_exception_ends_the_run_as_failed_with_the_reason(cat):
    with pytest.raises(ValueError, match="no beam"), cat.start_run() as run:
        run.add("primary", {"x": 1})
        raise ValueError("no beam")
    assert cat[-1].status == "fail"
    assert cat[-1].stop["reason"] == "ValueError: no beam"
    assert len(cat[-1].primary) == 1


def test_an_exception_without_a_word_is_named(cat):
    with pytest.raises(ValueError, match="^$"), cat.start_run():
        raise ValueError
    assert cat[-1].stop["reason"] == "ValueError"


def test_ctrl_c_ends_the_run_as_aborted(cat):
    with pytest.raises(KeyboardInterrupt), cat.start_run():
        raise KeyboardInterrupt
    assert cat[-1].status == "abort"
    assert cat[-1].stop["reason"] == "KeyboardInterrupt"


def test_call_time_metadata_wins_over_the_stash(cat):
    cat.md["sample"] = "stashed"
    cat.md["proposal_id"] = 7
    with cat.start_run(sample="given"):
        pass
    assert cat[-1].start["sample"] == "given"
    assert cat[-1].start["proposal_id"] == 7


def test_metadata_may_have_any_name(cat):
    with cat.start_run(self="a", store="b", rules="c"):
        pass
    assert [cat[-1].start[key] for key in ("self", "store", "rules")] == ["a", "b", "c"]


def test_refused_metadata_records_nothing_and_uses_no_number(cat):
    with pytest.raises(MetadataError, match="'owner' is 5"):
        cat.start_run(owner=5)
    assert len(cat) == 0
    with cat.start_run() as run:
        pass
    assert run.scan_id == 1


def test_what_the_stash_says_of_versions_is_of_other_programs(cat):
    cat.md["versions"] = {"bluesky": "1.0"}
    with cat.start_run():
        pass
    assert cat[-1].start["versions"] == {"hutch": hutch.__version__}


def test_rows_are_added_in_bulk_from_lists_and_arrays(cat):
    frames = np.arange(24, dtype="u2").reshape(4, 2, 3)
    with cat.start_run() as run:
        run.extend("primary", {"x": [1.0, 2.0, 3.0, 4.0], "frame": frames}, time=[1.0, 2.0, 3.0, 4.0])
        run.extend("primary", {"x": [5.0], "frame": frames[:1]}, time=[5.0])
        run.extend("primary", {"x": [], "frame": []})
    dataset = cat[-1].primary.read()
    assert dataset["time"].values.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert dataset["frame"].dtype == np.dtype("u2")
    np.testing.assert_array_equal(dataset["frame"].values[:4], frames)
    assert np.asarray(cat[-1].primary.seq_num).tolist() == [1, 2, 3, 4, 5]
    assert cat[-1].nonconforming == []


def test_columns_of_different_lengths_are_refused_and_nothing_is_added(cat):
    with cat.start_run() as run:
        with pytest.raises(DocumentError, match="different lengths"):
            run.extend("primary", {"x": [1, 2], "y": [1]})
    assert list(cat[-1]) == []


def test_what_numpy_has_masked_comes_back_as_none_and_never_as_a_number(cat):
    masked = np.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=[[False, True], [False, False]])
    with cat.start_run() as run:
        run.add("single", {"x": 5.0})
        run.add("single", {"x": masked[0, 1]})
        run.add("array", {"x": masked})
        run.add("array", {"x": masked[1]})
        run.add("point", {"x": np.ma.array(5.0, mask=True)})
        run.extend("rows", {"x": masked})
        run.extend("column", {"x": masked[0]})
    found = [doc for name, doc in cat[-1].documents(fill="no") if name == "event"]
    assert [event["data"]["x"] for event in found] == [
        *(5.0, None),
        *([[1.0, None], [3.0, 4.0]], [3.0, 4.0]),
        *(None, [1.0, None], [3.0, 4.0]),
        *(1.0, None),
    ]
    assert len(cat[-1].single.descriptors) == 1
    assert cat[-1].nonconforming == []


@pytest.mark.parametrize(
    "wrap", [lambda one: one, lambda one: np.array([one]), lambda one: [[1.0], [one, one]]]
)
@pytest.mark.parametrize("value", [np.longdouble("1.1"), pd.NA])
def test_what_no_float_of_64_bit_holds_is_refused(cat, wrap, value):
    with pytest.raises(DocumentError, match="'x' is .*, which is no reading"), cat.start_run() as run:
        run.add("primary", {"x": wrap(value)})
    assert list(cat[-1]) == []


def test_a_value_that_is_no_reading_is_refused_by_name(cat):
    with cat.start_run() as run:
        with pytest.raises(DocumentError, match="'camera' is object"):
            run.add("primary", {"camera": object()})
        run.add("primary", {"camera": 1})
    assert cat[-1].quarantined == []
    assert len(cat[-1].primary) == 1


def test_timestamps_of_readings_that_are_not_there_are_refused(cat):
    with cat.start_run() as run:
        with pytest.raises(DocumentError, match=r"timestamps for \['y'\]"):
            run.add("primary", {"x": 1}, {"y": 1.0})


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (lambda run: run.add("primary", {"x": 1}, {"y": 1.0}), "timestamps for"),
        (lambda run: run.add("primary", {"x": 1}, {"x": "noon"}), "timestamp of 'x' is 'noon'"),
        (lambda run: run.add("primary", {"x": 1}, time="noon"), "time is 'noon'"),
        (lambda run: run.add("primary", {1: 1}), "key 1 of a reading is int"),
        (lambda run: run.add("primary", [1, 2]), "Readings are list"),
        (lambda run: run.add(None, {"x": 1}), "name of a stream is None"),
        (lambda run: run.add("primary", {"x": [1, object()]}), "'x' is list, which is no reading"),
        (lambda run: run.add("primary", {"x": [[1], [1, object()]]}), "'x' is list, which is no reading"),
        (lambda run: run.add("primary", {"x": [np.zeros(1, "M8[s]"), [1, 2]]}), "'x' is list"),
        (lambda run: run.extend("primary", {"x": [1]}, {"y": [1.0]}), "timestamps for"),
        (lambda run: run.extend("primary", {"x": [1]}, {"x": ["noon"]}), "timestamp of 'x' is 'noon'"),
        (lambda run: run.extend("primary", {"x": [1]}, time=["noon"]), "time is 'noon'"),
        (lambda run: run.extend("primary", {"x": [1]}, time=1.0), "column 'time of the events' is float"),
        (lambda run: run.extend("primary", {"time": [1, 2]}, time=[1.0]), "different lengths"),
        (lambda run: run.extend("primary", {"x": 1}), "column 'x' is int"),
        (lambda run: run.extend("primary", {"x": "abc"}), "column 'x' is str"),
        (lambda run: run.extend("primary", {"x": [1, object()]}), "'x' is object"),
        (lambda run: run.extend("", {"x": [1]}), "name of a stream is ''"),
        (lambda run: run.configure(3, {"x": 1}), "name of a device is 3"),
        (lambda run: run.configure("camera", None), "Readings are NoneType"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(cat, add, message):
    with cat.start_run() as run:
        run.add("primary", {"x": 1})
        with pytest.raises(DocumentError, match=message):
            add(run)
        run.add("primary", {"x": 2})
    found = cat[-1]
    assert np.asarray(found.primary.seq_num).tolist() == [1, 2]
    assert found.stop["num_events"] == {"primary": 2}
    assert len(found.descriptors) == 1
    assert found.nonconforming == found.quarantined == []
    assert verify(cat.store).findings == []


@pytest.mark.parametrize(
    "value",
    [[1, None], [10**30, 1], [2**63, -1], [[1], [2, 3]], [[[1]], [[2, 3], []]], ["x", 1], [None, [1.5]]],
)
def test_lists_of_any_readings_come_back_as_they_were(cat, value):
    with cat.start_run() as run:
        run.add("primary", {"x": value})
        run.extend("fast", {"x": [value, None, value]})
    events = [doc["data"]["x"] for kind, doc in cat[-1].documents(fill="no") if kind == "event"]
    pages = [doc["data"]["x"] for kind, doc in cat[-1].documents(fill="no") if kind == "event_page"]
    assert [*events, *(item for page in pages for item in page)] == [value, value, None, value]
    assert cat[-1].nonconforming == []


def test_readings_of_many_shapes_need_few_descriptors(cat):
    lengths = [3, 5, 3, 1, 8, 5, 2]
    with cat.start_run() as run:
        for length in lengths:
            run.add("primary", {"wave": np.arange(length), "label": "x"})
        for number in range(6):
            run.add("other", {"x": number if number % 2 else "text"})
        run.extend("rows", {"wave": [[1.0] * length for length in lengths]})
    found = cat[-1]
    assert [len(wave) for wave in found.primary.read()["wave"].values] == lengths
    shapes = [doc["data_keys"]["wave"]["shape"] for doc in found.descriptors if "wave" in doc["data_keys"]]
    assert shapes == [[3], [None], [None]]
    assert len(found.descriptors) == 5
    assert found.nonconforming == []


def test_integers_before_floats_are_read_as_one_column(cat):
    with cat.start_run() as run:
        for value in (21, 21.5, None, 22):
            run.add("primary", {"t": value})
    values = cat[-1].primary.read()["t"].values
    np.testing.assert_array_equal(values, [21, 21.5, np.nan, 22])
    assert cat[-1].nonconforming == []
    assert len(cat[-1].descriptors) == 2


def test_alternating_sets_of_keys_need_one_descriptor_each(cat):
    with cat.start_run() as run:
        for number in range(6):
            run.add("slow", {"a": number} if number % 2 else {"b": number})
    assert len(cat[-1].descriptors) == 2
    assert np.asarray(cat[-1].slow.seq_num).tolist() == [1, 2, 3, 4, 5, 6]


def test_configuration_stands_in_the_descriptors_that_follow(cat):
    with cat.start_run() as run:
        run.configure("camera", {"exposure": 0.1})
        run.add("primary", {"camera_mean": 3.0})
        run.configure("camera", {"exposure": 0.2})
        run.add("primary", {"camera_mean": 4.0})
    first, second = cat[-1].descriptors
    assert first["configuration"]["camera"]["data"] == {"exposure": 0.1}
    assert second["configuration"]["camera"]["data"] == {"exposure": 0.2}
    assert first["object_keys"] == {"camera": ["camera_mean"]}
    assert first["hints"] == {"camera": {"fields": ["camera_mean"]}}


def test_a_closed_run_takes_nothing_more(cat):
    run = cat.start_run()
    run.close()
    run.close()
    with pytest.raises(RunClosedError, match="has ended"):
        run.add("primary", {"x": 1})
    with pytest.raises(RunClosedError, match="has ended"):
        run.configure("camera", {"x": 1})


def test_an_exit_status_that_does_not_exist_is_refused(cat):
    run = cat.start_run()
    with pytest.raises(DocumentError, match="'success', 'abort' or 'fail'"):
        run.close("done")
    run.close("abort", "enough")
    assert cat[-1].stop["reason"] == "enough"


def test_several_threads_may_add_to_one_run(cat):
    def work(number):
        for value in range(200):
            run.add("primary", {"x": value * 10 + number})

    with cat.start_run() as run:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    stream = cat[-1].primary
    assert sorted(stream.read()["x"].values.tolist()) == sorted(
        v * 10 + n for v in range(200) for n in range(4)
    )
    assert np.asarray(stream.seq_num).tolist() == list(range(1, 801))


def test_the_documents_are_those_of_event_model(cat):
    from hutch.documents.schemas import problems

    with cat.start_run(sample={"name": "A"}) as run:
        run.configure("camera", {"exposure": 0.1})
        run.add("primary", {"camera": [1, 2, 3], "label": "x", "on": True})
        run.extend("fast", {"y": np.arange(5)})
    for kind, document in cat[-1].documents(fill="no"):
        assert problems(kind, document) == []
    assert cat[-1].nonconforming == []
