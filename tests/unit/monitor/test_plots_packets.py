"""Plots of packets say what a slow and obvious count of the same packets says."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hutch.monitor.batch import Batch
from hutch.monitor.plots import SHIPPED

from ...larpix_files import PACKETS, packets, write_geometry

SOURCE = "/data/run-7.h5"


@pytest.fixture(scope="module")
def geometries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("geometries")
    write_geometry(folder / "single.yaml")
    write_geometry(folder / "multi.yaml", "multi")
    return folder


@pytest.fixture(autouse=True)
def single(geometries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXEL_GEOMETRY_PATH", str(geometries / "single.yaml"))


def plot(name: str, rows: np.ndarray) -> Any:
    made = SHIPPED[name]()
    made.update(Batch(SOURCE, "packets", 0, rows))
    return made


def seconds_of(rows: np.ndarray) -> list[int | None]:
    found, second = [], None
    for row in rows:
        if row["packet_type"] == 4:
            second = int(row["timestamp"])
        found.append(second)
    return found


def row(**fields: int) -> np.ndarray:
    made = np.zeros(1, PACKETS)
    made["valid_parity"] = 1
    for name, value in fields.items():
        made[name] = value
    return made


ROWS = packets(4000, 11)


def test_the_packet_rate_counts_each_type_in_each_second() -> None:
    state = plot("PacketRate", ROWS).state()
    expected: dict[int, Counter[int]] = defaultdict(Counter)
    for packet, second in zip(ROWS, seconds_of(ROWS), strict=True):
        expected[second][int(packet["packet_type"])] += 1
        if packet["packet_type"] < 4 and not packet["valid_parity"]:
            expected[second][9] += 1
    assert state["time_s"].tolist() == sorted(expected)
    assert state["bin_width_s"] == 1
    counts = [[expected[second][kind] for kind in range(10)] for second in sorted(expected)]
    assert state["packets_per_bin"].tolist() == counts


def test_the_rate_of_a_tile_is_that_of_its_four_io_channels() -> None:
    made = plot("TileRate", ROWS)
    live = len(set(seconds_of(ROWS)))
    data = Counter(
        f"{r['io_group']}-{(int(r['io_channel']) - 1) // 4 + 1}" for r in ROWS if r["packet_type"] == 0
    )
    assert made.per_tile() == pytest.approx({tile: count / live for tile, count in data.items()})
    faulty = Counter(
        "shared" for r in ROWS if r["packet_type"] == 0 and r["shared_fifo"] and r["io_group"] == 2
    )
    columns = made.state()["packets_per_bin"].reshape(-1, 17, 4).sum(axis=0)
    assert columns[8:16, 1].sum() == faulty["shared"]
    assert columns[:, 3].sum() == sum(1 for r in ROWS if r["packet_type"] == 0 and not r["valid_parity"])


def test_data_of_a_tile_that_is_not_there_are_counted_elsewhere() -> None:
    rows = np.concatenate(
        [row(packet_type=4, timestamp=1000), row(io_group=3, io_channel=1), row(io_group=1)]
    )
    made = plot("TileRate", rows)
    assert made.per_tile() == {"elsewhere": 2.0}
    assert "2 data packets of no tile that is known" in made.figure().texts[1].get_text()


def test_fifo_flags_are_counted_by_their_two_bits() -> None:
    made = plot("FIFOFlags", ROWS)
    data = [r for r in ROWS if r["packet_type"] == 0]
    expected = {
        "local > 50 %": sum(r["local_fifo"] == 1 for r in data),
        "local full": sum(r["local_fifo"] >= 2 for r in data),
        "shared > 50 %": sum(r["shared_fifo"] == 1 for r in data),
        "shared full": sum(r["shared_fifo"] >= 2 for r in data),
    }
    assert made.shares() == pytest.approx({name: count / len(data) for name, count in expected.items()})


def test_statistics_of_a_channel_are_those_of_its_data() -> None:
    adc: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for r in ROWS:
        if r["packet_type"] == 0 and r["io_group"] == 1 and 5 <= r["io_channel"] <= 8:
            adc[1, 2, int(r["chip_id"]), int(r["channel_id"])].append(int(r["dataword"]))
    found = plot("PixelMap_1_2", ROWS).per_channel()
    keys = list(
        zip(*(part.tolist() for part in (found.io_group, found.tile, found.chip, found.channel)), strict=True)
    )
    assert keys == sorted(adc)
    assert found.count.tolist() == [len(adc[key]) for key in keys]
    means = [sum(adc[key]) / len(adc[key]) for key in keys]
    assert found.mean == pytest.approx(means)
    spreads = [
        math.sqrt(sum((value - mean) ** 2 for value in adc[key]) / len(adc[key]))
        for key, mean in zip(keys, means, strict=True)
    ]
    assert found.std == pytest.approx(spreads, abs=1e-12)


def test_a_spread_of_nothing_is_exactly_nothing_after_ten_million_packets() -> None:
    # In floating point the squares alone are 6.5e11: their difference would be lost.
    made = plot("PixelMap_1_1", row(io_group=1, io_channel=1, chip_id=11, dataword=255))
    for name in ("count", "total", "squares"):
        made.totals.sums[name] *= 10_000_000
    assert made.per_channel().std.tolist() == [0.0]


def test_a_pixel_is_drawn_where_the_geometry_has_it() -> None:
    # Chip 11 is at the lower left of a tile, its channel 5 the sixth of seven in the lowest row.
    rows = np.concatenate(
        [
            row(packet_type=4, timestamp=1000),
            row(io_group=1, io_channel=3, chip_id=11, channel_id=5, dataword=77),
        ]
    )
    made = plot("PixelMap_1_1", rows)
    image = made.figure().kept["mean"][1].get_array()
    assert image.shape == (70, 70)
    assert np.argwhere(~np.isnan(np.ma.filled(image, np.nan))).tolist() == [[0, 5]]
    assert image[0, 5] == 77
    left, right, bottom, top = made.figure().kept["mean"][1].get_extent()
    assert (left, right, bottom, top) == pytest.approx((-155.19, 155.19, -155.19, 155.19))


def test_an_anode_of_several_tiles_has_each_where_it_hangs(
    geometries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXEL_GEOMETRY_PATH", str(geometries / "multi.yaml"))
    rows = np.concatenate(
        [
            row(packet_type=4, timestamp=1000),
            row(io_group=1, io_channel=5, chip_id=11, channel_id=0, dataword=9),
        ]
    )
    figure = plot("AnodeMean", rows).figure()
    image = figure.kept["1"][1].get_array()
    assert image.shape == (280, 140)
    tile = np.ma.filled(image, np.nan)
    (found,) = np.argwhere(~np.isnan(tile)).tolist()
    left, right, bottom, top = figure.kept["1"][1].get_extent()
    x = left + (found[1] + 0.5) * (right - left) / 140
    y = bottom + (found[0] + 0.5) * (top - bottom) / 280
    assert (x, y) == pytest.approx(_place(geometries / "multi.yaml", tile=2, chip=11, channel=0), abs=0.01)


def _place(path: Path, tile: int, chip: int, channel: int) -> tuple[float, float]:
    import yaml

    content = yaml.safe_load(path.read_text())
    column, line = content["chip_channel_to_position"][1000 * chip + channel]
    pitch = content["pixel_pitch"]
    _, y, x = content["tile_positions"][tile]
    _, up, right = content["tile_orientations"][tile]
    return x + right * (column - 34.5) * pitch, y + up * (line - 34.5) * pitch


def test_a_channel_without_a_pixel_is_counted_in_the_title_and_no_error() -> None:
    rows = np.concatenate(
        [
            row(packet_type=4, timestamp=1000),
            row(io_group=1, io_channel=1, chip_id=250, channel_id=1),
            row(io_group=1, io_channel=1, chip_id=11, channel_id=7),
            row(io_group=1, io_channel=1, chip_id=11, channel_id=1),
        ]
    )
    text = plot("PixelMap_1_1", rows).figure().texts[1].get_text()
    assert "2 packets of 2 channels that the geometry does not know" in text
    assert "2 packets of 2 channels" in plot("AnodeRate", rows).figure().texts[1].get_text()


def test_the_hottest_pixels_are_those_that_sent_most() -> None:
    hot = np.repeat(row(io_group=2, io_channel=9, chip_id=50, channel_id=63), 30)
    rows = np.concatenate([ROWS, hot])
    expected = Counter(
        (int(r["io_group"]), (int(r["io_channel"]) - 1) // 4 + 1, int(r["chip_id"]), int(r["channel_id"]))
        for r in rows
        if r["packet_type"] == 0
    )
    ranked = sorted(expected.items(), key=lambda item: (-item[1], item[0]))[:25]
    found = plot("HotPixel", rows).hottest()
    assert found == [("-".join(map(str, key)), count) for key, count in ranked]
    assert found[0][0] == "2-3-50-63"


def test_delays_wrap_with_the_clock() -> None:
    # 300 ticks late; late over a pulse, when the clock was set back; late over the end of 31 bits.
    times = ((1000, 1300), (9_999_900, 200), (2**31 - 100, 200), (10, 10 + 50_000), (10, 2**31 + 310))
    rows = np.concatenate([row(io_group=1, timestamp=a, receipt_timestamp=b) for a, b in times])
    delays = plot("TimestampHistograms", rows).state()["delay_counts"]
    # Bins are 250 ticks wide and follow the one of what is below: 300 is in the second.
    assert {int(at): int(delays[0, at]) for at in np.flatnonzero(delays[0])} == {2: 4, 201: 1}


def test_syncs_are_told_by_their_deviation_from_a_second() -> None:
    off = {1: (-2, 0, 3, 3), 2: (150, -101)}
    rows = np.concatenate(
        [row(packet_type=4, timestamp=1000)]
        + [
            row(packet_type=6, trigger_type=83, io_group=group, timestamp=10_000_000 + by)
            for group, some in off.items()
            for by in some
        ]
        + [row(packet_type=6, trigger_type=72, io_group=1, timestamp=5)]
    )
    made = plot("PacmanSyncHistograms", rows)
    counts = made.state()["sync_counts"]
    assert [int(counts[0, 101 + by]) for by in (-2, 0, 3)] == [1, 1, 2]
    assert (counts[1, 0], counts[1, -1], counts.sum()) == (1, 1, 6)
    mean, spread = made.deviation_ticks()["io group 1"]
    assert mean == 1.0
    assert spread == pytest.approx(math.sqrt((9 + 1 + 4 + 4) / 4))


def test_data_are_told_by_the_time_since_the_trigger_before_them_in_the_file() -> None:
    def data(group: int, stamp: int) -> np.ndarray:
        return row(io_group=group, timestamp=stamp)

    def trigger(group: int, stamp: int) -> np.ndarray:
        return row(packet_type=7, trigger_type=2, io_group=group, timestamp=stamp)

    rows = np.concatenate(
        [
            data(1, 5),
            trigger(1, 1000),
            data(1, 1015),
            data(2, 7),
            trigger(2, 1001),
            data(2, 1000),
            data(1, 5000),
        ]
    )
    state = plot("TriggerHistograms", rows).state()
    # The first bin begins at -3636 ticks and is 10 wide.
    expected = {(0, (15 + 3636) // 10 + 1): 1, (0, (4000 + 3636) // 10 + 1): 1, (1, (-1 + 3636) // 10 + 1): 1}
    found = state["offset_counts"]
    assert {(int(a), int(b)): int(found[a, b]) for a, b in np.argwhere(found)} == expected
    assert np.flatnonzero(state["gap_counts"]).tolist() == [1 + 1000 + 1]


def test_all_packets_in_one_second_give_a_rate() -> None:
    rows = np.concatenate([row(packet_type=4, timestamp=1_700_000_000), *[row(io_group=1, io_channel=1)] * 9])
    made = plot("PacketRate", rows)
    assert made.rate_hz() == 10.0
    made.figure().canvas.draw()


def test_a_clock_that_was_set_does_not_spoil_the_rate() -> None:
    rows = ROWS.copy()
    first = np.flatnonzero(rows["packet_type"] == 4)[0]
    rows["timestamp"][first] = 12
    made = plot("PacketRate", rows)
    live = len(set(seconds_of(ROWS)))
    # The second in 1970 is one of its own.
    assert made.timeline.live_s in (live, live + 1)
    assert made.timeline.time_s[made.timeline.shown()].min() >= 1_700_000_000


def test_bins_of_time_grow_so_that_there_are_never_many() -> None:
    rows = np.zeros(5000, PACKETS)
    rows["packet_type"] = 4
    rows["timestamp"] = 1_700_000_000 + np.arange(5000)
    state = plot("PacketRate", rows).state()
    assert state["bin_width_s"] == 16
    assert np.all(state["time_s"] % 16 == 0)
    assert state["packets_per_bin"].sum() == 5000
    assert state["packets_per_bin"][1:-1, 4].tolist() == [16] * (len(state["time_s"]) - 2)


def test_packets_of_older_versions_lack_columns_and_are_drawn() -> None:
    names = ["io_group", "io_channel", "chip_id", "packet_type", "channel_id", "timestamp", "dataword"]
    older = np.zeros(len(ROWS), [(name, PACKETS[name]) for name in names])
    for name in names:
        older[name] = ROWS[name]
    for name in ("PacketRate", "FIFOFlags", "TimestampHistograms", "TriggerHistograms", "PixelMap_1_1"):
        made = plot(name, older)
        made.figure().canvas.draw()
        assert made.packets == len(ROWS)


OF_PACKETS = [name for name, made in SHIPPED.items() if "packets" in made.formats]
SOME = [name for name in OF_PACKETS if not name.startswith("PixelMap") or name == "PixelMap_2_8"]


def test_there_is_a_map_of_each_tile_and_ten_other_plots() -> None:
    maps = [f"PixelMap_{io_group}_{tile}" for io_group in (1, 2) for tile in range(1, 9)]
    assert [name for name in OF_PACKETS if name.startswith("PixelMap")] == maps
    assert len(OF_PACKETS) == len(maps) + 10
    found = {name: (SHIPPED[name].io_group, SHIPPED[name].tile) for name in maps}  # type: ignore[attr-defined]
    assert found == {f"PixelMap_{group}_{tile}": (group, tile) for group, tile in found.values()}
    assert all(SHIPPED[name].__name__ == name and SHIPPED[name].__doc__ for name in OF_PACKETS)


@pytest.mark.parametrize("name", SOME)
def test_a_file_without_packets_is_drawn(name: str) -> None:
    made = plot(name, np.zeros(0, PACKETS))
    figure = made.figure()
    assert figure.kept["empty"].get_text() == "no packets yet"
    figure.canvas.draw()


def test_garbage_is_counted_and_no_error() -> None:
    rows = np.frombuffer(np.random.default_rng(5).bytes(36 * 3000), PACKETS)
    for name in SOME:
        made = plot(name, rows)
        made.figure().canvas.draw()
        assert made.packets == 3000
