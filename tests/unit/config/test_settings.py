"""The tree of settings is what its page in the documentation and its example say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hutch.config.file import understood
from hutch.config.settings import (
    CatalogSettings,
    ElogSettings,
    FilesSettings,
    LogbookSettings,
    MonitorSettings,
    RecordingSettings,
    ServerSettings,
    Settings,
    SpoolSettings,
    declared,
)

DOCS = Path(__file__).parents[3] / "docs"
TABLES = [
    Settings,
    CatalogSettings,
    ElogSettings,
    FilesSettings,
    LogbookSettings,
    RecordingSettings,
    MonitorSettings,
    ServerSettings,
    SpoolSettings,
]


def rows() -> Iterator[str]:
    for table in TABLES:
        for setting in declared(table):
            environment = f"`${setting.environment}`" if setting.environment else ""
            cells = (f"`{setting.name}`", setting.description, setting.kind.expected)
            yield f"| {' | '.join(cells)} | {setting.default or 'must be given'} | {environment} |"


def test_the_page_has_every_setting_and_no_other() -> None:
    found = re.findall(r"^\| `.*", (DOCS / "reference/configuration.md").read_text(), re.MULTILINE)
    assert found == list(rows())


@pytest.mark.parametrize("table", TABLES)
def test_every_setting_has_a_description_and_a_default(table: type) -> None:
    for setting in declared(table):
        assert setting.description
        assert setting.default or (table, setting.name) == (CatalogSettings, "store")


def test_defaults_are_what_is_said_of_them() -> None:
    for table in (ElogSettings, FilesSettings, RecordingSettings, SpoolSettings):
        text = "\n".join(
            f"{setting.name} = {setting.default.strip('`')}"
            for setting in declared(table)
            if setting.name not in ("folder", "principal")
        )
        name = table.__name__.removesuffix("Settings").lower()
        assert understood(f"[{name}]\n{text}\n".encode(), Path("hutch.toml")) == Settings()


def test_the_example_can_be_used_and_has_every_table() -> None:
    file = DOCS / "examples/hutch.toml"
    found = understood(file.read_bytes(), file)

    assert list(found.catalogs) == ["csx/raw", "csx/processed", "archive"]
    assert found.default_catalog is found.catalogs["csx/raw"]
    assert found.catalogs["csx/raw"].store == str(file.parent / "beamtime")
    assert found.files.roots == (Path("/nsls2/data/csx"),)
    assert dict(found.monitor.checks["packet_rate"]) == {"check": "Rate", "low_hz": 100}
    assert (found.recording.patience_s, found.spool.memory_bytes) == (10.0, 256_000_000)
