"""Two administrators change a line at the same time, in transactions that really race."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from app.calls.lines import chat_lines, finding_lines, line_facts
from app.calls.lines.line_use import LastLine
from app.demo.stage import LINE, Stage
from app.jobs.transaction import transaction
from app.routing import changing_plans
from app.work import PROGRAM, Work

_WAIT = (
    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
Changer = Callable[..., Coroutine[Any, Any, Any]]


async def _waits(stage: Stage, other: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Begin what has to wait for a transaction of the test, and return it when it waits."""
    task = asyncio.create_task(other)
    while not task.done() and not await stage.rows(_WAIT):
        await asyncio.sleep(0.01)
    assert not task.done(), "the second one has to wait for the first"
    return task


async def _change(work: Work, verb: Changer, **values: Any) -> None:
    (line,) = await finding_lines.all_lines(work)
    script = await finding_lines.line_of_id(work, line.id)
    assert script is not None
    await verb(work, script, **values)


@pytest.mark.parametrize(
    ("part", "verb", "first", "second"),
    [
        ("plan", changing_plans.change_plan, {"backup_after": 20}, {"longest_wait": 200}),
        ("chat", chat_lines.change_chat, {"at_once": 2}, {"title": "Weather"}),
    ],
)
async def test_two_changes_of_a_line_at_once_both_stay(
    stage: Stage, part: str, verb: Changer, first: dict[str, Any], second: dict[str, Any]
) -> None:
    async def other() -> None:
        async with transaction(stage.ground, PROGRAM) as work:
            await _change(work, verb, **second)

    async with transaction(stage.ground, PROGRAM) as work:
        await _change(work, verb, **first)
        waits = await _waits(stage, other())
    await waits
    (row,) = await stage.rows(f"SELECT {part} AS kept FROM lines")
    assert row["kept"] == {**row["kept"], **first, **second}


async def test_of_two_lines_that_become_practice_at_once_one_stays_real(stage: Stage) -> None:
    await stage.add_line("+381113334444", "sr", "Druga linija")

    async def becomes_practice(work: Work, number: str) -> None:
        line = await finding_lines.line_of_number(work, number)
        assert line is not None
        await line_facts.change_facts(work, line, practice=True)

    async def other() -> None:
        async with transaction(stage.ground, PROGRAM) as work:
            await becomes_practice(work, "+381113334444")

    async with transaction(stage.ground, PROGRAM) as work:
        await becomes_practice(work, LINE)
        waits = await _waits(stage, other())
    with pytest.raises(LastLine):
        await waits
    assert len(await stage.rows("SELECT FROM lines WHERE active AND NOT practice")) == 1
