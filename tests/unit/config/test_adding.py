"""Adding a catalog to a file of settings."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hutch.config import configuration
from hutch.config.adding import add_catalog, check_addition
from hutch.errors import ConfigurationError


@pytest.fixture
def file(unconfigured: Path) -> Path:
    return unconfigured / "hutch.toml"


def stores() -> dict[str, str]:
    return {path: catalog.store for path, catalog in configuration().settings.catalogs.items()}


def test_the_first_catalog_makes_the_file_and_is_the_default(file: Path) -> None:
    assert add_catalog("csx/raw", "beamtime") == file
    assert file.read_text().endswith('default = "csx/raw"\n\n[catalogs.csx.raw]\nstore = "beamtime"\n')
    assert stores() == {"csx/raw": str(file.parent / "beamtime")}
    assert configuration().settings.default == "csx/raw"
    assert os.listdir(file.parent) == ["hutch.toml"]


@pytest.mark.parametrize("end", ["\n", ""])
def test_what_is_in_the_file_stays_as_it_is(file: Path, end: str) -> None:
    text = f'# Ours.\n[catalogs.old]   # the old one\n\n\nstore="x"{end}'
    file.write_text(text)
    add_catalog("new", "/data/new")

    assert file.read_text() == f'{text}{"" if end else chr(10)}\n[catalogs.new]\nstore = "/data/new"\n'
    assert list(stores()) == ["old", "new"]
    assert configuration().settings.default is None


def test_lines_end_as_the_others_of_the_file_do(file: Path) -> None:
    file.write_bytes(b"[catalogs.old]\r\nstore = 'x'\r\n")
    add_catalog("new", "/data/new")
    assert file.read_bytes().endswith(b"'x'\r\n\r\n[catalogs.new]\r\nstore = \"/data/new\"\r\n")


def test_it_is_added_to_the_file_that_is_in_force(file: Path) -> None:
    of_user = Path.home() / ".config/hutch/hutch.toml"
    of_user.parent.mkdir(parents=True)
    of_user.write_text("[catalogs.old]\nstore = 'x'\n")

    assert add_catalog("new", "here") == of_user
    assert stores()["new"] == str(file.parent / "here")
    assert not file.exists()


def test_a_file_that_the_variable_names_is_made(file: Path, monkeypatch) -> None:
    monkeypatch.setenv("HUTCH_CONFIG", "some/where.toml")
    assert add_catalog("raw", "some/store") == file.parent / "some/where.toml"
    assert 'store = "store"' in (file.parent / "some/where.toml").read_text()
    assert stores() == {"raw": str(file.parent / "some/store")}


@pytest.mark.parametrize(
    ("store", "written"),
    [
        ("a/b", "a/b"),
        (".", "."),
        ("~/x", None),
        ("/x/y", "/x/y"),
        ('qu"o\\te\t', 'qu\\"o\\\\te\\t'),
        ("é 😀\x7f", "é 😀\\u007f"),
        (
            "postgresql://ann@host:5432/runs?sslmode=require",
            "postgresql://ann@host:5432/runs?sslmode=require",
        ),
    ],
)
def test_a_store_is_found_again_whatever_it_is_called(file: Path, store: str, written: str | None) -> None:
    add_catalog("raw", store)
    expected = store if "://" in store else str(Path(store).expanduser().absolute())
    assert stores() == {"raw": expected}
    assert f'store = "{written or expected}"\n' in file.read_text()


def test_a_folder_is_not_taken_for_the_home(file: Path) -> None:
    add_catalog("raw", str(file.parent / "~"))
    assert 'store = "./~"\n' in file.read_text()
    assert stores() == {"raw": str(file.parent / "~")}


def test_names_are_quoted_where_they_must_be(file: Path) -> None:
    add_catalog("a name/é/raw-1", "x")
    assert '[catalogs."a name"."é".raw-1]\n' in file.read_text()
    assert list(stores()) == ["a name/é/raw-1"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("csx/raw", "Catalog 'csx/raw' is there already; see '.*/hutch.toml'. Give another name"),
        ("csx/raw/old", "can't be below 'csx/raw', which is a catalog"),
        ("csx", "can't be where 'csx/raw' is, as a catalog is no folder of catalogs"),
        ("", "'' is no path of a catalog: a name begins with"),
        ("a//b", "'a//b' is no path of a catalog: a name begins with"),
        ("/a", "no path of a catalog"),
        ("../a", "no path of a catalog"),
        ("a/store", "'store' is a setting of catalogs"),
    ],
)
def test_what_can_not_be_added_is_refused_and_changes_nothing(file: Path, path: str, reason: str) -> None:
    text = "[catalogs.csx.raw]\nstore = 'x'\n"
    file.write_text(text)
    for attempt in (check_addition, add_catalog):
        with pytest.raises(ConfigurationError, match=reason):
            attempt(path, "new")
    assert file.read_text() == text


def test_a_password_is_not_written(file: Path) -> None:
    with pytest.raises(
        ConfigurationError, match="postgresql://ann@host/runs' was given with a password"
    ) as caught:
        add_catalog("raw", "postgresql://ann:secret@host/runs")
    assert "secret" not in str(caught.value)
    assert not file.exists()


@pytest.mark.parametrize("text", ["catalogs = {old = {store = 'x'}}\n", "catalogs.old.store = 'x'\n"])
def test_a_file_that_can_not_be_added_to_stays_and_stays_readable(file: Path, text: str) -> None:
    file.write_text(text)
    try:
        add_catalog("new", "/data/new")
    except ConfigurationError as error:
        assert "can't be added at the end of" in str(error)  # noqa: PT017
        assert "store = '/data/new'" in str(error)  # noqa: PT017
        assert file.read_text() == text
    else:
        assert stores()["new"] == "/data/new"
    assert "old" in stores()


def test_a_file_that_is_wrong_is_not_added_to(file: Path) -> None:
    file.write_text("zzz = 1\n")
    with pytest.raises(ConfigurationError, match="there is no 'zzz'"):
        add_catalog("raw", "x")
    assert file.read_text() == "zzz = 1\n"


def test_a_name_that_is_no_text_is_refused(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be added"):
        add_catalog("raw", os.fsdecode(b"caf\xe9"))
    assert not file.exists()


def test_a_device_is_no_file(file: Path, monkeypatch) -> None:
    monkeypatch.setenv("HUTCH_CONFIG", os.devnull)
    with pytest.raises(ConfigurationError, match="is no file that a catalog can be added to"):
        add_catalog("raw", "x")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_links_and_permissions_stay(file: Path) -> None:
    real = file.with_name("settings of ours.toml")
    real.write_text("[catalogs.old]\nstore = 'x'\n")
    real.chmod(0o640)
    file.symlink_to(real)
    add_catalog("new", "y")

    assert file.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert list(stores()) == ["old", "new"]


def test_a_folder_that_can_not_be_written_into_is_named(file: Path, read_only) -> None:
    file.write_text("[catalogs.old]\nstore = 'x'\n")
    read_only(file.parent)
    with pytest.raises(ConfigurationError, match="/hutch.toml' can't be written: "):
        add_catalog("new", "y")


def test_programs_that_add_at_once_lose_nothing(file: Path) -> None:
    script = "import sys; from hutch.config.adding import add_catalog; add_catalog(sys.argv[1], 'x')"
    names = [f"catalog-{number}" for number in range(6)]
    started = [subprocess.Popen([sys.executable, "-c", script, name]) for name in names]
    assert [process.wait(timeout=60) for process in started] == [0] * len(names)
    assert sorted(stores()) == names
