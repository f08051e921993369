"""The definitions that are in force are registered once."""

import asyncio

from sqlalchemy import text

from app.contacts.records import register
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.work import PROGRAM


async def test_several_processes_register_their_definitions_at_once(stage: Stage) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        await work.session.execute(text("ALTER TABLE definitions DISABLE TRIGGER append_only"))
        await work.session.execute(text("DELETE FROM definitions"))

    async def one() -> None:
        async with transaction(stage.ground, PROGRAM) as work:
            await register(work)

    await asyncio.gather(*(one() for _ in range(5)))
    assert len(await stage.rows("SELECT name FROM definitions")) >= 8
