"""Who could sign in to an account of another person: who made it, changed it, or gave a way in.

It counts for the life of an account. That its person has signed in since proves nothing: the one
who made the account could have been that person.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, cast, exists, select, union_all
from sqlalchemy.orm import aliased

from app.staff.emergency_rows import Emergency
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, PasswordLink, Staff
from app.staff.roles import reads_others
from app.work import Work

CHANGED = (AuditLog.STAFF_ADDED, AuditLog.STAFF_CHANGED, AuditLog.STAFF_REACTIVATED)
_GAVE_A_WAY_IN = (*CHANGED, AuditLog.SECOND_FACTOR_RESET, AuditLog.PHONE_CODE_MADE)


@dataclass(frozen=True)
class Acting:
    """Who acted by an emergency account from when on, and in which role they asked for it."""

    account_id: UUID
    person: UUID
    role: str
    since: datetime


async def who_acted(work: Work) -> tuple[Acting, ...]:
    """Return who acted by emergency accounts, the earliest first."""
    emergencies = await work.session.execute(
        select(Emergency.account_id, Emergency.asked_by, Emergency.asked_role, Emergency.decided_at)
        .where(Emergency.account_id.is_not(None), Emergency.decided_at.is_not(None))
        .order_by(Emergency.decided_at)
    )
    return tuple(
        Acting(account, person, role, since)
        for account, person, role, since in emergencies
        if account is not None and since is not None
    )


def behind(acting: tuple[Acting, ...], account: UUID | None, at: datetime) -> Acting | None:
    """Return who acted by an emergency account at a time; the latest is last in the list."""
    found = [one for one in acting if one.account_id == account and one.since <= at]
    return found[-1] if found else None


def people_of(acting: tuple[Acting, ...], actor: str, at: datetime) -> set[UUID]:
    """Return the account that the log names, and who acted by it; none for a program or the
    operator."""
    try:
        account = UUID(actor)
    except ValueError:
        return set()
    person = behind(acting, account, at)
    return {account} if person is None else {account, person.person}


async def are_two_people(work: Work, decider: Staff, asker: Staff) -> bool:
    """Return whether no person could be behind both accounts.

    Neither made the other, by however many accounts between them. Nor did one person make both: an
    administrator could make one to ask and one to decide. An account that reads the records of
    others is not of one person's making, because another one had to approve it; of the first ones,
    which were given alone, that is believed of who decides, since a new helpline has no other.
    """
    acting = await who_acted(work)
    made_decider = await _all_makers(work, acting, decider.id)
    made_asker = await _all_makers(work, acting, asker.id)
    if decider.id in made_asker or asker.id in made_decider:
        return False
    if reads_others(decider.role) or (
        reads_others(asker.role) and not await _was_given_alone(work, asker)
    ):
        return True
    return not made_decider & made_asker


async def _all_makers(work: Work, acting: tuple[Acting, ...], account: UUID) -> set[UUID]:
    found: set[UUID] = set()
    asked = {account}
    while asked:
        makers = await _makers(work, acting, asked)
        asked = makers - found - {account}
        found |= makers
    return found - {account}


async def _makers(work: Work, acting: tuple[Acting, ...], accounts: Collection[UUID]) -> set[UUID]:
    """Return who made, changed, linked or reset any of these accounts.

    Who approved what another person had asked chose nothing of it, and does not count. Of an
    account that was linked with the provider of identities, who set up the provider counts.
    """
    subjects = [str(one) for one in accounts]
    approved = aliased(AuditEntry)
    changed = select(AuditEntry.actor, AuditEntry.at).where(
        AuditEntry.subject.in_(subjects),
        AuditEntry.action.in_(_GAVE_A_WAY_IN),
        AuditEntry.actor != AuditEntry.subject,
        ~exists().where(
            approved.subject == AuditEntry.subject,
            approved.action == AuditLog.ACCESS_APPROVED,
            approved.actor == AuditEntry.actor,
            approved.at == AuditEntry.at,
        ),
    )
    linked = select(cast(PasswordLink.made_by, Text), PasswordLink.made_at).where(
        PasswordLink.staff_id.in_(accounts),
        PasswordLink.made_by.is_not(None),
        PasswordLink.made_by != PasswordLink.staff_id,
    )
    identity = aliased(AuditEntry)
    provider = select(AuditEntry.actor, AuditEntry.at).where(
        AuditEntry.subject == "identity_provider",
        AuditEntry.action == AuditLog.PROVIDER_SET,
        exists().where(identity.subject.in_(subjects), identity.action == AuditLog.IDENTITY_LINKED),
    )
    makers: set[UUID] = set()
    for actor, at in await work.session.execute(union_all(changed, linked, provider)):
        makers |= people_of(acting, actor, at)
    return makers


async def _was_given_alone(work: Work, staff: Staff) -> bool:
    alone = select(AuditEntry.id).where(
        AuditEntry.subject == str(staff.id), AuditEntry.action == AuditLog.ACCESS_GIVEN_ALONE
    )
    return await work.session.scalar(alone.limit(1)) is not None
