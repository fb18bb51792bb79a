"""What is drawn of a run: axes, labels, values, title."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

import hutch
from hutch.catalogs.showing.array_drawing import draw_array
from hutch.catalogs.showing.hints import hinted_fields, scanned_axes
from hutch.catalogs.showing.plotting import draw, save
from hutch.errors import ConfigurationError, StreamNotFoundError

HINTS = {"dimensions": [[["x"], "primary"]]}
GRID = {"dimensions": [[["y"], "primary"], [["x"], "primary"]]}


@pytest.fixture
def cat(tmp_path):
    with hutch.open_catalog(tmp_path / "store") as found:
        yield found


def record(cat, rows, stream="primary", **md):
    with cat.start_run(**md) as run:
        for row in rows:
            run.add(stream, row)
    return cat[run.uid]


def test_a_scan_is_a_line_against_its_axis(cat) -> None:
    run = record(
        cat, [{"x": float(x), "det": x**2.0} for x in range(4)], plan_name="scan", sample="A", hints=HINTS
    )
    (panel,) = draw(run).axes

    assert panel.lines[0].get_xydata().tolist() == [[0, 0], [1, 1], [2, 4], [3, 9]]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("x", "det")
    assert panel.get_title(loc="left") == "1 · scan · A"
    assert run.uid[:8] in panel.texts[0].get_text()


def test_units_are_in_the_labels_and_hinted_fields_are_drawn(cat) -> None:
    recorder = cat.recorder()
    recorder("start", {"uid": "r", "time": 1.0, "hints": HINTS})
    keys = {
        name: {"dtype": "number", "shape": [], "source": "", "units": "mm"} for name in ("x", "det", "rest")
    }
    hints = {"m": {"fields": ["x"]}, "d": {"fields": ["det"]}}
    about = {"uid": "d", "run_start": "r", "time": 1.0, "name": "primary", "configuration": {}}
    recorder("descriptor", {**about, "data_keys": keys, "hints": hints, "object_keys": {"m": [*keys]}})
    event = {"uid": "e", "descriptor": "d", "time": 1.0, "seq_num": 1, "timestamps": dict.fromkeys(keys, 1.0)}
    recorder("event", {**event, "data": dict.fromkeys(keys, 2.0)})
    recorder.close()
    (panel,) = draw(cat["r"]).axes

    assert (panel.get_xlabel(), panel.get_ylabel()) == ("x [mm]", "det [mm]")
    assert "interrupted" in panel.texts[0].get_text()


def test_a_grid_is_an_image_with_nan_where_it_was_not_reached(cat) -> None:
    points = [(0, 0), (0, 1), (1, 1)]
    rows = [{"y": float(y), "x": float(x), "det": 10.0 * y + x} for y, x in points]
    run = record(cat, rows, hints=GRID, shape=[2, 2], extents=[[0, 1], [0, 1]])
    panel, *_ = draw(run).axes
    image = panel.collections[0].get_array()

    np.testing.assert_array_equal(np.ma.filled(image, np.nan), [[0, 1], [np.nan, 11]])
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("x", "y")


def test_two_axes_without_a_grid_are_coloured_points(cat) -> None:
    angle = np.linspace(0, 20, 60)
    rows = [{"x": a * np.cos(a), "y": a * np.sin(a), "det": a} for a in angle.tolist()]
    panel, *_ = draw(record(cat, rows, hints=GRID)).axes

    assert panel.collections[0].get_offsets().shape == (60, 2)


def test_without_hints_every_number_is_drawn_against_time(cat) -> None:
    rows = [{"a": 1.0, "text": "no", "array": [1, 2], "b": i} for i in range(3)]
    first, second = draw(record(cat, rows)).axes

    assert (first.get_ylabel(), second.get_ylabel()) == ("a", "b")
    assert second.get_xlabel() == "time since the start [s]"


def test_stream_x_and_y_can_be_chosen(cat) -> None:
    run = record(cat, [{"a": 1.0, "b": 2.0, "c": 3.0}], stream="baseline", hints=HINTS)
    (panel,) = draw(run, stream="baseline", x="b", y=["c"]).axes

    assert (panel.get_xlabel(), panel.get_ylabel()) == ("b", "c")


def test_too_many_keys_are_counted(cat) -> None:
    figure = draw(record(cat, [{f"k{i}": float(i) for i in range(9)}]))

    assert len(figure.axes) == 6
    assert "3 more keys are not drawn" in figure.axes[0].texts[0].get_text()


def test_text_that_looks_like_a_formula_is_drawn_as_it_is(cat, tmp_path) -> None:
    run = record(cat, [{"$x_{": 1.0}], plan_name="$\\frac{", sample="\u6e2c\u8a66")

    assert save(draw(run), tmp_path / "odd.svg").stat().st_size > 1000


@pytest.mark.parametrize(
    "hints", [{"dimensions": 3}, {"dimensions": [[[], "primary"], 5]}, "none", {}, None, {"fields": [1]}]
)
def test_hints_that_are_none_are_left_alone(hints) -> None:
    assert scanned_axes({"hints": hints}) == ([], None)
    assert hinted_fields([{"hints": hints}, {"hints": {"device": hints}}]) == []


@pytest.mark.parametrize(
    ("choice", "match"), [({"y": ["text"]}, "has no numbers, one a row"), ({"x": "q"}, "is not there")]
)
def test_a_key_that_cannot_be_drawn_is_refused(cat, choice, match) -> None:
    run = record(cat, [{"a": 1.0, "text": "no"}])

    with pytest.raises(StreamNotFoundError, match=f"{match}. To draw: a"):
        draw(run, **choice)


def test_a_run_without_streams_or_numbers_is_refused(cat) -> None:
    with pytest.raises(StreamNotFoundError, match="It has no streams"):
        draw(record(cat, []))
    with pytest.raises(StreamNotFoundError, match="has no numbers to draw"):
        draw(record(cat, [{"text": "no"}]))


def test_the_ending_tells_the_format(cat, tmp_path) -> None:
    figure = draw(record(cat, [{"a": 1.0}]))

    assert save(figure, tmp_path / "run").read_bytes().startswith(b"\x89PNG")
    assert save(figure, tmp_path / "run.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ConfigurationError, match="'run.doc' ends in no format of pictures"):
        save(figure, tmp_path / "run.doc")


def test_waveforms_are_an_image_over_time_and_one_is_a_line(cat) -> None:
    rows = [{"wave": [float(row), 2.0, 3.0]} for row in range(4)]
    panel, *_ = draw(record(cat, rows)).axes
    np.testing.assert_array_equal(panel.collections[0].get_array(), [[row, 2, 3] for row in range(4)])
    assert panel.get_xlabel() == "element"
    (panel,) = draw(record(cat, rows[:1])).axes
    assert panel.lines[0].get_ydata().tolist() == [0, 2, 3]


def test_the_newest_frame_is_drawn_beside_numbers_that_are_hinted(cat) -> None:
    rows = [{"x": float(row), "img": np.full((4, 6), row).tolist()} for row in range(3)]
    figure = draw(record(cat, rows), y=["x", "img"])
    lines, frame, *_ = figure.axes
    assert lines.lines[0].get_ydata().tolist() == [0, 1, 2]
    np.testing.assert_array_equal(frame.images[0].get_array(), np.full((4, 6), 2))
    assert frame.get_title(loc="left") == "img: frame 3 of 3"
    assert (frame.get_xlabel(), frame.get_ylabel()) == ("column [pixel]", "row [pixel]")


def test_without_hints_frames_are_drawn_where_there_are_no_numbers(cat) -> None:
    rows = [{"img": np.full((4, 6), row).tolist(), "name": "a"} for row in range(3)]
    panel, *_ = draw(record(cat, rows)).axes
    assert panel.images[0].get_array().tolist() == [[2] * 6] * 4
    assert "img: frame 3 of 3" in panel.texts[0].get_text()


def test_colours_are_drawn_as_they_are(cat) -> None:
    panel = Figure().subplots()
    assert draw_array(panel, np.full((2, 5, 7, 3), 200, "uint8"), np.arange(2.0), "rgb") == "frame 2 of 2"
    assert panel.images[0].get_array().shape == (5, 7, 3)


def test_large_frames_are_read_in_steps(cat) -> None:
    panel = Figure().subplots()
    draw_array(panel, np.zeros((1, 3000, 10)), np.arange(1.0), "long")
    assert panel.images[0].get_array().shape == (1000, 4)
    assert panel.images[0].get_extent() == [-0.5, 9.5, 2999.5, -0.5]


def test_a_frame_whose_file_is_missing_does_not_keep_numbers_from_being_drawn(cat) -> None:
    recorder = cat.recorder()
    recorder("start", {"uid": "r", "time": 1.0, "hints": HINTS})
    img = {"dtype": "array", "shape": [4, 6], "dtype_numpy": "<u2", "source": "", "external": "STREAM:"}
    number = {"dtype": "number", "shape": [], "source": ""}
    about = {"uid": "d", "run_start": "r", "time": 1.0, "name": "primary", "configuration": {}}
    keys = {"x": number, "det": number, "img": img}
    hints = {"d": {"fields": ["det", "img"]}}
    recorder("descriptor", {**about, "data_keys": keys, "hints": hints, "object_keys": {"d": [*keys]}})
    place = {"mimetype": "application/x-hdf5", "uri": "file:///gone/a.h5", "parameters": {"dataset": "/d"}}
    recorder("stream_resource", {"uid": "s", "data_key": "img", "run_start": "r", **place})
    ranges = {"indices": {"start": 0, "stop": 1}, "seq_nums": {"start": 1, "stop": 2}}
    recorder("stream_datum", {"uid": "s/0", "stream_resource": "s", "descriptor": "d", **ranges})
    event = {"uid": "e", "descriptor": "d", "time": 1.0, "seq_num": 1}
    recorder("event", {**event, "data": {"x": 1.0, "det": 2.0}, "timestamps": {"x": 1.0, "det": 1.0}})
    recorder.close()
    lines, frame, *_ = draw(cat["r"]).axes
    assert lines.lines[0].get_ydata().tolist() == [2.0]
    assert "'/gone/a.h5' is missing" in frame.texts[0].get_text().replace("\n", " ")


def test_a_picture_for_which_there_is_no_room_leaves_the_one_before_and_no_part(tmp_path):
    (tmp_path / "old.png").write_bytes(b"old")
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from hutch.catalogs.showing.plotting import save\n"
        "from matplotlib.figure import Figure\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))\n"
        "try:\n    save(Figure(), Path(sys.argv[1]))\n"
        "except OSError as error:\n    print(error.filename, error.strerror, sep=': ')"
    )
    for name in ("old.png", "new.png"):
        command = [sys.executable, "-c", code, name]
        found = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
        assert found.stdout == f"{name}: File too large\n", found.stderr

    assert [path.name for path in tmp_path.iterdir()] == ["old.png"]
    assert (tmp_path / "old.png").read_bytes() == b"old"
