"""What an emergency access made, and takes with it when it ends: accounts, roles, teams, tokens.

The log marks each act under an emergency access, so it says what there is to undo. What another
person has changed since is theirs and stays, and so does what was done to children's records.
"""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from app.contacts.cases.models import CaseRequest
from app.people import changing, holding, leaving
from app.people.changing import Changes, LastAdministrator
from app.people.emergency_rows import Emergency
from app.people.ending import StillHolds
from app.people.holding import Kind
from app.people.leaving import NotPlaced
from app.staff import tokens
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.staff.roles import Role
from app.work import Work

_MADE = (AuditLog.STAFF_ADDED, AuditLog.STAFF_REACTIVATED)
# What of an account opens something.
_OPENS = ("role", "team", "emergency")


async def undo(work: Work, row: Emergency) -> int:
    """Undo what was made under an emergency access. Return how much could not be undone.

    The last administrator who can sign in stays one, and so does an account whose work no colleague
    may hold: the review says what becomes of it.
    """
    actor = work.actor
    # Undoing is the last act under it, and is marked as such.
    work.actor = replace(actor, emergency=row.id)
    left = 0
    for staff_id, acts in (await _acts(work, row)).items():
        staff = await changing.lock_person(work, staff_id)
        made = any(act.action in _MADE for act in acts)
        undone = await (_end(work, row, staff) if made else _put_back(work, staff, acts))
        left += not undone
    for name in await _tokens(work, row):
        await tokens.revoke_token(work, name)
    work.actor = actor
    return left


async def _acts(work: Work, row: Emergency) -> dict[UUID, list[AuditEntry]]:
    """Return the acts on accounts under it, by the account, in their order."""
    found: dict[UUID, list[AuditEntry]] = {}
    for entry in await _entries(work, row, *_MADE, AuditLog.STAFF_CHANGED):
        if entry.subject != str(row.account_id):
            found.setdefault(UUID(entry.subject), []).append(entry)
    return found


async def _entries(work: Work, row: Emergency, *kinds: AuditLog) -> list[AuditEntry]:
    rows = await work.session.scalars(
        select(AuditEntry)
        .where(
            AuditEntry.at >= row.decided_at,
            AuditEntry.action.in_([kind.value for kind in kinds]),
            AuditEntry.detail["emergency"].astext == str(row.id),
        )
        .order_by(AuditEntry.id)
    )
    return list(rows)


async def _end(work: Work, row: Emergency, staff: Staff) -> bool:
    """Deactivate an account that was made under it. What the person holds goes to who asked, or
    to another colleague who may hold it; shifts are left uncovered."""
    if not staff.active:
        return True
    held = await holding.count(work, staff)
    may_hold = await leaving.takers(work, staff)
    plan: dict[Kind, UUID | None] = {}
    for kind in (kind for kind, number in held.items() if number):
        people = sorted(may_hold[kind], key=lambda one: one.id != row.asked_by)
        plan[kind] = people[0].id if people else None
    try:
        if any(to is None for kind, to in plan.items() if kind is not Kind.SHIFTS):
            return False
        await leaving.deactivate(work, staff.id, {**plan, Kind.SHIFTS: None}, by=None)
    except (LastAdministrator, NotPlaced):
        return False
    return True


async def _put_back(work: Work, staff: Staff, acts: list[AuditEntry]) -> bool:
    """Give an account the role and the team back that it had before."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for act in acts:
        before = act.detail["before"] | before
        after |= act.detail["after"]
    now = changing.values_of(staff)
    back = {
        name: before[name] for name in _OPENS if name in before and now[name] == after.get(name)
    }
    if not back:
        return True
    role = Role(back["role"]) if "role" in back else None
    changes = Changes(role=role, team=back.get("team"), emergency=back.get("emergency"))
    try:
        await changing.change(work, staff.id, changes, by=None)
    except (LastAdministrator, StillHolds):
        return False
    return True


async def _tokens(work: Work, row: Emergency) -> list[str]:
    """Return the names of the tokens of programs that were made under it and still open."""
    made = {entry.subject for entry in await _entries(work, row, AuditLog.TOKEN_MADE)}
    return [
        one.name
        for one in await tokens.list_tokens(work)
        if str(one.id) in made and one.revoked_at is None
    ]


async def end_requests(work: Work, row: Emergency, reader: Staff) -> None:
    """End what the reader of a case has asked its team for, and what is not decided yet."""
    await work.session.execute(
        update(CaseRequest)
        .where(
            CaseRequest.case_id == row.subject_id,
            CaseRequest.asked_by == reader.id,
            CaseRequest.asked_at >= row.decided_at,
            CaseRequest.decided_at.is_(None),
        )
        .values(decided_at=work.now, decided_by=work.actor.staff_id, agreed=False)
    )
