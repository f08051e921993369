"""How many statements one drawing of a desk costs: each change of a talk draws it again."""

from typing import Any

from sqlalchemy import event

from app.demo.stage import Counsellor, Stage
from tests.support.referrals import page
from tests.support.talks import talk


async def statements_of(stage: Stage, who: Counsellor, path: str) -> int:
    """Return how many statements a page sends on its session, once the process is warm."""
    sent: list[Any] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    await page(stage, who, path)
    engine = stage.ground.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        await page(stage, who, path)
    finally:
        event.remove(engine, "before_cursor_execute", count)
    return len(sent)


async def test_a_desk_and_its_bar_are_read_with_few_statements(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await talk(stage, ana)
    assert "Contact" in (await page(stage, ana, "/board/desk")).text
    assert await statements_of(stage, ana, "/board/desk") <= 3
    assert await statements_of(stage, ana, "/board/frame") <= 1
