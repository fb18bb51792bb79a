import event_model
import numpy as np
import pyarrow as pa
import pytest
import xarray as xr

import hutch
from hutch.errors import StreamNotFoundError

ROWS = [
    {"x": 0.5, "n": 1, "ok": True, "text": "a", "wave": [1.0, 2.0, 3.0]},
    {"x": 1.5, "n": 2, "ok": False, "text": "", "wave": [4.0, 5.0, 6.0]},
    {"x": float("nan"), "n": 3, "ok": True, "text": "c", "wave": [7.0, 8.0, 9.0]},
]


@pytest.fixture
def stream(catalog, record):
    record(
        streams={"primary": ROWS},
        keys={"x": {"units": "mm", "object_name": "stage"}, "n": {"units": None}},
        time=1_700_000_000.0,
    )
    return catalog[-1].primary


@pytest.fixture
def read(catalog, record):
    """Record rows as one stream, and read it."""

    def read(rows, **options):
        record(streams={"primary": rows}, **options)
        return catalog[-1].primary.read()

    return read


def two_descriptors(first_rows, second_rows, order, configuration=(1, 2)):
    """Return a run whose stream ``primary`` has two descriptors with events in an order of 0s and 1s."""
    bundle = event_model.compose_run()
    documents = [("start", bundle.start_doc)]
    rows = [iter(first_rows), iter(second_rows)]
    descriptors = []
    for number, first in enumerate((first_rows[0], second_rows[0])):
        keys = {key: {"source": "test", "dtype": "number", "shape": []} for key in first}
        config = {
            "data": {"speed": configuration[number], "vector": [1.0, 2.0]},
            "timestamps": {"speed": 0.0, "vector": 0.0},
            "data_keys": {
                "speed": {"source": "test", "dtype": "integer", "shape": [], "units": "mm/s"},
                "vector": {"source": "test", "dtype": "array", "shape": [2]},
            },
        }
        descriptor = {
            "uid": f"{bundle.start_doc['uid']}-{number}",
            "run_start": bundle.start_doc["uid"],
            "time": 10.0 + number,
            "name": "primary",
            "data_keys": keys,
            "object_keys": {"motor": list(first)},
            "configuration": {"motor": config},
            "hints": {},
        }
        descriptors.append(descriptor)
        documents.append(("descriptor", descriptor))
    for number, which in enumerate(order):
        data = next(rows[which])
        event = {
            "uid": f"{bundle.start_doc['uid']}-event-{number}",
            "descriptor": descriptors[which]["uid"],
            "seq_num": number + 1,
            "time": float(number),
            "data": data,
            "timestamps": dict.fromkeys(data, float(number)),
            "filled": {},
        }
        documents.append(("event", event))
    documents.append(("stop", bundle.compose_stop()))
    return documents


def test_its_parts_are_listed_and_reached_by_name_and_attribute(stream):
    assert list(stream) == ["data", "timestamps", "config", "time", "seq_num"]
    assert list(stream["data"]) == list(stream.data) == ["x", "n", "ok", "text", "wave"]
    assert np.array_equal(stream["seq_num"].read(), stream.seq_num[:])
    assert "config" in stream
    assert "wave" in stream
    assert "nonsense" not in stream
    assert len(stream) == 3


def test_read_gives_a_dataset_over_time(stream):
    found = stream.read()
    assert isinstance(found, xr.Dataset)
    assert list(found.data_vars) == ["x", "n", "ok", "text", "wave"]
    assert dict(found.sizes) == {"time": 3, "dim_0": 3}
    assert found["time"].values.tolist() == [1.7e9, 1.7e9 + 1, 1.7e9 + 2]
    assert found["wave"].dims == ("time", "dim_0")


def test_values_have_the_dtypes_of_what_was_recorded(stream):
    found = stream.read()
    dtypes = {name: variable.dtype.name for name, variable in found.data_vars.items()}
    assert dtypes == {"x": "float64", "n": "int64", "ok": "bool", "text": "object", "wave": "float64"}
    assert found["time"].dtype == np.float64
    np.testing.assert_array_equal(found["x"].values, [0.5, 1.5, np.nan])
    assert found["text"].values.tolist() == ["a", "", "c"]
    assert found["wave"].values.tolist() == [row["wave"] for row in ROWS]


def test_units_and_the_device_are_attributes(stream):
    found = stream.read()
    assert found["x"].attrs == {"units": "mm", "object": "stage"}
    assert found["n"].attrs == {}


def test_the_device_of_an_old_descriptor_is_found_in_its_object_keys(catalog, record):
    record(two_descriptors([{"x": 1.0}], [{"x": 2.0}], [0, 1]))
    assert catalog[-1].primary.read()["x"].attrs == {"object": "motor"}


def test_results_may_be_written_to(stream):
    found = stream.read()
    for variable in found.data_vars.values():
        variable.values[0] = variable.values[1]
    assert stream.read()["x"].values[0] == 0.5


def test_only_the_keys_asked_for_are_read(stream):
    assert list(stream.read(["n", "x"]).data_vars) == ["n", "x"]
    assert list(stream.read("n").data_vars) == ["n"]
    assert list(stream.read([]).data_vars) == []


def test_an_unknown_key_names_those_there_are(stream):
    for look_up in (stream.read, stream.__getitem__, stream.to_pandas, stream.timestamps.__getitem__):
        with pytest.raises(
            StreamNotFoundError, match="No key 'y' in stream 'primary' .*Keys: x, n, ok, text, wave"
        ):
            look_up("y")


def test_datetimes_are_chosen_per_call_or_per_catalog(stream, tmp_path):
    expected = np.array(
        ["2023-11-14T22:13:20", "2023-11-14T22:13:21", "2023-11-14T22:13:22"], "datetime64[ns]"
    )
    assert np.array_equal(stream.read(datetimes=True)["time"].values, expected)
    with hutch.open_catalog(tmp_path / "store", datetimes=True) as catalog:
        primary = catalog[-1].primary
        assert np.array_equal(primary.read()["time"].values, expected)
        assert np.array_equal(primary.to_pandas().index.values, expected)
        assert primary.read(datetimes=False)["time"].dtype == np.float64


def test_timestamps_are_a_dataset_of_their_own(stream):
    found = stream.timestamps.read()
    assert list(found.data_vars) == ["x", "n", "ok", "text", "wave"]
    assert found["x"].values.tolist() == [1.7e9 + 0.25, 1.7e9 + 1.25, 1.7e9 + 2.25]
    assert stream.timestamps["n"][1] == 1.7e9 + 1.25


def test_dimensions_are_named_as_the_descriptor_names_them(read):
    rows = [{"img": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]}] * 2
    found = read(rows, keys={"img": {"shape": [2, 3], "dims": ["row", "column"]}})
    assert found["img"].dims == ("time", "row", "column")
    assert found["img"].shape == (2, 2, 3)


def test_one_dimension_name_with_two_sizes_becomes_two_dimensions(read):
    found = read([{"a": [1, 2], "b": [1, 2, 3], "c": [4, 5]}] * 2)
    assert found["a"].dims == found["c"].dims == ("time", "dim_0")
    assert found["b"].dims == ("time", "b_dim_0")


def test_dimension_names_stay_clear_of_time_and_of_keys(read):
    rows = [{"x": 1.0, "img": [[1, 2], [3, 4]]}]
    found = read(rows, keys={"img": {"shape": [2, 2], "dims": ["time", "x"]}})
    assert found["img"].dims == ("time", "img_time", "img_x")
    found = read(rows, keys={"img": {"shape": [2, 2], "dims": ["y", "y"]}})
    assert found["img"].dims == ("time", "y", "y_1")


def test_a_key_called_time_does_not_hide_the_time_of_events(read, catalog):
    found = read([{"time": 5.0}])
    assert found["time_reading"].values.tolist() == [5.0]
    assert catalog[-1].primary.data["time"][0] == 5.0
    assert catalog[-1].primary.to_arrow()["time_reading"].to_pylist() == [5.0]


def test_whole_numbers_among_floats_are_read_as_floats(read):
    found = read([{"x": 1}, {"x": 2.5}, {"x": 3}])
    assert found["x"].dtype == np.float64
    assert found["x"].values.tolist() == [1.0, 2.5, 3.0]


def test_none_is_nan_among_numbers_and_none_among_others(read):
    found = read([{"f": 1.5, "i": 1, "t": "a", "b": True}, {"f": None, "i": None, "t": None, "b": None}])
    np.testing.assert_array_equal(found["f"].values, [1.5, np.nan])
    np.testing.assert_array_equal(found["i"].values, [1.0, np.nan])
    assert found["t"].values.tolist() == ["a", None]
    assert found["b"].values.tolist() == [True, None]


def test_ragged_arrays_are_objects(read):
    found = read([{"wave": [1.0, 2.0]}, {"wave": [3.0]}, {"wave": []}])
    assert found["wave"].dims == ("time",)
    assert [value.tolist() for value in found["wave"].values] == [[1.0, 2.0], [3.0], []]


def test_arrays_of_whole_and_other_numbers_are_still_arrays(read):
    found = read([{"wave": [1.0, 2]}, {"wave": [3, 4.5]}])
    assert found["wave"].values.tolist() == [[1.0, 2.0], [3.0, 4.5]]
    assert found["wave"].dtype == np.float64


def test_arrays_of_text_have_their_dimensions(read):
    found = read([{"names": ["a", "b"]}, {"names": ["c", "d"]}])
    assert found["names"].dims == ("time", "dim_0")
    assert found["names"].values.tolist() == [["a", "b"], ["c", "d"]]


def test_integers_beyond_64_bit_are_exact(read):
    found = read([{"big": 2**70}, {"big": 1}])
    assert found["big"].values.tolist() == [2**70, 1]


def test_dictionaries_are_objects(read):
    found = read([{"d": {"a": 1}}, {"d": {"a": 2}}])
    assert found["d"].values.tolist() == [{"a": 1}, {"a": 2}]


def test_a_key_that_some_events_lack_is_missing_there(read):
    found = read([{"x": 1.0, "t": "a"}, {"x": 2.0, "t": "b", "more": 7}, {"t": "c"}])
    np.testing.assert_array_equal(found["x"].values, [1.0, 2.0, np.nan])
    np.testing.assert_array_equal(found["more"].values, [np.nan, 7.0, np.nan])
    assert found["t"].values.tolist() == ["a", "b", "c"]


def test_several_descriptors_are_read_in_order_of_arrival(catalog, record):
    order = [0, 1, 0, 1]
    first = [{"x": 0.0, "only": 5}, {"x": 2.0, "only": 6}]
    record(two_descriptors(first, [{"x": 1}, {"x": 3}], order))
    stream = catalog[-1].primary
    found = stream.read()
    assert found["x"].values.tolist() == [0.0, 1.0, 2.0, 3.0]
    np.testing.assert_array_equal(found["only"].values, [5, np.nan, 6, np.nan])
    assert found["time"].values.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert stream["x"][2] == 2.0
    assert stream["x"][1:3].tolist() == [1.0, 2.0]
    assert stream.time[-1] == 3.0
    assert len(stream.metadata.descriptors) == 2


def test_a_stream_without_events_has_the_dtypes_of_its_descriptor(catalog, record, compose):
    documents = compose(streams={"primary": []})
    documents[1][1]["data_keys"] = {
        "x": {"source": "test", "dtype": "number", "shape": []},
        "n": {"source": "test", "dtype": "integer", "shape": []},
        "img": {"source": "test", "dtype": "array", "shape": [2, 3], "dtype_numpy": "<u2"},
        "t": {"source": "test", "dtype": "string", "shape": []},
    }
    record(documents)
    found = catalog[-1].primary.read()
    assert dict(found.sizes) == {"time": 0, "dim_0": 2, "dim_1": 3}
    assert [variable.dtype.name for variable in found.data_vars.values()] == [
        "float64",
        "int64",
        "uint16",
        "object",
    ]
    assert catalog[-1].primary["img"].shape == (0, 2, 3)
    assert len(catalog[-1].primary) == 0


def test_a_column_behaves_like_its_array_and_reads_what_is_asked_for(stream):
    wave = np.array([row["wave"] for row in ROWS])
    column = stream["wave"]
    assert column.shape == (3, 3)
    assert column.ndim == 2
    assert column.dtype == np.float64
    assert len(column) == 3
    for index in (
        0,
        -1,
        np.int64(1),
        slice(1, None),
        slice(None, None, -1),
        slice(5, 2),
        [2, 0],
        (0, 1),
        ...,
        slice(-2, None),
    ):
        np.testing.assert_array_equal(column[index], wave[index])
    np.testing.assert_array_equal(column[1:, ::-1], wave[1:, ::-1])
    np.testing.assert_array_equal(column[::-2], wave[::-2])
    np.testing.assert_array_equal(np.asarray(column), wave)
    np.testing.assert_array_equal(np.asarray(column, dtype="int64"), wave.astype("int64"))
    np.testing.assert_array_equal(column.read(), wave)
    assert [row.tolist() for row in column] == wave.tolist()
    for index in (3, -4):
        with pytest.raises(IndexError, match="it has 3"):
            column[index]


def test_one_row_is_read_from_its_batch_alone(catalog, monkeypatch):
    recorder = catalog.recorder()
    bundle = event_model.compose_run()
    descriptor = bundle.compose_descriptor(
        name="primary", data_keys={"x": {"source": "test", "dtype": "number", "shape": []}}
    )
    recorder("start", bundle.start_doc)
    recorder("descriptor", descriptor.descriptor_doc)
    run = catalog[-1]
    for number in range(3):
        values = [number * 10.0, number * 10.0 + 1]
        page = descriptor.compose_event_page(
            data={"x": values}, timestamps={"x": values}, seq_num=[1, 2], time=values
        )
        recorder("event_page", page)
        cursor = run.store.last_change()
        while run.count_rows().get("primary", 0) < 2 * number + 2:
            assert run.store.wait(cursor, 20)
            cursor = run.store.last_change()
    assert len(run.store.batches(run.row.id)) == 3
    loaded = []
    load = type(run.store).load

    def counted_load(store, batches, schema):
        loaded.extend(batches)
        return load(store, batches, schema)

    monkeypatch.setattr(type(run.store), "load", counted_load)
    assert run.primary["x"][3] == 11.0
    assert run.primary.time[4:].tolist() == [20.0, 21.0]
    assert len(loaded) == 2


def test_metadata_tells_dims_and_variables_as_read_gives_them(stream):
    found = stream.metadata
    assert list(found) == ["start", "stop", "descriptors", "dims", "data_vars", "coords"]
    assert found.start == stream.run.start
    assert found.stop == stream.run.stop
    assert found.dims == {"time": 3, "dim_0": 3}
    assert found.data_vars["wave"] == ["time", "dim_0"]
    assert found.data_vars["x"] == ["time"]
    assert found.coords == ("time",)
    assert found.descriptors == stream.descriptors


def test_metadata_names_a_key_time_as_read_does(catalog, record):
    record(streams={"primary": [{"time": 1.0, "x": 2.0}]})
    stream = catalog[-1].primary
    assert list(stream.metadata.data_vars) == list(stream.read().data_vars) == ["time_reading", "x"]


def test_configuration_has_a_row_for_each_descriptor(catalog, record):
    record(two_descriptors([{"x": 0.0}], [{"x": 1.0}], [0, 1], configuration=(5, 6)))
    config = catalog[-1].primary.config
    assert list(config) == ["motor"]
    assert list(config["motor"]) == ["speed", "vector"]
    found = config["motor"].read()
    assert found["time"].values.tolist() == [10.0, 11.0]
    assert found["speed"].values.tolist() == [5, 6]
    assert found["speed"].attrs == {"units": "mm/s"}
    assert found["vector"].dims == ("time", "dim_0")
    assert config["motor"]["speed"].tolist() == [5, 6]
    assert dict(config["motor"]).keys() == {"speed", "vector"}
    assert len(config) == 1
    assert len(config["motor"]) == 2
    with pytest.raises(KeyError, match="No device 'det' in stream 'primary' .*Devices: motor"):
        config["det"]
    with pytest.raises(
        KeyError, match="No key 'colour' in the configuration of 'motor'. Keys: speed, vector"
    ):
        config["motor"]["colour"]


def test_to_pandas_is_indexed_by_time(stream):
    found = stream.to_pandas()
    assert found.index.name == "time"
    assert found.index.tolist() == [1.7e9, 1.7e9 + 1, 1.7e9 + 2]
    assert found["n"].tolist() == [1, 2, 3]
    assert found["wave"][1.7e9].tolist() == [1.0, 2.0, 3.0]
    assert list(stream.to_pandas(["x", "n"]).columns) == ["x", "n"]


def test_to_arrow_is_a_table_with_time_and_seq_num(stream):
    found = stream.to_arrow()
    assert isinstance(found, pa.Table)
    assert found.column_names == ["time", "seq_num", "x", "n", "ok", "text", "wave"]
    assert found["seq_num"].to_pylist() == [1, 2, 3]
    assert found["n"].type == pa.int64()
    assert found["ok"].to_pylist() == [True, False, True]
    assert found["text"].to_pylist() == ["a", "", "c"]
    assert found["wave"].combine_chunks().to_numpy_ndarray().tolist() == [row["wave"] for row in ROWS]


def test_to_arrow_has_nulls_and_json_for_what_has_no_type(catalog, record):
    record(
        streams={
            "primary": [{"i": 1, "odd": "a", "wave": [1]}, {"i": None, "odd": {"b": [1]}, "wave": [1, 2]}]
        }
    )
    found = catalog[-1].primary.to_arrow()
    assert found["i"].to_pylist() == [1, None]
    assert found["odd"].to_pylist() == ['"a"', '{"b": [1]}']
    assert found["wave"].to_pylist() == [[1], [1, 2]]


def test_to_arrow_has_the_types_of_the_descriptor_where_there_are_no_rows(catalog, record, compose):
    about = {
        "x": {"dtype": "number"},
        "n": {"dtype": "integer"},
        "ok": {"dtype": "boolean"},
        "text": {"dtype": "string"},
        "wave": {"dtype": "array", "shape": [3]},
        "image": {"dtype": "array", "shape": [2, 3], "dtype_numpy": "<u2"},
        "mask": {"dtype": "array", "shape": [2], "dtype_numpy": "|b1"},
        "ragged": {"dtype": "array", "shape": [None]},
    }
    keys = {key: {"source": "test", "shape": [], **more} for key, more in about.items()}
    documents = compose(streams={"primary": [dict.fromkeys(about)]}, keys=keys)
    record([(name, document) for name, document in documents if name != "event"])
    found = catalog[-1].primary.to_arrow()
    assert found.num_rows == 0
    assert {name: found[name].type for name in about} == {
        "x": pa.float64(),
        "n": pa.int64(),
        "ok": pa.bool_(),
        "text": pa.string(),
        "wave": pa.fixed_shape_tensor(pa.float64(), [3]),
        "image": pa.fixed_shape_tensor(pa.uint16(), [2, 3]),
        "mask": pa.list_(pa.bool_()),
        "ragged": pa.list_(pa.float64()),
    }


def test_what_names_no_keys_is_refused_with_the_keys_there_are(stream):
    for wrong in (5, [["x"]], 2.5):
        with pytest.raises(TypeError, match="names no keys. Give the name .* Keys: x, n, ok, text, wave"):
            stream.read(wrong)


def test_its_texts_say_what_it_is(stream):
    uid = stream.run.uid
    assert repr(stream) == f"<Stream 'primary' of run '{uid}': 3 rows of x, n, ok, text, wave>"
    assert repr(stream.data) == f"<Readings of 'primary' of run '{uid}': x, n, ok, text, wave>"
    assert repr(stream["x"]) == f"<'x' in stream 'primary' of run '{uid}': 3 rows>"
    assert "3 rows" in stream._repr_html_()
    assert set(stream.data) < set(stream._ipython_key_completions_())
    assert stream.data._ipython_key_completions_() == list(stream.data)


@pytest.mark.parametrize(
    "odd",
    [
        {"data_keys": None},
        {"data_keys": ["x"]},
        {"data_keys": {"x": None}},
        {"data_keys": {"x": {"dtype": ["number"], "shape": 3, "dims": "time"}}},
        {"object_keys": ["x"]},
        {"object_keys": {"motor": None}},
        {"configuration": {"motor": None}},
        {"configuration": [1]},
        {"configuration": {"motor": {"data": {"speed": 1}, "data_keys": {"speed": None}}}, "time": "late"},
        {"name": 5},
    ],
)
def test_descriptors_that_break_their_schema_are_read_all_the_same(catalog, record, compose, odd):
    documents = compose(streams={"primary": [{"x": [1.0, 2.0]}]})
    documents[1] = ("descriptor", {**documents[1][1], **odd})
    record(documents)
    run = catalog[-1]
    assert run.primary.read()["x"].values.tolist() == [[1.0, 2.0]]
    assert run.primary.metadata.dims == {"time": 1, "dim_0": 2}
    assert [list(device.read().data_vars) for device in run.primary.config.values()] in (
        [],
        [[]],
        [["speed"]],
    )
    assert "x" in repr(run.primary)
    assert list(run.documents(fill="yes")) == documents
