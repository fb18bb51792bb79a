"""The file in which a site declares the rules for its metadata."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from hutch.config.yaml_files import read_yaml
from hutch.errors import ConfigurationError

__all__ = ["read_rules"]

_ENDINGS = (".yml", ".yaml", ".toml", ".json")


def read_rules(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a file of rules declares, a schema that it names included.

    :raises ConfigurationError: if the file, or the one of the schema, can't be read or holds no dictionary.
    """
    try:
        file = Path(path).expanduser()
    except TypeError as error:
        msg = f"The rules for metadata are {path!r:.80}; give a dictionary of them, or the name of a file."
        raise ConfigurationError(msg) from error
    declared = _read(file)
    if isinstance(declared.get("schema"), str):
        declared["schema"] = _read(file.parent / declared["schema"])
    return declared


def _read(file: Path) -> dict[str, Any]:
    if file.suffix not in _ENDINGS:
        msg = f"{str(file)!r} is no file of rules by its name; it ends in one of {', '.join(_ENDINGS)}."
        raise ConfigurationError(msg)
    try:
        if file.suffix == ".toml":
            found: Any = tomllib.loads(file.read_text("utf-8-sig"))
        elif file.suffix == ".json":
            found = json.loads(file.read_text("utf-8-sig"))
        else:
            found = read_yaml(file)
    except ConfigurationError:
        raise
    except OSError as error:
        msg = f"{str(file)!r} can't be read: {error.strerror}."
        raise ConfigurationError(msg) from error
    except ValueError as error:
        msg = f"{str(file)!r} is no {file.suffix[1:].upper()}: {error}"
        raise ConfigurationError(msg) from error
    if not isinstance(found, dict):
        msg = f"{str(file)!r} holds {type(found).__name__}, no dictionary."
        raise ConfigurationError(msg)
    return found
