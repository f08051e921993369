"""How many statements one drawing of a desk costs: each change of a talk draws it again."""

import pytest

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from tests.support.kept.statements import statements
from tests.support.referrals import page
from tests.support.talks import talk


async def statements_of(
    stage: Stage, who: Counsellor, path: str, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Return the statements that a page sends, once the process is warm: by its session, and by the
    driver alone (`app/database/quick.py`)."""
    await page(stage, who, path)
    with statements(monkeypatch) as sent:
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
