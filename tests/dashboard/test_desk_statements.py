"""How many statements one drawing of a desk costs: each change of a talk draws it again."""

from contextvars import ContextVar
from typing import Any

import psycopg
import pytest
from starlette.types import Receive, Scope, Send

from app.demo.stage import Counsellor, Stage
from tests.support.referrals import page
from tests.support.talks import talk


async def statements_of(
    stage: Stage, who: Counsellor, path: str, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Return the statements that a page sends, once the process is warm: by its session, and by the
    driver alone (`app/database/quick.py`). What others send meanwhile is not the page's."""
    sent: list[str] = []
    is_of_page: ContextVar[bool] = ContextVar("of_page", default=False)
    execute, inside = psycopg.AsyncCursor.execute, stage.app.middleware_stack
    assert inside is not None

    async def count(cursor: Any, query: Any, *rest: Any, **more: Any) -> Any:
        if is_of_page.get():
            sent.append(str(query))
        return await execute(cursor, query, *rest, **more)

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        is_of_page.set(True)
        await inside(scope, receive, send)

    await page(stage, who, path)
    with monkeypatch.context() as patched:
        patched.setattr(psycopg.AsyncCursor, "execute", count)
        patched.setattr(stage.app, "middleware_stack", named)
        await page(stage, who, path)
    return sent


async def test_a_desk_and_its_bar_are_read_with_few_statements(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await stage.add_counsellor("ana")
    await talk(stage, ana)
    assert "Contact" in (await page(stage, ana, "/board/desk")).text
    sent = {
        path: await statements_of(stage, ana, path, monkeypatch)
        for path in ("/board/desk", "/board/frame")
    }
    assert {path: len(found) for path, found in sent.items()} == {
        "/board/desk": 4,
        "/board/frame": 1,
    }, sent
