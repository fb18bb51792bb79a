"""``hutch log``: entries of the logbook, written and found at the prompt."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hutch.cli.log_options import (
    experiment_option,
    files_option,
    open_logbook,
    page_options,
    run_number,
    run_option,
    the_experiment,
)
from hutch.cli.log_text import check_entry, written
from hutch.cli.options import TEXT, as_json, author_option, command, group, in_store

if TYPE_CHECKING:
    from hutch.logbook import Entry

__all__ = ["log"]


@group("hutch log post --tag beam 'The beam is back.'")
def log() -> None:
    """Write entries of the logbook, answer and edit them, and find them.

    An entry that names no run is attached to the one that is current in the experiment.
    """


def _tell(entry: Entry, what: str, json_wanted: bool) -> None:
    from hutch.cli import format

    if json_wanted:
        click.echo(format.to_json(entry.to_json()))
    else:
        run = "" if entry.run_num is None else f", run {entry.run_num}"
        click.echo(f"{what} entry {entry.id} ({entry.experiment}{run}).", err=True)


@command("hutch log post --tag beam --file spectrum.png 'The beam is back.'", name="post")
@click.argument("text", metavar="[TEXT]", type=TEXT, required=False)
@click.option("--title", metavar="TEXT", type=TEXT, default="", help="One line.")
@click.option("--tag", "tags", metavar="TAG", type=TEXT, multiple=True, help="May be given again.")
@files_option("To be attached; may be given again.")
@run_option("Number of the run it is attached to, current, or none.  [default: current]")
@click.option("--format", "format_", type=click.Choice(["markdown", "text", "html"]), default="markdown",
              help="Of the text.  [default: markdown]")  # fmt: skip
@click.option("--shift", metavar="NAME", type=TEXT, help="In which shift.")
@click.option("--key", metavar="KEY", type=TEXT, help="Of your own: an entry is not written twice with it.")
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
    from hutch.logbook.entries import refuse_empty

    book = open_logbook(store)
    name = the_experiment(book, experiment)
    number = run_number(book, name, run)
    check_entry(book, name, run=number, title=title, tags=tags, files=files)
    with written(text, "hutch log post") as said:
        refuse_empty(said, title, len(files))
        entry = book.post(
            name,
            said,
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
@click.argument("text", metavar="[TEXT]", type=TEXT, required=False)
@click.option("--title", metavar="TEXT", type=TEXT, default="", help="One line.")
@click.option("--tag", "tags", metavar="TAG", type=TEXT, multiple=True, help="May be given again.")
@files_option("To be attached; may be given again.")
@run_option("Number of the run it is attached to, current, or none; else that of the entry it answers.")
@author_option
@as_json
@in_store
def reply(
    entry: int,
    text: str | None,
    title: str,
    tags: tuple[str, ...],
    files: tuple[Path, ...],
    run: str | None,
    author: str | None,
    json_wanted: bool,
    store: str | None,
) -> None:
    """Answer an entry; the answer is attached to the same run, unless --run names another."""
    from hutch.logbook.entries import refuse_empty

    book = open_logbook(store)
    name = book.entry(entry).experiment
    number = run_number(book, name, run)
    check_entry(book, name, run=number, title=title, tags=tags, files=files)
    with written(text, f"hutch log reply {entry}") as said:
        refuse_empty(said, title, len(files))
        made = book.post(
            name, said, title=title, tags=tags, run=number, files=files, parent=entry, author=author
        )
    _tell(made, "Posted", json_wanted)


@command("hutch log edit 12 --tag beam 'The beam is back, at 80 %.'", name="edit")
@click.argument("entry", metavar="ENTRY", type=int)
@click.argument("text", metavar="[TEXT]", type=TEXT, required=False)
@click.option("--title", metavar="TEXT", type=TEXT, help="In place of the title.")
@click.option(
    "--tag", "tags", metavar="TAG", type=TEXT, multiple=True, help="In place of the tags; may be given again."
)
@files_option("To be added; may be given again.")
@click.option("--without", metavar="N", multiple=True, type=int,
              help="Number of an attachment to be left out; may be given again.")  # fmt: skip
@run_option("In place of the run: a number, current, or none.")
@click.option("--shift", metavar="NAME", type=TEXT, help="In place of the shift; '' removes it.")
@click.option(
    "--editor", "is_typed", is_flag=True, help="Open $EDITOR with the text, whatever else is given."
)
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
    shift: str | None,
    is_typed: bool,
    author: str | None,
    json_wanted: bool,
    store: str | None,
) -> None:
    """Change an entry; the version before is kept.

    TEXT is in place of the text, or - to read it from the standard input. Without TEXT and options, or
    with --editor, $EDITOR is opened with the text.
    """
    if is_typed and text is not None:
        raise click.UsageError("TEXT and --editor are two ways to say what the text is. Give one of them.")
    from hutch.logbook.entries import refuse_empty

    book = open_logbook(store)
    now = book.entry(entry)
    number = run_number(book, now.experiment, run)
    check_entry(book, now.experiment, run=number, title=title, tags=tags, files=files)
    is_other = title is not None or tags or files or without or run is not None or shift is not None
    writing: AbstractContextManager[str | None] = nullcontext()
    if text is not None or is_typed or not is_other:
        writing = written(text, f"hutch log edit {entry}", now.text)
    with writing as said:
        if said is not None or title is not None or without:
            kept = sum(file.id not in without for file in now.attachments)
            refuse_empty(
                now.text if said is None else said, now.title if title is None else title, kept + len(files)
            )
        made = book.edit(
            entry,
            text=said,
            title=title,
            tags=tags or None,
            files=files,
            without=without,
            run=number,
            shift=shift,
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
@click.option("--tag", "tags", metavar="TAG", type=TEXT, multiple=True, help="That they all have.")
@run_option("Attached to this run: its number, or current.")
@click.option("--author", metavar="NAME", help="Of whom.")
@page_options
@experiment_option
@as_json
@in_store
def list_(
    tags: tuple[str, ...],
    run: str | None,
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
    number = run_number(book, name, run)
    if number == 0:
        msg = "Entries that are attached to no run cannot be asked for. Give the number of a run, or current."
        raise click.BadParameter(msg, param_hint="--run")
    page = book.entries(name, tags=tags, run=number, author=author, limit=limit, before=before)
    _write_page(page.entries, page.next, json_wanted)


@command("hutch log search 'beam lost t:alignment run:5-9'", name="search")
@click.argument("words", metavar="WORDS …", nargs=-1, required=True)
@page_options
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
    from hutch.cli import format
    from hutch.cli.views import log as log_views

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
    from hutch.cli import format
    from hutch.cli.views import log as log_views

    book = open_logbook(store)
    name = the_experiment(book, experiment)
    found = {tag: (count, book.runs_of_tag(name, tag)) for tag, count in book.tags(name).items()}
    if json_wanted:
        shown = [{"tag": tag, "entries": count, "runs": runs} for tag, (count, runs) in found.items()]
        click.echo(format.to_json(shown))
    else:
        format.write(log_views.tags_table(found))


def _write_page(entries: tuple[Entry, ...], more: int | None, json_wanted: bool) -> None:
    from hutch.cli import format
    from hutch.cli.views import log as log_views

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
