"""`helpline bench referrals`: how late deadlines are noticed with a full load, on one worker.

Ten thousand urgent referrals wait for an agency, each with its deadlines and their jobs. Five
hundred of the deadlines fall due within a minute, and a hundred more in the same second. A breach
does everything: the row and its log entry, notices, and the offer of the referral to the next
agency. The measure is the time from the due moment of a deadline to the row that records it.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg

from app.clock import SystemClock
from app.database.embedded import EmbeddedPostgres
from app.database.own_server import as_role
from app.database.roles import SUPERUSER
from app.database.running import make_ready
from app.demo.bench.processes import environment_of
from app.demo.results import report
from app.demo.served import free_port
from app.demo.stage import stage_on
from app.jobs.names import Queue, Task
from app.jobs.transaction import transaction
from app.privacy.keys import Keys
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry
from app.referrals.models import Referral
from app.referrals.scopes import lock_referral
from app.work import PROGRAM

OPEN, SPREAD, AT_ONCE = 10_000, 500, 100
_SECONDS = 60
# Until the first deadline is due: the worker has started by then.
_LEAD = 12


def run_referrals_bench() -> None:
    """Fill the tables, let a minute pass, report."""
    with (
        tempfile.TemporaryDirectory(prefix="hl", dir="/tmp") as folder,
        EmbeddedPostgres(Path(folder)) as server,
    ):
        make_ready(server.url, server.owner_url)
        referral_id, copies = asyncio.run(_one_referral(server.url))
        _fill(server.url, referral_id, copies)
        _measure(server.url)


async def _one_referral(url: str) -> tuple[str, list[tuple[UUID, bytes]]]:
    """Open a referral like any other. Return its id, and the id of each copy with its services."""
    async with stage_on(url, clock=SystemClock()) as stage:
        ana = await stage.add_counsellor("ana", state=None)
        for code in ("first", "second"):
            async with transaction(stage.ground, PROGRAM) as work:
                entry = Entry(
                    code=code,
                    name=code,
                    sector="shelter",
                    services=("shelter",),
                    webhook_url="http://127.0.0.1:9/",
                )
                await save_agency(work, entry)
        consent = {"given_by": "child", "scope": ["services"]}
        body = {"urgency": "urgent", "services": ["shelter"], "consent": consent, "send": True}
        made = await ana.ask("POST", "/referrals", body)
        async with transaction(stage.ground, PROGRAM) as work:
            copies = _for_copies(work.keys, await lock_referral(work, made.json()["id"]))
        return str(made.json()["id"]), copies


def _for_copies(keys: Keys, referral: Referral) -> list[tuple[UUID, bytes]]:
    """Return new ids, each with the services that the referral asks for, sealed for that row."""
    body = keys.open(
        referral.services_sealed, table="referrals", column="services_sealed", row=referral.id
    )
    ids = [uuid4() for _ in range(OPEN)]
    return [
        (row, keys.seal(body, table="referrals", column="services_sealed", row=row)) for row in ids
    ]


def _fill(url: str, referral_id: str, copies: list[tuple[UUID, bytes]]) -> None:
    """Copy it ten thousand times, each with its own deadlines and their waiting jobs."""
    with psycopg.connect(as_role(url, SUPERUSER), autocommit=True) as connection:
        names = [
            row[0]
            for row in connection.execute(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_name = 'referrals' ORDER BY ordinal_position"
            )
        ]
        shown = ", ".join(
            {
                "id": "c.id",
                "code": "'R-' || n",
                "services_sealed": "c.sealed",
                "recipient_id": "gen_random_uuid()",
                "escalates_at": "now() + interval '1 day'",
            }.get(name, f"r.{name}")
            for name in names
        )
        connection.execute("DELETE FROM procrastinate_jobs WHERE status = 'todo'")
        with connection.transaction():
            connection.execute(
                f"INSERT INTO referrals ({', '.join(names)}) SELECT {shown}"
                " FROM referrals r, unnest(%s::uuid[], %s::bytea[]) WITH ORDINALITY"
                " AS c (id, sealed, n) WHERE r.id = %s",
                (*map(list, zip(*copies, strict=True)), referral_id),
            )
            connection.execute(
                "INSERT INTO deadlines (id, referral_id, kind, started_at, due_at)"
                " SELECT gen_random_uuid(), r.id, c.kind, now(), now() + interval '1 day'"
                " FROM referrals r, deadlines c WHERE c.referral_id = %s AND r.id <> %s",
                (referral_id, referral_id),
            )
            for table, given in (
                ("recipients", {"id": "r.recipient_id", "referral_id": "r.id"}),
                ("consents", {"id": "gen_random_uuid()", "referral_id": "r.id"}),
            ):
                _copy(connection, table, given, referral_id)
        begins = datetime.now(UTC) + timedelta(seconds=_LEAD)
        connection.execute(
            "WITH chosen AS (SELECT id, row_number() OVER () AS n FROM deadlines"
            " WHERE kind = 'acknowledge' AND referral_id <> %s LIMIT %s)"
            " UPDATE deadlines c SET due_at = %s::timestamptz + CASE WHEN n <= %s"
            " THEN interval '30 seconds' ELSE make_interval(secs => n::float * %s / %s) END"
            " FROM chosen WHERE chosen.id = c.id",
            (referral_id, SPREAD + AT_ONCE, begins, AT_ONCE, _SECONDS, SPREAD + AT_ONCE),
        )
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at)"
            " SELECT %s, %s, jsonb_build_object('deadline_id', id), due_at FROM deadlines",
            (Queue.DEFAULT.value, Task.DEADLINE.value),
        )
        connection.execute("ANALYZE")


def _copy(
    connection: psycopg.Connection[Any], table: str, given: dict[str, str], referral_id: str
) -> None:
    """Copy the rows of the one referral for each of the others."""
    columns = [
        row[0]
        for row in connection.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_name = %s AND is_identity = 'NO' ORDER BY ordinal_position",
            (table,),
        )
    ]
    shown = ", ".join(given.get(name, f"t.{name}") for name in columns)
    connection.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {shown}"
        f" FROM {table} t, referrals r WHERE t.referral_id = %s AND r.id <> %s",
        (referral_id, referral_id),
    )


def _measure(url: str) -> None:
    environment = environment_of(url, f"http://127.0.0.1:{free_port()}")
    worker = subprocess.Popen([sys.executable, "-m", "app.cli", "worker"], env=environment)
    try:
        late, running = asyncio.run(_watch(url))
    finally:
        worker.terminate()
        worker.wait(20)
    late.sort()
    report("deadlines running", running, None, "deadlines", OPEN)
    report("deadlines that rang", len(late), None, "deadlines", SPREAD + AT_ONCE)
    report("lateness of deadlines, median", statistics.median(late), None, "seconds", None)
    p99 = late[int(len(late) * 0.99)]
    report("lateness of deadlines, p99", p99, None, "seconds", 2.0, at_least=False)
    report("lateness of deadlines, worst", late[-1], None, "seconds", None)


async def _watch(url: str) -> tuple[list[float], int]:
    """Wait until every deadline was noticed, or a minute longer than that should take."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        running = await (
            await connection.execute("SELECT count(*) FROM deadlines WHERE stopped_at IS NULL")
        ).fetchone()
        for _ in range(_LEAD + _SECONDS + 60):
            await asyncio.sleep(1)
            row = await (
                await connection.execute(
                    "SELECT count(*) FROM deadlines WHERE breached_at IS NOT NULL"
                )
            ).fetchone()
            if row is not None and row[0] >= SPREAD + AT_ONCE:
                break
        cursor = await connection.execute(
            "SELECT extract(epoch FROM breached_at - due_at) FROM deadlines"
            " WHERE breached_at IS NOT NULL"
        )
        late = [float(row[0]) for row in await cursor.fetchall()]
    assert running is not None
    return late, int(running[0])
