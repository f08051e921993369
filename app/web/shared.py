"""Parts answered to a request: made once after each change, and given to all who see them alike.

What a part shows may depend on its scope and the language of the reader, and on nothing else: a
permission, or a team. Each scope has a copy of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from datetime import timedelta

from fastapi.responses import HTMLResponse

from app.database.topics import Topic
from app.web.access import finished
from app.words import pages
from app.work import PROGRAM, Work

# How long a part is kept: the page itself goes on counting the seconds that the part shows.
_KEPT = timedelta(seconds=1)
Make = Callable[[Work], Awaitable[str]]


async def shared(work: Work, topic: Topic, scope: Hashable, make: Make) -> HTMLResponse:
    """Return a part that only a change of `topic` changes, for the readers of a scope.

    `make` gets a unit of work of its own, without a person: it cannot depend on who asked first.
    """
    memory, key = work.ground.memory, ("shared", scope, pages.reader())
    making: asyncio.Task[str] | None = memory.recall(topic, key, work.now)
    if making is None or making.cancelled() or (making.done() and making.exception()):
        making = asyncio.create_task(_made(work, make))
        memory.keep(topic, key, making, work.now + _KEPT)
    # A reader who leaves does not take it away from the others.
    return HTMLResponse(await asyncio.shield(making))


async def _made(asked: Work, make: Make) -> str:
    ground = asked.ground
    work = Work(None, asked.now, PROGRAM, ground, opener=ground.database.reading_sessions)
    async with finished(work):
        return await make(work)
