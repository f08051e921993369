"""A helpline on which hundreds of days have been lived, for tests that count."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import psycopg
import pytest

from app.database.engine import open_database
from app.database.own_server import as_role
from app.database.roles import OWNER, PROGRAM, SUPERUSER
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage, stage_on
from app.demo.stepped_clock import SteppedClock
from app.staff.roles import Role
from tests.support.people import person
from tests.support.program.quiet import quiet_stage_on
from tests.support.random_life.days import BEGINS, DAYS, keep_all, lived
from tests.support.random_life.life import Life

_LIVES: dict[str, Life] = {}


@pytest.fixture(scope="session")
def lived_through(server: str) -> Iterator[str]:
    """A database for these days; the first test that needs it fills it."""
    url = as_role(server.replace("/postgres?", "/life?"), PROGRAM)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE life TEMPLATE template_helpline OWNER {OWNER}")
        yield url
        connection.execute("DROP DATABASE life WITH (FORCE)")


def _settle(url: str) -> None:
    """Let nothing that another test left matter to the next.

    No message of these days waits: its alarm would ring on through tests that skip days. These days
    are over on the machine's clock as well, so each next turn would be due at once.
    """
    with psycopg.connect(as_role(url, SUPERUSER), autocommit=True) as connection:
        connection.execute("UPDATE chat_codes SET done_at = waits_since WHERE done_at IS NULL")
        connection.execute("UPDATE offers SET kept_on_desk = false WHERE kept_on_desk")
        # What another test has asked of the figures counts against no budget of this one.
        connection.execute("DELETE FROM asked_tables")
        connection.execute("DELETE FROM asked_by_persons")
        # What was deferred where no worker is would be carried out where one is.
        connection.execute("DELETE FROM procrastinate_jobs WHERE status = 'todo'")


@pytest.fixture
async def life(lived_through: str, anyio_backend: str) -> AsyncIterator[Life]:
    """The days, with a ground to count on."""
    if lived_through not in _LIVES:
        one = await lived(lived_through, BEGINS, DAYS, calls=5, seed=7)
        await one.work.session.close()
        await one.ground.database.close()
        _settle(lived_through)
        _LIVES[lived_through] = one
    one = _LIVES[lived_through]
    # Closed after the test before.
    one.ground = replace(one.ground, database=open_database(lived_through), kept={})
    one.work.ground = one.ground
    yield one
    await one.ground.database.close()


@pytest.fixture
async def house(life: Life, lived_through: str) -> AsyncIterator[Stage]:
    """The pages and the API on the evening of the last of these days, without what others left."""
    _settle(lived_through)
    await keep_all(life)
    async with quiet_stage_on(lived_through, life.now, lines=True) as stage:
        yield stage


@pytest.fixture
async def busy_house(life: Life, lived_through: str) -> AsyncIterator[Stage]:
    """The whole program on that evening: for files that its worker makes."""
    _settle(lived_through)
    async with stage_on(lived_through, clock=SteppedClock(life.now)) as stage:
        yield stage


@pytest.fixture
async def boss(house: Stage) -> Counsellor:
    return await person(house, "boss", Role.ADMINISTRATOR)
