"""A back-up that a person asks for, besides that of each night."""

from datetime import timedelta

from sqlalchemy import text

from app.errors import Conflict
from app.jobs.names import Task
from app.safekeeping.backups import state
from app.safekeeping.backups.nightly import LOCK
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import Work

# Between two back-ups that are asked for: each copies the whole server, and takes room.
APART = timedelta(minutes=30)


class MakesNone(Conflict):
    default = "This server makes no back-ups. Ask its operator to set them up."


class UnderWay(Conflict):
    default = "A back-up is being made already, or is tried again soon."


class TooSoon(Conflict):
    default = "A back-up was made less than half an hour ago. Ask for another one later."


async def ask(work: Work) -> None:
    """Ask for a back-up now. A worker makes it; calls go on.

    Raises MakesNone, UnderWay while one is asked for or made, and TooSoon after the last one.
    """
    if work.settings.backup_target is None:
        raise MakesNone
    await work.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    if await state.is_under_way(work):
        raise UnderWay
    last = await state.last_made(work)
    if last is not None and work.now - last.ended_at < APART:
        raise TooSoon
    work.defer(Task.MAKE_BACKUP)
    write_entry(work, AuditLog.BACKUP_ASKED_FOR, "backups")
