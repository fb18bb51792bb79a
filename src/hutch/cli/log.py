"""``hutch log``: entries of the logbook, written and found at the prompt."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hutch.cli.options import as_json, author_option, command, group, in_store, open_existing
from hutch.errors import ConfigurationError, DocumentError

if TYPE_CHECKING:
    from hutch.logbook import Entry, Logbook

__all__ = ["experiment_option", "log", "open_logbook", "the_experiment"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_HELP = "\n\n# Write the entry above, in markdown. Without text nothing is posted.\n"


@group("hutch log post --tag beam 'The beam is back.'")
def log() -> None:
    """Write entries of the logbook, answer and edit them, and find them.

    An entry that names no run is attached to the one that is current in the experiment.
    """


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
        found = f"{len(active)} are active ({', '.join(active)})" if active else "none is active"
        msg = f"Which experiment is meant? {found.capitalize()}. Name it: --experiment NAME"
        raise ConfigurationError(msg)
    return active[0]


def _run_option(function: _Function) -> _Function:
    text = "Number of the run it is attached to, current, or none.  [default: current]"
    return click.option("--run", metavar="N", help=text)(function)


def _page_options(function: _Function) -> _Function:
    how_many = click.IntRange(1, 1000)
    limit = click.option("--limit", metavar="N", type=how_many, default=20, help="How many.  [default: 20]")
    before = click.option("--before", metavar="ENTRY", type=int, help="Only those older than this one.")
    return limit(before(function))


def _files_option(what: str) -> Callable[[_Function], _Function]:
    path = click.Path(path_type=Path)
    return click.option("--file", "files", metavar="FILE", multiple=True, type=path, help=what)


def _run_number(text: str | None) -> int | None:
    if text is None or text == "current":
        return None
    if text == "none":
        return 0
    if not re.fullmatch(r"\d{1,18}", text):
        raise click.BadParameter(f"{text!r} is no run. Give a number, current, or none.", param_hint="--run")
    return int(text)


def _message(text: str | None, before: str = "") -> str:
    """Return what somebody writes: on the command line, to the standard input, or in an editor.

    :raises DocumentError: if they write nothing.
    """
    if text == "-":
        return sys.stdin.read()
    if text is not None:
        return text
    written = click.edit(f"{before}{_HELP}", extension=".md")
    found = "" if written is None else written.split("\n\n# Write the entry above", 1)[0]
    if not found.strip():
        raise DocumentError("Nothing was written, so nothing is posted.")
    return found.rstrip() + "\n"


def _tell(entry: Entry, what: str, json_wanted: bool) -> None:
    from hutch.cli import format

    if json_wanted:
        click.echo(format.to_json(entry.to_json()))
    else:
        run = "" if entry.run_num is None else f", run {entry.run_num}"
        click.echo(f"{what} entry {entry.id} ({entry.experiment}{run}).", err=True)


@command("hutch log post --tag beam --file spectrum.png 'The beam is back.'", name="post")
@click.argument("text", metavar="[TEXT]", required=False)
@click.option("--title", metavar="TEXT", default="", help="One line.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="May be given again.")
@_files_option("To be attached; may be given again.")
@_run_option
@click.option("--format", "format_", type=click.Choice(["markdown", "text", "html"]), default="markdown",
              help="Of the text.  [default: markdown]")  # fmt: skip
@click.option("--shift", metavar="NAME", help="In which shift.")
@click.option("--key", metavar="KEY", help="Of your own: what is posted again with it is not written twice.")
@experiment_option
@author_option
@as_json
@in_store
def post(
    text: str | None,
    title: str,
    tags: tuple[str, ...],
    files: tuple[Path, ...],
    run: str | None,
    format_: str,
    shift: str | None,
    key: str | None,
    experiment: str | None,
    author: str | None,
    json_wanted: bool,
    store: str | None,
) -> None:
    """Post an entry.

    TEXT is the entry, or - to read it from the standard input; without one, $EDITOR is opened.
    """
    number = _run_number(run)
    book = open_logbook(store)
    name = the_experiment(book, experiment)
    entry = book.post(
        name,
        _message(text),
        title=title,
        tags=tags,
        run=number,
        author=author,
        files=files,
        format=format_,
        shift=shift,
        key=key,
    )
    _tell(entry, "Posted", json_wanted)


@command("hutch log reply 12 'It was the shutter.'", name="reply")
@click.argument("entry", metavar="ENTRY", type=int)
@click.argument("text", metavar="[TEXT]", required=False)
@click.option("--title", metavar="TEXT", default="", help="One line.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="May be given again.")
@_files_option("To be attached; may be given again.")
@author_option
@as_json
@in_store
def reply(
    entry: int,
    text: str | None,
    title: str,
    tags: tuple[str, ...],
    files: tuple[Path, ...],
    author: str | None,
    json_wanted: bool,
    store: str | None,
) -> None:
    """Answer an entry; the answer is attached to the same run."""
    book = open_logbook(store)
    first = book.entry(entry)
    made = book.post(
        first.experiment, _message(text), title=title, tags=tags, files=files, parent=entry, author=author
    )
    _tell(made, "Posted", json_wanted)


@command("hutch log edit 12 --tag beam 'The beam is back, at 80 %.'", name="edit")
@click.argument("entry", metavar="ENTRY", type=int)
@click.argument("text", metavar="[TEXT]", required=False)
@click.option("--title", metavar="TEXT", help="In place of the title.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="In place of the tags; may be given again.")
@_files_option("To be added; may be given again.")
@click.option("--without", metavar="N", multiple=True, type=int,
              help="Number of an attachment to be left out; may be given again.")  # fmt: skip
@click.option("--run", metavar="N", help="In place of the run; none attaches it to no run.")
@author_option
@as_json
@in_store
def edit(
    entry: int,
    text: str | None,
    title: str | None,
    tags: tuple[str, ...],
    files: tuple[Path, ...],
    without: tuple[int, ...],
    run: str | None,
    author: str | None,
    json_wanted: bool,
    store: str | None,
) -> None:
    """Change an entry; the version before is kept.

    Without TEXT and options, $EDITOR is opened with the text.
    """
    number = _run_number(run)
    book = open_logbook(store)
    is_other = title is not None or tags or files or without or run is not None
    if text is None and not is_other:
        text = _message(None, book.entry(entry).text)
    elif text is not None:
        text = _message(text)
    made = book.edit(
        entry,
        text=text,
        title=title,
        tags=tags or None,
        files=files,
        without=without,
        run=number,
        author=author,
    )
    _tell(made, f"Wrote version {made.version} of", json_wanted)


@command("hutch log delete 12", name="delete")
@click.argument("entry", metavar="ENTRY", type=int)
@author_option
@in_store
def delete(entry: int, author: str | None, store: str | None) -> None:
    """Delete an entry; it can be restored."""
    _tell(open_logbook(store).delete(entry, author=author), "Deleted", json_wanted=False)


@command("hutch log restore 12", name="restore")
@click.argument("entry", metavar="ENTRY", type=int)
@author_option
@in_store
def restore(entry: int, author: str | None, store: str | None) -> None:
    """Take back that an entry was deleted."""
    _tell(open_logbook(store).restore(entry, author=author), "Restored", json_wanted=False)


@command("hutch log list --tag beam", name="list")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="That they all have.")
@click.option("--run", metavar="N", type=int, help="Attached to this run.")
@click.option("--author", metavar="NAME", help="Of whom.")
@click.option(
    "--limit", metavar="N", type=click.IntRange(1, 1000), default=20, help="How many.  [default: 20]"
)
@click.option("--before", metavar="ENTRY", type=int, help="Only those older than this one.")
@experiment_option
@as_json
@in_store
def list_(
    tags: tuple[str, ...],
    run: int | None,
    author: str | None,
    limit: int,
    before: int | None,
    experiment: str | None,
    json_wanted: bool,
    store: str | None,
) -> None:
    """List entries, the newest first."""
    book = open_logbook(store)
    name = the_experiment(book, experiment)
    page = book.entries(name, tags=tags, run=run, author=author, limit=limit, before=before)
    _write_page(page.entries, page.next, json_wanted)


@command("hutch log search 'beam lost t:alignment run:5-9'", name="search")
@click.argument("words", metavar="WORDS …", nargs=-1, required=True)
@click.option(
    "--limit", metavar="N", type=click.IntRange(1, 1000), default=20, help="How many.  [default: 20]"
)
@click.option("--before", metavar="ENTRY", type=int, help="Only those older than this one.")
@experiment_option
@as_json
@in_store
def search(
    words: tuple[str, ...],
    limit: int,
    before: int | None,
    experiment: str | None,
    json_wanted: bool,
    store: str | None,
) -> None:
    """Find entries that have all WORDS, the newest first.

    Also t:TAG, run:7, run:5-9, since:2026-01-01, until:2026-02-01, author:NAME, shift:NAME, is:deleted.
    """
    book = open_logbook(store)
    page = book.search(the_experiment(book, experiment), " ".join(words), limit=limit, before=before)
    _write_page(page.entries, page.next, json_wanted)


@command("hutch log show 12", name="show")
@click.argument("entry", metavar="ENTRY", type=int)
@click.option("--versions", "with_versions", is_flag=True, help="All versions, the oldest first.")
@as_json
@in_store
def show(entry: int, with_versions: bool, json_wanted: bool, store: str | None) -> None:
    """Show an entry with those that answer it."""
    from hutch.cli import format, log_views

    book = open_logbook(store)
    if with_versions:
        versions = book.versions(entry)
        if json_wanted:
            click.echo(format.to_json([version.to_json() for version in versions]))
        else:
            format.write(log_views.versions_view(versions))
        return
    thread = book.thread(entry)
    if json_wanted:
        click.echo(format.to_json([one.to_json() for one in thread]))
    else:
        format.write(log_views.thread_view(thread))


@command("hutch log tags", name="tags")
@experiment_option
@as_json
@in_store
def tags_(experiment: str | None, json_wanted: bool, store: str | None) -> None:
    """List the tags, and the runs that each is on."""
    from hutch.cli import format, log_views

    book = open_logbook(store)
    name = the_experiment(book, experiment)
    found = {tag: (count, book.runs_of_tag(name, tag)) for tag, count in book.tags(name).items()}
    if json_wanted:
        shown = [{"tag": tag, "entries": count, "runs": runs} for tag, (count, runs) in found.items()]
        click.echo(format.to_json(shown))
    else:
        format.write(log_views.tags_table(found))


def _write_page(entries: tuple[Entry, ...], more: int | None, json_wanted: bool) -> None:
    from hutch.cli import format, log_views

    if json_wanted:
        click.echo(format.to_json([entry.to_json() for entry in entries]))
    elif entries:
        format.write(log_views.entries_table(entries))
        if more is not None:
            click.echo(f"There are more: --before {more}", err=True)
    else:
        click.echo("No entries.", err=True)


for _command in (post, reply, edit, delete, restore, list_, search, show, tags_):
    log.add_command(_command)
