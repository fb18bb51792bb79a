"""What is seen of requests from outside: a line of JSON for each, metrics, and a limit to what they carry.

These wrap the whole application, Tiled's part too. Queries of addresses are not written down: they may
hold keys.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hutch.config.limits import attachment_limit_bytes
from hutch.server.lcls import is_lcls
from hutch.server.lcls.bodies import most_of_files
from hutch.server.lcls.jobs import hide_secret

__all__ = ["BodyLimit", "Metrics", "Watch"]

MOST_BODY_BYTES = 10_000_000

_logger = logging.getLogger("hutch.server.requests")
_CARRIES_FILES = re.compile(r"/logbook/[^/]+/(new|entries/\d+/edit)$")
"""Paths of forms that files are attached with."""
_OWN = ("hutch", "healthz", "readyz", "metrics")


class Metrics:
    """Counts and times of requests, for Prometheus; those of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "hutch_requests", "Answers given.", ["method", "part", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "hutch_request_seconds",
            "Time from request to the answer's end.",
            ["part"],
            registry=self.registry,
        )
        self.sent = Counter("hutch_sent_bytes", "Bytes of answers' bodies.", ["part"], registry=self.registry)
        self.open = Gauge("hutch_open_requests", "Requests not answered yet.", registry=self.registry)


class Watch:
    """Writes a line, and counts, for each request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = {"status": 500, "bytes": 0}

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
            elif message["type"] == "http.response.body":
                seen["bytes"] += len(message.get("body", b""))
            await send(message)

        began = time.perf_counter()
        self._metrics.open.inc()
        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.open.dec()
            self._note(scope, time.perf_counter() - began, **seen)

    def _note(self, scope: Scope, seconds: float, status: int, bytes: int) -> None:
        part = _part(scope["path"])
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "PUT", "DELETE") else "other"
        self._metrics.requests.labels(method, part, str(status)).inc()
        self._metrics.seconds.labels(part).observe(seconds)
        self._metrics.sent.labels(part).inc(bytes)
        if _logger.isEnabledFor(logging.INFO):
            line: dict[str, Any] = {
                "time": time.time(),
                "method": scope["method"],
                "path": hide_secret(scope["path"]),
                "status": status,
                "bytes": bytes,
                "seconds": round(seconds, 6),
                "client": (scope.get("client") or [None])[0],
            }
            _logger.info(orjson.dumps(line).decode())


class BodyLimit:
    """Refuses requests that carry too much, or stop in the midst of it.

    :param most_bytes: of a body that carries no files.
    :param pause_s: for the next part of a body.
    """

    def __init__(self, app: ASGIApp, most_bytes: int = MOST_BODY_BYTES, pause_s: float = 30.0) -> None:
        self._app = app
        self._most = most_bytes
        self._pause_s = pause_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, as long as its body is not too large."""
        if scope["type"] != "http" or is_lcls(scope["path"].removeprefix(scope.get("root_path", ""))):
            # The service for LCLS's clients has limits of its own.
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        most = self._most
        if _CARRIES_FILES.search(scope["path"]):
            most += most_of_files(attachment_limit_bytes())
        too_much = f"The request carries more than {most:,} bytes, which is the most that is taken."
        if declared.isdigit() and int(declared) > most:
            await JSONResponse({"error": too_much}, 413)(scope, receive, send)
            return
        came, has_begun, is_whole = 0, False, False
        refusal: JSONResponse | None = None

        async def counting() -> Message:
            nonlocal came, is_whole, refusal
            if is_whole:  # what comes after the body is that the client has gone
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._pause_s)
            except TimeoutError:
                said = f"Nothing more of the request came for {self._pause_s:g} s."
                refusal = JSONResponse({"error": said}, 408, {"Connection": "close"})
                return {"type": "http.disconnect"}
            is_whole = not message.get("more_body", False)
            came += len(message.get("body", b""))
            if came > most:
                refusal = JSONResponse({"error": too_much}, 413)
            # Raising would do as well, if no middleware in between made something else of it.
            return message if refusal is None else {"type": "http.disconnect"}

        async def answering(message: Message) -> None:
            nonlocal has_begun
            if refusal is None or has_begun:
                has_begun = True
                await send(message)

        try:
            await self._app(scope, counting, answering)
        except ClientDisconnect:
            if refusal is None:
                raise
        if refusal is not None and not has_begun:
            await refusal(scope, receive, send)


def _part(path: str) -> str:
    """Return which part of the application a path belongs to, out of a few."""
    if path.startswith("/api/v1"):
        return "tiled"
    if is_lcls(path):
        return "lcls"
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    return first if first in _OWN else "pages"
