"""The program over real sockets, in the event loop of a test."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI

from app.main import make_app
from app.server.serving import Server, config_of
from app.settings import Settings
from app.work import make_ground

TOKEN = "wR7xT2qLm9ZsK4vB"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}


def settings_on(database: str, **more: Any) -> Settings:
    return Settings(
        database_url=database,
        public_url="https://helpline.example.org",
        secret_key="practice-secret-key-practice-secret-key",
        field_keys="1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
        monitoring_token=TOKEN,
        **more,
    )


@contextlib.asynccontextmanager
async def served(settings: Settings, listeners: list[socket.socket]) -> AsyncIterator[FastAPI]:
    app = make_app(make_ground(settings), with_worker=False)
    server = Server(config_of(app, settings))
    running = asyncio.create_task(server.serve_within(listeners))
    while not server.started:
        assert not running.done()
        await asyncio.sleep(0.01)
    try:
        yield app
    finally:
        server.should_exit = True
        await running


def base(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"
