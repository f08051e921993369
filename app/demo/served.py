"""Applications on ports of their own, within the event loop of a stage."""

import asyncio
import contextlib
import itertools
import os
import socket

import uvicorn
from starlette.types import ASGIApp

from app.server.serving import Server
from app.web.connections import Limited

_PORTS = itertools.count()


class Served:
    """An application on a port of its own, in this event loop."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._server = Server(
            uvicorn.Config(
                app,
                host="127.0.0.1",
                port=port,
                log_config=None,
                http=Limited,
                proxy_headers=False,
                lifespan="on",
                timeout_graceful_shutdown=2,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when it serves. Raises what it could not start for."""
        self._task = asyncio.create_task(self._serve())
        while not self._server.started:
            await asyncio.sleep(0.005)
            if self._task.done():
                ended, self._task = self._task, None
                ended.result()
                raise RuntimeError("the server did not start")

    async def _serve(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await self._server.serve_within()

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task


def free_port() -> int:
    """Return a free port: one of a hundred that no other process of ours takes.

    The server binds it a moment later. By then another process could have taken one of the
    system's own choice, for a server or for an outgoing connection.
    """
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            port = 15_000 + os.getpid() % 170 * 100 + next(_PORTS) % 100
            # As the server: connections that have just ended are not in its way.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
