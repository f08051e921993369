"""An account that gets a role which learns of children, or of more of them, does not keep a way in
that another person may hold.

While it has a lesser role, an administrator alone gives it an address, and one that learns of no
children also a phone, a link or a lost second factor. If one did since it lost such a role, or
within 30 days if it never had one, its person chooses a new password, by a link that a second
person approves, or proves the phone again.
"""

from datetime import datetime, timedelta

from sqlalchemy import select

from app.people import ending, links
from app.people.provider import access
from app.routing import withdrawing
from app.routing.offers_held import has_anything
from app.staff import passwords, phone_proofs, second_factor
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.log_rows import every_entry
from app.staff.models import Staff
from app.staff.roles import Permission, Role, gives_sight, may, reads_others, reads_records
from app.staff.sessions import accounts_changed
from app.staff.telling import Told, tell_owner
from app.work import ActorKind, Work

_LOOKS_BACK = timedelta(days=30)
_WAYS_IN = (
    AuditLog.PASSWORD_LINK_MADE,
    AuditLog.PASSWORD_CHOSEN,
    AuditLog.SECOND_FACTOR_RESET,
    AuditLog.STAFF_CHANGED,
)


async def role_given(work: Work, staff: Staff, before: str) -> None:
    """End what opened an account before it got such a role: its sessions, its link, and what
    another person may have chosen for it. The account is locked.

    A talk is never cut off: it goes on to a colleague, or the sessions stay if nothing was chosen
    by another person.
    """
    if reads_others(before) or not gives_sight(before, staff.role):
        return
    await links.withdraw(work, staff.id)
    since = await _since(work, staff)
    if await _others_may_be_rung(work, staff, since):
        await phone_proofs.forget(work, staff)
    if await _others_may_come_in(work, staff, since):
        await choose_anew(work, staff, since=since)
    elif not await has_anything(work, staff.id):
        await ending.sign_out(work, staff)


async def _since(work: Work, staff: Staff) -> datetime:
    """Return from when on an administrator alone could change how the account is opened."""
    such = reads_others if reads_others(staff.role) else reads_records
    readers = [role.value for role in Role if such(role)]
    entry = every_entry()
    lost: datetime | None = await work.session.scalar(
        select(entry.at)
        .where(
            entry.subject == str(staff.id),
            entry.action == AuditLog.STAFF_CHANGED,
            entry.detail["before"]["role"].astext.in_(readers),
            entry.detail["after"]["role"].astext.not_in(readers),
        )
        .order_by(entry.id.desc())
        .limit(1)
    )
    return lost or work.now - _LOOKS_BACK


async def _others_may_come_in(work: Work, staff: Staff, since: datetime) -> bool:
    """Return whether another person than the operator changed how the account is opened.

    A link that went to the person's own address is theirs; one that was shown is not, once a
    password was chosen with it.
    """
    one = every_entry()
    entries = await work.session.scalars(
        select(one)
        .where(
            one.subject == str(staff.id),
            one.action.in_([act.value for act in _WAYS_IN]),
            one.at >= since,
        )
        .order_by(one.id)
    )
    shown = False
    for entry in entries:
        by_another = entry.actor not in (str(staff.id), ActorKind.PROGRAM.value)
        match entry.action:
            case AuditLog.PASSWORD_LINK_MADE:
                shown = by_another and not entry.detail["after"]["by_mail"]
            case AuditLog.PASSWORD_CHOSEN if shown:
                return True
            case AuditLog.SECOND_FACTOR_RESET if by_another:
                return True
            case AuditLog.STAFF_CHANGED if by_another and "email" in entry.detail["after"]:
                return True
    return False


async def _others_may_be_rung(work: Work, staff: Staff, since: datetime) -> bool:
    """Return whether another person than the operator entered the phone of the account, or made
    the code that proved it."""
    one = every_entry()
    entries = await work.session.scalars(
        select(one).where(
            one.subject == str(staff.id),
            one.action.in_([AuditLog.STAFF_CHANGED.value, AuditLog.PHONE_CODE_MADE.value]),
            one.at >= since,
            one.actor.not_in([str(staff.id), ActorKind.PROGRAM.value]),
        )
    )
    return any(
        found.action == AuditLog.PHONE_CODE_MADE or "endpoint" in found.detail["after"]
        for found in entries
    )


async def choose_anew(work: Work, staff: Staff, *, since: datetime) -> None:
    """Let a person choose a new password, and set up a new second factor. An identity at the
    provider that was linked since then is unlinked."""
    if may(staff.role, Permission.TAKE_CALLS):
        await withdrawing.take_out(work, staff)
    had = staff.password_hash is not None
    await passwords.forget_password(work, staff)
    if await second_factor.take_away(work, staff):
        tell_owner(work, staff, Told.SECOND_FACTOR_RESET)
    identity = await access.identity_of(work, staff)
    if identity is not None and identity.linked_at >= since:
        await access.unlink_locked(work, staff, identity)
    await ending.sign_out(work, staff)
    await work.session.flush()
    before, after = {"password": had}, {"password": False}
    write_entry(work, AuditLog.STAFF_CHANGED, str(staff.id), before=before, after=after)
    accounts_changed(work)
