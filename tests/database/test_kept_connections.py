"""What the tests keep from one stage to the next: what is left on a connection is noticed."""

import pytest
from sqlalchemy import text

from app.database.engine import open_database
from tests.support.kept.connections import left_behind


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ("SELECT 1", []),
        ("SELECT pg_advisory_xact_lock(7)", []),
        ("SELECT pg_advisory_lock(7)", ["a lock"]),
        ("SET statement_timeout = '7s'", ["the setting statement_timeout"]),
        ("SET LOCAL statement_timeout = '7s'", []),
        ("CREATE TEMP TABLE t (n int)", ["a temporary table"]),
    ],
)
async def test_what_is_left_on_a_connection_of_a_pool_is_noticed(
    database: str, anyio_backend: str, statement: str, left: list[str]
) -> None:
    one = open_database(database)
    async with one.sessions() as session, session.begin():
        await session.execute(text(statement))
    await one.close()
    assert left_behind() == left
    # The next user of the connection finds nothing of it.
    again = open_database(database)
    async with again.sessions() as session:
        assert await session.scalar(text("SHOW statement_timeout")) == "1min"
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        assert await session.scalar(text(locks)) == 0
    await again.close()
