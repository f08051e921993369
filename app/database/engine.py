"""The engine, the sessions, and the two forms of a database's address."""

from dataclasses import dataclass

from psycopg import OperationalError
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import (
    DeadlockDetected,
    ExclusionViolation,
    ForeignKeyViolation,
    LockNotAvailable,
    QueryCanceled,
    SerializationFailure,
    TooManyConnections,
    UniqueViolation,
)
from psycopg_pool import PoolTimeout
from sqlalchemy import make_url, text
from sqlalchemy.exc import TimeoutError as PoolFull
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from app.database.quick import Quick


def for_sqlalchemy(url: str) -> str:
    """Return a libpq address in the form that SQLAlchemy expects, with psycopg as the driver."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def for_libpq(url: str) -> str:
    """Return any accepted address in the form that libpq expects."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


# The longest that a statement waits for a lock, in seconds. What is ordinary waits for
# milliseconds. A webhook gives up before that and answers; a job is tried again.
LOCK_SECONDS = 10.0
# The longest that a statement runs, in seconds, with its waiting for locks. What is ordinary takes
# milliseconds; what looks through a whole table, as a night's erasing or a check of the logs does,
# may take long.
STATEMENT_SECONDS, LONG_SECONDS = 60.0, 3600.0


def with_limits(
    url: str, lock_seconds: float = LOCK_SECONDS, statement_seconds: float = STATEMENT_SECONDS
) -> str:
    """Return the libpq options for connections to a database: the longest that a statement waits
    for a lock, and that it runs. Options in its address stand after ours, so they win."""
    given = str(conninfo_to_dict(for_libpq(url)).get("options") or "")
    lock, statement = round(lock_seconds * 1000), round(statement_seconds * 1000)
    return f"-c lock_timeout={lock} -c statement_timeout={statement} {given}".strip()


# For the statements of the open transaction, whose limit they take the place of.
ALLOW_LONG = text(f"SELECT set_config('statement_timeout', '{LONG_SECONDS:.0f}s', true)")


def ran_too_long(error: Exception) -> bool:
    """Return whether the work failed because a statement took too long: it did nothing."""
    return isinstance(getattr(error, "orig", error), QueryCanceled)


def waited_too_long(error: Exception) -> bool:
    """Return whether the work failed because another transaction held a lock for too long."""
    return isinstance(getattr(error, "orig", error), LockNotAvailable)


def lost_a_race(error: Exception) -> bool:
    """Return whether the work failed because another transaction was faster; a retry may help."""
    cause = getattr(error, "orig", error)
    return isinstance(
        cause,
        (
            DeadlockDetected,
            LockNotAvailable,
            SerializationFailure,
            UniqueViolation,
            ForeignKeyViolation,
            ExclusionViolation,
        ),
    )


def is_busy(error: Exception) -> bool:
    """Return whether there was no connection left for the work."""
    return isinstance(getattr(error, "orig", error), (PoolFull, PoolTimeout, TooManyConnections))


# The server stops, was stopped by force, or does not accept connections yet.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_STOPS = frozenset({"57P01", "57P02", "57P03"})


def is_away(error: Exception) -> bool:
    """Return whether the connection to the database was refused or lost. A statement that was
    cancelled, or found no memory or disk, has an answer of the database: a code of its own."""
    cause = getattr(error, "orig", error)
    if not isinstance(cause, OperationalError) or is_busy(cause):
        return False
    code = cause.sqlstate
    return code is None or code.startswith("08") or code in _STOPS


@dataclass(frozen=True)
class Database:
    """One database: its address, its pools and how to open a session on it.

    `aside` is a small pool for what a request writes in a second transaction while its first
    one is open. With one pool for both, as many requests as it has connections could each
    hold one connection and wait for another for ever.

    `counting` is the pool of the limits on guesses: a flood of requests waits there for its counts,
    and takes no connection from webhooks.
    """

    url: str
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    # For requests that only read: each statement by itself, without a BEGIN and COMMIT to send.
    reading_sessions: async_sessionmaker[AsyncSession]
    aside: AsyncEngine
    sessions_aside: async_sessionmaker[AsyncSession]
    counting: AsyncEngine
    quick: Quick

    async def close(self) -> None:
        await self.engine.dispose()
        await self.aside.dispose()
        await self.counting.dispose()
        await self.quick.close()


def open_database(
    url: str,
    *,
    pool_size: int = 15,
    more: int = 3,
    lock_seconds: float = LOCK_SECONDS,
    statement_seconds: float = STATEMENT_SECONDS,
) -> Database:
    """Return a database with pools of its own; it connects on first use.

    `more`: how many connections beyond `pool_size` are made under load. `lock_seconds`: how long a
    statement waits for a lock at most, before it fails as one that lost a race;
    `statement_seconds`: how long it runs at most.
    """
    options = with_limits(url, lock_seconds, statement_seconds)

    def pool(size: int, more: int) -> AsyncEngine:
        return create_async_engine(
            for_sqlalchemy(url),
            pool_size=size,
            max_overflow=more,
            pool_timeout=5,
            pool_use_lifo=True,
            # No column has this type, which every pool would look for.
            use_native_hstore=False,
            connect_args={
                "connect_timeout": 3,
                "application_name": "helpline",
                "options": options,
            },
        )

    engine, aside, counting = pool(pool_size, more), pool(2, 1), pool(2, 0)
    return Database(
        for_libpq(url),
        engine,
        async_sessionmaker(engine, expire_on_commit=False),
        async_sessionmaker(
            engine.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False
        ),
        aside,
        async_sessionmaker(aside, expire_on_commit=False),
        counting.execution_options(isolation_level="AUTOCOMMIT"),
        Quick(for_libpq(url), options),
    )
