"""Serve the application on its sockets, in one process or in several."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from app.data_folder import make_folder
from app.database.running import database_of
from app.errors import BadSettings
from app.log import log, set_up_logging
from app.reading_settings import read_settings
from app.sealing.knowing import check_keys
from app.server.control import Control, ask_for_sockets, control_path, tell
from app.server.processes import serve_many
from app.server.sockets import (
    BACKLOG,
    listen,
    listen_for_monitoring,
    notify_systemd,
    socket_of_systemd,
)
from app.settings import Settings

# Seconds to wait for the requests of connections that were accepted last.
_LAST_REQUESTS = 0.5


def settle_memory() -> None:
    """Exempt all that is loaded from garbage collection, which stopped requests for 0.1 seconds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


class Server(uvicorn.Server):
    """A server that reports when it is ready, and ends its live streams when it is told to stop."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT, and return.

        uvicorn's own version would end the process before the database is released.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def serve_within(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `should_exit` is set, within a program that has the signals for itself.

        Raises what the application could not start for.
        """
        await self._serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        errors = logging.getLogger("uvicorn.error")
        # What is refused is said in one sentence, once.
        errors.addFilter(self._is_no_refusal)
        try:
            with contextlib.suppress(SystemExit):
                await super().startup(sockets)
        finally:
            errors.removeFilter(self._is_no_refusal)
        if not self.started:
            # uvicorn would end the process from within a task: what else this loop runs could not
            # end, and the reason would not be told.
            raise self._failure() or RuntimeError("the server did not start")
        if self._on_ready is not None:
            # In a thread: the process that is replaced may be slow to answer.
            await asyncio.to_thread(self._on_ready)

    def _failure(self) -> BaseException | None:
        """Return what the application could not start for; uvicorn tells no reason."""
        state = getattr(self.config.loaded_app, "state", None)
        return getattr(state, "not_started_for", None)

    def _is_no_refusal(self, _: logging.LogRecord) -> bool:
        return not isinstance(self._failure(), BadSettings)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._on_ready is not None:
            for one in self.servers:
                one.close()
            # A connection that was just accepted may not have sent its request yet.
            await asyncio.sleep(_LAST_REQUESTS)
        state = getattr(self.config.loaded_app, "state", None)
        if state is not None and hasattr(state, "stopping"):
            state.stopping.set()
        await super().shutdown(sockets)


def serve(
    host: str,
    port: int,
    *,
    workers: int = 1,
    with_worker: bool = True,
    replace: bool = False,
) -> None:
    """Serve until told to stop. Raises BadSettings.

    `replace` takes over from the process that serves this port with the same `DATA_DIR`; if
    there is none, the server starts as usual.
    """
    os.environ.setdefault("HELPLINE_PUBLIC_URL", f"http://127.0.0.1:{port}")
    settings = read_settings()
    set_up_logging(settings.log_level)
    if not settings.auth_tokens:
        log().warning(
            "HELPLINE_TWILIO_ACCOUNT_SID and _AUTH_TOKEN are not set: every webhook is refused"
        )
    make_folder(settings.data_dir)
    path = control_path(settings, port)
    taken = ask_for_sockets(path) if replace else []
    replaces = bool(taken)
    listener = taken.pop(0) if taken else socket_of_systemd() or listen(host, port)
    listeners = [listener, *listen_for_monitoring(settings, listener, taken)]
    with database_of(settings) as settings, Control(path, listeners) as control:
        check_keys(settings, _metadata)

        def ready() -> None:
            if replaces:
                tell(path, b"drain\n")
            control.take_over()
            notify_systemd()
            print(f"helpline serves on http://{host}:{port}", flush=True)

        if workers == 1:
            _serve_one(settings, listeners, with_worker, ready)
        else:
            serve_many(settings, listeners, workers, with_worker, ready)


def _serve_one(
    settings: Settings,
    listeners: list[socket.socket],
    with_worker: bool,
    ready: Callable[[], None],
) -> None:
    from app.main import make_app
    from app.work import make_ground

    application = make_app(make_ground(settings), with_worker=with_worker, phone_first=True)
    Server(config_of(application, settings), ready).run(sockets=listeners)


def config_of(application: Any, settings: Settings) -> uvicorn.Config:
    """Return how the server serves an application, with its limits of connections."""
    from app.web.connections import Limited, Unfinished, most_connections

    Limited.unfinished = Unfinished(most_connections(), proxies=settings.proxies)
    return uvicorn.Config(
        application,
        http=Limited,
        ws="none",
        log_config=None,
        access_log=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=5,
        proxy_headers=False,
        server_header=False,
    )


def _metadata() -> Any:
    from app import tables

    return tables.metadata
