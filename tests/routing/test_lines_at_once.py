"""Two administrators change a line at the same time, in transactions that really race."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.calls import chat_lines, lines
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.routing import people
from app.work import PROGRAM, Work

_WAIT = (
    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
Changer = Callable[..., Awaitable[Any]]


async def _change(work: Work, verb: Changer, **values: Any) -> None:
    (line,) = await lines.all_lines(work)
    script = await lines.line_of_id(work, line.id)
    assert script is not None
    await verb(work, script, **values)


@pytest.mark.parametrize(
    ("part", "verb", "first", "second"),
    [
        ("plan", people.change_plan, {"backup_after": 20}, {"longest_wait": 200}),
        ("chat", chat_lines.change_chat, {"at_once": 2}, {"title": "Weather"}),
    ],
)
async def test_both_changes_stay(
    stage: Stage, part: str, verb: Changer, first: dict[str, Any], second: dict[str, Any]
) -> None:
    async def other() -> None:
        async with transaction(stage.ground, PROGRAM) as work:
            await _change(work, verb, **second)

    async with transaction(stage.ground, PROGRAM) as work:
        await _change(work, verb, **first)
        waits = asyncio.create_task(other())
        while not waits.done() and not await stage.rows(_WAIT):
            await asyncio.sleep(0.01)
        assert not waits.done(), "the second one has to wait for the first"
    await waits
    (row,) = await stage.rows(f"SELECT {part} AS kept FROM lines")
    assert row["kept"] == {**row["kept"], **first, **second}
