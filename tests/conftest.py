"""A real PostgreSQL for every test: one server per process, a database per test that commits."""

import inspect
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from xdist.scheduler import LoadScopeScheduling

from app.clock import SteppedClock
from app.database.embedded import EmbeddedPostgres
from app.database.migrate import migrate
from app.demo.stage import MONDAY, Stage, stage_on
from app.log import set_up_logging
from tests.empty_database import database_for_a_test, put_back
from tests.scenarios.helpline import Mail, mail

# These start servers and databases of their own.
_OWN_PROCESSES = ("test_outages", "test_kill", "test_replace")
_LONG = ("statistics", "test_hour", "test_outages", "test_kill", "test_anything", "test_replace")


@pytest.fixture(scope="session", autouse=True)
def _quiet() -> None:
    set_up_logging("ERROR")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return ("asyncio", {"use_uvloop": True})


class _Scheduler(LoadScopeScheduling):  # type: ignore[misc]
    """Every test by itself, to whichever process is free; those of statistics to one of them.

    Hundreds of lived days take a minute to make: one process makes them and uses them.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "statistics" if nodeid.startswith("tests/statistics/") else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Scheduler:
    return _Scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        own = any(name in item.nodeid for name in _OWN_PROCESSES)
        if own or "server" in getattr(item, "fixturenames", ()):
            # The rest is rules without a database: `scripts/test --fast`.
            item.add_marker(pytest.mark.whole)
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
            item.add_marker(pytest.mark.anyio)
    # What takes long begins first, so that no process is left with it at the end.
    items.sort(key=lambda item: not any(name in item.nodeid for name in _LONG))


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a server whose database `template_helpline` is migrated."""
    with (
        tempfile.TemporaryDirectory(prefix="hl", dir="/tmp") as folder,
        EmbeddedPostgres(Path(folder)) as postgres,
    ):
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            # The tests' data may be lost with the machine; theirs alone.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET synchronous_commit = off")
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE template_helpline")
        migrate(_named(postgres.url, "template_helpline"))
        yield postgres.url


def _named(url: str, name: str) -> str:
    return url.replace("/postgres?", f"/{name}?")


@pytest.fixture
def database(server: str) -> Iterator[str]:
    """A migrated and empty database for this test alone."""
    name = database_for_a_test(server)
    yield _named(server, name)
    put_back(server, name)


@pytest.fixture
async def stage(database: str, anyio_backend: str) -> AsyncIterator[Stage]:
    """The whole helpline with the practice exchange, on a stepped clock."""
    async with stage_on(database, wrap_up_seconds=30, long_wait_seconds=60) as made:
        await made.add_line()
        yield made
        if not getattr(made, "expects_faults", False):
            assert made.exchange.faults == []


@pytest.fixture
async def post(anyio_backend: str) -> AsyncIterator[Mail]:
    """A real mail server."""
    async with mail() as made:
        yield made


@pytest.fixture
async def night(database: str, post: Mail, anyio_backend: str) -> AsyncIterator[Stage]:
    """A stage with a mail server, at two in the night of its town."""
    clock = SteppedClock(MONDAY.replace(hour=1))
    async with stage_on(
        database, clock=clock, smtp_url=post.url, wrap_up_seconds=30, long_wait_seconds=60
    ) as made:
        await made.add_line()
        yield made
        if not getattr(made, "expects_faults", False):
            assert made.exchange.faults == []
