"""The file ``hutch.toml``: where it is found, and what it says now.

It is read again whenever somebody asks, as it may have changed, and understood again only if it has.
"""

from __future__ import annotations

import codecs
import logging
import os
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from hutch.config.reading import read_settings
from hutch.config.settings import Settings, declared
from hutch.errors import ConfigurationError

__all__ = [
    "CONFIG_VARIABLE",
    "FILE",
    "Configuration",
    "configuration",
    "find_file",
    "in_force",
    "steady_configuration",
    "understood",
]

logger = logging.getLogger("hutch.config")

CONFIG_VARIABLE = "HUTCH_CONFIG"
"""The environment variable that names the file of settings."""

FILE = "hutch.toml"
"""Its name in the working folder, and in the user's folder of settings."""


class Configuration(NamedTuple):
    """Settings, and the file that they come from; None if there is no file."""

    path: Path | None
    settings: Settings


class _Understood(NamedTuple):
    """What was understood, and of what; "~" depends on the home."""

    path: Path
    home: str
    content: bytes
    settings: Settings


_understood: _Understood | None = None
_last: Configuration | None = None
"""What was in force when somebody asked last."""


def find_file() -> Path | None:
    """Return the file of settings that is in force; None if there is none.

    What ``$HUTCH_CONFIG`` names, whether it is there or not; else ``hutch.toml`` in the working folder, else
    in ``$XDG_CONFIG_HOME/hutch``, else in ``~/.config/hutch``.
    """
    chosen = os.environ.get(CONFIG_VARIABLE)
    if chosen:
        return Path(os.path.expanduser(chosen)).absolute()
    user = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    for path in (FILE, os.path.join(user, "hutch", FILE)):
        # Not what Path has: a folder that must not be looked into has no file for us.
        if os.path.isfile(path):
            return Path(path).absolute()
    return None


def configuration() -> Configuration:
    """Return the settings of the file that is in force, as it is now.

    :raises ConfigurationError: if it can't be read, or says what can't be used.
    """
    global _last
    path = find_file()
    content = None if path is None else _content(path)
    if path is None or content is None:
        _last = Configuration(None, Settings())
    else:
        _last = Configuration(path, _settings(path, content))
    return _last


def steady_configuration() -> Configuration:
    """Return the settings for what must go on: if the file can't be used now, those that it had before.

    :raises ConfigurationError: if this process has read none before.
    """
    try:
        return configuration()
    except ConfigurationError as error:
        if _last is None:
            raise
        logger.warning("The settings stay as they were: %s", error)
        return _last


def understood(content: bytes, path: Path) -> Settings:
    """Return the settings in a file.

    :param content: of the file.
    :param path: its name; relative folders start from its folder.
    :raises ConfigurationError: naming everything that can't be used.
    """
    try:
        found = tomllib.loads(content.removeprefix(codecs.BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        msg = f"{str(path)!r} is no TOML: line {line}: it is not in UTF-8."
        raise ConfigurationError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{str(path)!r} is no TOML: {_reason(error, content)}."
        raise ConfigurationError(msg) from error
    try:
        settings, problems = read_settings(found, path.parent)
    except RecursionError as error:
        msg = f"{str(path)!r} can't be used: its tables are nested too deeply."
        raise ConfigurationError(msg) from error
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        msg = f"{str(path)!r} can't be used:\n{listed}"
        raise ConfigurationError(msg)
    return settings


def in_force(table: Any, name: str) -> Any:
    """Return a setting: what the environment says, else what is in its table.

    :raises ConfigurationError: if the environment says what can't be used.
    """
    setting = next(one for one in declared(type(table)) if one.name == name)
    given = os.environ.get(setting.environment)
    if not given:
        return getattr(table, name)
    try:
        return setting.kind.take(setting.kind.split(given), Path())
    except ValueError as error:
        example = f", as in {setting.environment}={setting.kind.example}" if setting.kind.example else ""
        msg = f"${setting.environment} is {given!r}. Give {setting.kind.expected}{example}."
        raise ConfigurationError(msg) from error


def _content(path: Path) -> bytes | None:
    """Return what is in the file; None if it has gone a moment ago."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        if not os.environ.get(CONFIG_VARIABLE):
            return None
        msg = (
            f"${CONFIG_VARIABLE} names {str(path)!r}, and it is not there. Unset the variable, or make the "
            "file with: hutch init DIR"
        )
        raise ConfigurationError(msg) from error
    except OSError as error:
        msg = f"{str(path)!r} can't be read: {error.strerror}."
        raise ConfigurationError(msg) from error


def _settings(path: Path, content: bytes) -> Settings:
    global _understood
    known, home = _understood, os.path.expanduser("~")
    if known is None or known[:3] != (path, home, content):
        known = _understood = _Understood(path, home, content, understood(content, path))
    return known.settings


def _reason(error: Exception, content: bytes) -> str:
    """Return where and why a file is no TOML, in one line."""
    text = " ".join(str(error).split())
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", text)
    if found:
        return f"line {found[2]}, column {found[3]}: {found[1]}"
    reason, at_end, _ = text.partition(" (at end of document)")
    return f"line {len(content.splitlines())}: {reason}" if at_end else text
