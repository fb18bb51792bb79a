"""Which frames the rows of a stream have: stream_resource and stream_datum documents, made by hand."""

import event_model
import h5py
import numpy as np
import pytest

from hutch.errors import ExternalDataError

SHAPE = (3, 4)


class Made:
    """Documents of a run whose detector's files are written too."""

    def __init__(self, folder, keys=("img",), scalar=True, img=None):
        self.folder = folder
        self.bundle = event_model.compose_run()
        self.documents = [("start", self.bundle.start_doc)]
        about = {
            "source": "f",
            "dtype": "array",
            "dtype_numpy": "<u2",
            "shape": list(SHAPE),
            "external": "STREAM:",
        }
        data_keys = {key: {**about, **(img or {})} for key in keys}
        if scalar:
            data_keys["x"] = {"source": "f", "dtype": "number", "shape": []}
        self.descriptor = self.bundle.compose_descriptor(name="primary", data_keys=data_keys)
        self.documents.append(("descriptor", self.descriptor.descriptor_doc))
        self._datums = {}

    def file(self, frames, key="img", name="a.h5", **parameters):
        with h5py.File(self.folder / name, "w") as file:
            file.create_dataset(
                "frames", data=frames, chunks=(1, *frames.shape[1:]) if frames.ndim > 1 else None
            )
        made = self.bundle.compose_stream_resource(
            mimetype="application/x-hdf5",
            uri=f"file://localhost{self.folder / name}",
            data_key=key,
            parameters={"dataset": "/frames", **parameters},
        )
        self._datums[name] = made.compose_stream_datum
        self.documents.append(("stream_resource", made.stream_resource_doc))

    def datum(self, indices, seq_nums, name="a.h5"):
        ranges = [{"start": start, "stop": stop} for start, stop in (indices, seq_nums)]
        datum = self._datums[name](*ranges, descriptor=self.descriptor.descriptor_doc)
        self.documents.append(("stream_datum", datum))

    def event(self, seq_num):
        event = self.descriptor.compose_event(
            data={"x": float(seq_num)}, timestamps={"x": 0.0}, seq_num=seq_num
        )
        self.documents.append(("event", event))

    def recorded(self, record, catalog):
        self.documents.append(("stop", self.bundle.compose_stop()))
        record(self.documents)
        return catalog[-1].primary


def frames(count, first=0):
    return (np.arange(count * 12).reshape(count, *SHAPE) + 12 * first).astype("uint16")


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path)


def test_one_datum_may_be_for_many_events(made, record, catalog):
    made.file(frames(4))
    for number in range(1, 5):
        made.event(number)
    made.datum((0, 4), (1, 5))
    stream = made.recorded(record, catalog)
    np.testing.assert_array_equal(stream.read()["img"].values, frames(4))
    assert stream["img"].dtype == np.uint16


def test_rows_without_frames_are_nan(made, record, catalog):
    made.file(frames(3))
    for number in range(1, 6):
        made.event(number)
    made.datum((0, 2), (2, 4))
    # An event whose detector gave nothing, and a datum that says so.
    made.datum((2, 2), (4, 5))
    made.datum((2, 3), (5, 6))
    stream = made.recorded(record, catalog)
    found = stream.read()["img"].values
    assert found.dtype == np.float64
    assert np.isnan(found).all(axis=(1, 2)).tolist() == [True, False, False, True, False]
    np.testing.assert_array_equal(found[[1, 2, 4]], frames(3))
    assert np.isnan(stream["img"][3]).all()
    np.testing.assert_array_equal(stream["img"][4], frames(3)[2])


def test_after_a_rewind_rows_have_the_frames_that_were_taken_for_them(made, record, catalog):
    made.file(frames(5))
    for indices, seq_num in [((0, 1), 1), ((1, 2), 2), ((2, 3), 3), ((3, 4), 2), ((4, 5), 3)]:
        made.datum(indices, (seq_num, seq_num + 1))
        made.event(seq_num)
    stream = made.recorded(record, catalog)
    assert stream["seq_num"].read().tolist() == [1, 2, 3, 2, 3]
    np.testing.assert_array_equal(stream.read()["img"].values, frames(5))


@pytest.mark.parametrize("goes_on", [True, False], ids=["goes on counting", "begins again"])
def test_frames_in_several_files_are_one_array(made, record, catalog, goes_on):
    made.file(frames(3))
    made.datum((0, 3), (1, 4))
    made.file(frames(2, first=3), name="b.h5")
    made.datum((3, 5) if goes_on else (0, 2), (4, 6), name="b.h5")
    for number in range(1, 6):
        made.event(number)
    stream = made.recorded(record, catalog)
    np.testing.assert_array_equal(stream.read()["img"].values, frames(5))
    np.testing.assert_array_equal(stream["img"][2:4], frames(5)[2:4])
    assert stream.to_dask()["img"].chunks == ((1,) * 5, (3,), (4,))


def test_frames_of_different_shapes_are_told(made, record, catalog):
    made.file(frames(1))
    made.datum((0, 1), (1, 2))
    made.file(frames(1)[:, :2], name="b.h5")
    made.datum((0, 1), (2, 3), name="b.h5")
    made.event(1)
    made.event(2)
    stream = made.recorded(record, catalog)
    with pytest.raises(
        ExternalDataError, match=r"b.h5' are \(2, 4\) of uint16, others of the key are \(3, 4\)"
    ):
        stream["img"].read()
    np.testing.assert_array_equal(stream["img"][0], frames(1)[0])


def test_frames_without_events_are_rows_without_time(tmp_path, record, catalog):
    made = Made(tmp_path, keys=("img", "sum"), scalar=False)
    made.descriptor.descriptor_doc["data_keys"]["sum"]["shape"] = []
    made.file(frames(4))
    made.file(np.arange(4), key="sum", name="b.h5")
    made.datum((0, 4), (1, 5))
    made.datum((0, 4), (1, 5), name="b.h5")
    stream = made.recorded(record, catalog)
    assert len(stream) == 4
    found = stream.read()
    np.testing.assert_array_equal(found["img"].values, frames(4))
    assert found["sum"].values.tolist() == [0, 1, 2, 3]
    assert np.isnan(found["time"]).all()
    assert stream["seq_num"].read().tolist() == [1, 2, 3, 4]
    assert stream.timestamps.read()["img"].shape == (4,)
    assert stream.to_dask()["sum"].values.tolist() == [0, 1, 2, 3]
    assert stream.metadata["dims"] == {"time": 4, "dim_0": 3, "dim_1": 4}


@pytest.mark.parametrize(
    ("written", "promised", "parameters", "expected"),
    [
        ((8, 3, 4), [3, 4], {}, (8, 3, 4)),
        ((8, 3, 4), [1, 3, 4], {}, (8, 1, 3, 4)),
        ((8, 3, 4), [2, 3, 4], {}, (4, 2, 3, 4)),
        ((4, 2, 3, 4), [2, 3, 4], {}, (4, 2, 3, 4)),
        ((8, 3, 4), [1, 3, 4], {"multiplier": 2}, (4, 2, 3, 4)),
        ((8,), [], {}, (8,)),
        ((8,), [1], {}, (8,)),
        ((8,), [4], {}, (2, 4)),
        ((8, 3, 4), [0, 0], {}, (8, 3, 4)),  # a detector that did not know
        ((8, 3, 4), [5, 7], {}, (8, 3, 4)),  # or was wrong
    ],
)
def test_files_tell_the_frames_and_descriptors_arrange_them(
    tmp_path, record, catalog, written, promised, parameters, expected
):
    made = Made(tmp_path, img={"shape": promised})
    data = np.arange(np.prod(written)).reshape(written).astype("uint16")
    made.file(data, **parameters)
    for number in range(1, expected[0] + 1):
        made.event(number)
    made.datum((0, expected[0]), (1, expected[0] + 1))
    stream = made.recorded(record, catalog)
    wanted = data.reshape(expected)
    assert stream["img"].shape == expected
    np.testing.assert_array_equal(stream.read()["img"].values, wanted)
    np.testing.assert_array_equal(stream.to_dask()["img"].values, wanted)
    for index in (1, (slice(None, None, 2),), ([1, 0], ...), (slice(0, 2), *[0] * (len(expected) - 1))):
        np.testing.assert_array_equal(stream["img"][index], wanted[index])
    if len(expected) == 4:
        np.testing.assert_array_equal(stream["img"][:, -1, 1:, ::2], wanted[:, -1, 1:, ::2])


def test_more_frames_than_a_file_has_are_told(made, record, catalog):
    made.file(frames(2))
    made.event(1)
    made.datum((0, 1), (1, 2))
    made.event(2)
    made.datum((1, 2), (2, 3))
    made.event(3)
    made.datum((2, 3), (3, 4))
    stream = made.recorded(record, catalog)
    np.testing.assert_array_equal(stream["img"][:2], frames(2))
    with pytest.raises(
        ExternalDataError, match=r"Cannot read 'img' of run '.*a.h5' has 2 frames, and frame 2 is"
    ):
        stream.read()
    assert stream.read("x")["x"].values.tolist() == [1.0, 2.0, 3.0]


def test_a_key_that_nothing_was_announced_for_is_all_nan(made, record, catalog):
    made.event(1)
    found = made.recorded(record, catalog).read()
    assert found["img"].shape == (1, 3, 4)
    assert np.isnan(found["img"]).all()


def test_what_a_missing_file_should_have_is_promised_by_the_documents(made, record, catalog):
    made.file(frames(2))
    made.event(1)
    made.datum((0, 1), (1, 2))
    stream = made.recorded(record, catalog)
    (made.folder / "a.h5").unlink()
    lazy = stream.to_dask()
    assert (lazy["img"].shape, lazy["img"].dtype) == ((1, 3, 4), np.uint16)
    assert lazy["x"].values.tolist() == [1.0]
    with pytest.raises(ExternalDataError, match="is missing"):
        lazy["img"].compute()


def test_an_older_stream_resource_is_understood(made, record, catalog):
    made.file(frames(2))
    (tmp,) = [document for name, document in made.documents if name == "stream_resource"]
    for key in ("mimetype", "uri", "parameters"):
        del tmp[key]
    tmp |= {
        "spec": "AD_HDF5_SWMR_STREAM",
        "root": str(made.folder),
        "resource_path": "a.h5",
        "resource_kwargs": {"path": "/frames"},
    }
    made.event(1)
    made.datum((0, 1), (1, 2))
    found = made.recorded(record, catalog).read()["img"]
    np.testing.assert_array_equal(found.values, frames(1))


def test_a_table_of_text_is_read(tmp_path, record, catalog):
    made = Made(tmp_path, img={"shape": [2]})
    (made.folder / "a.csv").write_text("1,2\n3,4\n5,6\n")
    made.file(frames(1))
    resource = made.documents[-1][1]
    resource |= {
        "mimetype": "text/csv;header=absent",
        "uri": f"file://localhost{made.folder}/a.csv",
        "parameters": {},
    }
    for number in range(1, 4):
        made.event(number)
    made.datum((0, 3), (1, 4))
    stream = made.recorded(record, catalog)
    assert stream["img"].read().tolist() == [[1, 2], [3, 4], [5, 6]]
    assert stream["img"][1:, 1].tolist() == [4, 6]
