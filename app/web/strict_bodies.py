"""Bodies of JSON that readers could understand differently are refused before anything is done.

This is for programs, so for the routes of the API. Pages send what our own scripts have written.
A body is read only of a sender who is signed in, if the route is for people who are.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app import strict_json
from app.web.access import Guard

_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# Bytes: to read more takes milliseconds, in which nothing else would go on.
_LONG = 16 * 1024
# How many long bodies are read at once.
_AT_ONCE = 2


class StrictRoute(APIRoute):
    """Reads JSON once the route is known, within the route's own limit of size.

    All code that asks the request for its JSON gets what was read so: `app.strict_json`.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if not _WITH_BODY & (self.methods or set()):
            return handle
        guard = guard_of(self.dependant)

        async def handler(request: Request) -> Response:
            if guard is not None:
                await guard.refuse_strangers(request)
            request.json = partial(read_json, request)  # type: ignore[method-assign]
            return await handle(request)

        return handler


def guard_of(dependant: Dependant) -> Guard | None:
    """Return the guard of a route; one without is public."""
    for one in dependant.dependencies:
        if isinstance(one.call, Guard):
            return one.call
        if (found := guard_of(one)) is not None:
            return found
    return None


async def read_json(request: Request) -> Any:
    """Return the body, read once. Raises ValueError and RecursionError."""
    if not hasattr(request, "_json"):
        request._json = await _value(request, await request.body())
    return request._json


async def _value(request: Request, body: bytes) -> Any:
    if len(body) <= _LONG:
        return strict_json.read(body)
    kept = request.app.state.ground.kept
    turns: asyncio.Semaphore = kept.setdefault("long bodies", asyncio.Semaphore(_AT_ONCE))
    async with turns:
        return await asyncio.to_thread(strict_json.read, body)
