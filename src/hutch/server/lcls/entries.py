"""Entries, their files and their tags, as clients of LCLS's logbook read and write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.responses import Response

from hutch.access import Action
from hutch.errors import EntryNotFoundError
from hutch.logbook import Attachment, Entry, EntryPage
from hutch.queries.times import parse_time
from hutch.server.downloads import file_response, thumbnail_response
from hutch.server.lcls.calls import Body, Call, Route, experiment_route
from hutch.server.lcls.replies import iso

__all__ = ["ROUTES"]

_AT_ONCE = 1000
_CACHING = "private, no-cache"


def _new(call: Call) -> dict[str, Any]:
    parent = call.entry("parent") if call.text("parent") else None
    entry = call.logbook.post(
        call.experiment,
        call.needed("log_text"),
        title=call.text("log_title") or "",
        tags=call.several("log_tags") or (),
        run=_run_of(call),
        shift=call.text("shift"),
        format=call.text("log_format") or "markdown",
        parent=parent,
        files=call.files,
        author=call.author,
        key=call.key,
    )
    return _told(call, entry)


def _run_of(call: Call) -> int | None:
    """Return the number of the run that an entry is about: of a job, its own; None says nothing."""
    if call.text("run_num") == "current":
        return None
    given = call.number("run_num")
    return call.job.run_num if given is None and call.job is not None else given


def _modify(call: Call) -> dict[str, Any]:
    entry = call.logbook.edit(
        call.entry("_id"),
        text=call.needed("log_text"),
        title=call.given("log_title"),
        tags=call.several("log_tags"),
        run=call.number("run_num"),
        files=call.files,
    )
    return _told(call, entry)


def _delete(call: Call) -> dict[str, Any]:
    return _told(call, call.logbook.delete(call.entry("_id")))


def _all(call: Call) -> list[dict[str, Any]]:
    """Return the entries from the newest on: all, or ``limit`` of them, older than the entry ``before``."""
    before = call.entry("before") if call.text("before") else None

    def page(before: int | None, limit: int) -> EntryPage:
        return call.logbook.entries(call.experiment, before=before, limit=limit)

    return _collected(call, page, before, call.number("limit"))


def _search(call: Call) -> list[dict[str, Any]]:
    """Return the entries with words, a tag, of some runs, or of some time; several of these narrow it."""
    if call.text("_id"):
        return [_told(call, call.logbook.entry(call.entry("_id")))]
    since, until = _moment(call, "start_date"), _moment(call, "end_date")
    one = call.number("run_num")
    runs = (call.number("start_run_num"), call.number("end_run_num")) if one is None else (one, one)

    def found(before: int | None, limit: int) -> EntryPage:
        return call.logbook.search(
            call.experiment,
            call.text("search_text") or "",
            run=None if runs == (None, None) else runs,
            tags=call.several("tag") or (),
            since=since,
            until=until,
            before=before,
            limit=limit,
        )

    return _collected(call, found, None, call.number("limit"))


def _moment(call: Call, name: str) -> float | None:
    """Return a time, s since 1970, as browsers write it, ``2026-11-26T21:57:00.000Z``, or as people do."""
    text = call.text(name)
    if text is None:
        return None
    try:
        return parse_time(datetime.fromisoformat(text))
    except ValueError:
        return parse_time(text)


def _collected(
    call: Call,
    page: Callable[[int | None, int], EntryPage],
    before: int | None,
    most: int | None,
) -> list[dict[str, Any]]:
    """Return the entries of all pages.

    :param page: returns the one after an entry, with so many.
    :param most: how many entries; all if it is None.
    """
    found: list[Entry] = []
    while most is None or len(found) < most:
        some = page(before, _AT_ONCE if most is None else min(_AT_ONCE, most - len(found)))
        found += some.entries
        before = some.next
        if before is None:
            break
    return [_told(call, entry) for entry in found]


def _tree(call: Call) -> list[dict[str, Any]]:
    return [_told(call, entry) for entry in call.logbook.thread(call.entry())]


def _tree_of_field(call: Call) -> list[dict[str, Any]]:
    """Return the thread of the entry that a field names; of none, all entries."""
    names = ("entry_id", "_id", "id")
    if call.text(*names) is None:
        return _all(call)
    return [_told(call, entry) for entry in call.logbook.thread(call.entry(*names))]


# files


def _attachment(call: Call) -> Response:
    entry = call.entry("entry_id")
    wanted = call.needed("attachment_id")
    missing = EntryNotFoundError(f"Entry {entry} has no attachment {wanted[:40]!r}.")
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) <= 18):
        raise missing
    if call.switch("preview", "prefer_preview"):
        small = call.logbook.thumbnail(entry, int(wanted))
        if small is not None:
            return thumbnail_response(small, caching=_CACHING)
    return file_response(*call.logbook.open_attachment(entry, int(wanted)), caching=_CACHING)


# tags


def _tags(call: Call) -> list[str]:
    return list(call.logbook.tags(call.experiment))


def _tags_to_runs(call: Call) -> dict[str, list[int]]:
    tags = call.logbook.tags(call.experiment)
    return {tag: call.logbook.runs_of_tag(call.experiment, tag) for tag in tags}


def _runs_to_tags(call: Call) -> dict[str, list[str]]:
    found: dict[int, list[str]] = {}
    for tag, runs in _tags_to_runs(call).items():
        for run in runs:
            found.setdefault(run, []).append(tag)
    return {str(run): found[run] for run in sorted(found)}


def _runs_with_tag(call: Call) -> list[int]:
    return call.logbook.runs_of_tag(call.experiment, call.needed("tag"))


def _tags_of_run(call: Call) -> list[str]:
    return call.logbook.tags_of_run(call.experiment, call.run())


# how entries are told


def _told(call: Call, entry: Entry) -> dict[str, Any]:
    """Return an entry as these clients know entries."""
    told = {
        "_id": str(entry.id),
        "experiment_name": entry.experiment,
        "content": entry.text,
        "content_type": entry.format.value.upper(),
        "title": entry.title,
        "author": entry.author,
        "tags": list(entry.tags),
        "run_num": entry.run_num,
        "shift": entry.shift,
        "insert_time": iso(entry.time),
        "relevance_time": iso(entry.time),
        "parent": None if entry.parent is None else str(entry.parent),
        "root": None if entry.parent is None else str(entry.root),
        "attachments": [_told_file(file) for file in entry.attachments],
    }
    if entry.edited is not None:
        told["modified_time"] = iso(entry.edited)
    if entry.is_deleted:
        # Its last version is that it was deleted.
        by = call.logbook.versions(entry.id)[-1].author
        told |= {"deleted_by": by, "deleted_time": iso(entry.deleted)}
    return told


def _told_file(file: Attachment) -> dict[str, Any]:
    return {
        "_id": str(file.id),
        "name": file.name,
        "type": file.type,
        "size": file.size,
        "description": file.description,
        "has_preview": file.has_thumbnail,
    }


def _change(path: str, answer: Any, **more: Any) -> Route:
    # Whether an entry is one's own, which takes less, the logbook knows.
    return experiment_route(path, answer, method="POST", body=Body.FORM, action=Action.WRITE, **more)


ROUTES = (
    _change("new_elog_entry", _new, by_job=True),
    _change("modify_elog_entry", _modify),
    _change("delete_elog_entry", _delete, deletes=True),
    experiment_route("elog", _all, by_job=True),
    experiment_route("search_elog", _search, by_job=True),
    experiment_route("elog/{entry}/complete_elog_tree", _tree, by_job=True),
    experiment_route("complete_elog_tree", _tree_of_field, by_job=True),
    experiment_route("attachment", _attachment, by_job=True),
    experiment_route("get_elog_tags", _tags, by_job=True),
    experiment_route("get_tags_to_runs", _tags_to_runs, by_job=True),
    experiment_route("get_runs_to_tags", _runs_to_tags, by_job=True),
    experiment_route("get_runs_with_tag", _runs_with_tag, by_job=True),
    experiment_route("{run}/get_tags_for_run", _tags_of_run, by_job=True),
)
