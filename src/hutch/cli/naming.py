"""Several runs, as somebody names them on the command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hutch.cli.options import find_run
from hutch.errors import AmbiguousRunError, RunDeletedError, RunIndexError

if TYPE_CHECKING:
    from hutch.catalogs import Catalog, Run

__all__ = ["check_names", "find_runs", "refuse_options", "run_bar", "runs_argument", "short_uids"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_RANGE = re.compile(r"(-\d+):(-\d+)?")
_ANY_RANGE = re.compile(r"-?\d*:-?\d*")
_POSITION = re.compile(r"-\d+|0")
_SHORT = 8


def runs_argument(function: _Function) -> _Function:
    """Give a command the argument RUN, several times, as ``keys``."""
    argument = click.argument("keys", metavar="RUN...", nargs=-1, required=True, callback=refuse_options)
    return argument(function)


def refuse_options(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse what looks like an option, which the parser lets through for the sake of ``-1`` and ``-5:``."""
    for value in values:
        if value.startswith("-") and not (_POSITION.fullmatch(value) or _RANGE.fullmatch(value)):
            raise click.NoSuchOption(value, ctx=ctx)
    return values


def find_runs(catalog: Catalog, keys: Sequence[str]) -> list[Run]:
    """Return the runs that somebody named, each once; ``-5:`` are the newest five.

    :raises LookupFailedError: if one is not there, or a name fits several.
    """
    found: dict[str, Run] = {}
    for key in keys:
        for run in _named(catalog, key):
            found.setdefault(run.uid, run)
    return list(found.values())


def check_names(catalog: Catalog, keys: Sequence[str]) -> None:
    """Refuse names that may mean another run the next time: for what can't be taken back.

    :raises click.UsageError: for a place in the table of runs.
    :raises AmbiguousRunError: for a name that a deleted run has, too.
    """
    for key in keys:
        if _POSITION.fullmatch(key) or _RANGE.fullmatch(key):
            msg = (
                f"{key!r} may be another run by now. Name what is to be deleted by uid or scan_id; "
                "without --yes the command says how."
            )
            raise click.UsageError(msg, ctx=click.get_current_context())
        _check_no_other(catalog, key)


def short_uids(runs: Sequence[Any], catalog: Catalog) -> str:
    """Return the beginnings of uids that name runs and no others, for a shell.

    :param runs: anything that has a ``uid``.
    """
    return " ".join(shlex.quote(_short(run.uid, catalog)) for run in runs)


@contextmanager
def run_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show on stderr, if that is a terminal, how many runs are done; give what is told of them."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from hutch.cli.format import console

    terminal = console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("runs"))
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _named(catalog: Catalog, key: str) -> Iterator[Run]:
    found = _RANGE.fullmatch(key)
    if found:
        first, last = found.groups()
        some = catalog[int(first) : None if last is None else int(last)]
        if not len(some):
            msg = f"There is no run in {key!r}: the catalog has {len(catalog):,}. List runs with: hutch runs"
            raise RunIndexError(msg)
        yield from some.runs()
    elif _ANY_RANGE.fullmatch(key):
        msg = f"{key!r} is no range that counts from the newest run, such as '-5:' for the newest five."
        raise click.UsageError(msg, ctx=click.get_current_context())
    else:
        yield find_run(catalog, key)


def _check_no_other(catalog: Catalog, key: str) -> None:
    """Refuse a name that fits a run and a deleted one: a command that is given again must not go on to it."""
    try:
        run = find_run(catalog, key)
    except RunDeletedError:
        return
    is_number = str(run.scan_id) == key
    for stone in catalog.deleted:
        fits = stone.scan_id == run.scan_id if is_number else stone.uid.startswith(key)
        if fits and stone.uid != run.uid:
            msg = f"{key!r} fits {run!r}, and a run that was deleted. {stone}. Give the uid: {run.uid}"
            raise AmbiguousRunError(msg, [run.uid])


def _short(uid: str, catalog: Catalog) -> str:
    """Return the beginning of a uid if it names this run alone, else the whole."""
    short = uid[:_SHORT]
    # A number would be taken for a scan_id.
    is_unique = not short.isdecimal() and len(catalog.store.runs_by_prefix(short, 2)) == 1
    return short if is_unique and not catalog.store.tombstones(short) else uid
