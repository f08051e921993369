"""`helpline bench board`: live boards on one web process while calls come and go.

The boards (`board_pages.py`), the web process, the worker and the database run each in a process of
its own, callers and exchange in this one, so that what a call costs is told for each of them.
Webhooks come from the exchange.
"""

import asyncio
import contextlib
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.clock import SystemClock
from app.database.embedded import EmbeddedPostgres, folder_of
from app.database.running import make_ready
from app.demo.bench.board_pages import Opened, Seen, follow_pages
from app.demo.bench.processes import cpu_seconds, environment_of, wait_until_up
from app.demo.counsellor import Counsellor, start_silent_telephone
from app.demo.results import report
from app.demo.served import Served, free_port
from app.demo.stage import ACCOUNT, API_KEY, LINE, TOKEN, Stage, stage_on
from app.practice.exchange import Exchange, Number
from app.practice.rest.app import rest_app
from app.staff.roles import Role

# The caller hangs up after this time. Seconds.
TALKS = 3.0


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


def run_board_bench(size: Size) -> None:
    """Run every measure of `board`."""
    with (
        tempfile.TemporaryDirectory(prefix="hl", dir="/tmp") as folder,
        EmbeddedPostgres(Path(folder)) as server,
    ):
        make_ready(server.url, server.owner_url)
        database = int((folder_of(Path(folder)) / "postmaster.pid").read_text().split()[0])
        asyncio.run(_measure(server.url, psutil.Process(database), size))


async def _measure(url: str, database: psutil.Process, size: Size) -> None:
    port, rest_port = free_port(), free_port()
    base = f"http://127.0.0.1:{port}"
    exchange = Exchange(SystemClock(), ACCOUNT, TOKEN)
    exchange.api_keys[API_KEY["twilio_api_key_sid"]] = API_KEY["twilio_api_key_secret"]
    exchange.calls_per_second = 1000
    rest = Served(rest_app(exchange), rest_port)
    await rest.start()
    environment = environment_of(
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
        await wait_until_up(base + "/readyz")
        async with stage_on(url, clock=SystemClock(), with_server=False) as stage:
            stage.settings = stage.settings.model_copy(update={"public_url": base})
            await stage.add_line()
            exchange.numbers[LINE] = Number(
                f"{base}/telephony/voice", None, f"{base}/telephony/status"
            )
            web, worker = processes
            await _boards(stage, exchange, Processes(web, worker, database), port, size)
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


@dataclass(frozen=True)
class Processes:
    """The processes whose CPU is told; boards tell their own."""

    web: subprocess.Popen[bytes]
    worker: subprocess.Popen[bytes]
    database: psutil.Process

    def spent(self) -> dict[str, float]:
        """Return the CPU seconds of each so far. This process plays callers and exchange."""
        backends = [self.database, *self.database.children()]
        return {
            "the web process": cpu_seconds(self.web),
            "the worker": cpu_seconds(self.worker),
            "the database": sum(_cpu_of(one) for one in backends),
            "callers and exchange": time.process_time(),
        }


def _cpu_of(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        # What children of the server spent that have ended meanwhile.
        return float(sum(times[:4]))
    return 0.0


async def _boards(
    stage: Stage, exchange: Exchange, processes: Processes, port: int, size: Size
) -> None:
    web, people = processes.web, await _people(stage, exchange, size)
    before = psutil.Process(web.pid).memory_info().rss
    apart = multiprocessing.get_context("spawn")
    pipe, theirs = apart.Pipe()
    opened = [Opened(page, who.cookie_header) for who, page in people]
    boards = apart.Process(target=follow_pages, args=(port, opened, theirs), daemon=True)
    boards.start()
    theirs.close()
    await asyncio.to_thread(pipe.recv)
    await asyncio.sleep(5)
    idle = cpu_seconds(web)
    await asyncio.sleep(5)
    idle = (cpu_seconds(web) - idle) / 5
    pipe.send("begin")
    spent, began = processes.spent(), time.perf_counter()
    pressed = await _calls(exchange, size)
    seconds = time.perf_counter() - began
    spent = {name: now - spent[name] for name, now in processes.spent().items()}
    memory = psutil.Process(web.pid).memory_info().rss - before
    pipe.send("end")
    seen: Seen = await asyncio.to_thread(pipe.recv)
    boards.join(10)
    await _report(stage, seen, pressed, size)
    report("requests of boards per second", seen.fetched / seconds, None, "/s", None)
    report("parts that streams brought", seen.brought / seconds, None, "/s", None)
    report("streams that were opened again", seen.reopened, None, "streams", 0.0, at_least=False)
    report("requests that were refused", seen.refused, None, "requests", 0.0, at_least=False)
    report("CPU of the web process, no call", idle, None, "of 1", None)
    calls = f"{size.calls_per_second:g} calls a second"
    # Where all of them need more than the machine has, the times measure that.
    for name, cpu in {**spent, "boards": seen.cpu}.items():
        report(f"CPU of {name}, {calls}", cpu / seconds, None, "of 1", None)
    for name, cpu in {**spent, "boards": seen.cpu}.items():
        report(f"CPU for each call, {name}", cpu / len(pressed) * 1000, None, "ms", None)
    busy = spent["the web process"] / seconds
    report("CPU per board, no call", idle / size.boards * 1000, None, "ms/s", None)
    report(f"CPU per board, {calls}", busy / size.boards * 1000, None, "ms/s", None)
    report("memory per board", memory / size.boards / 1e6, None, "MB", None)


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
