"""The connections of the job store: one that was lost, and what a statement takes."""

import psycopg

from app.database.own_server import as_role
from app.database.roles import SUPERUSER
from app.jobs.store import JobStore


async def test_a_statement_after_a_lost_connection_is_sent_on_another(
    database: str, anyio_backend: str
) -> None:
    store = JobStore(database)
    await store.open_async()
    try:
        before = await store.execute_query_one_async("SELECT pg_backend_pid() AS pid")
        with psycopg.connect(as_role(database, SUPERUSER), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (before["pid"],))
        after = await store.execute_query_one_async("SELECT pg_backend_pid() AS pid")
        assert after["pid"] != before["pid"]
    finally:
        await store.close_async()


async def test_a_statement_is_a_transaction_by_itself(database: str, anyio_backend: str) -> None:
    store = JobStore(database)
    await store.open_async()
    try:
        async with store.pool.connection() as connection:
            await connection.execute("SELECT 1")
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    finally:
        await store.close_async()
