"""The how-to guides: their files are what they say, and their code prints what they say."""

# ruff: noqa: N806 - every beamline calls its RunEngine RE

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from hutch.bluesky import load_devices
from hutch.errors import ConfigurationError
from hutch.monitor.checks.finding import find_checks
from hutch.monitor.checks.settings import make_checks
from hutch.recording.rules.rules import Rules

from .test_docs import ROOT, folder, run

__all__ = ["folder"]

DEVICES = "docs/how-to/devices.md"
RULES = "docs/how-to/require-metadata.md"
CHECKS = "docs/how-to/write-a-check.md"


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def test_the_example_of_devices_is_a_beamline() -> None:
    devices = load_devices(ROOT / "docs/examples/devices.yml", strict=True)
    assert [device.name for device in devices.baseline] == ["theta", "sample_x", "temperature"]
    assert list(devices.with_label("slits")) == ["slit_1", "slit_2", "slit_3", "slit_4"]


def test_the_devices_in_the_guide_can_be_loaded(tmp_path: Path) -> None:
    (block,) = _blocks(DEVICES, "yaml")
    (tmp_path / "devices.yml").write_text(block)
    assert len(load_devices(tmp_path / "devices.yml", strict=True)) == 3


@pytest.mark.usefixtures("folder")
def test_the_guide_to_devices_prints_what_it_says() -> None:
    printed, names = run(DEVICES)
    assert "[12. 12.]" in printed
    assert "['table_0', 'table_1']" in printed
    names["cat"].close()


def test_the_message_in_the_guide_to_devices_is_real(tmp_path: Path) -> None:
    (message,) = _blocks(DEVICES, "text")
    (tmp_path / "devices.yml").write_text(
        "ophyd.sim.SynAxi:\n- {name: theta}\nophyd.Signal:\n- {name: temperature, valu: 295.0}\n\n"
        "- {name: temperature}\n"
    )
    with pytest.raises(ConfigurationError, match="can't be used") as caught:
        load_devices(tmp_path / "devices.yml")
    assert str(caught.value).replace(f"{tmp_path}/", "") == message.strip()


def test_the_rules_in_the_guide_are_those_of_the_example() -> None:
    (block,) = _blocks(RULES, "yaml")
    assert Rules.of(yaml.safe_load(block)) == Rules.from_file(ROOT / "docs/examples/rules.yml")


@pytest.mark.usefixtures("folder")
def test_the_guide_to_metadata_prints_what_it_says() -> None:
    printed, names = run(RULES)
    first, second = _blocks(RULES, "text")
    assert first.strip().removesuffix(" …") in printed
    assert "['sample.name']" in printed
    assert [run.start["operator"] for run in names["cat"].values()] == ["Dan", "Eve"]
    with pytest.raises(ConfigurationError, match="can't be used") as caught:
        Rules(fields={"energy_keV": {"type": "number", "minimun": 5}, "technique": {"allowed": []}})
    assert second.strip() == f"'rules.yml': {caught.value}"
    names["cat"].close()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("page", ["docs/how-to/record.md", "docs/how-to/read.md"])
def test_the_guides_to_recording_and_reading_print_what_they_say(page: str) -> None:
    printed, names = run(page)
    lines = [line.strip() for line in printed.splitlines()]
    assert lines == [line for block in _blocks(page, "text") for line in block.splitlines()]
    names["cat"].close()


@pytest.mark.usefixtures("folder")
def test_the_guide_to_checks_prints_what_it_says() -> None:
    printed, names = run(CHECKS)
    assert printed == "".join(_blocks(CHECKS, "text"))
    names["cat"].close()


def test_the_check_in_the_guide_is_that_of_the_example() -> None:
    (block,) = _blocks(CHECKS, "py")
    assert block == (ROOT / "docs/examples/checks.py").read_text()


def test_the_tables_in_the_guide_to_checks_can_be_used() -> None:
    tables, references = map(tomllib.loads, _blocks(CHECKS, "toml"))
    made = make_checks(tables["monitor"]["checks"], find_checks(), CHECKS)
    assert [check.name for check in made] == ["packet_rate", "hot", "temperature"]
    drift = {"check": "Drift", "plot": "ColumnStatistics", "series": "series"}
    (check,) = make_checks({"drift": {**drift, **references}}, find_checks(), CHECKS)
    assert (check.references, check.last) == (("LaB6", "42", "/data/good.h5"), 5)


def test_the_guide_to_checks_has_every_kind() -> None:
    text = (ROOT / CHECKS).read_text()
    assert [name for name in find_checks().kinds if f"`{name}`" not in text] == []
