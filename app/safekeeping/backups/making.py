"""Making a back-up of the running server, and bringing to it what was written since.

The whole server is copied by replication and encrypted as it comes. What is written afterwards is
in the segments of the server's log. The program's own server puts each into a folder of `DATA_DIR`
(`app/database/embedded.py`), and from there they are encrypted into the back-ups once a minute;
another server is asked for them (`receiving.py`).
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.database.embedded import folder_of, spool_of
from app.safekeeping.backups import receiving, sealing, slots
from app.safekeeping.backups.outside import KnownServer, as_the_program_sees_it, look
from app.safekeeping.backups.places import (
    ARCHIVED,
    LOG,
    SEGMENT,
    BackupFolder,
    BackupRefused,
    Made,
    PartMissing,
    alone,
    written,
)
from app.safekeeping.backups.replicating import copied, hold, linked
from app.safekeeping.backups.server import Server, ask, server_of
from app.settings import Settings

# Into which it writes now.
_SEGMENT = "SELECT pg_walfile_name(pg_current_wal_lsn())"
_SYSTEM = "SELECT system_identifier FROM pg_control_system()"
# Which it has given up. At the beginning of a segment, as after a back-up, it gives up none: then
# that is the one before, which may have been put aside, and brought to the back-ups, before.
_GIVEN_UP = "SELECT pg_walfile_name(pg_switch_wal() - 1)"
_LAST_ASIDE = "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver"
# Seconds within which the server gives up the segment in which a back-up has ended.
ARCHIVED_WITHIN = 30
# Whether the server puts aside what it writes.
_ASIDE = """
SELECT CASE WHEN current_setting('archive_mode') = 'off' THEN 'off'
  WHEN last_failed_time > coalesce(last_archived_time, '-infinity') THEN 'failing' ELSE '' END
FROM pg_stat_archiver
"""
# Seconds after which a segment that waits is overdue, if the server has neither put one aside nor
# failed to, nor was started since: its command hangs. What fails is tried again sooner.
HANGS_AFTER = 300
# What waits since then, in seconds of the epoch, is overdue; 0 if it has tried lately. An instant
# that has not come yet is from before the clock was set back, and says nothing.
OVERDUE = """
SELECT CASE WHEN coalesce(max(at), '-infinity') <= now() - make_interval(secs => {0})
  THEN extract(epoch FROM now())::float8 - {0} ELSE 0 END
FROM pg_stat_archiver,
  unnest(ARRAY[last_archived_time, last_failed_time, pg_postmaster_start_time()]) AS at
WHERE at <= now()
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
# Characters of the name of a back-up that are its day.
_DAY = len("20270131")
# The newest back-ups, of which more than one of a day is kept.
_NEWEST = 3
# Parts of files that a killed process has left behind.
_LEFT_BEHIND = timedelta(days=1)


@dataclass(frozen=True)
class _Begun:
    """The server of the back-ups, and the place where they are."""

    server: Server
    # What is known of a server that is not the program's own.
    known: KnownServer | None
    place: BackupFolder


def _begin(settings: Settings, target: Path | None = None) -> _Begun:
    """Find server and place, and look whether a back-up can be made. Raises BackupRefused."""
    target = target or settings.backup_target
    if target is None:
        raise BackupRefused(
            "Say where: `helpline backup make FOLDER`, or set HELPLINE_BACKUP_TARGET."
        )
    try:
        server = server_of(settings)
    except BackupRefused as refused:
        raise as_the_program_sees_it(settings, refused) from None
    known = None if server.is_own else look(settings, server.address)
    system = known.system if known else ask(server.address, _SYSTEM)
    return _Begun(server, known, BackupFolder(target.resolve() / str(system)))


def make_base(settings: Settings, now: datetime, target: Path | None = None) -> Made:
    """Make a back-up of the whole server, and delete those that are too old.

    Raises BackupRefused, OSError.
    """
    recipients = sealing.recipients_of(settings.backup_recipients)
    begun = _begin(settings, target)
    place, address = begun.place, begun.server.address
    # What is written since is brought to the folder of the settings alone.
    goes_on = settings.backup_target is not None and (
        target is None or target.resolve() == settings.backup_target.resolve()
    )
    place.make()
    with alone(place.folder):
        _forget_parts(place, now)
        if begun.known and goes_on:
            with alone(place.logs):
                slots.hold(address, slots.slot_of(begun.known.number))
        made = _copy(begun, now, recipients)
        if begun.known and goes_on:
            # It is complete when what was written while it was made is there, too.
            while not receiving.receive(address, begun.known, place, recipients).everything:
                pass
        place.describe(made)
        expire(place, settings.backup_keep)
    if begun.server.is_own and goes_on:
        give_up_segment(settings, address)
    return made


def _copy(begun: _Begun, now: datetime, recipients: sealing.Recipients) -> Made:
    place, address, known = begun.place, begun.server.address, begun.known
    clock = time.monotonic()
    name = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    if place.base_of(name).exists():
        raise BackupRefused("A back-up was made within this second. Try again.")
    first = ask(address, _SEGMENT)
    with linked(address) as link, written(place.base_of(name)) as file:
        hold(link)
        counted = sealing.Counted(file)
        sealing.encrypt(copied(link, f"helpline {name}"), counted, recipients)
    ended_at = now + timedelta(seconds=time.monotonic() - clock)
    return Made(
        name=name,
        system=place.folder.name,
        begun_at=now.astimezone(UTC).isoformat(),
        ended_at=ended_at.astimezone(UTC).isoformat(),
        first_segment=str(first),
        server_version=int(ask(address, "SELECT current_setting('server_version_num')::int")),
        size=counted.size,
        sha256=counted.sha256,
        recipients=[str(one) for one in recipients],
        **({"database": known.database, "superuser": known.superuser} if known else {}),
    )


def give_up_segment(settings: Settings, url: str) -> None:
    """Have the segment in which the back-up ended archived, and bring it to the back-ups."""
    last = str(ask(url, _GIVEN_UP))
    until = time.monotonic() + ARCHIVED_WITHIN
    path = spool_of(settings.data_dir) / last
    while time.monotonic() < until and not path.exists():
        if ask(url, _ASIDE) or str(ask(url, _LAST_ASIDE)) >= last:
            break
        time.sleep(0.1)
    drain(settings)


def drain(settings: Settings) -> int:
    """Bring to the back-ups what was written. Return how many files these were.

    Raises PartMissing if a restore cannot go on from the last back-up, and BackupRefused, OSError.
    """
    begun = _begin(settings)
    if begun.known:
        recipients = sealing.recipients_of(settings.backup_recipients)
        brought = receiving.receive(begun.server.address, begun.known, begun.place, recipients)
        _check_begins(begun)
        if not brought.everything:
            raise BackupRefused("What was written is still being brought to the back-ups.")
        return brought.segments
    done = _drain(settings, begun.place)
    _check_begins(begun)
    address = begun.server.address
    found = ask(address, _ASIDE) or ("failing" if _hangs(settings, address) else "")
    if found:
        raise BackupRefused(_ASIDE_WORDS[found])
    return done


def _hangs(settings: Settings, address: str) -> bool:
    """Return whether a segment waits for a server that neither puts it aside nor fails to."""
    waits = folder_of(settings.data_dir) / "pg_wal" / "archive_status"
    begun_at = ask(address, OVERDUE.format(HANGS_AFTER))
    for one in waits.iterdir():
        # It may be put aside at this moment.
        with suppress(FileNotFoundError):
            if one.suffix == ".ready" and one.stat().st_mtime <= begun_at:
                return True
    return False


def _check_begins(begun: _Begun) -> None:
    """Refuse if a restore that begins with the last back-up would not come to now."""
    made = begun.place.all()
    if not made:
        return
    if not str(ask(begun.server.address, _SEGMENT)).startswith(made[-1].time_line):
        raise PartMissing(
            "The server was restored, or replaced, since the last back-up. A restore does not come "
            "to what was written since, until there is a new back-up."
        )
    if begun.known and begun.place.breaks_after(made[-1]):
        raise PartMissing(
            "The server no longer had a part of what was written since the last back-up. A restore "
            "ends before it, until there is a new back-up."
        )


def _drain(settings: Settings, place: BackupFolder) -> int:
    recipients = sealing.recipients_of(settings.backup_recipients)
    spool = spool_of(settings.data_dir)
    names = sorted(one.name for one in spool.glob("*") if ARCHIVED.fullmatch(one.name))
    if not names:
        return 0
    place.make()
    done = 0
    with alone(spool):
        for name in names:
            path = spool / name
            # Another process may have been faster.
            if not path.exists():
                continue
            with written(place.logs / f"{name}{LOG}") as file:
                file.write(sealing.packed(path.read_bytes(), recipients))
            path.unlink()
            done += 1
    return done


def expire(place: BackupFolder, keep: int) -> None:
    """Keep the newest back-up of each of the last `keep` days, and what was written since.

    Days are those of UTC on which a back-up was begun. The newest few are all kept.
    """
    made = place.all()
    kept = _kept(made, keep)
    for old in made:
        if old in kept:
            continue
        # The description goes first: what has none is no back-up.
        (place.bases / f"{old.name}.json").unlink(missing_ok=True)
        place.base_of(old.name).unlink(missing_ok=True)
    if not kept:
        return
    oldest = min(one.first_segment[8:] for one in kept)
    for name in place.segments():
        if SEGMENT.match(name) and name[8:24] < oldest:
            (place.logs / f"{name}{LOG}").unlink(missing_ok=True)


def _kept(made: list[Made], keep: int) -> list[Made]:
    """Return the back-ups that are kept: many of one day take no other day away."""
    # Names sort by their moment: the last of each day stays.
    of_day = {one.name[:_DAY]: one for one in made}
    days = sorted(of_day)[-keep:]
    stays = [*made[-_NEWEST:], *of_day.values()]
    return [one for one in made if one in stays and one.name[:_DAY] in days]


def _forget_parts(place: BackupFolder, now: datetime) -> None:
    for path in (*place.bases.glob("*.part"), *place.logs.glob("*.part")):
        if now.timestamp() - path.stat().st_mtime > _LEFT_BEHIND.total_seconds():
            path.unlink(missing_ok=True)
