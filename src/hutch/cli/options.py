"""Options and arguments that several commands have, and what they turn into."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hutch.config import store_location
from hutch.errors import RunNotFoundError

if TYPE_CHECKING:
    from hutch.catalogs import Catalog, Run

__all__ = ["RUN_KEYS", "as_json", "find_run", "in_store", "open_existing", "run_argument"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

RUN_KEYS = {"ignore_unknown_options": True}
"""Context settings of a command that takes ``-1`` for the newest run, which is no option."""

_NUMBER = re.compile(r"-?\d+")


def in_store(command: _Command) -> _Command:
    """Give a command the option ``--store``."""
    text = "Folder of the store; else $HUTCH_STORE, else ./hutch-store."
    return click.option("--store", metavar="STORE", help=text)(command)


def as_json(command: _Command) -> _Command:
    """Give a command the option ``--json``, as ``json_wanted``."""
    text = "Print JSON; what JSON cannot say (NaN, infinities) is null."
    return click.option("--json", "json_wanted", is_flag=True, help=text)(command)


def run_argument(*, required: bool = True) -> Callable[[_Command], _Command]:
    """Return a decorator that gives a command the argument RUN, as ``key``."""
    metavar = "RUN" if required else "[RUN]"
    return click.argument("key", metavar=metavar, required=required, callback=_refuse_options)


def open_existing(store: str | None) -> Catalog:
    """Return the catalog of a store that is there; it is closed when the command ends.

    :raises NoStoreError: if there is none.
    """
    from hutch.catalogs import Catalog
    from hutch.store import open_store

    catalog = Catalog(open_store(store_location(store), create=False))
    click.get_current_context().call_on_close(catalog.close)
    return catalog


def find_run(catalog: Catalog, key: str) -> Run:
    """Return the run that somebody named: a scan_id before a uid that begins with the same digits.

    :raises LookupFailedError: if there is none, or if several fit.
    """
    if not _NUMBER.fullmatch(key):
        return catalog[key]
    try:
        return catalog[int(key)]
    except RunNotFoundError:
        try:
            return catalog[key]
        except RunNotFoundError:
            pass
        raise


def _refuse_options(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse what looks like an option, which the parser lets through for the sake of ``-1``."""
    if value is not None and value.startswith("-") and not _NUMBER.fullmatch(value):
        raise click.NoSuchOption(value, ctx=ctx)
    return value
