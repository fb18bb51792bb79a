"""HEAD is answered wherever GET is, as load balancers and ``curl -I`` expect."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hutch.server.lcls import is_lcls

__all__ = ["Heads"]


class Heads:
    """Answers HEAD as GET is answered, without the body.

    The service for LCLS's clients is left to do it itself: there, runs may be begun and ended with GET.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        if not is_head or is_lcls(scope["path"].removeprefix(scope.get("root_path", ""))):
            await self._app(scope, receive, send)
            return

        async def bare(message: Message) -> None:
            # With the head everything is said, also of what would never end.
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})

        await self._app({**scope, "method": "GET"}, receive, bare)
