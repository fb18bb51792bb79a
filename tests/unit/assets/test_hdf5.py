"""Datasets in HDF5 files: links, slices, what a server refuses."""

import h5py
import hdf5plugin
import numpy as np
import pytest

from hutch.assets import FilePlaces, open_source
from hutch.errors import ExternalDataError, ForbiddenFileError

from ...detector_files import frames_of, write_eiger

FRAMES = frames_of(6, (8, 10))
WHOLE = (slice(None), slice(None))


def source(path, dataset="/data", places=None, **parameters):
    resource = {
        "uri": str(path),
        "mimetype": "application/x-hdf5",
        "parameters": {"dataset": dataset, **parameters},
    }
    return open_source(resource, places or FilePlaces(), 6)


def read(found, start=0, stop=6, step=1):
    out = np.empty((len(range(start, stop, step)), *found.shape[1:]), found.dtype)
    found.read(start, stop, step, (slice(None),) * (out.ndim - 1), out)
    return out


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=FRAMES, chunks=(2, 8, 10))
        file["group/inner"] = h5py.SoftLink("/data")
        file["round"] = h5py.SoftLink("/about")
        file["about"] = h5py.SoftLink("/round")
        file["gone"] = h5py.ExternalLink("b.h5", "/data")
        file["number"] = 5
    return tmp_path / "a.h5"


def test_links_within_and_between_files_are_followed(tmp_path, path):
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file["there"] = h5py.ExternalLink("a.h5", "/group")
        file["here"] = h5py.SoftLink("there/inner")
    for dataset in ("/there/inner", "here"):
        np.testing.assert_array_equal(read(source(tmp_path / "master.h5", dataset)), FRAMES)
    assert source(path).chunks == (2, 8, 10)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("/none", "there is no dataset '/none' in '.*a.h5': no 'none' in '/'"),
        ("/data/more", "'/data' is no group"),
        ("/group", "a group without datasets of frames; it has inner"),
        ("/round", "its links lead in a circle"),
        ("/gone", "the file '.*b.h5' is missing.* The file '.*a.h5' links to it"),
        ("/number", "has no dimension to count frames along"),
    ],
)
def test_what_is_not_there_is_told(path, dataset, message):
    with pytest.raises(ExternalDataError, match=message):
        source(path, dataset).shape  # noqa: B018 - it opens the file


@pytest.mark.parametrize(
    ("slices", "squeeze", "expected"),
    [
        ((":", "2:6:2"), False, FRAMES[:, 2:6:2]),
        ("(:, 3, :)", True, FRAMES[:, 3]),
        ("(:, 3, :)", False, FRAMES[:, 3:4]),
        (("1:", "-1"), True, FRAMES[1:, -1]),
        (("::2", ":", "0:1"), True, FRAMES[::2, :, 0]),
    ],
)
def test_a_part_of_each_frame_is_read_where_the_documents_say_so(path, slices, squeeze, expected):
    found = source(path, slice=slices, squeeze=squeeze)
    assert found.shape == expected.shape
    np.testing.assert_array_equal(read(found, 0, len(expected)), expected)
    np.testing.assert_array_equal(read(found, 1, len(expected), 2), expected[1::2])
    with pytest.raises(ExternalDataError, match="is no slice"):
        source(path, slice=("a",)).shape  # noqa: B018


def test_frames_that_come_later_are_seen(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.create_dataset("data", data=FRAMES[:2], maxshape=(None, 8, 10), chunks=(1, 8, 10))
        file.swmr_mode = True
        found = source(tmp_path / "a.h5")
        assert found.shape == (2, 8, 10)
        with pytest.raises(
            ExternalDataError, match="has 2 frames, and frame 3 is wanted: .* still being written"
        ):
            read(found, 2, 4)
        file["data"].resize(4, axis=0)
        file["data"][2:] = FRAMES[2:4]
        file["data"].flush()
        np.testing.assert_array_equal(read(found, 0, 4), FRAMES[:4])


def test_reading_keeps_no_lock_that_a_writer_minds(path):
    found = source(path)
    read(found)
    program = f"import h5py; h5py.File({str(path)!r}, 'r+').close()"
    import subprocess
    import sys

    subprocess.run([sys.executable, "-c", program], check=True)


# what a server refuses


@pytest.fixture
def places(tmp_path):
    return FilePlaces({}, [tmp_path / "data"], limit_bytes=2**20)


@pytest.fixture
def inside(tmp_path):
    (tmp_path / "data").mkdir()
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["data"] = FRAMES
    return tmp_path / "data"


def test_a_server_follows_no_link_to_other_folders(tmp_path, inside, places):
    layout = h5py.VirtualLayout(FRAMES.shape, FRAMES.dtype)
    layout[...] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "data", FRAMES.shape)
    with h5py.File(inside / "a.h5", "w") as file:
        file["link"] = h5py.ExternalLink("../secret.h5", "/data")
        file["absolute"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/data")
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset(
            "raw", (6, 8, 10), "uint32", external=[(str(tmp_path / "secret.h5"), 0, 6 * 8 * 10 * 4)]
        )
    for dataset in ("link", "absolute", "virtual", "raw"):
        assert read(source(inside / "a.h5", dataset)).shape == FRAMES.shape
        with pytest.raises(ForbiddenFileError, match="outside the folders|are in another file"):
            read(source(inside / "a.h5", dataset, places))


def test_a_server_unpacks_what_detectors_write(inside, places):
    packings = {
        "gzip": {"compression": "gzip", "shuffle": True},
        "checked": {"compression": "gzip", "fletcher32": True},
        "lzf": {"compression": "lzf"},
        "bitshuffle": hdf5plugin.Bitshuffle(cname="lz4"),
        "bitshuffle_only": hdf5plugin.Bitshuffle(cname="none"),
        "bitshuffle_zstd": hdf5plugin.Bitshuffle(cname="zstd"),
        "lz4": hdf5plugin.LZ4(),
        "blosc": hdf5plugin.Blosc(),
        "zstd": hdf5plugin.Zstd(),
        "none": {},
    }
    with h5py.File(inside / "a.h5", "w") as file:
        for name, options in packings.items():
            file.create_dataset(name, data=FRAMES, chunks=(2, 8, 10), **dict(options))
    for name in packings:
        np.testing.assert_array_equal(read(source(inside / "a.h5", name, places)), FRAMES)
    write_eiger(inside, "e", FRAMES)
    for dataset in ("entry/data", "entry/data/data"):
        np.testing.assert_array_equal(read(source(inside / "e_master.h5", dataset, places)), FRAMES)


def test_a_server_unpacks_no_bombs(inside, places):
    with h5py.File(inside / "a.h5", "w") as file:
        file.create_dataset("wide", (6, 1024, 1024), "uint16", chunks=(1, 1024, 1024), compression="gzip")
        file["wide"][0] = 0
        for name, options in {
            "gzip": {"compression": "gzip"},
            "lz4": hdf5plugin.LZ4(),
            "bitshuffle": hdf5plugin.Bitshuffle(cname="lz4"),
            "blosc": hdf5plugin.Blosc(),
            "zstd": hdf5plugin.Zstd(),
        }.items():
            one = file.create_dataset(name, (6, 8, 10), "uint32", chunks=(1, 8, 10), **dict(options))
            large = file.create_dataset(f"{name}-", (1, 2**24), "uint8", chunks=(1, 2**24), **dict(options))
            large[...] = 0
            # The chunk of another dataset, which is far larger than it should be.
            _, packed = large.id.read_direct_chunk((0, 0))
            one.id.write_direct_chunk((0, 0, 0), packed)
        both = dict(hdf5plugin.Blosc2())
        file.create_dataset("blosc2", data=FRAMES, chunks=(1, 8, 10), **both)
    for name in ("gzip", "lz4", "bitshuffle", "blosc", "zstd"):
        with pytest.raises(ExternalDataError, match="says that it is larger unpacked than it can be"):
            read(source(inside / "a.h5", name, places), 0, 1)
    with pytest.raises(
        ExternalDataError, match="has 2,097,152 bytes, and no server reads chunks above 1,048,576"
    ):
        read(source(inside / "a.h5", "wide", places), 0, 1)
    with pytest.raises(ExternalDataError, match="no server unpacks these"):
        read(source(inside / "a.h5", "blosc2", places))
    np.testing.assert_array_equal(read(source(inside / "a.h5", "blosc2")), FRAMES)
