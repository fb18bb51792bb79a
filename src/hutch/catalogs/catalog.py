"""The catalog: looking runs up."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, ValuesView
from contextlib import suppress
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from hutch.catalogs.run import Run
from hutch.catalogs.selection import Selection
from hutch.catalogs.summary import RunSummary, as_html, as_text
from hutch.catalogs.tombstones import Tombstone, check_deleted, list_tombstones, present_row
from hutch.errors import AmbiguousRunError, RunDeletedError, RunIndexError, RunNotFoundError
from hutch.store.protocol import RunRow, Store

if TYPE_CHECKING:
    from hutch.catalogs.deleting import Deletion
    from hutch.catalogs.retention import Retention
    from hutch.recording import RecordedRun, Recorder
    from hutch.recording.rules import DeclaredRules, Rules
    from hutch.recording.stash import Stash

__all__ = ["Catalog"]

_CANDIDATES = 10
"""As many runs are named when a prefix fits several."""
_SHOWN = 10
"""As many runs are in the table that a catalog prints."""
_COMPLETED = 100
"""As many uids are offered for completion."""

Key = str | SupportsIndex


class Catalog(Mapping[str, Run]):
    """Runs of a store, ordered by start time; always what the store has now.

    ===========================  ====================================================================
    ``cat["17531ace-…"]``        the run with this uid, or the only one whose uid begins so
    ``cat[42]``                  the newest run with this scan_id
    ``cat[-1]``, ``cat[-10]``    counted back from the newest; ``cat[0]`` is the oldest
    ``cat[-5:]``                 a catalog of those runs, in that order
    ``cat[["17531a", 42]]``      a list of runs
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
        self.root_map = dict(root_map or {})
        self.datetimes = datetimes
        self._rules: Rules | None = None

    @property
    def store(self) -> Store:
        """The store that holds the runs."""
        return self._selection.store

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
            return [self._run(self._find(item)) for item in key]
        return self._run(self._find(key))

    def __contains__(self, key: object) -> bool:
        if isinstance(key, Run):
            return key.store.location == self.store.location and self._selection.by_uid(key.uid) is not None
        try:
            self._find(key)
        except (LookupError, TypeError):
            return False
        return True

    def __len__(self) -> int:
        return len(self._selection.positions())

    def __iter__(self) -> Iterator[str]:
        return iter(self._selection.uids())

    def values(self) -> ValuesView[Run]:
        """Return a view of the runs, in order."""
        return _Runs(self)

    def items(self) -> ItemsView[str, Run]:
        """Return a view of pairs of uid and run, in order."""
        return _Items(self)

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

    def start_run(self, **metadata: Any) -> RecordedRun:
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
        from hutch.recording.rules import Rules

        return self._rules or Rules()

    @rules.setter
    def rules(self, declared: DeclaredRules) -> None:
        from hutch.recording.rules import Rules

        self._rules = Rules.of(declared)

    @cached_property
    def md(self) -> Stash:
        """Metadata that every run gets, kept in the store; ``RunEngine(cat.md)`` takes it."""
        from hutch.recording.stash import Stash

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
        from hutch.catalogs.deleting import Deletion, plan_run
        from hutch.catalogs.retention_rules import RuleBook

        # Text and a run can be iterated over too, and would name other runs.
        several = runs if isinstance(runs, Iterable) and not isinstance(runs, (str, Run)) else [runs]
        named = [run if isinstance(run, Run) else self._run(self._find(run)) for run in several]
        book = RuleBook(self.store)
        found = Deletion(self.store, book)
        for done, run in enumerate(dict.fromkeys(named), 1):
            found.runs.append(plan_run(self.store, present_row(self.store, run.row.id), book))
            if progress is not None:
                progress(done, len(named))
        return found

    @property
    def deleted(self) -> list[Tombstone]:
        """What is left of runs that were deleted, the last deleted first."""
        return list_tombstones(self.store)

    @property
    def retention(self) -> Retention:
        """The rules that say which runs may be deleted, and which must be kept."""
        from hutch.catalogs.retention import Retention

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
        return as_html(self._title(), self._summaries())

    def _ipython_key_completions_(self) -> list[str]:
        return [run.uid for run in self[::-1][:_COMPLETED].runs()]

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def _title(self) -> str:
        count = len(self)
        runs = "1 run" if count == 1 else f"{count:,} runs" if count else "no runs yet"
        what = "Some of catalog" if self._selection.slices else "Catalog"
        note = ""
        if count > _SHOWN:
            note = f", the first {_SHOWN}" if self._selection.slices else f", the newest {_SHOWN}"
        return f"{what} {self.name!r} in {self.store.location}: {runs}{note}"

    def _summaries(self) -> Iterator[RunSummary]:
        """Yield the newest runs, the newest first; of a slice the first, in its own order."""
        shown = self if self._selection.slices else self[::-1]
        for run in islice(shown[:_SHOWN].runs(), _SHOWN):
            with suppress(RunDeletedError):  # a moment ago
                yield run.summary()

    # finding

    def _find(self, key: object) -> RunRow:
        if isinstance(key, str):
            return self._find_uid(key)
        if isinstance(key, bool):
            msg = f"{key!r} is no key of a run. {_KEYS}"
            raise TypeError(msg)
        try:
            number = operator.index(key)  # type: ignore[arg-type]
        except TypeError:
            msg = f"{key!r} of type {type(key).__name__} is no key of a run. {_KEYS}"
            raise TypeError(msg) from None
        return self._find_number(number)

    def _find_uid(self, uid: str) -> RunRow:
        row = self._selection.by_uid(uid)
        if row is not None:
            return row
        rows = self._selection.by_prefix(uid, _CANDIDATES + 1) if uid else []
        if len(rows) == 1:
            return rows[0]
        if not rows:
            check_deleted(self.store, uid)
            msg = f"No run {uid!r} in {self._described()}"
            raise RunNotFoundError(msg)
        candidates = [row.uid for row in rows[:_CANDIDATES]]
        count = f"more than {_CANDIDATES}" if len(rows) > _CANDIDATES else str(len(rows))
        named = "\n".join(f"  {self._run(row)!r}" for row in rows[:_CANDIDATES])
        msg = f"{uid!r} fits {count} runs in catalog {self.name!r}. Give more of the uid:\n{named}"
        raise AmbiguousRunError(msg, candidates)

    def _find_number(self, number: int) -> RunRow:
        if number > 0:
            row = self._selection.by_scan_id(number)
            if row is None:
                check_deleted(self.store, number)
                msg = f"No run with scan_id {number} in {self._described()}"
                raise RunNotFoundError(msg)
            return row
        row = self._selection.at(number)
        if row is None:
            count = len(self)
            reason = f"it has {count} run{'s' if count != 1 else ''}"
            msg = f"No run at {number} in catalog {self.name!r}: {reason}. List runs with: hutch runs"
            raise RunIndexError(msg)
        return row

    def _described(self) -> str:
        """Return the catalog's name with a hint at what there is, for messages."""
        newest = self._selection.newest()
        if newest is None:
            return f"catalog {self.name!r}: it is empty."
        scan = "" if newest.scan_id is None else f"{newest.scan_id} "
        short = f"({newest.uid[:8]!r})" if scan else repr(newest.uid[:8])
        return f"catalog {self.name!r}. Newest run: {scan}{short}. List runs with: hutch runs"

    def _run(self, row: RunRow) -> Run:
        return Run(self.store, row, root_map=self.root_map, datetimes=self.datetimes, rules=self._rules)

    def _with(self, selection: Selection) -> Catalog:
        found = Catalog(self.store, self.name, self.root_map, self.datetimes)
        found._selection = selection
        found._rules = self._rules
        return found


_KEYS = "Give a uid or its beginning, a scan_id, a negative number that counts from the newest, or a slice."


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
