from __future__ import annotations

import os
from importlib.metadata import EntryPoint
from pathlib import Path

import h5py
import numpy as np
import pytest

from hutch.errors import UnknownFormatError
from hutch.monitor.formats import FileSource, broken_formats, find_format, format_named, known, known_formats
from hutch.monitor.plots import SHIPPED
from hutch.monitor.reading.opening import open_source
from hutch.monitor.reading.watching import FolderWatcher, sight_file
from hutch.monitor.sources import BadRange, SourceSpec

from .cycling import Bench


def write_nexus(path: Path, rows: int, **lengths: int) -> None:
    """Write a file with datasets that grow together, and others that do not."""
    with h5py.File(path, "w") as file:
        file.attrs["instrument"] = "XPP"
        entry = file.create_group("entry")
        table = np.zeros(rows, [("x", "f4"), ("label", "S3"), ("pair", "i2", (2,))])
        table["x"] = np.arange(rows) / 2
        columns = {
            "temperature": np.arange(rows, dtype="f8"),
            "data/image": np.arange(rows * 6, dtype="u2").reshape(rows, 2, 3),
            "table": table,
        }
        for name, values in columns.items():
            values = values[: lengths.get(name, rows)]
            entry.create_dataset(name, data=values, maxshape=(None, *values.shape[1:]), chunks=True)
        entry["title"] = "words"
        entry["energies"] = np.arange(5)
        entry.create_dataset("log", data=np.arange(2 + rows * 10), maxshape=(None,))


def test_datasets_that_grow_together_are_found_and_others_are_left(tmp_path):
    write_nexus(tmp_path / "a.h5", 40)
    sighting = sight_file(tmp_path / "a.h5")
    assert (sighting.spec.format, sighting.rows) == ("hdf5", 40)
    with open_source(sighting.spec) as source:
        found = source.read(10, 30)
    assert found.names == (
        "entry/data/image",
        "entry/table.x",
        "entry/table.label",
        "entry/table.pair",
        "entry/temperature",
    )
    assert found["entry/temperature"].tolist() == list(range(10, 30))
    assert found["entry/table.x"].tolist() == [row / 2 for row in range(10, 30)]
    assert found["entry/table.pair"].shape == (20, 2)
    assert found["entry/data/image"][0].tolist() == [[60, 61, 62], [63, 64, 65]]
    assert found.facts == {"instrument": "XPP"}


def test_units_of_datasets_come_with_their_rows_and_are_in_the_pictures(tmp_path):
    write_nexus(tmp_path / "a.h5", 40)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["entry/temperature"].attrs["units"] = "K"
        file["entry/data/image"].attrs["units"] = 7
    with open_source(sight_file(tmp_path / "a.h5").spec) as source:
        found = source.read(0, 40)
        assert found.facts["data_keys"] == {"entry/temperature": {"units": "K"}}
        with h5py.File("new.h5", "w", driver="core", backing_store=False) as new:
            source.write(found, new)
            assert dict(new.attrs) == {"instrument": "XPP"}
    columns, statistics = SHIPPED["Columns"](), SHIPPED["ColumnStatistics"]()
    columns.update(found)
    statistics.update(found)
    assert "entry/temperature [K]" in [axes.get_title(loc="right") for axes in columns.figure().axes]
    assert "entry/temperature [K]" in [text.get_text() for text in statistics.figure().texts]


def test_the_shortest_of_datasets_that_grow_together_counts(tmp_path):
    write_nexus(tmp_path / "a.h5", 40, table=37)
    sighting = sight_file(tmp_path / "a.h5")
    assert sighting.rows == 37
    with open_source(sighting.spec) as source:
        found = source.read(30, 100)
    assert (found.start, found.stop, len(found)) == (30, 37, 7)


def write_lengths(path: Path, **lengths: int) -> Path:
    """Write a file with datasets of numbers that may grow."""
    with h5py.File(path, "w") as file:
        for name, rows in lengths.items():
            file.create_dataset(name, data=np.arange(rows), maxshape=(None,), chunks=(20,))
    return path


@pytest.mark.parametrize(
    ("lengths", "read", "rows", "left_out"),
    [
        ({"x": 100, "y": 60}, ("x", "y"), 60, ()),
        ({"x": 60, "y": 100}, ("x", "y"), 60, ()),
        ({"x": 100_000, "y": 3}, ("x",), 100_000, ("y",)),
        ({"x": 1000, "y": 500}, ("x",), 1000, ("y",)),
        ({"x": 1000, "y": 0}, ("x",), 1000, ()),
        ({"x": 1000, "y": 600, "z": 995}, ("x", "z"), 995, ("y",)),
        ({"x": 1000, "y": 600, "z": 3}, ("x", "y"), 600, ("z",)),
    ],
)
def test_of_two_datasets_that_lag_the_shorter_counts_and_what_is_left_out_is_told(
    tmp_path, lengths, read, rows, left_out
):
    sighting = sight_file(write_lengths(tmp_path / "a.h5", **lengths))
    assert sighting.rows == rows
    with open_source(sighting.spec) as source:
        assert source.read(0, 10).names == read
    told = f"only {', '.join(map(repr, read))} {'is' if len(read) == 1 else 'are'} read"
    named = f"--datasets {read[0]} {''.join(left_out)}"
    assert (told in sighting.remark, named in sighting.remark) == (bool(left_out), bool(left_out))
    together = sight_file(tmp_path / "a.h5", datasets=[*read, *left_out])
    assert (together.rows, together.remark) == (min(lengths[name] for name in (*read, *left_out)), "")


def test_a_file_begins_anew_when_a_dataset_catches_up_and_is_read_too(tmp_path):
    path = write_lengths(tmp_path / "a.h5", x=100, y=20)
    watcher = FolderWatcher(tmp_path)
    (before,) = watcher.poll()
    with h5py.File(path, "a") as file:
        file["x"].resize((300,))
        file["y"].resize((260,))
    (after,) = watcher.poll()
    assert (before.rows, after.rows) == (100, 260)
    assert before.spec.identity != after.spec.identity


def test_what_is_left_out_is_said_once_however_many_files_are_so(tmp_path):
    bench = Bench(tmp_path)
    for name in ("a", "b"):
        write_lengths(bench.data / f"{name}.h5", values=1000, slow=20)
    with bench.monitor(plots=["Total"]) as monitor:
        monitor.cycle()
        bench.grow("a", range(50))
        assert monitor.cycle().rows == 50
    (said,) = [sentence for sentence in bench.said if "slow" in sentence]
    assert said == (
        "Of files with the growing datasets 'values', 'slow' only 'values' is read: the others differ much "
        "in length. Name those that belong together, as in --datasets values slow"
    )


def test_datasets_may_be_named(tmp_path):
    write_nexus(tmp_path / "a.h5", 4)
    sighting = sight_file(tmp_path / "a.h5", datasets=["entry/log"])
    assert sighting.rows == 42
    with open_source(sighting.spec) as source:
        assert source.read(40, 50)["entry/log"].tolist() == [40, 41]
    with pytest.raises(UnknownFormatError, match="no 'entry/lag' of numbers.*It has: .*entry/log"):
        sight_file(tmp_path / "a.h5", datasets=["entry/lag"])


def test_where_no_dataset_may_grow_all_of_one_length_are_taken(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"], file["b"], file["c"] = np.arange(100), np.arange(100.0), np.arange(3)
    with open_source(sight_file(tmp_path / "a.h5").spec) as source:
        assert source.read(0, 2).names == ("a", "b")


def test_the_identity_stays_while_a_file_grows_and_gets_more_datasets(tmp_path):
    path = tmp_path / "a.h5"
    write_nexus(path, 40)
    before = sight_file(path)
    with h5py.File(path, "a") as file:
        for name in ("temperature", "data/image", "table"):
            file["entry"][name].resize(60, axis=0)
        file["entry/more"] = np.arange(3)
    after = sight_file(path)
    assert (before.rows, after.rows) == (40, 60)
    assert before.spec == after.spec


def test_large_rows_are_read_few_at_a_time(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset(
            "image", (100, 1024, 1024), "u2", chunks=(1, 1024, 1024), maxshape=(None, 1024, 1024)
        )
    with open_source(sight_file(tmp_path / "a.h5").spec) as source:
        assert source.read(3, 100).stop == 3 + 32  # 64 MiB of 2 MiB each


def test_one_damaged_frame_is_passed_over_and_no_other(tmp_path):
    path = tmp_path / "a.h5"
    frames = np.random.default_rng(0).integers(0, 9, (8, 64, 64), dtype="u2")
    with h5py.File(path, "w") as file:
        options = {"chunks": (1, 64, 64), "maxshape": (None, 64, 64), "compression": "gzip"}
        file.create_dataset("image", data=frames, **options)
        file.create_dataset("number", data=np.arange(8), maxshape=(None,), chunks=(4,))
        about = file["image"].id.get_chunk_info(5)
    with open(path, "r+b") as file:
        file.seek(about.byte_offset + 50)
        file.write(bytes(100))
    os.utime(path, (1e9, 1e9))  # nobody writes to it any more
    with open_source(sight_file(path).spec) as source:
        first, bad, last = source.read(0, 8), source.read(5, 8), source.read(6, 8)
    assert np.array_equal(first["image"], frames[:5])
    assert isinstance(bad, BadRange)
    assert (bad.start, bad.stop) == (5, 6)
    assert np.array_equal(last["image"], frames[6:])


def test_rows_are_written_along_into_datasets_of_the_same_paths(tmp_path):
    write_nexus(tmp_path / "a.h5", 40)
    with open_source(sight_file(tmp_path / "a.h5").spec) as source:
        with h5py.File(tmp_path / "new.h5", "w") as file:
            source.write(source.read(10, 15), file)
    with h5py.File(tmp_path / "a.h5") as old, h5py.File(tmp_path / "new.h5") as new:
        for name in ("entry/temperature", "entry/data/image", "entry/table"):
            assert np.array_equal(new[name][:], old[name][10:15])
        assert new.attrs["instrument"] == "XPP"
        assert "log" not in new["entry"]


def test_the_particular_formats_are_asked_before_the_general_one(tmp_path):
    assert [one.name for one in known_formats()] == ["packets", "raw", "hdf5"]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        assert find_format(file) is None
        file["packets"] = np.zeros(2, [("packet_type", "u1")])
        assert find_format(file).name == "packets"
    with pytest.raises(UnknownFormatError, match="no format 'root' of files. Known: packets, raw, hdf5"):
        format_named("root")


class Counts(FileSource):
    """Rows of a dataset that no other format would read: one number, which says how many there are."""

    def check(self, file):
        pass

    def count(self, file):
        return int(file["count"][()])

    def head(self, file):
        return b"counts"

    def row_bytes(self, file):
        return 8

    def chunk_rows(self, file):
        return 1

    def take(self, file, start, stop):
        raise NotImplementedError

    def write(self, batch, group):
        raise NotImplementedError


class CountFormat:
    name = "counts"
    suffixes = (".h5",)
    open = Counts

    def fits(self, file):
        return "count" in file


class Unsure(CountFormat):
    name = "unsure"
    suffixes = (".cnt",)

    def fits(self, file):
        raise AttributeError("no attribute 'shape'")


class Failing(CountFormat):
    name = "failing"

    def fits(self, file):
        return "fails" in file

    def open(self, spec):
        raise TypeError("no spec")


def test_formats_of_packages_say_which_files_are_looked_at_and_stop_nobody(tmp_path, monkeypatch, caplog):
    entries = [
        EntryPoint("unsure", f"{__name__}:Unsure", known.GROUP),
        EntryPoint("failing", f"{__name__}:Failing", known.GROUP),
        EntryPoint("counts", f"{__name__}:CountFormat", known.GROUP),
        EntryPoint("lost", "nowhere.to_be:found", known.GROUP),
    ]
    monkeypatch.setattr(known, "entry_points", lambda group: entries)
    known._published.cache_clear()
    try:
        for name, what in (("a.cnt", "count"), ("b.hdf", "count"), ("c.h5", "fails"), ("d.txt", "count")):
            with h5py.File(tmp_path / name, "w") as file:
                file[what] = 7
        (tmp_path / "loop.h5").symlink_to("loop.h5")
        watcher = FolderWatcher(tmp_path)
        assert [one.spec.base for one in watcher.poll()] == ["a", "b"]
        watcher.poll()
        assert [one.why for one in watcher.refusals()] == [
            "The format 'lost' cannot be used: ModuleNotFoundError: No module named 'nowhere'",
            f"the format 'failing' cannot read {str(tmp_path / 'c.h5')!r}: TypeError: no spec",
        ]
        with h5py.File(tmp_path / "e.h5", "w"):
            pass
        with pytest.raises(UnknownFormatError, match="nothing. The format 'lost' cannot be used"):
            sight_file(tmp_path / "e.h5")
        assert "The format 'unsure' is passed over: AttributeError: no attribute 'shape'" in caplog.text
    finally:
        known._published.cache_clear()


def test_packages_add_formats_and_a_broken_one_is_named(tmp_path, monkeypatch):
    entries = [
        EntryPoint("counts", f"{__name__}:CountFormat", known.GROUP),
        EntryPoint("lost", "nowhere.to_be:found", known.GROUP),
        EntryPoint("poor", "builtins:dict", known.GROUP),
    ]
    monkeypatch.setattr(known, "entry_points", lambda group: entries)
    known._published.cache_clear()
    try:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["count"] = 7
        watcher = FolderWatcher(tmp_path)
        assert [(one.spec.format, one.rows) for one in watcher.poll()] == [("counts", 7)]
        assert broken_formats() == {
            "lost": "ModuleNotFoundError: No module named 'nowhere'",
            "poor": "'builtins:dict' has no name, suffixes, fits, open",
        }
        with pytest.raises(UnknownFormatError, match="'lost' cannot be loaded: ModuleNotFoundError"):
            open_source(SourceSpec("/a.h5", "1", "lost", "a"))
    finally:
        known._published.cache_clear()
