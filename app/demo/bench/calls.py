"""`helpline bench calls`: webhooks and complete calls, against a floor measured in the same run.

The floor (`floor.py`) and ours run as separate processes of the same server on the same embedded
database, under load in turns from the same client; the medians of the rounds are compared.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from uuid import uuid4

import httpx2
import psutil

from app.clock import SystemClock
from app.database.bus import Bus
from app.database.embedded import EmbeddedPostgres
from app.database.engine import open_database
from app.database.running import make_ready
from app.database.topics import Topic
from app.demo.bench.floor import make_tables
from app.demo.bench.load import Prepared, Result, prepare, run_load
from app.demo.bench.processes import (
    CALLS_PER_ROUND,
    CLIENTS,
    cpu_seconds,
    environment_of,
    floor_chains,
    load_floor,
    wait_until_up,
)
from app.demo.bench.statements import KINDS, fields_of, statements_per_webhook
from app.demo.counsellor import Counsellor, start_silent_telephone
from app.demo.results import report
from app.demo.served import Served, free_port
from app.demo.stage import ACCOUNT, API_KEY, LINE, TOKEN, Stage, stage_on
from app.practice.exchange import Exchange, Number
from app.practice.rest.app import rest_app
from app.practice.wire import sign

ROUNDS = 7


def run_bench() -> None:
    """Run every measure of `calls`."""
    with (
        tempfile.TemporaryDirectory(prefix="hl", dir="/tmp") as folder,
        EmbeddedPostgres(Path(folder)) as server,
    ):
        make_tables(server.owner_url)
        make_ready(server.url, server.owner_url)
        asyncio.run(_start(server.url))
        floor_rate = asyncio.run(_webhooks(server.url))
        asyncio.run(_board(server.url))
        asyncio.run(_complete_calls(server.url, floor_rate))


# -- the start ----------------------------------------------------------------------------

STARTS = 5


async def _start(url: str) -> None:
    """Measure the CPU seconds of a process from its start to its first answered webhook."""
    async with stage_on(url) as stage:
        await stage.add_line()
    seconds = [await _cpu_until_answered(url, n) for n in range(STARTS)]
    report(
        "CPU until the first webhook is answered",
        statistics.median(seconds),
        None,
        "s",
        1.5,
        at_least=False,
    )


async def _cpu_until_answered(url: str, number: int) -> float:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "app.cli", "serve", "--port", str(port)],
        env=environment_of(url, base),
        stdout=subprocess.DEVNULL,
    )
    address = f"{base}/telephony/voice"
    fields = fields_of(f"CA{number:032x}", "ringing")
    signed = {"X-Twilio-Signature": sign(TOKEN, address, fields)}
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=20) as client:
            for _ in range(400):
                try:
                    answer = await client.post(address, data=dict(fields), headers=signed)
                except httpx2.HTTPError:
                    await asyncio.sleep(0.02)
                    continue
                answer.raise_for_status()
                used = psutil.Process(process.pid).cpu_times()
                return float(used.user + used.system)
        raise RuntimeError("the server to be measured did not start")
    finally:
        process.terminate()
        process.wait(20)


# -- webhooks a second --------------------------------------------------------------------


async def _webhooks(url: str) -> float:
    port, floor_port = free_port(), free_port()
    base, floor_base = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{floor_port}"
    async with stage_on(url) as stage:
        # On duty, so that callers enter the queue; on a break, so that they stay in it.
        await stage.add_counsellor("bench", state="break")
        statements = await statements_per_webhook(stage)
    python = sys.executable
    processes = [
        subprocess.Popen(  # noqa: ASYNC220
            [python, "-m", "app.cli", "serve", "--port", str(port), "--no-worker"],
            env=environment_of(url, base),
            stdout=subprocess.DEVNULL,
        ),
        subprocess.Popen(  # noqa: ASYNC220
            [python, "-m", "app.demo.bench.floor"],
            env=environment_of(url, floor_base, FLOOR_PORT=str(floor_port)),
        ),
    ]
    try:
        await wait_until_up(base + "/healthz")
        await wait_until_up(floor_base + "/floor")
        rounds: dict[str, list[Result]] = {"floor": [], "ours": []}
        for number in range(ROUNDS + 1):
            if number == 1:
                before = [cpu_seconds(process) for process in processes]
            rounds["floor"].append(await load_floor(floor_base, floor_port))
            rounds["ours"].append(await _load_ours(url, base, port))
        used = [cpu_seconds(p) - b for p, b in zip(processes, before, strict=True)]
        single = [
            await run_load(p, chains, 1)
            for p, chains in ((floor_port, floor_chains(floor_base, 60)),)
        ]
    finally:
        for process in processes:
            process.terminate()
            process.wait(10)
    # The first round only warms both up.
    floors, ours = rounds["floor"][1:], rounds["ours"][1:]
    if any(r.refused for r in floors + ours):
        raise RuntimeError("a webhook of the load was refused")
    _report_webhooks(floors, ours, single[0], statements)
    # Wall-clock time is shared with the database and the load; CPU time is the process's own.
    own, bare = (seconds / (ROUNDS * CALLS_PER_ROUND * 4) * 1000 for seconds in used)
    report("CPU per webhook", own, bare, "ms", None)
    return statistics.median(r.rate for r in floors)


async def _load_ours(url: str, base: str, port: int) -> Result:
    """Send the rings first: the addresses of the other webhooks hold the ids that they return."""
    sids = [f"CA{uuid4().hex}" for _ in range(CALLS_PER_ROUND)]
    rings = [
        [prepare("voice", base + "/telephony/voice", fields_of(sid, "ringing"), TOKEN)]
        for sid in sids
    ]
    first = await run_load(port, rings, CLIENTS)
    database = open_database(url)
    async with database.engine.connect() as connection:
        rows = await connection.exec_driver_sql("SELECT provider_sid, id FROM calls")
        ids = {str(row["provider_sid"]): str(row["id"]) for row in rows.mappings()}
    await database.close()
    second = await run_load(port, [_rest_of(base, sid, ids[sid]) for sid in sids], CLIENTS)
    both = Result(first.seconds + second.seconds, {**first.times, **second.times})
    both.refused = first.refused + second.refused
    return both


def _rest_of(base: str, sid: str, call_id: str) -> list[Prepared]:
    path = f"{base}/telephony/calls/{call_id}"
    live = "in-progress"
    return [
        prepare("menu", f"{path}/menu?n=1", fields_of(sid, live, Digits="1"), TOKEN),
        prepare("wait", f"{path}/wait?n=1.0", fields_of(sid, live, QueueTime="0"), TOKEN),
        prepare(
            "status",
            f"{base}/telephony/status",
            fields_of(sid, "completed", CallDuration="9", SequenceNumber="3"),
            TOKEN,
        ),
    ]


def _report_webhooks(
    floors: list[Result], ours: list[Result], single: Result, statements: Counter[str]
) -> None:
    median = statistics.median
    report(
        "webhooks per second, 32 at once",
        median(r.rate for r in ours),
        median(r.rate for r in floors),
        "webhooks/s",
        0.5,
    )
    for part in (0.5, 0.99):
        report(
            f"webhook p{int(part * 100)}, 32 at once",
            median(r.percentile(part) for r in ours),
            median(r.percentile(part) for r in floors),
            "ms",
            3.0 if part == 0.99 else None,
            at_least=False,
        )
    for kind in KINDS:
        for part in (0.5, 0.99):
            report(
                f"{kind} p{int(part * 100)}, 32 at once",
                median(r.percentile(part, kind) for r in ours),
                median(r.percentile(part) for r in floors),
                "ms",
                None,
            )
    report("floor p50, one at a time", single.percentile(0.5), None, "ms", None)
    for kind, count in statements.items():
        report(f"SQL statements per {kind} webhook", count, 2, "statements", None)


# -- complete calls, and from webhook to board ------------------------------------------------


async def _board(url: str) -> None:
    """Time calls with server, worker and exchange in this process, so the true time is shorter."""
    database = open_database(url)
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE presences SET state = 'off_duty'")
    await database.close()
    async with stage_on(
        url, clock=SystemClock(), twilio_timeout=5, wrap_up_seconds=0, calls_per_second=1000
    ) as stage:
        base = stage.settings.public_url
        stage.exchange.numbers[LINE] = Number(
            f"{base}/telephony/voice", None, f"{base}/telephony/status"
        )
        await _to_the_board(stage)


async def _to_the_board(stage: Stage) -> None:
    """Time from the end of the webhook until the board has read the offer it was notified of."""
    ana = await stage.add_counsellor("board", state=None)
    times = []
    for _ in range(25):
        await ana.be("available")
        sid = f"CA{uuid4().hex}"
        base = stage.settings.public_url
        await stage.exchange.sender.fetch(f"{base}/telephony/voice", fields_of(sid, "ringing"), {})
        row = (await stage.rows("SELECT id FROM calls WHERE provider_sid = %s", sid))[0]
        with stage.app.state.bus.subscribed() as subscription:
            await stage.exchange.sender.fetch(
                f"{base}/telephony/calls/{row['id']}/menu?n=1",
                fields_of(sid, "in-progress", Digits="1"),
                {},
            )
            began = time.perf_counter()
            while f"offers:{ana.id}" not in await subscription.take():
                pass
        assert await ana.offer() is not None
        times.append((time.perf_counter() - began) * 1000)
        over = fields_of(sid, "completed", SequenceNumber="3")
        await stage.exchange.sender.call_back(f"{base}/telephony/status", over)
        await stage.settle()
    await ana.be("off_duty")
    report(
        "from end of webhook to ringing board, median",
        statistics.median(times),
        None,
        "ms",
        150.0,
        at_least=False,
    )


async def _complete_calls(url: str, floor_rate: float) -> None:
    """Measure complete calls: callers hang up once connected, as many as the server can take.

    The worker runs in the one web process; exchange and counsellors run in this process.
    """
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
        HELPLINE_WRAP_UP_SECONDS="0",
    )
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
    exchange.numbers[LINE] = Number(f"{base}/telephony/voice", None, f"{base}/telephony/status")
    bus = Bus(url)
    try:
        await wait_until_up(base + "/healthz")
        async with (
            stage_on(url, clock=SystemClock(), with_server=False, calls_per_second=1000) as stage,
            bus.running(),
        ):
            stage.settings = stage.settings.model_copy(update={"public_url": base})
            people = [await stage.add_counsellor(f"b{n}", state=None) for n in range(_AT_ONCE)]
            for person in people:
                await start_silent_telephone(exchange, stage.client, base, person.cookie_header)
                await person.ask("PUT", "/me/presence", {"state": "available"})
            done, seconds = await _ring_for(20, exchange, bus, people)
    finally:
        server.terminate()
        server.wait(15)
        await exchange.close()
        await rest.stop()
    webhooks = len(exchange.sender.sent) / max(1, done)
    report("webhooks per complete call", webhooks, None, "webhooks", None)
    report(
        "complete calls per second, against the floor's webhooks for as many",
        done / seconds,
        floor_rate / max(1.0, webhooks),
        "calls/s",
        None,
    )


# The number of callers at once, and of counsellors.
_AT_ONCE = 30


async def _ring_for(
    duration: float, exchange: Exchange, bus: Bus, people: list[Counsellor]
) -> tuple[int, float]:
    done, until = 0, time.perf_counter() + duration

    async def child() -> None:
        nonlocal done
        while time.perf_counter() < until:
            leg = exchange.ring("+381641234567", LINE)
            while not leg.heard and time.perf_counter() < until:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            exchange.press(leg, "1")
            inside = exchange.conferences.of_leg
            while inside(leg) is None and time.perf_counter() < until:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            done += inside(leg) is not None
            await exchange.hang_up(leg)

    async def work(me: Counsellor) -> None:
        with bus.subscribed() as subscription:
            while True:
                if {f"offers:{me.id}", Topic.EVERYTHING} & await subscription.take():
                    offer = await me.offer()
                    if offer is not None and offer["state"] == "open":
                        await me.ask("POST", f"/offers/{offer['id']}/accept")

    workers = [asyncio.create_task(work(me)) for me in people]
    began = time.perf_counter()
    await asyncio.gather(*(child() for _ in range(_AT_ONCE)))
    seconds = time.perf_counter() - began
    await asyncio.sleep(1)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    return done, seconds
