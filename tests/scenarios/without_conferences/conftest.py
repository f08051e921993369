"""A stage on a platform without conferences."""

from collections.abc import AsyncIterator

import pytest

from app.demo.stage import Stage, stage_on


@pytest.fixture
async def stage(database: str, anyio_backend: str) -> AsyncIterator[Stage]:
    async with stage_on(
        database, platform="somleng", wrap_up_seconds=30, long_wait_seconds=60
    ) as made:
        await made.add_line()
        yield made


@pytest.fixture
async def somleng(database: str, anyio_backend: str) -> AsyncIterator[Stage]:
    async with stage_on(database, platform="somleng", wrap_up_seconds=30) as made:
        await made.add_line()
        yield made
        assert made.exchange.faults == []
