"""Statements that are asked so often that what lies between us and the driver shows.

They are written like all others, compiled once, and sent on a pool of their own in which
every statement stands by itself. For reading only.
"""

import asyncio
from typing import Any

from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]
Row = dict[str, Any]


class Question:
    """A statement with named parameters, compiled once."""

    def __init__(self, statement: Select[Any]) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        self.sql = str(compiled)
        self.fixed = {name: value for name, value in compiled.params.items() if value is not None}


class Quick:
    """The pool; it connects on first use."""

    def __init__(self, url: str, size: int = 6) -> None:
        self._pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=size,
            open=False,
            timeout=5,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "connect_timeout": 3,
                "application_name": "helpline",
                # Sent so often that the plan is worth keeping from the first time on.
                "prepare_threshold": 0,
            },
        )
        self._opening: asyncio.Lock | None = None

    async def rows(self, question: Question, **values: Any) -> list[Row]:
        """The rows as dicts. Raises psycopg.Error and PoolTimeout."""
        await self._open()
        async with self._pool.connection() as connection:
            cursor = await connection.execute(question.sql, {**question.fixed, **values})
            rows: list[Row] = await cursor.fetchall()
        return rows

    async def _open(self) -> None:
        if self._pool._opened:
            return
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if not self._pool._opened:
                await self._pool.open()

    async def close(self) -> None:
        if self._pool._opened:
            await self._pool.close()
