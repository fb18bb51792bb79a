"""Modules that people add to the monitor: files dropped into a folder, modules by name, entry points.

Which of their classes are plots or checks is left to who asks. Loading a module runs it, so that it belongs
into a worker process.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path
from types import ModuleType
from typing import Any

from hutch.errors import ConfigurationError, PluginError
from hutch.monitor.plugins.neighbours import neighbours_of

__all__ = [
    "Broken",
    "Origin",
    "find_origins",
    "fingerprint",
    "load",
    "load_classes",
    "own_attributes",
    "published_origins",
    "summary_of",
]

_SHORTENED = 16
"""Digits of a digest that tell one text from another."""


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Where plug-ins come from.

    :ivar kind: ``file``, ``module`` or ``entry point``.
    :ivar where: the absolute path; the name of the module; the entry point's value.
    :ivar name: of the entry point, which is the plug-in's if it points to a class; else empty.
    """

    kind: str
    where: str
    name: str = ""

    def __str__(self) -> str:
        return self.where

    def version(self) -> str:
        """Return what changes if the text of the module does; empty if that is not looked at.

        To a file belong those beside it that begin with an underscore: it may take something from them.
        """
        path = self.where if self.kind == "file" else _file_of(self.where.partition(":")[0])
        if path is None:
            return ""
        helpers = _python_files(Path(path).parent, "_*.py") if self.kind == "file" else []
        digest = sha256()
        try:
            for file in (Path(path), *helpers):
                digest.update(file.read_bytes())
        except OSError:
            return ""
        return digest.hexdigest()[:_SHORTENED]


@dataclass(frozen=True, slots=True)
class Broken:
    """A place whose plug-ins cannot be loaded, and why."""

    origin: str
    sentence: str
    traceback: str = ""


def _file_of(module: str) -> str | None:
    """Return the file of a module; None if there is none, or it cannot be found without running others."""
    _search_working_folder()
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    return None if spec is None or not spec.has_location else spec.origin


def find_origins(given: Sequence[str]) -> list[Origin]:
    """Return where plug-ins are, of the folders, files and modules that somebody named.

    :raises ConfigurationError: if one of them is none of these.
    """
    found: list[Origin] = []
    for one in given:
        path = Path(one)
        if path.is_dir():
            found += [Origin("file", str(file)) for file in _files_in(path.resolve())]
        elif path.is_file():
            found.append(Origin("file", str(path.resolve())))
        elif all(part.isidentifier() for part in one.split(".")):
            found.append(Origin("module", one))
        else:
            msg = f"No plug-ins at {one!r}: there is no such folder or file, and it is no name of a module."
            raise ConfigurationError(msg)
    return list(dict.fromkeys(found))


def load_classes(
    group: str,
    origins: Iterable[Origin],
    broken: list[Broken],
    announce: Callable[[str], object] = lambda origin: None,
) -> Iterator[tuple[str, type, Origin]]:
    """Yield the classes of every place, with their names: what packages publish, then what was named.

    :param group: of the entry points.
    :param broken: places that are not loaded; those that cannot be are added.
    :param announce: told of each place before it is loaded, for who watches over this.
    """
    avoided = {one.origin for one in broken}
    for origin in [*published_origins(group), *origins]:
        if str(origin) in avoided:
            continue
        announce(str(origin))
        try:
            found = load(origin)
        except PluginError as error:
            lines = traceback.format_exception(error.__cause__ or error)
            broken.append(Broken(str(origin), str(error), "".join(lines)))
            continue
        named = own_attributes(found) if isinstance(found, ModuleType) else [(origin.name, found)]
        for name, made in named:
            if inspect.isclass(made):
                yield name, made, origin


def summary_of(plugin: Any) -> str:
    """Return the first sentence of the documentation of a plug-in; empty if it has none."""
    text = " ".join((inspect.getdoc(plugin) or "").partition("\n\n")[0].split())
    first, stop, _ = text.partition(". ")
    return f"{first}{'.' if stop else ''}"


def published_origins(group: str) -> list[Origin]:
    """Return what packages publish as entry points of a group, sorted by name."""
    return sorted(Origin("entry point", entry.value, entry.name) for entry in entry_points(group=group))


def fingerprint(given: Sequence[str]) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a file in the named places does, comes or goes; costs stats only."""
    found = []
    for one in given:
        path = Path(one)
        # To find a module of a package is to run the package.
        module = _file_of(one) if one.isidentifier() and not path.exists() else None
        for file in _python_files(path) if path.is_dir() else [Path(module or path)]:
            try:
                status = file.stat()
            except OSError:
                continue
            found.append((str(file), status.st_mtime_ns, status.st_size))
    return tuple(found)


def load(origin: Origin) -> Any:
    """Return the module, or what an entry point points to; the module runs.

    :raises PluginError: if it cannot be loaded; the cause has the traceback.
    """
    try:
        if origin.kind == "file":
            return _load_file(Path(origin.where))
        if origin.kind == "module":
            _search_working_folder()
            return importlib.import_module(origin.where)
        module, _, attribute = origin.where.partition(":")
        found: Any = importlib.import_module(module.strip())
        for part in attribute.split(".") if attribute else ():
            found = getattr(found, part.strip())
        return found
    except ModuleNotFoundError as error:
        msg = f"The plug-ins in {origin.where!r} are left out: {_not_found(error)}"
        raise PluginError(msg) from error
    except (Exception, SystemExit) as error:
        msg = f"The plug-ins in {origin.where!r} are left out: {type(error).__name__}: {error}"
        raise PluginError(msg) from error


def own_attributes(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield the public attributes that a module defines or assigns, in their order, not what it imports.

    A class that a module makes by a call counts, whoever's the function is; so does what a package takes from
    its own modules.
    """
    imported = _imported_names(module)
    for name, value in list(vars(module).items()):
        if name.startswith("_"):
            continue
        home = getattr(value, "__module__", None)
        inside = f"{module.__name__}." if hasattr(module, "__path__") else None
        is_own = home == module.__name__ or (inside and str(home).startswith(inside))
        if is_own or name not in imported:
            yield name, value


def _files_in(folder: Path) -> list[Path]:
    """Return the files of a folder that are looked through; not those that begin with an underscore."""
    return [file for file in _python_files(folder) if file.name[0] != "_"]


def _python_files(folder: Path, pattern: str = "*.py") -> list[Path]:
    try:
        return sorted(file for file in folder.glob(pattern) if file.name[0] != ".")
    except OSError:
        return []


def _search_working_folder() -> None:
    """Have modules found in the working folder too: last of all, so that it hides nothing."""
    if (here := os.getcwd()) not in sys.path:
        sys.path.append(here)


def _load_file(file: Path) -> ModuleType:
    """Load a file as a module of a package that stands for its folder: it can import its neighbours."""
    package = f"hutch_plugins_{sha256(str(file.parent).encode()).hexdigest()[:_SHORTENED]}"
    if package not in sys.modules:
        home = ModuleType(package)
        home.__path__ = [str(file.parent)]
        sys.modules[package] = home
    name = f"{package}.{file.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        msg = f"{str(file)!r} is no Python file."
        raise ImportError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with neighbours_of(package, str(file.parent)):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _imported_names(module: ModuleType) -> set[str]:
    """Return the names that import statements bind anywhere in a module; all names, if it can't be read."""
    try:
        tree = ast.parse(Path(module.__file__ or "").read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set(vars(module))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            if any(alias.name == "*" for alias in node.names):
                return set(vars(module))
            found.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
    return found


def _not_found(error: ModuleNotFoundError) -> str:
    """Say that a module is missing, and which one may be meant."""
    missing = (error.name or "").partition(".")[0]
    known = [*packages_distributions(), *sys.stdlib_module_names]
    near = difflib.get_close_matches(missing, known, 1, 0.8) if missing not in known else []
    hint = f" Did you mean {near[0]!r}?" if near else " Install it, or take the import out."
    return f"{error}.{hint}"
