"""Checks as a site sets them up: kinds that are found, tables that are understood, mistakes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hutch.errors import ConfigurationError
from hutch.monitor.checks import Rate, Verdict
from hutch.monitor.checks.finding import find_checks
from hutch.monitor.checks.settings import configured_checks, make_checks
from hutch.monitor.plugins.modules import find_origins
from hutch.monitor.verdicts.keeping import VerdictKeeper

from .watched import Watched, observer

OWN = '''
from dataclasses import dataclass
from hutch.monitor.checks import Judgement, Verdict, Rate as Shipped

@dataclass
class Even:
    """The number of values is even. It knows no more."""

    plot: str = "ColumnStatistics"
    field: str = "T"
    tired: bool = False

    def __call__(self, seen, references):
        count = seen.readout("column", self.field).count
        verdict = Verdict.MEDIUM if count % 2 else Verdict.GOOD
        return Judgement(verdict, count, f"there are {count} values")


class Rate(Shipped):
    """The rate, as we see it."""

    version = "7"


class NoCheck:
    plot = "PacketRate"


class Called:
    """A plot of the older form."""

    plot = "x"

    def __call__(self, filename, fh, fig=None):
        return fig
'''


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "own.py").write_text(OWN)
    (folder / "torn.py").write_text("import does_not_exist_at_all\n")
    return folder


def test_every_kind_that_is_shipped_says_what_it_is_for():
    found = find_checks()
    assert found.broken == []
    assert len(found.kinds) == 9
    for kind in found.kinds.values():
        assert re.fullmatch(r"[A-Z].*\.", kind.summary)
        for parameter in kind.parameters:
            assert parameter.about or parameter.name == "plot"
    assert found.kinds["Rate"].plot == "PacketRate"
    assert found.kinds["Threshold"].plot == ""


def test_checks_of_ones_own_are_found_and_broken_ones_named(folder):
    found = find_checks(find_origins([str(folder)]))

    assert {*found.kinds} - {*find_checks().kinds} == {"Even"}
    assert found.kinds["Even"].summary == "The number of values is even."
    assert (found.kinds["Rate"].replaces, found.kinds["Rate"].version) == ("hutch", "7")
    (broken,) = found.broken
    assert broken.origin == str(folder / "torn.py")
    assert "No module named 'does_not_exist_at_all'" in broken.sentence


def test_the_version_of_a_check_changes_with_its_file(folder):
    def version():
        return find_checks(find_origins([str(folder / "own.py")])).kinds["Even"].version

    before = version()
    (folder / "own.py").write_text(f"{OWN}\n# changed\n")
    assert version() != before


def test_a_check_of_ones_own_judges_in_a_worker(folder, tmp_path):
    tables = {"even": {"check": "Even", "field": "T"}}
    watched = Watched(observer(tables, tmp_path, plugins=[folder]), VerdictKeeper(tmp_path))

    (found,) = watched.grow(1.0)
    assert (found.verdict, found.value, found.sentence) == (Verdict.MEDIUM, 1.0, "there are 1 values")
    (found,) = watched.grow(2.0)
    assert found.verdict is Verdict.GOOD


TABLES = """
[monitor.checks.packet_rate]
check = "Rate"
low_hz = 100
window_s = 30.5

[monitor.checks.shape]
check = "ChiSquare"
plot = ["PacketRate", "TileRate"]
array = "counts"
references = ["LaB6", 42]
match = ["plan_name"]
"""


@pytest.mark.parametrize("place", ["hutch.toml", "a file of its own"])
def test_checks_stand_in_tables(tmp_path, monkeypatch, place):
    file = tmp_path / "hutch.toml"
    file.write_text(TABLES)
    monkeypatch.setenv("HUTCH_CONFIG", str(file) if place == "hutch.toml" else "/dev/null")
    rate, shape = configured_checks(find_checks(), None if place == "hutch.toml" else file)

    assert rate.check == Rate(low_hz=100.0, window_s=30.5)
    assert (rate.references, rate.last, rate.stream) == ((), 0, "primary")
    assert rate.verdict_name("PacketRate") == "packet_rate"
    assert (shape.references, shape.match, shape.last) == (("LaB6", "42"), ("plan_name",), 5)
    assert shape.looks_at("TileRate")
    assert not shape.looks_at("FIFOFlags")
    assert shape.verdict_name("TileRate") == "shape/TileRate"


def test_a_name_may_stand_for_many_plots():
    (check,) = make_checks({"hot": {"check": "HotChannels", "plot": "PixelMap_1_*"}}, find_checks(), "x")

    assert check.looks_at("PixelMap_1_8")
    assert not check.looks_at("PixelMap_2_1")
    assert check.verdict_name("PixelMap_1_8") == "hot/PixelMap_1_8"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"low_hz": 1}, "'monitor.checks.a' has no check: say its kind"),
        ({"check": "Rat"}, "there is no check 'Rat' (did you mean 'Rate'?)"),
        ({"check": ["Rate"]}, "there is no check ['Rate']"),
        ({"check": "Rate", "low_hs": 1}, "Rate has no 'monitor.checks.a.low_hs' (did you mean 'low_hz'?)"),
        ({"check": "Rate", "low_hz": "1"}, "'monitor.checks.a.low_hz' is '1'; give a number of Hz"),
        ({"check": "Rate", "low_hz": True}, "'monitor.checks.a.low_hz' is True; give a number of Hz"),
        ({"check": "HotChannels", "bad_above": 1.5}, "is 1.5; give a whole number"),
        ({"check": "Rate", "plot": []}, "is []; give the name of a plot, or a list of names"),
        ({"check": "Rate", "match": "sample"}, "is 'sample'; give a list, as in ['plan_name']"),
        ({"check": "Rate", "last": 0}, "is 0; give a number of runs, 1 or more"),
        ({"check": "Rate", "stream": 1}, "is 1; give the name of a stream"),
        ({"check": "Range"}, "'monitor.checks.a' lacks 'field': the field: a column of the stream"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(table, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        make_checks({"a": table}, find_checks(), "hutch.toml")


def test_all_that_is_wrong_is_found_at_once():
    tables = {"a": {"check": "Rate", "low_hz": "1", "hi": 2}, "b": {}, "c": {"check": "Rate"}}
    with pytest.raises(ConfigurationError) as caught:
        make_checks(tables, find_checks(), "hutch.toml")
    assert str(caught.value).count("\n  - ") == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[monitor.checks", "is no TOML"),
        ("[monitor]\nplots = 1", "it has 'monitor.plots'"),
        ("[catalogs.raw]\nstore = 'x'", "it has 'catalogs'"),
        ("[monitor]\nchecks = 5", "it has something else"),
        ("[monitor.checks]\na = 5", "it has something else"),
    ],
)
def test_a_file_of_checks_has_nothing_else(tmp_path: Path, text, said):
    file = tmp_path / "checks.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        configured_checks(find_checks(), file)
    with pytest.raises(ConfigurationError, match="can't be read"):
        configured_checks(find_checks(), tmp_path / "none.toml")
