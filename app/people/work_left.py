"""What stays of a person who has left, and of which administrators are told.

A directory or provider that says that a person leaves is obeyed at once. Work that no colleague may
take over then stays with the account, and is an alarm until an administrator hands it over, or the
account is active again. So is what leads to them or was made by them and is still open, and what a
person made that stopped with their role.
"""

from sqlalchemy import or_, select

from app.database.topics import Topic
from app.log import log
from app.people.directory_rows import DirectoryAccount
from app.routing import waking
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.staff.telling import Told, tell_owner
from app.work import Work

_KEEPERS = [role.value for role in Role if may(role, Permission.KEEP_PEOPLE)]
# The accounts of which something stays, for counts and pages.
OPEN = select(DirectoryAccount).where(
    or_(DirectoryAccount.work_left_at.is_not(None), DirectoryAccount.left_open_at.is_not(None))
)


async def note(work: Work, staff: Staff) -> None:
    """Note that a person, whose account is locked, has left with work, and tell administrators by
    mail and by waking their browsers."""
    kept = await _kept(work, staff)
    kept.work_left_at = work.now
    await _tell(work)


async def note_open(work: Work, staff: Staff) -> None:
    """Note that something of a person who has left is open. Administrators are told once."""
    kept = await _kept(work, staff)
    if kept.left_open_at is not None:
        return
    kept.left_open_at = work.now
    if kept.work_left_at is None:
        await _tell(work)
    work.announce(Topic.STAFF, Topic.ALARMS)


async def _kept(work: Work, staff: Staff) -> DirectoryAccount:
    kept = await work.session.get(DirectoryAccount, staff.id)
    if kept is None:
        kept = DirectoryAccount(staff_id=staff.id, changed_at=work.now)
        work.session.add(kept)
    return kept


async def _tell(work: Work) -> None:
    log().error("something of a person who left waits", area="people")
    keepers = select(Staff).where(Staff.active, Staff.role.in_(_KEEPERS), ~Staff.emergency)
    people = (await work.session.scalars(keepers.order_by(Staff.name))).all()
    for one in people:
        tell_owner(work, one, Told.WORK_LEFT)
    await waking.wake_absent(work, [one.id for one in people])
    work.announce(Topic.STAFF, Topic.ALARMS)


async def is_over(work: Work, staff: Staff) -> None:
    """Note that no work of a person waits any more. Without such work nothing is changed."""
    kept = await work.session.get(DirectoryAccount, staff.id)
    if kept is not None and kept.work_left_at is not None:
        kept.work_left_at = None
        work.announce(Topic.STAFF, Topic.ALARMS)


async def is_closed(work: Work, staff: Staff) -> None:
    """Note that nothing of a person is open any more. Without such a thing nothing is changed."""
    kept = await work.session.get(DirectoryAccount, staff.id)
    if kept is not None and kept.left_open_at is not None:
        kept.left_open_at = None
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


async def with_open(work: Work) -> list[Staff]:
    """Return the people who have left and of whom something is open, by name."""
    rows = await work.session.scalars(
        select(Staff)
        .join(DirectoryAccount, DirectoryAccount.staff_id == Staff.id)
        .where(DirectoryAccount.left_open_at.is_not(None))
        .order_by(Staff.name)
    )
    return list(rows)
