"""A crowd of strangers takes no connection to the database from the telephone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pyotp
import pytest

import app.work
from app.database.engine import open_database
from app.demo.stage import Stage, stage_on
from app.demo.writing import a_child
from app.jobs.transaction import transaction
from app.staff import accounts, second_factor
from app.staff.roles import Role
from app.web.limits import Limiter
from app.web.sign_in import signing_in
from app.work import PROGRAM
from tests.support.profile import by_day

CROWD = 10
PASSWORD = "correct horse battery"


class Held:
    """Requests that are held at one place until they are let go."""

    def __init__(self) -> None:
        self._count = 0
        self.all, self.go = asyncio.Event(), asyncio.Event()

    async def hold(self) -> None:
        self._count += 1
        if self._count == CROWD:
            self.all.set()
        await self.go.wait()


@pytest.fixture
async def small(
    database: str, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    """A stage whose server has two connections for its requests."""
    monkeypatch.setattr(app.work, "open_database", partial(open_database, pool_size=2, more=0))
    async with stage_on(database) as stage:
        await stage.add_line()
        yield stage


async def _sign_in(stage: Stage, name: str, password: str, code: str = "") -> int:
    url = f"{stage.settings.public_url}/api/v1/session"
    body = {"username": name, "password": password, "code": code}
    return int((await stage.client.post(url, json=body)).status_code)


async def opens(
    stage: Stage, held: Held, patch: pytest.MonkeyPatch
) -> Callable[[int], Awaitable[int]]:
    """Children open conversations, and are slowed down."""
    await stage.let_write()

    async def slow_down(*_: Any) -> None:
        await held.hold()

    async def one(_: int) -> int:
        return (await a_child(stage).open()).status_code

    patch.setattr(Limiter, "slow_down", slow_down)
    return one


async def passwords(
    stage: Stage, held: Held, patch: pytest.MonkeyPatch
) -> Callable[[int], Awaitable[int]]:
    """Passwords are guessed, and wait until they are compared."""

    async def is_right(*_: Any) -> bool:
        await held.hold()
        return False

    async def one(number: int) -> int:
        return await _sign_in(stage, f"who{number}", "a guess")

    patch.setattr(signing_in, "password_is_right", is_right)
    return one


async def codes(
    stage: Stage, held: Held, patch: pytest.MonkeyPatch
) -> Callable[[int], Awaitable[int]]:
    """Codes of a person whose password is known are guessed, and slowed down."""
    async with transaction(stage.ground, PROGRAM) as work:
        mira = await accounts.add_staff(work, name="mira", role=Role.COUNSELLOR, password=PASSWORD)
        telephone = pyotp.TOTP((await second_factor.begin(work, mira)).secret)
        await second_factor.confirm(work, mira, telephone.at(work.now))

    async def slow_down(limiter: Limiter, item: Any, *of: str) -> None:
        if of[0] == "code":
            await held.hold()

    async def one(number: int) -> int:
        return await _sign_in(stage, "mira", PASSWORD, f"{number:06}")

    patch.setattr(Limiter, "slow_down", slow_down)
    return one


async def proofs(
    stage: Stage, held: Held, patch: pytest.MonkeyPatch
) -> Callable[[int], Awaitable[int]]:
    """A signed-in person's proofs are guessed, and slowed down."""
    ana = await stage.add_counsellor("ana", state=None)

    async def slow_down(limiter: Limiter, item: Any, *of: str) -> None:
        await held.hold()

    async def one(_: int) -> int:
        return int((await ana.ask("POST", "/me/proof", {"proof": "a guess"})).status_code)

    patch.setattr(Limiter, "slow_down", slow_down)
    return one


@pytest.mark.parametrize(
    ("begin", "status"), by_day([(opens, 201), (passwords, 401), (codes, 401), (proofs, 422)], 2)
)
async def test_a_webhook_is_answered_while_a_crowd_waits(
    small: Stage, monkeypatch: pytest.MonkeyPatch, begin: Any, status: int
) -> None:
    held = Held()
    one = await begin(small, held, monkeypatch)
    crowd = [asyncio.create_task(one(number)) for number in range(CROWD)]
    await asyncio.wait_for(held.all.wait(), 60)
    leg = small.ring()
    try:
        await small.until(lambda: leg.has_heard("Srpski: pritisni"))
    finally:
        held.go.set()
    assert {await answer for answer in crowd} == {status}
