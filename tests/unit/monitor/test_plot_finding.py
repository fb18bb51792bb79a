"""Plots that people drop in, name and publish, and which of a module's classes are some."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from hutch.errors import ConfigurationError
from hutch.monitor.plugins.modules import Origin, find_origins, fingerprint
from hutch.monitor.plugins.plot_finding import Finds, find_plots

OLDER = '''
import collections
from datetime import datetime
from fractions import Fraction
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy import *

def pixel_map_factory(tpc_number, tile_number):
    class PixelMap(object):
        def __init__(self):
            self.data = collections.defaultdict(dict)

        def __call__(self, filename, fh, fig=None):
            if fig is not None:
                plt.figure(fig.number)
                plt.close()
            return plt.figure()

    PixelMap.tpc_number = tpc_number
    PixelMap.tile_number = tile_number
    return PixelMap

# actually generate classes
for tpc in range(1,3):
    for tile in range(1,3):
        globals()['PixelMap_{}_{}'.format(tpc,tile)] = pixel_map_factory(tpc, tile)

class Settings:
    """No plot: it cannot be called with a file."""

class _Private:
    def __call__(self, filename, fh, fig=None):
        return plt.figure()

class WrongCall:
    def __call__(self, nothing):
        return None
'''
"""A module in the manner of the older monitor, whose classes share one name."""


def _find(folder: Path, **modules: str) -> Finds:
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    return find_plots(find_origins([str(folder)]), {})


def test_a_plot_is_called_as_its_attribute_and_what_is_imported_is_none(tmp_path: Path) -> None:
    finds = _find(tmp_path, older=OLDER)
    assert finds.broken == []
    assert list(finds.classes) == ["PixelMap_1_1", "PixelMap_1_2", "PixelMap_2_1", "PixelMap_2_2"]
    assert [finds.classes[name]().tile_number for name in finds.classes] == [1, 2, 1, 2]
    assert all(info.is_called for info in finds.infos.values())


def test_a_class_that_somebody_elses_function_makes_is_the_modules_own(tmp_path: Path) -> None:
    text = "from .older import PixelMap_1_1, pixel_map_factory\nMine = pixel_map_factory(7, 8)\n"
    finds = _find(tmp_path, other=text, older=OLDER)
    assert finds.infos["Mine"].origin == str(tmp_path / "other.py")
    assert finds.infos["PixelMap_1_1"].origin == str(tmp_path / "older.py")


def test_plug_ins_import_their_neighbours_by_bare_names_too(tmp_path: Path) -> None:
    before = set(sys.modules)
    for number in (1, 2):
        folder = tmp_path / str(number)
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / "__init__.py").write_text("")
        (folder / "inner" / "deep.py").write_text(f"number = {number}\n")
        # Each imports the other, and one that is of the standard library is not hidden.
        (folder / "helpers.py").write_text(f"number = {number}\nimport using\n")
        (folder / "fractions.py").write_text("Fraction = None\n")
        text = """
import fractions, helpers, inner.deep
from . import helpers as same
class Mine:
    numbers = helpers.number, inner.deep.number, helpers is same, fractions.Fraction is not None
    def __call__(self, filename, fh, fig=None):
        return fig
"""
        finds = _find(folder, using=text)
        assert [one.sentence for one in finds.broken] == []
        assert finds.classes["Mine"].numbers == (number, number, True, True)
    bare = {"using", "helpers", "inner", "inner.deep"}
    assert not bare & (set(sys.modules) - before)
    missing = _find(tmp_path, using="import inner\nimport helpers\n")
    assert "No module named 'inner'" in missing.broken[0].sentence


def test_a_plot_takes_the_place_of_the_one_that_is_shipped(tmp_path: Path) -> None:
    class PixelMap:
        """Shipped. With more to say."""

        formats = ("packets",)

        def update(self, batch): ...
        def state(self): ...
        def restore(self, state): ...
        def figure(self, fig=None): ...

    (tmp_path / "older.py").write_text(OLDER)
    finds = find_plots(find_origins([str(tmp_path)]), {"PixelMap_1_1": PixelMap, "Another": PixelMap})
    assert finds.infos["PixelMap_1_1"].replaces == "hutch"
    assert finds.infos["PixelMap_1_1"].is_called
    assert finds.infos["Another"].summary == "Shipped."
    assert finds.infos["Another"].replaces == ""


def test_modules_and_packages_are_named_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "plots_of_mine"
    package.mkdir()
    (package / "older.py").write_text(OLDER)
    (package / "__init__.py").write_text("from collections import Counter\nfrom .older import PixelMap_2_2\n")
    monkeypatch.syspath_prepend(tmp_path)
    finds = find_plots(find_origins(["plots_of_mine"]), {})
    assert list(finds.classes) == ["PixelMap_2_2"]
    for name in ("plots_of_mine", "plots_of_mine.older"):
        monkeypatch.delitem(sys.modules, name)


def test_a_module_of_the_working_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plots_beside.py").write_text(OLDER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = fingerprint(["plots_beside"])
    finds = find_plots(find_origins(["plots_beside"]), {})
    assert finds.broken == []
    assert "PixelMap_2_2" in finds.classes
    (tmp_path / "plots_beside.py").write_text(OLDER + "MORE = 1\n")
    assert before != fingerprint(["plots_beside"]) != ()
    monkeypatch.delitem(sys.modules, "plots_beside")


def test_packages_publish_plots_as_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "published_plots.py").write_text(OLDER)
    about = tmp_path / "published_plots-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: published-plots\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[hutch.plots]\nAnode = published_plots:PixelMap_2_1\nbroken = published_plots:Nothing\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert any(entry.name == "Anode" for entry in metadata.entry_points(group="hutch.plots"))
    finds = find_plots([], {})
    assert finds.classes["Anode"]().tpc_number == 2
    assert [one.origin for one in finds.broken] == ["published_plots:Nothing"]
    assert "has no attribute 'Nothing'" in finds.broken[0].sentence
    monkeypatch.delitem(sys.modules, "published_plots")


def test_what_is_no_place_of_plug_ins_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No plug-ins at '.*nowhere'"):
        find_origins([str(tmp_path / "nowhere")])


def test_a_change_of_a_plug_in_shows_without_reading_it(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text("A = 1\n")
    before = fingerprint([str(tmp_path)])
    origin = Origin("file", str(file))
    version = origin.version()
    file.write_text("A = 10\n")
    assert fingerprint([str(tmp_path)]) != before
    assert origin.version() != version
    before, version = fingerprint([str(tmp_path)]), origin.version()
    helper = tmp_path / "_help.py"
    helper.write_text("B = 1\n")
    assert fingerprint([str(tmp_path)]) != before
    assert origin.version() != version
    assert find_origins([str(tmp_path)]) == [origin]
    helper.unlink()
    file.unlink()
    assert fingerprint([str(tmp_path)]) == ()
