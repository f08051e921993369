"""Lines that lost their partner: its number was the phone of a person who has left, or it was
in doubt, and a second person refused it.

Callers whom no counsellor takes are connected with no other service. That is said at the line, to
supervisors and to administrators, until another partner is set or a person says that none is
wanted.
"""

from sqlalchemy import Select, select

from app.calls.lines.line_rows import Line
from app.database.topics import Topic
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

_LOST = (
    select(Line).where(Line.active, Line.partner_lost_at.is_not(None)).order_by(Line.name, Line.id)
)


async def all_lost(work: Work) -> list[Line]:
    """Return the lines in use that are without the partner that they had, by name."""
    return await _listed(work, _LOST)


async def lost_of(work: Work, staff: Staff) -> list[Line]:
    """Return those of them whose partner had the phone of a person who has left, by name."""
    return await _listed(work, _LOST.where(Line.partner_lost_of == staff.id))


async def _listed(work: Work, statement: Select[Line]) -> list[Line]:
    return list(await work.session.scalars(statement))


async def want_none(work: Work, row: Line) -> None:
    """Note that a locked line is to have no partner. May run twice."""
    if row.partner_lost_at is None:
        return
    lost_at = row.partner_lost_at.isoformat()
    row.partner_lost_at = row.partner_lost_of = None
    await work.session.flush()
    write_entry(
        work,
        AuditLog.PARTNER_NOT_WANTED,
        str(row.id),
        before={"partner_lost_at": lost_at},
        after={"partner_lost_at": None},
    )
    work.announce(Topic.LINES)
