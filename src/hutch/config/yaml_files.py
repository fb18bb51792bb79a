"""YAML files that people write: what they hold, and on which line it stands.

A key that stands twice in a dictionary is an error here; YAML says so too, and most readers drop the first
without a word.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hutch.errors import ConfigurationError

__all__ = ["Repeated", "YamlFile", "line_of", "read_yaml"]


class Repeated(NamedTuple):
    """A key that stands in a dictionary once more."""

    line: int
    key: Any
    first_line: int

    def __str__(self) -> str:
        return f"{self.key!r} stands here once more; it stands on line {self.first_line} already"


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Return what a YAML file holds.

    :raises ConfigurationError: if it can't be read, naming the line.
    """
    file = YamlFile(path)
    found, problems = None, []
    try:
        found = None if file.root is None else file.value(file.root)
    except ConfigurationError as error:
        problems.append(str(error))
    problems += [f"line {repeated.line}: {repeated}" for repeated in file.repeated]
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        msg = f"{str(file.path)!r} can't be used:\n{listed}"
        raise ConfigurationError(msg)
    return found


def line_of(node: yaml.Node) -> int:
    """Return the line on which something begins, counted from 1."""
    return int(node.start_mark.line) + 1


class YamlFile:
    """A YAML file, taken to pieces but not yet turned into values.

    :ivar root: what it holds; None if that is nothing.
    :ivar repeated: keys that stand twice in what was turned into values so far.
    :raises ConfigurationError: if it can't be read or is no YAML, naming the line.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.repeated: list[Repeated] = []
        try:
            self._loader = _Loader(self.path.read_bytes(), self.repeated)
            self.root = self._loader.get_single_node()
        except OSError as error:
            msg = f"{str(self.path)!r} can't be read: {error.strerror}."
            raise ConfigurationError(msg) from error
        except (yaml.YAMLError, RecursionError) as error:
            msg = f"{str(self.path)!r} is no YAML: {_reason(error)}."
            raise ConfigurationError(msg) from error

    def value(self, node: yaml.Node) -> Any:
        """Return a piece as a value.

        :raises ConfigurationError: if it stands for no value; the message names the line, not the file.
        """
        try:
            return self._loader.construct_document(node)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            reason = _reason(error) if isinstance(error, yaml.YAMLError) else f"line {line_of(node)}: {error}"
            raise ConfigurationError(reason) from error


class _Loader(yaml.SafeLoader):
    """PyYAML's, which does not overlook keys that stand twice."""

    def __init__(self, text: bytes, repeated: list[Repeated]) -> None:
        super().__init__(text)
        self._repeated = repeated

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        if isinstance(node, yaml.MappingNode):
            seen: dict[tuple[str, str], int] = {}
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                    if (key.tag, key.value) in seen:
                        first = seen[key.tag, key.value]
                        self._repeated.append(Repeated(line_of(key), key.value, first))
                    seen.setdefault((key.tag, key.value), line_of(key))
        return super().construct_mapping(node, deep)


def _reason(error: Exception) -> str:
    """Return where and why, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        text = f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
        return f"{text} ({error.context})" if error.context else text
    return " ".join(str(error).split())
