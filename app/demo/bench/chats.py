"""`helpline bench chats`: open conversations on one web process, and how long words take.

A word's time runs from the moment in which it is sent until the page of the other side has it. The
pages (`chat_screens.py`) run in this process, server, worker and database in processes of their
own. What each of them spends is told, this one included: the load must not be what is measured.
"""

import asyncio
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
from uuid import UUID, uuid4

import psutil

from app.calls.lines import finding_lines
from app.chats import ending, opening
from app.clock import SystemClock
from app.database.embedded import EmbeddedPostgres, folder_of
from app.database.running import make_ready
from app.database.topics import Topic
from app.demo.bench.board_pages import OPENING, Seen
from app.demo.bench.chat_screens import Child, Desk, Heard
from app.demo.bench.processes import environment_of, wait_until_up
from app.demo.counsellor import Counsellor
from app.demo.results import report
from app.demo.served import free_port
from app.demo.stage import LINE, Stage, stage_on
from app.jobs.transaction import run_verb
from app.routing import offers, queue
from app.work import PROGRAM, Work

# One in this many children has an old phone.
_OLD = 10
_AT_ONCE = 8
# Seconds for which the last words are waited for; what is still on its way then did not arrive.
_ARRIVES_WITHIN = 20
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
        environment = environment_of(url, base, HELPLINE_WRITING_GRACE_SECONDS="600")
        web = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-m", "app.cli", *commands[0]], env=environment
        )
        worker: subprocess.Popen[bytes] | None = None
        try:
            await wait_until_up(base + "/readyz")
            # A page of the dashboard is there when all parts of the server are loaded.
            await wait_until_up(base + "/login")
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
        line = await finding_lines.line_of_number(work, LINE)
        assert line is not None
        made = await opening.open_conversation(
            work, line, language="sr", danger=False, client_key=uuid4().hex
        )
        secrets[made.call.id] = made.secret

    for _ in range(size.conversations):
        await run_verb(stage.ground, PROGRAM, opens)
    taken = 0
    while taken < size.conversations:
        stage.ground.memory.forget(Topic.EVERYTHING)
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
    children = {
        str(call): Child(port, secret, heard, old=number % _OLD == 0)
        for number, (call, secret) in enumerate(secrets.items())
    }
    seen, opening = Seen(), asyncio.Semaphore(OPENING)
    desks = [Desk(port, one, heard, seen, opening) for one in crew]
    for desk in desks:
        await desk.begin()
    desk_of = {call: desk for desk in desks for call in desk.last}
    empty = spent.web.memory_info().rss
    pages: list[asyncio.Task[None]] = []
    screens: list[Child | Desk] = [*children.values(), *desks]
    for screen in screens:
        pages.append(asyncio.create_task(screen.run()))
        # They come one after the other: only 128 from one address may begin at the same instant.
        await asyncio.sleep(0.01)
    # First a while that is not measured: the server loads what it needs with the first requests.
    await _send(children, desk_of, replace(size, seconds=_WARMS_UP))
    await heard.all_arrived(_ARRIVES_WITHIN)
    heard.begin()
    seen.fetched = seen.refused = 0
    spent.begin()
    sent = await _send(children, desk_of, size)
    await heard.all_arrived(_ARRIVES_WITHIN)
    used = spent.so_far()
    full = spent.web.memory_info().rss
    for page_task in pages:
        # A page that has ended has shown nothing since.
        assert not page_task.done(), page_task.exception()
        page_task.cancel()
    await asyncio.gather(*pages, return_exceptions=True)
    heard.requests += seen.fetched
    heard.refused += seen.refused
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
        says = children[call].say() if by_child else desk_of[call].say(call)
        task = asyncio.create_task(says)
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
    report("requests", heard.requests / sent, None, "per message", None, at_least=False)
    report("requests that were refused", heard.refused, None, "requests", 0, at_least=False)
    for name, seconds in used.items():
        report(f"CPU of the {name}", seconds / sent * 1000, None, "ms per message", None)
