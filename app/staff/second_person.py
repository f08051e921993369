"""The rule of the second person: what one person asks, another one of another role approves.

Access to the records of others is the strictest case. A person who gives accounts their roles could
make an account for themselves, so such an account waits for a person who reads the records of
others already: they learn nothing by approving. Another administrator does not count, because one
administrator can make another. It holds for each account that would learn of children, a
counsellor's too, and for what lets a person in to it.

For the first such account there is no second person. Until one such account could sign in, an
administrator gives it alone. Each account notes that for good (`Staff.could_approve`), so that the
exemption does not open again when the people who could approve have left or changed their role.
An operator at the server's own terminal is outside of the rule, and in the log.

An emergency account is never a second person: the person who acts by it could have asked by their
own. What it asked or made counts as asked or made by the person who acted by it then. A person who
reads a record under an emergency access acts by their own account, and counts as themselves.

An emergency access opens any record to the person who asks, so it also asks the other direction:
whether the second person could be behind the account that asks (`app/staff/account_makers.py`).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import and_, exists, or_, select

from app.errors import NotAllowed
from app.staff.account_makers import Acting, behind, makers_of, who_acted
from app.staff.models import Staff
from app.staff.roles import Role, reads_others
from app.words.pages import N_
from app.work import Work

RULE = N_(
    "A second person with another role decides: not the person who asked, nor an account that this "
    "person made or changed, or that is younger, nor an emergency account."
)


class SecondPerson(NotAllowed):
    default = RULE


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


def is_person(staff: Staff) -> bool:
    """Return whether an account stands for one person, who can be a second one."""
    return not staff.emergency


@dataclass(frozen=True)
class Asker:
    """By whom something was asked (None: the operator), in which role, and when."""

    by: UUID | None
    role: str
    at: datetime


@dataclass(frozen=True)
class Second:
    """A person who is to decide, with all that the rule must know of their account."""

    staff: Staff
    # Who made the account, or gave a way in to it (`app/staff/account_makers.py`).
    makers: frozenset[UUID]
    acting: tuple[Acting, ...]

    def may_decide(self, asked: Asker, *, of_any_role: bool = False) -> bool:
        """Return whether this is a second person for what was asked."""
        people, roles = {asked.by} - {None}, {asked.role}
        person = behind(self.acting, asked.by, asked.at)
        if person is not None:
            people.add(person.person)
            roles.add(person.role)
        return (
            is_person(self.staff)
            and self.staff.id not in people
            and (of_any_role or self.staff.role not in roles)
            and self.staff.created_at <= asked.at
            and not people & self.makers
        )


async def second(work: Work, staff: Staff, *, but_approved: bool = False) -> Second:
    """Read what the rule must know of a person who is to decide. `but_approved`: the person who
    invited them did not make their account, if a second person approved it."""
    acting = await who_acted(work)
    makers = await makers_of(work, acting, [staff.id], but_approved=but_approved)
    return Second(staff, frozenset(makers), acting)


def may_approve(staff: Staff, account_id: UUID, asked_by: UUID | None, asked_role: str) -> bool:
    """Return whether a person may approve that an account reads the records of others."""
    return (
        is_person(staff)
        and reads_others(staff.role)
        and staff.id not in (account_id, asked_by)
        and staff.role != asked_role
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
