"""The engine, the sessions, and the two forms of a database's address."""

from dataclasses import dataclass

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)


def for_sqlalchemy(url: str) -> str:
    """A libpq address in the form that SQLAlchemy wants, with psycopg as the driver."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def for_libpq(url: str) -> str:
    """Any accepted address in the form that libpq wants."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@dataclass(frozen=True)
class Database:
    """One database: its address, its pool and how to open a session on it."""

    url: str
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]

    async def close(self) -> None:
        await self.engine.dispose()


def open_database(url: str, *, pool_size: int = 15) -> Database:
    """A database with a pool of its own; connects on first use."""
    engine = create_async_engine(
        for_sqlalchemy(url),
        pool_size=pool_size,
        max_overflow=5,
        pool_timeout=5,
        pool_use_lifo=True,
        connect_args={"connect_timeout": 3, "application_name": "helpline"},
    )
    return Database(for_libpq(url), engine, async_sessionmaker(engine, expire_on_commit=False))
