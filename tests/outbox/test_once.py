"""A thing is sent once, whatever happens; only a side that recognises a repeat gets one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateTable
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.database.base import Base
from app.database.own_server import as_role
from app.database.roles import OWNER
from app.database.roles import PROGRAM as PROGRAM_ROLE
from app.demo.served import Served, free_port
from app.demo.stage import MONDAY
from app.demo.stepped_clock import SteppedClock
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.outbox.once import ASKS, Outgoing, send_once
from app.outbox.responses import Refused, RequestFailed, TryAgain, Uncertain
from app.outbox.rows import SentOnce
from app.outbox.states import Sending
from app.settings import Settings
from app.work import PROGRAM, Ground, Work, make_ground


class _Own(DeclarativeBase):
    type_annotation_map = Base.type_annotation_map


class Letter(SentOnce, _Own):
    """The row of this test: its table is made in the test's own database."""

    __tablename__ = "letters_of_a_test"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    wanted: Mapped[bool] = mapped_column(server_default="true")
    story: Mapped[str] = mapped_column(server_default="")


class Killed(BaseException):
    """The process dies here."""


class OtherSide:
    """A system at the other end of a real connection; `what` says how it treats what it is sent."""

    def __init__(self) -> None:
        self.port = free_port()
        self.what = ["accept"]
        self.has: list[str] = []
        self.asked = 0
        self.goes_on = asyncio.Event()
        self.app = Starlette(
            routes=[
                Route("/letters/{key}", self._take, methods=["POST"]),
                Route("/letters/{key}", self._find),
            ]
        )

    async def _take(self, request: Request) -> Response:
        key = request.path_params["key"]
        what = self.what.pop(0) if len(self.what) > 1 else self.what[0]
        match what:
            case "refuse":
                return Response(status_code=400)
            case "busy":
                return Response(status_code=429)
            case "500 and nothing done":
                return Response(status_code=500)
            case "silence and nothing done":
                await asyncio.sleep(1)
                return Response(status_code=500)
        self.has.append(key)
        match what:
            case "500 and done":
                return Response(status_code=500)
            case "silence and done":
                await asyncio.sleep(1)
            case "late":
                await self.goes_on.wait()
        return JSONResponse({"id": f"their-{key}"})

    async def _find(self, request: Request) -> Response:
        self.asked += 1
        key = request.path_params["key"]
        return JSONResponse({"id": f"their-{key}" if key in self.has else None})


class LetterOnce(Outgoing[Letter]):
    """A letter to the other side, which can be asked about it."""

    def __init__(self, key: UUID, other: OtherSide, *, seconds: float = 0.3) -> None:
        super().__init__(Task.REMIND, follow_up_id=str(key))
        self.key, self.url, self.seconds = key, f"http://127.0.0.1:{other.port}/letters", seconds
        self.dies_after_sending = False

    async def lock(self, work: Work) -> Letter | None:
        found: Letter | None = await work.session.get(
            Letter, self.key, with_for_update=True, populate_existing=True
        )
        return found

    async def prepare(self, work: Work, row: Letter) -> bool:
        if not row.wanted:
            row.sending = Sending.FAILED.value
        return row.wanted

    async def _ask(self, method: str) -> Any:
        try:
            async with httpx2.AsyncClient(trust_env=False, timeout=self.seconds) as client:
                answer = await client.request(method, f"{self.url}/{self.key}")
        except httpx2.ConnectError:
            raise TryAgain("not reached") from None
        except httpx2.HTTPError:
            raise Uncertain("no response") from None
        if answer.status_code == 429:
            raise TryAgain("busy", status=429)
        if answer.status_code >= 500:
            raise Uncertain("error", status=answer.status_code)
        if answer.status_code >= 400:
            raise Refused("no", status=answer.status_code)
        return answer.json()["id"]

    async def send(self) -> str:
        their_id = str(await self._ask("POST"))
        if self.dies_after_sending:
            raise Killed()
        return their_id

    async def find(self) -> str | None:
        found: str | None = await self._ask("GET")
        return found

    async def accepted(self, work: Work, row: Letter) -> None:
        row.story += "accepted."

    async def failed(self, work: Work, row: Letter, error: Refused | None) -> None:
        row.story += "refused." if error else "no trace."


class Repeated(LetterOnce):
    """A letter to a side that cannot be asked, and knows a repeat by its id."""

    repeat_after = timedelta(seconds=60)

    async def find(self) -> str | None:
        raise AssertionError("it cannot be asked")


@pytest.fixture
async def other(anyio_backend: str) -> AsyncIterator[OtherSide]:
    made = OtherSide()
    served = Served(made.app, made.port)
    await served.start()
    yield made
    made.goes_on.set()
    await served.stop()


@pytest.fixture
async def ground(database: str, anyio_backend: str) -> AsyncIterator[Ground]:
    made = make_ground(
        Settings(
            database_url=database,
            secret_key="practice-secret-key-practice-secret-key",
            field_keys="1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
        ),
        SteppedClock(MONDAY),
    )
    # The program's own role makes no table.
    table = CreateTable(Letter.metadata.tables[Letter.__tablename__])
    with psycopg.connect(as_role(database, OWNER), autocommit=True) as connection:
        connection.execute(str(table.compile(dialect=made.database.engine.dialect)))
        connection.execute(f"GRANT ALL ON {Letter.__tablename__} TO {PROGRAM_ROLE}")
    yield made
    with psycopg.connect(as_role(database, OWNER), autocommit=True) as connection:
        connection.execute(f"DROP TABLE {Letter.__tablename__}")
    await made.database.close()


async def wanted(ground: Ground) -> UUID:
    key = uuid4()
    async with transaction(ground, PROGRAM) as work:
        work.session.add(Letter(id=key))
    return key


async def row_of(ground: Ground, key: UUID) -> Letter:
    async with transaction(ground, PROGRAM) as work:
        found = await work.session.get(Letter, key)
    assert found is not None
    return found


async def run(ground: Ground, out: LetterOnce, times: int = 8) -> list[str]:
    """Run the job as its store does: again after each failure, a second later."""
    failures = []
    for _ in range(times):
        try:
            await send_once(ground, out)
        except RequestFailed as error:
            failures.append(type(error).__name__)
        else:
            break
        assert isinstance(ground.clock, SteppedClock)
        ground.clock.move_to(ground.clock.now() + timedelta(seconds=1))
    return failures


@pytest.mark.parametrize(
    ("what", "failures"),
    [
        (["accept"], []),
        (["silence and done"], ["Uncertain"]),
        (["500 and done"], ["Uncertain"]),
        (["busy", "busy", "accept"], ["TryAgain", "TryAgain"]),
        (["busy", "silence and done"], ["TryAgain", "Uncertain"]),
    ],
)
async def test_it_is_sent_once_whatever_the_response(
    ground: Ground, other: OtherSide, what: list[str], failures: list[str]
) -> None:
    key = await wanted(ground)
    other.what = what
    assert await run(ground, LetterOnce(key, other)) == failures
    row = await row_of(ground, key)
    assert (row.sending, row.provider_sid) == ("sent", f"their-{key}")
    assert row.story == "accepted."
    assert other.has == [str(key)]
    # The job may run again.
    assert await run(ground, LetterOnce(key, other)) == []
    assert other.has == [str(key)]


@pytest.mark.parametrize("what", ["silence and nothing done", "500 and nothing done"])
async def test_it_is_not_sent_again_when_the_other_side_has_no_trace(
    ground: Ground, other: OtherSide, what: str
) -> None:
    key = await wanted(ground)
    other.what = [what, "accept"]
    assert await run(ground, LetterOnce(key, other)) == ["Uncertain"] * ASKS
    row = await row_of(ground, key)
    assert (row.sending, row.story) == ("failed", "no trace.")
    assert other.has == []
    assert other.asked == ASKS


async def test_only_a_response_counts_as_no_trace(ground: Ground, other: OtherSide) -> None:
    """While the other side says nothing at all, it is asked again and nothing is given up."""
    key = await wanted(ground)
    other.what = ["silence and done"]
    out = LetterOnce(key, other)
    await run(ground, out, times=1)
    real, out.url = out.url, f"http://127.0.0.1:{free_port()}/letters"
    assert await run(ground, out, times=ASKS + 3) == ["TryAgain"] * (ASKS + 3)
    assert (await row_of(ground, key)).sending == "sending"
    out.url = real
    assert await run(ground, out) == []
    assert (await row_of(ground, key)).sending == "sent"
    assert other.has == [str(key)]


async def test_a_refused_letter_is_not_sent_again(ground: Ground, other: OtherSide) -> None:
    key = await wanted(ground)
    other.what = ["refuse", "accept"]
    assert await run(ground, LetterOnce(key, other)) == []
    assert await run(ground, LetterOnce(key, other)) == []
    row = await row_of(ground, key)
    assert (row.sending, row.story) == ("failed", "refused.")
    assert other.has == []


async def test_the_response_comes_after_the_job_was_run_again(
    ground: Ground, other: OtherSide
) -> None:
    """A second worker takes the job for lost while the first still waits for its response."""
    key = await wanted(ground)
    other.what = ["late", "accept"]
    first = asyncio.create_task(send_once(ground, LetterOnce(key, other, seconds=10)))
    while not other.has:
        await asyncio.sleep(0.01)
    assert await run(ground, LetterOnce(key, other)) == []
    other.goes_on.set()
    await first
    row = await row_of(ground, key)
    assert (row.sending, row.provider_sid) == ("sent", f"their-{key}")
    assert other.has == [str(key)]


async def test_killed_between_sending_and_recording(ground: Ground, other: OtherSide) -> None:
    key = await wanted(ground)
    out = LetterOnce(key, other)
    out.dies_after_sending = True
    with pytest.raises(Killed):
        await send_once(ground, out)
    assert (await row_of(ground, key)).sending == "sending"
    assert await run(ground, LetterOnce(key, other)) == []
    assert (await row_of(ground, key)).sending == "sent"
    assert other.has == [str(key)]


async def test_killed_before_it_was_sent(ground: Ground, other: OtherSide) -> None:
    """It may have been sent for all we know: the other side is asked, and not sent to."""
    key = await wanted(ground)
    async with transaction(ground, PROGRAM) as work:
        row = await LetterOnce(key, other).lock(work)
        assert row is not None
        row.sending, row.sent_at = "sending", work.now
    assert await run(ground, LetterOnce(key, other)) == ["Uncertain"] * (ASKS - 1)
    assert (await row_of(ground, key)).sending == "failed"
    assert other.has == []


async def test_a_report_that_comes_before_the_response_is_believed(
    ground: Ground, other: OtherSide
) -> None:
    key = await wanted(ground)
    other.what = ["silence and done"]

    class Reported(LetterOnce):
        async def send(self) -> str:
            async with transaction(ground, PROGRAM) as work:
                row = await self.lock(work)
                assert row is not None
                row.provider_sid, row.sending = f"their-{key}", "sent"
            return await super().send()

    assert await run(ground, Reported(key, other)) == []
    assert (await row_of(ground, key)).sending == "sent"
    assert (other.has, other.asked) == ([str(key)], 0)


async def test_what_is_not_wanted_any_more_is_not_sent(ground: Ground, other: OtherSide) -> None:
    key = await wanted(ground)
    async with transaction(ground, PROGRAM) as work:
        row = await LetterOnce(key, other).lock(work)
        assert row is not None
        row.wanted = False
    assert await run(ground, LetterOnce(key, other)) == []
    assert other.has == []


async def test_a_side_that_cannot_be_asked_gets_it_again_after_a_wait_under_the_same_id(
    ground: Ground, other: OtherSide
) -> None:
    key = await wanted(ground)
    other.what = ["silence and done", "accept"]
    assert await run(ground, Repeated(key, other), times=1) == ["Uncertain"]
    clock = ground.clock
    assert isinstance(clock, SteppedClock)
    clock.move_to(clock.now() + timedelta(seconds=30))
    assert await run(ground, Repeated(key, other)) == []
    assert other.has == [str(key)], "not within the minute"
    assert await _planned(ground) == [MONDAY + timedelta(seconds=60)]
    clock.move_to(clock.now() + timedelta(seconds=30))
    assert await run(ground, Repeated(key, other)) == []
    assert (await row_of(ground, key)).sending == "sent"
    assert set(other.has) == {str(key)}
    assert len(other.has) == 2


async def _planned(ground: Ground) -> list[Any]:
    async with transaction(ground, PROGRAM) as work:
        rows = await work.session.scalars(text("SELECT scheduled_at FROM procrastinate_jobs"))
        return list(rows)


async def test_many_workers_send_it_once(ground: Ground, other: OtherSide) -> None:
    key = await wanted(ground)

    async def one() -> None:
        await run(ground, LetterOnce(key, other, seconds=5))

    await asyncio.gather(*(one() for _ in range(6)))
    assert other.has == [str(key)]
    assert (await row_of(ground, key)).sending == "sent"
