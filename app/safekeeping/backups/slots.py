"""The *slot* in which a server that is not the program's own keeps its log for the back-ups.

It is bounded by the server's `max_slot_wal_keep_size`. Without that bound, or when back-ups are
switched off, it is let go: the server's disk would fill, and calls would end.
"""

import time
from typing import Any

import psycopg
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import text

from app.safekeeping.backups.connecting import asked, told_by
from app.safekeeping.backups.places import BackupRefused
from app.settings import Settings
from app.work import Work

_SLOT = """
SELECT wal_status = 'lost' OR restart_lsn IS NULL, (restart_lsn - '0/0')::int8, active
FROM pg_replication_slots WHERE slot_name = %s
"""
_MAKE = "SELECT pg_create_physical_replication_slot(%s, true)"
_DROP = "SELECT pg_drop_replication_slot(%s)"
_MOVE = "SELECT pg_replication_slot_advance(%s, '0/0'::pg_lsn + %s)"
_WRITTEN = "SELECT (pg_current_wal_flush_lsn() - '0/0')::int8"
# That of this database, and those of databases of the server that are gone.
_OURS = """
SELECT slot_name::text FROM pg_replication_slots s
WHERE slot_type = 'physical' AND slot_name ~ '^helpline_[0-9]{5,}$' AND NOT EXISTS (
  SELECT FROM pg_database d
  WHERE s.slot_name::text = 'helpline_' || d.oid::text AND d.datname <> current_database())
"""
LIMIT = "SELECT current_setting('max_slot_wal_keep_size', true)"
# Seconds until the server notices that a connection has ended.
_RELEASED_WITHIN = 20


class SlotUnbounded(BackupRefused):
    """The slot had no bound any more: it was let go, or the text has the statement that does so."""


def slot_of(number: str) -> str:
    """Return the name of the slot: one for each database, by its number, that is a helpline's."""
    return f"helpline_{number}"


def hold(address: str, slot: str) -> int:
    """Have the server keep what it writes from now on, and return from where it does.

    A slot that the server has given up, because it held too much, is made anew.

    Raises BackupRefused.
    """
    try:
        with asked(address) as connection:
            found = _released(connection, slot)
            if found is not None and found[0]:
                connection.execute(_DROP, [slot])
                found = None
            if found is None:
                connection.execute(_MAKE, [slot])
                found = connection.execute(_SLOT, [slot]).fetchone()
    except psycopg.Error as error:
        raise _refused(error, address) from None
    assert found is not None
    return int(found[1])


def ask_moving(address: str, slot: str, held_from: int, begin: int) -> int:
    """Let the server forget what is with the back-ups, and return until where it has written.

    Raises BackupRefused.
    """
    try:
        with asked(address) as connection:
            if begin > held_from:
                connection.execute(_MOVE, [slot, begin])
            row: Any = connection.execute(_WRITTEN).fetchone()
            return int(row[0])
    except psycopg.Error as error:
        raise _refused(error, address) from None


def stop(settings: Settings) -> list[str]:
    """Drop the slots by which a server keeps its log for back-ups; return their names.

    Raises BackupRefused: if back-ups are made, if the server cannot be reached, and with the
    statement for its superuser if the role may not let it go.
    """
    if settings.backup_target is not None:
        raise BackupRefused(
            "HELPLINE_BACKUP_TARGET is set: a worker would begin again within a minute. Remove it "
            "from the settings of every machine first, and restart the program there."
        )
    address = settings.backup_database_url or settings.database_url
    if address is None:
        # The program's own server puts its log into a folder, and has no slot.
        return []
    try:
        with asked(address) as connection:
            return _let_go(connection)
    except psycopg.Error as error:
        raise _refused(error, address) from None


def refused_with(refused: BackupRefused, connection: psycopg.Connection[Any]) -> BackupRefused:
    """Return a refusal with what becomes of the slot: none stays that could fill the disk."""
    names = _ours(connection)
    if not names:
        return refused
    row: Any = connection.execute(LIMIT).fetchone()
    if row[0] not in (None, "-1"):
        return BackupRefused(
            f"{refused} Meanwhile the server keeps what is written for the back-ups, and at most "
            f"{row[0]} of it."
        )
    try:
        _let_go(connection)
    except BackupRefused as another:
        # Its kind goes on: a slot that is in use at this moment is looked at again in a minute.
        return type(another)(f"{another} {refused}")
    return SlotUnbounded(
        "What the server kept for the back-ups had no bound any more, and was let go before its "
        f"disk was full. The next back-up begins anew. {refused}"
    )


async def seen(work: Work) -> list[str]:
    """Return the slots of ours that the program's own role sees; it may not let them go."""
    return list(await work.session.scalars(text(_OURS)))


def may_not_let_go(name: str) -> str:
    """Return what is said of a slot that has to go, to a role that may not let it go."""
    return (
        "The server keeps what is written for back-ups that are not made, its disk may fill, and "
        "the program's role may not let it go. As its superuser: "
        f"SELECT pg_drop_replication_slot('{name}');"
    )


def _ours(connection: psycopg.Connection[Any]) -> list[str]:
    return [str(row[0]) for row in connection.execute(_OURS).fetchall()]


def _let_go(connection: psycopg.Connection[Any]) -> list[str]:
    names = _ours(connection)
    for name in names:
        try:
            if _released(connection, name) is not None:
                connection.execute(_DROP, [name])
        except InsufficientPrivilege:
            raise SlotUnbounded(may_not_let_go(name)) from None
    return names


def _released(connection: psycopg.Connection[Any], slot: str) -> Any:
    """Return what the server knows of a slot, when the connection from before has let it go."""
    until = time.monotonic() + _RELEASED_WITHIN
    while True:
        found = connection.execute(_SLOT, [slot]).fetchone()
        if found is None or not found[2]:
            return found
        if time.monotonic() > until:
            raise BackupRefused("Another machine is bringing to the back-ups what was written.")
        time.sleep(0.1)


def _refused(error: psycopg.Error, address: str) -> BackupRefused:
    return BackupRefused(f"The server refused: {told_by(error, address)}")
