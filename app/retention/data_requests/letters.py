"""Letters about requests that ended without who began them, are near the day by which to answer, or
past it.

Nothing of the person is in them.
"""

from collections.abc import Iterable
from datetime import date
from uuid import UUID, uuid4

from sqlalchemy import select

from app.errors import Message
from app.jobs.names import Task
from app.retention.data_requests.kinds import END_WORDS, REMINDER_WORDS, Reminder, RequestEnd
from app.retention.data_requests.models import DataRequest
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.words.pages import _, message_words, spoken_in
from app.work import Work

# Address, subject and body.
Letter = tuple[str, str, str]


async def reached(work: Work, *permissions: Permission) -> list[Staff]:
    """Return the people with one of the permissions to whom a letter can go."""
    roles = [role.value for role in Role if any(may(role, one) for one in permissions)]
    found = await work.session.scalars(
        select(Staff)
        .where(Staff.active, Staff.email.is_not(None), ~Staff.emergency, Staff.role.in_(roles))
        .order_by(Staff.id)
    )
    return list(found)


async def whose(work: Work, began: Iterable[UUID | None]) -> set[UUID]:
    """Return who is told of requests that these people began (None: the command line).

    A person who has left, or has no address, gets no letter: then all officers do, as for the
    command line.
    """
    officers = {one.id for one in await reached(work, Permission.ANSWER_DATA_REQUESTS)}
    told: set[UUID] = set()
    for one in began:
        told |= {one} if one in officers else officers
    return told


async def tell_of_end(work: Work, ids: Iterable[UUID], end: RequestEnd) -> None:
    """Write once to each whose requests ended without them, but not to who ended them."""
    if work.settings.smtp_url is None:
        return
    ended = await work.session.scalars(select(DataRequest).where(DataRequest.id.in_(list(ids))))
    holders = [one.holder for one in ended]
    for staff_id in sorted(await whose(work, holders) - {work.actor.staff_id}):
        work.defer(
            Task.TELL_REQUEST_ENDED,
            letter_id=str(uuid4()),
            staff_id=str(staff_id),
            state=end.value,
        )


async def letter_of(work: Work, staff_id: UUID, end: RequestEnd) -> Letter | None:
    """Return the letter about requests that ended; None if there is no address any more."""
    return await _letter(work, staff_id, Message(END_WORDS[end]))


async def reminder_of(work: Work, staff_id: UUID, reminder: Reminder, by: date) -> Letter | None:
    """Return the letter about requests that wait; None if there is no address any more."""
    return await _letter(work, staff_id, Message(REMINDER_WORDS[reminder], at=by))


async def _letter(work: Work, staff_id: UUID, words: Message) -> Letter | None:
    staff = await work.session.get(Staff, staff_id)
    if staff is None or staff.email is None or not staff.active:
        return None
    with spoken_in(staff.page_language):
        address = f"{work.settings.public_url.rstrip('/')}/admin/data-requests"
        body = f"{message_words(words)}\n\n{address}\n"
        return staff.email, _("Requests about a person's data"), body
