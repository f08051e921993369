"""A stage: server, worker and exchange in one process, over real HTTP, on one clock.

On a stepped clock `advance` moves time from one due moment to the next and lets
everything settle in between: webhooks under way, jobs, matching. An hour takes seconds.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import httpx2
import psycopg
from fastapi import FastAPI

from app.abilities import EndpointKind
from app.calls.lines.chat_lines import change_chat
from app.calls.lines.finding_lines import line_of_number
from app.calls.lines.lines import add_line
from app.calls.lines.number_setup import SetupReport, set_up_numbers
from app.clock import Clock
from app.database.topics import Topic
from app.demo.counsellor import Counsellor
from app.demo.idling import NEVER, READ_BY_NONE, Changes, Idling
from app.demo.served import Served, free_port
from app.demo.stepped_clock import SteppedClock
from app.jobs.transaction import transaction
from app.main import make_app
from app.practice.exchange import Exchange, Number
from app.practice.legs import Leg
from app.practice.people import Caller
from app.practice.profiles import PROFILES
from app.practice.rest.app import rest_app
from app.routing import queue
from app.routing.rota.roster import add_shift
from app.settings import Settings
from app.staff import accounts
from app.staff.hashing import hash_password
from app.staff.models import PhoneProof
from app.staff.roles import Permission, Role, may
from app.work import PROGRAM, Ground, make_ground

ACCOUNT = "AC" + "0" * 31 + "1"
SOMLENG_ACCOUNT = "74d3ff4f-8ec2-4f9c-9d9a-1f2c1b7d0d2e"
TOKEN = "practice-token"
_KEYS: dict[str, Any] = {
    "secret_key": "practice-secret-key-practice-secret-key",
    "field_keys": "1:" + "cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
}
API_KEY: dict[str, Any] = {
    "twilio_api_key_sid": "SK" + "0" * 31 + "1",
    "twilio_api_key_secret": "practice-secret-practice-secret-1234",
}
LINE = "+38111116111"
# In the future, so that a job is due only by the stage's clock, never by the real one.
TIMEZONE = "Europe/Belgrade"
MONDAY = datetime.fromisoformat("2030-01-14T09:00:00+00:00")


# Whether jobs run or are due on the machine's clock, whether others are due on the stage's, when
# the next one is, and whether a caller and a counsellor wait.
_UNDER_WAY = """
SELECT coalesce(bool_or(status = 'doing' OR scheduled_at IS NULL OR scheduled_at <= now()), false),
    coalesce(bool_or(status = 'todo' AND scheduled_at > now() AND scheduled_at <= %(now)s), false),
    min(scheduled_at) FILTER (WHERE scheduled_at > %(now)s),
    EXISTS (SELECT FROM calls WHERE state = 'queued' OR state = 'offered' AND danger)
    AND EXISTS (SELECT FROM presences WHERE state IN ('available', 'writing'))
FROM procrastinate_jobs WHERE status IN ('doing', 'todo')
"""
_ASKED = ("procrastinate_jobs", "calls", "presences")
_ASKED_AGAIN_AFTER = 0.1
_WAKE = """
WITH due AS (
    UPDATE procrastinate_jobs SET scheduled_at = now() - interval '1s'
    WHERE status = 'todo' AND scheduled_at > now() AND scheduled_at <= %(now)s
    RETURNING id, queue_name
)
SELECT count(pg_notify('procrastinate_queue_v1#' || queue_name,
    json_build_object('type', 'job_inserted', 'job_id', id)::text)) FROM due
"""
# The people of a stage sign in with a password alone, and no session ends by itself; a helpline
# that is strict is asked for with `strict`.
PASSWORD_ALONE = """
INSERT INTO sign_in_rules (id, factor_roles, session_hours, idle_minutes)
VALUES (1, '{}', 14, 0) ON CONFLICT DO NOTHING
"""


class Stage:
    """A running helpline with its exchange. Use `stage_on` to make one."""

    # Where a browser finds the sound of the exchange.
    addresses: Sequence[str] = ("127.0.0.1",)
    # Counts what may have changed a row, where this process alone changes rows. As long as it
    # stays the same, no job is due before the next one that was seen.
    changes: Changes | None = None
    # The address by which the stage looks at rows itself; tests look as another role.
    watched_as: Callable[[str], str] = staticmethod(str)

    def __init__(self, settings: Settings, clock: Clock, seed: int) -> None:
        self.settings, self.clock = settings, clock
        profile = PROFILES[settings.telephony_platform]
        account = settings.twilio_account_sid or ACCOUNT
        self.exchange = Exchange(clock, account, TOKEN, seed, profile)
        self.exchange.knobs.dice.seed(seed)
        self.exchange.calls_per_second = settings.calls_per_second
        if settings.twilio_api_key_sid and settings.twilio_api_key_secret:
            self.exchange.api_keys[settings.twilio_api_key_sid] = settings.twilio_api_key_secret
        # One client for all: making one costs more than a request.
        # The server closes a connection that was idle for five seconds: it is not used so late.
        limits = httpx2.Limits(max_connections=100, keepalive_expiry=3)
        self.client = httpx2.AsyncClient(trust_env=False, timeout=60, limits=limits)
        self.ground: Ground
        self.app: FastAPI
        self._server: Served | None = None
        self._rest: Served
        self.watch: psycopg.AsyncConnection[Any]
        self._idling: Idling | None = None
        # What the count of changes was when jobs were asked for, and whether any was under way.
        self._asked_at: int | None = None
        self._had_jobs = False
        self._ask_again_at = 0.0
        self._matched_at: int | None = None
        self._next_job = NEVER
        self._could_match = False

    @property
    def stepped(self) -> SteppedClock:
        assert isinstance(self.clock, SteppedClock)
        return self.clock

    @property
    def today(self) -> date:
        """The day where the helpline is: before midnight in London it is tomorrow there."""
        return self.clock.now().astimezone(ZoneInfo(TIMEZONE)).date()

    # -- server ---------------------------------------------------------------------------

    async def start(self, rest_port: int, *, with_server: bool = True) -> None:
        """Start everything, or nothing: what has started is stopped if another part does not."""
        assert self.settings.database_url is not None
        if self.settings.telephone_signalling is not None:
            self.exchange.carry_sound(list(self.addresses))
        self._rest = Served(rest_app(self.exchange), rest_port)
        self.ground = make_ground(self.settings, self.clock)
        self.watch = await psycopg.AsyncConnection.connect(
            self.watched_as(self.settings.database_url), autocommit=True
        )
        try:
            await self._rest.start()
            if with_server:
                await self._serve()
        except BaseException:
            await self.stop()
            raise

    async def start_server(self) -> None:
        """Start the program on the stage anew. Raises what it could not start for."""
        self.ground = make_ground(self.settings, self.clock)
        await self._serve()

    async def _serve(self) -> None:
        self.app = make_app(self.ground, with_worker=True)
        server = Served(self.app, int(self.settings.public_url.rpartition(":")[2]))
        await server.start()
        self._server = server
        await asyncio.wait_for(self.app.state.bus.ready.wait(), 10)

    async def stop_server(self) -> None:
        assert self._server is not None
        server, self._server = self._server, None
        await server.stop()

    async def restart_server(self) -> None:
        await self.stop_server()
        await self.start_server()
        await self.settle()

    async def stop(self) -> None:
        await self.exchange.close()
        await self.client.aclose()
        if self._server is not None:
            await asyncio.gather(self.stop_server(), self._rest.stop())
        else:
            # The server closes it as it stops, or as its start fails; to close it again is nothing.
            await self.ground.database.close()
            await self._rest.stop()
        await self.watch.close()

    # -- time -----------------------------------------------------------------------------

    async def settle(self) -> None:
        """Wait until nothing is under way: no webhook, no job, no pair to match."""
        calm = 0
        while calm < 2:
            if self._busy():
                calm = 0
                await asyncio.sleep(0.001)
                continue
            for _ in range(8):
                await asyncio.sleep(0)
            if self._busy():
                continue
            jobs, could_match = await self._under_way()
            if jobs:
                # The worker needs the processor more than this check does.
                calm = 0
                await asyncio.sleep(0.003)
                continue
            calm += 1
            if could_match and calm == 1 and await self._match():
                calm = 0

    async def _match(self) -> bool:
        """Match, unless nothing has changed since that found nothing; time alone is the sweep's."""
        before = self.changes(but=READ_BY_NONE) if self.changes is not None else None
        if before is not None and before == self._matched_at:
            return False
        found = bool(await queue.match(self.ground))
        self._matched_at = None if found else before
        return found

    def _busy(self) -> bool:
        """Return whether a webhook is under way, keys are, or the worker is outside its jobs."""
        keys = any(not leg.digits.empty() for leg in self.exchange.gathering.values())
        return bool(keys or self.exchange.sender.under_way or self.app.state.worker.busy)

    async def _under_way(self) -> tuple[bool, bool]:
        """Return whether jobs are due or running, and whether there is anything to match."""
        loop = asyncio.get_running_loop()
        changes = self.changes(of=_ASKED) if self.changes is not None else None
        if changes is not None and changes == self._asked_at:
            # A job that runs is not over before a row changes, and none begins before it is due.
            # Another process may change one: after a while it is asked for all the same.
            if self._had_jobs:
                if loop.time() < self._ask_again_at:
                    return True, self._could_match
            elif self.clock.now() < self._next_job:
                return False, self._could_match
        row = await (await self.watch.execute(_UNDER_WAY, {"now": self.clock.now()})).fetchone()
        assert row is not None
        jobs, due, next_job, self._could_match = row
        if due:
            # Notify the worker at once, so that the jobs do not wait for its next poll.
            await self.watch.execute(_WAKE, {"now": self.clock.now()})
        else:
            self._asked_at, self._had_jobs = changes, jobs
            self._ask_again_at = loop.time() + _ASKED_AGAIN_AFTER
            self._next_job = self._next_job if jobs else next_job or NEVER
        return jobs or due, self._could_match

    async def advance(self, seconds: float) -> None:
        """Let seconds go by on the clock, one due moment after the other."""
        until = self.clock.now() + timedelta(seconds=seconds)
        self._idling = self._idling or Idling(self.stepped, self.changes)
        while True:
            await self.settle()
            worker, job = self.app.state.worker, self._next_job
            job_at = await self._idling.leave_out(self.ground, worker, until, job)
            due = min(self.stepped.next_due() or NEVER, job_at)
            if due > until:
                break
            self.stepped.move_to(due)
        self.stepped.move_to(until)
        await self.settle()

    async def until(self, truth: Any, *, limit: float = 60, what: str = "") -> None:
        """Let time go by until `truth` holds. Raises AssertionError after `limit` seconds."""
        end = self.clock.now() + timedelta(seconds=limit)
        while True:
            found = truth()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            if self.clock.now() >= end:
                raise AssertionError(f"did not happen within {limit} s: {what}")
            await self.advance(0.5)

    # -- people and lines -----------------------------------------------------------------

    async def add_line(
        self, number: str = LINE, languages: str = "sr,en", name: str = "Plavi telefon"
    ) -> None:
        async with transaction(self.ground, PROGRAM) as work:
            await add_line(
                work,
                number=number,
                name=name,
                country="RS",
                languages=languages.split(","),
                timezone=TIMEZONE,
            )
        base = self.settings.public_url
        self.exchange.numbers[number] = Number(
            voice_url=f"{base}/telephony/voice",
            fallback_url=f"{base}/telephony/voice/fallback",
            status_callback=f"{base}/telephony/status",
            sms_url=f"{base}/telephony/sms",
        )
        self.ground.memory.forget(Topic.EVERYTHING)

    async def let_write(self, number: str = LINE, **rules: Any) -> None:
        """Let children write to a line."""
        async with transaction(self.ground, PROGRAM) as work:
            line = await line_of_number(work, number)
            assert line is not None
            await change_chat(work, line, on=True, **rules)
        self.ground.memory.forget(Topic.EVERYTHING)

    async def add_counsellor(
        self,
        name: str,
        *,
        endpoint: str = "browser",
        languages: str = "",
        role: Role = Role.COUNSELLOR,
        recurrence: str | None = None,
        shift: bool = True,
        lines: list[str] | None = None,
        skills: list[str] | None = None,
        training: bool = False,
        state: str | None = "available",
        pin: str | None = None,
        paired: bool = True,
        chats: int = 0,
        **shift_values: Any,
    ) -> Counsellor:
        """Add a counsellor with an account and a shift, signed in and available.

        A phone is proven already, unless `paired` says otherwise.
        """
        async with transaction(self.ground, PROGRAM) as work:
            staff = await accounts.add_staff(
                work,
                name=name,
                role=role,
                endpoint=endpoint,
                lines=lines,
                skills=skills,
                training=training,
                chats_at_once=chats,
                languages=[part for part in languages.split(",") if part],
            )
            if staff.endpoint_kind == EndpointKind.PHONE:
                pin_hash = await hash_password(pin) if pin else None
                paired_at = work.now if paired else None
                work.session.add(
                    PhoneProof(staff_id=staff.id, pin_hash=pin_hash, paired_at=paired_at)
                )
            if shift and may(role, Permission.TAKE_CALLS):
                await add_shift(work, staff, recurrence=recurrence, **shift_values)
            counsellor = Counsellor(self, staff)
            await counsellor.begin(work, state)
        self.ground.memory.forget(Topic.EVERYTHING)
        if state is not None:
            await self.settle()
        return counsellor

    async def set_up_telephony(self) -> SetupReport:
        """Do what `helpline telephony setup` does."""
        async with transaction(self.ground, PROGRAM) as work:
            return await set_up_numbers(work)

    def ring(
        self, from_: str = "+381641234567", to: str = LINE, caller: Caller | None = None
    ) -> Leg:
        return self.exchange.ring(from_, to, caller)

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Return rows as they are in the database, outside the program's access checks."""
        cursor = await self.watch.execute(sql, values)
        names = [column.name for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]

    async def change_rows(self, sql: str) -> None:
        """Change rows as the stage needs them, outside the program."""
        await self.watch.execute(sql)
        self.ground.memory.forget(Topic.EVERYTHING)

    async def call_of(self, leg: Leg) -> dict[str, Any]:
        """Return the call row of a ring."""
        rows = await self.rows("SELECT * FROM calls WHERE provider_sid = %s", leg.sid)
        assert len(rows) == 1, f"{len(rows)} rows for one ring"
        return rows[0]


@contextlib.asynccontextmanager
async def stage_on(
    database_url: str,
    *,
    clock: Clock | None = None,
    seed: int = 1,
    with_server: bool = True,
    platform: Literal["twilio", "somleng"] = "twilio",
    sound: bool = False,
    strict: bool = False,
    **settings: Any,
) -> AsyncIterator[Stage]:
    """Run a stage on a migrated database. `sound`: telephones in pages ring, and can be heard.
    `strict`: signing in asks for what it asks of a helpline that has decided nothing yet."""
    port, rest_port = free_port(), free_port()
    if sound:
        settings["telephone_signalling"] = f"ws://127.0.0.1:{rest_port}"
    made = Settings(
        database_url=database_url,
        public_url=f"http://127.0.0.1:{port}",
        telephony_platform=platform,
        twilio_account_sid=ACCOUNT if platform == "twilio" else SOMLENG_ACCOUNT,
        twilio_auth_token=TOKEN,
        twilio_api_base_url=f"http://127.0.0.1:{rest_port}",
        telegram_api_base_url=f"http://127.0.0.1:{rest_port}",
        signal_service_url=f"http://127.0.0.1:{rest_port}",
        practice_exchange=f"http://127.0.0.1:{rest_port}",
        twilio_timeout=settings.pop("twilio_timeout", 1.0),
        telegram_timeout=0.5,
        signal_timeout=1.0,
        reach_own_network=settings.pop("reach_own_network", True),
        **{
            **({} if "keeper_socket" in settings else _KEYS),
            **(API_KEY if platform == "twilio" else {}),
            **settings,
        },
    )
    stage = Stage(made, clock or SteppedClock(MONDAY), seed)
    await stage.start(rest_port, with_server=with_server)
    try:
        if not strict:
            await stage.change_rows(PASSWORD_ALONE)
        yield stage
    finally:
        await stage.stop()
