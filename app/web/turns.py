"""Reads take turns, so that a webhook of a call never waits behind a crowd of pages.

After the database was away, hundreds of pages ask for everything at once. Only some of these
requests are worked on at the same time; the others wait for their turn. So webhooks, and what
people do, find the event loop and connections to the database free.
"""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Reads that are worked on at the same time: well below the connections of the pool.
AT_ONCE = 8
# A turn ends after these seconds, or when the response begins: a long report must not keep the
# pages of a shift waiting.
TURN_SECONDS = 2.0
_READS = frozenset({"GET", "HEAD"})


class Turns:
    """Lets some reads in at a time. `at_any_time`: paths that never wait."""

    def __init__(
        self,
        app: ASGIApp,
        at_any_time: tuple[str, ...],
        at_once: int = AT_ONCE,
        seconds: float = TURN_SECONDS,
    ) -> None:
        self._app, self._at_any_time, self._seconds = app, at_any_time, seconds
        self._turns = asyncio.Semaphore(at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        waits = scope["type"] == "http" and scope["method"] in _READS
        if not waits or scope["path"].startswith(self._at_any_time):
            await self._app(scope, receive, send)
            return
        await self._turns.acquire()
        end = _once(self._turns.release)
        limit = asyncio.get_running_loop().call_later(self._seconds, end)

        async def begin(message: Message) -> None:
            end()
            await send(message)

        try:
            await self._app(scope, receive, begin)
        finally:
            limit.cancel()
            end()


def _once(act: Callable[[], None]) -> Callable[[], None]:
    done = False

    def once() -> None:
        nonlocal done
        if not done:
            done = True
            act()

    return once
