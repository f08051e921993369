"""From an empty database: the first administrator, by a code of the program."""

import asyncio
import re
from collections.abc import AsyncIterator
from html import unescape

import pytest

from app.demo.stage import Stage, stage_on
from app.jobs.transaction import transaction
from app.people.setting_up import first_administrator
from app.privacy import codes
from app.work import PROGRAM


@pytest.fixture
async def empty(database: str, anyio_backend: str) -> AsyncIterator[Stage]:
    """The helpline as it is after its installation: no account, no line."""
    async with stage_on(database) as made:
        yield made


async def _code(stage: Stage) -> str:
    async with transaction(stage.ground, PROGRAM) as work:
        return await first_administrator.code_of(work)


async def _set_up(stage: Stage, code: str, name: str = "Mila") -> tuple[int, str, str]:
    sent = await stage.client.post(
        f"{stage.settings.public_url}/setup",
        data={"code": code, "name": name},
        follow_redirects=False,
    )
    return sent.status_code, sent.headers.get("location", ""), unescape(sent.text)


async def test_the_first_administrator_needs_the_code_of_the_program(empty: Stage) -> None:
    base = empty.settings.public_url
    shown = await empty.client.get(f"{base}/login", follow_redirects=False)
    assert (shown.status_code, shown.headers["location"]) == (303, "/setup")
    status, _, said = await _set_up(empty, "aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa")
    assert (status, "This is not the code." in said) == (200, True)
    assert 'value="Mila"' in said, "what was typed stays"
    assert await empty.rows("SELECT 1 FROM staff") == []
    code = await _code(empty)
    assert await _code(empty) == code, "every process says the same"
    (kept,) = await empty.rows("SELECT code_sealed FROM set_up_codes")
    sealed = bytes(kept["code_sealed"])
    assert code.encode() not in sealed
    assert codes.plain(code).encode() not in sealed
    # As people type it.
    status, link, _ = await _set_up(empty, f" {code.upper()} ".replace("-", " "))
    assert status == 303
    assert re.fullmatch(rf"{base}/welcome#[\w-]+", link)
    (made,) = await empty.rows("SELECT name, role, password_hash FROM staff")
    assert made == {"name": "Mila", "role": "administrator", "password_hash": None}
    # From now on the code opens nothing.
    assert await empty.rows("SELECT 1 FROM set_up_codes") == []
    assert (await _set_up(empty, code, "Eve"))[:2] == (303, "/login")
    gone = await empty.client.get(f"{base}/setup", follow_redirects=False)
    assert gone.headers["location"] == "/login"
    assert len(await empty.rows("SELECT 1 FROM staff")) == 1


async def test_of_two_at_once_one_is_first(empty: Stage) -> None:
    code = await _code(empty)
    done = await asyncio.gather(*(_set_up(empty, code, name) for name in ("Mila", "Eve", "Ana")))
    assert sorted("/welcome#" in link for _, link, _ in done) == [False, False, True]
    assert len(await empty.rows("SELECT 1 FROM staff")) == 1


async def test_guesses_of_the_code_are_few(empty: Stage) -> None:
    answers = [
        (await _set_up(empty, f"aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaa{n:02}"))[0] for n in range(12)
    ]
    assert answers == [200] * 10 + [429] * 2
