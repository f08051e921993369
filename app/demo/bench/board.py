"""`helpline bench board`: live boards on one web process while calls come and go.

Every board holds a live stream, which brings it the parts that many see alike, and asks for the
other parts that its own page names, as the scripts of the pages do (`static/source/live.js`).
Boards, callers and exchange run in this process, the worker in one of its own, so that the CPU of
the web process is its own. Webhooks come from the exchange.
"""

import asyncio
import contextlib
import functools
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from app.clock import SystemClock
from app.database.embedded import EmbeddedPostgres
from app.database.running import make_ready
from app.demo.bench.calls import _cpu_seconds, _environment, _up
from app.demo.bench.load import Connection
from app.demo.results import report
from app.demo.stage import (
    ACCOUNT,
    API_KEY,
    LINE,
    TOKEN,
    Counsellor,
    Served,
    Stage,
    free_port,
    stage_on,
    start_silent_telephone,
)
from app.practice.exchange import Exchange, Number
from app.practice.rest.app import rest_app
from app.staff.roles import Role

# A counsellor accepts after this time, and the caller hangs up after that one. Seconds.
ACCEPTS_AFTER, TALKS = 1.0, 3.0
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
class Told:
    """What a line of a stream says: topics, or a part with the calls that wait and ring in it."""

    topics: frozenset[str] = frozenset()
    is_part: bool = False
    waiting: frozenset[str] = frozenset()
    ringing: str | None = None


@functools.lru_cache(maxsize=256)
def _read_event(line: bytes) -> Told:
    """Read a line once: hundreds of boards are told the same."""
    said: dict[str, Any] = json.loads(line[6:])
    if "topics" in said:
        return Told(frozenset(said["topics"]))
    return _read_part(said["address"], said["html"])


def _read_part(address: str, html: str) -> Told:
    rings = _OFFER.search(html) if address == "/board/frame" else None
    waits = _WAITS.findall(html) if address == "/board/queue" else ()
    return Told(is_part=True, waiting=frozenset(waits), ringing=rings[1] if rings else None)


@dataclass(frozen=True)
class Size:
    """How much load. One in twenty boards is a supervisor's, and one in five takes calls."""

    boards: int = 300
    calls_per_second: float = 5.0
    seconds: float = 30.0

    @property
    def supervisors(self) -> int:
        return max(2, self.boards // 20)

    @property
    def takers(self) -> int:
        # As many as these calls need at least.
        return max(self.boards // 5, int(self.calls_per_second * 8))


@dataclass
class Seen:
    """When boards first showed what had changed, on this process's clock."""

    # Of each call: when each board first showed it among those who wait.
    waiting: dict[str, list[float]] = field(default_factory=dict)
    # Of each offer: when its counsellor's board rang.
    rang: dict[str, float] = field(default_factory=dict)
    fetched: int = 0
    # Parts that came in a stream.
    brought: int = 0
    reopened: int = 0
    opening: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(8))
    refused: int = 0


class Board:
    """One open page: its stream, its parts, and the requests that an event leads to."""

    def __init__(self, port: int, who: Counsellor, page: str, seen: Seen) -> None:
        self._port, self._who, self._page, self._seen = port, who, page, seen
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
        # As many people as sign in within a second or two: an address that opens hundreds of
        # connections at once is refused.
        async with self._seen.opening:
            html = (await self._get(connections[True], self._page)).decode()
        parts, live = _PART.findall(html), re.search(r'data-live="([^"]+)"', html)
        if live is None:
            raise RuntimeError(f"the page {self._page} of a board did not open: {html[:200]}")
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
                await self._send(connection, _request("/board/heartbeat", self._who, "POST"))
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
            writer.write(_request(address, self._who))
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
            if topics & {"everything", *at_once.split()}:
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
        return await self._send(connection, _request(address, self._who))

    async def _send(self, connection: Connection, raw: bytes) -> bytes:
        try:
            status, body = await connection.send(raw)
        except (asyncio.IncompleteReadError, ConnectionError):
            # The server closed it: nothing was asked for some seconds.
            await connection.close()
            status, body = await connection.send(raw)
        self._seen.refused += status not in (200, 204)
        return body

    def _note(self, told: Told) -> None:
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
        answer = await self._who.ask("POST", f"/offers/{offer}/accept")
        # The caller may have hung up meanwhile.
        self._seen.refused += answer.status_code >= 400 and answer.status_code != 409


def _asked(html: str, parts: list[tuple[str, ...]]) -> str:
    """Return what a page asks its stream for."""
    asked = {topic for _, *named in parts for topics in named for topic in topics.split()}
    told = {topic for topics in _TOLD.findall(html) for topic in topics.split()}
    soonest = {t for _, at_once, soon, _ in parts for t in (*at_once.split(), *soon.split())} | told
    asked |= told
    pushed = ",".join(_PUSHED.findall(html))
    return f"topics={','.join(asked)}&later={','.join(asked - soonest)}&parts={pushed}"


def _request(address: str, who: Counsellor, method: str = "GET") -> bytes:
    return (
        f"{method} {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nHX-Request: true\r\n"
        f"Content-Length: 0\r\nCookie: {who.cookie_header}\r\n\r\n"
    ).encode()


def run_board_bench(size: Size) -> None:
    """Run every measure of `board`."""
    with (
        tempfile.TemporaryDirectory(prefix="hl", dir="/tmp") as folder,
        EmbeddedPostgres(Path(folder)) as server,
    ):
        make_ready(server.url, server.owner_url)
        asyncio.run(_measure(server.url, size))


async def _measure(url: str, size: Size) -> None:
    port, rest_port = free_port(), free_port()
    base = f"http://127.0.0.1:{port}"
    exchange = Exchange(SystemClock(), ACCOUNT, TOKEN)
    exchange.api_keys[API_KEY["twilio_api_key_sid"]] = API_KEY["twilio_api_key_secret"]
    exchange.calls_per_second = 1000
    rest = Served(rest_app(exchange), rest_port)
    await rest.start()
    environment = _environment(
        url,
        base,
        HELPLINE_TWILIO_API_BASE_URL=f"http://127.0.0.1:{rest_port}",
        HELPLINE_PRACTICE_EXCHANGE=f"http://127.0.0.1:{rest_port}",
        HELPLINE_TELEPHONE_SIGNALLING=f"ws://127.0.0.1:{rest_port}",
        HELPLINE_WRAP_UP_SECONDS="1",
    )
    exchange.numbers[LINE] = Number(f"{base}/telephony/voice", None, f"{base}/telephony/status")
    commands = [["serve", "--port", str(port), "--no-worker"], ["worker"]]
    processes = [
        subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-m", "app.cli", *command],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        await _up(base + "/readyz")
        async with stage_on(url, clock=SystemClock(), with_server=False) as stage:
            stage.settings = stage.settings.model_copy(update={"public_url": base})
            await stage.add_line()
            exchange.numbers[LINE] = Number(
                f"{base}/telephony/voice", None, f"{base}/telephony/status"
            )
            await _boards(stage, exchange, processes, port, size)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(15)
        await exchange.close()
        await rest.stop()


async def _people(stage: Stage, exchange: Exchange, size: Size) -> list[tuple[Counsellor, str]]:
    """Return the people of the boards, each with the page that is open."""
    base, made = stage.settings.public_url, []
    for number in range(size.boards):
        supervises = number < size.supervisors
        role = Role.SUPERVISOR if supervises else Role.COUNSELLOR
        who = await stage.add_counsellor(f"b{number}", role=role, shift=not supervises, state=None)
        made.append((who, "/team" if supervises and number % 2 else "/"))
        if size.supervisors <= number < size.supervisors + size.takers:
            await start_silent_telephone(exchange, stage.client, base, who.cookie_header)
            (await who.ask("PUT", "/me/presence", {"state": "available"})).raise_for_status()
    return made


async def _boards(
    stage: Stage,
    exchange: Exchange,
    processes: list[subprocess.Popen[bytes]],
    port: int,
    size: Size,
) -> None:
    web, worker = processes
    seen, people = Seen(), await _people(stage, exchange, size)
    before = psutil.Process(web.pid).memory_info().rss
    boards = [Board(port, who, page, seen) for who, page in people]
    tasks = [asyncio.create_task(board.run()) for board in boards]
    await _all_open(boards, tasks)
    await asyncio.sleep(5)
    idle_cpu, idle_began = _cpu_seconds(web), time.perf_counter()
    await asyncio.sleep(5)
    idle = (_cpu_seconds(web) - idle_cpu) / (time.perf_counter() - idle_began)
    cpu, began = _cpu_seconds(web), time.perf_counter()
    others = _cpu_seconds(worker), time.process_time()
    fetched, brought = seen.fetched, seen.brought
    pressed = await _calls(exchange, size)
    seconds = time.perf_counter() - began
    busy = (_cpu_seconds(web) - cpu) / seconds
    worked = (_cpu_seconds(worker) - others[0]) / seconds
    loaded = (time.process_time() - others[1]) / seconds
    memory = psutil.Process(web.pid).memory_info().rss - before
    broken = [task for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if broken:
        raise RuntimeError(f"{len(broken)} boards were lost: {broken[0].exception()!r}")
    await _report(stage, seen, pressed, size)
    report("requests of boards per second", (seen.fetched - fetched) / seconds, None, "/s", None)
    report("parts that streams brought", (seen.brought - brought) / seconds, None, "/s", None)
    report("streams that were opened again", seen.reopened, None, "streams", 0.0, at_least=False)
    report("requests that were refused", seen.refused, None, "requests", 0.0, at_least=False)
    report("CPU of the web process, no call", idle, None, "of 1", None)
    calls = f"{size.calls_per_second:g} calls a second"
    report(f"CPU of the web process, {calls}", busy, None, "of 1", None)
    # Where these and the database need more than the machine has, the times measure that.
    report(f"CPU of the worker, {calls}", worked, None, "of 1", None)
    report(f"CPU of boards, callers and exchange, {calls}", loaded, None, "of 1", None)
    report("CPU per board, no call", idle / size.boards * 1000, None, "ms/s", None)
    report(f"CPU per board, {calls}", busy / size.boards * 1000, None, "ms/s", None)
    report("memory per board", memory / size.boards / 1e6, None, "MB", None)


async def _all_open(boards: list[Board], tasks: list[asyncio.Task[None]]) -> None:
    """Wait until every board has its stream. Raises what ended a board."""
    for board in boards:
        while not board.open.is_set():
            await asyncio.sleep(0.05)
            for task in tasks:
                if task.done():
                    task.result()


async def _calls(exchange: Exchange, size: Size) -> dict[str, float]:
    """Let callers come and go. Return when each, by its id at the provider, chose a language."""
    pressed: dict[str, float] = {}

    async def child(number: int) -> None:
        leg = exchange.ring(f"+3816412{number:05d}", LINE)
        while not leg.heard:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        pressed[leg.sid] = time.perf_counter()
        exchange.press(leg, "1")
        for _ in range(200):
            if exchange.conferences.of_leg(leg) is not None:
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(TALKS)
        await exchange.hang_up(leg)

    children = []
    for number in range(int(size.calls_per_second * size.seconds)):
        children.append(asyncio.create_task(child(number)))
        await asyncio.sleep(1 / size.calls_per_second)
    await asyncio.gather(*children)
    return pressed


async def _report(stage: Stage, seen: Seen, pressed: dict[str, float], size: Size) -> None:
    rows = await stage.rows("SELECT id, provider_sid FROM calls")
    began = {str(row["id"]): pressed.get(row["provider_sid"], 0.0) for row in rows}
    offers = await stage.rows("SELECT id, call_id, state FROM offers")
    first: dict[str, float] = {}
    for offer in offers:
        at, call = seen.rang.get(str(offer["id"])), str(offer["call_id"])
        if at is not None:
            first[call] = min(first.get(call, at), at)
    rings = [(at - began[call]) * 1000 for call, at in first.items() if began[call]]
    waits = [
        (at - began[call]) * 1000
        for call, ats in seen.waiting.items()
        if began.get(call)
        for at in ats
    ]
    connected = sum(row["state"] == "connected" for row in offers)
    report("calls that were answered", connected / len(pressed), None, "share", 0.99)
    for name, times in (
        ("from webhook to the board that rings", rings),
        ("from webhook to the queue on every board", waits),
    ):
        parts = statistics.quantiles(times, n=1000, method="inclusive")
        report(f"{name}, p50", parts[499], None, "ms", 100.0, at_least=False)
        report(f"{name}, p99", parts[989], None, "ms", 250.0, at_least=False)
    shown = sum(len(ats) for call, ats in seen.waiting.items() if began.get(call))
    report(
        "boards that showed a waiting caller",
        shown / len(pressed) / size.boards,
        None,
        "share",
        None,
    )
