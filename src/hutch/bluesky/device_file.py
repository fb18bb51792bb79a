"""A devices file: which devices somebody wants, on which line each is asked for, and what is wrong there.

The format is that of ``guarneri`` and BITS: a dictionary whose keys are paths of classes, or of functions
that make devices, and whose values are lists of keywords::

    ophyd.EpicsMotor:
    - {name: theta, prefix: "ioc:m1", labels: [motors, baseline]}
    - {name: two_theta, prefix: "ioc:m2", labels: [motors]}
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hutch.bluesky.device_paths import resolve
from hutch.config.yaml_files import YamlFile, line_of
from hutch.errors import ConfigurationError

__all__ = ["Creator", "DeviceFile", "Entry", "Problem", "read_device_file"]

Creator = Callable[..., Any]
"""A class of devices, or a function that makes some."""


class Problem(NamedTuple):
    """One thing that is wrong in a devices file."""

    line: int
    about: str
    sentence: str

    def __str__(self) -> str:
        about = f", {self.about}" if self.about else ""
        return f"line {self.line}{about}: {self.sentence}"


@dataclass(frozen=True)
class Entry:
    """One device, or several made by one call, as they are asked for.

    :param path: of the class.
    :param keywords: given to the class.
    :param labels: what the devices are called besides their names.
    """

    line: int
    path: str
    creator: Creator
    keywords: Mapping[str, Any]
    labels: frozenset[str]

    @property
    def about(self) -> str:
        """What a message calls it."""
        return _about(self.path, self.keywords)

    @property
    def name(self) -> str:
        """The name that is asked for; its line where there is none."""
        return str(self.keywords.get("name") or f"line {self.line}")


@dataclass
class DeviceFile:
    """What a devices file asks for.

    :param entries: those without problems, in the order of the file.
    :param problems: what is wrong with the others.
    :param failures: by name, why devices are not there whose module can't be imported.
    """

    path: Path
    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def raise_problems(self) -> None:
        """Raise if there are problems.

        :raises ConfigurationError: naming all of them.
        """
        if self.problems:
            listed = "\n".join(f"  - {problem}" for problem in sorted(self.problems))
            msg = f"{str(self.path)!r} can't be used:\n{listed}"
            raise ConfigurationError(msg)


def read_device_file(path: Path, creators: Mapping[str, Creator]) -> DeviceFile:
    """Return what a devices file asks for, and what is wrong with it.

    Modules beside the file can be named in it: its folder is added to where Python looks.

    :param creators: classes and functions that the file names without a path.
    :raises ConfigurationError: if the file can't be read or is no YAML, naming the line.
    """
    folder = str(path.parent.absolute())
    if folder not in sys.path:
        sys.path.append(folder)
    return _Reader(path, creators).read()


class _Reader:
    """Reads one file, and notes what is wrong as it goes."""

    def __init__(self, path: Path, creators: Mapping[str, Creator]) -> None:
        self._yaml = YamlFile(path)
        self._creators = creators
        self._found = DeviceFile(path)
        self._classes: dict[str, int] = {}
        """On which line each class stands first."""
        self._names: dict[str, int] = {}
        """On which line each name stands first."""

    def read(self) -> DeviceFile:
        """Read the file."""
        root = self._yaml.root
        if isinstance(root, yaml.MappingNode):
            for key, listed in root.value:
                self._read_class(key, listed)
        elif root is not None:
            self._note(root, "", "expected are classes, each with a list of keywords for its devices")
        for repeated in self._yaml.repeated:
            self._found.problems.append(Problem(repeated.line, "", str(repeated)))
        return self._found

    def _read_class(self, key: yaml.Node, listed: yaml.Node) -> None:
        path = key.value if isinstance(key, yaml.ScalarNode) else ""
        if path in self._classes:
            first = self._classes[path]
            self._note(key, path, f"it stands on line {first} already; put its devices into one list")
        self._classes.setdefault(path, line_of(key))
        creator: Creator | Exception | None = None
        try:
            creator = self._creator(path)
        except ConfigurationError as error:
            self._note(key, path, str(error))
        except Exception as error:  # whatever a module does while it is imported
            creator = error
        if isinstance(listed, yaml.SequenceNode):
            for node in listed.value:
                self._read_entry(path, creator, node)
        elif listed.tag != "tag:yaml.org,2002:null":  # as where all are commented out
            self._note(listed, path, "expected is a list of keywords, each line beginning with '- name:'")

    def _creator(self, path: str) -> Creator:
        found: Any = self._creators[path] if path in self._creators else resolve(path)
        if callable(found):
            makes: Creator = found
            return makes
        module = "hutch.bluesky.creators.predefined_device"
        msg = (
            f"it is a {type(found).__name__}, no class; for a device that is there already write "
            f"{module}: [{{creator: {path}}}]"
        )
        raise ConfigurationError(msg)

    def _read_entry(self, path: str, creator: Creator | Exception | None, node: yaml.Node) -> None:
        try:
            keywords = self._yaml.value(node)
        except ConfigurationError as error:
            self._note(node, path, str(error))
            return
        if not isinstance(keywords, dict) or not all(isinstance(key, str) for key in keywords):
            self._note(node, path, f"{keywords!r} is no dictionary of keywords")
            return
        about = _about(path, keywords)
        wrong = [*_wrong_name(keywords), *self._taken_name(keywords, line_of(node))]
        labels = keywords.pop("labels", None) or []
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            wrong.append(f"labels is {labels!r}; give a list of text")
            labels = []
        if isinstance(creator, Exception):
            reason = f"importing its module raises {type(creator).__name__}: {creator}"
            name = str(keywords.get("name") or f"line {line_of(node)}")
            self._found.failures[name] = str(Problem(line_of(node), about, reason))
        elif creator is not None:
            if labels and takes_labels(creator):
                keywords["labels"] = labels
            wrong += _wrong_keywords(creator, keywords)
            if not wrong:
                self._found.entries.append(Entry(line_of(node), path, creator, keywords, frozenset(labels)))
        self._found.problems += [Problem(line_of(node), about, sentence) for sentence in wrong]

    def _taken_name(self, keywords: Mapping[str, Any], line: int) -> Iterator[str]:
        name = str(keywords.get("name") or "")
        if name and name in self._names:
            yield f"the name is taken by the device on line {self._names[name]}"
        self._names.setdefault(name, line)

    def _note(self, node: yaml.Node, about: str, sentence: str) -> None:
        self._found.problems.append(Problem(line_of(node), about, sentence))


def parameters(creator: Creator) -> Mapping[str, inspect.Parameter] | None:
    """Return what a class or function takes; None if it does not say."""
    try:
        return inspect.signature(creator).parameters
    except (TypeError, ValueError):
        return None


def takes_labels(creator: Creator) -> bool:
    """Tell whether a class or function is given labels; devices of ophyd-async have none."""
    taken = parameters(creator) or {}
    is_open = any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values())
    return "labels" in taken or (is_open and not is_async(creator))


def is_async(creator: object) -> bool:
    """Tell whether something is a class of ophyd-async."""
    core = sys.modules.get("ophyd_async.core")
    return core is not None and isinstance(creator, type) and issubclass(creator, core.Device)


def _wrong_name(keywords: Mapping[str, Any]) -> Iterator[str]:
    name = keywords.get("name", "-")
    if not isinstance(name, str) or not name:
        yield f"name is {name!r}; give text, in quotation marks if YAML takes it for something else"


def _wrong_keywords(creator: Creator, keywords: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a class or function does not take, and what it needs."""
    taken = parameters(creator)
    if taken is None:
        return
    kinds = {parameter.kind for parameter in taken.values()}
    named = [
        name
        for name, parameter in taken.items()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        for keyword in keywords:
            if keyword not in named:
                near = get_close_matches(keyword, named, 1)
                yield f"there is no keyword {keyword!r}; " + (
                    f"did you mean {near[0]!r}?" if near else f"there are {', '.join(named) or 'none'}"
                )
    needed = [name for name in named if taken[name].default is inspect.Parameter.empty]
    for name in needed:
        if name not in keywords:
            near = get_close_matches(name, keywords, 1)
            yield f"it needs {name!r}" + (f"; is {near[0]!r} meant?" if near else "")


def _about(path: str, keywords: Mapping[str, Any]) -> str:
    name = keywords.get("name")
    return f"{path} {name!r}" if isinstance(name, str) and name else path
