"""The letter to who began a request that has ended without them: nothing of the person is in it."""

from collections.abc import Iterable
from uuid import UUID, uuid4

from sqlalchemy import select

from app.jobs.names import Task
from app.retention.data_requests.kinds import END_WORDS, RequestEnd
from app.retention.data_requests.models import DataRequest
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.words.pages import _, said, spoken_in
from app.work import Work

_OFFICERS = [role.value for role in Role if may(role, Permission.ANSWER_DATA_REQUESTS)]


async def tell_of_end(work: Work, ids: Iterable[UUID], end: RequestEnd) -> None:
    """Write to who began requests that ended without them; once to each, and not to who ended them.

    Who has left, or has no address, gets no letter: then all officers do, as for the command line.
    """
    if work.settings.smtp_url is None:
        return
    officers = set(
        await work.session.scalars(
            select(Staff.id).where(
                Staff.active, Staff.email.is_not(None), ~Staff.emergency, Staff.role.in_(_OFFICERS)
            )
        )
    )
    told: set[UUID] = set()
    for begun_by in await work.session.scalars(
        select(DataRequest.asked_by).where(DataRequest.id.in_(list(ids)))
    ):
        told |= {begun_by} if begun_by in officers else officers
    for staff_id in sorted(told - {work.actor.staff_id}):
        work.defer(
            Task.TELL_REQUEST_ENDED,
            letter_id=str(uuid4()),
            staff_id=str(staff_id),
            state=end.value,
        )


async def letter_of(work: Work, staff_id: UUID, end: RequestEnd) -> tuple[str, str, str] | None:
    """Return address, subject and body; None if there is no address any more."""
    staff = await work.session.get(Staff, staff_id)
    if staff is None or staff.email is None or not staff.active:
        return None
    with spoken_in(staff.page_language):
        address = f"{work.settings.public_url.rstrip('/')}/admin/data-requests"
        body = f"{said(END_WORDS[end])}\n\n{address}\n"
        return staff.email, _("Requests about a person's data"), body
