"""Making a back-up of the running server, and bringing to it what was written since.

The whole server is copied by `pg_basebackup` and encrypted as it comes. What is written afterwards
is in the segments of the server's log: the server puts each into a folder of `DATA_DIR`
(`app/database/embedded.py`), and from there they are encrypted into the back-ups once a minute.
"""

import fcntl
import gzip
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage

from app.database.embedded import spool_of
from app.safekeeping.backups import sealing
from app.safekeeping.backups.places import (
    ARCHIVED,
    LOG,
    SEGMENT,
    BackupRefused,
    Made,
    Place,
    written,
)
from app.safekeeping.backups.server import ask, own_address, tool
from app.settings import Settings

# Seconds within which the server gives up the segment in which a back-up has ended.
_ARCHIVED_WITHIN = 30
# Whether the server puts aside what it writes.
_ASIDE = """
SELECT CASE WHEN current_setting('archive_mode') = 'off' THEN 'off'
  WHEN last_failed_time > coalesce(last_archived_time, '-infinity') THEN 'failing' ELSE '' END
FROM pg_stat_archiver
"""
_ASIDE_WORDS = {
    "off": (
        "The database does not put aside what it writes yet. Stop every process of the program and "
        "start again, without --replace: then its server starts with the setting."
    ),
    "failing": (
        "The database cannot put aside what it writes: is there room for the folder `written` in "
        "HELPLINE_DATA_DIR, and does it belong to the program's user?"
    ),
}
# Parts of files that a killed process has left behind.
_LEFT_BEHIND = timedelta(days=1)


def place_of(settings: Settings, target: Path | None = None) -> Place:
    """Return the place of the running server's back-ups. Raises BackupRefused."""
    target = target or settings.backup_target
    if target is None:
        raise BackupRefused(
            "Say where: `helpline backup make FOLDER`, or set HELPLINE_BACKUP_TARGET."
        )
    system = ask(own_address(settings), "SELECT system_identifier FROM pg_control_system()")
    return Place(target.resolve() / str(system))


def make_base(settings: Settings, now: datetime, target: Path | None = None) -> Made:
    """Make a back-up of the whole server, and delete those that are too old.

    Raises BackupRefused, OSError.
    """
    recipients = sealing.recipients_of(settings.backup_recipients)
    place = place_of(settings, target)
    place.make()
    url = own_address(settings)
    with _alone(place.folder):
        _forget_parts(place, now)
        begun = time.monotonic()
        name = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        if place.base_of(name).exists():
            raise BackupRefused("A back-up was made within this second. Try again.")
        first = ask(url, "SELECT pg_walfile_name(pg_current_wal_lsn())")
        with written(place.base_of(name)) as file:
            counted = sealing.Counted(file)
            _copy(url, name, counted, recipients)
        made = Made(
            name=name,
            system=place.folder.name,
            begun_at=now.astimezone(UTC).isoformat(),
            ended_at=(now + timedelta(seconds=time.monotonic() - begun))
            .astimezone(UTC)
            .isoformat(),
            first_segment=str(first),
            server_version=int(ask(url, "SELECT current_setting('server_version_num')::int")),
            size=counted.size,
            sha256=counted.sha256,
            recipients=[str(one) for one in recipients],
        )
        place.describe(made)
        expire(place, settings.backup_keep)
    if settings.backup_target is not None:
        _give_up_segment(settings, url)
    return made


def _copy(url: str, name: str, to: sealing.Counted, recipients: sealing.Recipients) -> None:
    command = [
        *(tool("pg_basebackup"), "--dbname", url, "--pgdata", "-", "--format", "tar"),
        *("--wal-method", "fetch", "--checkpoint", "fast", "--compress", "client-gzip:1"),
        *("--no-password", "--label", f"helpline {name}"),
    ]
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, cwd="/"
        ) as process,
    ):
        try:
            sealing.encrypt(process.stdout, to, recipients)
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0:
            said.seek(0)
            last = (said.read().strip().splitlines() or ["without a word"])[-1]
            raise BackupRefused(f"pg_basebackup failed: {last}")


def _give_up_segment(settings: Settings, url: str) -> None:
    """Have the segment in which the back-up ended archived, and bring it to the back-ups."""
    last = ask(url, "SELECT pg_walfile_name(pg_current_wal_lsn())")
    ask(url, "SELECT pg_switch_wal()")
    until = time.monotonic() + _ARCHIVED_WITHIN
    spool = spool_of(settings.data_dir)
    while time.monotonic() < until and not (spool / str(last)).exists():
        if ask(url, _ASIDE):
            break
        time.sleep(0.1)
    drain(settings)


def drain(settings: Settings) -> int:
    """Encrypt into the back-ups what the server has put aside. Return how many files these were.

    Raises BackupRefused, OSError.
    """
    done = _drain(settings)
    problem = _ASIDE_WORDS.get(ask(own_address(settings), _ASIDE))
    if problem is not None:
        raise BackupRefused(problem)
    return done


def _drain(settings: Settings) -> int:
    recipients = sealing.recipients_of(settings.backup_recipients)
    spool = spool_of(settings.data_dir)
    names = sorted(one.name for one in spool.glob("*") if ARCHIVED.fullmatch(one.name))
    if not names:
        return 0
    place = place_of(settings)
    place.make()
    done = 0
    with _alone(spool):
        for name in names:
            path = spool / name
            # Another process may have been faster.
            if not path.exists():
                continue
            sealed = pyrage.encrypt(gzip.compress(path.read_bytes(), 1), recipients)
            with written(place.logs / f"{name}{LOG}") as file:
                file.write(sealed)
            path.unlink()
            done += 1
    return done


def expire(place: Place, keep: int) -> None:
    """Keep the newest back-ups, and what was written since the oldest of them."""
    made = place.all()
    for old in made[:-keep]:
        # The description goes first: what has none is no back-up.
        (place.bases / f"{old.name}.json").unlink(missing_ok=True)
        place.base_of(old.name).unlink(missing_ok=True)
    kept = made[-keep:]
    if not kept:
        return
    oldest = min(one.first_segment[8:] for one in kept)
    for name in place.segments():
        if SEGMENT.match(name) and name[8:24] < oldest:
            (place.logs / f"{name}{LOG}").unlink(missing_ok=True)


def _forget_parts(place: Place, now: datetime) -> None:
    for path in (*place.bases.glob("*.part"), *place.logs.glob("*.part")):
        if now.timestamp() - path.stat().st_mtime > _LEFT_BEHIND.total_seconds():
            path.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process writes here. Raises BackupRefused after a while."""
    handle = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        for _ in range(600):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
        else:
            raise BackupRefused("Another back-up is being made. Wait until it has ended.")
        yield
    finally:
        os.close(handle)
