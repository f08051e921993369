"""Carry out one verb for a command, in a transaction of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from app import tables
from app.database.engine import LONG_SECONDS
from app.database.running import database_of
from app.jobs.transaction import transaction
from app.log import set_up_logging
from app.reading_settings import read_settings
from app.sealing.knowing import check_keys, learn_now
from app.settings import Settings
from app.work import PROGRAM, Ground, Work, make_ground

T = TypeVar("T")
Verb = Callable[[Work], Awaitable[T]]


@contextlib.contextmanager
def sealed_database() -> Iterator[Settings]:
    """Yield the settings with a database that runs and whose values the keys open.

    Raises BadSettings.
    """
    with database_of(read_settings()) as settings:
        check_keys(settings, lambda: tables.metadata)
        yield settings


@contextlib.asynccontextmanager
async def prepared(settings: Settings) -> AsyncIterator[Ground]:
    """Yield the parts of a process, with the keys that are in force."""
    ground = make_ground(settings, statement_seconds=LONG_SECONDS)
    try:
        await learn_now(ground)
        yield ground
    finally:
        await ground.database.close()


def run_verb(
    verb: Verb[T],
    *,
    by_definitions: bool = True,
    first: Callable[[Ground], Awaitable[None]] | None = None,
) -> T:
    """Run one verb in a transaction of its own.

    `by_definitions`: it works by the definitions in force, so they are read first. `first`: what
    takes time with a server of others, before the transaction begins.
    """
    set_up_logging("WARNING")

    async def run(settings: Settings) -> T:
        # One thread for what blocks: each has a heap of its own, which keeps what was freed.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        async with prepared(settings) as ground:
            if by_definitions:
                from app.country import following

                await following.learn_now(ground)
            if first is not None:
                await first(ground)
            async with transaction(ground, PROGRAM) as work:
                from app.administration import own_settings

                await own_settings.learn(work)
                return await verb(work)

    with sealed_database() as settings:
        return asyncio.run(run(settings))


def parts_of(text: str) -> list[str]:
    """Return the parts of a comma-separated option."""
    return [part.strip() for part in text.split(",") if part.strip()]
