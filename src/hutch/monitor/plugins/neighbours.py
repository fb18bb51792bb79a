"""Files beside a plug-in, which it imports by their bare names, as scripts do: ``import tools``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

__all__ = ["neighbours_of"]


@contextmanager
def neighbours_of(package: str, folder: str) -> Iterator[None]:
    """Have the files of a folder found by their bare names within this, after all other modules.

    Each is the module that ``from . import`` gives. The bare names are forgotten afterwards: another folder
    may have files of the same names.

    :param package: that stands for the folder.
    """
    finder = _Neighbours(package, folder)
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in list(sys.modules):
            if name.partition(".")[0] in finder.found:
                del sys.modules[name]


class _Neighbours(MetaPathFinder, Loader):
    def __init__(self, package: str, folder: str) -> None:
        self.found: set[str] = set()
        self._package = package
        self._folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None:
            return None  # it is within a package
        there = PathFinder.find_spec(f"{self._package}.{fullname}", [self._folder])
        if there is None or not there.has_location:
            return None
        self.found.add(fullname)
        return ModuleSpec(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(f"{self._package}.{module.__name__}")
