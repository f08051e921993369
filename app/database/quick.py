"""Statements that are sent so often that the cost of SQLAlchemy matters.

They are written like all others and compiled once. A question runs on a pool of its own, in
which every statement is a transaction by itself. Commands are sent together on the connection
of a transaction, in one round trip, just before its commit.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row, tuple_row
from psycopg.types.json import Jsonb, set_json_loads
from psycopg_pool import AsyncConnectionPool
from pydantic_core import from_json
from sqlalchemy import (
    JSON,
    ColumnElement,
    CompoundSelect,
    ScalarSelect,
    Select,
    Update,
    bindparam,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]
Row = dict[str, Any]
Listed = Select[*tuple[Any, ...]]
Asked = Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]]


def is_one_of(column: Any, values: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that a column is one of these values, for a `Question`."""
    return or_(*(column == value for value in values))


def count_of(listed: Listed) -> ScalarSelect[int]:
    """Return how many rows a list has, as a part of another question."""
    rows = listed.with_only_columns(literal(1).label("one"), maintain_column_froms=True)
    return select(func.count()).select_from(rows.order_by(None).subquery()).scalar_subquery()


class Question:
    """A statement with named parameters, compiled once."""

    def __init__(self, statement: Asked | Update) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        self.sql = str(compiled)
        # SQLAlchemy expands a list in IN only when it sends the statement: here it never would.
        assert "POSTCOMPILE" not in self.sql, "write = ANY(array) or `is_one_of`"
        self.fixed = {name: value for name, value in compiled.params.items() if value is not None}
        self._names: list[str] = []

    async def rows_from(self, cursor: Any) -> list[Row]:
        """Return the rows of an answer. The names of its columns are read once: they stay."""
        found = await cursor.fetchall()
        self._names = self._names or [column.name for column in cursor.description]
        return [dict(zip(self._names, values, strict=True)) for values in found]


class Command:
    """An INSERT of one row, compiled once; `or_nothing` if the row may exist already, `statement`
    if it says itself what is done then. `within` returns a larger statement that has it as a part.
    Neither has parameters of its own."""

    def __init__(
        self,
        table: Any,
        *columns: str,
        or_nothing: bool = False,
        statement: Insert | None = None,
        within: Callable[[Insert], Insert] | None = None,
    ) -> None:
        chosen = [table.c[name] for name in columns] or list(table.c)
        begun = statement if statement is not None else insert(table)
        statement = begun.values({c: bindparam(c.key, type_=c.type) for c in chosen})
        if or_nothing:
            statement = statement.on_conflict_do_nothing()
        if within is not None:
            statement = within(statement)
        self.sql = str(statement.compile(dialect=_DIALECT))
        self._json = [c.key for c in chosen if isinstance(c.type, JSON)]

    def row(self, values: Row) -> Row:
        """Return the values in the form that the driver expects."""
        for name in self._json:
            values[name] = Jsonb(values[name])
        return values


@dataclass(frozen=True)
class Check:
    """A question that must find a row, and the kind of error that is raised if it finds none."""

    question: Question
    values: Row
    refusal: type[Exception]


async def send(
    connection: Any, commands: list[tuple[str, Row]], checks: Iterable[Check] = ()
) -> None:
    """Send statements on the driver's own connection, in one round trip, the checks first.

    Raises psycopg.Error, and the refusal of the first check that found nothing: the transaction
    must be rolled back then.
    """
    asked = [(check, connection.cursor()) for check in checks]
    if not asked and len(commands) == 1:
        # A pipeline of one takes more time than it saves.
        await connection.execute(*commands[0])
        return
    async with connection.pipeline(), connection.cursor() as cursor:
        for check, found in asked:
            question = check.question
            await found.execute(question.sql, {**question.fixed, **check.values})
        for sql, values in commands:
            await cursor.execute(sql, values)
    for check, found in asked:
        if found.rowcount == 0:
            raise check.refusal()


async def _read_json_quickly(connection: Any) -> None:
    set_json_loads(from_json, connection)


class Quick:
    """The pool for questions and commands; it connects on first use."""

    def __init__(self, url: str, options: str = "", size: int = 6) -> None:
        self.pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=size,
            open=False,
            timeout=5,
            configure=_read_json_quickly,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "connect_timeout": 3,
                "application_name": "helpline",
                "options": options,
                # Statements are sent so often that preparing them pays off from the first time.
                "prepare_threshold": 0,
            },
        )
        self._opening: asyncio.Lock | None = None

    async def rows(self, question: Question, **values: Any) -> list[Row]:
        """Return the rows as dicts. Raises psycopg.Error and PoolTimeout."""
        async with self._lent() as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            # In binary the driver reads instants, ids and bytes without parsing a text.
            await cursor.execute(question.sql, {**question.fixed, **values}, binary=True)
            return await question.rows_from(cursor)

    async def ask(self, sql: str, values: Row) -> list[Row]:
        """Send a statement, a transaction by itself, and return its rows. Raises psycopg.Error and
        PoolTimeout."""
        async with self._lent() as connection:
            rows: list[Row] = await (await connection.execute(sql, values)).fetchall()
        return rows

    async def send(self, sql: str, **values: Any) -> None:
        """Send a statement, a transaction by itself. Raises psycopg.Error and PoolTimeout."""
        async with self._lent() as connection:
            await connection.execute(sql, values)

    async def write(self, commands: list[tuple[str, Row]], checks: Iterable[Check] = ()) -> None:
        """Write rows in a transaction of their own. Raises psycopg.Error, PoolTimeout, and the
        refusal of a check: nothing is written then."""
        async with self._lent() as connection, connection.transaction():
            await send(connection, commands, checks)

    @contextlib.asynccontextmanager
    async def _lent(self) -> AsyncIterator[Any]:
        """Lend a connection. One on which work was cancelled is not used again: an answer may still
        be on its way there."""
        await self._open()
        connection = await self.pool.getconn()
        try:
            yield connection
        except asyncio.CancelledError:
            await connection.close()
            raise
        finally:
            # What an error left open is rolled back there.
            await self.pool.putconn(connection)

    async def _open(self) -> None:
        if self.pool._opened:
            return
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if not self.pool._opened:
                await self.pool.open()

    async def close(self) -> None:
        if self.pool._opened:
            await self.pool.close()
