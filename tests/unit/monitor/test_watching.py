from __future__ import annotations

import fcntl
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from hutch.errors import ConfigurationError, SourceChangedError, SourceUnavailableError
from hutch.monitor.reading.opening import open_source
from hutch.monitor.reading.watching import FolderWatcher, sight_file

from ...larpix_files import append_packets, append_raw, messages_of, packets, write_packets, write_raw
from .test_formats_packets import damage, read_all


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def seen(sightings):
    return [(one.spec.base, one.rows) for one in sightings]


def test_files_that_were_there_before_are_reported_and_later_only_what_changes(tmp_path):
    write_packets(tmp_path / "a.h5", packets(30))
    write_raw(tmp_path / "b.h5", packets(100))
    os.utime(tmp_path / "a.h5", (50, 50))
    watcher = FolderWatcher(tmp_path)
    first = watcher.poll()
    assert seen(first) == [("a", 30), ("b", len(messages_of(packets(100))[0]))]
    assert first[0].written == 50
    assert [one.spec.format for one in first] == ["packets", "raw"]
    assert watcher.poll() == []
    append_packets(tmp_path / "a.h5", packets(20))
    write_packets(tmp_path / "c.h5", packets(0))
    assert seen(watcher.poll()) == [("a", 50), ("c", 0)]
    assert watcher.poll() == []
    assert watcher.refusals() == []


def test_the_identity_of_a_file_survives_growth_and_another_monitor(tmp_path):
    write_packets(tmp_path / "a.h5", packets(30))
    before = FolderWatcher(tmp_path).poll()[0].spec
    append_packets(tmp_path / "a.h5", packets(3000))
    assert FolderWatcher(tmp_path).poll()[0].spec == before


def test_a_clock_of_another_machine_that_is_wrong_changes_nothing(tmp_path):
    path = tmp_path / "a.h5"
    write_packets(path, packets(30))
    watcher = FolderWatcher(tmp_path)
    os.utime(path, (4_000_000_000, 4_000_000_000))
    assert seen(watcher.poll()) == [("a", 30)]
    append_packets(path, packets(5))
    os.utime(path, (1, 1))
    assert seen(watcher.poll()) == [("a", 35)]


def test_a_second_change_within_the_same_tick_of_the_server_s_clock_is_seen(tmp_path):
    path = tmp_path / "a.h5"
    write_packets(path, packets(30))
    watcher = FolderWatcher(tmp_path)
    watcher.poll()
    watcher.poll()
    append_packets(path, packets(5))
    os.utime(path, ns=(10**18, 10**18))
    size = path.stat().st_size
    assert seen(watcher.poll()) == [("a", 35)]
    append_packets(path, packets(5))
    os.utime(path, ns=(10**18, 10**18))
    assert path.stat().st_size == size
    assert seen(watcher.poll()) == [("a", 40)]


def test_a_file_that_is_replaced_is_another_at_the_same_place(tmp_path):
    path = tmp_path / "a.h5"
    write_packets(path, packets(30))
    watcher = FolderWatcher(tmp_path)
    (before,) = watcher.poll()
    write_packets(tmp_path / "next", packets(30))
    os.replace(tmp_path / "next", path)
    (after,) = watcher.poll()
    assert before.spec.address == after.spec.address
    assert before.spec.base == after.spec.base
    assert before.spec.identity != after.spec.identity


def test_a_file_that_is_cut_short_by_its_writer_begins_anew(tmp_path):
    path = tmp_path / "a.h5"
    write_packets(path, packets(300))
    watcher = FolderWatcher(tmp_path)
    identities = [watcher.poll()[0].spec.identity]
    for rows in (100, 50):
        with h5py.File(path, "a") as file:
            file["packets"].resize((rows,))
        (found,) = watcher.poll()
        assert found.rows == rows
        identities.append(found.spec.identity)
        with open_source(found.spec) as source:
            assert source.read(0, 1000).stop == rows
    append_packets(path, packets(10))
    (found,) = watcher.poll()
    assert found.spec.identity == identities[-1]
    assert len(set(identities)) == 3


def test_a_file_that_is_rotated_is_the_same_under_its_new_name_and_a_new_one_begins(tmp_path):
    write_packets(tmp_path / "run.h5", packets(30))
    watcher = FolderWatcher(tmp_path)
    (before,) = watcher.poll()
    os.rename(tmp_path / "run.h5", tmp_path / "run.1.h5")
    write_packets(tmp_path / "run.h5", packets(10))
    found = {one.spec.base: one for one in watcher.poll()}
    assert found["run.1"].spec.identity == before.spec.identity
    assert found["run"].spec.identity != before.spec.identity
    assert {base: one.rows for base, one in found.items()} == {"run.1": 30, "run": 10}


def test_a_half_written_file_is_taken_once_it_is_whole_and_spoken_of_only_if_it_stays(tmp_path):
    write_packets(tmp_path / "whole", packets(30))
    whole = (tmp_path / "whole").read_bytes()
    watcher = FolderWatcher(tmp_path)
    path = tmp_path / "a.h5"
    path.write_bytes(whole[:4])
    assert watcher.poll() == []
    path.write_bytes(whole[:1500])
    assert watcher.refusals() == []
    assert watcher.poll() == []
    for _ in range(20):
        assert watcher.poll() == []
    refusals = watcher.refusals()
    assert [one.path for one in refusals] == [str(path)]
    assert "no HDF5 file that can be read" in refusals[0].why
    path.write_bytes(whole)
    assert seen(watcher.poll()) == [("a", 30)]
    assert watcher.refusals() == []


def test_a_file_that_goes_on_changing_and_cannot_be_read_is_spoken_of_in_the_end(tmp_path):
    watcher = FolderWatcher(tmp_path)
    refusals = []
    for size in range(1, 15):
        (tmp_path / "a.h5").write_bytes(bytes(size))
        assert watcher.poll() == []
        refusals.append(len(watcher.refusals()))
    assert refusals == [0] * 10 + [1, 0, 0, 0]


def test_a_file_that_becomes_readable_without_changing_is_found_in_the_end(tmp_path):
    """As when its writer lets it go, which had it open in a way that keeps others out."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("packets", data=packets(5), maxshape=(None,), chunks=(16,))
    whole, stamp = path.read_bytes(), path.stat()
    path.write_bytes(whole[:100] + bytes(len(whole) - 100))
    os.utime(path, ns=(stamp.st_mtime_ns, stamp.st_mtime_ns))
    watcher = FolderWatcher(tmp_path)
    assert [watcher.poll() for _ in range(4)] == [[]] * 4
    path.write_bytes(whole)
    os.utime(path, ns=(stamp.st_mtime_ns, stamp.st_mtime_ns))
    polls = 0
    while not (found := watcher.poll()):
        polls += 1
        assert polls < 40
    assert seen(found) == [("a", 5)]


_HOLD = """
import sys, h5py, numpy
with h5py.File(sys.argv[1], "a", locking=True) as file:
    file["packets"].resize((8,))
    file.flush()
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_file_that_its_writer_has_locked_is_read_all_the_same(tmp_path):
    path = tmp_path / "a.h5"
    write_packets(path, packets(5))
    environment = {**os.environ, "HDF5_USE_FILE_LOCKING": "TRUE"}
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as writer:
        assert writer.stdout.readline() == "held\n"
        with open(path) as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert seen(FolderWatcher(tmp_path).poll()) == [("a", 8)]
        writer.communicate(timeout=30)


def test_a_file_of_no_known_format_is_spoken_of_once_with_what_it_holds(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["title"] = "only words"
    watcher = FolderWatcher(tmp_path)
    refusals = []
    for _ in range(50):
        assert watcher.poll() == []
        refusals += watcher.refusals()
    assert len(refusals) == 1
    assert "of no known format (packets, raw, hdf5); it holds title" in refusals[0].why


def test_a_file_that_vanishes_and_comes_back_goes_on(tmp_path):
    path, away = tmp_path / "a.h5", tmp_path / "away"
    write_packets(path, packets(30))
    watcher = FolderWatcher(tmp_path)
    (before,) = watcher.poll()
    os.rename(path, away)
    assert watcher.poll() == []
    os.rename(away, path)
    assert watcher.poll() == [before]


def test_a_file_that_vanishes_between_two_looks_harms_no_other(tmp_path):
    for name in ("a.h5", "b.h5"):
        write_packets(tmp_path / name, packets(30))
    os.remove(tmp_path / "a.h5")
    os.symlink(tmp_path / "nowhere", tmp_path / "a.h5")
    watcher = FolderWatcher(tmp_path)
    assert seen(watcher.poll()) == [("b", 30)]


def test_files_of_one_name_get_pictures_of_their_own(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("a.h5", "a.hdf5", "sub/a.h5", "b.txt"):
        write_packets(tmp_path / name, packets(3))
    assert [one.spec.base for one in FolderWatcher(tmp_path).poll()] == ["a", "a.hdf5"]
    found = {one.spec.base for one in FolderWatcher(tmp_path, subfolders=True).poll()}
    assert found == {"a", "a.hdf5", "sub-a"}
    assert seen(FolderWatcher(tmp_path, patterns=["b.*"]).poll()) == [("b", 3)]


def test_a_place_that_is_no_folder_is_refused_and_one_that_goes_away_is_spoken_of_once(tmp_path):
    with pytest.raises(ConfigurationError, match="is no folder"):
        FolderWatcher(tmp_path / "nowhere")
    folder = tmp_path / "data"
    folder.mkdir()
    write_packets(folder / "a.h5", packets(3))
    watcher = FolderWatcher(folder)
    watcher.poll()
    os.rename(folder, tmp_path / "elsewhere")
    assert [watcher.poll(), watcher.poll()] == [[], []]
    assert [one.path for one in watcher.refusals()] == [str(folder)]
    os.rename(tmp_path / "elsewhere", folder)
    assert seen(watcher.poll()) == [("a", 3)]


def test_a_hundred_files_that_rest_are_not_opened(tmp_path, monkeypatch):
    write_packets(tmp_path / "0.h5", packets(3))
    for number in range(1, 100):
        (tmp_path / f"{number}.h5").write_bytes((tmp_path / "0.h5").read_bytes())
    watcher = FolderWatcher(tmp_path)
    assert len(watcher.poll()) == 100
    assert watcher.poll() == []

    looked_into = []
    monkeypatch.setattr(
        "hutch.monitor.reading.watching.sight_file", lambda path, *_, **__: looked_into.append(path)
    )
    for _ in range(20):
        assert watcher.poll() == []
    assert looked_into == []


def test_any_growing_file_is_watched_while_its_writer_uses_swmr(tmp_path):
    with h5py.File(tmp_path / "a.nxs", "w", libver="latest") as file:
        made = [file.create_dataset(name, (0,), "f8", maxshape=(None,), chunks=(64,)) for name in "xy"]
        file.swmr_mode = True
        watcher = FolderWatcher(tmp_path)
        assert seen(watcher.poll()) == [("a", 0)]
        for rows in (10, 200):
            for dataset in made:
                dataset.resize((rows,))
                dataset[:] = np.arange(rows)
                dataset.flush()
            (found,) = watcher.poll()
            assert found.rows == rows
            with open_source(found.spec) as source:
                assert source.read(0, 1000)["y"].tolist() == list(range(rows))


def write_growing(path, count):
    with h5py.File(path, "w") as file:
        options = {"maxshape": (None,), "chunks": (100,), "compression": "gzip"}
        file.create_dataset("values", data=np.arange(count), **options)


def grow(path, kind):
    """Add some rows to a file of a kind."""
    if kind == "packets":
        append_packets(path, packets(250, 7))
    elif kind == "raw":
        append_raw(path, *messages_of(packets(3000, 7)))
    else:
        with h5py.File(path, "a") as file:
            file["values"].resize((len(file["values"]) + 250,))


_KINDS = {
    "packets": (
        "packets",
        lambda path: write_packets(path, packets(1000), chunks=100, compression="gzip"),
    ),
    "raw": ("msgs", lambda path: write_raw(path, packets(6000), chunks=100)),
    "hdf5": ("values", lambda path: write_growing(path, 1000)),
}
"""Of each format the dataset, and what writes a file of a few chunks of 100 rows."""


@pytest.mark.parametrize("lost", [(0,), (0, 1)])
@pytest.mark.parametrize("kind", _KINDS)
def test_a_first_chunk_that_is_lost_is_passed_over_and_the_file_stays_the_same(tmp_path, kind, lost):
    dataset, write = _KINDS[kind]
    path = tmp_path / "a.h5"
    write(path)
    for chunk in lost:
        damage(path, dataset, chunk)
    (before,) = FolderWatcher(tmp_path).poll()
    assert before.spec.format == kind
    with open_source(before.spec) as source:
        parts, bad = read_all(source)
    assert [(one.start, one.stop) for one in bad] == [(0, 100 * len(lost))]
    assert sum(one.stop - one.start for one in parts) == before.rows - 100 * len(lost)

    grow(path, kind)
    os.utime(path, (1e9, 1e9))
    after = sight_file(path)
    assert after.rows > before.rows
    assert after.spec == before.spec
    write(tmp_path / "next")
    damage(tmp_path / "next", dataset, 0)
    os.replace(tmp_path / "next", path)
    with open_source(before.spec) as source, pytest.raises(SourceChangedError, match="was replaced"):
        source.rows()


@pytest.mark.parametrize("kind", _KINDS)
def test_a_first_chunk_that_is_being_written_makes_no_other_file(tmp_path, kind, monkeypatch):
    dataset, write = _KINDS[kind]
    path = tmp_path / "a.h5"
    write(path)
    whole = path.read_bytes()
    watcher = FolderWatcher(tmp_path)
    (before,) = watcher.poll()

    damage(path, dataset, 0)
    now = path.stat().st_mtime + 2e9
    os.utime(path, (now, now))
    assert watcher.poll() == []
    with open_source(before.spec) as source:
        with pytest.raises(SourceUnavailableError, match="first row of .* cannot be read yet"):
            source.rows()
        path.write_bytes(whole)
        assert source.rows() == before.rows
    os.utime(path, (now + 1, now + 1))
    assert watcher.poll() == []
    assert watcher.refusals() == []

    damage(path, dataset, 0)
    os.utime(path, (now + 2, now + 2))
    assert watcher.poll() == []
    monkeypatch.setattr("hutch.monitor.formats.files.PATIENCE_S", 0.0)
    (after,) = watcher.poll()
    assert after.spec.identity != before.spec.identity


def test_who_looks_only_once_waits_until_it_is_certain_that_a_first_row_is_lost(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    write_growing(path, 1000)
    damage(path, "values", 0)
    os.utime(path, (4e9, 4e9))
    monkeypatch.setattr("hutch.monitor.formats.files.PATIENCE_S", 0.5)
    assert FolderWatcher(tmp_path).poll() == []
    assert sight_file(path).rows == 1000


def test_a_file_of_which_no_row_can_be_read_is_spoken_of(tmp_path):
    write_growing(tmp_path / "a.h5", 100)
    damage(tmp_path / "a.h5", "values", 0)
    watcher = FolderWatcher(tmp_path)
    assert [watcher.poll() for _ in range(4)] == [[]] * 4
    (refusal,) = watcher.refusals()
    assert "cannot be read now: OSError" in refusal.why
