"""What commands of the logbook are told: which experiment, which run, which files, how many entries."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hutch.cli.options import open_existing
from hutch.errors import ConfigurationError

if TYPE_CHECKING:
    from hutch.logbook import Logbook

__all__ = [
    "experiment_option",
    "files_option",
    "open_logbook",
    "page_options",
    "run_number",
    "run_option",
    "the_experiment",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_RUN = re.compile(r"current|none|\d{1,18}")


def experiment_option(function: _Function) -> _Function:
    """Give a command the option ``--experiment``."""
    text = "Whose logbook; else the experiment that is active, if there is just one."
    return click.option("--experiment", metavar="NAME", help=text)(function)


def open_logbook(store: str | None) -> Logbook:
    """Return the logbook of a store that is there."""
    from hutch.logbook import Logbook

    return Logbook(open_existing(store))


def the_experiment(book: Logbook, given: str | None) -> str:
    """Return the experiment that is meant.

    :raises ConfigurationError: if none is named, and not just one is active.
    """
    if given is not None:
        return given
    active = sorted(book.access.experiments.active_names())
    if len(active) != 1:
        if active:
            msg = f"{len(active)} are active ({', '.join(active)}). Name it: --experiment NAME"
        elif book.access.experiments.all():
            msg = "None is active. Name it with --experiment NAME, or: hutch experiment activate NAME"
        else:
            msg = (
                "There is none yet. Make one with: hutch experiment create NAME --instrument XPP, and then: "
                "hutch experiment activate NAME"
            )
        raise ConfigurationError(f"Which experiment is meant? {msg}")
    return active[0]


def run_option(what: str) -> Callable[[_Function], _Function]:
    """Return what gives a command the option ``--run``, which says what it is for."""
    return click.option("--run", metavar="N", callback=_check_run, help=what)


def _check_run(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse what names no run."""
    if value is not None and not _RUN.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no run. Give a number, current, or none.", ctx, param)
    return value


def page_options(function: _Function) -> _Function:
    """Give a command the options ``--limit`` and ``--before``."""
    how_many = click.IntRange(1, 1000)
    limit = click.option("--limit", metavar="N", type=how_many, default=20, help="How many.  [default: 20]")
    before = click.option("--before", metavar="ENTRY", type=int, help="Only those older than this one.")
    return limit(before(function))


def files_option(what: str) -> Callable[[_Function], _Function]:
    """Return what gives a command the option ``--file``, which says what for."""
    path = click.Path(path_type=Path)
    return click.option("--file", "files", metavar="FILE", multiple=True, type=path, help=what)


def run_number(book: Logbook, experiment: str, given: str | None) -> int | None:
    """Return the number of the run that is meant: 0 is none, and None that nothing was said."""
    if given == "current":
        current = book.current_run(experiment)
        return 0 if current is None else current.num
    if given == "none":
        return 0
    return None if given is None else int(given)
