"""`helpline bench chats`: open conversations on one web process, and how long words take.

Every child waits for news with a request, as a page on an old phone does; every counsellor has a
stream, and reads what is new after each event. A word's time runs from the moment in which it is
sent until the page of the other side has it. Children and
counsellors run in this process, server, worker and database in processes of their own. What each
of them spends is told, this one included: the load must not be what is measured.
"""

import asyncio
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil

from app.calls import lines
from app.chats import ending, opening
from app.clock import SystemClock
from app.database.embedded import EmbeddedPostgres, folder_of
from app.database.running import make_ready
from app.demo.bench.calls import _environment, _up
from app.demo.bench.load import Connection
from app.demo.results import report
from app.demo.stage import LINE, Counsellor, Stage, free_port, stage_on
from app.jobs.transaction import run_verb
from app.routing import offers, queue
from app.work import PROGRAM, Work

# Seconds that a child's request waits for news.
_WAITS = 25
_AT_ONCE = 8
# Seconds for which the last words are waited for; what is still on its way then did not arrive.
_ARRIVES_WITHIN = 20
# Seconds after which a page tries again what was refused.
_PAUSE = 1.0
# Seconds of the load before anything is measured.
_WARMS_UP = 5.0


@dataclass(frozen=True)
class Size:
    """How much load: open conversations, and messages a second of both sides together."""

    conversations: int = 300
    messages_per_second: float = 100.0
    seconds: float = 30.0

    @property
    def counsellors(self) -> int:
        return -(-self.conversations // _AT_ONCE)


@dataclass
class Heard:
    """How long each word took to the other side, in milliseconds."""

    # Words on their way, and when they were sent.
    sent: dict[str, float] = field(default_factory=dict)
    to_child: list[float] = field(default_factory=list)
    to_counsellor: list[float] = field(default_factory=list)
    refused: int = 0

    def note(self, text: str | None, times: list[float]) -> None:
        began = self.sent.pop(text or "", None)
        if began is not None:
            times.append((time.perf_counter() - began) * 1000)

    def begin(self) -> None:
        """Forget what was so far."""
        for times in (self.sent, self.to_child, self.to_counsellor):
            times.clear()
        self.refused = 0

    async def all_arrived(self) -> None:
        """Wait until nothing is on its way, and at most for a while."""
        for _ in range(_ARRIVES_WITHIN * 20):
            if not self.sent:
                return
            await asyncio.sleep(0.05)


@dataclass
class Spent:
    """The processor time of the processes since it was begun, in seconds."""

    web: psutil.Process
    database: psutil.Process
    began: dict[str, float] = field(default_factory=dict)

    def _now(self) -> dict[str, float]:
        own, web = os.times(), self.web.cpu_times()
        backends = [self.database, *self.database.children(recursive=True)]
        return {
            "web process": web.user + web.system,
            "database": sum(_cpu_of(one) for one in backends),
            "load itself": own.user + own.system,
        }

    def begin(self) -> None:
        self.began = self._now()

    def so_far(self) -> dict[str, float]:
        return {name: spent - self.began[name] for name, spent in self._now().items()}


def _cpu_of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


class Client:
    """One page: a connection for what it waits for, and one for what it sends."""

    def __init__(self, port: int, header: str, heard: Heard) -> None:
        self._header, self._heard = header, heard
        self._reads, self._writes = Connection(port), Connection(port)
        self._lock = asyncio.Lock()

    def _raw(self, method: str, path: str, body: Any = None) -> bytes:
        content = b"" if body is None else json.dumps(body).encode()
        return (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{self._header}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        ).encode() + content

    async def get(self, path: str) -> Any:
        status, body = await _sent(self._reads, self._raw("GET", path))
        if status != 200:
            self._heard.refused += 1
            await asyncio.sleep(_PAUSE)
            return None
        return json.loads(body)

    async def post(self, path: str, body: Any) -> None:
        """Send a request, and send it again after a pause while it is refused, as a page does."""
        async with self._lock:
            while (await _sent(self._writes, self._raw("POST", path, body)))[0] >= 400:
                self._heard.refused += 1
                await asyncio.sleep(_PAUSE)

    async def say(self, path: str) -> None:
        text = uuid4().hex
        self._heard.sent[text] = time.perf_counter()
        await self.post(path, {"text": text, "client_key": uuid4().hex})


async def _sent(connection: Connection, raw: bytes) -> tuple[int, bytes]:
    """Send a request as a browser does: again, if the server had closed an idle connection."""
    try:
        return await connection.send(raw)
    except (OSError, asyncio.IncompleteReadError):
        await connection.close()
        return await connection.send(raw)


class Child(Client):
    """A page of a child, which always waits for news."""

    def __init__(self, port: int, secret: str, heard: Heard) -> None:
        super().__init__(port, f"Authorization: Bearer {secret}", heard)

    async def run(self) -> None:
        last = 0
        while True:
            path = f"/chat/conversation/messages?after={last}&wait={_WAITS}"
            seen = await self.get(path)
            for one in seen["messages"] if seen else ():
                last = max(last, one["number"])
                if one["by"] == "counsellor":
                    self._heard.note(one["text"], self._heard.to_child)


class Desk(Client):
    """A page of a counsellor, with a stream of what is theirs."""

    def __init__(self, port: int, who: Counsellor, heard: Heard) -> None:
        super().__init__(port, f"Cookie: {who.cookie_header}", heard)
        self._port, self._known = port, dict[str, int]()
        self._dirty = asyncio.Event()
        self.chats: list[str] = []

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._read())

    async def _listen(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        with contextlib.closing(writer):
            writer.write(self._raw("GET", "/api/v1/events?topics=chats:me"))
            while line := await reader.readline():
                if line.startswith(b"data: {"):
                    self._dirty.set()
        raise ConnectionError("the stream of a counsellor ended")

    async def _read(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            mine = await self.get("/api/v1/chats/mine")
            if mine is None:
                self._dirty.set()
                continue
            for chat in mine:
                call, known = chat["call_id"], self._known.get(chat["call_id"], 0)
                if chat["last_number"] <= known:
                    continue
                path = f"/api/v1/chats/{call}/messages?after={known}"
                for one in await self.get(path) or ():
                    self._known[call] = max(self._known.get(call, 0), one["number"])
                    if one["author"] == "child":
                        self._heard.note(one["text"], self._heard.to_counsellor)


def run_chats_bench(size: Size) -> None:
    """Run every measure of `chats`."""
    with (
        tempfile.TemporaryDirectory(prefix="hl", dir="/tmp") as folder,
        EmbeddedPostgres(Path(folder)) as server,
    ):
        make_ready(server.url, server.owner_url)
        database = int((folder_of(Path(folder)) / "postmaster.pid").read_text().split()[0])
        asyncio.run(_measure(server.url, database, size))


async def _measure(url: str, database: int, size: Size) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    commands = [["serve", "--port", str(port), "--no-worker"], ["worker"]]
    async with stage_on(url, clock=SystemClock(), with_server=False) as stage:
        stage.settings = stage.settings.model_copy(update={"public_url": base})
        await stage.add_line()
        await stage.let_write(at_once=_AT_ONCE)
        environment = _environment(url, base, HELPLINE_WRITING_GRACE_SECONDS="600")
        web = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-m", "app.cli", *commands[0]], env=environment
        )
        worker: subprocess.Popen[bytes] | None = None
        try:
            await _up(base + "/readyz")
            # A page of the dashboard is there when all parts of the server are loaded.
            await _up(base + "/login")
            desks, secrets = await _begin(stage, size)
            worker = subprocess.Popen(  # noqa: ASYNC220
                [sys.executable, "-m", "app.cli", *commands[1]], env=environment
            )
            spent = Spent(psutil.Process(web.pid), psutil.Process(database))
            await _talk(port, spent, desks, secrets, size)
        finally:
            for process in (web, worker):
                if process is not None:
                    process.terminate()
                    process.wait(15)


async def _begin(stage: Stage, size: Size) -> tuple[list[Counsellor], dict[UUID, str]]:
    """Open the conversations, and let the counsellors take them. The limits of the edge are for
    strangers, so this is done by the verbs."""
    crew = []
    for number in range(size.counsellors):
        one = await stage.add_counsellor(f"c{number}", chats=_AT_ONCE, state=None)
        (await one.ask("PUT", "/me/presence", {"state": "available"})).raise_for_status()
        crew.append(one)
    secrets: dict[UUID, str] = {}

    async def opens(work: Work) -> None:
        line = await lines.line_of_number(work, LINE)
        assert line is not None
        made = await opening.open_conversation(
            work, line, language="sr", danger=False, client_key=uuid4().hex
        )
        secrets[made.call.id] = made.secret

    for _ in range(size.conversations):
        await run_verb(stage.ground, PROGRAM, opens)
    taken = 0
    while taken < size.conversations:
        stage.ground.memory.forget("everything")
        await queue.match(stage.ground)
        for row in await stage.rows("SELECT id FROM offers WHERE state = 'open'"):
            await run_verb(stage.ground, PROGRAM, partial(_takes, row["id"]))
            taken += 1
    return crew, secrets


async def _takes(offer_id: UUID, work: Work) -> None:
    call, offer = await offers.lock_offer(work, offer_id)
    await ending.accept(work, call, offer)


async def _talk(
    port: int,
    spent: Spent,
    crew: list[Counsellor],
    secrets: dict[UUID, str],
    size: Size,
) -> None:
    heard = Heard()
    children = {str(call): Child(port, secret, heard) for call, secret in secrets.items()}
    desks = [Desk(port, one, heard) for one in crew]
    for desk in desks:
        desk.chats = [one["call_id"] for one in await desk.get("/api/v1/chats/mine")]
    desk_of = {call: desk for desk in desks for call in desk.chats}
    empty = spent.web.memory_info().rss
    pages = [asyncio.create_task(child.run()) for child in children.values()]
    pages += [asyncio.create_task(desk.run()) for desk in desks]
    # First a while that is not measured: the server loads what it needs with the first requests.
    await _send(children, desk_of, replace(size, seconds=_WARMS_UP))
    await heard.all_arrived()
    heard.begin()
    spent.begin()
    sent = await _send(children, desk_of, size)
    await heard.all_arrived()
    used = spent.so_far()
    full = spent.web.memory_info().rss
    for page_task in pages:
        page_task.cancel()
    await asyncio.gather(*pages, return_exceptions=True)
    _tell(heard, used, sent, size)
    per_one = (full - empty) / size.conversations / 1024
    report("memory of the web process", per_one, None, "KiB per conversation", None, at_least=False)


async def _send(children: dict[str, Child], desk_of: dict[str, Desk], size: Size) -> int:
    """Send words at an even pace, of both sides in turn. Return how many were sent."""
    sending: set[asyncio.Task[None]] = set()
    dice, calls = random.Random(1), list(children)
    began, sent = time.perf_counter(), 0
    while (now := time.perf_counter() - began) < size.seconds:
        if sent >= now * size.messages_per_second:
            await asyncio.sleep(0.002)
            continue
        call = dice.choice(calls)
        by_child = sent % 2 == 0
        page: Client = children[call] if by_child else desk_of[call]
        path = "/chat/conversation/messages" if by_child else f"/api/v1/chats/{call}/messages"
        task = asyncio.create_task(page.say(path))
        sending.add(task)
        task.add_done_callback(sending.discard)
        sent += 1
    await asyncio.gather(*sending)
    return sent


def _tell(heard: Heard, used: dict[str, float], sent: int, size: Size) -> None:
    for words, times in (
        ("words of a child on the counsellor's screen", heard.to_counsellor),
        ("words of a counsellor on the child's screen", heard.to_child),
    ):
        cuts = statistics.quantiles(times, n=20) if len(times) > 1 else [_ARRIVES_WITHIN * 1e3] * 19
        report(f"{words}, median", cuts[9], None, "ms", None, at_least=False)
        report(f"{words}, p95", cuts[-1], None, "ms", 300, at_least=False)
    rate = (len(heard.to_child) + len(heard.to_counsellor)) / size.seconds
    report("messages that arrived", rate, None, "per second", None)
    report("messages that did not arrive", len(heard.sent), None, "messages", 0, at_least=False)
    report("requests that were refused", heard.refused, None, "requests", 0, at_least=False)
    for name, seconds in used.items():
        report(f"CPU of the {name}", seconds / sent * 1000, None, "ms per message", None)
