"""Work of a person who has left, which no colleague may take over: administrators are told of it.

A directory that says that a person leaves is obeyed at once. What then stays with the account is an
alarm until an administrator hands it over, or the account is active again.
"""

from sqlalchemy import select

from app.database.topics import Topic
from app.log import log
from app.people.directory_rows import DirectoryAccount
from app.routing import waking
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.staff.telling import Told, tell_owner
from app.work import Work

_KEEPERS = [role.value for role in Role if may(role, Permission.KEEP_PEOPLE)]
# The accounts with such work, for counts and pages.
OPEN = select(DirectoryAccount).where(DirectoryAccount.work_left_at.is_not(None))


async def note(work: Work, staff: Staff) -> None:
    """Note that a person, whose account is locked, has left with work, and tell administrators by
    mail and by waking their browsers."""
    kept = await work.session.get(DirectoryAccount, staff.id)
    if kept is None:
        kept = DirectoryAccount(staff_id=staff.id, changed_at=work.now)
        work.session.add(kept)
    kept.work_left_at = work.now
    log().error("work of a person who left waits", area="people")
    keepers = select(Staff).where(Staff.active, Staff.role.in_(_KEEPERS), ~Staff.emergency)
    people = (await work.session.scalars(keepers.order_by(Staff.name))).all()
    for one in people:
        tell_owner(work, one, Told.WORK_LEFT)
    await waking.wake_absent(work, [one.id for one in people])
    work.announce(Topic.STAFF, Topic.ALARMS)


async def is_over(work: Work, staff: Staff) -> None:
    """Note that nothing of a person waits any more. Without such work nothing is changed."""
    kept = await work.session.get(DirectoryAccount, staff.id)
    if kept is not None and kept.work_left_at is not None:
        kept.work_left_at = None
        work.announce(Topic.STAFF, Topic.ALARMS)


async def is_of(work: Work, staff: Staff) -> bool:
    """Return whether work of a person who has left waits."""
    kept = await work.session.get(DirectoryAccount, staff.id)
    return kept is not None and kept.work_left_at is not None


async def people(work: Work) -> list[Staff]:
    """Return who has left with work that waits, by name."""
    rows = await work.session.scalars(
        select(Staff)
        .join(DirectoryAccount, DirectoryAccount.staff_id == Staff.id)
        .where(DirectoryAccount.work_left_at.is_not(None))
        .order_by(Staff.name)
    )
    return list(rows)
