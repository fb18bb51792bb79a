"""The values that runs have at a path: which there are, how many runs have each, in which order they stand.

As in a search, a list stands for its elements. What the index cannot tell is looked up in the documents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hutch.documents import decode, encode
from hutch.documents.leaves import LONGEST_TEXT, LeafType, has_rows
from hutch.queries.conditions import Path
from hutch.queries.matching import ABSENT, reach
from hutch.queries.paths import POSTED
from hutch.queries.values import bracket
from hutch.store.rows import index as index_rows
from hutch.store.searching.planning import keys_of, prefixes_of
from hutch.store.searching.run_documents import read_documents
from hutch.store.statements.index import AT_ONCE

if TYPE_CHECKING:
    from hutch.store.reading.index import IndexReader

__all__ = ["MISSING", "PathValues", "Rank"]

_FEW = 1000
"""So few runs are sooner looked at one by one than found among all rows of a key."""

_FEW_POSTED = 50
"""The same for what is posted: all that was posted to a run is read for one value of it."""

_Value = tuple[str, Any]
"""The name of a type, and what tells a value from others of it."""

Rank = tuple[int, Any]
"""A place in the order of all values: that of the type, then that within it."""

MISSING: Rank = (0, 0)
"""Where runs stand that have nothing at the path; None stands there too."""

_NO_ELEMENT: _Value = ("empty", 0)
_PLACES = {"empty": -1, "null": 0, "nan": 1, "number": 2, "text": 3, "dictionary": 4, "list": 5, "bool": 6}
_PLACE_OF_NUMBERS, _PLACE_OF_TEXTS = _PLACES["number"], _PLACES["text"]


class PathValues:
    """What is asked of all values of a path.

    :param reader: the store.
    """

    def __init__(self, reader: IndexReader, path: Path) -> None:
        self._reader = reader
        self._path = path
        keys = list(keys_of(path))
        self._key = keys[0] if len(keys) == 1 and has_rows(keys[0]) else ""
        """Under which the index has them; empty if it does not tell."""

    def count(self, ids: Collection[int] | None = None) -> list[tuple[Any, int]]:
        """Return the different values, and how many runs have each, those of most runs first.

        :param ids: of the runs in question; None stands for all.
        """
        counts: dict[_Value, int] = defaultdict(int)
        if not self._is_indexed() or (ids is not None and len(ids) <= self._few):
            for _, values in self._read(ids):
                for value in values:
                    counts[value] += 1
        elif ids is None:
            for kind, number, text, some, run in self._reader.count_leaves_in(index_rows.of_key(self._key)):
                for value in self._values_of_row(kind, number, text, run):
                    counts[value] += some
        else:
            for kind, number, text, run in self._reader.leaves_in(index_rows.of_key(self._key)):
                if run in ids:
                    for value in self._values_of_row(kind, number, text, run):
                        counts[value] += 1
        ordered = sorted(counts.items(), key=lambda item: (-item[1], _rank(item[0])))
        return [(_plain(value), some) for value, some in ordered]

    def ranks(self, ids: Sequence[int], *, highest: bool) -> dict[int, Rank]:
        """Return where runs stand in the order of their values, of those that have one.

        An empty list comes first, then None, NaN, numbers, text, dictionaries, lists in lists, and bools.

        :param highest: a list counts as its highest element, else as its lowest.
        """
        best = max if highest else min
        if len(ids) <= self._few or not self._is_indexed():
            return {run: best(map(_rank, values)) for run, values in self._read(ids, True) if values}
        rows = self._reader.leaves_in(index_rows.of_key(self._key))
        # Most often each run has one number, or one short text.
        is_number, is_text = int(LeafType.NUMBER), int(LeafType.TEXT)
        found: dict[int, Rank] = {
            run: (_PLACE_OF_NUMBERS, number) for kind, number, _, run in rows if kind == is_number
        }
        if len(found) < len(rows):
            found |= {
                run: (_PLACE_OF_TEXTS, text)
                for kind, _, text, run in rows
                if kind == is_text and len(text) <= LONGEST_TEXT
            }
        return found if len(found) == len(rows) else self._ranks_of(rows, best)

    def _ranks_of(
        self, rows: Iterable[tuple[int, float, str, int]], best: Callable[[Iterable[Rank]], Rank]
    ) -> dict[int, Rank]:
        """Return where runs stand by rows of the index, of which a run may have several."""
        found: dict[int, Rank] = {}
        for kind, number, text, run in rows:
            if kind == LeafType.SEVERAL:
                continue
            ranks = [_rank(value) for value in self._values_of_row(kind, number, text, run)]
            ranks = ranks or [_rank(_NO_ELEMENT)]
            found[run] = best([*ranks, found[run]] if run in found else ranks)
        return found

    @property
    def _few(self) -> int:
        """So many runs are sooner looked at one by one."""
        return _FEW_POSTED if self._path.source in POSTED else _FEW

    def _is_indexed(self) -> bool:
        """Tell whether the index has a row for each value, which a dictionary has not."""
        if not self._key or any(map(self._reader.has_pointers, prefixes_of(self._key, self._path))):
            return False
        return self._path.source in POSTED or not self._reader.count_rows_in(index_rows.below(self._key), 1)

    def _values_of_row(self, kind: int, number: float, text: str, run: int) -> list[_Value]:
        """Return the value of a row of the index; that of long text from the document."""
        if kind == LeafType.TEXT and len(text) > LONGEST_TEXT:
            return [
                value
                for _, values in self._read([run])
                for value in values
                if value[0] == "text" and value[1][:LONGEST_TEXT] == text[:LONGEST_TEXT]
            ][:1]
        match kind:
            case LeafType.NULL:
                return [("null", 0)]
            case LeafType.BOOL:
                return [("bool", bool(number))]
            case LeafType.NUMBER:
                return [("number", int(number) if number.is_integer() else number)]
            case LeafType.NAN:
                return [("nan", 0)]
            case LeafType.TEXT:
                return [("text", text)]
            case LeafType.EMPTY_DICT:
                return [("dictionary", b"{}")]
        return []

    def _read(self, ids: Iterable[int] | None, with_empty: bool = False) -> Iterator[tuple[int, set[_Value]]]:
        """Yield runs with their values, from their documents."""
        every = sorted(self._reader.ids_in(index_rows.EVERYTHING) if ids is None else ids)
        for start in range(0, len(every), AT_ONCE):
            some = every[start : start + AT_ONCE]
            for row, documents in read_documents(self._reader, some, sources={self._path.source}):
                found = list(reach(documents[self._path.source], self._path.parts))
                values = {value for item in found for value in _values(item)}
                if with_empty and not values and [] in found:
                    values = {_NO_ELEMENT}
                yield row.id, values


def _values(item: Any) -> Iterator[_Value]:
    if item is ABSENT:
        return
    for value in item if isinstance(item, list) else [item]:
        yield _value(value)


def _value(value: Any) -> _Value:
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return ("null" if value is None else "nan", 0)
    kind = bracket(value)
    return kind, encode(_normal(value)) if kind in ("list", "dictionary") else value


def _normal(value: Any) -> Any:
    """Return one of all values that are equal to one."""
    if isinstance(value, dict):
        return {key: _normal(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_normal(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain(value: _Value) -> Any:
    match value:
        case ("null", _):
            return None
        case ("nan", _):
            return float("nan")
        case ("list" | "dictionary", text):
            return decode(text)
    return value[1]


def _rank(value: _Value) -> Rank:
    return _PLACES[value[0]], value[1]
