"""The logbook of a long experiment: posting, searching, parameters, and pages of run tables."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from benchmarks import postgres_server
from benchmarks.measuring import Figure, Plan, Row, Target, rates, seconds

if TYPE_CHECKING:
    from hutch.logbook import Logbook
    from hutch.store import Store

__all__ = ["measure"]

_ENTRIES = 100_000
_RUNS = 10_000
_PARAMS = 50
_COLUMNS = 20
_POSTS = 300
_VALUES = 500
_AT_ONCE = 500
_EXPERIMENT = "xppl1001221"
_WORDS = ("beam", "lost", "sample", "changed", "detector", "gain", "shutter", "aligned", "again", "laser")


def measure(plan: Plan) -> Iterator[Row]:
    """Measure a logbook in a folder, and one in a database if PostgreSQL is installed."""
    with plan.scratch() as folder:
        yield from _measured(str(folder / "store"), "folder", plan)
    if postgres_server.programs() is not None:
        with plan.scratch() as folder, postgres_server.server(folder) as address:
            (folder / "files").mkdir()
            place = postgres_server.address_of_new_store(address, folder / "files")
            yield from _measured(place, "PostgreSQL", plan)


def _measured(place: str, kind: str, plan: Plan) -> Iterator[Row]:
    from hutch.logbook import Logbook
    from hutch.store import open_store

    entries, runs = plan.scaled(_ENTRIES), plan.scaled(_RUNS)
    with closing(open_store(place)) as store:
        book = Logbook(store)
        book.access.experiments.create(_EXPERIMENT, instrument="XPP")
        fill_runs(store, runs)
        fill_entries(store, entries, runs)
        book.runs(_EXPERIMENT, limit=1)
        yield from _writing(book, f"{kind}, {entries:,} entries", plan)
        yield from _finding(book, f"{kind}, {entries:,} entries", plan)
        yield from _tables(book, f"{kind}, {runs:,} runs × {_PARAMS} parameters", plan)


def _writing(book: Logbook, name: str, plan: Plan) -> Iterator[Row]:
    posts, values = plan.scaled(_POSTS), plan.scaled(_VALUES)
    together = 10

    def post() -> None:
        for number in range(posts):
            book.post(_EXPERIMENT, text_of(number), tags=("dark",), author="ada")

    def post_values() -> None:
        for number in range(values):
            book.add_run_params(_EXPERIMENT, 1 + number % 100, {f"new{number % 7}": number}, author="daq")

    def post_together() -> None:
        for number in range(values // together):
            some = {f"new{place}": number for place in range(together)}
            book.add_run_params(_EXPERIMENT, 200 + number % 100, some, author="daq")

    for what, work, count, limit in (
        ("posting", post, posts, 300.0),
        (f"parameters, {together} at a time", post_together, values, 500.0),
        ("parameters, one at a time", post_values, values, 500.0),
    ):
        durations = [seconds(work) for _ in range(plan.repetitions)]
        yield Row(f"{name}: {what}", rates(durations, count, "/s"), Target.above(limit, "/s"))


def _finding(book: Logbook, name: str, plan: Plan) -> Iterator[Row]:
    questions = {
        "newest page": lambda: book.entries(_EXPERIMENT),
        "of a run": lambda: book.entries(_EXPERIMENT, run=7),
        "one common word": lambda: book.search(_EXPERIMENT, "beam"),
        "two common words": lambda: book.search(_EXPERIMENT, "beam lost"),
        "two common words that never meet": lambda: book.search(_EXPERIMENT, "even odd"),
        "a rare word": lambda: book.search(_EXPERIMENT, "number77"),
        "a tag, runs and an author": lambda: book.search(_EXPERIMENT, "t:dark run:100-900 author:bob"),
        "runs of a tag": lambda: book.runs_of_tag(_EXPERIMENT, "rare"),
    }
    for what, ask in questions.items():
        yield Row(f"{name}: {what}", _asked(ask, plan), Target.below(30.0, "ms"))


def _tables(book: Logbook, name: str, plan: Plan) -> Iterator[Row]:
    columns = ["run_num", "start.sample", *(f"param.p{place}" for place in range(_COLUMNS - 2))]

    def page(**more: Any) -> Callable[[], object]:
        return lambda: book.table_data(_EXPERIMENT, columns=columns, **more)

    questions = {
        "latest page": page(),
        "sorted by a parameter": page(sort="param.p3", descending=True),
        "sorted by a field": page(sort="start.sample"),
        "sorted by duration": page(sort="duration"),
        "grouped, then sorted": page(group_by="start.sample", sort="param.p4"),
    }
    for what, ask in questions.items():
        label = f"{name}: 100 × {_COLUMNS}, {what}"
        yield Row(label, _asked(ask, plan), None if "grouped" in what else Target.below(50.0, "ms"))


def _asked(ask: Callable[[], object], plan: Plan) -> Figure:
    ask()
    return Figure.of([1000 * seconds(ask) for _ in range(plan.repetitions)], "ms")


# what there is


def text_of(number: int) -> str:
    """Return the text of an entry: some of ten words, a word of its own, and even or odd."""
    words = [word for place, word in enumerate(_WORDS) if (number >> place % 5) & 1 or place > 6]
    return f"{' '.join(words)} number{number}, which is {'odd' if number % 2 else 'even'}"


def fill_entries(store: Store, count: int, runs: int) -> None:
    """Write entries as posting does, many in a transaction."""
    from hutch.documents import encode
    from hutch.store.rows.logbook import NewEntry
    from hutch.store.statements.entry_terms import terms_of

    for first in range(0, count, _AT_ONCE):
        with store.transaction() as writer:
            for number in range(first, min(first + _AT_ONCE, count)):
                run_num = 1 + number % runs
                tags = ["dark"] if number % 3 else ["rare"] if number % 1000 == 0 else []
                body = {
                    "title": f"Entry {number}",
                    "text": text_of(number),
                    "format": "markdown",
                    "tags": tags,
                    "run_num": run_num,
                    "shift": None,
                    "files": [],
                }
                author = ("ada", "bob", "daq")[number % 3]
                moment = 1e9 + number
                new = NewEntry(_EXPERIMENT, None, None, run_num, author, moment)
                entry = writer.add_entry(new)
                if entry is None:
                    raise RuntimeError
                writer.add_version(_EXPERIMENT, entry, 1, "post", moment, author, encode(body))
                writer.set_entry(entry, 1, run_num, None, None)
                writer.add_terms(_EXPERIMENT, entry, terms_of(body, author))


def fill_runs(store: Store, count: int) -> None:
    """Record runs that have ended, with parameters, many in a transaction."""
    from hutch.documents import encode, leaves
    from hutch.documents.leaves import posted_leaves

    for first in range(0, count, _AT_ONCE):
        with store.transaction() as writer:
            for number in range(first, min(first + _AT_ONCE, count)):
                begin = 1e9 + 60.0 * number
                start = {
                    "uid": str(uuid.UUID(int=number + 1)),
                    "time": begin,
                    "scan_id": number + 1,
                    "experiment": _EXPERIMENT,
                    "plan_name": "scan",
                    "sample": f"S{number * 7 % 40}",
                }
                run = writer.add_run(start["uid"], begin, number + 1, encode(start))
                if run is None:
                    raise RuntimeError
                stop = {"uid": f"s{number}", "run_start": start["uid"], "exit_status": "success"}
                stop["time"] = begin + number * 13 % 50
                found = leaves(start) | leaves(stop, "stop")
                for place in range(_PARAMS):
                    value = (number * 7919 + place) % 10_007 / 7
                    writer.post(run, "param", f"p{place}", encode(value), "daq")
                    found |= posted_leaves("param", f"p{place}", value)
                writer.add_leaves(run, begin, found)
                writer.end_run(run, encode(stop), "success")
