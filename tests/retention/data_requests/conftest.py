"""What tests of two requests, or of a request and a counsellor at the same instant, use."""

from collections.abc import AsyncIterator

import pytest

from app.settings import Settings
from app.work import Ground, make_ground


@pytest.fixture
async def ground(database: str, anyio_backend: str) -> AsyncIterator[Ground]:
    """The parts of a process, on a database of its own: each transaction is a real one."""
    settings = Settings(
        database_url=database,
        public_url="http://127.0.0.1:1",
        secret_key="practice-secret-key-practice-secret-key",
        field_keys="1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
    )
    made = make_ground(settings)
    yield made
    await made.database.close()
