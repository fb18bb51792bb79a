"""The file of settings: which one it is, and what happens when it changes or is wrong."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from hutch.config import configuration, find_file, patience_s, spool_folder, spool_memory_bytes
from hutch.config.file import steady_configuration
from hutch.errors import ConfigurationError
from hutch.recording import Recorder


def user_file(text: str) -> Path:
    path = Path.home() / ".config/hutch/hutch.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_a_file_everything_is_as_by_default(unconfigured: Path) -> None:
    path, settings = configuration()

    assert path is None
    assert dict(settings.catalogs) == {}
    assert (settings.recording.patience_s, settings.spool.memory_bytes) == (5.0, 64_000_000)


def test_the_variable_goes_before_the_working_folder_and_that_before_the_user(
    unconfigured: Path, monkeypatch
) -> None:
    assert find_file() is None
    of_user = user_file("")
    assert find_file() == of_user
    monkeypatch.setenv("XDG_CONFIG_HOME", str(unconfigured / "xdg"))
    assert find_file() is None
    (unconfigured / "xdg/hutch").mkdir(parents=True)
    (unconfigured / "xdg/hutch/hutch.toml").write_text("")
    assert find_file() == unconfigured / "xdg/hutch/hutch.toml"
    (unconfigured / "hutch.toml").write_text("")
    assert find_file() == unconfigured / "hutch.toml"
    monkeypatch.setenv("HUTCH_CONFIG", "~/mine.toml")
    assert find_file() == Path.home() / "mine.toml"


def test_a_folder_of_this_name_is_no_file(unconfigured: Path) -> None:
    (unconfigured / "hutch.toml").mkdir()
    assert find_file() is None


def test_a_working_folder_that_is_gone_has_no_file(unconfigured: Path) -> None:
    of_user = user_file("")
    unconfigured.rmdir()
    assert configuration().path == of_user


def test_a_machine_without_homes_has_no_file_of_the_user(unconfigured: Path, monkeypatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert find_file() is None


def test_an_empty_device_leaves_everything_at_its_default(unconfigured: Path, monkeypatch) -> None:
    (unconfigured / "hutch.toml").write_text("[recording]\npatience_s = 1\n")
    monkeypatch.setenv("HUTCH_CONFIG", os.devnull)
    assert configuration().settings.recording.patience_s == 5.0


def test_a_change_of_the_file_holds_at_once(unconfigured: Path) -> None:
    file = unconfigured / "hutch.toml"
    for seconds in (1, 2, 3):  # as many characters, and perhaps the same moment
        file.write_text(f"[recording]\npatience_s = {seconds}\n")
        assert patience_s() == seconds
    file.unlink()
    assert patience_s() == 5.0


def test_what_has_not_changed_is_not_read_again(unconfigured: Path) -> None:
    (unconfigured / "hutch.toml").write_text("[catalogs.raw]\nstore = 'a'\n")
    assert configuration().settings is configuration().settings


def test_the_environment_goes_before_the_file(unconfigured: Path, monkeypatch) -> None:
    (unconfigured / "hutch.toml").write_text(
        "[recording]\npatience_s = 1\n[spool]\nfolder = 'spool'\nmemory_bytes = 1e6\n"
    )
    for name in ("HUTCH_SPOOL", "HUTCH_SPOOL_MEMORY_BYTES", "HUTCH_PATIENCE_S"):
        monkeypatch.delenv(name, raising=False)
    assert (patience_s(), spool_memory_bytes()) == (1.0, 1_000_000)
    assert spool_folder() == unconfigured / "spool"
    monkeypatch.setenv("HUTCH_SPOOL", "~/spool")
    monkeypatch.setenv("HUTCH_SPOOL_MEMORY_BYTES", "2000")
    monkeypatch.setenv("HUTCH_PATIENCE_S", "2")
    assert (patience_s(), spool_memory_bytes()) == (2.0, 2000)
    assert spool_folder() == Path.home() / "spool"


def test_a_file_may_begin_with_a_byte_order_mark(unconfigured: Path) -> None:
    (unconfigured / "hutch.toml").write_bytes(b"\xef\xbb\xbf[files]\r\nread_limit_bytes = 7\r\n")
    assert configuration().settings.files.read_limit_bytes == 7


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a = 1\nb = [\n", r"is no TOML: line 2: Invalid value\."),
        (b"a = 1\nb 2\n", r"is no TOML: line 2, column 3: Expected '=' after a key in a key/value pair\."),
        (b"a = 1\na = 2\n", r"is no TOML: line 2, column 6: Cannot overwrite a value\."),
        (b"a = 1\n# caf\xe9\n", r"is no TOML: line 2: it is not in UTF-8\."),
        (b"a = " + b"[" * 100_000, r"is no TOML: "),
        (
            b"[catalogs" + b".a" * 5000 + b"]\nstore = 'x'\n",
            r"can't be used: its tables are nested too deeply",
        ),
        (b"a = " + b"1" * 5000, r"is no TOML: "),
        (b"zzz = 1\n", r"can't be used:\n  - there is no 'zzz'"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_the_line(unconfigured: Path, content: bytes, reason: str) -> None:
    (unconfigured / "hutch.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"work.hutch\.toml' {reason}"):
        configuration()


def test_a_file_that_is_named_and_not_there_is_an_error(unconfigured: Path, monkeypatch) -> None:
    monkeypatch.setenv("HUTCH_CONFIG", "nowhere.toml")
    with pytest.raises(
        ConfigurationError, match=r"\$HUTCH_CONFIG names .*nowhere.toml', and it is not there"
    ):
        configuration()
    monkeypatch.setenv("HUTCH_CONFIG", str(unconfigured))
    with pytest.raises(ConfigurationError, match="can't be read: Is a directory"):
        configuration()


def test_what_goes_on_keeps_its_settings_when_the_file_becomes_wrong(
    unconfigured: Path, monkeypatch, caplog, store
) -> None:
    for name in ("HUTCH_SPOOL", "HUTCH_SPOOL_MEMORY_BYTES", "HUTCH_PATIENCE_S"):
        monkeypatch.delenv(name, raising=False)
    file = unconfigured / "hutch.toml"
    file.write_text("[spool]\nfolder = 'spool'\nmemory_bytes = 1000\n")
    recorder = Recorder(store)
    recorder("start", {"uid": "one", "time": 1.0})
    file.write_text("[spool\n")

    with caplog.at_level(logging.WARNING, "hutch.config"):
        assert steady_configuration().path == file
        assert (spool_folder(), spool_memory_bytes()) == (unconfigured / "spool", 1000)
    recorder("start", {"uid": "two", "time": 2.0})
    recorder.close()
    assert "The settings stay as they were: " in caplog.text
    assert sorted(store.run_uids()) == ["one", "two"]
    with pytest.raises(ConfigurationError, match="is no TOML"):
        configuration()
