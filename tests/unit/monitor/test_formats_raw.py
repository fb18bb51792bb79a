from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutch.errors import UnknownFormatError
from hutch.monitor.formats.decoding import PACKETS, decode, find_bad
from hutch.monitor.reading.opening import open_source
from hutch.monitor.reading.watching import sight_file
from hutch.monitor.sources import BadRange

from ... import larpix_files
from ...larpix_files import append_raw, messages_of, packets, write_raw


def arrays(messages):
    return [np.frombuffer(message, "u1") for message in messages]


def by_larpix(messages, io_groups, path):
    """Return what larpix-control makes of messages."""
    parse = pytest.importorskip("larpix.format.pacman_msg_format").parse
    to_file = pytest.importorskip("larpix.format.hdf5format").to_file
    found = [one for message, group in zip(messages, io_groups, strict=True) for one in parse(message, group)]
    to_file(str(path), packet_list=found, workers=1)
    with h5py.File(path) as file:
        return file["packets"][:]


def test_messages_decode_to_the_packets_that_they_were_made_of():
    rows = packets(3000, 1)
    messages, groups = messages_of(rows)
    assert not find_bad(arrays(messages)).any()
    assert larpix_files.PACKETS == PACKETS
    assert np.array_equal(decode(arrays(messages), np.array(groups)), rows)


def test_messages_decode_as_larpix_control_decodes_them(tmp_path):
    messages, groups = messages_of(packets(2000, 2))
    assert np.array_equal(
        decode(arrays(messages), np.array(groups)), by_larpix(messages, groups, tmp_path / "a.h5")
    )


_CHIP = st.binary(min_size=8, max_size=8)
_WORDS = st.one_of(
    st.tuples(st.just(b"D"), st.binary(min_size=5, max_size=5), st.just(b"\0\0"), _CHIP),
    st.tuples(st.just(b"S"), st.binary(min_size=7, max_size=7), _CHIP),
    st.tuples(st.just(b"T"), st.binary(min_size=7, max_size=7), _CHIP),
).map(b"".join)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.binary(min_size=7, max_size=7), st.lists(_WORDS, max_size=4), st.integers(0, 255)),
        min_size=1,
        max_size=5,
    )
)
def test_any_data_message_decodes_as_by_larpix_control(tmp_path_factory, found):
    messages = [b"D" + head + b"".join(words) for head, words, _ in found]
    groups = [group for *_, group in found]
    expected = by_larpix(messages, groups, tmp_path_factory.mktemp("larpix") / "a.h5")
    assert np.array_equal(decode(arrays(messages), np.array(groups)), expected)


def test_words_about_the_readout_itself_are_no_packets():
    head = b"!" + (7).to_bytes(4, "little") + b"\0\3\0"
    chip = bytes(range(8))
    messages = [
        head + b"P" + bytes(15) + b"D\x05" + bytes(6) + chip + b"E" + bytes(15),
        b"?" + head[1:] + b"W" + bytes(15) + b"R" + bytes(15),
    ]
    assert not find_bad(arrays(messages)).any()
    found = decode(arrays(messages), np.array([3, 4]))
    assert found["packet_type"].tolist() == [4, chip[0] & 3, 4]
    assert found["io_group"].tolist() == [3, 3, 4]
    assert found["io_channel"].tolist() == [0, 5, 0]
    assert found["receipt_timestamp"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"D\0\0\0",
        b"X" + bytes(7),
        b"D" + bytes(7) + b"Q" + bytes(15),
        b"D" + bytes(7) + b"D" + bytes(14),
    ],
    ids=["empty", "cut in its header", "of no kind", "with a word of no kind", "cut in a word"],
)
def test_a_message_that_is_none_is_found_among_others(message):
    good = messages_of(packets(30))[0]
    assert find_bad(arrays([*good, message, *good])).nonzero()[0].tolist() == [len(good)]


def test_rows_are_messages_and_the_batch_holds_their_packets(tmp_path):
    rows = packets(2000, 3)
    write_raw(tmp_path / "a.h5", rows)
    sighting = sight_file(tmp_path / "a.h5")
    starts = np.flatnonzero(rows["packet_type"] == 4)
    assert sighting.spec.format == "raw"
    assert sighting.rows == len(starts)
    with open_source(sighting.spec) as source:
        found = source.read(10, 20)
        assert (found.start, found.stop) == (10, 20)
        assert np.array_equal(found.columns, rows[starts[10] : starts[20]])
        rest = source.read(20, 10**6)
        assert rest.stop == len(starts)
        assert np.array_equal(rest.columns, rows[starts[20] :])


def test_of_messages_and_their_headers_the_fewer_count(tmp_path):
    path = tmp_path / "a.h5"
    rows = packets(500)
    messages, groups = messages_of(rows)
    write_raw(path, rows)
    append_raw(path, messages[:5], groups[:2])
    sighting = sight_file(path)
    assert sighting.rows == len(messages) + 2
    append_raw(path, [], groups[2:5])
    assert sight_file(path).rows == len(messages) + 5
    with open_source(sighting.spec) as source:
        found = source.read(len(messages), 10**6)
    assert np.array_equal(found.columns, decode(arrays(messages[:5]), np.array(groups[:5])))


def test_messages_that_cannot_be_decoded_are_passed_over_alone(tmp_path):
    path = tmp_path / "a.h5"
    rows = packets(200)
    messages, groups = messages_of(rows)
    write_raw(path, rows[:0])
    append_raw(path, [*messages[:3], b"nonsense!", b"D", *messages[3:]], [*groups[:3], 1, 1, *groups[3:]])
    with open_source(sight_file(path).spec) as source:
        first, bad = source.read(0, 100), source.read(3, 100)
        last = source.read(5, 100)
    assert (first.start, first.stop) == (0, 3)
    assert bad == BadRange(3, 5, "2 messages are no message of a PACMAN")
    assert last.stop == len(messages) + 2
    assert np.array_equal(np.concatenate([first.columns, last.columns]), rows)


def test_messages_are_read_beside_a_writer_of_swmr(tmp_path):
    path = tmp_path / "a.h5"
    messages, groups = messages_of(packets(400, 5))
    with write_raw(path, packets(0), swmr=True) as file:
        assert sight_file(path).rows == 0
        append_raw(file, messages, groups)
        with open_source(sight_file(path).spec) as source:
            found = source.read(0, 1000)
    assert found.stop == len(messages)
    assert np.array_equal(found.columns, packets(400, 5))


def test_a_file_of_larpix_control_is_read(tmp_path):
    to_rawfile = pytest.importorskip("larpix.format.rawhdf5format").to_rawfile
    rows = packets(300, 6)
    messages, groups = messages_of(rows)
    to_rawfile(str(tmp_path / "a.h5"), msgs=messages, msg_headers={"io_groups": groups})
    with open_source(sight_file(tmp_path / "a.h5").spec) as source:
        found = source.read(0, 1000)
    assert np.array_equal(found.columns, rows)
    assert found.facts["version"] == "0.0"


def test_messages_are_written_along_with_the_packets_that_they_hold(tmp_path):
    rows = packets(300)
    write_raw(tmp_path / "a.h5", rows)
    with open_source(sight_file(tmp_path / "a.h5").spec) as source:
        with h5py.File(tmp_path / "new.h5", "w") as file:
            source.write(source.read(2, 5), file)
    with open_source(sight_file(tmp_path / "new.h5").spec) as source:
        assert source.spec.format == "packets"
    messages, groups = messages_of(rows)
    with h5py.File(tmp_path / "new.h5") as file:
        assert [one.tobytes() for one in file["msgs"]] == messages[2:5]
        assert file["msg_headers"]["io_groups"].tolist() == groups[2:5]
        assert np.array_equal(file["packets"][:], decode(arrays(messages[2:5]), np.array(groups[2:5])))


def test_messages_without_io_groups_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("msgs", (1,), h5py.vlen_dtype(np.dtype("u1")))
        file["msg_headers"] = np.zeros(1, [("other", "u1")])
    with pytest.raises(UnknownFormatError, match="no 'msg_headers' with a field 'io_groups'"):
        sight_file(tmp_path / "a.h5")
