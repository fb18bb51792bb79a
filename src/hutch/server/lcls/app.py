"""The application below the prefixes of LCLS's logbook: it finds out who asks and what for, and answers.

Whatever happens, the answer is JSON of the one form; so it is an application of its own, beside hutch's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as HttpRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from hutch.access import Action
from hutch.config.limits import attachment_limit_bytes
from hutch.errors import AccessDeniedError, ExperimentNotFoundError, HutchError, QueryError
from hutch.logbook import Job, Logbook
from hutch.server.access import Gate
from hutch.server.books import Book, find_book
from hutch.server.lcls import entries, runs, tables, workflows
from hutch.server.lcls.admission import JOBS, PREFIXES, Asker, admit, check_origin, identify
from hutch.server.lcls.bodies import Carried, Limits, carried
from hutch.server.lcls.calls import Body, Call, Route
from hutch.server.lcls.jobs import UPDATE, get_counters, set_counters
from hutch.server.lcls.replies import failure, refusal, reply
from hutch.server.negotiate import Acceptor

__all__ = ["PREFIXES", "build_lcls", "is_lcls"]

Endpoint = Callable[[Request], Awaitable[Response]]

_INSTRUMENT = "_Instrument"
_PREFIX, _ASKED = "lcls.prefix", "lcls.asked"
_SHOWN = 200
"""Characters of a path that are told."""


def is_lcls(path: str) -> bool:
    """Tell whether a path is below one of the prefixes."""
    return path.split("/", 2)[1:2] != [] and path.split("/", 2)[1] in PREFIXES


def build_lcls(
    books: Sequence[Book],
    gate: Gate,
    *,
    acceptor: Acceptor | None = None,
    has_get_control: bool = False,
    limits: Limits | None = None,
) -> ASGIApp:
    """Return the application.

    :param books: that are served.
    :param acceptor: checks tickets of Kerberos; without it none is taken.
    :param has_get_control: True lets runs be begun and ended with GET, as old DAQs do.
    """
    desk = _Desk(books, gate, acceptor, has_get_control, limits or Limits(attachment_limit_bytes))
    inner = Starlette(
        routes=desk.routes(),
        exception_handlers={
            HutchError: _refused,
            HTTPException: _refused,
            Exception: _refused,
            404: _not_found,
            405: _not_allowed,
        },
    )
    inner.router.redirect_slashes = False
    return _Below(inner)


async def _refused(request: Request, error: Exception) -> Response:
    return refusal(error)


async def _not_found(request: Request, error: Exception) -> Response:
    told = request.scope[_ASKED][:_SHOWN]
    return failure(404, f"This service has no call {told!r}. Look at the experiment, and at the call's name.")


async def _not_allowed(request: Request, error: Exception) -> Response:
    headers = dict(getattr(error, "headers", None) or {})
    methods = " or ".join(sorted(set(headers["Allow"].split(", ")) - {"HEAD"}))
    return failure(405, f"This call is made with {methods}, not with {request.method}.", headers)


class _Below:
    """Takes the prefix off a path, and what some clients write twice."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        _, prefix, *rest = path.split("/")
        inner = "/".join(["", *(part for part in rest if part)])
        if prefix == JOBS:
            inner = f"/{JOBS}{inner}"
        else:
            # "/lgbk" stands there twice, once for the service and once for the call.
            inner = (
                inner.removeprefix("/lgbk") if inner.startswith(("/lgbk/lgbk/", "/lgbk/run_control/")) else ""
            )
        found = {"path": inner or "/", "root_path": "", _PREFIX: prefix, _ASKED: path}
        await self._app({**scope, **found}, receive, send)


class _Desk:
    """Answers requests: each is known by its sender, then allowed, then read, then done."""

    def __init__(
        self,
        books: Sequence[Book],
        gate: Gate,
        acceptor: Acceptor | None,
        has_get_control: bool,
        limits: Limits,
    ) -> None:
        self._gate = gate
        self._books = books
        self._acceptor = acceptor
        self._has_get_control = has_get_control
        self._limits = limits

    def routes(self) -> list[HttpRoute]:
        """Return all paths, without their prefix."""
        found = [
            HttpRoute("/lgbk/ws/activeexperiment_for_instrument_station", self._active),
            HttpRoute(f"/{JOBS}/{{experiment}}/get_counters", self._get_counters, methods=["POST"]),
            HttpRoute(f"/{JOBS}/{UPDATE}/{{experiment}}/{{secret}}", self._set_counters, methods=["POST"]),
        ]
        for route in (*runs.ROUTES, *entries.ROUTES, *tables.ROUTES, *workflows.ROUTES):
            methods = [route.method]
            if route.is_control and self._has_get_control:
                methods.append("GET")
            if route.deletes:
                methods.append("DELETE")
            found.append(HttpRoute(route.path, self._endpoint(route, methods), methods=methods))
        return found

    def _endpoint(self, route: Route, methods: Sequence[str]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            asker = await run_in_threadpool(self._known, request)
            if route.method != "GET":
                check_origin(request)
                if request.method == "HEAD":
                    raise HTTPException(405, headers={"Allow": ", ".join(methods)})
            experiment = request.path_params["experiment"]
            if route.path.endswith("/ws/info"):
                told = await run_in_threadpool(self._instrument, asker, experiment)
                if told is not None:
                    return _proven(asker, reply(told))
            logbook, job = await run_in_threadpool(self._open, asker, experiment, route)
            body = route.body if request.method != "GET" else Body.NONE
            async with carried(request, body, self._limits) as found:
                call = _call(request, experiment, logbook, job, found)
                answer = await run_in_threadpool(route.answer, call)
            return _proven(asker, answer if isinstance(answer, Response) else reply(answer))

        return endpoint

    def _known(self, request: Request) -> Asker:
        prefix = request.scope[_PREFIX]
        asker = identify(request, prefix, self._gate, self._books, self._acceptor)
        admit(asker, prefix)
        return asker

    def _open(self, asker: Asker, experiment: str, route: Route) -> tuple[Logbook, Job | None]:
        """Return the logbook for who asks, and the job that asks, if they may do what they want.

        :raises AccessDeniedError: if they may not; so do the other errors of ``Logbook.check``.
        """
        if asker.identity is not None:
            logbook = find_book(self._books, experiment, asker.identity).logbook.of(asker.identity)
            logbook.check(route.action, experiment)
            return logbook, None
        if asker.job is None:
            raise AccessDeniedError("Nobody in particular may do this.")
        book, job = asker.job
        if job.experiment != experiment:
            raise ExperimentNotFoundError(
                f"There is no experiment {experiment!r} that job {job.id} may read."
            )
        if not route.by_job:
            raise AccessDeniedError(
                f"Job {job.id} may not do this: it reads, writes entries, and posts values."
            )
        book.logbook.check(route.action, experiment)
        return book.logbook, job

    # what is of no experiment

    async def _active(self, request: Request) -> Response:
        """Tell the experiment that is active at a station; below ``/ws`` everybody may ask."""
        prefix = request.scope[_PREFIX]
        asker = await run_in_threadpool(identify, request, prefix, self._gate, self._books, self._acceptor)
        return _proven(asker, reply(await run_in_threadpool(self._find_active, request)))

    def _find_active(self, request: Request) -> dict[str, Any]:
        instrument = request.query_params.get("instrument_name", "")
        station = request.query_params.get("station") or "0"
        if not instrument:
            raise QueryError("The parameter 'instrument_name' is missing.")
        if not (station.isascii() and station.isdigit() and len(station) < 10):
            raise QueryError(f"station={station[:40]!r}: a whole number was expected.")
        for book in self._books:
            found = book.access.experiments.active(instrument, int(station))
            if found is not None:
                return {
                    "_id": found.name,
                    "name": found.name,
                    "instrument": found.instrument,
                    "station": found.station,
                }
        return {"name": ""}

    def _instrument(self, asker: Asker, name: str) -> dict[str, Any] | None:
        """Return what is told of the logbook of an instrument, ``XPP_Instrument``.

        None if it is an experiment like others, or if they may read no experiment of the instrument.
        """
        spelled = name.replace(" ", "_")
        identity = asker.identity
        if not spelled.endswith(_INSTRUMENT) or identity is None:
            return None
        instrument = spelled.removesuffix(_INSTRUMENT).upper()
        whole = f"{instrument}{_INSTRUMENT}"
        for book in (book for book in self._books if book.is_for(identity)):
            if book.find(spelled) is not None:
                return None
            names = [one.name for one in book.access.experiments.all() if one.instrument == instrument]
            if any(book.access.may(identity, Action.READ, one) for one in names):
                return {"_id": whole, "name": whole, "instrument": instrument}
        return None

    # counters of jobs

    async def _get_counters(self, request: Request) -> Response:
        asker = await run_in_threadpool(self._known, request)
        async with carried(request, Body.JSON, self._limits) as found:
            experiment = request.path_params["experiment"]
            return reply(await run_in_threadpool(get_counters, self._books, asker, experiment, found.json))

    async def _set_counters(self, request: Request) -> Response:
        check_origin(request)
        async with carried(request, Body.JSON, self._limits) as found:
            experiment, secret = request.path_params["experiment"], request.path_params["secret"]
            return reply(await run_in_threadpool(set_counters, self._books, experiment, secret, found.json))


def _call(request: Request, experiment: str, logbook: Logbook, job: Job | None, found: Carried) -> Call:
    asked = request.query_params
    fields = {**found.fields, **{name: asked.getlist(name) for name in asked}}
    key = request.headers.get("idempotency-key") or None
    return Call(logbook, experiment, request.path_params, fields, found.json, found.files, job, key)


def _proven(asker: Asker, response: Response) -> Response:
    """Return an answer in which the server proves who it is, if it was asked to."""
    response.headers.update(asker.headers)
    return response
