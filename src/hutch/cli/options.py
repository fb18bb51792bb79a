"""Options and arguments that several commands have, and what they turn into."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from glob import glob
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from hutch.config import configuration, find_store
from hutch.errors import ConfigurationError, NoStoreError, RunDeletedError, RunNotFoundError

if TYPE_CHECKING:
    from hutch.catalogs import Catalog, Run

__all__ = [
    "NO_TEXT",
    "TEXT",
    "as_json",
    "author_option",
    "command",
    "complete_store",
    "example",
    "find_run",
    "group",
    "in_store",
    "open_existing",
    "open_or_make",
    "run_argument",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_NUMBER = re.compile(r"-?\d+")
_MOST_NEARBY = 5
"""As many stores are named to who named none."""


class _TextType(click.types.StringParamType):
    """Text that is kept, for people to read."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text; bytes of it that are no characters are refused, as they could not be kept."""
        text: str = super().convert(value, param, ctx)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail(f"{ascii(text)} {NO_TEXT}", param, ctx)
        return text


TEXT = _TextType()

NO_TEXT = "has bytes that are no characters in the encoding of this terminal. Give it as UTF-8."
"""What is said of text that cannot be kept."""


class ExampleCommand(click.Command):
    """A command whose help ends in an example, printed as it is."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        formatter.write(f"\n{self.epilog}\n")


class ExampleGroup(click.Group):
    """A group whose help ends in an example, and has its commands in the order in which they are needed."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        formatter.write(f"\n{self.epilog}\n")

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named first, and the rest; one that is not there may be a slip."""
        name = args[0]
        is_there = name.startswith("-") or self.get_command(ctx, name) is not None
        if not is_there and not ctx.resilient_parsing:
            near = get_close_matches(name, self.list_commands(ctx), 1)
            guess = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {name!r}.{guess}")
        return super().resolve_command(ctx, args)


def example(line: str) -> str:
    """Return the end of a help text: a command line that runs."""
    return f"Example:\n  {line}"


def command(
    line: str,
    *,
    name: str | None = None,
    takes_run: bool = False,
    cls: type[click.Command] = ExampleCommand,
) -> Callable[[Callable[..., Any]], click.Command]:
    """Return a decorator that makes a command of a function.

    :param line: the example that its help ends in.
    :param name: else the function's.
    :param takes_run: it takes ``-1`` for the newest run, which is no option.
    :param cls: what the command becomes.
    """
    settings = {"ignore_unknown_options": takes_run}
    return click.command(name, cls=cls, epilog=example(line), context_settings=settings)


def group(line: str) -> Callable[[Callable[..., Any]], click.Group]:
    """Return a decorator that makes a group of commands of a function.

    :param line: the example that its help ends in.
    """
    return click.group(cls=ExampleGroup, epilog=example(line))


def author_option(function: _Function) -> _Function:
    """Give a command the option ``--author``."""
    return click.option("--author", metavar="NAME", type=TEXT, help="Who does it; else user@host.")(function)


def in_store(function: _Function) -> _Function:
    """Give a command the option ``--store``."""
    text = (
        "Folder, address (postgresql://…) or catalog of hutch.toml; else $HUTCH_STORE, else the default "
        "catalog, else ./hutch-store."
    )
    return click.option("--store", metavar="STORE", help=text, shell_complete=complete_store)(function)


def complete_store(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return how a shell may go on with a STORE: paths of configured catalogs that begin so, else folders."""
    with suppress(ConfigurationError):
        paths = [path for path in configuration().settings.catalogs if path.startswith(incomplete)]
        if paths:
            return [CompletionItem(path) for path in paths]
    return [CompletionItem(incomplete, type="dir")]


def as_json(function: _Function) -> _Function:
    """Give a command the option ``--json``, as ``json_wanted``."""
    text = "Print JSON; what JSON cannot say (NaN, infinities) is null."
    return click.option("--json", "json_wanted", is_flag=True, help=text)(function)


def run_argument(*, required: bool = True) -> Callable[[_Function], _Function]:
    """Return a decorator that gives a command the argument RUN, as ``key``."""
    metavar = "RUN" if required else "[RUN]"
    return click.argument("key", metavar=metavar, required=required, callback=_refuse_options)


def open_existing(store: str | None) -> Catalog:
    """Return the catalog of a store that is there; it is closed when the command ends.

    :raises NoStoreError: if there is none.
    """
    from hutch.api.opening import open_configured

    found = find_store(store)
    try:
        catalog = open_configured(found)
    except NoStoreError as error:
        if not found.path and not os.path.exists(found.store):
            error.args = (f"{error}{_other_catalogs() or _stores_nearby()}", *error.args[1:])
        raise
    click.get_current_context().call_on_close(catalog.close)
    return catalog


def open_or_make(store: str | None) -> Catalog:
    """Return the catalog of a store, which is made if it is not there; it is closed when the command ends.

    :raises NoStoreError: if a configured catalog has none: its disk may be away.
    """
    from hutch.api.opening import open_configured

    found = find_store(store)
    catalog = open_configured(found, create=not found.path)
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
    except RunDeletedError:
        raise
    except RunNotFoundError:
        try:
            return catalog[key]
        except RunDeletedError:
            raise
        except RunNotFoundError:
            pass
        raise


def _other_catalogs() -> str:
    """Return what else there is, for who mistyped the path of a catalog, which was taken for a folder."""
    with suppress(ConfigurationError):
        known = list(configuration().settings.catalogs)
        if known:
            return f" (or name a catalog that is configured: {', '.join(known)})"
    return ""


def _stores_nearby() -> str:
    """Return which stores are in the working folder, or are it, for who forgot to name one."""
    from hutch.store.places import DATABASE

    found = sorted(os.path.dirname(path) or "." for path in [*glob(f"*/{DATABASE}"), *glob(DATABASE)])
    if not found:
        return ""
    return f" (or name one that is here with --store or $HUTCH_STORE: {', '.join(found[:_MOST_NEARBY])})"


def _refuse_options(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse what looks like an option, which the parser lets through for the sake of ``-1``."""
    if value is not None and value.startswith("-") and not _NUMBER.fullmatch(value):
        raise click.NoSuchOption(value, ctx=ctx)
    return value
