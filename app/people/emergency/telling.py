"""Who is told of an emergency access: all pages that show it, and by letter who is concerned."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from app.contacts.models import Case, Contact
from app.database.topics import Topic
from app.jobs.names import Task
from app.staff.emergency_rows import Emergency, SubjectKind
from app.staff.models import Staff
from app.staff.roles import PERMISSIONS, Permission, Role
from app.work import Work


async def sound(work: Work, row: Emergency) -> None:
    """Let the alarm sound on every page that shows it, and write to all whom it concerns."""
    work.announce(Topic.EMERGENCIES)
    roles = [one for one in Role if Permission.SEE_EMERGENCIES in PERMISSIONS[one]]
    people = select(Staff.id).where(
        Staff.active, Staff.email.is_not(None), ~Staff.emergency, Staff.role.in_(roles)
    )
    concerned = {*await work.session.scalars(people), *await _owners(work, row), row.asked_by}
    if work.settings.smtp_url is None:
        return
    for staff_id in sorted(concerned, key=str):
        work.defer(
            Task.TELL_EMERGENCY,
            letter_id=str(uuid4()),
            emergency_id=str(row.id),
            staff_id=str(staff_id),
            state=row.state,
        )


async def _owners(work: Work, row: Emergency) -> list[UUID]:
    if row.subject_id is None:
        return []
    model: Any = Contact if row.subject_kind == SubjectKind.CONTACT else Case
    owner = await work.session.scalar(select(model.owner_id).where(model.id == row.subject_id))
    return [owner] if owner is not None else []
