"""What a PostgreSQL that is not the program's own writes, brought to the back-ups.

Once a minute the program asks for what was written since. The server keeps it in a *slot* until it
is asked for: the slot moves on only when a segment is whole and on the disk of the back-ups, so
nothing is lost if the program, or the folder, is gone for a while. A segment of which only the
beginning is written is brought too, and written anew each time.
"""

from collections.abc import Iterable
from typing import NamedTuple

from app.safekeeping.backups import sealing, slots
from app.safekeeping.backups.outside import KnownServer
from app.safekeeping.backups.places import (
    LOG,
    PARTIAL,
    SEGMENT,
    SEGMENT_SIZE,
    BackupFolder,
    BackupRefused,
    alone,
    number_of,
    segment_named,
    written,
)
from app.safekeeping.backups.replicating import ReplicationLink, linked, written_since

# How many segments are brought at once, before the worker looks after other things.
AT_ONCE = 32


class Brought(NamedTuple):
    """How many whole segments were brought, and whether there is nothing more."""

    segments: int
    everything: bool


def receive(
    address: str, known: KnownServer, place: BackupFolder, recipients: sealing.Recipients
) -> Brought:
    """Bring what was written until now to the back-ups, or the first part of it.

    Raises BackupRefused, OSError.
    """
    slot = slots.slot_of(known.number)
    place.make()
    with alone(place.logs):
        held_from = slots.hold(address, slot)
        with linked(address) as link:
            time_line = int(link.rows("IDENTIFY_SYSTEM")[0][1] or 1)
            _bring_history(link, place, time_line, recipients)
            first = max(held_from // SEGMENT_SIZE, _next_of(place, time_line))
            begin = first * SEGMENT_SIZE
            end = slots.ask_moving(address, slot, held_from, begin)
            if begin > end:
                raise BackupRefused(
                    "The back-ups hold more than the server has written: it was put back to an "
                    f"earlier moment by other means. Move {place.folder} aside, so that a new "
                    "folder begins."
                )
            until, done = min(end, begin + AT_ONCE * SEGMENT_SIZE), 0
            if begin < until:
                pieces = written_since(link, slot, begin, until, time_line)
                done = _bring(pieces, place, time_line, first, recipients)
    return Brought(done, until == end)


def _next_of(place: BackupFolder, time_line: int) -> int:
    """Return the number of the segment after the last whole one; 0 without any."""
    names = [n for n in place.segments() if SEGMENT.fullmatch(n) and n[:8] == f"{time_line:08X}"]
    return number_of(names[-1]) + 1 if names else 0


def _bring(
    pieces: Iterable[memoryview],
    place: BackupFolder,
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
    link: ReplicationLink, place: BackupFolder, time_line: int, recipients: sealing.Recipients
) -> None:
    """Bring how a server that was restored or promoted came to its time line."""
    name = f"{time_line:08X}.history"
    if time_line > 1 and not (place.logs / f"{name}{LOG}").exists():
        _keep(place, name, link.rows(f"TIMELINE_HISTORY {time_line}")[0][1] or b"", recipients)


def _keep(place: BackupFolder, name: str, data: bytes, recipients: sealing.Recipients) -> None:
    with written(place.logs / f"{name}{LOG}") as file:
        file.write(sealing.packed(data, recipients))
