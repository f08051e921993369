"""News of a conversation for its child: a stream, or a request that waits."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID

from fastapi import Request

from app.chats import as_child, news
from app.chats.as_child import Phase, Seen
from app.child.waiting import OpenStreams
from app.database.bus import Bus, Subscription
from app.database.topics import Topic
from app.jobs.transaction import flush
from app.work import Work

# Seconds without news after which a stream says that it is alive.
_BEAT = 15.0
_NEWS = 'data: {"topics": ["chat"]}\n\n'
_BEATS = ": beat\n\n"


def waiting_of(request: Request) -> OpenStreams:
    found: OpenStreams = request.app.state.waiting
    found.end_with(request.app.state.stopping)
    return found


def _topics(call_id: UUID) -> set[str]:
    """Return what concerns a conversation. A change of the shift may open a closed one."""
    return {
        str(Topic.CHATS.of(news.of_child(call_id))),
        str(Topic.CALLS.of(call_id)),
        Topic.EVERYTHING.value,
    }


async def wait_for(request: Request, work: Work, call_id: UUID, after: int, wait: int) -> Seen:
    """Return the conversation when there is something after a number, or when the time is over."""
    bus: Bus = request.app.state.bus
    with bus.listening(_Heard(), _topics(call_id)) as heard:
        seen = await as_child.conversation(work, call_id, after)
        if not wait or seen.words or seen.phase is Phase.ENDED:
            return seen
        # What was done so far is told now, and no connection is held while the request waits.
        await flush(work)
        await work.let_go()
        with waiting_of(request).one(call_id, heard.wake) as end:
            if end.is_set() or not await heard.within(wait):
                return seen
    work.now = work.ground.clock.now()
    return await as_child.conversation(work, call_id, after)


class _Heard(Subscription):
    """What a child's page is told of, and a way to wait for it without a task."""

    def __init__(self) -> None:
        super().__init__()
        self._waits: asyncio.Future[None] | None = None

    def put(self, topic: str) -> None:
        self._topics.add(topic)
        self.wake()

    def wake(self) -> None:
        if self._waits is not None and not self._waits.done():
            self._waits.set_result(None)

    async def within(self, seconds: float) -> set[str]:
        """Wait until something is heard, it is woken or the time is over. Return the topics."""
        if not self._topics:
            loop = asyncio.get_running_loop()
            self._waits = loop.create_future()
            timer = loop.call_later(seconds, self.wake)
            try:
                await self._waits
            finally:
                timer.cancel()
                self._waits = None
        return self.taken()


async def stream(request: Request, call_id: UUID) -> AsyncIterator[str]:
    """Tell a page what changes, until it leaves or the server stops.

    A page reads again, unless all that has changed is in the event (`marks`).
    """
    bus: Bus = request.app.state.bus
    own = str(Topic.CHATS.of(news.of_child(call_id)))
    with (
        bus.listening(_Heard(), _topics(call_id)) as heard,
        waiting_of(request).one(call_id, heard.wake) as end,
    ):
        yield f"retry: 2000\n{_NEWS}"
        while not end.is_set():
            topics = await heard.within(_BEAT)
            if not end.is_set():
                yield _event(news.of_topics(own, topics)) if topics else _BEATS


def _event(new: news.Marks) -> str:
    """Return what a page is told: that there is something to read, or how far the other side is."""
    return _NEWS if new is None else f"event: marks\ndata: {json.dumps(new)}\n\n"
