"""From what a file of settings holds to settings: everything that is wrong with it is found at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hutch.config.kinds import Kind
from hutch.config.settings import (
    CatalogSettings,
    Declared,
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

__all__ = ["dotted", "quoted", "read_settings", "why_no_path"]

_CATALOGS = "catalogs"
_ROOT_MAP = "root_map"
"""The setting of a catalog that is a table itself."""
_SECTIONS: dict[str, type] = {
    "elog": ElogSettings,
    "files": FilesSettings,
    "logbook": LogbookSettings,
    "monitor": MonitorSettings,
    "recording": RecordingSettings,
    "server": ServerSettings,
    "spool": SpoolSettings,
}
_BARE = re.compile("[A-Za-z0-9_-]+")
_NAME = re.compile(r"\w[\w.+ -]*(?<! )")
_ONLY_WITH = {"api_key_env": ("http://", "https://"), "files": ("postgresql://", "postgres://")}
"""Settings of a catalog that mean something only if the address of its store begins so."""
_MOST_SHOWN = 60
"""Characters of a value that is shown in a message."""
_MOST_BITS = 64

_STORE_EXPECTED = "give it a store, as in store = '/data/csx/raw'"

_OF_CATALOGS = {setting.name: setting for setting in declared(CatalogSettings)}


def read_settings(found: Mapping[str, object], folder: Path) -> tuple[Settings, list[str]]:
    """Return the settings in a table, and what is wrong with it.

    :param folder: that relative folders start from.
    """
    reader = _Reader(folder)
    return reader.settings(found), reader.problems


def dotted(*names: str) -> str:
    """Return a key as TOML has it: ``catalogs.csx."a name"``."""
    return ".".join(name if _BARE.fullmatch(name) else quoted(name) for name in names)


def quoted(text: str) -> str:
    """Return text as TOML has it."""
    # JSON escapes all that TOML wants escaped, but one character.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def why_no_path(path: str) -> str | None:
    """Return why something cannot be the path of a catalog; None if it can."""
    return next(filter(None, map(_why_no_name, path.split("/"))), None)


class _Reader:
    """Takes the values of a file, and keeps what is wrong.

    :ivar problems: each a sentence for people.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.problems: list[str] = []

    def settings(self, found: Mapping[str, object]) -> Settings:
        top = {setting.name: setting for setting in declared(Settings)}
        self._refuse_unknown(found, (), [*top, _CATALOGS, *_SECTIONS])
        values = self._values(found, (), top.values())
        for name, table in _SECTIONS.items():
            section = self._table(found.get(name, {}), (name,))
            known = {setting.name: setting for setting in declared(table)}
            self._refuse_unknown(section, (name,), known)
            values[name] = table(**self._values(section, (name,), known.values()))
        problems = len(self.problems)
        catalogs = dict(self._catalogs(self._table(found.get(_CATALOGS, {}), (_CATALOGS,)), ()))
        settings = Settings(catalogs=MappingProxyType(catalogs), **values)
        # Else it may name one that is there, and wrong.
        if len(self.problems) == problems and settings.default not in (None, *catalogs):
            self.problems.append(_no_default(str(settings.default), list(catalogs)))
        return settings

    def _catalogs(
        self, found: Mapping[str, object], path: tuple[str, ...]
    ) -> Iterator[tuple[str, CatalogSettings]]:
        """Yield the catalogs in a folder of them."""
        for name, value in found.items():
            below = (*path, name)
            key = (_CATALOGS, *below)
            if not isinstance(value, Mapping):
                self._refuse_value_in_folder(key, value)
                continue
            reason = _why_no_name(name)
            if reason is not None:
                self.problems.append(f"{dotted(*key)!r} is no name of a catalog: {reason}")
            if _is_catalog(value):
                catalog = self._catalog(value, below)
                if catalog is not None and reason is None:
                    yield catalog.path, catalog
            elif not value:
                self.problems.append(f"{dotted(*key)!r} is empty; {_STORE_EXPECTED}")
            else:
                yield from self._catalogs(value, below)

    def _catalog(self, found: Mapping[str, object], path: tuple[str, ...]) -> CatalogSettings | None:
        key = (_CATALOGS, *path)
        below = [name for name, value in found.items() if name not in _OF_CATALOGS and _holds_catalogs(value)]
        for name in below:
            self.problems.append(
                f"{dotted(*key)!r} is a catalog, as it has a store, and so it cannot be a folder "
                f"that has {name!r} in it; give one of them another name"
            )
        own = {name: value for name, value in found.items() if name not in below}
        self._refuse_unknown(own, key, _OF_CATALOGS)
        values = self._values(own, key, _OF_CATALOGS.values())
        if "store" not in found:
            self.problems.append(f"{dotted(*key)!r} has no store; {_STORE_EXPECTED}")
        for name, schemes in _ONLY_WITH.items():
            if name in values and not values.get("store", schemes[0]).lower().startswith(schemes):
                self.problems.append(
                    f"{dotted(*key, name)!r} goes with a store whose address begins with {schemes[0]!r}"
                )
        return CatalogSettings(path="/".join(path), **values) if "store" in values else None

    def _refuse_value_in_folder(self, key: tuple[str, ...], value: object) -> None:
        """Refuse what stands beside catalogs, or was meant to be a setting of one."""
        if len(key) > 2:  # noqa: PLR2004 - it may be a catalog without a store
            self._refuse_unknown({key[-1]: value}, key[:-1], _OF_CATALOGS)
        else:
            self.problems.append(f"{dotted(*key)!r} is {_told(value)}; it is a table: [{dotted(*key)}]")

    def _values(
        self, found: Mapping[str, object], path: tuple[str, ...], known: Iterable[Declared]
    ) -> dict[str, Any]:
        """Return the settings that can be used."""
        values = {}
        for setting in known:
            if setting.name not in found:
                continue
            value = found[setting.name]
            try:
                values[setting.name] = setting.kind.take(value, self._folder)
            except ValueError:
                told = self._told_wrong(setting.kind, value)
                self.problems.append(f"{dotted(*path, setting.name)!r} {told}; give {setting.kind.expected}")
        return values

    def _told_wrong(self, kind: Kind, value: object) -> str:
        """Return what a value is that cannot be used; of a list, in which only some may be, what it has."""
        if kind.is_secret:
            return "is something else"
        if isinstance(value, list) and self._takes(kind, []):
            wrong = [item for item in value if not self._takes(kind, [item])]
            return f"has {', '.join(map(_told, wrong))}" if wrong else f"is {_told(value)}"
        return f"is {_told(value)}"

    def _takes(self, kind: Kind, value: object) -> bool:
        try:
            kind.take(value, self._folder)
        except ValueError:
            return False
        return True

    def _table(self, value: object, key: tuple[str, ...]) -> Mapping[str, object]:
        if isinstance(value, Mapping):
            return value
        self.problems.append(f"{dotted(*key)!r} is {_told(value)}; it is a table: [{dotted(*key)}]")
        return {}

    def _refuse_unknown(self, found: Iterable[str], path: tuple[str, ...], known: Iterable[str]) -> None:
        names = list(known)
        for name in found:
            if name not in names:
                near = get_close_matches(name, names, 1)
                guess = f" (did you mean {dotted(*path, near[0])!r}?)" if near else ""
                self.problems.append(
                    f"there is no {dotted(*path, name)!r}{guess}; there are {', '.join(names)}"
                )


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _holds_catalogs(value: object) -> bool:
    """Tell whether something beside a store is more than a setting that was mistyped."""
    return isinstance(value, Mapping) and (_is_catalog(value) or any(map(_is_table, value.values())))


def _is_catalog(table: Mapping[str, object]) -> bool:
    """Tell whether a table is a catalog: it has settings of one, or a store."""
    return any(
        name in _OF_CATALOGS and (name == _ROOT_MAP or not _is_table(value)) for name, value in table.items()
    )


def _why_no_name(name: str) -> str | None:
    if name in _OF_CATALOGS:
        return f"{name!r} is a setting of catalogs"
    if not _NAME.fullmatch(name):
        return "a name begins with a letter, a digit or '_', and has only these, '-', '+', '.' and spaces"
    return None


def _no_default(path: str, paths: list[str]) -> str:
    near = get_close_matches(path, paths, 1)
    guess = f" (did you mean {near[0]!r}?)" if near else ""
    known = ", ".join(paths) or "none"
    return f"'default' is {_told(path)}, and there is no such catalog{guess}; there are {known}"


def _told(value: object) -> str:
    """Return a value as people may see it."""
    text = "a large number" if isinstance(value, int) and value.bit_length() > _MOST_BITS else repr(value)
    if isinstance(value, (list, Mapping)) or "://" in text or len(text) > _MOST_SHOWN:
        return {"list": "a list", "dict": "a table", "str": "some text"}.get(
            type(value).__name__, type(value).__name__
        )
    return {"True": "true", "False": "false"}.get(text, text)
