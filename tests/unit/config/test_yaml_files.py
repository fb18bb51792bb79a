"""YAML files: what they hold, and what is said of those that can't be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from hutch.config.yaml_files import YamlFile, line_of, read_yaml
from hutch.errors import ConfigurationError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.yml"


def test_what_a_file_holds_is_read(file: Path) -> None:
    file.write_text("a: &one {x: 1, y: [2.5, null]}\nb: {<<: *one, x: 3}\n")
    assert read_yaml(file) == {"a": {"x": 1, "y": [2.5, None]}, "b": {"x": 3, "y": [2.5, None]}}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_file_holds_nothing(file: Path, text: str) -> None:
    file.write_text(text)
    assert read_yaml(file) is None


def test_every_key_that_stands_twice_is_named_with_both_lines(file: Path) -> None:
    file.write_text("a: 1\nb: {c: 1, d: 2,\n    c: 3}\na: 2\na: 3\n")
    with pytest.raises(ConfigurationError) as caught:
        read_yaml(file)
    assert str(caught.value).splitlines() == [
        f"{str(file)!r} can't be used:",
        "  - line 4: 'a' stands here once more; it stands on line 1 already",
        "  - line 5: 'a' stands here once more; it stands on line 1 already",
        "  - line 3: 'c' stands here once more; it stands on line 2 already",
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a: [1,\n", r"is no YAML: line 2, column 1: "),
        (b"a: 1\n---\nb: 2\n", r"is no YAML: line 2, column 1: .*single document"),
        ("a: é".encode("latin-1"), r"is no YAML: unacceptable character"),
        (b"[" * 5000, r"is no YAML: maximum recursion depth"),
        (b"? [a]\n: b\n", r"can't be used:\n  - line 1, column 3: found unhashable key"),
        (b"a: 2024-13-45\n", r"can't be used:\n  - line 1: month must be in 1\.\.12"),
        (b"a: !!python/object:os.system {}\n", r"can't be used:\n  - line 1, column 4: could not determine"),
    ],
)
def test_what_is_said_of_a_bad_file(file: Path, content: bytes, reason: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=reason):
        read_yaml(file)


def test_pieces_know_their_lines(file: Path) -> None:
    file.write_text("a:\n- 1\n- {b: 2}\n")
    taken = YamlFile(file)
    (_, listed), *_ = taken.root.value
    assert [(line_of(node), taken.value(node)) for node in listed.value] == [(2, 1), (3, {"b": 2})]
