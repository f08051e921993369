"""What an emergency access made, and takes with it when it ends: accounts, roles, teams, tokens,
links to choose a password, and what waits for a second person.

The log marks each act under an emergency access, so it says what there is to undo; what an account
or a program that it let in has done is undone as well. What another person has changed since is
theirs and stays, and so does what was done to children's records.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from app.contacts.cases.models import CaseRequest
from app.errors import Refusal
from app.jobs.transaction import send_rows
from app.people import changing, holding, leaving, links
from app.people.approval import asking, renewing
from app.people.changing import Changes
from app.people.emergency_rows import Emergency
from app.people.holding import Kind
from app.staff import tokens
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.staff.roles import Role
from app.work import Work

_MADE = (AuditLog.STAFF_ADDED, AuditLog.STAFF_REACTIVATED)
_ON_ACCOUNTS = (*_MADE, AuditLog.STAFF_CHANGED)
_UNDONE = (
    *_ON_ACCOUNTS,
    AuditLog.TOKEN_MADE,
    AuditLog.PASSWORD_LINK_MADE,
    AuditLog.ACCESS_ASKED,
)
# What of an account opens something.
_OPENS = ("role", "team", "emergency")


async def undo(work: Work, row: Emergency) -> int:
    """Undo what was made under an emergency access. Return how much could not be undone.

    The last administrator who can sign in stays one, and so does an account whose work no colleague
    may hold: the review says what becomes of it. What is refused for one account holds up no other,
    nor the end itself.
    """
    actor = work.actor
    # Undoing is the last act under it, and is marked as such.
    work.actor = replace(actor, emergency=row.id)
    # So that what is sent is not undone with the act of one account.
    await send_rows(work)
    acts = await _acts(work, row)
    left = 0
    for staff_id, own in _by_account(acts, row).items():
        staff = await changing.lock_person(work, staff_id)
        await _withdraw(work, staff, own)
        if any(act.action in _MADE for act in own):
            undone = await _done(work, partial(_end, work, row, staff))
        else:
            undone = await _put_back(work, staff, own)
        left += not undone
    for name in await _tokens(work, acts):
        await tokens.revoke_token(work, name)
    work.actor = actor
    return left


async def _done(work: Work, act: Callable[[], Awaitable[object]]) -> bool:
    """Return whether an act was carried out. Of one that is refused nothing stays, in the rows as
    in the log."""
    collected: tuple[list[Any], ...] = (work.jobs, work.rows, work.chained, work.last_rows)
    numbers = [len(one) for one in collected]
    try:
        async with work.session.begin_nested():
            await act()
    except Refusal:
        for one, number in zip(collected, numbers, strict=True):
            del one[number:]
        return False
    return True


async def _acts(work: Work, row: Emergency) -> list[AuditEntry]:
    """Return the acts that it made possible, in their order.

    They carry its mark, or are those of an account or a program that was let in by such an act, of
    one whom that let in, and so on. Each is let in before it acts, so one pass finds them all.
    """
    rows = await work.session.scalars(
        select(AuditEntry)
        .where(
            AuditEntry.at >= row.decided_at,
            AuditEntry.action.in_([kind.value for kind in _UNDONE]),
        )
        .order_by(AuditEntry.id)
    )
    let_in: set[str] = set()
    found = []
    for entry in rows:
        if entry.detail.get("emergency") == str(row.id) or entry.actor in let_in:
            found.append(entry)
            if _lets_in(entry):
                let_in.add(entry.subject)
    return found


def _lets_in(entry: AuditEntry) -> bool:
    """Return whether an act lets an account or a program do what it could not do before."""
    if entry.action == AuditLog.STAFF_CHANGED:
        return bool(entry.detail["after"].get("role") == Role.ADMINISTRATOR)
    return entry.action in (*_MADE, AuditLog.TOKEN_MADE)


def _by_account(acts: list[AuditEntry], row: Emergency) -> dict[UUID, list[AuditEntry]]:
    found: dict[UUID, list[AuditEntry]] = {}
    for entry in acts:
        if entry.action != AuditLog.TOKEN_MADE and entry.subject != str(row.account_id):
            found.setdefault(UUID(entry.subject), []).append(entry)
    return found


async def _withdraw(work: Work, staff: Staff, acts: list[AuditEntry]) -> None:
    """Withdraw the link that was made and not used, and the request that still waits."""
    made = {act.at for act in acts if act.action == AuditLog.PASSWORD_LINK_MADE}
    link = await links.latest(work, staff)
    if link is not None and link.made_at in made:
        await links.withdraw(work, staff.id)
    asked = {act.at for act in acts if act.action == AuditLog.ACCESS_ASKED}
    waiting = await asking.waiting_of(work, staff)
    if waiting is not None and waiting.asked_at in asked:
        await asking.withdraw(work, staff)


async def _end(work: Work, row: Emergency, staff: Staff) -> None:
    """Deactivate an account that was made under it. What the person holds goes to who asked, or
    to another colleague who may hold it; shifts are left uncovered.

    Raises LastAdministrator, and NotPlaced if no colleague may hold something.
    """
    if not staff.active:
        return
    held = await holding.count(work, staff)
    may_hold = await leaving.takers(work, staff)
    plan: dict[Kind, UUID | None] = {}
    for kind in (kind for kind, number in held.items() if number):
        people = sorted(may_hold[kind], key=lambda one: one.id != row.asked_by)
        plan[kind] = people[0].id if people else None
    await leaving.deactivate(work, staff.id, {**plan, Kind.SHIFTS: None}, by=None)


async def _put_back(work: Work, staff: Staff, acts: list[AuditEntry]) -> bool:
    """Give an account the role and the team back that it had before."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for act in (one for one in acts if one.action == AuditLog.STAFF_CHANGED):
        before = act.detail["before"] | before
        after |= act.detail["after"]
    now = changing.values_of(staff)
    back = {
        name: before[name] for name in _OPENS if name in before and now[name] == after.get(name)
    }

    if await _done(work, partial(_give_back, work, staff.id, back)):
        return True
    # What is refused of it keeps nothing else from going back.
    for name, value in back.items():
        await _done(work, partial(_give_back, work, staff.id, {name: value}))
    return False


async def _give_back(work: Work, staff_id: UUID, values: dict[str, Any]) -> None:
    staff = await changing.lock_person(work, staff_id)
    role_then = staff.role
    role = Role(values["role"]) if "role" in values else None
    changes = Changes(role=role, team=values.get("team"), emergency=values.get("emergency"))
    await changing.change(work, staff_id, changes, by=None)
    await renewing.role_given(work, staff, role_then)


async def _tokens(work: Work, acts: list[AuditEntry]) -> list[str]:
    """Return the names of the tokens of programs that were made and are still open."""
    made = {act.subject for act in acts if act.action == AuditLog.TOKEN_MADE}
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
        .values(decided_at=work.now, decided_by=work.actor.staff_id, approved=False)
    )
