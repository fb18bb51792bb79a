"""Pictures of plots: what they show, and that drawing again leaves nothing behind."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hutch.monitor.batch import Batch
from hutch.monitor.plots import SHIPPED
from hutch.monitor.plots.drawing import number

from ...larpix_files import packets, write_geometry


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("geometry") / "layout.yaml"
    write_geometry(path)
    return path


@pytest.fixture(autouse=True)
def geometry(layout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXEL_GEOMETRY_PATH", str(layout))


def start(*dimensions: str, **more: Any) -> dict[str, Any]:
    hints = {"dimensions": [[[key], "primary"] for key in dimensions]}
    return {"uid": "c0ffee00-1", "scan_id": 17, "plan_name": "scan", "hints": hints, **more}


def descriptor(name: str, *fields: str, **units: str) -> dict[str, Any]:
    keys = {key: {"units": unit} for key, unit in units.items()}
    return {"name": name, "hints": {"device": {"fields": list(fields)}}, "data_keys": keys}


def run_plot(name: str, facts: dict[str, Any], **columns: Any) -> Any:
    made = SHIPPED[name]()
    arrays = {key: np.asarray(column) for key, column in columns.items()}
    made.update(Batch("c0ffee00-1/primary", "run", 0, arrays, facts))
    return made


def pixels(figure: Any, **options: Any) -> np.ndarray:
    from PIL import Image

    written = io.BytesIO()
    figure.savefig(written, format="png", **options)
    return np.asarray(Image.open(written).convert("RGB"))


PACKET_PLOTS = [name for name in SHIPPED if "packets" in SHIPPED[name].formats]


@pytest.mark.parametrize("name", [name for name in PACKET_PLOTS if "Map" not in name or name[-3:] == "1_1"])
def test_a_picture_of_packets_is_drawn_again_as_if_it_were_new(name: str) -> None:
    made = SHIPPED[name]()
    rows = packets(4000, 4)
    # The last batches are alike: what stays and what has changed are both met.
    batches = [rows[:0], rows[:100], rows[100:2000], rows[2000:2020], rows[2020:2021], rows[2021:]]
    assert_drawn_alike(made, [Batch("/data/a.h5", "packets", at, batch) for at, batch in enumerate(batches)])


@pytest.mark.parametrize("name", ["Lines", "Grid", "Frames", "Baseline", "Columns", "ColumnStatistics"])
def test_a_picture_of_a_run_is_drawn_again_as_if_it_were_new(name: str) -> None:
    stream = "baseline" if name == "Baseline" else "primary"
    facts = {
        "start": start("y", "x", shape=[3, 4], extents=[[0, 2], [0, 3]]),
        "descriptor": descriptor(stream, "det", det="counts"),
    }
    rng = np.random.default_rng(0)
    batches = []
    for at, stop in zip((0, 3, 4, 5), (3, 4, 5, 12), strict=True):
        rows = np.arange(at, stop)
        frames = rng.integers(0, 100 * stop, (len(rows), 6, 8))
        columns = {"time": 1e9 + rows, "y": rows // 4, "x": rows % 4, "det": rows**2, "img": frames}
        batches.append(Batch(f"c0ffee00-1/{stream}", "run", at, columns, facts))
    assert_drawn_alike(SHIPPED[name](), batches)


def assert_drawn_alike(made: Any, batches: list[Batch]) -> None:
    figure = None
    for batch in batches:
        made.update(batch)
        figure = made.figure(figure)
        for _ in range(2):
            drawn = pixels(figure)
            assert np.array_equal(drawn, pixels(made.figure())), batch.start
            # Lines lie over the frame of their axes: all else is as matplotlib draws it.
            differing = (drawn != pixels(figure, dpi=figure.dpi)).any(axis=-1)
            assert differing.mean() < 1e-3, batch.start


def test_a_figure_is_kept_for_as_long_as_it_suits() -> None:
    made = SHIPPED["PacketRate"]()
    figure = made.figure()
    made.update(Batch("/data/a.h5", "packets", 0, packets(100, 4)))
    assert made.figure(figure) is figure


def test_a_figure_of_another_plot_is_not_drawn_on() -> None:
    from matplotlib.figure import Figure

    made = SHIPPED["PacketRate"]()
    other = SHIPPED["FIFOFlags"]().figure()
    plain = Figure()
    assert made.figure(other) is not other
    assert made.figure(plain) is not plain


def test_drawing_leaves_pyplot_alone_and_importing_leaves_matplotlib() -> None:
    code = (
        "import sys, numpy as np\n"
        "from hutch.monitor.plots import SHIPPED\n"
        "from hutch.monitor.batch import Batch\n"
        "plots = [SHIPPED[name]() for name in SHIPPED]\n"
        "assert 'matplotlib' not in sys.modules\n"
        "for plot in plots: plot.figure()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_a_png_is_what_matplotlib_would_have_written(tmp_path: Path) -> None:
    from PIL import Image

    made = SHIPPED["PixelMap_1_1"]()
    made.update(Batch("/data/a.h5", "packets", 0, packets(500, 4)))
    figure = made.figure()
    figure.savefig(tmp_path / "ours.png")
    figure.savefig(tmp_path / "theirs.png", dpi=figure.dpi)
    with Image.open(tmp_path / "ours.png") as ours, Image.open(tmp_path / "theirs.png") as theirs:
        ours.verify()
        assert ours.info["dpi"] == pytest.approx((100, 100), abs=0.1)
        assert theirs.size == (1600, 600)
    with Image.open(tmp_path / "ours.png") as ours, Image.open(tmp_path / "theirs.png") as theirs:
        assert np.array_equal(np.asarray(ours), np.asarray(theirs.convert("RGB")))


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_pictures_are_written_in_other_formats(kind: str, tmp_path: Path) -> None:
    made = SHIPPED["PixelMap_1_1"]()
    made.update(Batch("/data/a.h5", "packets", 0, packets(500, 4)))
    path = tmp_path / f"picture.{kind}"
    made.figure().savefig(path)
    assert path.stat().st_size > 1000


def test_the_title_says_which_file_how_many_packets_and_when(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    made = SHIPPED["PacketRate"]()
    made.update(Batch("/data/deep/run_$7_$.h5", "packets", 0, packets(22_000, 0)))
    title, below = (text.get_text() for text in made.figure().texts[:2])
    assert title == "Packet rate · run_$7_$.h5"
    assert below.startswith("22,000 packets · 2023-11-14 22:13:20 – 22:13:")
    monkeypatch.undo()
    time.tzset()


def test_lines_are_drawn_over_what_is_scanned() -> None:
    facts = {"start": start("m"), "descriptor": descriptor("primary", "det", m="mm", det="counts")}
    made = run_plot("Lines", facts, time=[1.0, 2, 3], m=[-1.0, 0, 1], det=[5, 9, 4], other=[0, 0, 0])
    (axes,) = made.figure().axes
    assert axes.get_xlabel() == "m [mm]"
    assert axes.get_title(loc="right") == "det [counts]"
    assert axes.lines[0].get_xydata().tolist() == [[-1, 5], [0, 9], [1, 4]]


def test_lines_of_another_stream_are_drawn_over_time() -> None:
    facts = {"start": start("m"), "descriptor": descriptor("monitor", "T")}
    made = run_plot("Lines", facts, time=[1000.0, 1001, 1002], T=[1.0, 2, 3])
    (axes,) = made.figure().axes
    assert axes.get_xlabel().startswith("time since 1970-01-01")
    assert axes.lines[0].get_xdata().tolist() == [0, 1, 2]


def test_many_rows_are_few_points_that_hide_no_peak() -> None:
    values = np.zeros(50_000)
    values[[12_345, 40_001]] = 7.0, -3.0
    facts = {"start": start(), "descriptor": descriptor("primary", "det")}
    made = run_plot("Lines", facts, time=1e9 + np.arange(50_000), det=values)
    state = made.state()
    # 50,000 rows in groups of 32 are 1,563; of 16 they were more than 2,000.
    assert len(state["rows"]) == 1563
    assert state["rows_exponent"] == 5
    assert (state["high"][:, 1].max(), state["low"][:, 1].min()) == (7.0, -3.0)
    assert state["high"][12_345 // 32, 1] == 7.0
    assert "every 32 rows are one point" in made.figure().texts[1].get_text()


def test_a_grid_is_an_image_with_what_is_not_there_yet_left_open() -> None:
    facts = {
        "start": start("y", "x", shape=[2, 3], extents=[[0, 1], [0, 2]]),
        "descriptor": descriptor("primary", "det"),
    }
    made = run_plot("Grid", facts, time=range(4), y=[0.0, 0, 0, 1], x=[0.0, 1, 2, 2], det=[1, 2, 3, 4])
    mesh = made.figure().kept["mesh 0"]
    image = np.ma.filled(mesh.get_array().astype(float), np.nan)
    assert image.tolist()[0] == [1, 2, 3]
    assert np.isnan(image[1, :2]).all()
    assert image[1, 2] == 4


def test_frames_show_the_last_and_the_mean() -> None:
    frames = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(2, 3, 4)
    made = run_plot("Frames", {"start": start(), "descriptor": descriptor("primary")}, img=frames)
    kept = made.figure().kept
    # Row 0 is on top: images are stored from below.
    assert kept["last 0"][1].get_array()[::-1].tolist() == frames[1].tolist()
    assert kept["mean 0"][1].get_array()[::-1].tolist() == frames.mean(axis=0).tolist()
    made.update(Batch("c0ffee00-1/primary", "run", 2, {"img": frames[:1]}))
    assert made.state()["frames_0"] == 3
    assert made.state()["sum_0"].tolist() == (2 * frames[0].astype(int) + frames[1]).tolist()


def test_large_frames_are_kept_smaller() -> None:
    frames = np.ones((1, 2050, 4096), dtype=np.uint8)
    made = run_plot("Frames", {"start": start(), "descriptor": descriptor("primary")}, img=frames)
    assert made.state()["side_0"] == 4
    assert made.state()["sum_0"].shape == (512, 1024)
    assert np.all(made.state()["sum_0"] == 16)
    made.figure().canvas.draw()


def test_a_baseline_says_what_has_changed() -> None:
    facts = {"start": start(), "descriptor": descriptor("baseline", T="K")}
    made = run_plot("Baseline", facts, time=[0.0, 9], T=[295.0, 296.5], p=[1.0, 1.0])
    assert made.changes() == {"T": 1.5, "p": 0.0}
    kept = made.figure().kept
    assert [kept[key].get_text() for key in ("name 0", "0 0", "0 1", "0 2")] == [
        "T [K]",
        "295",
        "296.5",
        "1.5",
    ]
    assert kept["name 1"].get_text() == "p"


def test_columns_of_any_file_have_a_histogram() -> None:
    rng = np.random.default_rng(3)
    values = np.append(rng.normal(0, 1, 5000), [np.nan, np.inf])
    made = SHIPPED["Columns"]()
    made.update(Batch("/d/any.h5", "hdf5", 0, {"a": values, "text": np.array(["x"] * 5002)}))
    state = made.state()
    assert state["names"].tolist() == ["a"]
    width = 2.0 ** int(state["exponent_0"])
    finite = values[np.isfinite(values)]
    expected = {
        int(k): int(((finite >= k * width) & (finite < (k + 1) * width)).sum()) for k in state["bins_0"]
    }
    assert dict(zip(state["bins_0"].tolist(), state["counts_0"].tolist(), strict=True)) == expected
    assert sum(expected.values()) == 5000
    assert 128 < len(expected) <= 256
    assert state["other_0"] == 2
    made.figure().canvas.draw()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Lines", "this stream has no numbers to draw"),
        ("Grid", "this run scans no two axes"),
        ("Frames", "this stream has no frames to draw"),
        ("Baseline", "this stream is no baseline"),
        ("Columns", "no dataset has one number a row"),
    ],
)
def test_a_plot_that_does_not_suit_says_why(name: str, why: str) -> None:
    made = SHIPPED[name]()
    assert made.figure().kept["empty"].get_text() == "no rows yet"
    made.update(
        Batch(
            "u/primary",
            "run",
            0,
            {"time": np.arange(3.0), "words": np.array(["a", "b", "c"])}
            if name != "Columns"
            else {"w": np.array(["a"])},
        )
    )
    figure = made.figure()
    assert figure.kept["empty"].get_text() == why
    figure.canvas.draw()


def test_numbers_are_written_short() -> None:
    assert [number(value) for value in (0, 0.01, 1, 1500, 20_000, 2.5e6, 3e9)] == [
        "0",
        "0.01",
        "1",
        "1.5k",
        "20k",
        "2.5M",
        "3G",
    ]
