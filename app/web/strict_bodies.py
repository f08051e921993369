"""Bodies of JSON that readers could understand differently are refused before anything is done."""

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import strict_json


class StrictBodies:
    """Reads a body of JSON, refuses an ambiguous one, and hands the same bytes on.

    `apart`: the beginning of paths that are left out. A body that is no JSON at all is refused
    where it is read.
    """

    def __init__(
        self,
        app: ASGIApp,
        render: Callable[[Request, Exception], Awaitable[Response]],
        apart: str,
    ) -> None:
        self._app, self._render, self._apart = app, render, apart

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._apart) or not _is_json(scope):
            await self._app(scope, receive, send)
            return
        came: list[Message] = []
        body = bytearray()
        while True:
            message = await receive()
            came.append(message)
            body += message.get("body", b"")
            if message["type"] != "http.request" or not message.get("more_body"):
                break
        if came[-1]["type"] == "http.request" and _is_ambiguous(bytes(body)):
            response = await self._render(Request(scope, receive), HTTPException(400))
            await response(scope, receive, send)
            return

        async def again() -> Message:
            return came.pop(0) if came else await receive()

        await self._app(scope, again, send)


def _is_json(scope: Scope) -> bool:
    return any(
        name == b"content-type" and b"json" in value.lower() for name, value in scope["headers"]
    )


def _is_ambiguous(body: bytes) -> bool:
    try:
        strict_json.read(body)
    except strict_json.Ambiguous:
        return True
    except (ValueError, RecursionError):
        return False
    return False
