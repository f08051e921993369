"""Restoring a back-up into an empty folder, to the end of what is known or to a moment before.

Everything happens in a folder beside it that gets its name when the restore is complete. The folder
is a `DATA_DIR` then. Nothing of the program is started here, so no job rings a phone.
"""

import hashlib
import os
import shlex
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from app.database.embedded import SERVER_SETTINGS, folder_of, name_database, write_rules
from app.database.roles import SUPERUSER
from app.safekeeping.backups import sealing
from app.safekeeping.backups.places import (
    LOG,
    PARTIAL,
    SEGMENT,
    BackupFolder,
    BackupRefused,
    Made,
    places_in,
)
from app.safekeeping.backups.server import ask, hand_over, run_tool

# Seconds that the server may take to work off what was written since the back-up.
_RECOVERS_WITHIN = 24 * 3600
_FILES_OF_A_SERVER = ("postmaster.pid", ".handle_pids.json", "standby.signal")
_SETTINGS_OF_A_SERVER = (
    *("postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"),
)
# In which a server of ours says what it does.
LOG_FILE = "log"
# The line of `postmaster.pid` in which a server says how far it is.
_STATUS = 7
# Ends the names of settings that a restore has put aside.
BEFORE = ".before"


def choose(
    source: Path, until: datetime | None, name: str | None = None
) -> tuple[BackupFolder, Made]:
    """Return the back-up to begin with: the newest one that ended before a moment, or a named one.

    Raises BackupRefused.
    """
    places = places_in(source)
    if len(places) > 1:
        systems = ", ".join(place.folder.name for place in places)
        raise BackupRefused(
            f"{source} holds the back-ups of several servers: {systems}. Give the folder of one."
        )
    place = places[0]
    made = [
        one
        for one in place.all()
        if name in (None, one.name)
        and (until is None or datetime.fromisoformat(one.ended_at) <= until)
    ]
    if not made:
        raise BackupRefused(
            "There is no complete back-up from before that moment."
            if until is not None
            else f"{source} holds no complete back-up{f' {name}' if name else ''}."
        )
    return place, made[-1]


def restore(
    source: Path, to: Path, key: Path, *, until: datetime | None = None, name: str | None = None
) -> Made:
    """Restore into an empty folder, and return with which back-up it began.

    Raises BackupRefused, and then nothing is left behind.
    """
    to = to.resolve()
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise BackupRefused(f"{to} is not empty. Give a folder that is empty or not there yet.")
    identities = sealing.identities_in(key)
    place, made = choose(source, until, name)
    part = to.with_name(f"{to.name}.part")
    if part.exists():
        raise BackupRefused(
            f"{part} is there from a restore that was stopped. Delete it, and try again."
        )
    part.mkdir(parents=True, mode=0o700)
    try:
        _unpack(place, made, part, identities)
        _bring_log(place, made, part / "log", identities)
        _recover(part, made, until)
        shutil.rmtree(part / "log")
        if to.exists():
            to.rmdir()
        part.rename(to)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return made


def _unpack(place: BackupFolder, made: Made, part: Path, identities: sealing.Identities) -> None:
    """Open and unpack the copy of the server, and compare every file with its own list."""
    path = place.base_of(made.name)
    _check_whole(path, made)
    folder = folder_of(part)
    folder.mkdir(mode=0o700)
    with tempfile.TemporaryFile(dir=part) as opened:
        with path.open("rb") as file:
            sealing.decrypt(file, opened, identities, path.name)
        opened.seek(0)
        with tarfile.open(fileobj=opened, mode="r|gz") as archive:
            archive.extractall(folder, filter="data")
    folder.chmod(0o700)
    hand_over(part)
    run_tool("pg_verifybackup", ["--exit-on-error", "--quiet", str(folder)])


def _check_whole(path: Path, made: Made) -> None:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BackupRefused(f"{path.name} cannot be read ({error.strerror}).") from None
    if size < made.size:
        raise BackupRefused(
            f"{path.name} was cut: it has {size} of {made.size} bytes. Use another back-up."
        )
    if digest != made.sha256:
        raise BackupRefused(f"{path.name} was changed since it was made. Use another back-up.")


def _bring_log(
    place: BackupFolder, made: Made, folder: Path, identities: sealing.Identities
) -> None:
    """Open what was written since the back-up."""
    folder.mkdir(mode=0o700)
    for name in place.segments():
        if SEGMENT.match(name) and name[8:24] < made.first_segment[8:]:
            continue
        to = folder / name.removesuffix(PARTIAL)
        if to.exists():
            # The whole segment came later than its beginning.
            continue
        path = place.logs / f"{name}{LOG}"
        to.write_bytes(sealing.unpacked(path.read_bytes(), identities, path.name))
    hand_over(folder)


# -- the server works off its log --------------------------------------------------------------


def _recover(part: Path, made: Made, until: datetime | None) -> None:
    folder = folder_of(part)
    name_database(folder, made.database)
    _put_aside(folder)
    for name in _FILES_OF_A_SERVER:
        (folder / name).unlink(missing_ok=True)
    kept = shlex.quote(str(part / "log")).replace("%", "%%")
    fetch = f"cp {kept}/%f %p"
    wanted = [
        "archive_mode = off",
        f"restore_command = {_quoted(fetch)}",
        "recovery_target_action = promote",
        # It is not read before it is ready, so it may have fewer connections than it had.
        "hot_standby = off",
    ]
    if until is not None:
        wanted.append(f"recovery_target_time = {_quoted(until.astimezone(UTC).isoformat())}")
    (folder / SERVER_SETTINGS).write_text("\n".join(wanted) + "\n")
    (folder / "recovery.signal").touch()
    hand_over(part)
    write_rules(folder, made.superuser)
    with _running(folder, made) as address:
        _wait(folder)
        _let_the_program_in(address)
        _sign_all_out(address)
        # What it has worked off is on the disk before the folder gets its name.
        ask(address, "SELECT 1 FROM (SELECT pg_switch_wal()) AS done")
    write_rules(folder)
    (folder / SERVER_SETTINGS).write_text("")


def _put_aside(folder: Path) -> None:
    """Put aside the log of the server, and its settings if it was not the program's own.

    These name files, libraries, addresses and an archive of another machine.
    """
    # A file of what the server said, or a folder of such files.
    if (folder / LOG_FILE).exists():
        (folder / LOG_FILE).rename(folder / f"{LOG_FILE}{BEFORE}")
    include = f"include_if_exists = '{SERVER_SETTINGS}'"
    path = folder / "postgresql.conf"
    if path.exists() and include in path.read_text():
        return
    for name in _SETTINGS_OF_A_SERVER:
        if (folder / name).exists():
            (folder / name).rename(folder / f"{name}{BEFORE}")
        (folder / name).touch(mode=0o600)
    path.write_text(f"lc_messages = 'C'\n{include}\n")


def _let_the_program_in(address: str) -> None:
    """Have the role by which the program sets up its own server."""
    with psycopg.connect(address, autocommit=True) as connection:
        if connection.info.user != SUPERUSER:
            found = connection.execute(
                "SELECT FROM pg_roles WHERE rolname = %s", [SUPERUSER]
            ).fetchone()
            verb = "CREATE" if found is None else "ALTER"
            connection.execute(f"{verb} ROLE {SUPERUSER} SUPERUSER LOGIN")


# What let people in at that moment: some of them may have left since, or lost a device. A back-up
# of an early version may lack a table.
_LETS_IN = {
    "staff_sessions": "DELETE FROM staff_sessions",
    "password_links": "UPDATE password_links SET withdrawn_at = now()"
    " WHERE used_at IS NULL AND withdrawn_at IS NULL",
}


def _sign_all_out(address: str) -> None:
    """End every session and open link for a password. Each person signs in anew."""
    with psycopg.connect(address, autocommit=True) as connection:
        for table, statement in _LETS_IN.items():
            row = connection.execute("SELECT to_regclass(%s)", [f"public.{table}"]).fetchone()
            if row is not None and row[0] is not None:
                connection.execute(statement.encode())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


@contextmanager
def _running(folder: Path, made: Made) -> Iterator[str]:
    """Run the restored server on a socket of its own, and stop it."""
    # A short path: the name of a socket has little room.
    with tempfile.TemporaryDirectory(prefix="hlr", dir="/tmp") as sockets:
        hand_over(Path(sockets))
        options = f"-c listen_addresses='' -c unix_socket_directories={sockets}"
        arguments = ["--pgdata", str(folder)]
        try:
            run_tool(
                "pg_ctl",
                [
                    *arguments,
                    *(
                        "--wait",
                        "--timeout",
                        str(_RECOVERS_WITHIN),
                        "--log",
                        str(folder / LOG_FILE),
                    ),
                    *("--options", options, "start"),
                ],
            )
        except BackupRefused:
            raise BackupRefused(_why(folder)) from None
        stop = [*arguments, "--wait", "--mode", "fast", "stop"]
        try:
            yield make_conninfo(host=sockets, user=made.superuser, dbname=made.database)
        except BaseException:
            # It may have given up by itself; what is told is why.
            with suppress(BackupRefused):
                run_tool("pg_ctl", stop)
            raise
        run_tool("pg_ctl", stop)


def _wait(folder: Path) -> None:
    """Wait until the server has worked off its log. Raises BackupRefused if it gives up."""
    ends = time.monotonic() + _RECOVERS_WITHIN
    while time.monotonic() < ends:
        try:
            lines = (folder / "postmaster.pid").read_text().splitlines()
            os.kill(int(lines[0]), 0)
        except (OSError, ValueError, IndexError):
            raise BackupRefused(_why(folder)) from None
        # Before, it says that it stands by.
        if len(lines) > _STATUS and lines[_STATUS].strip() == "ready":
            return
        time.sleep(0.1)
    raise BackupRefused("The server did not work off its log within a day.")


def _why(folder: Path) -> str:
    """Return why a server gave up, from its own log."""
    log = folder / LOG_FILE
    text = log.read_bytes().decode(errors="replace") if log.exists() else ""
    if "before configured recovery target was reached" in text:
        return (
            "What was written until that moment is not all in the back-ups. Give an earlier moment "
            "with --until, or none for the last that is known."
        )
    fatal = [line for line in text.splitlines() if "FATAL" in line or "PANIC" in line]
    return f"The restored server gave up: {fatal[-1].partition(':  ')[2] if fatal else 'no reason'}"
