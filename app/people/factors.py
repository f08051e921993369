"""The second factors of other people: an administrator sees whether there is one, and resets it."""

from uuid import UUID

from app.errors import Conflict
from app.people import changing
from app.people.approval.asking import AccessWanted, hold_back
from app.staff import second_factor
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import AccessKind, Staff
from app.staff.roles import Role
from app.staff.telling import Told, tell_owner
from app.work import Work


class NoFactor(Conflict):
    default = "This person has no second factor."


async def reset(work: Work, person_id: UUID, *, by: Staff | None) -> Staff:
    """Take a person's second factor away, as when a phone was lost.

    At the next sign-in the password is enough, or leads to setting up a new one. Sessions and
    talks go on. That of a person who learns of children may stay until a second person has
    approved it. Raises NotFound, NotAllowed, Conflict, NoFactor.
    """
    staff = await changing.lock_person(work, person_id)
    if by is not None and by.id == staff.id:
        raise Conflict(
            "Another administrator resets your second factor. You can replace it on your account."
        )
    changing.check_gives(by, staff, Role(staff.role))
    before = await second_factor.state_of(work, staff)
    if before.since is None:
        raise NoFactor()
    if await hold_back(work, staff, AccessWanted(AccessKind.FACTOR), by=by):
        return staff
    if not await second_factor.take_away(work, staff):
        raise NoFactor()
    write_entry(
        work,
        AuditLog.SECOND_FACTOR_RESET,
        str(staff.id),
        before=before.since.isoformat(),
        after=None,
    )
    tell_owner(work, staff, Told.SECOND_FACTOR_RESET)
    return staff
