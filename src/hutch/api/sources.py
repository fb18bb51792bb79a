"""Where catalogs with names come from, as one tree: ``hutch.toml``, and packages that publish some.

A catalog is opened, and an entry point loaded, when it is first asked for, and only once. What the file says
is asked for each time; a catalog whose settings are as they were stays open.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from hutch.api.opening import open_configured
from hutch.config import CatalogSettings, configuration, shown_place
from hutch.errors import CatalogNotFoundError, PluginError
from hutch.plugins import published_catalogs

if TYPE_CHECKING:
    from hutch.catalogs import Catalog

__all__ = ["HOW_TO_CONFIGURE", "Names", "Shown", "Sources"]

Names = tuple[str, ...]
"""A place in the tree: ``("csx", "raw")``."""

HOW_TO_CONFIGURE = "Make a store and name it with: hutch init DIR --name csx/raw"

_MOST_NAMED = 20


class Shown(NamedTuple):
    """A line about one place in the tree."""

    depth: int
    name: str
    about: str
    """Where the store of a catalog is; empty for a folder of catalogs."""


class Sources:
    """The tree of catalogs.

    A node is a mapping of names to nodes, or a catalog: settings, an entry point, a function, or an open one.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._open: dict[str, tuple[CatalogSettings, Catalog]] = {}
        self._loaded: dict[Names, Any] = {}
        self._warned: set[str] = set()

    def open(self, names: Names) -> Catalog | None:
        """Return the catalog in a place; None if there is a folder of catalogs.

        :raises CatalogNotFoundError: if there is nothing.
        :raises PluginError: if a package publishes it, and it can't be loaded.
        :raises StoreError: if its store can't be opened.
        """
        node = self._find(names)
        if isinstance(node, CatalogSettings):
            return self._opened(node)
        found = self._resolved(names, node)
        return found if _is_catalog(found) else None

    def has(self, names: Names) -> bool:
        """Tell whether there is something in a place; nothing is opened for it."""
        try:
            self._find(names)
        except CatalogNotFoundError:
            return False
        except PluginError as error:
            self.warn(str(error))
            return False
        return True

    def names(self, names: Names) -> list[str]:
        """Return what is in a folder of catalogs: those of the file in its order, then what is published."""
        return list(self._folder(names, self._find(names)))

    def shown(self, names: Names) -> Iterator[Shown]:
        """Yield a line for everything below a place; nothing is opened or loaded for it."""
        default = configuration().settings.default_catalog
        yield from self._shown(names, self._folder(names, self._find(names)), 0, default)

    def warn(self, text: str) -> None:
        """Warn about something, once."""
        if text not in self._warned:
            self._warned.add(text)
            warnings.warn(text, stacklevel=4)

    def _top(self) -> Mapping[str, Any]:
        """Return the tree as it is now."""
        path, settings = configuration()
        top: dict[str, Any] = {}
        for catalog in settings.catalogs.values():
            *folders, name = catalog.path.split("/")
            place = top
            for folder in folders:
                place = place.setdefault(folder, {})
            place[name] = catalog
        for name, entries in published_catalogs().items():
            first, *others = (f"{entry.name} = {entry.value!r}" for entry in entries)
            if "/" in name:
                self.warn(f"{first} of the group 'hutch.catalogs' is left out: its name has a '/' in it.")
            elif name in top:
                self.warn(f"Catalog {name!r} is that of {str(path)!r}, and not {first} of 'hutch.catalogs'.")
            else:
                top[name] = entries[0]
                for other in others:
                    self.warn(f"Of 'hutch.catalogs' {first} is used, and {other} is not.")
        return top

    def _find(self, names: Names) -> Any:
        """Return a node, which is neither opened nor loaded."""
        node: Any = self._top()
        for depth, name in enumerate(names):
            folder = self._folder(names[:depth], node)
            if name not in folder:
                raise self._missing(names, folder, depth)
            node = folder[name]
        return node

    def _folder(self, names: Names, node: Any) -> Mapping[str, Any]:
        """Return a node that has others in it, loaded if need be.

        :raises CatalogNotFoundError: if it is a catalog.
        """
        found = node if isinstance(node, CatalogSettings) else self._resolved(names, node)
        if isinstance(found, CatalogSettings) or _is_catalog(found):
            path = "/".join(names)
            msg = (
                f"{path!r} is a catalog, and no folder of catalogs. Look runs up in it: catalog[{path!r}][-1]"
            )
            raise CatalogNotFoundError(msg)
        folder: Mapping[str, Any] = found
        return folder

    def _opened(self, settings: CatalogSettings) -> Catalog:
        found = self._still_open(settings)
        if found is not None:
            return found
        with self._lock:
            found = self._still_open(settings)
            if found is None:
                found = open_configured(settings)
                self._open[settings.path] = settings, found
            return found

    def _still_open(self, settings: CatalogSettings) -> Catalog | None:
        known, catalog = self._open.get(settings.path, (None, None))
        return None if catalog is None or known != settings or catalog.store.is_closed else catalog

    def _resolved(self, names: Names, node: Any) -> Any:
        """Return a mapping or a catalog for what a package publishes."""
        if _is_catalog(node):
            return _named(node, names)
        if isinstance(node, Mapping):
            return node
        with self._lock:
            known = self._loaded.get(names)
            if known is None or (_is_catalog(known) and known.store.is_closed):
                known = self._loaded[names] = _load(names, node)
            return known

    def _missing(self, names: Names, folder: Mapping[str, Any], depth: int) -> CatalogNotFoundError:
        path, settings = configuration()
        published = [name for name, node in self._top().items() if isinstance(node, EntryPoint)]
        known = [*settings.catalogs, *published]
        if depth and names[0] in published:
            known = ["/".join((*names[:depth], str(name))) for name in folder]
        asked = "/".join(names)
        if not known:
            msg = f"No catalog {asked!r}: none is configured. {HOW_TO_CONFIGURE}"
            return CatalogNotFoundError(msg)
        near = get_close_matches(asked, known, 1)
        guess = f" (did you mean {near[0]!r}?)" if near else ""
        more = ", …" if len(known) > _MOST_NAMED else ""
        where = f" They are configured in {str(path)!r}." if settings.catalogs else ""
        msg = f"No catalog {asked!r}{guess}. There are: {', '.join(known[:_MOST_NAMED])}{more}.{where}"
        return CatalogNotFoundError(msg)

    def _shown(
        self, names: Names, node: Mapping[str, Any], depth: int, default: CatalogSettings | None
    ) -> Iterator[Shown]:
        for name, below in node.items():
            here = (*names, name)
            if not isinstance(below, (CatalogSettings, Mapping)):
                below = self._loaded.get(here, below)
            yield Shown(depth, name, _about(below, is_default=below is default))
            if isinstance(below, Mapping) and not _is_catalog(below):
                yield from self._shown(here, below, depth + 1, default)


def _load(names: Names, node: Any) -> Any:
    """Return what a package publishes: a mapping, or a catalog."""
    try:
        found = node.load() if isinstance(node, EntryPoint) else node
        if callable(found) and not isinstance(found, Mapping):
            found = found()
    except Exception as error:  # whatever the package raises
        msg = f"{_published(names, node)} can't be loaded: {type(error).__name__}: {error}"
        raise PluginError(msg) from error
    if not isinstance(found, Mapping):
        msg = (
            f"{_published(names, node)} can't be used: it is of type {type(found).__name__!r}, and neither a "
            "catalog, nor a function that returns one, nor a mapping of names to such."
        )
        raise PluginError(msg)
    if _is_catalog(found):
        return _named(found, names)
    if not all(isinstance(name, str) and "/" not in name for name in found):
        msg = f"{_published(names, node)} can't be used: names are text without '/', and not {list(found)!r}."
        raise PluginError(msg)
    return found


def _named(catalog: Catalog, names: Names) -> Catalog:
    """Return a catalog under the name that it has in the tree."""
    catalog.name = names[-1]
    return catalog


def _published(names: Names, node: Any) -> str:
    path = "/".join(names)
    entry = f" ({node.value!r} of the group 'hutch.catalogs')" if isinstance(node, EntryPoint) else ""
    return f"Catalog {path!r}, which a package publishes{entry},"


def _is_catalog(value: Any) -> TypeGuard[Catalog]:
    """Tell whether something is a catalog, without loading what one is made of."""
    catalogs = sys.modules.get("hutch.catalogs")
    return catalogs is not None and isinstance(value, catalogs.Catalog)


def _about(node: Any, *, is_default: bool) -> str:
    """Return where a catalog is; nothing for a folder."""
    if isinstance(node, CatalogSettings):
        return f"{shown_place(node.store)}{' (default)' if is_default else ''}"
    if _is_catalog(node):
        return node.store.location
    if isinstance(node, EntryPoint):
        return f"published as {node.value!r}, not loaded yet"
    return "" if isinstance(node, Mapping) else "published, not opened yet"
