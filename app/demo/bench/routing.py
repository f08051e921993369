"""`helpline bench routing`: one match in a long queue, and simulated days against Erlang.

A thousand counsellors have languages, lines and skills, and one has just become free. Ten to ten
thousand callers wait on five lines in four languages; every fifth needs a skill. The measure is
one run of matching, from the query for waiting callers to the commit of the offer. The floor is
the least work that can claim a pair: two rows locked by key, one row written, one commit.
"""

import asyncio
import itertools
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import event, text

from app.clock import SystemClock
from app.database.embedded import EmbeddedPostgres
from app.database.own_server import as_role
from app.database.roles import SUPERUSER
from app.database.running import make_ready
from app.database.topics import Topic
from app.demo.results import report
from app.demo.simulated_day import simulate
from app.demo.stage import Stage, stage_on
from app.jobs.transaction import transaction
from app.routing.queue import Claimed, match_once
from app.statistics.planning.erlang import erlang_a, erlang_c
from app.work import PROGRAM

CREW = 1000
QUEUES = (10, 100, 1_000, 10_000)
ROUNDS = 40
LANGUAGES = ("sr", "en", "hu", "sq")
SKILLS = ("violence", "lgbt", "trafficking", "migration")
_LINES = 5


def run_routing_bench() -> None:
    """Measure matching, then let days pass."""
    with (
        tempfile.TemporaryDirectory(prefix="hl", dir="/tmp") as folder,
        EmbeddedPostgres(Path(folder)) as server,
    ):
        make_ready(server.url, server.owner_url)
        asyncio.run(_matches(server.url))
    _days()


async def _matches(url: str) -> None:
    dice = random.Random(1)
    async with stage_on(url, clock=SystemClock(), with_server=False) as stage:
        crew = _crew(url, dice)
        times, floors, sent = {}, {}, {}
        for size in QUEUES:
            _queue(url, size, dice)
            stage.ground.memory.forget(Topic.EVERYTHING)
            times[size], floors[size], sent[size] = await _rounds(stage, url, crew, dice)
            report(
                f"one match of {CREW} counsellors, {size} waiting",
                times[size],
                floors[size],
                "ms",
                None,
            )
            report(f"statements of it, {size} waiting", sent[size], None, "statements", None)
        report(
            "one match, 10,000 waiting against 10",
            times[QUEUES[-1]],
            times[QUEUES[0]],
            "ms",
            2.0,
            at_least=False,
        )


def _crew(url: str, dice: random.Random) -> list[UUID]:
    ids = [uuid4() for _ in range(CREW)]
    with psycopg.connect(url, autocommit=True) as connection:
        for n in range(_LINES):
            line_id = uuid4()
            connection.execute(
                "INSERT INTO lines (id, number, name, country, timezone, created_at)"
                " VALUES (%s, %s, %s, 'RS', 'Europe/Belgrade', now())",
                (line_id, f"+3811110000{n}", f"Line {n}"),
            )
            for position, language in enumerate(LANGUAGES):
                connection.execute(
                    "INSERT INTO line_languages (line_id, language, position, digit, locale)"
                    " VALUES (%s, %s, %s, %s, %s)",
                    (line_id, language, position, str(position + 1), language),
                )
        with connection.cursor() as cursor:
            for n, who in enumerate(ids):
                skills = [f"{s}:{dice.randint(1, 3)}" for s in SKILLS if dice.random() < 0.3]
                cursor.execute(
                    "INSERT INTO staff (id, name, role, endpoint_kind, identity, languages, lines,"
                    " skills, created_at) VALUES (%s, %s, 'counsellor', 'browser', %s, %s, %s, %s,"
                    " now())",
                    (
                        who,
                        f"c{n}",
                        f"c_{n}",
                        dice.sample(LANGUAGES, dice.randint(1, 2)),
                        [f"+3811110000{dice.randrange(_LINES)}"],
                        skills,
                    ),
                )
                cursor.execute(
                    "INSERT INTO shifts (id, counsellor_id, starts_at, minutes, timezone,"
                    " first_on, created_at) VALUES (%s, %s, '00:00', 1440, 'UTC', '2020-01-01',"
                    " now())",
                    (uuid4(), who),
                )
                cursor.execute(
                    "INSERT INTO presences (counsellor_id, state, telephone, since, idle_since,"
                    " heartbeat_at) VALUES (%s, 'break', 'ready', now(), now(), now())",
                    (who,),
                )
    return ids


def _queue(url: str, size: int, dice: random.Random) -> None:
    """Add waiting callers who arrived over the last hour."""
    with psycopg.connect(as_role(url, SUPERUSER), autocommit=True) as connection:
        connection.execute("DELETE FROM offers")
        connection.execute("UPDATE calls SET state = 'ended', outcome = 'lost', ended_at = now()")
        lines = [r[0] for r in connection.execute("SELECT id FROM lines").fetchall()]
        with connection.cursor() as cursor:
            for _ in range(size):
                wanted = [f"{dice.choice(SKILLS)}:{dice.randint(1, 2)}"]
                cursor.execute(
                    "INSERT INTO calls (id, provider_sid, line_id, state, language, caller_kind,"
                    " opened_at, queued_at, heard_at, wanted_skills) VALUES"
                    " (%s, %s, %s, 'queued', %s, 'withheld', %s, %s, now(), %s)",
                    (
                        uuid4(),
                        f"CA{uuid4().hex}",
                        dice.choice(lines),
                        dice.choice(LANGUAGES),
                        *[_ago(dice)] * 2,
                        wanted if dice.random() < 0.2 else [],
                    ),
                )
        connection.execute("ANALYZE calls")


def _ago(dice: random.Random) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=dice.uniform(1, 3600))


async def _rounds(
    stage: Stage, url: str, crew: list[UUID], dice: random.Random
) -> tuple[float, float, float]:
    """Return the medians of a match, of the floor and of the statements, measured in turns."""
    engine = stage.ground.database.engine.sync_engine
    sent = 0

    def count(*_: Any) -> None:
        nonlocal sent
        sent += 1

    event.listen(engine, "before_cursor_execute", count)
    times: list[float] = []
    floors: list[float] = []
    statements: list[int] = []
    try:
        for n in itertools.count():
            if len(times) == ROUNDS:
                break
            who = dice.choice(crew)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(
                    "UPDATE presences SET state = 'available' WHERE counsellor_id = %s", (who,)
                )
            before, began = sent, time.perf_counter()
            async with transaction(stage.ground, PROGRAM) as work:
                offered = (await match_once(work))[Claimed.OFFERED]
            took = time.perf_counter() - began
            # In a short queue no caller may fit this counsellor: try another.
            if offered and n >= 3:
                # The first rounds only fill the process's memory.
                times.append(took * 1000)
                statements.append(sent - before)
                floors.append(await _floor(stage, who) * 1000)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("UPDATE presences SET state = 'break'")
                connection.execute("DELETE FROM offers")
                connection.execute("UPDATE calls SET state = 'queued' WHERE state = 'offered'")
    finally:
        event.remove(engine, "before_cursor_execute", count)
    return statistics.median(times), statistics.median(floors), statistics.median(statements)


async def _floor(stage: Stage, who: UUID) -> float:
    """Lock two rows by key, write one, commit."""
    async with stage.ground.database.sessions() as session:
        found = await session.execute(text("SELECT id FROM calls LIMIT 1"))
        call_id = found.scalar_one()
        await session.rollback()
        began = time.perf_counter()
        async with session.begin():
            await session.execute(
                text("SELECT 1 FROM calls WHERE id = :id FOR UPDATE SKIP LOCKED"), {"id": call_id}
            )
            await session.execute(
                text("SELECT 1 FROM presences WHERE counsellor_id = :id FOR UPDATE SKIP LOCKED"),
                {"id": who},
            )
            await session.execute(
                text(
                    "INSERT INTO holidays (held_on, name) VALUES ('2000-01-01', 'x')"
                    " ON CONFLICT (held_on) DO UPDATE SET name = 'x'"
                )
            )
        return time.perf_counter() - began


def _days() -> None:
    """Compare the mean waits of many simulated days with Erlang's for the same staff."""
    aht = 180.0
    for staff, load in ((5, 3.5), (12, 10.0), (20, 17.0)):
        rate = load * 3600 / aht
        day = simulate(rate, aht, staff, calls=400_000)
        wanted = erlang_c(rate, 3600, aht, staff, 20)
        assert wanted is not None
        _compare(
            f"mean wait, {staff} counsellors, {load:g} erlangs, against Erlang C",
            day.mean_wait,
            wanted.mean_wait,
        )
        report(
            f"longest overlooked wait, {staff} counsellors",
            day.longest_overlooked,
            None,
            "s",
            1.0,
            at_least=False,
        )
        report(f"fairness (Jain), {staff} counsellors", day.fairness, None, "of 1", 0.95)
    for staff, load in ((8, 10.0), (10, 10.0), (14, 10.0)):
        rate = load * 3600 / aht
        day = simulate(rate, aht, staff, calls=400_000, patience=120)
        expected = erlang_a(rate, 3600, aht, staff, 20, 120)
        words = f"{staff} counsellors, {load:g} erlangs, patience 120 s, against Erlang A"
        _compare(f"mean wait, {words}", day.mean_wait, expected.mean_wait)
        _compare(f"share that gave up, {words}", day.abandoned, expected.abandoned)


def _compare(measure: str, ours: float, theirs: float) -> None:
    """Report two figures and their difference; the target is at most 5 %."""
    report(measure, ours, theirs, "s" if "wait" in measure else "share", None)
    report(f"{measure}: off by", abs(ours / theirs - 1), None, "share", 0.05, at_least=False)
