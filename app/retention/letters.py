"""The letter that tells colleagues of a shorter rule before it holds."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import select

from app.jobs.names import Task
from app.staff.accounts import names_of
from app.staff.models import Staff
from app.staff.roles import Role
from app.words.pages import _, date_words, spoken_in
from app.work import Work

# Administrators can set the former days again; the others answer for what is erased, or examine it.
_TOLD = (Role.ADMINISTRATOR, Role.SUPERVISOR, Role.AUDITOR)


async def tell_colleagues(work: Work, at: datetime) -> None:
    """Write to everyone who could object, except who did it."""
    if work.settings.smtp_url is None:
        return
    people = select(Staff.id).where(
        Staff.active, Staff.email.is_not(None), ~Staff.emergency, Staff.role.in_(_TOLD)
    )
    for staff_id in await work.session.scalars(people.order_by(Staff.id)):
        if staff_id != work.actor.staff_id:
            work.defer(
                Task.TELL_SHORTER_RULES,
                letter_id=str(uuid4()),
                staff_id=str(staff_id),
                by=str(work.actor.staff_id or ""),
                at=at.isoformat(),
            )


async def letter_of(
    work: Work, staff_id: UUID, by: UUID | None, at: datetime
) -> tuple[str, str, str] | None:
    """Return address, subject and body; None if there is no address any more."""
    staff = await work.session.get(Staff, staff_id)
    if staff is None or staff.email is None or not staff.active:
        return None
    names = await names_of(work, {by}) if by is not None else {}
    with spoken_in(staff.page_language):
        name = names.get(by, "") if by is not None else _("command line")
        said = _(
            "%(name)s has decided that data is kept for fewer days. From %(at)s on, the new rule "
            "applies. Until then, an administrator can set the former number of days again.",
            name=name,
            at=f"{date_words(at, 'd MMM y, HH:mm')} UTC",
        )
        address = f"{work.settings.public_url.rstrip('/')}/admin/retention"
        return staff.email, _("Data will be kept for fewer days"), f"{said}\n\n{address}\n"
