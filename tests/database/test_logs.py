"""The logs can only grow, and a forger is found out."""

import asyncio

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from app.database.engine import for_sqlalchemy
from app.database.own_server import as_role
from app.database.roles import SUPERUSER
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff.audit import write_reading
from app.staff.log_checks.chains import verify_chains
from app.staff.log_kinds import AuditLog
from app.work import PROGRAM
from tests.support.talks import talk


async def broken(stage: Stage) -> dict[str, list[int | str]]:
    async with stage.ground.database.sessions() as session:
        return {r.table: r.broken for r in await verify_chains(session) if r.broken}


async def test_rows_can_be_neither_changed_nor_deleted(stage: Stage) -> None:
    await talk(stage, await stage.add_counsellor("ana"))
    for table in ("call_events", "audit_entries", "presence_changes"):
        for verb in (f"UPDATE {table} SET at = now()", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises(psycopg.errors.RestrictViolation):
                await stage.rows(verb)


FORGERIES = (
    (
        "UPDATE call_events SET kind = 'x' WHERE id = (SELECT min(id) + 2 FROM call_events)",
        "call_events",
    ),
    ("DELETE FROM call_events WHERE id = (SELECT min(id) + 2 FROM call_events)", "call_events"),
    (
        "DELETE FROM call_events WHERE id = (SELECT max(id) FROM call_events)",
        "calls_without_events",
    ),
    (
        "UPDATE audit_entries SET action = 'x' WHERE id = (SELECT max(id) FROM audit_entries)",
        "audit_entries",
    ),
    (
        "DELETE FROM audit_entries WHERE id = (SELECT min(id) FROM audit_entries)",
        "audit_entries",
    ),
)


async def test_a_change_past_the_triggers_breaks_the_chain(stage: Stage) -> None:
    await talk(stage, await stage.add_counsellor("ana"))
    assert await broken(stage) == {}
    url = as_role(stage.ground.database.url, SUPERUSER)
    engine = create_async_engine(for_sqlalchemy(url))
    for forgery, table in FORGERIES:
        async with AsyncSession(engine) as session:
            await session.execute(text("SET LOCAL session_replication_role = replica"))
            await session.execute(text(forgery))
            found = [r.table for r in await verify_chains(session) if r.broken]
            await session.rollback()
        assert table in found, forgery
    await engine.dispose()
    assert await broken(stage) == {}


async def test_the_log_is_numbered_without_gaps(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana", state=None)
    await asyncio.gather(*(ana.ask("POST", "/contacts/search", {"name": "x"}) for _ in range(30)))
    rows = await stage.rows("SELECT id FROM audit_entries ORDER BY id")
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))


async def test_readings_that_share_a_statement_are_chained_in_their_order(stage: Stage) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        await asyncio.gather(
            *(
                write_reading(work, AuditLog.RECORDS_LISTED, f"s{n}", ids=[str(n)])
                for n in range(20)
            )
        )
        at = work.now
    rows = await stage.rows("SELECT * FROM audit_entries WHERE subject LIKE 's%%' ORDER BY id")
    assert [row["subject"] for row in rows] == [f"s{n}" for n in range(20)]
    assert [row["detail"] for row in rows] == [{"ids": [str(n)]} for n in range(20)]
    assert {row["at"] for row in rows} == {at}
    # The first goes alone; the others have waited for it and share one transaction.
    writers = await stage.rows("SELECT DISTINCT xmin::text FROM audit_entries WHERE id > 1")
    assert len(writers) < 20
    assert await broken(stage) == {}


async def test_the_server_logs_no_value_that_it_refused(stage: Stage) -> None:
    """It quotes what it cannot read, and shows the row that does not fit."""
    names = "log_min_messages", "log_min_error_statement", "log_error_verbosity"
    found = {name: (await stage.rows(f"SHOW {name}"))[0][name] for name in names}
    assert found == dict(zip(names, ("log", "panic", "terse"), strict=True))
