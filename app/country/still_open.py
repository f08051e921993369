"""What is still open of a person who has left, or whom the provider gives no role any more.

An administrator who deactivates a person is told of it on the page. When a directory or the
provider lets them leave, also in the night, it alarms until it is closed.
"""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from app.jobs.names import Task
from app.people import changing, work_left
from app.people.provider import access
from app.referrals.directory import leavers
from app.staff import tokens
from app.staff.models import ApiToken, Staff
from app.statistics import wallboards
from app.statistics.models import Wallboard
from app.work import Work

# How often it is looked whether the rest is closed.
EVERY = timedelta(minutes=5)


class StillOpen(NamedTuple):
    """Codes of the directory and names of lines that lead to a telephone or address of theirs, and
    the tokens and wallboards that they made."""

    entries: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    tokens: tuple[ApiToken, ...] = ()
    wallboards: tuple[Wallboard, ...] = ()


async def of(work: Work, staff: Staff) -> StillOpen:
    """Return what is open of a person; nothing while they are here."""
    if not await _is_gone(work, staff):
        return StillOpen()
    entries, lines = await leavers.still(work, staff)
    made, walls = await tokens.made_by(work, staff), await wallboards.made_by(work, staff)
    return StillOpen(entries, lines, tuple(made), tuple(walls))


async def _is_gone(work: Work, staff: Staff) -> bool:
    if not staff.active:
        return True
    identity = await access.identity_of(work, staff)
    return identity is not None and identity.lost_at is not None


async def watch(work: Work, person_id: UUID) -> None:
    """Alarm of what is open, and look again until nothing is. May run twice."""
    staff = await changing.lock_person(work, person_id)
    if not any(await of(work, staff)):
        await work_left.is_closed(work, staff)
        return
    await work_left.note_open(work, staff)
    work.defer(Task.WATCH_LEAVER, delay=EVERY, staff_id=str(person_id))
