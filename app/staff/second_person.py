"""The rule of the second person: what one person asks, another one of another role approves.

Access to the records of others is the strictest case. Who gives accounts their roles could make an
account for themselves, so such an account waits for a person who reads the records of others
already: they learn nothing by approving. Another administrator does not count, because one
administrator can make another.

For the first such account there is no second person. Until one such account could sign in, an
administrator gives it alone. Each account notes that for good (`Staff.could_approve`), so that the
exemption does not open again when the people who could approve have left or changed their role.
An operator at the server's own terminal is outside of the rule, and in the log.
"""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import and_, exists, or_, select

from app.staff.models import Staff
from app.staff.roles import Role, reads_others
from app.work import Work


class ChangeState(StrEnum):
    """What became of a change that a second person decides about."""

    WAITS = "waits"
    IN_FORCE = "in_force"
    REFUSED = "refused"
    # A later request about the same thing came in its place.
    REPLACED = "replaced"


class Outside(StrEnum):
    """What gives an account its role, if no person here does."""

    # The provider of identities, when a person signs in there.
    PROVIDER = "provider"
    # A directory of people (SCIM).
    DIRECTORY = "directory"


# Who changes an account. None: the operator at the command line.
By = Staff | Outside | None


def is_another(staff: Staff, asked_by: UUID | None, asked_role: str) -> bool:
    """Return whether a person is another one than who asked, and of another role."""
    return staff.id != asked_by and staff.role != asked_role


def may_approve(staff: Staff, account_id: UUID, asked_by: UUID | None, asked_role: str) -> bool:
    """Return whether a person may approve that an account reads the records of others."""
    return (
        reads_others(staff.role)
        and staff.id != account_id
        and is_another(staff, asked_by, asked_role)
    )


def note_could_approve(staff: Staff) -> None:
    """Note for good that an account can sign in with a role that reads the records of others.

    To be called wherever an account gets one of the three: a way to sign in, such a role, or
    being active.
    """
    can_sign_in = staff.password_hash is not None or staff.by_provider
    if staff.active and can_sign_in and reads_others(staff.role):
        staff.could_approve = True


async def could_be_approved(work: Work) -> bool:
    """Return whether there is, or ever was, an account that could approve."""
    readers = [role.value for role in Role if reads_others(role)]
    now = and_(
        Staff.active,
        Staff.role.in_(readers),
        or_(Staff.password_hash.is_not(None), Staff.by_provider),
    )
    return bool(await work.session.scalar(select(exists().where(or_(Staff.could_approve, now)))))
