"""Metrics and health at a port of their own: a network then decides who reaches them at all."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web.bodies import Render

# What machines ask for; the second port answers nothing else.
PATHS = ("/healthz", "/readyz", "/metrics")


class OwnPort:
    """Answer what monitoring asks for at its port alone, and nothing else there.

    The port is that of the socket by which a request came, not one that the request names.
    """

    def __init__(self, app: ASGIApp, port: int, render: Render) -> None:
        self._app, self._port, self._render = app, port, render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            server = scope.get("server") or ("", None)
            if (server[1] == self._port) != (scope["path"] in PATHS):
                response = await self._render(Request(scope, receive), HTTPException(404))
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
