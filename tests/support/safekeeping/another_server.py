"""A PostgreSQL that is not the program's own: another superuser, passwords, its own settings."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from app.safekeeping.backups.server import hand_over, run_tool

_PASSWORD = "of-a-test-only"
_RULES = """\
host all boss 127.0.0.1/32 scram-sha-256
host helpline helpline_owner,helpline 127.0.0.1/32 scram-sha-256
"""
# What a back-up needs is not set yet; a restored server must read nothing of what is set.
_SETTINGS = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
fsync = off
logging_collector = on
max_connections = 150
archive_mode = on
archive_command = 'touch {touched}'
"""
_ROLES = ("helpline_owner", "helpline", "helpline_backup")


@dataclass(frozen=True)
class Another:
    """A running server, and how it is reached."""

    folder: Path
    port: int

    def address(self, role: str, database: str = "helpline") -> str:
        """Return the address for a role, as it stands in the settings."""
        return f"postgresql://{role}:{_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def as_boss(self, *statements: str) -> list[Any]:
        """Carry out statements as the superuser, and return the rows of the last one."""
        address = make_conninfo(self.address("boss", "postgres"))
        with psycopg.connect(address, autocommit=True) as connection:
            for one in statements:
                cursor = connection.execute(one.encode())
            return cursor.fetchall() if cursor.description else []

    def let_in(self, line: str) -> None:
        """Add a line to its rules."""
        path = self.folder / "pg_hba.conf"
        path.write_text(f"{line}\n{path.read_text()}")
        self.as_boss("SELECT pg_reload_conf()")

    @property
    def runs(self) -> bool:
        """Return whether it runs."""
        try:
            pid = int((self.folder / "postmaster.pid").read_text().split()[0])
            # One that was killed may wait for its parent.
            return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
        except (FileNotFoundError, psutil.NoSuchProcess):
            return False

    def kill(self) -> None:
        """End it at once, as a machine that is lost."""
        pid = int((self.folder / "postmaster.pid").read_text().split()[0])
        server = psutil.Process(pid)
        server.kill()
        server.wait(20)

    def take_over(self, restored: Path, before: str) -> None:
        """Run as it was on a restored folder: with the settings that are put aside there."""
        (restored / "log").unlink()
        for path in restored.glob(f"*{before}"):
            path.rename(path.with_name(path.name.removesuffix(before)))
        self.folder.rename(self.folder.with_name("lost"))
        shutil.copytree(restored, self.folder)
        hand_over(self.folder)
        start(self.folder)


def start(data: Path) -> None:
    """Start the server of a folder."""
    said = str(data.parent / "said")
    run_tool("pg_ctl", ["--pgdata", str(data), "--wait", "--log", said, "start"])


@contextmanager
def another_server(folder: Path) -> Iterator[Another]:
    """Run a new server with a database and the roles of the program."""
    folder.mkdir()
    secret = folder / "secret"
    secret.write_text(_PASSWORD)
    hand_over(folder)
    data = folder / "data"
    run_tool(
        "initdb",
        [
            *("--pgdata", str(data), "--username", "boss", "--auth", "scram-sha-256"),
            *("--pwfile", str(secret), "--encoding", "utf8", "--no-sync"),
        ],
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    touched = folder / "archived-by-a-copy"
    (data / "postgresql.conf").write_text(_SETTINGS.format(port=port, touched=touched))
    (data / "pg_hba.conf").write_text(_RULES)
    start(data)
    server = Another(data, port)
    try:
        server.as_boss(
            *(f"CREATE ROLE {one} LOGIN PASSWORD '{_PASSWORD}'" for one in _ROLES),
            "CREATE DATABASE helpline OWNER helpline_owner",
        )
        yield server
    finally:
        if server.runs:
            run_tool("pg_ctl", ["--pgdata", str(data), "--mode", "immediate", "stop"])
