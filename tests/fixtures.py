"""A real PostgreSQL for every test: one server per process, a database per test that commits."""

import contextlib
import functools
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.embedded import EmbeddedPostgres, folder_of
from app.database.own_server import as_role
from app.database.roles import OWNER, SUPERUSER
from app.database.roles import PROGRAM as PROGRAM_ROLE
from app.database.running import make_ready
from app.demo.stage import (
    ACCOUNT,
    API_KEY,
    MONDAY,
    PASSWORD_ALONE,
    TOKEN,
    Stage,
    stage_on,
)
from app.demo.stepped_clock import SteppedClock
from app.log import set_up_logging
from app.retention.data_requests.reminding import late_requests
from app.safekeeping.notices import also_late
from app.settings import Settings
from app.staff.audit import append
from app.web.limits import Limiter
from app.work import PROGRAM, Work, make_ground
from tests.support.kept.connections import crowded, kept_on, left_behind
from tests.support.kept.databases import database_for_a_test, let_go, named, put_back
from tests.support.kept.places import short_folder
from tests.support.kept.sharing import shared_between_stages
from tests.support.kept.template import made_or_copied
from tests.support.leaks.deferred import deferred_jobs_kept, take_unfit
from tests.support.mail import Mail, mail
from tests.support.profile import WHOLE
from tests.support.program.loops import BACKEND
from tests.support.program.quiet import QuietStage, quiet_stage_on
from tests.support.program.seldom import each_quarter_only, keep_no_days, not_before_the_first_ring


@pytest.fixture(scope="session", autouse=True)
def _sharing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    mine = tmp_path_factory.getbasetemp()
    # The folder of a process is in that of the whole run.
    folder = (mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / "templates"
    folder.mkdir(exist_ok=True)
    with shared_between_stages(folder), deferred_jobs_kept():
        yield


@pytest.fixture(autouse=True)
def _jobs_say_nothing() -> Iterator[None]:
    """No job of this test was deferred with anything but ids, counts, instants and codes."""
    yield
    assert take_unfit() == [], "in the queue, in clear"


@pytest.fixture(scope="session", autouse=True)
def _no_pauses() -> None:
    """Guesses are slowed down by real time, which tests have better uses for."""
    Limiter.pause_seconds = 0.0


@pytest.fixture(scope="session", autouse=True)
def _watched() -> None:
    """What a stage looks at or sets right itself, it does as the superuser of the database."""
    Stage.watched_as = staticmethod(lambda url: as_role(url, SUPERUSER))


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return BACKEND


@pytest.fixture(autouse=True)
def _log_of_this_test() -> None:
    """Log to the standard error of this test: that of the test before may be closed by now."""
    set_up_logging("ERROR")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server whose database `template_helpline` is migrated, as its superuser."""
    with tempfile.TemporaryDirectory(prefix="hl", dir=short_folder()) as name:
        folder = Path(name)
        made_or_copied(
            partial(_make_template, folder), folder_of(folder), tmp_path_factory.getbasetemp()
        )
        with EmbeddedPostgres(folder) as postgres, kept_on(postgres.url):
            yield postgres.superuser_url
            let_go(postgres.superuser_url)
        assert crowded() == [], "connections that are left open, or a stage that takes too many"


def _make_template(folder: Path) -> None:
    with EmbeddedPostgres(folder) as postgres:
        with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
            # The tests' data may be lost with the machine; theirs alone.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET synchronous_commit = off")
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            # Tables stay small. To plan a statement for each value takes more than any plan saves,
            connection.execute("ALTER SYSTEM SET plan_cache_mode = force_generic_plan")
            # and to look after tables takes more than the dead rows of a few tests.
            connection.execute("ALTER SYSTEM SET autovacuum = off")
            # As with a server that is not the program's own.
            connection.execute("ALTER SYSTEM SET max_slot_wal_keep_size = -1")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(f"CREATE DATABASE template_helpline OWNER {OWNER}")
        make_ready(
            named(postgres.url, "template_helpline"), named(postgres.owner_url, "template_helpline")
        )


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with an empty database: to make one takes longer than to copy it."""
    # Which processes start programs is looked up when the first of them is started.
    from tests.support.processes import Program

    with tempfile.TemporaryDirectory(prefix="hlv", dir=short_folder()) as name:
        program = Program(Path(name))
        run = tmp_path_factory.getbasetemp()
        made_or_copied(partial(_migrate_by_command, program), program.data_dir, run, "migrated")
        program.log.close()
        yield program.data_dir


def _migrate_by_command(program: Any) -> None:
    done = program.run("migrate")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def database(server: str) -> Iterator[str]:
    """A migrated and empty database for this test alone, as the program's role."""
    name = database_for_a_test(server)
    left_behind()
    yield as_role(named(server, name), PROGRAM_ROLE)
    put_back(server, name)
    assert left_behind() == [], "left on a connection of a pool"


@pytest.fixture(scope="session")
def rolled_back(server: str) -> Iterator[str]:
    """A migrated database in which nothing is ever committed."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE rolled_back TEMPLATE template_helpline OWNER {OWNER}")
        with psycopg.connect(named(server, "rolled_back"), autocommit=True) as inside:
            inside.execute(PASSWORD_ALONE)
        yield as_role(named(server, "rolled_back"), PROGRAM_ROLE)
        connection.execute("DROP DATABASE rolled_back WITH (FORCE)")


class Held:
    """A database that holds a situation for the tests of it, one after the other."""

    def __init__(self, server: str) -> None:
        self.server, self.name = server, ""
        self.written: Any = None

    @property
    def url(self) -> str:
        return as_role(named(self.server, self.name), PROGRAM_ROLE)

    def empty(self) -> None:
        """Let it hold nothing. It stays the same: its connection has planned the statements."""
        self.let_go()
        self.name = database_for_a_test(self.server)

    def let_go(self) -> None:
        self.written = None
        if self.name:
            put_back(self.server, self.name)


@pytest.fixture(scope="session")
def held(server: str) -> Iterator[Held]:
    """The database of the tests with the mark `situation`; it holds one situation at a time."""
    made = Held(server)
    yield made
    made.let_go()


@pytest.fixture
async def work(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Work]:
    """One unit of work on a real database, rolled back at the end: for tests of single verbs."""
    marked = request.node.get_closest_marker("situation")
    if marked is None:
        async with _work_on(request.getfixturevalue("rolled_back")) as made:
            yield made
        return
    # To write a situation down takes half as long as most tests of it: it is done once.
    from tests.support.retention import requested, written_once

    by, found = marked.kwargs.get("by", requested.a_person), request.getfixturevalue("held")
    if found.written is None or found.written.by is not by:
        found.empty()
        async with _work_on(found.url, kept=True) as made:
            found.written = await written_once.write(made, by)
    async with _work_on(found.url) as made:
        made.ground.kept[written_once.HELD] = found.written
        yield made


@pytest.fixture
async def forger(rolled_back: str, anyio_backend: str) -> AsyncIterator[Work]:
    """The same as the superuser of the database: for tests of rows that are forged."""
    async with _work_on(as_role(rolled_back, SUPERUSER)) as made:
        yield made


class ReadingsOf:
    """Readings of a test of verbs: elsewhere each is committed by itself, here it is undone."""

    def __init__(self, work: Work) -> None:
        self.work = work

    async def write(self, entry: dict[str, Any]) -> None:
        append(self.work, entry)


@functools.cache
def _settings_on(url: str) -> Settings:
    """Return what each test has a copy of: to make them looks for every setting in each source."""
    return Settings(
        database_url=url,
        public_url="http://127.0.0.1:1",
        secret_key="practice-secret-key-practice-secret-key",
        field_keys="1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
        twilio_account_sid=ACCOUNT,
        twilio_auth_token=TOKEN,
        **API_KEY,
    )


@contextlib.asynccontextmanager
async def _work_on(url: str, *, kept: bool = False) -> AsyncIterator[Work]:
    ground = make_ground(_settings_on(url).model_copy(), SteppedClock(MONDAY))
    async with ground.database.engine.connect() as connection:
        session = AsyncSession(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )
        made = Work(session, ground.clock.now(), PROGRAM, ground)
        ground.kept["readings"] = ReadingsOf(made)
        also_late(ground, late_requests)
        yield made
        if kept:
            await session.commit()
            await connection.commit()
        await session.close()
        await connection.rollback()
    await ground.database.close()


# Figures are counted each minute, and a browser has the real clock.
_OFTEN = ("tests/statistics/", "tests/browser/")
# Stories about what the provider knows and the program does not.
_COMPARED_AT_THE_START = (
    "tests/scenarios/provider/",
    "tests/scenarios/robustness/",
    "tests/practice/",
)


@pytest.fixture
def each_minute() -> None:
    """Do each minute what production does each minute: for stories that are about it."""


@pytest.fixture(autouse=True)
def _seldom(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do each quarter of an hour what production does each minute, but for `each_minute`.

    Keep no figures of days, and compare nothing with the provider as a story begins.
    """
    names = request.fixturenames
    on_stage = "database" in names and "each_minute" not in names
    if not WHOLE and on_stage and not request.node.nodeid.startswith(_OFTEN):
        each_quarter_only(monkeypatch)
        keep_no_days(monkeypatch)
        if not request.node.nodeid.startswith(_COMPARED_AT_THE_START):
            not_before_the_first_ring(monkeypatch)


@pytest.fixture
async def stage(database: str, anyio_backend: str) -> AsyncIterator[Stage]:
    """The whole helpline with the practice exchange, on a stepped clock."""
    async with stage_on(database, wrap_up_seconds=30, long_wait_seconds=60) as made:
        await made.add_line()
        yield made
        if not getattr(made, "expects_faults", False):
            assert made.exchange.faults == []


@pytest.fixture
async def quiet(database: str, anyio_backend: str) -> AsyncIterator[QuietStage]:
    """The pages and the JSON API, as on a stage, without exchange, worker and sockets."""
    async with quiet_stage_on(database) as made:
        yield made


@pytest.fixture
async def post(anyio_backend: str) -> AsyncIterator[Mail]:
    """A real mail server."""
    async with mail() as made:
        yield made


# A run over all kinds of data costs more than most stories.
ERASED_TONIGHT = f"""
INSERT INTO erasure_nights (night, run_id, begun_at)
VALUES ('{MONDAY:%Y-%m-%d}', gen_random_uuid(), '{MONDAY:%Y-%m-%d} 01:00Z')
"""


@pytest.fixture
async def night(database: str, post: Mail, anyio_backend: str) -> AsyncIterator[Stage]:
    """A stage with a mail server, at two in the night of its town; what is due was erased."""
    clock = SteppedClock(MONDAY.replace(hour=1))
    async with stage_on(
        database, clock=clock, smtp_url=post.url, wrap_up_seconds=30, long_wait_seconds=60
    ) as made:
        await made.change_rows(ERASED_TONIGHT)
        await made.add_line()
        yield made
        if not getattr(made, "expects_faults", False):
            assert made.exchange.faults == []
