"""Days that are holidays, or are none although the country's calendar says so."""

from datetime import date

from app.database.topics import Topic
from app.errors import Invalid, NotFound
from app.routing.rota import recurrence
from app.routing.rota.models import Holiday
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import Work


async def set_holiday(work: Work, day: date, name: str, *, free: bool = True) -> None:
    """Make a day a holiday, or one of the country's a working day. Raises Invalid."""
    recurrence.check_day(day)
    name = " ".join(name.split())
    if not 1 <= len(name) <= 80:
        raise Invalid("Give the holiday a name of 1 to 80 characters.")
    row = await work.session.get(Holiday, day, with_for_update=True)
    before = None if row is None else {"name": row.name, "free": row.free}
    after = {"name": name, "free": free}
    if before == after:
        return
    if row is None:
        row = Holiday(on=day, name=name, free=free)
        work.session.add(row)
    row.name, row.free = name, free
    write_entry(work, AuditLog.HOLIDAY_SET, day.isoformat(), before=before, after=after)
    work.announce(Topic.ROSTER)


async def clear_holiday(work: Work, day: date) -> None:
    """Remove our own rule for a day; the country's calendar applies again. Raises NotFound."""
    row = await work.session.get(Holiday, day, with_for_update=True)
    if row is None:
        raise NotFound("There is no entry for that day.")
    await work.session.delete(row)
    before = {"name": row.name, "free": row.free}
    write_entry(work, AuditLog.HOLIDAY_CLEARED, day.isoformat(), before=before, after=None)
    work.announce(Topic.ROSTER)
