"""The checks of a site: which kinds with which parameters, as they stand in ``[monitor.checks.NAME]``.

The table of a check says its kind, ``check = "Rate"``, and the kind's parameters; besides, which stream of a
run it is for, and what it is compared with. Everything that is wrong is found at once.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hutch.config import configuration
from hutch.errors import ConfigurationError
from hutch.monitor.checks.finding import CheckKind, Kinds, Parameter
from hutch.monitor.checks.forms import Check

__all__ = ["ConfiguredCheck", "Tables", "configured_checks", "make_checks", "read_tables", "tables_in"]

Tables = Mapping[str, Mapping[str, Any]]
"""The tables of checks, by the names of the checks."""

_OWN = ("check", "stream", "references", "match", "last")
"""Keys of a table that are not the kind's parameters."""
_LAST = 5


@dataclass(frozen=True)
class ConfiguredCheck:
    """A check as it is set up.

    :ivar name: the name of its verdicts, ``dqm.name`` in searches.
    :ivar check: what is called.
    :ivar kind: of which kind it is.
    :ivar parameters: those that were set.
    :ivar stream: of runs, the stream that it is for.
    :ivar references: uids or scan_ids of runs, paths of files, names of saved references.
    :ivar match: keys of start documents; a run is compared with good runs that have the same values there.
    :ivar last: with how many of these, the newest; 0 if with none.
    """

    name: str
    check: Check
    kind: CheckKind
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stream: str = "primary"
    references: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    last: int = 0

    @property
    def plots(self) -> tuple[str, ...]:
        """The names of the plots that it looks at; ``*`` stands for any characters."""
        plot = self.check.plot
        return (plot,) if isinstance(plot, str) else tuple(plot)

    @property
    def is_one(self) -> bool:
        """Whether it looks at one plot, and has one verdict."""
        return len(self.plots) == 1 and not set("*?[") & set(self.plots[0])

    def looks_at(self, plot: str) -> bool:
        """Tell whether it looks at a plot."""
        return any(fnmatchcase(plot, pattern) for pattern in self.plots)

    def verdict_name(self, plot: str) -> str:
        """Return how its verdict on a plot is called: of several plots each has one."""
        return self.name if self.is_one else f"{self.name}/{plot}"


def configured_checks(kinds: Kinds, file: str | Path | None = None) -> list[ConfiguredCheck]:
    """Return the checks that are set up.

    :param file: a TOML file with tables ``[monitor.checks.NAME]``; else ``hutch.toml``.
    :raises ConfigurationError: naming everything that is wrong with them.
    """
    tables, where = tables_in(file)
    return make_checks(tables, kinds, where)


def tables_in(file: str | Path | None = None) -> tuple[Tables, str]:
    """Return the tables of checks, and the name of the file that they are from, for people.

    :param file: a TOML file with tables ``[monitor.checks.NAME]``; else ``hutch.toml``.
    :raises ConfigurationError: if it cannot be read.
    """
    if file is not None:
        return read_tables(file), str(file)
    path, settings = configuration()
    return settings.monitor.checks, str(path)


def read_tables(file: str | os.PathLike[str]) -> Tables:
    """Return the tables of checks in a file, which has nothing else.

    :raises ConfigurationError: if it cannot be read.
    """
    try:
        found = tomllib.loads(Path(file).read_text("utf-8-sig"))
    except OSError as error:
        msg = f"{str(file)!r} can't be read: {error.strerror}."
        raise ConfigurationError(msg) from error
    except ValueError as error:
        msg = f"{str(file)!r} is no TOML: {error}."
        raise ConfigurationError(msg) from error
    monitor = found.get("monitor", {})
    tables = monitor.get("checks", {}) if isinstance(monitor, dict) else None
    strange = [name for name in found if name != "monitor"]
    strange += (
        [f"monitor.{name}" for name in monitor if name != "checks"] if isinstance(monitor, dict) else []
    )
    if strange or not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        there = f"it has {', '.join(map(repr, strange))}" if strange else "it has something else"
        msg = f"{str(file)!r} holds tables [monitor.checks.NAME] and nothing else; {there}."
        raise ConfigurationError(msg)
    return tables


def make_checks(tables: Tables, kinds: Kinds, where: str) -> list[ConfiguredCheck]:
    """Return the checks in some tables.

    :param where: the file that they are from, for people.
    :raises ConfigurationError: naming everything that is wrong with them.
    """
    found, problems = [], []
    for name, table in tables.items():
        wrong = list(_wrong(name, table, kinds))
        problems += wrong
        if not wrong:
            try:
                found.append(_made(name, table, kinds.kinds[table["check"]]))
            except (TypeError, ValueError) as error:
                problems.append(f"'monitor.checks.{name}' cannot be made: {error}")
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        msg = f"{where!r} can't be used:\n{listed}"
        raise ConfigurationError(msg)
    return found


def _made(name: str, table: Mapping[str, Any], kind: CheckKind) -> ConfiguredCheck:
    parameters = {key: value for key, value in table.items() if key not in _OWN}
    floats = {one.name for one in kind.parameters if one.type is float}
    given = {key: float(value) if key in floats else value for key, value in parameters.items()}
    return ConfiguredCheck(
        name,
        kind.make(**given),
        kind,
        parameters,
        table.get("stream", "primary"),
        tuple(str(one) for one in table.get("references", ())),
        tuple(table.get("match", ())),
        table.get("last", _LAST if table.get("match") else 0),
    )


def _wrong(name: str, table: Mapping[str, Any], kinds: Kinds) -> Iterator[str]:
    """Yield what is wrong with the table of a check."""
    where = f"monitor.checks.{name}"
    if "check" not in table:
        yield f'{where!r} has no check: say its kind, as in check = "Rate"'
        return
    kind = kinds.kinds.get(table["check"]) if isinstance(table["check"], str) else None
    if kind is None:
        asked = table["check"]
        yield f"{where!r}: there is no check {asked!r}{_guess(asked, kinds.kinds)}; {_listed(kinds.kinds)}"
        return
    known = {one.name: one for one in kind.parameters}
    for key, value in table.items():
        if key in _OWN:
            expected = _own_expected(key, value)
        elif key in known:
            expected = _expected(known[key], value)
        else:
            names = [*known, *_OWN]
            yield f"{kind.name} has no '{where}.{key}'{_guess(key, names)}; {_listed(names)}"
            continue
        if expected:
            yield f"'{where}.{key}' is {value!r}; give {expected}"
    for one in kind.parameters:
        if one.is_required and one.name not in table:
            yield f"{where!r} lacks {one.name!r}: {one.about or 'a parameter that ' + kind.name + ' needs'}"


def _own_expected(key: str, value: Any) -> str:
    """Return what a key that all checks have should hold; empty if it does."""
    if key == "last":
        return "" if type(value) is int and value > 0 else "a number of runs, 1 or more"
    if key == "stream":
        return "" if isinstance(value, str) else "the name of a stream"
    if key in ("references", "match"):
        kinds = (str, int) if key == "references" else (str,)
        is_list = isinstance(value, list) and all(type(one) in kinds for one in value)
        return "" if is_list else "a list, as in ['plan_name']"
    return ""


def _expected(parameter: Parameter, value: Any) -> str:
    """Return what a parameter should hold; empty if it does, or if nobody says."""
    if parameter.name == "plot":
        is_list = isinstance(value, list) and all(isinstance(one, str) for one in value) and value
        return "" if isinstance(value, str) or is_list else "the name of a plot, or a list of names"
    unit = f" of {parameter.unit}" if parameter.unit else ""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if parameter.type is float:
        return "" if is_number else f"a number{unit}"
    if parameter.type is int:
        return "" if is_number and int(value) == value else f"a whole number{unit}"
    if parameter.type is bool:
        return "" if isinstance(value, bool) else "true or false"
    if parameter.type is str:
        return "" if isinstance(value, str) else "text"
    return ""


def _guess(name: object, known: Iterable[str]) -> str:
    near = get_close_matches(str(name), list(known), 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _listed(names: Iterable[str]) -> str:
    found: Sequence[str] = list(names)
    return f"there are {', '.join(found)}"
