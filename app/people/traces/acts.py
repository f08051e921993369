"""The acts that an emergency access made possible, as the log holds them.

An act counts if it carries the mark of the access. It also counts if it was done by an account or a
program that an earlier such act let in. So does what a provider of identities says of people after
the provider was set under the access.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, Text, and_, cast, or_, select

from app.jobs.names import Task
from app.people.provider.rows import StaffIdentity
from app.staff.emergency_rows import Emergency
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.staff.roles import Role
from app.work import ActorKind, Work

# An account becomes active.
MADE = (AuditLog.STAFF_ADDED, AuditLog.STAFF_REACTIVATED)
_LETS_IN = (
    *MADE,
    AuditLog.STAFF_CHANGED,
    AuditLog.TOKEN_MADE,
    AuditLog.PASSWORD_LINK_MADE,
    AuditLog.PASSWORD_CHOSEN,
    AuditLog.IDENTITY_LINKED,
    AuditLog.PROVIDER_SET,
)


async def acts_under(work: Work, row: Emergency, kinds: tuple[AuditLog, ...]) -> list[AuditEntry]:
    """Return the acts of some kinds from its opening to its end, oldest first."""
    statement = _of_kinds(await _under(work, row), kinds)
    return list(await work.session.scalars(statement))


async def all_acts_under(work: Work, row: Emergency, most: int) -> list[AuditEntry]:
    """Return all acts from its opening to its end, oldest first, at most `most`."""
    statement = await _under(work, row)
    return list(await work.session.scalars(statement.limit(most)))


async def stopped_maker(work: Work, act: AuditEntry) -> Staff | None:
    """Return the account with which a token or wallboard stops that it made: it saw the secret.
    Administrators are told, as of what a leaver made."""
    found: Staff | None = await work.session.scalar(
        select(Staff).where(cast(Staff.id, Text) == act.actor)
    )
    if found is not None:
        work.defer(Task.WATCH_LEAVER, staff_id=str(found.id))
    return found


async def _under(work: Work, row: Emergency) -> Select[AuditEntry]:
    assert row.decided_at is not None
    until = row.ended_at or row.until
    assert until is not None
    let_in = await _let_in(work, row, row.decided_at, until)
    wanted = [
        and_(AuditEntry.actor == actor, AuditEntry.id > at) for actor, at in let_in.since.items()
    ]
    marked = AuditEntry.detail["emergency"].astext == str(row.id)
    others = AuditEntry.id.in_(let_in.by_provider)
    return _between(row.decided_at, until).where(or_(marked, others, *wanted))


def _between(since: datetime, until: datetime) -> Select[AuditEntry]:
    return (
        select(AuditEntry)
        .where(AuditEntry.at >= since, AuditEntry.at <= until)
        .order_by(AuditEntry.id)
    )


def _of_kinds(statement: Select[AuditEntry], kinds: tuple[AuditLog, ...]) -> Select[AuditEntry]:
    return statement.where(AuditEntry.action.in_([kind.value for kind in kinds]))


@dataclass
class _LetIn:
    """Who was let in: accounts and programs, each with the number of the act in the log."""

    since: dict[str, int] = field(default_factory=dict)
    # What the provider said of people, as numbers of the log.
    by_provider: list[int] = field(default_factory=list)


async def _let_in(work: Work, row: Emergency, since: datetime, until: datetime) -> _LetIn:
    found = _LetIn()
    # Accounts whose link is in the hands of another person, and those whose address was changed.
    shown: set[str] = set()
    moved: set[str] = set()
    provider_set = False
    for entry in await work.session.scalars(_of_kinds(_between(since, until), _LETS_IN)):
        if entry.action == AuditLog.PASSWORD_CHOSEN:
            if entry.subject in shown:
                found.since.setdefault(entry.subject, entry.id)
        elif entry.detail.get("emergency") == str(row.id) or entry.actor in found.since:
            provider_set |= entry.action == AuditLog.PROVIDER_SET
            if moves(entry):
                moved.add(entry.subject)
            elif is_shown(entry, moved):
                shown.add(entry.subject)
            if _lets_in(entry):
                found.since.setdefault(entry.subject, entry.id)
        elif provider_set and await _is_of_provider(work, entry):
            found.by_provider.append(entry.id)
            found.since.setdefault(entry.subject, entry.id)
    return found


async def _is_of_provider(work: Work, entry: AuditEntry) -> bool:
    """Return whether an act is what the provider said of a person who came from there."""
    if entry.actor != ActorKind.PROGRAM or entry.action == AuditLog.PROVIDER_SET:
        return False
    linked = select(StaffIdentity.id).where(StaffIdentity.staff_id == UUID(entry.subject))
    return await work.session.scalar(linked) is not None


def moves(entry: AuditEntry) -> bool:
    """Return whether an act gave an account another e-mail address."""
    return entry.action == AuditLog.STAFF_CHANGED and "email" in entry.detail["after"]


def is_shown(entry: AuditEntry, moved: set[str]) -> bool:
    """Return whether an act made a link that did not go to the person alone; `moved` are those
    whose address was changed before."""
    if entry.action != AuditLog.PASSWORD_LINK_MADE:
        return False
    return entry.subject in moved or not entry.detail["after"]["by_mail"]


def _lets_in(entry: AuditEntry) -> bool:
    """Return whether an act lets an account or a program do what it could not do before."""
    if entry.action == AuditLog.STAFF_CHANGED:
        return bool(entry.detail["after"].get("role") == Role.ADMINISTRATOR)
    return entry.action in (*MADE, AuditLog.TOKEN_MADE)
