"""The pages of the logbook: what was written, in order of time, and how one entry came to be what it is.

Changes are made by :mod:`hutch.server.pages.logbook_forms`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from hutch.access import Action, Experiment, Identity
from hutch.errors import EntryNotFoundError, QueryError
from hutch.logbook import Attachment, Content, Entry, Logbook, render
from hutch.logbook.freezing import is_descending
from hutch.server.access import Gate
from hutch.server.asking import Reader
from hutch.server.books import Book, find_book
from hutch.server.downloads import file_response, thumbnail_response
from hutch.server.pages.showing import Text, add_headers, keep_key, link, show

__all__ = [
    "entry_html",
    "entry_views",
    "find_entry",
    "find_logbook",
    "kept_of",
    "make_logbook_pages",
    "page_of",
]

_PAGE = 25
_CACHING = "private, max-age=86400, immutable"
"""What an entry's attachment is never changes."""


class Listed(NamedTuple):
    """An experiment, and where its logbook is."""

    about: Experiment
    is_active: bool
    place: str


def make_logbook_pages() -> APIRouter:
    """Return the routes of the logbook's pages."""
    router = APIRouter(include_in_schema=False)
    for path, page in (
        ("/logbook", choose_experiment),
        ("/logbook/{experiment}", timeline),
        ("/logbook/{experiment}/entries/{entry}", entry_page),
    ):
        router.add_api_route(path, page, response_class=HTMLResponse)
    router.add_api_route("/logbook/{experiment}/entries/{entry}/files/{file}", attachment)
    router.add_api_route("/logbook/{experiment}/runs/{num}", run_page)
    return router


def find_logbook(request: Request, identity: Identity, experiment: str) -> Logbook:
    """Return the logbook that an experiment is in, as somebody may use it.

    :raises CatalogNotFoundError: if the address names a catalog that they may not open.
    :raises ExperimentNotFoundError: if there is no such experiment that they may know of.
    """
    books: Sequence[Book] = request.app.state.books
    named = request.query_params.get("catalog")
    if named is not None:
        gate: Gate = request.app.state.gate
        gate.open(named, identity)
        books = [book for book in books if named in book.catalogs]
    return find_book(books, experiment, identity).logbook.of(identity)


def choose_experiment(request: Request, identity: Reader, all: bool = False) -> Response:
    """Show the experiments; where only one is active, go to its logbook."""
    kept = keep_key(request)
    if kept is not None:
        return kept
    books: Sequence[Book] = request.app.state.books
    found: dict[str, list[Listed]] = {}
    for book in (one for one in books if one.is_for(identity)):
        active = book.access.experiments.active_names()
        for one in book.access.experiments.all():
            if book.access.may(identity, Action.READ, one.name):
                same = found.setdefault(one.name, [])
                # Only of several of one name must be said which is meant.
                meant = {"catalog": min(book.catalogs)} if same else {}
                same.append(Listed(one, one.name in active, link(f"/logbook/{one.name}", meant)))
    listed = [one for name in sorted(found) for one in found[name]]
    places = [one.place for one in listed if one.is_active]
    if len(places) == 1 and not all:
        return RedirectResponse(places[0], 303)
    return show("experiments.html", request, identity, listed=listed)


def timeline(
    request: Request,
    identity: Reader,
    experiment: str,
    q: Text = "",
    before: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Show entries, the newest first, those that are asked for."""
    kept = keep_key(request)
    if kept is not None:
        return kept
    logbook = find_logbook(request, identity, experiment)
    problem, older = "", None
    entries: Sequence[Entry] = ()
    try:
        if q.strip():
            page = logbook.search(experiment, q, before=before, limit=_PAGE)
        else:
            page = logbook.entries(experiment, before=before, limit=_PAGE)
        entries, older = page.entries, page.next
    except QueryError as error:
        problem = str(error)
    tags = logbook.tags(experiment)
    return page_of(
        "logbook.html",
        request,
        identity,
        logbook,
        experiment,
        entries=entry_views(logbook, entries, kept_of(request)),
        older=older,
        before=before,
        q=q,
        problem=problem,
        tags=sorted(tags.items(), key=lambda item: (-item[1], item[0]))[:40],
        status=400 if problem else 200,
    )


def entry_page(
    request: Request, identity: Reader, experiment: str, entry: int, version: int | None = None
) -> Response:
    """Show an entry in its thread, and all its versions."""
    kept = keep_key(request)
    if kept is not None:
        return kept
    logbook = find_logbook(request, identity, experiment)
    found = find_entry(logbook, experiment, entry)
    versions = logbook.versions(entry)
    older = next((one for one in versions if one.version == version), None)
    return page_of(
        "entry.html",
        request,
        identity,
        logbook,
        experiment,
        entry=found,
        thread=entry_views(logbook, logbook.thread(entry), kept_of(request)),
        versions=versions,
        older=older,
        older_html=None if older is None else entry_html(experiment, entry, older, kept_of(request)),
    )


def attachment(
    request: Request, identity: Reader, experiment: str, entry: int, file: int, small: bool = False
) -> Response:
    """Give the bytes of an attachment; as a download, unless they are a raster image."""
    logbook = find_logbook(request, identity, experiment)
    find_entry(logbook, experiment, entry)
    if small:
        picture = logbook.thumbnail(entry, file)
        if picture is None:
            raise EntryNotFoundError(f"Attachment {file} of entry {entry} has no small picture.")
        response = thumbnail_response(picture, caching=_CACHING)
    else:
        response = file_response(*logbook.open_attachment(entry, file), caching=_CACHING)
    add_headers(response)
    return response


def run_page(request: Request, identity: Reader, experiment: str, num: int) -> Response:
    """Lead to the page of a run, by its number in the experiment."""
    found = find_logbook(request, identity, experiment).run(experiment, num)
    return RedirectResponse(link(f"/runs/{quote(found.run.uid, safe='')}", kept_of(request)), 303)


# what these pages share


def find_entry(logbook: Logbook, experiment: str, entry: int) -> Entry:
    """Return an entry of an experiment.

    :raises EntryNotFoundError: if there is none.
    """
    found = logbook.entry(entry)
    if found.experiment != experiment:
        raise EntryNotFoundError(f"Experiment {experiment!r} has no entry {entry}.")
    return found


def page_of(
    template: str,
    request: Request,
    identity: Identity,
    logbook: Logbook,
    experiment: str,
    *,
    status: int = 200,
    **values: Any,
) -> Response:
    """Return a page about an experiment."""
    about: Experiment = logbook.access.experiments.find(experiment)
    kept = kept_of(request)

    def here(path: str, asked: Mapping[str, Any] | None = None) -> str:
        return link(path, {**kept, **(asked or {})})

    return show(
        template,
        request,
        identity,
        status=status,
        experiment=about,
        place=f"/logbook/{experiment}",
        is_active=experiment in logbook.access.experiments.active_names(),
        may={action.value: logbook.access.may(identity, action, experiment) for action in Action},
        kept=kept,
        here=here,
        **values,
    )


def entry_views(logbook: Logbook, entries: Sequence[Entry], kept: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return entries as templates show them.

    :param kept: what addresses keep; see :func:`kept_of`.
    """
    name = None if logbook.identity is None else logbook.identity.name
    found = []
    for entry in entries:
        html = entry_html(entry.experiment, entry.id, entry, kept)
        pictures = [file for file in entry.attachments if file.has_thumbnail]
        shown = [
            file for file in pictures if escape(_address(entry.experiment, entry.id, file, kept)) in html
        ]
        found.append(
            {
                "entry": entry,
                "html": html,
                # What the text shows itself need not stand below it once more.
                "pictures": [file for file in pictures if file not in shown],
                "files": [file for file in entry.attachments if not file.has_thumbnail],
                "is_own": entry.author == name,
                "place": f"/logbook/{entry.experiment}/entries/{entry.id}",
            }
        )
    return found


def entry_html(experiment: str, entry: int, content: Content, kept: Mapping[str, str]) -> str:
    """Return what an entry says, as HTML that is safe to show.

    :param kept: what addresses keep; see :func:`kept_of`.
    """

    def now(kind: str, settings: Mapping[str, str]) -> str:
        if kind == "table":
            sort = settings.get("sort", "")
            order = f"-{sort}" if sort and is_descending(settings) else sort
            asked = {"name": settings.get("table", ""), "sort": order}
            return link(f"/logbook/{experiment}/tables", {**kept, **asked})
        if "uid" in settings:
            return link(f"/runs/{quote(settings['uid'], safe='')}", kept)
        wanted = f"run:{settings['run']}" if "run" in settings else ""
        return link(f"/logbook/{experiment}", {**kept, "q": wanted})

    return render(content, attachment_url=lambda file: _address(experiment, entry, file, kept), now_url=now)


def _address(experiment: str, entry: int, file: Attachment, kept: Mapping[str, str]) -> str:
    return link(f"/logbook/{experiment}/entries/{entry}/files/{file.id}", kept)


def kept_of(request: Request) -> dict[str, str]:
    """Return what of an address is kept from page to page."""
    return {key: value for key, value in request.query_params.items() if key == "catalog"}
