"""Prepare the folder with the lists of what is erased: once, and anew where the place is new."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app.retention.data_requests.lists import is_first
from app.safekeeping import erasure_folder, erasures
from app.safekeeping.backups.places import BackupRefused
from app.safekeeping.models import ErasureFolder
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import Work

# Of two that prepare at the same time, the second finds what the first has done.
_LOCK = 116_124


class Became(StrEnum):
    """What came of it."""

    # The folder has a marker of its own now.
    PREPARED = "prepared"
    # The marker is of this database, which did not know it: it was restored.
    FOUND = "found again"
    # Both know each other already.
    READY = "prepared already"


class Prepared(NamedTuple):
    """The folder, what came of it, and how many lists are in it."""

    folder: Path
    became: Became
    lists: int


async def prepare(work: Work, *, anew: bool = False) -> Prepared:
    """Let the folder and the database know each other. May be run any number of times.

    `anew`: no list is elsewhere, or those that are will not be needed; a folder that was prepared
    before does not count any more. The place that the settings name must exist: else its disk is
    away. Raises BackupRefused, OSError.
    """
    folder = work.settings.erasure_folder
    if folder is None:
        raise BackupRefused("Say where: set HELPLINE_BACKUP_TARGET, or HELPLINE_ERASURE_TARGET.")
    if not folder.parent.is_dir():
        raise BackupRefused(f"{folder.parent} is not there. Bring its disk, or make the folder.")
    await work.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    known = await erasure_folder.known_to(work)
    there = await asyncio.to_thread(erasure_folder.read, folder, work.keys)
    count = len(erasures.paths_in(folder))
    if known is not None and there == known:
        return Prepared(folder, Became.READY, count)
    if not anew and known is None and there is not None:
        await _know(work, known, there)
        return Prepared(folder, Became.FOUND, count)
    # Without any list, and with nothing erased yet, none can be elsewhere.
    if not anew and (known is not None or not (count or await is_first(work))):
        raise BackupRefused(
            f"{folder} is not the folder that was prepared before, or its disk is away. If the "
            "place is new, copy the former folder, with all that is in it. Only if you are sure "
            "that no list is elsewhere, run it again with --new."
        )
    marker = uuid4()
    await asyncio.to_thread(_mark, work, folder, marker)
    await _know(work, known, marker)
    return Prepared(folder, Became.PREPARED, count)


def _mark(work: Work, folder: Path, marker: UUID) -> None:
    folder.mkdir(exist_ok=True, mode=0o700)
    erasure_folder.mark(folder, work.keys, marker)


async def _know(work: Work, before: UUID | None, marker: UUID) -> None:
    await work.session.execute(
        insert(ErasureFolder)
        .values(id=1, marker=marker)
        .on_conflict_do_update(index_elements=["id"], set_={"marker": marker})
    )
    write_entry(
        work,
        AuditLog.ERASURE_FOLDER_PREPARED,
        "erasure_folder",
        before={"marker": str(before) if before else None},
        after={"marker": str(marker)},
    )
