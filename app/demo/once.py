"""`helpline demo --once`: the scripted hour on a database of its own."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from app.database.embedded import EmbeddedPostgres
from app.database.running import make_ready
from app.demo.hour import play_hour
from app.demo.stage import stage_on


def run_once(seed: int) -> dict[str, Any]:
    """Play the hour on a fresh embedded database and throw it away."""
    # A short path: the database listens on a socket in it.
    with (
        tempfile.TemporaryDirectory(prefix="hl", dir="/tmp") as folder,
        EmbeddedPostgres(Path(folder)) as server,
    ):
        with psycopg.connect(server.superuser_url, autocommit=True) as connection:
            # Nothing in it has to outlive the hour.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET synchronous_commit = off")
            connection.execute("SELECT pg_reload_conf()")
        make_ready(server.url, server.owner_url)
        return asyncio.run(_play(server.url, seed))


async def _play(url: str, seed: int) -> dict[str, Any]:
    async with stage_on(url, seed=seed, wrap_up_seconds=20, long_wait_seconds=60) as stage:
        return await play_hour(stage, seed)
