"""How long a body may be, counted as it arrives: before it is read, and before anything is known
about who sends it. A route that takes a file says its own limit (`max_body_size`).
"""

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# In bytes, also of several parts together.
LONGEST_BODY = 1024 * 1024
# The same on a route that has to read a body to know who sends it, such as the sign-in.
LONGEST_OF_STRANGERS = 32 * 1024

Render = Callable[[Request, Exception], Awaitable[Response]]


class Bodies:
    """The library's limit, refused in our own words: as a page for people, as JSON for programs."""

    def __init__(self, app: ASGIApp, render: Render, longest: int = LONGEST_BODY) -> None:
        self._app = RequestBodyLimitMiddleware(app, longest)
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = False

        async def in_our_words(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and _is_the_librarys(message):
                refused = True
                response = await self._render(Request(scope, receive), HTTPException(413))
                await response(scope, receive, send)
            if not refused:
                await send(message)

        await self._app(scope, receive, in_our_words)


def _is_the_librarys(start: Message) -> bool:
    kinds = [value for name, value in start["headers"] if name.lower() == b"content-type"]
    return start["status"] == 413 and kinds == [b"text/plain; charset=utf-8"]
