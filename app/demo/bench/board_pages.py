"""The open pages of `helpline bench board`, in a process of their own.

Each holds a live stream, which brings it the parts that many see alike, and asks for the other
parts that its own page names, as the scripts of the pages do (`static/source/live.js`). What a page
shows is read once for all of them: hundreds are sent the same bytes.
"""

import asyncio
import contextlib
import functools
import json
import random
import re
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from typing import Any, NamedTuple

from app.database.topics import Topic
from app.demo.bench.load import Connection

# A counsellor accepts after this time. Seconds.
ACCEPTS_AFTER = 1.0
# How many pages are opened at once: as many people as sign in within a second or two. An address
# that opens hundreds of connections at once is refused.
OPENING = 8
_PART = re.compile(
    r'hx-get="([^"]+)"[^>]*?data-topics="([^"]+)"'
    r'(?:\s+data-soon="([^"]+)")?(?:\s+data-later="([^"]+)")?'
)
_TOLD = re.compile(r'data-told="([^"]+)"')
_PUSHED = re.compile(r'hx-get="([^"]+)"[^>]*?data-pushed')
_WAITS = re.compile(r'id="waiting-([0-9a-f-]{36})"')
_OFFER = re.compile(r'data-ringing="([0-9a-f-]{36})"')
# What `data-soon` and `data-later` mean on a page, in seconds.
# Not 0 seconds: uvloop makes no timer for that.
_AT_ONCE = 0.001
_SOON, _LATER = 1.0, 60.0
# A part is one line of a stream, in bytes: the people of a team of three hundred.
_LONGEST_LINE = 2**22
# How often a page says that it is open, in seconds (`heartbeat.js`).
_SAYS_SO = 20.0


@dataclass(frozen=True)
class StreamLine:
    """What a line of a stream says: topics, or a part with the calls that wait and ring in it."""

    topics: frozenset[str] = frozenset()
    is_part: bool = False
    waiting: frozenset[str] = frozenset()
    ringing: str | None = None


@functools.lru_cache(maxsize=256)
def _read_event(line: bytes) -> StreamLine:
    """Read a line once: hundreds of boards are told the same."""
    said: dict[str, Any] = json.loads(line[6:])
    if "topics" in said:
        return StreamLine(frozenset(said["topics"]))
    return _read_part(said["address"], said["html"])


def _read_part(address: str, html: str) -> StreamLine:
    rings = _OFFER.search(html) if address == "/board/frame" else None
    waits = _WAITS.findall(html) if address == "/board/queue" else ()
    return StreamLine(is_part=True, waiting=frozenset(waits), ringing=rings[1] if rings else None)


class Opened(NamedTuple):
    """An open page: its address, and the cookies of its reader."""

    address: str
    cookies: str


@dataclass
class Seen:
    """When boards first showed what had changed, on this process's clock."""

    # For each call: when each board first showed it among those who wait.
    waiting: dict[str, list[float]] = field(default_factory=dict)
    # For each offer: when its counsellor's board rang.
    rang: dict[str, float] = field(default_factory=dict)
    fetched: int = 0
    # Parts that came in a stream.
    brought: int = 0
    reopened: int = 0
    refused: int = 0
    # Processor seconds of all pages together.
    cpu: float = 0.0

    def begin(self) -> None:
        """Count from now on."""
        self.fetched = self.brought = 0
        self.cpu = time.process_time()

    def end(self) -> None:
        """Stop counting."""
        self.cpu = time.process_time() - self.cpu


class Board:
    """One open page: its stream, its parts, and the requests that an event leads to."""

    def __init__(self, port: int, opened: Opened, seen: Seen, opening: asyncio.Semaphore) -> None:
        self._port, self._opened, self._seen, self._opening = port, opened, seen, opening
        self._known: set[str] = set()
        self._dirty: dict[str, asyncio.Event] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._asked: dict[str, float] = {}
        self._accepting: list[asyncio.Task[None]] = []
        self.open = asyncio.Event()

    async def run(self) -> None:
        """Open the page, then follow its stream until cancelled."""
        # As a browser does: what is the person's own on one connection, the rest on another.
        connections = {own: Connection(self._port) for own in (True, False)}
        locks = {own: asyncio.Lock() for own in (True, False)}
        async with self._opening:
            html = (await self._get(connections[True], self._opened.address)).decode()
        parts, live = _PART.findall(html), re.search(r'data-live="([^"]+)"', html)
        if live is None:
            raise RuntimeError(
                f"the page {self._opened.address} of a board did not open: {html[:200]}"
            )
        async with asyncio.TaskGroup() as group:
            for address, *_ in parts:
                own = address in ("/board/frame", "/board/desk")
                self._dirty[address] = asyncio.Event()
                group.create_task(self._keep(address, connections[own], locks[own]))
            group.create_task(self._say_so(connections[False], locks[False]))
            await self._follow(f"{live[1]}?{_asked(html, parts)}", parts)

    async def _say_so(self, connection: Connection, lock: asyncio.Lock) -> None:
        await asyncio.sleep(random.uniform(0, _SAYS_SO))
        while True:
            async with lock:
                await self._send(connection, _request("/board/heartbeat", self._opened, "POST"))
            await asyncio.sleep(_SAYS_SO)

    async def _follow(self, address: str, parts: list[tuple[str, ...]]) -> None:
        """Follow the stream, and open it again after a second if it ends, as a browser does."""
        while True:
            try:
                await self._listen(address, parts)
            except (ConnectionError, asyncio.IncompleteReadError):
                self._seen.reopened += 1
                await asyncio.sleep(1)

    async def _listen(self, address: str, parts: list[tuple[str, ...]]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=_LONGEST_LINE)
        with contextlib.closing(writer):
            writer.write(_request(address, self._opened))
            await reader.readuntil(b"\r\n\r\n")
            self.open.set()
            while True:
                line = await reader.readline()
                if not line:
                    raise ConnectionError("the stream of a board ended")
                if line.startswith((b'data: {"topics', b'data: {"address')):
                    self._read_line(line, parts)

    def _read_line(self, line: bytes, parts: list[tuple[str, ...]]) -> None:
        told = _read_event(line)
        if told.topics:
            self._hear(told.topics, parts)
        elif told.is_part:
            self._seen.brought += 1
            self._note(told)

    def _hear(self, topics: frozenset[str], parts: list[tuple[str, ...]]) -> None:
        for part, at_once, soon, later in parts:
            if topics & {Topic.EVERYTHING, *at_once.split()}:
                self._within(part, _AT_ONCE)
            elif topics & set(soon.split()):
                passed = time.perf_counter() - self._asked.get(part, 0)
                self._within(part, max(_AT_ONCE, _SOON - passed))
            elif topics & set(later.split()):
                self._within(part, _LATER * random.uniform(1, 2))

    def _within(self, part: str, seconds: float) -> None:
        """Ask for a part within some seconds, if it is not asked for sooner."""
        loop, before = asyncio.get_running_loop(), self._timers.get(part)
        if before is not None and not before.cancelled():
            if loop.time() < before.when() <= loop.time() + seconds:
                return
            before.cancel()
        self._timers[part] = loop.call_later(seconds, self._now, part)

    def _now(self, part: str) -> None:
        self._asked[part] = time.perf_counter()
        self._dirty[part].set()

    async def _keep(self, address: str, connection: Connection, lock: asyncio.Lock) -> None:
        """Ask for a part whenever it may have changed: once at a time, as `hx-sync` has it."""
        dirty = self._dirty[address]
        while True:
            await dirty.wait()
            async with lock:
                dirty.clear()
                body = await self._get(connection, address)
            self._note(_read_part(address, body.decode()))

    async def _get(self, connection: Connection, address: str) -> bytes:
        self._seen.fetched += 1
        return await self._send(connection, _request(address, self._opened))

    async def _send(self, connection: Connection, raw: bytes) -> bytes:
        try:
            status, body = await connection.send(raw)
        except (asyncio.IncompleteReadError, ConnectionError):
            # The server closed it: nothing was asked for some seconds.
            await connection.close()
            status, body = await connection.send(raw)
        self._seen.refused += status not in (200, 204)
        return body

    def _note(self, told: StreamLine) -> None:
        now = time.perf_counter()
        for call in told.waiting - self._known:
            self._known.add(call)
            self._seen.waiting.setdefault(call, []).append(now)
        if told.ringing is not None:
            self._ring(told.ringing, now)

    def _ring(self, offer: str, now: float) -> None:
        """Note that the board rings, and accept after a while as a person does."""
        if offer not in self._seen.rang:
            self._seen.rang[offer] = now
            accepting = asyncio.create_task(self._accept(offer))
            self._accepting.append(accepting)

    async def _accept(self, offer: str) -> None:
        await asyncio.sleep(ACCEPTS_AFTER)
        connection = Connection(self._port)
        address = f"/api/v1/offers/{offer}/accept"
        status, _ = await connection.send(_request(address, self._opened, "POST"))
        await connection.close()
        # The caller may have hung up meanwhile.
        self._seen.refused += status >= 400 and status != 409


def _asked(html: str, parts: list[tuple[str, ...]]) -> str:
    """Return what a page asks its stream for."""
    asked = {topic for _, *named in parts for topics in named for topic in topics.split()}
    told = {topic for topics in _TOLD.findall(html) for topic in topics.split()}
    soonest = {t for _, at_once, soon, _ in parts for t in (*at_once.split(), *soon.split())} | told
    asked |= told
    pushed = ",".join(_PUSHED.findall(html))
    return f"topics={','.join(asked)}&later={','.join(asked - soonest)}&parts={pushed}"


def _request(address: str, opened: Opened, method: str = "GET") -> bytes:
    return (
        f"{method} {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nHX-Request: true\r\n"
        f"Content-Length: 0\r\nCookie: {opened.cookies}\r\n\r\n"
    ).encode()


def follow_pages(port: int, opened: list[Opened], pipe: Pipe) -> None:
    """Open these pages and follow them, in a process of their own.

    It says when all are open, begins and ends to count when it is told so, and then says what the
    pages have seen.
    """
    asyncio.run(_follow_pages(port, opened, pipe))


async def _follow_pages(port: int, opened: list[Opened], pipe: Pipe) -> None:
    seen, opening = Seen(), asyncio.Semaphore(OPENING)
    boards = [Board(port, one, seen, opening) for one in opened]
    tasks = [asyncio.create_task(board.run()) for board in boards]
    await _all_open(boards, tasks)
    pipe.send("open")
    await asyncio.to_thread(pipe.recv)
    seen.begin()
    await asyncio.to_thread(pipe.recv)
    seen.end()
    broken = [task for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if broken:
        raise RuntimeError(f"{len(broken)} boards were lost: {broken[0].exception()!r}")
    pipe.send(seen)


async def _all_open(boards: list[Board], tasks: list[asyncio.Task[None]]) -> None:
    """Wait until every board has its stream. Raises what ended a board."""
    for board in boards:
        while not board.open.is_set():
            await asyncio.sleep(0.05)
            for task in tasks:
                if task.done():
                    task.result()
