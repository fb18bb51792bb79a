"""Files that programs without Bluesky link to their runs."""

import h5py
import numpy as np
import pytest
import tifffile

from hutch.catalogs.verifying import verify
from hutch.errors import DocumentError, ExternalDataError, RunClosedError

ON_EACH_DATABASE = True

FRAMES = np.arange(5 * 3 * 4, dtype=np.uint16).reshape(5, 3, 4)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "frames of a camera.h5"
    with h5py.File(path, "w") as made:
        made.create_dataset("entry/data/data", data=FRAMES, chunks=(1, 3, 4))
    return path


@pytest.mark.parametrize("order", ["before", "after"])
def test_frames_go_with_events_in_their_order(cat, file, order):
    with cat.start_run(sample="A") as run:
        if order == "before":
            run.link("img", file, dataset="/entry/data/data")
        for number in range(5):
            run.add("primary", {"x": number})
        if order == "after":
            run.link("img", file, "/entry/data/data", "application/x-hdf5")
    found = cat[-1].primary.read()
    assert found["x"].values.tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(found["img"].values, FRAMES)
    assert np.array_equal(cat[-1].primary["img"][3], FRAMES[3])
    assert cat[-1].stop["num_events"] == {"primary": 5}
    assert verify(cat.store).is_sound


def test_frames_without_events_are_rows_and_those_of_another_file_go_on(cat, file):
    with cat.start_run() as run:
        run.link("img", file)
        run.link("img", file)
        run.add("slow", {"temperature": 21.4})
    assert np.array_equal(cat[-1].primary["img"].read(), np.concatenate([FRAMES, FRAMES]))
    assert cat[-1].stop["num_events"] == {"primary": 10, "slow": 1}
    assert len(cat[-1].primary) == 10


def test_events_without_a_frame_have_none_and_frames_without_an_event_no_row(cat, file):
    with cat.start_run() as run:
        run.link("img", file)
        run.extend("primary", {"x": np.arange(3)})
    assert np.array_equal(cat[-1].primary["img"].read(), FRAMES[:3])
    with cat.start_run() as run:
        run.extend("primary", {"x": np.arange(6)})
        run.link("img", file)
    found = cat[-1].primary["img"].read()
    assert found.shape == (6, 3, 4)
    assert np.isnan(found[5]).all()
    assert cat[-1].stop["num_events"] == {"primary": 6}


def test_files_of_other_kinds_are_known_by_their_names(cat, tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (6, 8), dtype=np.uint8)
    stack = rng.integers(0, 255, (2, 6, 8), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "one.tif", image)
    tifffile.imwrite(tmp_path / "two.tiff", stack)
    np.save(tmp_path / "trace.npy", np.arange(2.0))
    (tmp_path / "table.csv").write_text("a,b\n1,2\n3,4\n")
    from PIL import Image

    Image.fromarray(np.stack([image] * 3, axis=-1)).save(tmp_path / "color.png")
    with cat.start_run() as run:
        run.link("two", tmp_path / "two.tiff")
        run.link("trace", tmp_path / "trace.npy")
        run.link("table", str(tmp_path / "table.csv"))
        run.link("one", tmp_path / "one.tif", stream="photo")
        run.link("color", tmp_path / "color.png", stream="photo")
    assert np.array_equal(cat[-1].primary["two"].read(), stack)
    assert cat[-1].primary["trace"].read().tolist() == [0.0, 1.0]
    assert cat[-1].primary["table"].read().tolist() == [[1, 2], [3, 4]]
    assert np.array_equal(cat[-1].photo["one"][0], image)
    assert np.array_equal(cat[-1].photo["color"][0], np.stack([image] * 3, axis=-1))
    described = cat[-1].primary.descriptors
    keys = {key: about for one in described for key, about in one["data_keys"].items()}
    assert keys["trace"]["dtype"] == "number"
    assert keys["two"]["shape"] == [6, 8]


def test_documents_are_those_of_the_event_model(cat, file):
    from event_model import DocumentNames, schema_validators

    with cat.start_run() as run:
        run.link("img", file)
        run.extend("primary", {"x": np.arange(5)})
    for name, document in cat[-1].documents(fill="no"):
        schema_validators[DocumentNames[name]].validate(document)


def test_what_cannot_be_linked_is_refused_and_nothing_is_added(cat, file, tmp_path):
    empty = tmp_path / "empty.h5"
    with h5py.File(empty, "w") as made:
        made.create_dataset("a", shape=(0, 3), maxshape=(None, 3), dtype="u2")
    several = tmp_path / "several.h5"
    with h5py.File(several, "w") as made:
        made["a"], made["b"], made["name"] = [1, 2], [3, 4], "text"
    (tmp_path / "text.h5").write_text("no HDF5")
    (tmp_path / "notes.xyz").write_text("")
    with cat.start_run() as run:
        run.add("primary", {"x": 1})
        for given, error, said in (
            (("img", tmp_path / "gone.h5", "/a"), ExternalDataError, "gone.h5"),
            (("img", tmp_path / "gone.h5"), ExternalDataError, "gone.h5"),
            (("img", tmp_path / "text.h5"), ExternalDataError, "text.h5"),
            (("img", file, "/nowhere"), ExternalDataError, "nowhere"),
            (("img", empty), DocumentError, "no frames in .* yet"),
            (("img", several), DocumentError, r"Which dataset of .* It has /a, /b\. Give dataset="),
            (("img", several, "name"), ExternalDataError, "no dimension to count frames along"),
            (("img", tmp_path / "notes.xyz"), DocumentError, "does not tell what is in it. Give mimetype="),
            (("img", file, None, "image/none"), ExternalDataError, "nothing reads files of the mimetype"),
            (("img", tmp_path / "x.npy", "/a"), DocumentError, "has no datasets"),
            (("x", file), DocumentError, "'x' of the stream 'primary' has values in events and in a file"),
            ((3, file), DocumentError, "The name of a key is 3"),
        ):
            with pytest.raises(error, match=said):
                run.link(*given)
        run.link("img", file)
        with pytest.raises(DocumentError, match="'img' of the stream 'primary' has values in events and"):
            run.add("primary", {"img": 3})
    with pytest.raises(RunClosedError):
        run.link("more", file)
    assert cat[-1].primary.read()["img"].shape == (1, 3, 4)
    assert len(cat[-1].primary.descriptors) == 2
    assert verify(cat.store).is_sound
