"""The live stream of one reader: the names of what has changed, and the parts that all see alike.

Nothing here asks the database for one reader alone: what hundreds of streams want to know at the
same moment is one statement.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from fastapi import Request
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import SQLAlchemyError

from app.chats import news
from app.contacts.scopes import may_read_any
from app.database.bus import Bus, Subscription
from app.database.topics import Topic
from app.errors import NotFound, TooMany
from app.log import fault, log
from app.routing.at_work import at_work
from app.routing.in_hand import calls_at_hand
from app.staff import session_tokens
from app.staff.models import Staff
from app.web.access import finished, token_of
from app.web.outlet import OUTLET, Outlet
from app.web.parts import Copy, Part, Parts
from app.web.together import Together
from app.work import PROGRAM, Ground, Work

# Seconds without news after which the stream says that it is alive. A page that hears nothing for
# five seconds tells its reader that nothing on it is current.
BEAT_AFTER = 2.0
_BEATS = b"event: beat\ndata: {}\n\n"
# What may mean that a session has ended or an account was changed.
_MAY_END = {Topic.STAFF.value, Topic.EVERYTHING.value}
_ACCOUNT = tuple(Staff.__table__.columns.keys())
# The most streams of one account in one process: enough for many open pages.
_MOST_STREAMS = 24
# Seconds for which changes of other people's things are gathered. A reader's own change is told at
# once.
_GATHERED = 0.05
# The shortest time between two tellings of these own things, in seconds: what one act changes comes
# in several transactions. A ring and what a child writes never wait.
OWN_GATHERED = 0.25
# Not 0 seconds: uvloop makes no timer for that.
_AT_ONCE = 0.001
_OWN = {Topic.PRESENCE.value, Topic.CALLS.value, Topic.RECORDS.value}


@dataclass(frozen=True)
class StreamWanted:
    """What a page asks its stream for. `topics`: these alone, or all if it is None."""

    record: UUID | None = None
    topics: frozenset[str] | None = None
    # Topics that may wait: they are sent with the next message.
    later: frozenset[str] = frozenset()
    parts: tuple[str, ...] = ()
    # Conversations that the reader reads along.
    along: frozenset[UUID] = frozenset()


def names_in(text: str | None) -> frozenset[str]:
    """Return the names in a list with commas."""
    return frozenset(name for name in (text or "").split(",") if name)


class Streams:
    """The open streams of a process."""

    def __init__(self, ground: Ground, bus: Bus, stopping: asyncio.Event) -> None:
        self.ground, self.bus, self.stopping = ground, bus, stopping
        self.parts = Parts(ground, bus)
        # Open streams by account.
        self.of: Counter[UUID] = Counter()
        self.sessions = Together(self._sessions)
        self.at_hand = Together(self._at_hand)
        self._open: set[Reader] = set()
        self._watching: asyncio.Task[None] | None = None

    async def _sessions(self, tokens: set[str]) -> Mapping[str, tuple[Staff, datetime]]:
        return await session_tokens.sessions_now(self.ground, tokens, at_work)

    async def _at_hand(self, people: set[UUID]) -> Mapping[UUID, set[UUID]]:
        sessions = self.ground.database.reading_sessions
        work = Work(None, self.ground.clock.now(), PROGRAM, self.ground, opener=sessions)
        async with finished(work):
            return await calls_at_hand(work, people)

    @contextlib.contextmanager
    def opened(self, reader: "Reader") -> Iterator[None]:
        """Count a stream and bring it its topics and parts until it ends."""
        self._watching = self._watching or asyncio.create_task(self._watch())
        who = reader.staff.id
        self.of[who] += 1
        self._open.add(reader)
        copies = reader.copies = self.parts.open(reader.staff, reader.parts, reader)
        try:
            with self.bus.listening(reader, reader.listens):
                yield
        finally:
            self.bus.drop(reader, reader.calls)
            self.parts.close(copies, reader)
            self._open.discard(reader)
            self.of[who] -= 1
            if not self.of[who]:
                del self.of[who]

    async def _watch(self) -> None:
        """Say to every page that it is connected, and end the streams when the server stops."""
        while not self.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), BEAT_AFTER / 2)
            for reader in list(self._open):
                self.beat(reader)
        for reader in self._open:
            reader.wake()

    def beat(self, reader: "Reader") -> None:
        """Let one page hear that it is connected. One that fails does not keep it from the rest."""
        try:
            reader.beat()
        except Exception as error:
            log().error(
                "a live stream was not told that it is alive",
                area="web",
                **fault(error),
            )


@dataclass(eq=False)
class Reader(Subscription):
    """One open stream: what its person asked for, and what is to be sent."""

    staff: Staff
    wanted: StreamWanted
    now: Callable[[], datetime]
    # Writes to the page at once; None where the server has no such way.
    outlet: Outlet | None = None
    parts: list[Part] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    # Topics of the calls that their desk shows.
    calls: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self._said: dict[str, bytes] = {}
        self._waits: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._own_told_at = float("-inf")
        self._has_news = False
        # Until when the session is known to be valid; None while that is asked.
        self.valid_until: datetime | None = None
        # The response is sending something: what came later must not overtake it.
        self.is_sending = False
        # When something was last sent, by the clock of the event loop.
        self._sent_at = float("-inf")
        asked, me = self.wanted.topics, self.staff.id
        names = [t for t in Topic if asked is None or t in asked]
        own: set[str] = {t for part in self.parts for t in part.topics | part.soon if ":" in t}
        own |= asked or set()
        mine = [t for t in Topic if asked is None or t in own or t.own in own]
        self.follows = Topic.CALLS.own in own
        self._record = Topic.RECORD.of(self.wanted.record) if self.wanted.record else None
        self.listens = {*map(str, names), *(t.of(me) for t in mine), *_MAY_END}
        if self._record is not None:
            self.listens.add(self._record)
        self._along = {str(Topic.CHATS.of(one)) for one in self.wanted.along}
        self.listens |= self._along

    # -- what arrives ----------------------------------------------------------------------

    def put(self, topic: str) -> None:
        self._topics.add(topic)
        name, _, row = topic.partition(":")
        if row:
            self.own_changed(f"{name}:me")
        if topic in _MAY_END or (row and name not in _OWN):
            self.wake()
        elif row:
            passed = asyncio.get_running_loop().time() - self._own_told_at
            self._wake_within(max(_AT_ONCE, OWN_GATHERED - passed))
        elif topic not in self.wanted.later:
            self._wake_within(_GATHERED)

    def own_changed(self, topic: str) -> None:
        """Make the parts again that show what is the reader's own."""
        for copy in self.copies:
            if copy.shows(topic):
                copy.has_changed(topic)

    def hand(self, address: str, said: bytes) -> None:
        """Send a part. Of several that wait for a slow reader, only the newest is sent."""
        if self._may_be_sent() and self.outlet is not None and self.outlet.write(said):
            self._said.pop(address, None)
            self.was_sent()
            return
        self._said[address] = said
        self.wake()

    def _may_be_sent(self) -> bool:
        """Return whether the session is valid, and nothing has come that may have ended it."""
        until = None if self.is_sending else self.valid_until
        return until is not None and until > self.now() and self._topics.isdisjoint(_MAY_END)

    def wake(self) -> None:
        self._has_news = True
        if self._waits is not None and not self._waits.done():
            self._waits.set_result(None)

    def _wake_within(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due, self._timer = due, loop.call_later(seconds, self.wake)

    async def news(self) -> None:
        """Wait until there is something to send, or the page has to hear that it is connected."""
        if not self._has_news:
            self._waits = asyncio.get_running_loop().create_future()
            try:
                await self._waits
            finally:
                self._waits = None
        self._has_news = False

    def beat(self) -> None:
        """Say that the stream is alive, if nothing was said for a while: at once if that can be."""
        if not self.needs_beat():
            return
        if self._may_be_sent() and self.outlet is not None and self.outlet.write(_BEATS):
            self.was_sent()
        else:
            self.wake()

    def was_sent(self) -> None:
        """Note that something is on its way to the page."""
        self._sent_at = asyncio.get_running_loop().time()

    def needs_beat(self) -> bool:
        """Return whether nothing was sent for so long that the page may take it for lost."""
        loop = asyncio.get_running_loop()
        return loop.time() - self._sent_at > BEAT_AFTER / 2

    def taken(self) -> set[str]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        topics, self._topics = self._topics, set()
        if any(topic.partition(":")[2] for topic in topics):
            self._own_told_at = asyncio.get_running_loop().time()
        return topics

    def said(self) -> bytes:
        """Take the parts that are to be sent."""
        said, self._said = self._said, {}
        return b"".join(said.values())

    # -- what it means ---------------------------------------------------------------------

    def may_hold_another(self, topics: set[str]) -> bool:
        """Return whether the reader may hold another call than before."""
        mine = {str(Topic.OFFERS.of(self.staff.id)), Topic.EVERYTHING.value}
        return self.follows and not mine.isdisjoint(topics)

    def told(self, topics: set[str]) -> tuple[str, ...]:
        """Return the names of the topics that this reader is told."""
        asked, found = self.wanted.topics, set()
        along = topics & self._along
        for topic in topics - along:
            name, _, row = topic.partition(":")
            found.add(name)
            if row and topic != self._record:
                found.add(f"{name}:me")
        if asked is None:
            return tuple(sorted(along | {name for name in found if ":" not in name}))
        told = found & {*asked, Topic.RECORD.value, Topic.EVERYTHING.value}
        return tuple(sorted(along | told))

    def message(self, topics: set[str]) -> bytes:
        """Return what the page is sent of these topics; empty if there is nothing."""
        told = self.told(topics)
        if not told:
            return b""
        chats = None
        if Topic.CHATS.own in told and Topic.EVERYTHING not in told:
            chats = news.in_topics(Topic.CHATS.of(self.staff.id), topics)
        return _event_of(told) if chats is None else _event_with_chats(told, chats)


@lru_cache(maxsize=256)
def _event_of(topics: tuple[str, ...]) -> bytes:
    return f"data: {json.dumps({'topics': topics})}\n\n".encode()


def _event_with_chats(topics: tuple[str, ...], chats: dict[str, news.Marks]) -> bytes:
    """Say, too, in which conversations of the reader there is something new."""
    return f"data: {json.dumps({'topics': topics, 'chats': chats})}\n\n".encode()


async def stream_of(
    request: Request, work: Work, staff: Staff, wanted: StreamWanted
) -> StreamingResponse:
    """Open a stream for a reader. Raises NotFound, TooMany."""
    if wanted.record is not None and not await may_read_any(work, staff, wanted.record):
        raise NotFound("Not found, or you do not have access.")
    streams: Streams = request.app.state.streams
    if streams.of[staff.id] >= _MOST_STREAMS:
        raise TooMany("Your account has too many pages open. Close some of them.")
    outlet = request.scope.get("extensions", {}).get(OUTLET)
    parts = streams.parts.readable(staff, wanted.parts)
    reader = Reader(staff, wanted, streams.ground.clock.now, outlet, parts)
    return StreamingResponse(
        _events(streams, reader, token_of(request)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(streams: Streams, reader: Reader, token: str) -> AsyncIterator[bytes]:
    try:
        async with contextlib.aclosing(_told(streams, reader, token)) as told:
            async for said in told:
                yield said
    except (SQLAlchemyError, OSError) as error:
        # The page opens it again, and asks for everything anew.
        kind = type(error).__name__
        log().warning("a live stream ended", area="web", exception_type=kind)


async def _told(streams: Streams, reader: Reader, token: str) -> AsyncGenerator[bytes, None]:
    clock, stopping = streams.ground.clock, streams.stopping
    with streams.opened(reader):
        until = await _valid_until(streams, reader, token)
        await _follow_calls(streams, reader)
        yield b"retry: 1000\n" + _event_of((Topic.EVERYTHING.value,))
        reader.valid_until = until
        while until is not None and not stopping.is_set():
            await reader.news()
            topics = reader.taken()
            # A session that has ended is sent nothing: neither a topic nor a part.
            if topics & _MAY_END or (until is not None and until <= clock.now()):
                reader.valid_until = None
                reader.valid_until = until = await _valid_until(streams, reader, token)
            if until is None or until <= clock.now():
                break
            if reader.may_hold_another(topics):
                await _follow_calls(streams, reader)
            said = reader.message(topics) + reader.said()
            if said or reader.needs_beat():
                reader.is_sending = True
                yield said or _BEATS
                reader.is_sending = False
                reader.was_sent()


async def _valid_until(streams: Streams, reader: Reader, token: str) -> datetime | None:
    """Return when the session of a stream ends; None if it has ended, or if its account has
    changed since the stream began.

    A stream that ends is opened again by its page, and asked for everything anew.
    """
    found = await streams.sessions.of(token)
    if found is None:
        return None
    now, until = found
    same = all(getattr(now, name) == getattr(reader.staff, name) for name in _ACCOUNT)
    return until if same else None


async def _follow_calls(streams: Streams, reader: Reader) -> None:
    """Tell the reader of changes of the calls that their desk shows, as `calls:me`."""
    if not reader.follows:
        return
    found = await streams.at_hand.of(reader.staff.id) or set()
    calls = {str(Topic.CALLS.of(one)) for one in found}
    streams.bus.drop(reader, reader.calls - calls)
    streams.bus.add(reader, calls)
    if not calls <= reader.calls:
        # It may have changed since it was shown, and before we listened.
        reader.own_changed(Topic.CALLS.own)
    reader.calls = calls
