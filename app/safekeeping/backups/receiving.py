"""What a PostgreSQL that is not the program's own writes, brought to the back-ups.

Once a minute the program asks for what was written since. The server keeps it in a *slot* until it
is asked for: the slot moves on only when a segment is whole and on the disk of the back-ups, so
nothing is lost if the program, or the folder, is gone for a while. A segment of which only the
beginning is written is brought too, and written anew each time.
"""

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import psycopg

from app.safekeeping.backups import sealing
from app.safekeeping.backups.outside import Known
from app.safekeeping.backups.places import (
    LOG,
    PARTIAL,
    SEGMENT,
    SEGMENT_SIZE,
    BackupRefused,
    Place,
    alone,
    number_of,
    segment_named,
    written,
)
from app.safekeeping.backups.replicating import Link, linked, told_by, written_since

_SLOT = """
SELECT wal_status = 'lost' OR restart_lsn IS NULL, (restart_lsn - '0/0')::int8, active
FROM pg_replication_slots WHERE slot_name = %s
"""
_MAKE = "SELECT pg_create_physical_replication_slot(%s, true)"
_DROP = "SELECT pg_drop_replication_slot(%s)"
_MOVE = "SELECT pg_replication_slot_advance(%s, '0/0'::pg_lsn + %s)"
_WRITTEN = "SELECT (pg_current_wal_flush_lsn() - '0/0')::int8"


# How many segments are brought at once, before the worker looks after other things.
AT_ONCE = 32
# Seconds until the server notices that a connection has ended.
_LET_GO_WITHIN = 20


class Brought(NamedTuple):
    """How many whole segments were brought, and whether there is nothing more."""

    segments: int
    everything: bool


def slot_of(known: Known) -> str:
    """Return the name of the slot: one for each database that is a helpline's."""
    return f"helpline_{known.number}"


def hold(address: str, known: Known) -> int:
    """Have the server keep what it writes from now on, and return from where it does.

    A slot that the server has given up, because it held too much, is made anew.

    Raises BackupRefused.
    """
    slot = slot_of(known)
    try:
        with psycopg.connect(address, autocommit=True) as connection:
            found = _let_go(connection, slot)
            if found is not None and found[0]:
                connection.execute(_DROP, [slot])
                found = None
            if found is None:
                connection.execute(_MAKE, [slot])
                found = connection.execute(_SLOT, [slot]).fetchone()
    except psycopg.Error as error:
        raise _refused(error) from None
    assert found is not None
    return int(found[1])


def _let_go(connection: psycopg.Connection[Any], slot: str) -> Any:
    """Return what the server knows of a slot, when the connection from before has let it go."""
    until = time.monotonic() + _LET_GO_WITHIN
    while True:
        found = connection.execute(_SLOT, [slot]).fetchone()
        if found is None or not found[2]:
            return found
        if time.monotonic() > until:
            raise BackupRefused("Another machine is bringing to the back-ups what was written.")
        time.sleep(0.1)


def receive(address: str, known: Known, place: Place, recipients: sealing.Recipients) -> Brought:
    """Bring what was written until now to the back-ups, or the first part of it.

    Raises BackupRefused, OSError.
    """
    place.make()
    with alone(place.logs):
        held_from = hold(address, known)
        with linked(address) as link:
            time_line = int(link.rows("IDENTIFY_SYSTEM")[0][1] or 1)
            _bring_history(link, place, time_line, recipients)
            first = max(held_from // SEGMENT_SIZE, _next_of(place, time_line))
            begin = first * SEGMENT_SIZE
            end = _ask_moving(address, slot_of(known), held_from, begin)
            if begin > end:
                raise BackupRefused(
                    "The back-ups hold more than the server has written: it was put back to an "
                    f"earlier moment by other means. Move {place.folder} aside, so that a new "
                    "folder begins."
                )
            until, done = min(end, begin + AT_ONCE * SEGMENT_SIZE), 0
            if begin < until:
                pieces = written_since(link, slot_of(known), begin, until, time_line)
                done = _bring(pieces, place, time_line, first, recipients)
    return Brought(done, until == end)


def _ask_moving(address: str, slot: str, held_from: int, begin: int) -> int:
    """Let the server forget what is with the back-ups, and return until where it has written."""
    try:
        with psycopg.connect(address, autocommit=True) as connection:
            if begin > held_from:
                connection.execute(_MOVE, [slot, begin])
            row: Any = connection.execute(_WRITTEN).fetchone()
            return int(row[0])
    except psycopg.Error as error:
        raise _refused(error) from None


def _refused(error: psycopg.Error) -> BackupRefused:
    return BackupRefused(f"The server refused: {told_by(error)}")


def _next_of(place: Place, time_line: int) -> int:
    """Return the number of the segment after the last whole one; 0 without any."""
    names = [n for n in place.segments() if SEGMENT.fullmatch(n) and n[:8] == f"{time_line:08X}"]
    return number_of(names[-1]) + 1 if names else 0


def _bring(
    pieces: Iterable[memoryview],
    place: Place,
    time_line: int,
    number: int,
    recipients: sealing.Recipients,
) -> int:
    begun, held = number, bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= SEGMENT_SIZE:
            name = segment_named(time_line, number)
            _keep(place, name, bytes(held[:SEGMENT_SIZE]), recipients)
            (place.logs / f"{name}{PARTIAL}{LOG}").unlink(missing_ok=True)
            del held[:SEGMENT_SIZE]
            number += 1
    if held:
        # What is not written yet is zeros, as in the server's own file.
        rest = bytes(held.ljust(SEGMENT_SIZE, b"\0"))
        _keep(place, f"{segment_named(time_line, number)}{PARTIAL}", rest, recipients)
    return number - begun


def _bring_history(
    link: Link, place: Place, time_line: int, recipients: sealing.Recipients
) -> None:
    """Bring how a server that was restored or promoted came to its time line."""
    name = f"{time_line:08X}.history"
    if time_line > 1 and not (place.logs / f"{name}{LOG}").exists():
        _keep(place, name, link.rows(f"TIMELINE_HISTORY {time_line}")[0][1] or b"", recipients)


def _keep(place: Place, name: str, data: bytes, recipients: sealing.Recipients) -> None:
    with written(place.logs / f"{name}{LOG}") as file:
        file.write(sealing.packed(data, recipients))
