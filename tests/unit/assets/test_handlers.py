"""hutch's own handlers, beside what ophyd publishes and what areaDetector's files hold."""

import h5py
import numpy as np
import pytest
import tifffile
from ophyd.sim import NumpySeqHandler

from hutch.assets import FilePlaces
from hutch.assets.handlers import handler_of, own_specs
from hutch.errors import ExternalDataError, ForbiddenFileError
from hutch.plugins import register_handler

from ...detector_files import frames_of, write_eiger

FRAMES = frames_of(6, (4, 5))


@pytest.mark.parametrize("spec", ["AD_HDF5", "AD_HDF5_SWMR"])
def test_points_of_areadetector_s_hdf5_files_have_all_their_frames(tmp_path, spec):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/data/data"] = FRAMES
    read = handler_of(spec, FilePlaces())(str(tmp_path / "a.h5"), frame_per_point=2)
    np.testing.assert_array_equal(read(point_number=1), FRAMES[2:4])
    with pytest.raises(ExternalDataError, match="has 6 frames, and frame 7 is wanted"):
        read(point_number=3)


def test_points_of_areadetector_s_tiff_files_have_all_their_frames(tmp_path):
    for number, frame in enumerate(FRAMES):
        tifffile.imwrite(tmp_path / f"img_{number:03d}.tiff", frame)
    make = handler_of("AD_TIFF", FilePlaces())
    read = make(str(tmp_path), template="%s%s_%3.3d.tiff", filename="img", frame_per_point=3)
    np.testing.assert_array_equal(read(point_number=1), FRAMES[3:])


@pytest.mark.parametrize("spec", ["AD_EIGER", "AD_EIGER2"])
def test_series_of_an_eiger_are_read_whole_or_frame_by_frame(tmp_path, spec):
    write_eiger(tmp_path, "e_7", FRAMES)
    read = handler_of(spec, FilePlaces())(str(tmp_path / "e"), images_per_file=4)
    np.testing.assert_array_equal(read(seq_id=7), FRAMES)
    np.testing.assert_array_equal(read(seq_id=7, frame_num=5), FRAMES[5])
    with pytest.raises(ExternalDataError, match="e_8_master.h5' is missing"):
        read(seq_id=8)
    with h5py.File(tmp_path / "e_9_master.h5", "w") as old:
        old["entry/data_000001"] = h5py.ExternalLink("e_7_data_000001.h5", "/entry/data/data")
    np.testing.assert_array_equal(read(seq_id=9), FRAMES[:4])


def test_ophyd_s_files_are_read_as_its_own_handler_does(tmp_path):
    for number, frame in enumerate(FRAMES):
        np.save(tmp_path / f"a_{number}.npy", frame)
    # Where files come from anybody hutch's own goes first.
    own = handler_of("NPY_SEQ", FilePlaces({}, [tmp_path]))(str(tmp_path / "a"))
    np.testing.assert_array_equal(own(index=4), NumpySeqHandler(str(tmp_path / "a"))(index=4))


def test_what_a_program_registers_goes_first_but_on_a_server(tmp_path):
    register_handler("AD_HDF5", lambda path, **_: lambda **_: "theirs")
    try:
        assert handler_of("AD_HDF5", FilePlaces())("a")() == "theirs"
        limited = handler_of("AD_HDF5", FilePlaces({}, [tmp_path / "data"]))
        with pytest.raises(ForbiddenFileError, match="outside the folders"):
            limited("/etc/passwd")(point_number=0)
    finally:
        from hutch.plugins import handlers

        del handlers._registered["AD_HDF5"]


def test_an_unknown_spec_names_hutch_s_own():
    with pytest.raises(
        ExternalDataError, match="No handler opens resources of spec 'X'. Known specs: AD_EIGER, "
    ):
        handler_of("X", FilePlaces())
    assert own_specs() == sorted(own_specs())
