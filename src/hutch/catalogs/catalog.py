"""The catalog: looking runs up."""

from __future__ import annotations

import sys
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, Sequence, ValuesView
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, overload

from hutch.assets.places import FilePlaces
from hutch.catalogs.finding.selection import Selection
from hutch.catalogs.lookups import Lookup
from hutch.catalogs.run import Run
from hutch.catalogs.summary import RunSummary, as_html, as_text
from hutch.catalogs.tombstones import Tombstone, list_tombstones, present_row
from hutch.errors import AccessDeniedError, RunDeletedError
from hutch.store.protocols.store import Change, RunRow, Store

if TYPE_CHECKING:
    from hutch.catalogs.changing.deleting import Deletion
    from hutch.catalogs.changing.retention import Retention
    from hutch.queries.conditions import Condition
    from hutch.recording import RecordedRun, Recorder
    from hutch.recording.rules.rules import DeclaredRules, Rules
    from hutch.recording.stash import Stash

__all__ = ["Catalog"]

_SHOWN = 10
"""As many runs are in the table that a catalog prints."""
_COMPLETED = 100
"""As many uids are offered for completion."""

Key = str | SupportsIndex
SortKey = str | tuple[str, int]


class Catalog(Mapping[str, Run]):
    """Runs of a store, ordered by start time; always what the store has now.

    ===========================  ====================================================================
    ``cat["17531ace-…"]``        the run with this uid, or the only one whose uid begins so
    ``cat[42]``                  the newest run with this scan_id
    ``cat[-1]``, ``cat[-10]``    counted back from the newest; ``cat[0]`` is the oldest
    ``cat[-5:]``                 a catalog of those runs, in that order
    ``cat[["17531a", 42]]``      a list of runs
    ``cat.search(…)``            a catalog of those runs that a query asks for
    ===========================  ====================================================================

    :param store: where the runs are.
    :param name: what people call it.
    :param root_map: folders of detector files that have moved, old to new.
    :param datetimes: True gives times of streams as datetime64[ns] instead of seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        name: str = "raw",
        root_map: Mapping[str, str] | None = None,
        datetimes: bool = False,
    ) -> None:
        self._selection = Selection(store)
        self.name = name
        self._places = FilePlaces(dict(root_map or {}))
        self.datetimes = datetimes
        self._rules: Rules | None = None

    @property
    def store(self) -> Store:
        """The store that holds the runs."""
        return self._selection.store

    @property
    def root_map(self) -> dict[str, str]:
        """Folders of detector files that have moved, old to new."""
        return dict(self._places.root_map)

    def limit_files(self, roots: Sequence[Path]) -> None:
        """Open detectors' files only below some folders from now on, wherever documents and links lead."""
        self._places = FilePlaces(self._places.root_map, tuple(roots))

    # looking up

    @overload
    def __getitem__(self, key: Key) -> Run: ...
    @overload
    def __getitem__(self, key: slice) -> Catalog: ...
    @overload
    def __getitem__(self, key: list[Any]) -> list[Run]: ...
    def __getitem__(self, key: Key | slice | list[Any]) -> Run | Catalog | list[Run]:
        """Return a run, a catalog of several in order, or a list of runs; see the class.

        :raises RunNotFoundError: if no run has this uid, prefix or scan_id; RunDeletedError if one had.
        :raises AmbiguousRunError: if several runs have this prefix.
        :raises RunIndexError: if there are not so many runs.
        """
        if isinstance(key, slice):
            return self._with(self._selection.sliced(key))
        if isinstance(key, list):
            return [self._run(self._lookup.find(item)) for item in key]
        return self._run(self._lookup.find(key))

    def __contains__(self, key: object) -> bool:
        if isinstance(key, Run):
            return key.store.location == self.store.location and self._selection.by_uid(key.uid) is not None
        try:
            self._lookup.find(key)
        except (LookupError, TypeError):
            return False
        return True

    def __len__(self) -> int:
        return self._selection.count()

    def __iter__(self) -> Iterator[str]:
        return self._selection.uids()

    def values(self) -> ValuesView[Run]:
        """Return a view of the runs, in order."""
        return _Runs(self)

    def items(self) -> ItemsView[str, Run]:
        """Return a view of pairs of uid and run, in order."""
        return _Items(self)

    def search(self, query: Any) -> Catalog:
        """Return a catalog of those runs that a query asks for; searches narrow.

        :param query: a dictionary in MongoDB's language, as in ``{"num_points": {"$gt": 50}}``, or an object
            of :mod:`hutch.queries`, as in ``Key("plan_name") == "scan"``; those of Tiled and DataBroker too.
        :raises QueryError: if it cannot be understood, naming what and the remedy.
        """
        from hutch.queries import condition_of

        return self._with(self._selection.searched(condition_of(query)))

    def restricted(self, condition: Condition) -> Catalog:
        """Return a catalog as it would be if there were only those runs that fulfil a condition.

        Nothing that is asked of it, or of what is found in it, tells of another run: no look-up, search,
        count, value or change, and no tombstone. Its runs are whole; who may write is for others to say.
        """
        return self._with(self._selection.restricted(condition))

    def changes(self, after: int, limit: int = 1000) -> tuple[list[Change], int]:
        """Return what was done to these runs after a cursor, oldest first, and the cursor to go on from.

        That may be further than the last change that is returned; wait for more with ``cat.store.wait``.

        :param limit: of the changes that are looked at.
        :raises FeedPrunedError: if changes after the cursor are no longer kept.
        """
        return self._selection.changes(after, limit)

    def sort(self, *keys: SortKey) -> Catalog:
        """Return a catalog of these runs in another order.

        Runs without the field come first, then NaN, numbers, text, dictionaries, bools. A list counts as its
        lowest element, or in descending order as its highest. Runs that are the same stay as they stood.

        :param keys: each a key, or a pair of a key and 1 (ascending) or -1 (descending).
        :raises QueryError: if one is neither.
        """
        from hutch.catalogs.finding.sorting import parse_order

        return self._with(self._selection.sorted(parse_order(keys)))

    @overload
    def distinct(self, key: str, *, counts: Literal[False] = False) -> list[Any]: ...
    @overload
    def distinct(self, key: str, *, counts: Literal[True]) -> Mapping[Any, int]: ...
    def distinct(self, key: str, *, counts: bool = False) -> list[Any] | Mapping[Any, int]:
        """Return the different values that these runs have at a key, those of most runs first.

        Of a list each element is a value.

        :param counts: True returns a mapping of each value to the number of runs that have it.
        :raises QueryError: if the key is none.
        """
        from hutch.catalogs.finding.value_counts import ValueCounts
        from hutch.queries.paths import parse_path

        found = ValueCounts(self._selection.count_values(parse_path(key)))
        return found if counts else list(found)

    def head(self, count: int = 5) -> Catalog:
        """Return a catalog of the first runs."""
        return self[: max(count, 0)]

    def tail(self, count: int = 5) -> Catalog:
        """Return a catalog of the last runs."""
        return self[-count:] if count > 0 else self[:0]

    def refresh(self) -> None:
        """Do nothing: a catalog always shows what is in its store now."""

    def runs(self) -> Iterator[Run]:
        """Yield the runs, in order."""
        return map(self._run, self._selection.rows())

    # recording

    def recorder(self, *, strict: bool = False) -> Recorder:
        """Return a recorder for documents, to be subscribed to a RunEngine.

        :param strict: True raises at a document that cannot be taken as it is; otherwise it is kept,
            marked and shown, because an error in a subscriber makes the RunEngine abort the scan.
        """
        from hutch.recording import Recorder

        return Recorder(self.store, strict=strict)

    def start_run(self, /, **metadata: Any) -> RecordedRun:
        """Begin a run without Bluesky, to be used as ``with cat.start_run(sample="A") as run:``.

        :param metadata: of the start document.
        :raises MetadataError: if it breaks a rule, naming everything that does.
        """
        from hutch.recording import start_run

        return start_run(self.store, metadata, rules=self._rules)

    @property
    def rules(self) -> Rules:
        """What the metadata of runs must hold that are begun here or by ``hutch.bluesky.run_engine``.

        It takes rules, a dictionary of them, or the name of a file: ``cat.rules = "rules.yml"``. A
        recorder does not ask for them: it is given what has happened.
        """
        from hutch.recording.rules.rules import Rules

        return self._rules or Rules()

    @rules.setter
    def rules(self, declared: DeclaredRules) -> None:
        from hutch.recording.rules.rules import Rules

        self._rules = Rules.of(declared)

    @cached_property
    def md(self) -> Stash:
        """Metadata that every run gets, kept in the store; ``RunEngine(cat.md)`` takes it."""
        from hutch.recording.stash import Stash

        self._check_all("cat.md")
        return Stash(self.store)

    # deleting

    def plan_deletion(
        self, runs: Run | Key | Iterable[Run | Key], progress: Callable[[int, int], object] | None = None
    ) -> Deletion:
        """Return what would go with some runs; nothing is deleted before its ``execute(reason=…)``.

        :param runs: a run, several, or what names them; ``cat[-5:]`` are five.
        :param progress: called after every run with how many are done, and how many there are.
        :raises RunNotFoundError: if there is no such run; RunDeletedError if there was one.
        """
        from hutch.catalogs.changing.deleting import Deletion, plan_run
        from hutch.catalogs.changing.retention_rules import RuleBook

        # Text and a run can be iterated over too, and would name other runs.
        several = runs if isinstance(runs, Iterable) and not isinstance(runs, (str, Run)) else [runs]
        named = [run if isinstance(run, Run) else self._run(self._lookup.find(run)) for run in several]
        book = RuleBook(self.store)
        found = Deletion(self.store, book)
        for done, run in enumerate(dict.fromkeys(named), 1):
            found.runs.append(plan_run(self.store, present_row(self.store, run.row.id), book))
            if progress is not None:
                progress(done, len(named))
        return found

    @property
    def deleted(self) -> list[Tombstone]:
        """What is left of deleted runs, the last deleted first; nothing if not all may be told of."""
        return list_tombstones(self.store) if self._selection.among is None else []

    @property
    def retention(self) -> Retention:
        """The rules that say which runs may be deleted, and which must be kept."""
        from hutch.catalogs.changing.retention import Retention

        self._check_all("cat.retention")
        return Retention(self.store)

    # closing

    def close(self) -> None:
        """Close the store; runs that are still open in this process become interrupted."""
        # What never recorded has nothing to commit, and need not load what records.
        recording = sys.modules.get("hutch.recording")
        if recording is not None:
            recording.finish(self.store)
        self.store.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # showing

    def __repr__(self) -> str:
        return as_text(self._title(), self._summaries())

    def _repr_html_(self) -> str:
        from hutch.catalogs.showing.notebook import picture_of

        newest = self._selection.newest()
        picture = "" if newest is None else picture_of(self._run(newest))
        return as_html(self._title(), self._summaries()) + picture

    def _ipython_key_completions_(self) -> list[str]:
        return [run.uid for run in self[::-1][:_COMPLETED].runs()]

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def _title(self) -> str:
        count = len(self)
        is_whole = self._selection.is_whole
        none = "no runs yet" if is_whole else "no runs"
        runs = "1 run" if count == 1 else f"{count:,} runs" if count else none
        what = "Catalog" if is_whole else "Some of catalog"
        note = ""
        if count > _SHOWN:
            note = f", the first {_SHOWN}" if self._is_arranged else f", the newest {_SHOWN}"
        return f"{what} {self.name!r} in {self.store.location}: {runs}{note}"

    def _check_all(self, what: str) -> None:
        """Raise if this is a catalog in which not all runs may be told of.

        :raises AccessDeniedError: saying that it takes the whole.
        """
        if self._selection.among is not None:
            msg = (
                f"{what} is about all runs of {self.store.location!r}, and only some of them may be told of."
            )
            raise AccessDeniedError(msg)

    @property
    def _is_arranged(self) -> bool:
        """Tell whether somebody has chosen an order or a slice, which is shown as it is."""
        return bool(self._selection.order or self._selection.window.slices)

    def _summaries(self) -> Iterator[RunSummary]:
        """Yield the newest runs, the newest first; of a slice the first, in its own order."""
        shown = self if self._is_arranged else self[::-1]
        for run in islice(shown[:_SHOWN].runs(), _SHOWN):
            with suppress(RunDeletedError):  # a moment ago
                yield run.summary()

    @property
    def _lookup(self) -> Lookup:
        return Lookup(self._selection, self.name)

    def _run(self, row: RunRow) -> Run:
        return Run(self.store, row, places=self._places, datetimes=self.datetimes, rules=self._rules)

    def _with(self, selection: Selection) -> Catalog:
        found = Catalog(self.store, self.name, datetimes=self.datetimes)
        found._places = self._places
        found._selection = selection
        found._rules = self._rules
        return found


class _Runs(ValuesView[Run]):
    """The runs of a catalog, fetched several at a time."""

    _mapping: Catalog

    def __iter__(self) -> Iterator[Run]:
        return self._mapping.runs()

    def __contains__(self, run: object) -> bool:
        return isinstance(run, Run) and run in self._mapping


class _Items(ItemsView[str, Run]):
    """Pairs of uid and run, fetched several at a time."""

    _mapping: Catalog

    def __iter__(self) -> Iterator[tuple[str, Run]]:
        return ((run.uid, run) for run in self._mapping.runs())
