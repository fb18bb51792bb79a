from __future__ import annotations

import os

import h5py
import numpy as np
import pytest

from hutch.errors import SourceChangedError, SourceUnavailableError, UnknownFormatError
from hutch.monitor.plots import SHIPPED
from hutch.monitor.reading.opening import open_source
from hutch.monitor.reading.watching import sight_file
from hutch.monitor.sources import BadRange

from ...larpix_files import PACKETS, append_packets, packets, write_packets


def read_all(source, step=1000):
    """Return everything that can be read, and what cannot."""
    parts, bad, start = [], [], 0
    while start < source.rows():
        found = source.read(start, start + step)
        assert found.start == start < found.stop
        (bad if isinstance(found, BadRange) else parts).append(found)
        start = found.stop
    return parts, bad


def damage(path, dataset, chunk):
    """Overwrite the middle of a chunk as it is on the disk."""
    with h5py.File(path) as file:
        about = file[dataset].id.get_chunk_info(chunk)
    with open(path, "r+b") as file:
        file.seek(about.byte_offset + about.size // 3)
        file.write(b"\xff" * (about.size // 3))
    os.utime(path, (1e9, 1e9))  # nobody writes to it any more


def test_packets_come_as_they_were_written_in_parts_of_any_size(tmp_path):
    rows = packets(2500, 1)
    write_packets(tmp_path / "a.h5", rows)
    with open_source(sight_file(tmp_path / "a.h5").spec) as source:
        assert source.rows() == 2500
        parts, bad = read_all(source, 999)
    assert [(part.start, part.stop) for part in parts] == [(0, 999), (999, 1998), (1998, 2500)]
    assert np.array_equal(np.concatenate([part.columns for part in parts]), rows)
    assert not bad
    assert parts[0].facts["version"] == "2.4"
    assert parts[0].facts["created"] == 1_700_000_000.0


def test_reading_past_the_end_gives_no_rows_and_does_not_move(tmp_path):
    write_packets(tmp_path / "a.h5", packets(10))
    with open_source(sight_file(tmp_path / "a.h5").spec) as source:
        found = source.read(10, 20)
    assert (len(found), found.start, found.stop) == (0, 10, 10)


def test_a_file_without_rows_has_none_yet_and_is_another_once_they_come(tmp_path):
    path = tmp_path / "a.h5"
    write_packets(path, packets(0))
    before = sight_file(path)
    append_packets(path, packets(5))
    after = sight_file(path)
    append_packets(path, packets(5, 1))
    assert (before.rows, after.rows, sight_file(path).rows) == (0, 5, 10)
    assert before.spec.identity != after.spec.identity == sight_file(path).spec.identity


def test_the_dtype_counts_and_not_what_the_version_says(tmp_path):
    rows = packets(100)
    fields = [name for name in PACKETS.names if name not in ("receipt_timestamp", "first_packet")]
    old = np.zeros(100, [(name, PACKETS[name]) for name in fields])
    for name in fields:
        old[name] = rows[name]
    write_packets(tmp_path / "a.h5", old, version="2.4")
    with open_source(sight_file(tmp_path / "a.h5").spec) as source:
        found = source.read(0, 100)
    assert found.names == tuple(fields)
    assert np.array_equal(found["dataword"], rows["dataword"])
    assert "receipt_timestamp" not in found
    with pytest.raises(KeyError, match="receipt_timestamp"):
        found["receipt_timestamp"]


@pytest.mark.parametrize(("version", "name"), [("0.0", "raw_packet"), ("1.0", "packets")])
def test_packets_of_the_first_versions_are_read_by_their_later_names(tmp_path, version, name):
    hdf5format = pytest.importorskip("larpix.format.hdf5format")
    rng = np.random.default_rng(0)
    rows = np.zeros(600, hdf5format.dtypes[version][name])
    keys = [b"1-2-13", b"2-30-250", b"odd", b""]
    rows["chip_key"] = rng.choice(keys, 600)
    for field in ("type", "chipid", "channel", "adc_counts", "timestamp"):
        rows[field] = rng.integers(0, 5, 600)
    rows["fifo_half"], rows["fifo_full"] = rng.integers(0, 2, 600), rng.integers(0, 2, 600)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(name, data=rows, maxshape=(None,), chunks=(100,))
    with open_source(sight_file(path).spec) as source:
        parts, bad = read_all(source, 250)
    found = np.concatenate([part.columns for part in parts])

    assert (source.spec.format, len(found), bad) == ("packets", 600, [])
    expected = {b"1-2-13": (1, 2), b"2-30-250": (2, 30), b"odd": (0, 0), b"": (0, 0)}
    assert [*zip(found["io_group"], found["io_channel"], strict=True)] == [
        expected[key] for key in rows["chip_key"]
    ]
    for old, new in (("type", "packet_type"), ("channel", "channel_id"), ("adc_counts", "dataword")):
        assert np.array_equal(found[new], rows[old])
    flags = [
        3 if full else int(half) for half, full in zip(rows["fifo_half"], rows["fifo_full"], strict=True)
    ]
    assert found["local_fifo"].tolist() == flags
    plot = SHIPPED["PacketRate"]()
    for part in parts:
        plot.update(part)
    plot.figure().canvas.draw()


def test_packets_that_lack_what_makes_them_packets_are_refused_by_name(tmp_path):
    write_packets(tmp_path / "a.h5", np.zeros(3, [("type", "u1"), ("timestamp", "u8")]), version="1.0")
    with pytest.raises(UnknownFormatError, match=r"no io_group, .*packet_type.*it has type, timestamp"):
        sight_file(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["packets"] = np.arange(5)
    with pytest.raises(UnknownFormatError, match="it has no fields"):
        sight_file(tmp_path / "b.h5")


@pytest.mark.parametrize("swmr", [False, True])
def test_a_file_is_read_while_its_writer_has_it_open(tmp_path, swmr):
    path = tmp_path / "a.h5"
    rows = packets(900, 2)
    file = write_packets(path, rows[:300], swmr=swmr) or h5py.File(path, "a")
    with file:
        append_packets(file, rows[300:600])
        spec = sight_file(path).spec
        with open_source(spec) as source:
            assert source.rows() == 600
            append_packets(file, rows[600:])
            found = source.read(0, 900)
    assert np.array_equal(found.columns, rows)
    assert sight_file(path).spec == spec


def test_a_damaged_chunk_costs_its_own_rows_and_no_others(tmp_path):
    path = tmp_path / "a.h5"
    rows = packets(2000, 3)
    write_packets(path, rows, chunks=100, compression="gzip")
    spec = sight_file(path).spec
    for first in (300, 400, 1900):
        damage(path, "packets", (first // 100))
    with open_source(spec) as source:
        parts, bad = read_all(source, 1000)
    assert [(one.start, one.stop) for one in bad] == [(300, 500), (1900, 2000)]
    assert all("OSError" in one.why for one in bad)
    kept = np.concatenate([rows[:300], rows[500:1900]])
    assert np.array_equal(np.concatenate([part.columns for part in parts]), kept)


def test_rows_that_cannot_be_read_while_a_file_is_written_are_not_given_up_at_once(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    rows = packets(300, 1)
    write_packets(path, rows, chunks=100, compression="gzip")
    whole = path.read_bytes()
    damage(path, "packets", 1)
    os.utime(path)
    with open_source(sight_file(path).spec) as source:
        assert source.read(0, 300).stop == 100
        with pytest.raises(SourceUnavailableError, match="row 100 .* cannot be read yet"):
            source.read(100, 300)
        path.write_bytes(whole)
        assert np.array_equal(source.read(100, 300).columns, rows[100:])
        damage(path, "packets", 1)
        os.utime(path)
        monkeypatch.setattr("hutch.monitor.formats.files.PATIENCE_S", 0.0)
        bad = source.read(100, 300)
    assert (bad.start, bad.stop) == (100, 200)


def test_reading_begins_in_the_midst_of_a_damaged_chunk_and_leaves_it_at_its_end(tmp_path):
    write_packets(tmp_path / "a.h5", packets(500), chunks=100, compression="gzip")
    spec = sight_file(tmp_path / "a.h5").spec
    damage(tmp_path / "a.h5", "packets", 2)
    with open_source(spec) as source:
        found = source.read(250, 400)
        assert (found.start, found.stop) == (250, 300)
        assert len(source.read(300, 400)) == 100


@pytest.mark.parametrize("swmr", [False, True])
def test_a_file_that_was_cut_short_is_unavailable_and_hangs_nothing(tmp_path, swmr):
    path = tmp_path / "a.h5"
    file = write_packets(path, packets(5000), swmr=swmr, libver="latest")
    spec = sight_file(path).spec
    copy = tmp_path / "copy.h5"
    copy.write_bytes(path.read_bytes()[:-20_000])
    if file is not None:
        file.close()
    os.replace(copy, path)
    with open_source(spec) as source, pytest.raises(SourceUnavailableError, match=r"cut short|truncated"):
        source.rows()


def test_a_file_that_is_no_hdf5_yet_or_is_gone_is_unavailable(tmp_path):
    path = tmp_path / "a.h5"
    write_packets(path, packets(5))
    spec = sight_file(path).spec
    path.write_bytes(b"\x89HDF\r\n")
    with pytest.raises(SourceUnavailableError, match="no HDF5 file that can be read"):
        sight_file(path)
    path.unlink()
    with open_source(spec) as source, pytest.raises(SourceUnavailableError, match="missing"):
        source.read(0, 5)


def test_another_file_at_the_same_place_is_not_taken_for_the_first(tmp_path):
    path = tmp_path / "a.h5"
    write_packets(path, packets(50, 1))
    spec = sight_file(path).spec
    write_packets(tmp_path / "b.h5", packets(50, 1))
    os.replace(tmp_path / "b.h5", path)
    with open_source(spec) as source, pytest.raises(SourceChangedError, match="replaced or written anew"):
        source.read(0, 10)


def test_a_file_that_is_written_anew_in_its_inode_is_another(tmp_path):
    path = tmp_path / "a.h5"
    write_packets(path, packets(50, 1))
    spec, inode = sight_file(path).spec, path.stat().st_ino
    write_packets(path, packets(50, 2), created=1_700_000_001.5)
    assert path.stat().st_ino == inode
    with open_source(spec) as source, pytest.raises(SourceChangedError, match="replaced or written anew"):
        source.rows()


def test_what_is_written_along_holds_only_the_rows_of_the_batch_and_the_file_s_header(tmp_path):
    rows = packets(300)
    write_packets(tmp_path / "a.h5", rows)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["messages"].resize((2,))
        file["messages"][:] = [(b"begin", 1, 0), (b"end", 2, 1)]
    with open_source(sight_file(tmp_path / "a.h5").spec) as source:
        with h5py.File(tmp_path / "new.h5", "w") as file:
            source.write(source.read(100, 150), file)
    with h5py.File(tmp_path / "new.h5") as file:
        assert np.array_equal(file["packets"][:], rows[100:150])
        assert file["_header"].attrs["version"] == "2.4"
        assert list(file["messages"]["message"]) == [b"begin", b"end"]
        assert set(file) == {"_header", "packets", "messages", "configs"}
        assert len(file["configs"]) == 0
