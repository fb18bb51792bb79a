"""What people write in the logbook's pages: forms, which need no JavaScript, and what they do.

Whatever cannot be taken is shown again as it was typed, with the reason: nothing that was written is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from hutch.access import Action, Identity
from hutch.errors import AccessDeniedError, HutchError
from hutch.logbook import Content, Entry, Format, NewFile, render
from hutch.logbook.entries import refuse_empty
from hutch.server.asking import Reader, typed_number
from hutch.server.pages.logbook_pages import find_entry, find_logbook, kept_of, page_of
from hutch.server.pages.showing import add_headers, keep_key, link
from hutch.server.statuses import status_of

__all__ = ["make_logbook_forms"]

_LIMITS: dict[str, Any] = {"max_files": 20, "max_fields": 40, "max_part_size": 8_000_000}
"""Of what a form carries; how large a file may be, is for the logbook to say."""


def make_logbook_forms() -> APIRouter:
    """Return the routes by which the logbook's pages are written."""
    router = APIRouter(include_in_schema=False)
    add = router.add_api_route
    add("/logbook/{experiment}/new", new_entry, methods=["GET"], response_class=HTMLResponse)
    add("/logbook/{experiment}/new", post_entry, methods=["POST"], response_class=HTMLResponse)
    add("/logbook/{experiment}/preview", preview, methods=["POST"], response_class=HTMLResponse)
    place = "/logbook/{experiment}/entries/{entry}"
    add(f"{place}/edit", edit_entry, methods=["GET"], response_class=HTMLResponse)
    add(f"{place}/edit", post_edit, methods=["POST"], response_class=HTMLResponse)
    add(f"{place}/delete", delete_entry, methods=["POST"], response_class=HTMLResponse)
    add(f"{place}/restore", restore_entry, methods=["POST"], response_class=HTMLResponse)
    return router


@dataclass
class _Draft:
    """An entry as it is typed."""

    title: str = ""
    text: str = ""
    tags: str = ""
    run: str = ""
    format: str = Format.MARKDOWN
    parent: int | None = None
    without: list[int] = field(default_factory=list)
    files: list[NewFile] = field(default_factory=list)
    wants_preview: bool = False

    @classmethod
    def of_form(cls, form: FormData) -> _Draft:
        """Return what a form says."""

        def text(name: str) -> str:
            value = form.get(name, "")
            return value if isinstance(value, str) else ""

        without = [typed_number(one) for one in form.getlist("without") if isinstance(one, str)]
        uploads = [one for one in form.getlist("files") if isinstance(one, UploadFile) and one.filename]
        return cls(
            title=text("title"),
            text=text("text"),
            tags=text("tags"),
            run=text("run").strip(),
            format=text("format") or Format.MARKDOWN,
            # One that is no number is that of no entry.
            parent=(typed_number(text("parent")) or 0) if text("parent") else None,
            without=[one for one in without if one is not None],
            files=[NewFile(one.file, one.filename or "file") for one in uploads],
            wants_preview=text("do") == "preview",
        )

    @classmethod
    def of_entry(cls, entry: Entry) -> _Draft:
        """Return what there is to change in an entry."""
        run = "" if entry.run_num is None else str(entry.run_num)
        return cls(entry.title, entry.text, " ".join(entry.tags), run, entry.format)

    def run_num(self) -> int | None:
        """Return the run that it is attached to: None for the current one."""
        return typed_number(self.run)

    def html(self) -> str:
        """Return what it would look like."""
        content = Content(
            title=self.title,
            text=self.text,
            format=Format(self.format) if self.format in list(Format) else Format.MARKDOWN,
            tags=(),
            run_num=None,
            shift=None,
            attachments=(),
        )
        return render(content)


def new_entry(
    request: Request, identity: Reader, experiment: str, parent: int | None = None, run: int | None = None
) -> Response:
    """Show the form for an entry."""
    kept = keep_key(request)
    if kept is not None:
        return kept
    # Who may not write learns it before, and not after, something is typed.
    find_logbook(request, identity, experiment).check(Action.WRITE, experiment)
    draft = _Draft(parent=parent, run="" if run is None else str(run))
    return _form(request, identity, experiment, draft, None)


async def post_entry(request: Request, identity: Reader, experiment: str) -> Response:
    """Write an entry, or show what it would look like."""

    def write(draft: _Draft) -> str:
        logbook = find_logbook(request, identity, experiment)
        refuse_empty(draft.text, draft.title, len(draft.files))
        entry = logbook.post(
            experiment,
            draft.text,
            title=draft.title,
            tags=draft.tags,
            run=draft.run_num(),
            parent=draft.parent,
            files=draft.files,
            format=draft.format,
        )
        return f"/logbook/{experiment}#entry-{entry.id}"

    return await _take(request, identity, experiment, None, write)


async def preview(request: Request, identity: Reader, experiment: str) -> Response:
    """Give what a text would look like, to be put into the page."""
    async with request.form(**_LIMITS) as form:
        draft = _Draft.of_form(form)
        logbook = find_logbook(request, identity, experiment)
        await run_in_threadpool(logbook.check, Action.WRITE, experiment)
        response = HTMLResponse(await run_in_threadpool(draft.html))
    add_headers(response)
    return response


def edit_entry(request: Request, identity: Reader, experiment: str, entry: int) -> Response:
    """Show the form that changes an entry."""
    kept = keep_key(request)
    if kept is not None:
        return kept
    logbook = find_logbook(request, identity, experiment)
    found = find_entry(logbook, experiment, entry)
    logbook.check(Action.WRITE if found.author == identity.name else Action.EDIT, experiment)
    return _form(request, identity, experiment, _Draft.of_entry(found), found)


async def post_edit(request: Request, identity: Reader, experiment: str, entry: int) -> Response:
    """Change an entry."""

    def write(draft: _Draft) -> str:
        logbook = find_logbook(request, identity, experiment)
        now = find_entry(logbook, experiment, entry)
        kept = sum(file.id not in draft.without for file in now.attachments)
        refuse_empty(draft.text, draft.title, kept + len(draft.files))
        logbook.edit(
            entry,
            text=draft.text,
            title=draft.title,
            tags=draft.tags,
            run=draft.run_num() or 0,
            files=draft.files,
            without=draft.without,
            format=draft.format,
        )
        return f"/logbook/{experiment}/entries/{entry}"

    return await _take(request, identity, experiment, entry, write)


def delete_entry(request: Request, identity: Reader, experiment: str, entry: int) -> Response:
    """Delete an entry; it can be restored."""
    logbook = find_logbook(request, identity, experiment)
    find_entry(logbook, experiment, entry)
    logbook.delete(entry)
    return _go(request, f"/logbook/{experiment}/entries/{entry}")


def restore_entry(request: Request, identity: Reader, experiment: str, entry: int) -> Response:
    """Take back that an entry was deleted."""
    logbook = find_logbook(request, identity, experiment)
    find_entry(logbook, experiment, entry)
    logbook.restore(entry)
    return _go(request, f"/logbook/{experiment}/entries/{entry}")


async def _take(
    request: Request, identity: Identity, experiment: str, entry: int | None, write: Callable[[_Draft], str]
) -> Response:
    """Do what a form asks for, and go on to a page; show the form again if it cannot be done."""
    async with request.form(**_LIMITS) as form:
        draft = _Draft.of_form(form)
        return await run_in_threadpool(_done, request, identity, experiment, entry, draft, write)


def _done(
    request: Request,
    identity: Identity,
    experiment: str,
    entry: int | None,
    draft: _Draft,
    write: Callable[[_Draft], str],
) -> Response:
    found = (
        None if entry is None else find_entry(find_logbook(request, identity, experiment), experiment, entry)
    )
    if draft.wants_preview:
        return _form(request, identity, experiment, draft, found, html=draft.html())
    if draft.run and draft.run_num() is None:
        problem = f"{draft.run[:40]!r} is no number of a run."
        return _form(request, identity, experiment, draft, found, problem=problem, status=422)
    try:
        return _go(request, write(draft))
    except AccessDeniedError:
        raise
    except HutchError as error:
        status = status_of(error)
        return _form(request, identity, experiment, draft, found, problem=str(error), status=status)


def _form(
    request: Request,
    identity: Identity,
    experiment: str,
    draft: _Draft,
    entry: Entry | None,
    *,
    html: str | None = None,
    problem: str = "",
    status: int = 200,
) -> Response:
    logbook = find_logbook(request, identity, experiment)
    answered = None if draft.parent is None else find_entry(logbook, experiment, draft.parent)
    values: dict[str, Any] = {"draft": draft, "entry": entry, "answered": answered}
    return page_of(
        "entry_form.html",
        request,
        identity,
        logbook,
        experiment,
        status=status,
        html=html,
        problem=problem,
        formats=list(Format),
        known_tags=sorted(logbook.tags(experiment)),
        **values,
    )


def _go(request: Request, place: str) -> Response:
    path, _, part = place.partition("#")
    address = link(path, kept_of(request)) + (f"#{part}" if part else "")
    return RedirectResponse(address, 303)
