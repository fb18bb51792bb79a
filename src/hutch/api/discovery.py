"""``hutch.catalog``: the catalogs that have names here.

They are found in ``hutch.toml`` and among what packages publish, by people who need not know where they are.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from html import escape
from keyword import iskeyword
from typing import Any

from hutch.api.sources import HOW_TO_CONFIGURE, Names, Shown, Sources
from hutch.config import configuration
from hutch.errors import CatalogNotFoundError, ConfigurationError, HutchError, PluginError

__all__ = ["CatalogTree", "catalog"]

_INDENT = "  "


class CatalogTree(Mapping[str, Any]):
    """Catalogs by name; some are in folders of catalogs, which are of this kind too.

    =========================  ================================================================
    ``list(catalog)``          the names
    ``catalog["csx"]["raw"]``  a catalog, which is opened when it is first asked for
    ``catalog["csx", "raw"]``  the same, as are ``catalog["csx/raw"]`` and ``catalog.csx.raw``
    =========================  ================================================================

    :param sources: what catalogs there are.
    :param names: the place of this folder.
    """

    def __init__(self, sources: Sources, names: Names = ()) -> None:
        self._sources = sources
        self._names = names

    def __getitem__(self, key: str | tuple[str, ...]) -> Any:
        """Return a catalog, or a folder of catalogs.

        :raises CatalogNotFoundError: if nothing has this name, with the names that there are.
        :raises PluginError: if a package publishes it, and it can't be loaded.
        :raises StoreError: if its store is not there, or can't be opened.
        """
        names = _split(key)
        if names is None:
            known = (
                "Give a name, as in catalog['csx/raw']; runs are looked up in that: catalog['csx/raw'][-1]"
            )
            msg = f"{key!r} is no name of a catalog. {known}"
            raise CatalogNotFoundError(msg)
        below = (*self._names, *names)
        found = self._sources.open(below)
        return CatalogTree(self._sources, below) if found is None else found

    def __getattr__(self, name: str) -> Any:
        # What Python and IPython look for is no name of a catalog.
        if name.startswith("_"):
            msg = f"{type(self).__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        return self[name]

    def __contains__(self, key: object) -> bool:
        names = _split(key)
        return names is not None and self._sources.has((*self._names, *names))

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources.names(self._names))

    def __len__(self) -> int:
        return len(self._sources.names(self._names))

    def values(self) -> ValuesView[Any]:
        """Return a view of the catalogs; those that can't be loaded are left out, with a warning."""
        return _Values(self)

    def items(self) -> ItemsView[str, Any]:
        """Return a view of pairs of name and catalog, as :meth:`values`."""
        return _Items(self, self._sources.warn)

    def __eq__(self, other: object) -> bool:
        # Not what a mapping has, which would open every catalog.
        return isinstance(other, CatalogTree) and self._place() == other._place()

    def __hash__(self) -> int:
        return hash(self._place())

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *filter(_is_attribute, self._ipython_key_completions_())})

    def _ipython_key_completions_(self) -> list[str]:
        try:
            return list(self)
        except HutchError:
            return []

    def __repr__(self) -> str:
        title, lines = self._told()
        width = max((len(_name_of(line)) for line in lines), default=0)
        return "\n".join([title, *(_as_text(line, width) for line in lines)])

    def _repr_html_(self) -> str:
        title, lines = self._told()
        table = f"<table><tbody>{''.join(map(_as_html, lines))}</tbody></table>" if lines else ""
        return f"<div><p>{escape(title)}</p>{table}</div>"

    def _place(self) -> tuple[int, Names]:
        return id(self._sources), self._names

    def _told(self) -> tuple[str, list[Shown]]:
        """Return what is shown: a title, and a line for each name below."""
        try:
            path = configuration().path
            lines = list(self._sources.shown(self._names))
        except (ConfigurationError, CatalogNotFoundError) as error:
            return str(error), []
        if not lines and not self._names:
            return f"No catalog is configured. {HOW_TO_CONFIGURE}", []
        below = f" below {'/'.join(self._names)!r}" if self._names else ""
        return f"Catalogs{below}{f' of {str(path)!r}' if path else ''}", lines


class _Values(ValuesView[Any]):
    _mapping: CatalogTree

    def __iter__(self) -> Iterator[Any]:
        return (found for _, found in self._mapping.items())


class _Items(ItemsView[str, Any]):
    _mapping: CatalogTree

    def __init__(self, tree: CatalogTree, warn: Callable[[str], None]) -> None:
        super().__init__(tree)
        self._warn = warn

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for name in self._mapping:
            try:
                found = self._mapping[name]
            except PluginError as error:
                self._warn(str(error))
            else:
                yield name, found


def _split(key: object) -> Names | None:
    """Return the names in a key; None if it is none."""
    parts = key if isinstance(key, tuple) else (key,)
    if not parts or not all(isinstance(part, str) for part in parts):
        return None
    return tuple(name for part in parts for name in part.strip("/").split("/"))


def _is_attribute(name: str) -> bool:
    return name.isidentifier() and not name.startswith("_") and not iskeyword(name)


def _name_of(line: Shown) -> str:
    return f"{_INDENT * (line.depth + 1)}{line.name}"


def _as_text(line: Shown, width: int) -> str:
    return f"{_name_of(line):{width}}{_INDENT}{line.about}".rstrip()


def _as_html(line: Shown) -> str:
    style = f"padding-left: {line.depth + 0.5}em; text-align: left"
    about = f'<td style="text-align: left">{escape(line.about)}</td>'
    return f'<tr><td style="{style}">{escape(line.name)}</td>{about}</tr>'


catalog = CatalogTree(Sources())
"""The catalogs that have names here."""
