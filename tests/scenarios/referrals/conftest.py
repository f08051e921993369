"""An agency's system that takes signed events, and a Primero of its own."""

from collections.abc import AsyncIterator

import pytest

from app.demo.served import Served, free_port
from tests.support.primero import PrimeroStandIn
from tests.support.systems import Receiver


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    made = Receiver()
    served = Served(made.app, made.port)
    await served.start()
    yield made
    await served.stop()


@pytest.fixture
async def primero(anyio_backend: str) -> AsyncIterator[tuple[PrimeroStandIn, str]]:
    made = PrimeroStandIn()
    port = free_port()
    served = Served(made.app, port)
    await served.start()
    yield made, f"http://127.0.0.1:{port}"
    await served.stop()
