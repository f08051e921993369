"""The live stream of topic names. It carries nothing else."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from app.contacts.scopes import may_read_any
from app.database.bus import Bus
from app.database.topics import Topic
from app.errors import NotFound, TooMany
from app.routing.desk import calls_at_hand
from app.staff import accounts
from app.staff.models import Staff
from app.web.access import COOKIE, InWork, SignedIn, finished, opened

router = APIRouter(tags=["events"])

# Seconds without news after which the stream says that it lives. A page that hears nothing for five
# seconds tells its reader that nothing on it is current.
_BEAT = 2
# What may mean that a session has ended or an account was changed.
_MAY_END = {Topic.STAFF.value, Topic.EVERYTHING.value}
_BEATS = "event: beat\ndata: {}\n\n"
# Streams of one account in one process: many open pages, and no more.
_MOST_STREAMS = 24


# Seconds for which changes of other people's things are gathered: a call that comes and is offered
# at once is one change of the queue for a board. A reader's own change is told at once.
_GATHERED = 0.05


class _Listener:
    """What one reader is told: by whom, about which record, and which topics they asked for."""

    def __init__(self, staff: Staff, record: UUID | None, topics: str | None) -> None:
        self._staff = staff
        self._asked = None if topics is None else {*topics.split(","), Topic.EVERYTHING.value}
        # The topics of rows that concern this reader: the record, and the calls of their desk.
        self._records = set() if record is None else {str(Topic.RECORD.of(record))}
        self._calls: set[str] = set()

    def wants(self, topic: str) -> bool:
        """Return whether a topic of the bus may concern this reader."""
        name, _, row = topic.partition(":")
        if not row:
            return self._asked is None or name in self._asked or name in _MAY_END
        if topic in self._records:
            return True
        mine = row == str(self._staff.id) or topic in self._calls
        return mine and (self._asked is None or not self._asked.isdisjoint({name, f"{name}:me"}))

    def has_changed(self, topics: set[str]) -> bool:
        """Return whether the reader may hold another call than before."""
        follows = self._asked is not None and Topic.CALLS.own in self._asked
        mine = {str(Topic.OFFERS.of(self._staff.id)), Topic.EVERYTHING.value}
        return follows and not mine.isdisjoint(topics)

    def follow(self, calls: set[UUID]) -> None:
        """Tell this reader of changes of these calls as `calls:me`."""
        self._calls = {str(Topic.CALLS.of(one)) for one in calls}

    def is_own(self, topics: set[str]) -> bool:
        return any(":" in topic for topic in topics)

    def told(self, topics: set[str]) -> list[str]:
        """Return the names of the topics that this reader is told."""
        found = set()
        for topic in filter(self.wants, topics):
            name, _, row = topic.partition(":")
            found.add(name)
            if row and topic not in self._records:
                found.add(f"{name}:me")
        asked = found if self._asked is None else found & {*self._asked, Topic.RECORD.value}
        return sorted(name for name in asked if self._asked is not None or ":" not in name)


@contextlib.contextmanager
def _counted(open_streams: Counter[UUID], staff_id: UUID) -> Iterator[None]:
    open_streams[staff_id] += 1
    try:
        yield
    finally:
        open_streams[staff_id] -= 1
        if not open_streams[staff_id]:
            del open_streams[staff_id]


async def _still(request: Request, staff: Staff) -> bool:
    """Return whether the session of a stream is valid, and its person what they were at its start.

    A stream that ends is opened again by its page, and asked for everything anew.
    """
    now = await accounts.session_now(request.app.state.ground, request.cookies.get(COOKIE, ""))
    return now is not None and (now.role, now.team) == (staff.role, staff.team)


def _said(topics: list[str]) -> str:
    return f"data: {json.dumps({'topics': topics})}\n\n"


async def _at_hand(request: Request, staff: Staff) -> set[UUID]:
    work = opened(request)
    async with finished(work):
        return await calls_at_hand(work, staff)


@router.get("/events", response_class=StreamingResponse)
async def events(
    request: Request,
    work: InWork,
    staff: SignedIn,
    record: UUID | None = None,
    topics: Annotated[str | None, Query(max_length=500)] = None,
) -> StreamingResponse:
    """Stream server-sent events: `{"topics": [...]}` says what has changed and must be read again.

    The first event is `everything`, also after every reconnection. If `record` is the id of a
    contact or case that you may read, the topic `record` says that it has changed. `topics` is a
    list with commas: you are told of these alone. A name with `:me`, as in `calls:me`, is only
    about your own call, presence or records.
    Without news an event `beat` comes every two seconds.
    """
    if record is not None and not await may_read_any(work, staff, record):
        raise NotFound("Not found, or you do not have access.")
    open_streams: Counter[UUID] = request.app.state.open_streams
    if open_streams[staff.id] >= _MOST_STREAMS:
        raise TooMany("Your account has too many pages open. Close some of them.")
    listener = _Listener(staff, record, topics)
    bus: Bus = request.app.state.bus
    stopping: asyncio.Event = request.app.state.stopping

    async def stream() -> AsyncIterator[str]:
        listening = bus.subscribed(listener.wants)
        with _counted(open_streams, staff.id), listening as subscription:
            if listener.has_changed({Topic.EVERYTHING.value}):
                listener.follow(await _at_hand(request, staff))
            yield f"retry: 1000\n{_said([Topic.EVERYTHING.value])}"
            stop = asyncio.ensure_future(stopping.wait())
            taking: asyncio.Future[set[str]] | None = None
            try:
                while not stop.done() and not await request.is_disconnected():
                    taking = asyncio.ensure_future(subscription.take())
                    await asyncio.wait(
                        {taking, stop}, timeout=_BEAT, return_when=asyncio.FIRST_COMPLETED
                    )
                    if not taking.done():
                        taking.cancel()
                        yield _BEATS
                        continue
                    changed = taking.result()
                    if not listener.is_own(changed):
                        await asyncio.sleep(_GATHERED)
                        changed |= subscription.taken()
                    if changed & _MAY_END and not await _still(request, staff):
                        break
                    if listener.has_changed(changed):
                        listener.follow(await _at_hand(request, staff))
                    told = listener.told(changed)
                    yield _said(told) if told else _BEATS
            finally:
                stop.cancel()
                if taking is not None:
                    # The client disconnected while we waited.
                    taking.cancel()

    return StreamingResponse(
        stream(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
