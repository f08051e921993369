"""Carry out one verb for a command, in a transaction of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from app.database.running import database_of
from app.jobs.transaction import transaction
from app.log import set_up_logging
from app.settings import Settings, read_settings
from app.work import PROGRAM, Work, make_ground

T = TypeVar("T")
Verb = Callable[[Work], Awaitable[T]]


def run_verb(verb: Verb[T]) -> T:
    """Run one verb in a transaction of its own."""
    set_up_logging("WARNING")

    async def run(settings: Settings) -> T:
        ground = make_ground(settings)
        # One thread for what blocks: each has a heap of its own, which keeps what was freed.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        try:
            async with transaction(ground, PROGRAM) as work:
                return await verb(work)
        finally:
            await ground.database.close()

    with database_of(read_settings()) as settings:
        return asyncio.run(run(settings))


def parts_of(text: str) -> list[str]:
    """Return the parts of a comma-separated option."""
    return [part.strip() for part in text.split(",") if part.strip()]
