"""A catalog as a container of Tiled, keyed by the uids of its runs.

What takes a while (looking up, paging, counting) is done by other threads than the one of the event loop.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import anyio.to_thread
from tiled import queries
from tiled.iterviews import ItemsView, KeysView, ValuesView
from tiled.queries import QueryValueError
from tiled.query_registration import QueryTranslationRegistry
from tiled.server.core import NoEntry
from tiled.server.schemas import SortingDirection, SortingItem
from tiled.structures.core import Spec, StructureFamily
from tiled.utils import IndexersMixin, SerializationError

from hutch.catalogs import Catalog, Run
from hutch.errors import LookupFailedError, QueryError, RunDeletedError
from hutch.server.tiled.run import RUN_SPEC, RunAdapter

__all__ = ["CatalogAdapter"]

_T = TypeVar("_T")

_TIME = "start.time"
_GIVEN = ("", "_")
"""How Tiled's clients name the order that things have by themselves."""
_MOST_INLINED = 5
"""Of a page with so many runs, each comes with the structure of its streams."""


class CatalogAdapter(IndexersMixin):
    """Runs of a catalog, of which its asker may see all.

    :param order: how the runs stand, for who asks.
    """

    structure_family = StructureFamily.container
    query_registry = QueryTranslationRegistry()
    must_revalidate = True

    def __init__(self, catalog: Catalog, order: Sequence[tuple[str, int]] = ((_TIME, 1),)) -> None:
        self.catalog = catalog
        self._order = tuple(order)

    @property
    def specs(self) -> list[Spec]:
        """What makes Tiled's client a ``CatalogOfBlueskyRuns``."""
        return [Spec("CatalogOfBlueskyRuns", version="3.0")]

    @property
    def sorting(self) -> list[SortingItem]:
        """The order of the runs; clients ask for the opposite to get the last ones."""
        return [SortingItem(key=key, direction=SortingDirection(sign)) for key, sign in self._order]

    def metadata(self) -> dict[str, Any]:
        """Return nothing: what there is to say, the runs say."""
        return {}

    def structure(self) -> None:
        """Return nothing: there may be millions of runs."""

    # narrower ones

    def search(self, query: Any) -> CatalogAdapter:
        """Return those of these runs that a query of Tiled asks for.

        :raises QueryValueError: if it cannot be understood.
        :raises UnsupportedQueryType: if it is none of Tiled's.
        """
        found: CatalogAdapter = self.query_registry(query, self)
        return found

    def sort(self, sorting: Sequence[tuple[str, int]]) -> CatalogAdapter:
        """Return these runs in another order.

        :raises QueryValueError: if a key is none.
        """
        keys = [(_TIME if key in _GIVEN else key, direction) for key, direction in sorting]
        # In this order they stand anyhow, and are found by their places.
        wanted = [] if keys == [(_TIME, 1)] else keys
        return CatalogAdapter(_understood(lambda: self.catalog.sort(*wanted)), keys or ((_TIME, 1),))

    def narrowed(self, query: Any) -> CatalogAdapter:
        """Return those of these runs that a query asks for that hutch knows."""
        return CatalogAdapter(_understood(lambda: self.catalog.search(query)), self._order)

    def get_distinct(
        self, metadata: Iterable[str], structure_families: bool, specs: bool, counts: bool
    ) -> dict[str, Any]:
        """Return the different values at some keys, and of what every run is.

        :raises QueryValueError: if a key is none.
        """
        found: dict[str, Any] = {}
        keys = list(metadata or ())
        if keys:
            found["metadata"] = {key: self._distinct(key, counts) for key in keys}
        everywhere = {"structure_families": StructureFamily.container, "specs": [RUN_SPEC.dict()]}
        wanted = {"structure_families": structure_families, "specs": specs}
        for name, value in everywhere.items():
            if wanted[name]:
                number = len(self.catalog)
                found[name] = [_counted(value, number if counts else None)] if number else []
        return found

    def _distinct(self, key: str, counts: bool) -> list[dict[str, Any]]:
        values = _understood(lambda: self.catalog.distinct(key, counts=True))
        return [_counted(value, count if counts else None) for value, count in values.items()]

    # one of them

    def __getitem__(self, key: str) -> RunAdapter:
        """Return the run with a uid, and not only the beginning of it.

        :raises KeyError: if there is none.
        """
        try:
            run = self.catalog[key]
            if run.uid == key:
                return RunAdapter.of(run, is_inlined=True)
        except LookupFailedError as error:
            raise KeyError(key) from error
        raise KeyError(key)

    async def lookup_adapter(self, segments: Sequence[str]) -> Any:
        """Return a run, or something in it.

        :raises NoEntry: if there is none.
        """
        uid, *rest = segments
        try:
            found = await anyio.to_thread.run_sync(partial(self.__getitem__, uid))
        except KeyError:
            raise NoEntry(list(segments)) from None
        return await found.lookup_adapter(rest) if rest else found

    # all of them

    def __len__(self) -> int:
        return len(self.catalog)

    def __bool__(self) -> bool:
        return True  # a catalog without runs is a catalog

    def __iter__(self) -> Iterator[str]:
        return iter(self.catalog)

    def keys(self) -> KeysView:
        """Return a view of the uids."""
        return KeysView(self.__len__, self._keys_slice)

    def values(self) -> ValuesView:
        """Return a view of the runs."""
        return ValuesView(self.__len__, self._items_slice)

    def items(self) -> ItemsView:
        """Return a view of pairs of uid and run."""
        return ItemsView(self.__len__, self._items_slice)

    def _keys_slice(
        self, start: int, stop: int | None, direction: int, page_size: int | None = None
    ) -> list[str]:
        return list(self._directed(direction)[start:stop])

    def _items_slice(
        self, start: int, stop: int | None, direction: int, page_size: int | None = None
    ) -> Iterator[tuple[str, RunAdapter]]:
        return ((run.uid, found) for run, found in _adapted(self._directed(direction)[start:stop].runs()))

    def _directed(self, direction: int) -> Catalog:
        return self.catalog if direction > 0 else self.catalog[::-1]

    # pages, made by other threads

    async def exact_len(self) -> int:
        """Return the number of runs."""
        return await anyio.to_thread.run_sync(self.__len__)

    async def cursor_for_offset(self, offset: int) -> int | None:
        """Return None: runs are found by their places."""
        return None

    async def keys_page(
        self, cursor: int | None = None, limit: int | None = None
    ) -> tuple[list[str], int | None]:
        """Return the uids of a page from a place on, and None: the next page has its place."""
        return await self.keys_range(cursor or 0, limit), None

    async def items_page(
        self, cursor: int | None = None, limit: int | None = None
    ) -> tuple[list[tuple[str, RunAdapter]], int | None]:
        """Return the runs of a page from a place on, and None: the next page has its place."""
        return await self.items_range(cursor or 0, limit or 0), None

    async def keys_range(self, offset: int = 0, limit: int | None = None) -> list[str]:
        """Return the uids from a place on."""
        return await anyio.to_thread.run_sync(lambda: list(_part(self.catalog, offset, limit)))

    async def items_range(self, offset: int = 0, limit: int | None = None) -> list[tuple[str, RunAdapter]]:
        """Return the runs from a place on.

        :raises SerializationError: if all of them are wanted, as for an export.
        """
        if limit is None:
            msg = "a catalog is too much to be exported as a whole; export its runs"
            raise SerializationError(msg)
        return await anyio.to_thread.run_sync(lambda: self._items(offset, limit))

    def _items(self, offset: int, limit: int) -> list[tuple[str, RunAdapter]]:
        runs = list(_part(self.catalog, offset, limit).runs())
        return [(run.uid, found) for run, found in _adapted(runs, is_inlined=len(runs) <= _MOST_INLINED)]

    def read(self, fields: Sequence[str] | None = None) -> CatalogAdapter:
        """Return the catalog itself, or some of its runs."""
        return self if fields is None else self.narrowed(queries.KeysFilter(list(fields)))

    def __dask_tokenize__(self) -> str:
        return uuid.uuid4().hex


def _part(catalog: Catalog, offset: int, limit: int | None) -> Catalog:
    return catalog[offset : None if limit is None else offset + limit]


def _adapted(runs: Iterable[Run], *, is_inlined: bool = False) -> Iterator[tuple[Run, RunAdapter]]:
    """Yield runs and their adapters; what was deleted a moment ago is left out."""
    for run in runs:
        try:
            yield run, RunAdapter.of(run, is_inlined=is_inlined)
        except RunDeletedError:
            continue


def _counted(value: Any, count: int | None) -> dict[str, Any]:
    return {"value": value} if count is None else {"value": value, "count": count}


def _understood(ask: Callable[[], _T]) -> _T:
    try:
        return ask()
    except QueryError as error:
        raise QueryValueError(str(error)) from error


def _tell(query: Any, tree: CatalogAdapter) -> CatalogAdapter:
    return tree.narrowed(query)


def _tell_tags(query: Any, tree: CatalogAdapter) -> CatalogAdapter:
    """Return no run: none has tags of Tiled's, and what anybody may see is decided before."""
    return tree.narrowed(queries.KeysFilter([]))


for _kind in (
    queries.Comparison,
    queries.Contains,
    queries.Eq,
    queries.FullText,
    queries.In,
    queries.KeyLookup,
    queries.KeyPresent,
    queries.KeysFilter,
    queries.Like,
    queries.NotEq,
    queries.NotIn,
    queries.Regex,
    queries.SpecsQuery,
    queries.StructureFamilyQuery,
):
    CatalogAdapter.query_registry.register(_kind, _tell)
CatalogAdapter.query_registry.register(queries.AccessTagsFilter, _tell_tags)
