"""Who could sign in to an account of another person: who made it, changed it, or gave a way in.

It counts for the life of an account, also when the entries about it are older than the log: these
are kept. That its person has signed in since proves nothing: the one who made the account could
have been that person.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    not_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB, array

from app.staff.emergency_rows import Emergency
from app.staff.log_kinds import AuditLog
from app.staff.log_rows import every_entry
from app.staff.log_values import IDENTITY_PROVIDER
from app.staff.models import AccessKind, AuditEntry, PasswordLink, Staff
from app.staff.roles import reads_others
from app.work import ActorKind, Work

_GAVE_A_WAY_IN = (
    AuditLog.STAFF_ADDED,
    AuditLog.STAFF_CHANGED,
    AuditLog.STAFF_REACTIVATED,
    AuditLog.SECOND_FACTOR_RESET,
    AuditLog.PHONE_CODE_MADE,
)
# What a change may say without letting a person in. Another team waits for a second person.
_ROUTINE = (
    "name",
    "team",
    "languages",
    "lines",
    "skills",
    "training",
    "chats_at_once",
    "page_language",
)


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


async def are_two_people(
    work: Work, decider: Staff, asker: Staff, *, but_approved: bool = False
) -> bool:
    """Return whether no person could be behind both accounts.

    Neither made the other, by however many accounts between them; `but_approved`: the decider's
    account is of no one's making if a second person approved it. Nor did one person make both: an
    administrator could make one to ask and one to decide. An account that reads the records of
    others is not of one person's making, because another one had to approve it; the first ones were
    given alone: that is believed of the person who decides, since a new helpline has no other.
    """
    acting = await who_acted(work)
    made_decider = await _all_makers(work, acting, decider.id, but_approved=but_approved)
    made_asker = await _all_makers(work, acting, asker.id)
    if decider.id in made_asker or asker.id in made_decider:
        return False
    if reads_others(decider.role) or (
        reads_others(asker.role) and not await _was_given_alone(work, asker)
    ):
        return True
    return not made_decider & made_asker


async def _all_makers(
    work: Work, acting: tuple[Acting, ...], account: UUID, *, but_approved: bool = False
) -> set[UUID]:
    found: set[UUID] = set()
    asked = {account}
    while asked:
        makers = await makers_of(work, acting, asked, but_approved=but_approved)
        makers |= await _provided(work, acting, asked)
        asked = makers - found - {account}
        found |= makers
    return found - {account}


async def makers_of(
    work: Work,
    acting: tuple[Acting, ...],
    accounts: Collection[UUID],
    *,
    but_approved: bool = False,
) -> set[UUID]:
    """Return who made any of these accounts, linked or reset it, or gave it another way in.

    A person who approved what another one had asked chose nothing of it, and does not count. Nor
    does a change by which no person comes in, or a link that went to the person by mail.
    `but_approved`: nor does a person who invited one whose account a second person has approved
    since.
    """
    entry, link = every_entry(), PasswordLink
    changed = select(entry.actor, entry.at).where(
        entry.subject.in_([str(one) for one in accounts]), *_gave_a_way_in(entry)
    )
    made_by, subject = cast(link.made_by, Text), cast(link.staff_id, Text)
    linked = select(made_by, link.made_at).where(
        link.staff_id.in_(accounts),
        link.made_by.is_not(None),
        link.made_by != link.staff_id,
        not_(link.by_mail),
    )
    if but_approved:
        added = entry.action == AuditLog.STAFF_ADDED
        changed = changed.where(
            not_(and_(added, _approved_since(entry.subject, entry.actor, entry.at)))
        )
        linked = linked.where(not_(_approved_since(subject, made_by, link.made_at)))
    makers: set[UUID] = set()
    for actor, at in await work.session.execute(union_all(changed, linked)):
        makers |= people_of(acting, actor, at)
    return makers


async def given_after(work: Work, at: datetime) -> set[tuple[str, str]]:
    """Return who made an account or gave it another way in after an instant, and the account, as
    the log names them. The operator, who needs no account, is none of these."""
    entry, link = AuditEntry, PasswordLink
    changed = select(entry.actor, entry.subject).where(
        entry.at > at, entry.actor != ActorKind.PROGRAM, *_gave_a_way_in(entry)
    )
    linked = select(cast(link.made_by, Text), cast(link.staff_id, Text)).where(
        link.made_at > at,
        link.made_by.is_not(None),
        link.made_by != link.staff_id,
        not_(link.by_mail),
    )
    rows = await work.session.execute(union_all(changed, linked))
    return {(maker, account) for maker, account in rows}


def _gave_a_way_in(entry: Any) -> tuple[ColumnElement[bool], ...]:
    """Whether a row of the log gave another person a way in, by the choice of its actor."""
    return (
        entry.action.in_(_GAVE_A_WAY_IN),
        entry.actor != entry.subject,
        not_(_is_routine(entry)),
        not_(_by_approval(entry)),
    )


def _is_routine(entry: Any) -> ColumnElement[bool]:
    """Whether a row of the log is a change by which no person comes in."""
    after = entry.detail["after"]
    rest = after.op("-")(array(_ROUTINE))
    nothing = cast(func.jsonb_build_object(), JSONB)
    return and_(
        entry.action == AuditLog.STAFF_CHANGED,
        case((func.jsonb_typeof(after) == "object", rest == nothing), else_=false()),
    )


def _by_approval(entry: Any) -> ColumnElement[bool]:
    """Whether a row of the log came of an approval: it took effect together with it."""
    approved = every_entry()
    return exists().where(
        approved.subject == entry.subject,
        approved.action == AuditLog.ACCESS_APPROVED,
        approved.actor == entry.actor,
        approved.at == entry.at,
    )


def _approved_since(subject: Any, actor: Any, at: Any) -> ColumnElement[bool]:
    """Whether another person than `actor` approved that an account becomes active."""
    approved = every_entry()
    return exists().where(
        approved.subject == subject,
        approved.action == AuditLog.ACCESS_APPROVED,
        approved.actor != actor,
        approved.at >= at,
        approved.detail["after"]["kind"].astext == AccessKind.ACCOUNT,
    )


async def _provided(
    work: Work, acting: tuple[Acting, ...], accounts: Collection[UUID]
) -> set[UUID]:
    """Return who set up the provider of identities, if one of these accounts was linked there."""
    identity, entry = every_entry(), every_entry()
    provider = select(entry.actor, entry.at).where(
        entry.subject == IDENTITY_PROVIDER,
        entry.action == AuditLog.PROVIDER_SET,
        exists().where(
            identity.subject.in_([str(one) for one in accounts]),
            identity.action == AuditLog.IDENTITY_LINKED,
        ),
    )
    makers: set[UUID] = set()
    for actor, at in await work.session.execute(provider):
        makers |= people_of(acting, actor, at)
    return makers


async def _was_given_alone(work: Work, staff: Staff) -> bool:
    entry = every_entry()
    alone = select(entry.id).where(
        entry.subject == str(staff.id), entry.action == AuditLog.ACCESS_GIVEN_ALONE
    )
    return await work.session.scalar(alone.limit(1)) is not None
