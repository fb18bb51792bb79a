"""Geometries: both kinds of file are read, and what is wrong with one is said in one line."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from hutch.errors import GeometryError, HutchError
from hutch.monitor.plots import SHIPPED
from hutch.monitor.plots.geometry import read_geometry, tile_of

from ...larpix_files import CHANNELS, write_geometry

NEEDING = ("PixelMap_1_1", "PixelMap_2_8", "AnodeMean", "AnodeStd", "AnodeRate")


def test_four_io_channels_read_a_tile_out() -> None:
    assert [tile_of(io_channel) for io_channel in (1, 4, 5, 8, 29, 32)] == [1, 1, 2, 2, 8, 8]


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_every_channel_with_a_pixel_has_a_cell_of_its_own(kind: str, tmp_path: Path) -> None:
    write_geometry(tmp_path / "layout.yaml", kind)  # type: ignore[arg-type]
    geometry = read_geometry(tmp_path / "layout.yaml")
    assert geometry.io_groups == (1, 2)
    panel = geometry.tile(2, 8)
    assert panel is not None
    assert panel.shape == (70, 70)
    cells = panel.cells[2, 8]
    known = np.argwhere(cells >= 0).tolist()
    assert known == [[chip, channel] for chip in range(11, 111) for channel in CHANNELS]
    assert sorted(cells[cells >= 0].tolist()) == list(range(4900))
    anode = geometry.anode(1)
    assert anode is not None
    assert anode.shape == (280, 140)
    every = np.concatenate([cells[cells >= 0] for cells in anode.cells.values()])
    assert sorted(every.tolist()) == list(range(280 * 140))
    assert anode.extent == pytest.approx((-310.38, 310.38, -620.76, 620.76))


def test_both_kinds_agree_on_what_is_above_what(tmp_path: Path) -> None:
    write_geometry(tmp_path / "one.yaml")
    panel = read_geometry(tmp_path / "one.yaml").tile(1, 1)
    assert panel is not None
    # Chip 11 is lowest at the left, chip 20 lowest at the right, chip 101 highest at the left.
    rows, columns = np.divmod(panel.cells[1, 1][[11, 20, 101], 0], 70)
    assert rows.tolist() == [0, 0, 63]
    assert columns.tolist() == [0, 63, 0]


def test_a_tile_that_the_file_lacks_is_said_in_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "layout.yaml"
    write_geometry(path, "multi")
    text = path.read_text()
    start = text.index("tile_chip_to_io: ")
    path.write_text(text[:start] + "tile_chip_to_io: {1: {11: 1001}}\n" + text[text.index("\n", start) + 1 :])
    monkeypatch.setenv("PIXEL_GEOMETRY_PATH", str(path))
    assert read_geometry().tile(2, 1) is None
    plot = SHIPPED["PixelMap_2_1"]()
    plot.packets = 1
    assert plot.figure().kept["empty"].get_text() == "the geometry has no tile 2-1"
    assert read_geometry().anode(1).shape == (7, 7)  # type: ignore[union-attr]


def test_a_file_is_parsed_once_while_it_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "layout.yaml"
    write_geometry(path)
    first = read_geometry(path)
    assert read_geometry(path) is first
    path.write_text(path.read_text() + "\n")
    assert read_geometry(path) is not first


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "it cannot be read: No such file or directory"),
        ("chips: [", "it is no YAML: "),
        ("\x00\x01", "it is no YAML: "),
        ("", "it has neither the keys of one tile"),
        ("[1, 2]", "it has neither the keys of one tile"),
        ("chips: 3\npixels: []\n", "its content is not as it should be"),
        ("chips: [[11, [0, 1]]]\npixels: [[0, 1.0, 2.0]]\n", "its content is not as it should be"),
        ("chips: [[999, [0]]]\npixels: [[0, 1.0, 2.0]]\n", "no channel 0 of chip 999"),
        ("chips: [[11, [0]]]\npixels: [[0, .nan, 2.0]]\n", "channel 0 of chip 11 is at"),
        ("chips: []\npixels: []\n", "no channel has a pixel"),
        (
            "pixel_pitch: 4\nchip_channel_to_position: {}\ntile_chip_to_io: {}\ntile_positions: {}\n",
            "its content is not as it should be",
        ),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_is_wrong_with_a_geometry_is_said_in_one_line(
    content: str | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "layout.yaml"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("PIXEL_GEOMETRY_PATH", str(path))
    for name in NEEDING:
        with pytest.raises(GeometryError, match="No pixel geometry in") as caught:
            SHIPPED[name]()
        assert why in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.path == path
        assert "PIXEL_GEOMETRY_PATH" in str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - its own bytes
    assert str(again) == str(caught.value)
    assert isinstance(again, HutchError)
    SHIPPED["PacketRate"]()


def test_without_the_variable_the_file_is_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIXEL_GEOMETRY_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GeometryError, match=r"layout-2\.4\.0\.yaml"):
        SHIPPED["PixelMap_1_1"]()
    write_geometry("layout-2.4.0.yaml")
    assert SHIPPED["PixelMap_1_1"]().geometry.kind == "single-tile"
