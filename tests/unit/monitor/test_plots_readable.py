"""Pictures as somebody reads them across a room: no text is cut or covered, and nothing is empty unsaid."""

from __future__ import annotations

import io
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text

from hutch.monitor.batch import Batch
from hutch.monitor.plots import SHIPPED
from hutch.monitor.plots.captions import below_title, shortened

from ...larpix_files import PACKETS, packets, write_geometry

LARPIX = [name for name, plot in SHIPPED.items() if "packets" in plot.formats]
LONG = "entry/instrument/detector/place_{}/quantity"


@pytest.fixture(autouse=True)
def geometry(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path_factory.mktemp("geometry") / "layout.yaml"
    write_geometry(path)
    monkeypatch.setenv("PIXEL_GEOMETRY_PATH", str(path))


def filled(name: str, rows: Any) -> Any:
    made = SHIPPED[name]()
    made.update(Batch("/data/night-2023-11-14.h5", "packets", 0, rows))
    return made


def large(rows: Any) -> Any:
    """Return packets as a long run has them: hours, one hot channel, names of three digits, many triggers."""
    rows = np.concatenate([rows, rows[:4000]])
    is_time = rows["packet_type"] == 4
    rows["timestamp"][is_time] = 1_700_000_000 + 40 * np.arange(is_time.sum())
    is_data = np.flatnonzero(rows["packet_type"] == 0)
    hot = is_data[: len(is_data) // 4]
    rows["io_group"][hot], rows["io_channel"][hot] = 2, 32
    rows["chip_id"][hot], rows["channel_id"][hot] = 254, 63
    rows["packet_type"][is_data[::50]], rows["trigger_type"][is_data[::50]] = 7, 2
    return rows


def boxes_of(figure: Any) -> dict[str, list[Any]]:
    """Return where the texts of a figure are, by what they say, in pixels."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    found: dict[str, list[Any]] = {}
    for text in figure.findobj(Text):
        is_shown = text.get_visible() and text.get_text().strip()
        if is_shown and (text.axes is None or text.axes.get_visible()):
            found.setdefault(text.get_text(), []).append(text.get_window_extent(renderer))
    return found


def assert_readable(figure: Any) -> None:
    """Check that texts are in the picture, and that none covers another."""
    boxes = [(said, box) for said, boxes in boxes_of(figure).items() for box in boxes]
    ticks = {
        id(label) for axes in figure.axes for label in (*axes.get_xticklabels(), *axes.get_yticklabels())
    }
    width, height = figure.bbox.width, figure.bbox.height
    names = [
        (text.get_text(), text.get_window_extent(figure.canvas.get_renderer()))
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in ticks
        if text.axes is None or text.axes.get_visible()
    ]
    for said, box in names:
        assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height, said
    for (one, first), (other, second) in combinations(names, 2):
        assert not first.padded(-1).overlaps(second.padded(-1)), (one, other)
    assert boxes


@pytest.mark.parametrize("name", [*LARPIX])
def test_no_text_of_packets_is_cut_or_covered(name: str) -> None:
    assert_readable(filled(name, large(packets(20_000, 40))).figure())


def test_names_of_channels_and_what_they_are_do_not_meet() -> None:
    figure = filled("HotPixel", large(packets(20_000, 40))).figure()
    figure.canvas.draw()
    renderer, bars = figure.canvas.get_renderer(), figure.axes[0]
    assert "2-8-254-63" in [label.get_text() for label in bars.get_yticklabels()]
    right = bars.yaxis.label.get_window_extent(renderer).x1
    assert all(label.get_window_extent(renderer).x0 > right for label in bars.get_yticklabels())


def test_a_hot_channel_leaves_room_to_the_others() -> None:
    figure = filled("HotPixel", large(packets(20_000, 40))).figure()
    spread = figure.axes[1]
    line = figure.kept["spread"]
    most = np.flatnonzero(line.get_ydata() == line.get_ydata().max())
    place = spread.transAxes.inverted().transform(spread.transData.transform((line.get_xdata()[most[-1]], 1)))
    assert spread.get_xscale() == "log"
    assert place[0] > 0.05
    # It can be drawn again where all channels are alike.
    again = filled("HotPixel", packets(20_000, 40)).figure(figure)
    assert again is figure
    assert spread.get_xscale() == "linear"


@pytest.mark.parametrize("name", ["Lines", "Columns", "ColumnStatistics"])
def test_long_names_of_many_columns_do_not_meet(name: str) -> None:
    names = [LONG.format(number) for number in range(7)]
    keys = {one: {"units": "mm"} for one in names}
    facts = {
        "start": {"uid": "c0ffee00", "plan_name": "count", "sample": "a sample with a long name"},
        "descriptors": [{"name": "primary", "data_keys": keys, "hints": {"d": {"fields": names}}}],
        "data_keys": keys,
    }
    columns = {one: 1e6 * number + np.arange(3000.0) % 7 for number, one in enumerate(names)}
    columns |= {"time": 1.7e9 + np.arange(3000.0)}
    made = SHIPPED[name]()
    made.update(Batch("any", "run", 0, columns, facts))
    figure = made.figure()
    assert_readable(figure)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    for axes in figure.axes:
        labels = [one for one in axes.get_yticklabels() if one.get_text()]
        boxes = sorted((one.get_window_extent(renderer) for one in labels), key=lambda box: box.y0)
        assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(boxes))
    said = " ".join(text.get_text() for text in figure.findobj(Text))
    # Where names are cut, it is not their ends, which tell them apart.
    assert all(f"{number}/quantity" in said for number in range(3))


def test_statistics_say_that_the_middle_is_not_drawn() -> None:
    made = SHIPPED["ColumnStatistics"]()
    made.update(Batch("any", "hdf5", 0, {"t": np.arange(600.0)}))
    assert "of each the first and the last 256 rows are drawn" in made.figure().texts[1].get_text()
    few = SHIPPED["ColumnStatistics"]()
    few.update(Batch("any", "hdf5", 0, {"t": np.arange(500.0)}))
    assert few.figure().texts[1].get_text() == ""


def row(**fields: int) -> Any:
    made = np.zeros(1, PACKETS)
    made["valid_parity"] = 1
    for name, value in fields.items():
        made[name] = value
    return made


TIME = row(packet_type=4, timestamp=1000)
DATA = row(io_group=1, io_channel=1, chip_id=11, channel_id=0, dataword=3)
LOST = row(io_group=1, io_channel=1, chip_id=250, channel_id=1)
SYNC = row(packet_type=6, trigger_type=ord("S"), timestamp=10_000_000, io_group=1)


@pytest.mark.parametrize(
    ("name", "rows", "why"),
    [
        ("FIFOFlags", [TIME], "no data packets yet"),
        ("TileRate", [TIME], "no data packets yet"),
        ("AnodeRate", [DATA], "no timestamp packet yet"),
        ("AnodeMean", [TIME, LOST], "the geometry knows none of the channels that sent data"),
        ("PixelMap_1_1", [TIME, LOST], "the geometry knows none of the channels that sent data"),
    ],
)
def test_a_picture_without_anything_says_why(name: str, rows: list[Any], why: str) -> None:
    figure = filled(name, np.concatenate(rows)).figure()
    assert figure.kept["empty"].get_text() == why
    assert not any(axes.get_visible() for axes in figure.axes)


@pytest.mark.parametrize(
    ("name", "rows", "why"),
    [
        ("TimestampHistograms", [TIME], "no data packets yet"),
        ("TimestampHistograms", [TIME], "no sync packets yet"),
        ("TimestampHistograms", [SYNC, row(packet_type=6, trigger_type=83)], ""),
        ("TimestampHistograms", [row(packet_type=6, trigger_type=83)], "all sync packets are outside"),
        ("TriggerHistograms", [row(packet_type=7, trigger_type=2)], "no data packets after a trigger yet"),
        (
            "TriggerHistograms",
            [row(packet_type=7, trigger_type=2)],
            "no trigger within 100 µs of the one before",
        ),
        ("PacmanSyncHistograms", [SYNC], "no timestamp packet yet"),
        ("PixelMap_1_1", [DATA], "no timestamp packet yet"),
    ],
)
def test_an_empty_panel_says_why(name: str, rows: list[Any], why: str) -> None:
    figure = filled(name, np.concatenate(rows)).figure()
    said = [text.get_text() for axes in figure.axes for text in axes.findobj(Text)]
    assert why in said


def test_what_is_not_drawn_of_a_run_with_a_pause_is_the_same_in_all_plots_and_said() -> None:
    times = [row(packet_type=4, timestamp=1_000_000 + second) for second in range(20)]
    later = [row(packet_type=4, timestamp=1_100_000 + second) for second in range(10)]
    rows = np.concatenate([*times, *later, *[DATA] * 50])
    for name in ("PacketRate", "TileRate", "FIFOFlags"):
        figure = filled(name, rows).figure()
        below, label = figure.kept["below"].get_text(), figure.axes[1].get_xlabel()
        assert "10 s before or after a long pause are not drawn" in below, name
        assert label.startswith("time since 1970-01-12"), name


def test_one_of_anything_is_not_said_in_the_plural() -> None:
    below = filled("HotPixel", DATA).figure().kept["below"].get_text()
    assert below.startswith("1 packet · ")
    assert below.endswith("1 channel sent data, half of them 1 packet or more")
    assert "1 sync packet" in filled("PacmanSyncHistograms", SYNC).figure().kept["below"].get_text()
    made = SHIPPED["Lines"]()
    made.update(Batch("any", "run", 0, {"time": np.zeros(1), "x": np.zeros(1)}))
    assert made.figure().kept["below"].get_text() == "1 row"


def test_what_stands_below_a_title_is_put_into_lines() -> None:
    assert below_title(["one", "two"], 12.0) == "one · two"
    assert below_title(["a" * 70, "b" * 70, "c"], 12.0) == f"{'a' * 70}\n{'b' * 70} · c"
    assert below_title(["a" * 70, "b" * 70, "c" * 70], 12.0).endswith("…")
    assert below_title([], 12.0) == ""


def test_a_long_name_loses_its_middle() -> None:
    assert shortened("short", 10) == "short"
    assert shortened("entry/data/detector_1", 11) == "ent…ector_1"
    assert len(shortened("x" * 99, 30)) == 30


@pytest.mark.parametrize("name", ["HotPixel", "TimestampHistograms", "TriggerHistograms", "PixelMap_1_1"])
def test_a_picture_that_was_another_looks_as_if_it_were_new(name: str) -> None:
    figure = None
    few = packets(20_000, 40)
    for rows in (large(few.copy()), few[few["packet_type"] == 0], few, large(few.copy())):
        made, again, fresh = filled(name, rows), io.BytesIO(), io.BytesIO()
        figure = made.figure(figure)
        figure.savefig(again, format="png")
        made.figure().savefig(fresh, format="png")
        assert again.getvalue() == fresh.getvalue()
