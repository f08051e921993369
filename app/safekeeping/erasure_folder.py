"""The marker of the folder with the lists of what was erased.

A folder that the program makes where it finds none may be beneath a disk that is away: its lists
would be hidden when the disk is back. So a person prepares the folder once. It holds a marker with
an id that the database holds as well, and no list is written into a folder without it.
"""

import json
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, update

from app.privacy.hash_kinds import HashOf
from app.privacy.keys import Keys
from app.safekeeping.backups.places import BackupRefused, written
from app.safekeeping.models import ErasureFolder
from app.work import Work

MARKER = "marker.json"
COMMAND = "helpline data-requests prepare-folder"
NOT_PREPARED = f"not prepared: run {COMMAND}"
# What readiness says after a restore, until no row of a list stays.
ROWS_STAY = (
    "what was erased is there again: do what helpline data-requests erase-again has said, and run "
    "it again"
)


async def known_to(work: Work) -> UUID | None:
    """Return the id of the folder that was prepared for this database, if there is one."""
    return await work.session.scalar(select(ErasureFolder.marker))


async def lists_waiting(work: Work) -> int:
    """Return of how many lists rows stayed when they were last erased again."""
    return await work.session.scalar(select(ErasureFolder.lists_waiting)) or 0


async def note_waiting(work: Work, lists: int) -> None:
    """Keep of how many lists rows stay."""
    await work.session.execute(update(ErasureFolder).values(lists_waiting=lists))


def read(folder: Path, keys: Keys) -> UUID | None:
    """Return the id in a folder; None if there is none.

    Raises BackupRefused if the marker is of another database or cannot be read, OSError.
    """
    try:
        values = json.loads((folder / MARKER).read_bytes())
        marker, made_by = UUID(values["id"]), values["made_by"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise BackupRefused(
            f"{folder / MARKER} cannot be read. Take it from another copy of the folder."
        ) from None
    if made_by != _made_by(keys, marker):
        raise BackupRefused(
            f"{folder} holds the lists of another database: its {MARKER} was not made by this one. "
            "Choose a folder of its own for each."
        )
    return marker


def mark(folder: Path, keys: Keys, marker: UUID) -> None:
    """Write the marker into a folder, in place of an earlier one. Raises OSError."""
    with written(folder / MARKER) as file:
        values = {"id": str(marker), "made_by": _made_by(keys, marker)}
        file.write(json.dumps(values).encode() + b"\n")


def _made_by(keys: Keys, marker: UUID) -> str:
    """Return what only this database and its field keys can make, also after they were rotated."""
    return keys.lasting_secret(HashOf.ERASURE, f"folder {marker}").hex()


def check(folder: Path, marker: UUID | None) -> None:
    """Make sure that a folder is the one that was prepared. Raises BackupRefused, OSError."""
    if marker is None:
        raise BackupRefused(
            f"{folder} is not prepared. Bring its disk, and run `{COMMAND}` once on the server."
        )
    try:
        found = json.loads((folder / MARKER).read_bytes())["id"]
    except (FileNotFoundError, NotADirectoryError):
        raise BackupRefused(
            f"{folder} is not there, or without its {MARKER}. Bring its disk back. If the place is "
            "new, copy the folder of the former one, with all that is in it. Only if you are sure "
            f"that no list is elsewhere, run `{COMMAND} --new`."
        ) from None
    except (ValueError, KeyError, TypeError):
        found = ""
    if found != str(marker):
        raise BackupRefused(
            f"{folder} is not the folder that was prepared last: its {MARKER} is another one. "
            f"Bring the disk of that one, or run `{COMMAND}`, which says what there is."
        )
