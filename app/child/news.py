"""News of a conversation for its child: a stream, or a request that waits."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

from fastapi import Request

from app.chats import looking
from app.chats.looking import Phase, Seen
from app.chats.news import of_child
from app.child.waiting import Waiting
from app.database.bus import Bus, Subscription
from app.database.topics import Topic
from app.jobs.transaction import flush
from app.work import Work

# Seconds without news after which a stream says that it is alive.
_BEAT = 15.0
_NEWS = 'data: {"topics": ["chat"]}\n\n'
_BEATS = ": beat\n\n"


def waiting_of(request: Request) -> Waiting:
    found: Waiting = request.app.state.waiting
    return found


def _topics(call_id: UUID) -> set[str]:
    """Return what concerns a conversation. A change of the shift may open a closed one."""
    return {
        str(Topic.CHATS.of(of_child(call_id))),
        str(Topic.CALLS.of(call_id)),
        Topic.EVERYTHING.value,
    }


async def wait_for(request: Request, work: Work, call_id: UUID, after: int, wait: int) -> Seen:
    """Return the conversation when there is something after a number, or when the time is over."""
    bus: Bus = request.app.state.bus
    stopping: asyncio.Event = request.app.state.stopping
    with bus.listening(Subscription(), _topics(call_id)) as subscription:
        seen = await looking.look(work, call_id, after)
        if not wait or seen.words or seen.phase is Phase.ENDED:
            return seen
        # What was done so far is told now, and no connection is held while the request waits.
        await flush(work)
        await work.let_go()
        with waiting_of(request).one(call_id) as end:
            if not await _arrives(subscription, (stopping, end), wait):
                return seen
    work.now = work.ground.clock.now()
    return await looking.look(work, call_id, after)


async def _arrives(
    subscription: Subscription, ends: tuple[asyncio.Event, ...], seconds: float
) -> bool:
    """Wait for news. Return whether some came before the time was over or the request must end."""
    news = asyncio.create_task(subscription.take())
    stops = [asyncio.create_task(end.wait()) for end in ends]
    try:
        done, _ = await asyncio.wait(
            {news, *stops}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        return news in done
    finally:
        for task in (news, *stops):
            task.cancel()
        await asyncio.gather(news, *stops, return_exceptions=True)


async def stream(request: Request, call_id: UUID) -> AsyncIterator[str]:
    """Tell a page what changes, until it leaves or the server stops."""
    bus: Bus = request.app.state.bus
    stopping: asyncio.Event = request.app.state.stopping
    with (
        waiting_of(request).one(call_id) as end,
        bus.listening(Subscription(), _topics(call_id)) as subscription,
    ):
        yield f"retry: 2000\n{_NEWS}"
        while not (stopping.is_set() or end.is_set()):
            yield _NEWS if await _arrives(subscription, (stopping, end), _BEAT) else _BEATS
