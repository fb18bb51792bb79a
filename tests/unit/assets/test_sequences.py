"""Sequences of files: TIFF, JPEG, PNG, NPY, HDF5; their names, their shapes, what is wrong with them."""

import numpy as np
import pytest
import tifffile
from bluesky_tiled_plugins.utils import compile_template
from PIL import Image

from hutch.assets import FilePlaces, open_source
from hutch.assets.sequences import file_name
from hutch.errors import ExternalDataError

from ...detector_files import frames_of

FRAMES = frames_of(6, (4, 5)).astype("uint16")


def resource(folder, mimetype, template="", **parameters):
    uri = f"file://localhost{folder}"
    parameters |= {"template": template} if template else {}
    return {"uri": uri, "mimetype": mimetype, "parameters": parameters}


def read(source, start=0, stop=6, step=1):
    out = np.empty((len(range(start, stop, step)), *source.shape[1:]), source.dtype)
    source.read(start, stop, step, (slice(None),) * (out.ndim - 1), out)
    return out


WRITERS = {
    "tif": lambda path, frame: tifffile.imwrite(path, frame),
    "npy": lambda path, frame: np.save(path, frame),
    "png": lambda path, frame: Image.fromarray(frame.astype("uint8")).save(path),
}
MIMETYPES = {"tif": "image/tiff", "npy": "application/x-npy", "png": "image/png"}


@pytest.mark.parametrize("ending", WRITERS)
def test_a_file_for_each_frame_is_read(tmp_path, ending):
    expected = FRAMES.astype("uint8") if ending == "png" else FRAMES
    for number, frame in enumerate(FRAMES):
        WRITERS[ending](tmp_path / f"img_{number:06d}.{ending}", frame)
    found = open_source(
        resource(f"{tmp_path}/", f"multipart/related; type={MIMETYPES[ending]}", f"img_{{:06d}}.{ending}"),
        FilePlaces(),
        6,
    )
    assert (found.shape, found.dtype, found.chunks) == (expected.shape, expected.dtype, (1, 4, 5))
    np.testing.assert_array_equal(read(found), expected)
    np.testing.assert_array_equal(read(found, 1, 6, 2), expected[1:6:2])


def test_jpeg_files_are_read_as_their_colours(tmp_path):
    frames = np.full((2, 16, 16, 3), (200, 40, 40), "uint8")
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"a{number}.jpg", quality=95)
    found = open_source(
        resource(f"{tmp_path}/a", "multipart/related;type=image/jpeg", "{:d}.jpg"), FilePlaces(), 2
    )
    assert found.shape == (2, 16, 16, 3)
    assert np.abs(read(found, 0, 2).astype(int) - frames).max() < 10


def test_a_single_file_of_many_pages_is_read(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", FRAMES)
    found = open_source(resource(tmp_path / "a.tif", "image/tiff"), FilePlaces(), 6)
    assert found.shape == (6, 4, 5)
    np.testing.assert_array_equal(read(found, 2, 4), FRAMES[2:4])
    with pytest.raises(ExternalDataError, match="a.tif' has 6 frames; frame 6 is wanted"):
        found.read(5, 7, 1, (slice(None), slice(None)), np.empty((2, 4, 5)))


@pytest.mark.parametrize(
    ("template", "filename"),
    [
        ("%s%s_%06d.tif", "img"),
        ("%s%s_%6.6d.tiff", "img"),
        ("%s_%d.tif", "a"),
        ("/%s_%04d.tif", "a"),
        ("_%d.npy", ""),
        ("%3d.tif", ""),
        ("{:05d}.tif", ""),
    ],
)
@pytest.mark.parametrize("number", [0, 7, 1234567])
def test_names_are_those_of_areadetector(template, filename, number):
    # The package reads such templates for Tiled.
    expected = compile_template(template, filename).format(number)
    assert file_name(template, filename, number) == expected


@pytest.mark.parametrize(
    "template",
    ["{0.__class__}", "{filename.__init__.__globals__}", "{:0999999999d}", "{unknown}", "{:d", "{0[0]}"],
)
def test_templates_that_reach_for_more_are_refused(template):
    with pytest.raises(ExternalDataError, match="is no template of files' names"):
        file_name(template, "a", 1)


def test_damaged_missing_and_different_files_are_told(tmp_path):
    for number, frame in enumerate(FRAMES):
        tifffile.imwrite(tmp_path / f"a_{number}.tif", frame)
    (tmp_path / "a_1.tif").write_bytes((tmp_path / "a_1.tif").read_bytes()[:100])
    (tmp_path / "a_2.tif").unlink()
    tifffile.imwrite(tmp_path / "a_3.tif", FRAMES[3, :2])
    found = open_source(
        resource(f"{tmp_path}/", "multipart/related;type=image/tiff", "a_%d.tif"), FilePlaces(), 6
    )
    with pytest.raises(ExternalDataError, match="a_1.tif' cannot be read, it is damaged or not yet written"):
        read(found, 1, 2)
    with pytest.raises(ExternalDataError, match="a_2.tif' is missing"):
        read(found, 2, 3)
    with pytest.raises(
        ExternalDataError, match=r"a_3.tif' has the shape \(2, 5\), and the first file \(4, 5\)"
    ):
        read(found, 3, 4)
    np.testing.assert_array_equal(read(found, 4, 6), FRAMES[4:])


def test_python_objects_in_npy_files_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    found = open_source(resource(tmp_path / "a.npy", "application/x-npy"), FilePlaces(), 1)
    with pytest.raises(ExternalDataError, match="Python objects"):
        found.shape  # noqa: B018 - it opens the file


def test_a_server_reads_no_file_that_is_large_unpacked(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((512, 512), "uint16"), compression="zlib")
    Image.new("L", (2000, 2000)).save(tmp_path / "a.png")
    places = FilePlaces({}, [tmp_path], limit_bytes=100_000)
    for name, mimetype in (("a.tif", "image/tiff"), ("a.png", "image/png")):
        found = open_source(resource(tmp_path / name, mimetype), places, 1)
        with pytest.raises(ExternalDataError, match="bytes unpacked, and no server reads more than 100,000"):
            found.shape  # noqa: B018
        assert open_source(resource(tmp_path / name, mimetype), FilePlaces(), 1).shape


def test_unknown_mimetypes_name_the_known():
    with pytest.raises(
        ExternalDataError, match=r"'application/x-raw'. These are read: application/x-hdf5, .*tiff"
    ):
        open_source(resource("/a", "application/x-raw"), FilePlaces(), 1)
