"""A back-up that a person asks for, besides that of each night."""

from sqlalchemy import text

from app.errors import Conflict
from app.jobs.names import Task
from app.safekeeping.backups import state
from app.safekeeping.backups.nightly import LOCK
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import Work


class MakesNone(Conflict):
    default = "This server makes no back-ups. Ask its operator to set them up."


class UnderWay(Conflict):
    default = "A back-up is being made already, or is tried again soon."


async def ask(work: Work) -> None:
    """Ask for a back-up now. A worker makes it; calls go on.

    Raises MakesNone, and UnderWay while one is asked for or made.
    """
    if work.settings.backup_target is None:
        raise MakesNone
    await work.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    if await state.is_under_way(work):
        raise UnderWay
    work.defer(Task.MAKE_BACKUP)
    write_entry(work, AuditLog.BACKUP_ASKED_FOR, "backups")
