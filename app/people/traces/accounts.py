"""What an emergency access made of accounts, and takes with it when it ends.

These are accounts, roles, teams, addresses, phones, tokens, links to choose a password,
passwords that were chosen by a link that was shown, the provider of identities, and what waits for
a second person.

The log marks each act under an emergency access, so it says what there is to undo; what an account
or a program that it let in has done is undone as well. What another person has changed since is
theirs and stays, and so does what was done to children's records.
"""

from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from app.jobs.transaction import send_rows
from app.people import changing, ending, holding, leaving, links
from app.people.approval import asking, renewing
from app.people.changing import Changes
from app.people.holding import WorkKind
from app.people.provider import access, keeping
from app.people.traces.acts import MADE, acts_under, is_shown, moves, stopped_maker
from app.people.traces.kept import kept_of
from app.people.traces.outcome import UndoOutcome, done
from app.routing.rota import roster
from app.staff import phone_proofs, tokens
from app.staff.emergency_rows import Emergency
from app.staff.log_kinds import AuditLog
from app.staff.models import ApiToken, AuditEntry, PasswordLink, Staff
from app.staff.roles import Role
from app.work import Work

_UNDONE = (
    *MADE,
    AuditLog.STAFF_CHANGED,
    AuditLog.TOKEN_MADE,
    AuditLog.PASSWORD_LINK_MADE,
    AuditLog.PHONE_CODE_MADE,
    AuditLog.ACCESS_ASKED,
    AuditLog.IDENTITY_LINKED,
    AuditLog.PROVIDER_SET,
    AuditLog.PROVIDER_REMOVED,
)
_ON_PROVIDER = (AuditLog.PROVIDER_SET, AuditLog.PROVIDER_REMOVED)
# The fields of an account that give access, or that lead calls and letters elsewhere. The log holds
# only the ends of an address and a phone, so their full values are kept apart (`kept.py`).
_OPENS = ("role", "team", "emergency", "email", "endpoint")
_KEPT = ("email", "endpoint")


async def undo(work: Work, row: Emergency) -> UndoOutcome:
    """Undo what was made of accounts under an emergency access.

    Two kinds of account stay as they are, and the review decides about them: the last administrator
    who can sign in, and an account whose work no colleague may hold. If one account cannot be
    changed back, the others still are, and the access still ends.
    """
    actor = work.actor
    # Undoing is the last act under it, and is marked as such.
    work.actor = replace(actor, emergency=row.id)
    # So that what is sent is not undone with the act of one account.
    await send_rows(work)
    acts = await acts_under(work, row, _UNDONE)
    kept = kept_of(work, row)
    outcome = UndoOutcome()
    # First, so that no account comes in by it while the others are put back.
    await _provider_back(work, acts, kept, outcome)
    accounts = _by_account(acts, row)
    # Before a call of one of them is locked: a caller waits neither for the rota nor an account.
    await changing.lock_people(work, list(accounts))
    await roster.lock_rota(work)
    for staff_id, own in accounts.items():
        staff = await changing.lock_person(work, staff_id)
        await _withdraw(work, staff, own)
        if any(act.action in MADE for act in own):
            undone = await done(work, partial(_end, work, row, staff))
        else:
            undone = await _put_back(
                work, staff, own, kept.get("people", {}).get(str(staff_id), {})
            )
            undone &= await done(work, partial(_choose_anew, work, row, staff, own))
        outcome.note(own, undone)
        outcome.accounts_left += not undone
    for act in (one for one in acts if one.action == AuditLog.TOKEN_MADE):
        await _revoke(work, act)
        outcome.note([act], True)
    outcome.log(work, row)
    work.actor = actor
    return outcome


async def _provider_back(
    work: Work, acts: list[AuditEntry], kept: dict[str, Any], outcome: UndoOutcome
) -> None:
    """Set the provider of identities as it was, unless another person has changed it since."""
    own = [act for act in acts if act.action in _ON_PROVIDER]
    if not own:
        return
    newest = await work.session.scalar(
        select(func.max(AuditEntry.id)).where(AuditEntry.action.in_(_ON_PROVIDER))
    )
    undone = newest == own[-1].id and "provider" in kept
    if undone:
        undone = await done(work, partial(keeping.put_back, work, kept["provider"]))
    outcome.note(own, undone)


def _by_account(acts: list[AuditEntry], row: Emergency) -> dict[UUID, list[AuditEntry]]:
    found: dict[UUID, list[AuditEntry]] = {}
    others = (AuditLog.TOKEN_MADE, *_ON_PROVIDER)
    for entry in acts:
        if entry.action not in others and entry.subject != str(row.account_id):
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
    receivers = await leaving.possible_receivers(work, staff)
    plan: dict[WorkKind, UUID | None] = {}
    for kind in (kind for kind, number in held.items() if number):
        people = sorted(receivers[kind], key=lambda one: one.id != row.asked_by)
        plan[kind] = people[0].id if people else None
    await leaving.deactivate(work, staff.id, {**plan, WorkKind.SHIFTS: None}, by=None)


async def _put_back(work: Work, staff: Staff, acts: list[AuditEntry], kept: dict[str, str]) -> bool:
    """Give an account back its former role, team, address, phone and emergency mark.

    Return whether all of them could go back.
    """
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for act in (one for one in acts if one.action == AuditLog.STAFF_CHANGED):
        before = act.detail["before"] | before
        after |= act.detail["after"]
    now = changing.values_of(staff)
    changed = [name for name in _OPENS if name in before]
    # What another person has changed since is theirs.
    stays = [name for name in changed if changing.for_log(name, now[name]) == after.get(name)]
    whole = before | kept
    back = {name: whole[name] for name in stays if name not in _KEPT or name in kept}
    if len(back) == len(stays) and await done(work, partial(_give_back, work, staff.id, back)):
        return True
    # What is refused of it keeps nothing else from going back.
    for name, value in back.items():
        await done(work, partial(_give_back, work, staff.id, {name: value}))
    return False


async def _give_back(work: Work, staff_id: UUID, values: dict[str, Any]) -> None:
    staff = await changing.lock_person(work, staff_id)
    role_then = staff.role
    role = Role(values["role"]) if "role" in values else None
    rest = {name: value for name, value in values.items() if name != "role"}
    await changing.change(work, staff_id, Changes(role=role, **rest), by=None)
    await renewing.role_given(work, staff, role_then)


async def _choose_anew(work: Work, row: Emergency, staff: Staff, acts: list[AuditEntry]) -> None:
    """Drop what another person may have chosen for an account: a password by a link that was shown,
    with the second factor that was set up after it, and a phone that was proven by a code.

    No letter goes out, as it alone would open the account: an administrator shows the person a
    link, which waits for a second person like any other. Raises LastAdministrator.
    """
    assert row.decided_at is not None
    if any(act.action == AuditLog.PHONE_CODE_MADE for act in acts):
        await phone_proofs.forget(work, staff)
    if any(act.action == AuditLog.IDENTITY_LINKED for act in acts):
        await _unlink(work, staff)
    if not await _chosen_by_others(work, staff, acts):
        return
    await changing.check_not_last(work, staff)
    await renewing.choose_anew(work, staff, since=row.decided_at)


async def _unlink(work: Work, staff: Staff) -> None:
    """Unlink an account from a provider that was set under it: its sessions end, too."""
    identity = await access.identity_of(work, staff)
    if identity is not None:
        await access.unlink_locked(work, staff, identity)
    await ending.sign_out(work, staff)


async def _chosen_by_others(work: Work, staff: Staff, acts: list[AuditEntry]) -> bool:
    moved: set[str] = set()
    shown = set()
    for act in acts:
        if moves(act):
            moved.add(act.subject)
        elif is_shown(act, moved):
            shown.add(act.at)
    used = select(PasswordLink.id).where(
        PasswordLink.staff_id == staff.id,
        PasswordLink.made_at.in_(shown),
        PasswordLink.used_at.is_not(None),
    )
    return await work.session.scalar(used.limit(1)) is not None


async def _revoke(work: Work, act: AuditEntry) -> None:
    """Revoke the token of a program that was made, unless it has stopped already."""
    made = await work.session.get_one(ApiToken, UUID(act.subject), populate_existing=True)
    maker = await stopped_maker(work, act)
    if made.revoked_at is None:
        await tokens.revoke_token(work, made.name, maker)
