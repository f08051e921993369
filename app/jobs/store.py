"""The connections of the job store, on which no statement waits or runs without an end."""

import asyncio
import select
from collections.abc import Awaitable, Callable
from typing import Any, LiteralString, TypeVar

import psycopg
from procrastinate import PsycopgConnector
from procrastinate.exceptions import ConnectorException
from psycopg_pool import AsyncConnectionPool

from app.database.engine import (
    LOCK_SECONDS,
    STATEMENT_SECONDS,
    for_libpq,
    ran_too_long,
    waited_too_long,
    with_limits,
)
from app.log import log

T = TypeVar("T")

# Seconds between two attempts.
_PAUSE = 0.5


class JobStore(PsycopgConnector):
    """Sends a statement again that another transaction held up.

    It did nothing, and its connection is free meanwhile. If it were given up, the library would
    forget that a job has ended or has to be tried again: it would count as running for ever.
    """

    def __init__(
        self,
        url: str,
        *,
        lock_seconds: float = LOCK_SECONDS,
        statement_seconds: float = STATEMENT_SECONDS,
    ) -> None:
        options = with_limits(url, lock_seconds, statement_seconds)
        super().__init__(
            conninfo=for_libpq(url),
            min_size=1,
            # The worker of each queue holds one, to hear of new jobs.
            max_size=13,
            timeout=5,
            kwargs={"application_name": "helpline jobs", "options": options},
            configure=_without_transactions,
            pool_factory=_pool,
        )

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        await _until_done(super().execute_query_async, query, arguments)

    async def execute_query_one_async(
        self, query: LiteralString, **arguments: Any
    ) -> dict[str, Any]:
        return await _until_done(super().execute_query_one_async, query, arguments)

    async def execute_query_all_async(
        self, query: LiteralString, **arguments: Any
    ) -> list[dict[str, Any]]:
        return await _until_done(super().execute_query_all_async, query, arguments)


async def _without_transactions(connection: psycopg.AsyncConnection[Any]) -> None:
    """Let each statement be a transaction by itself: a step of a job is one statement."""
    await connection.set_autocommit(True)


def _pool(**options: Any) -> AsyncConnectionPool[Any]:
    return AsyncConnectionPool(**{**options, "check": _check})


async def _check(connection: psycopg.AsyncConnection[Any]) -> None:
    """Raise psycopg.OperationalError if a connection of the pool was lost meanwhile.

    A server that goes away ends its connections, which can be read from then on. The library asks
    the server before every statement, and nearly always hears that all is well.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        await AsyncConnectionPool.check_connection(connection)


async def _until_done(
    send: Callable[..., Awaitable[T]], query: LiteralString, arguments: dict[str, Any]
) -> T:
    while True:
        try:
            return await send(query, **arguments)
        except ConnectorException as error:
            cause = error.__cause__
            if not isinstance(cause, Exception) or not (
                waited_too_long(cause) or ran_too_long(cause)
            ):
                raise
        log().warning("a statement of the job store was held up; it is sent again", area="jobs")
        await asyncio.sleep(_PAUSE)
