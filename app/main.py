"""The web application: composes the edges, and nothing else.

Telephony comes first: after a start, the webhooks of calls are answered before the pages, the
JSON API and the worker are loaded. Loading them takes as long again.
"""

import asyncio
import contextlib
import gc
import importlib
import signal
from collections.abc import AsyncIterator
from functools import partial
from types import ModuleType
from typing import Any
from uuid import UUID

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from psycopg_pool import PoolTimeout
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolFull
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.administration import languages, own_settings
from app.calls.lines import number_setup
from app.calls.lines.line_scripts import learn_languages
from app.country import following
from app.database.bus import Bus
from app.database.engine import lost_a_race
from app.errors import Refusal, Unexpected
from app.jobs.transaction import transaction
from app.log import fault, log
from app.routing.presence import BEAT_EVERY, beat
from app.sealing.knowing import learn, watch
from app.settings import Settings
from app.statistics.counting.kept_targets import keep_short_abandon, keep_target
from app.telephony.provider.setup import carry_out, may_show
from app.telephony.webhooks import router as telephony
from app.web.bodies import Bodies
from app.web.decisions import Decisions, deny
from app.web.headers import SecurityHeaders
from app.web.likely_routes import LikelyRoutes
from app.web.monitoring import PATHS, OwnPort
from app.web.patience import Patience
from app.web.routes import include
from app.web.turns import Turns
from app.work import PROGRAM, Ground, Work

_TELEPHONE = "/telephony"
# What a child who writes asks for: its requests wait for news, and so take no turns.
_CHILD = "/chat/"
# No program outside is told of requests; looking for one would cost each of them time.
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
# What is answered with JSON, also when it is refused. The telephone is a script of the desk.
_AT_ANY_TIME = (_TELEPHONE, _CHILD, "/static", *PATHS)
_FOR_PROGRAMS = ("/api/v1", _TELEPHONE, _CHILD, "/board/telephone", *PATHS)


def make_app(ground: Ground, *, with_worker: bool, phone_first: bool = False) -> FastAPI:
    """Make the application of one process, with or without a worker in it.

    `phone_first`: webhooks are answered at once; other requests wait until the rest is loaded.
    """
    bus = Bus(ground.database.url)
    bus.on_topic(ground.memory.forget)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(ground.database.close)
            stack.push(partial(_note_failure, app))
            async with transaction(ground, PROGRAM) as work:
                await following.start(work)
                await own_settings.learn(work)
                await keep_target(work, work.settings.service_level_seconds)
                await keep_short_abandon(work, work.settings.short_abandon_seconds)
                await learn(work)
                await learn_languages(work)
            await stack.enter_async_context(bus.running())
            await stack.enter_async_context(app.state.decisions.running())
            for name, watched in (
                ("keys", watch),
                ("definitions", following.watch),
                ("words", languages.watch),
                ("settings", own_settings.watch),
            ):
                watching = asyncio.create_task(watched(ground, bus), name=name)
                stack.callback(watching.cancel)
            if not phone_first:
                await _start_rest(app, stack, with_worker=with_worker)
                yield
                return
            loading = asyncio.create_task(_load_later(app, stack, with_worker=with_worker))
            yield
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)

    app = FastAPI(
        title="Helpline",
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
    )
    app.state.ground, app.state.bus, app.state.worker = ground, bus, None
    app.state.stopping, app.state.loaded = asyncio.Event(), asyncio.Event()
    app.state.heard_of, app.state.webhooks_under_way = _heard_of, set()
    app.state.decisions = Decisions(ground.clock)
    number_setup.compose(ground, carry_out, may_show)
    app.router.middleware_stack = LikelyRoutes(app)
    include(app, telephony)
    _add_middleware(app, ground.settings)
    _add_handlers(app)
    if not phone_first:
        _add_rest(app)
    return app


def _add_handlers(app: FastAPI) -> None:
    unreachable = (OperationalError, psycopg.OperationalError, PoolTimeout, PoolFull)
    raced = (IntegrityError, psycopg.IntegrityError)
    refused = (Refusal, RequestValidationError, HTTPException, DataError, psycopg.DataError)
    for kind in (*refused, *raced, *unreachable):
        app.add_exception_handler(kind, _render)
    app.add_exception_handler(Exception, _failed)


def _note_failure(app: FastAPI, _kind: object, error: BaseException | None, _trace: object) -> None:
    """Keep what the start failed for, which the server ends with."""
    app.state.not_started_for = error


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Add what every request passes through; what is added last is passed first."""
    app.add_middleware(Turns, at_any_time=_AT_ANY_TIME)
    app.add_middleware(
        TelephoneFirst, loaded=app.state.loaded, under_way=app.state.webhooks_under_way
    )
    app.add_middleware(Bodies, render=_render)
    if settings.monitoring_port is not None:
        app.add_middleware(OwnPort, port=settings.monitoring_port, render=_render)
    app.add_middleware(Patience, without_limit=_TELEPHONE, for_programs=_FOR_PROGRAMS)
    app.add_middleware(SecurityHeaders, **_headers(settings))
    if settings.proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.proxies)


def _headers(settings: Settings) -> dict[str, Any]:
    return {"hosts": settings.telephone_hosts, "with_tls": settings.has_tls}


class TelephoneFirst:
    """Lets webhooks through at once; other requests wait until the rest is loaded."""

    def __init__(self, app: ASGIApp, loaded: asyncio.Event, under_way: set[object]) -> None:
        self._app, self._loaded, self._under_way = app, loaded, under_way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._loaded.is_set():
            await self._app(scope, receive, send)
            return
        if not scope["path"].startswith(_TELEPHONE):
            await self._loaded.wait()
            await self._app(scope, receive, send)
            return
        webhook = object()
        self._under_way.add(webhook)
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way.discard(webhook)


async def until_quiet(under_way: set[object]) -> None:
    """Wait until the webhooks that came during the start are answered, for a second at most.

    They compete with the loading for the processor, and callers hear them.
    """
    for _ in range(20):
        await asyncio.sleep(0.05)
        if not under_way:
            return


def _edge(name: str) -> ModuleType:
    return importlib.import_module(f"app.{name}.app")


def _add_rest(app: FastAPI) -> None:
    """Add the pages and the JSON API."""
    from app.sealing import state as key_state
    from app.web.limits import Limiter
    from app.web.stream import Streams

    state = app.state
    key_state.compose(state.ground, importlib.import_module("app.tables").metadata)
    state.limiter = Limiter(state.ground)
    state.streams = Streams(state.ground, state.bus, state.stopping)
    _edge("api").add_api(app)
    _edge("child").add_child(app)
    importlib.import_module("app.telephony.page_telephone").add_page_telephone(app)
    _edge("dashboard").add_dashboard(app)
    app.state.loaded.set()


async def _start_rest(app: FastAPI, stack: contextlib.AsyncExitStack, *, with_worker: bool) -> None:
    if with_worker:
        from app.worker import Worker

        worker = Worker(app.state.ground, app.state.bus)
        app.state.worker = await stack.enter_async_context(worker.running())


async def _load_later(app: FastAPI, stack: contextlib.AsyncExitStack, *, with_worker: bool) -> None:
    """Load the worker, then the JSON API and the pages, in a thread while webhooks are answered."""
    try:
        await until_quiet(app.state.webhooks_under_way)
        if with_worker:
            await asyncio.to_thread(importlib.import_module, "app.worker")
            await _start_rest(app, stack, with_worker=True)
        for edge in ("api", "child", "dashboard"):
            await asyncio.to_thread(_edge, edge)
        _add_rest(app)
        await say_first_code(app.state.ground)
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        gc.enable()
    except Exception as error:
        # Without the worker no call is offered, so stop: the process manager starts us again.
        log().error("the pages could not be loaded", **fault(error))
        signal.raise_signal(signal.SIGTERM)


async def say_first_code(ground: Ground) -> None:
    """While there is no account, say the code with which a page makes the first one."""
    first_administrator = importlib.import_module("app.people.setting_up.first_administrator")
    with contextlib.suppress(SQLAlchemyError, psycopg.Error, OSError):
        async with transaction(ground, PROGRAM) as work:
            if not await first_administrator.has_accounts(work):
                code = await first_administrator.code_of(work)
                log().warning(
                    "there is no account yet: open /setup in a browser and enter the code",
                    area="people",
                    code=code,
                )


async def _heard_of(work: Work, staff_id: UUID) -> None:
    """Record a heartbeat, on a connection of its own.

    Otherwise a request that holds the presence and then locks a call could deadlock with a
    webhook, which locks the two in the opposite order.
    """
    memory = work.ground.memory
    if memory.recall("beat", staff_id, work.now) is None:
        memory.keep("beat", staff_id, True, work.now + BEAT_EVERY)
        # Without a session of its own it is one statement, which is a transaction by itself.
        await beat(Work(None, work.now, PROGRAM, work.ground), staff_id)


async def _render(request: Request, error: Exception) -> Response:
    """Render an error: a page for people, JSON for programs.

    An integrity error that is not a lost race is a bug of ours, and is raised.
    """
    if isinstance(error, (IntegrityError, psycopg.IntegrityError)) and not lost_a_race(error):
        raise error
    if isinstance(error, Refusal):
        deny(request, error)
    if request.url.path.startswith(_FOR_PROGRAMS):
        rendered: Response = _edge("api").render(error)
    else:
        rendered = await _edge("dashboard").render_to_reader(request, error)
    if isinstance(error, Refusal):
        rendered.headers.update(error.headers)
    return rendered


async def _failed(request: Request, error: Exception) -> Response:
    """Answer after a fault that nothing else knows: a sentence, and nothing of the inside.

    What passes through no other middleware gets its headers here; the server logs the fault, too.
    """
    log().error(
        "a request failed",
        area="web",
        path=str(getattr(request.scope.get("route"), "path", ""))[:80],
        **fault(error),
    )
    try:
        rendered = await _render(request, Unexpected())
    except Exception:
        rendered = Response(Unexpected.default, 500, media_type="text/plain")
    return SecurityHeaders(rendered, **_headers(request.app.state.ground.settings))  # type: ignore[return-value]
