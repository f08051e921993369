"""Erasing by rules, for tests: what is due, and what the statistics count before and after."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from app.contacts.registry import library_of
from app.definitions import in_force
from app.jobs.transaction import flush
from app.retention import running
from app.retention.kinds import DataKind
from app.retention.rules import read_rules, set_rules
from app.statistics.facts.facts import COLUMNS, facts_of
from app.statistics.facts.questions import read_questions
from app.work import Work

D = DataKind


async def erase(work: Work, kind: DataKind) -> int:
    """Erase everything of a kind that is due, batch by batch. Return how many rows that were."""
    run_id, left_out, total = uuid4(), set[UUID](), 0
    while rows := await running.erase_some(work, kind, run_id, left_out):
        total += rows
        await flush(work)
    assert left_out == set()
    return total


async def rule(work: Work, kind: DataKind, days: int | None) -> None:
    await set_rules(work, {kind: days}, at_once=True)


async def facts(work: Work) -> dict[str, Any]:
    """Count everything from the record, as the statistics do."""
    await flush(work)
    raw: Any = (await (await work.session.connection()).get_raw_connection()).driver_connection
    asked = read_questions(in_force.folder_of(work.ground))
    since, until = datetime(2020, 1, 1, tzinfo=UTC), work.now + timedelta(days=2000)
    records, columns = await facts_of(raw, since, until, library_of(work.ground), asked, work.keys)
    assert records > 0
    assert set(columns) == set(COLUMNS)
    return {name: (one.kind, one.words, one.offsets, one.data) for name, one in columns.items()}


async def row(work: Work, model: Any, row_id: Any) -> Any:
    return await work.session.get(model, row_id, populate_existing=True)


async def due_rows(work: Work, kind: DataKind) -> int:
    return (await running.due_of(work, kind, (await read_rules(work)).days[kind])).rows


async def is_erased(work: Work, kind: DataKind) -> None:
    """Erase a kind; the dry run says how much, and a second run does nothing."""
    told = await due_rows(work, kind)
    assert told >= 1
    assert await erase(work, kind) == told
    assert await due_rows(work, kind) == 0
    assert await erase(work, kind) == 0
