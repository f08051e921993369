"""The web application: composes the edges, and nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolFull
from starlette.exceptions import HTTPException

from app.api import app as api
from app.contacts import records
from app.dashboard import app as dashboard
from app.database.bus import Bus
from app.database.engine import lost_a_race
from app.errors import Refusal
from app.jobs.transaction import transaction
from app.referrals import library as protocols
from app.routing.presence import BEAT_EVERY, beat
from app.staff.access import make_limiter
from app.telephony.webhooks import router as telephony
from app.work import PROGRAM, Ground, Work
from app.worker import Worker


def make_app(ground: Ground, *, with_worker: bool) -> FastAPI:
    """The application of one process, with or without a worker in it."""
    bus = Bus(ground.database.url)
    bus.on_topic(ground.memory.forget)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(ground.database.close)
            async with transaction(ground, PROGRAM) as work:
                await records.register(work)
                await protocols.register(work)
            await stack.enter_async_context(bus.running())
            if with_worker:
                worker = Worker(ground, bus)
                app.state.worker = await stack.enter_async_context(worker.running())
            yield

    app = FastAPI(
        title="Helpline", version="0.1.0", lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.ground, app.state.bus, app.state.worker = ground, bus, None
    app.state.sign_in_limiter = make_limiter()
    app.state.stopping = asyncio.Event()
    app.state.heard_of = _heard_of
    app.include_router(telephony)
    api.add_api(app)
    dashboard.add_dashboard(app)
    app.add_middleware(dashboard.SecurityHeaders)
    unreachable = (OperationalError, psycopg.OperationalError, PoolTimeout, PoolFull)
    raced = (IntegrityError, psycopg.IntegrityError)
    refused = (Refusal, RequestValidationError, HTTPException, DataError, psycopg.DataError)
    for kind in (*refused, *raced, *unreachable):
        app.add_exception_handler(kind, _render)
    return app


async def _heard_of(work: Work, staff_id: UUID) -> None:
    """A heartbeat, in a transaction of its own: a request that went on to lock a call while it
    holds the presence would wait in a circle with a webhook that locks them the other way."""
    memory = work.ground.memory
    if memory.recall("beat", staff_id, work.now) is None:
        memory.keep("beat", staff_id, True, work.now + BEAT_EVERY)
        async with transaction(work.ground, PROGRAM, aside=True) as own:
            await beat(own, staff_id)


async def _render(request: Request, error: Exception) -> Response:
    """Pages say it in words, programs get JSON. What no race explains is a fault of ours."""
    if isinstance(error, (IntegrityError, psycopg.IntegrityError)) and not lost_a_race(error):
        raise error
    if request.url.path.startswith((api.PREFIX, "/telephony", "/healthz", "/readyz", "/metrics")):
        return api.render(error)
    return dashboard.render(request, error)
