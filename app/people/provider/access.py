"""Which account a person from the provider has, and what they may do there."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import and_, delete, exists, func, or_, select

from app.errors import Conflict, NotAllowed, NotFound
from app.jobs.names import Task
from app.outbox.push import subscriptions
from app.people import changing, ending, links
from app.people.approval import asking
from app.people.approval.asking import AccessWanted, hold_back, waiting_of
from app.people.changing import Changes
from app.people.provider.mapping import MappingWanted
from app.people.provider.rows import LinkedHow, StaffIdentity, Unknown
from app.routing import own_presence, withdrawing
from app.routing.rota import feeds
from app.staff import accounts, passwords, second_factor
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import AccessKind, Staff
from app.staff.roles import Permission, Role, may
from app.staff.second_person import Outside, note_could_approve
from app.staff.sessions import (
    accounts_changed,
    end_sessions,
    owner_of_provider_session,
    sessions_of,
)
from app.staff.telling import Told, tell_owner
from app.words.pages import page_language_of, reader
from app.work import Work


class NoAccountHere(NotAllowed):
    default = (
        "You have no account at the helpline. Ask an administrator to invite you, or to link your "
        "account."
    )


class NoRoleHere(NotAllowed):
    default = (
        "Your provider gives you no role at the helpline, so your access has ended. Ask an "
        "administrator."
    )


class WaitsForApproval(NotAllowed):
    default = (
        "This account can read the records of others, so a second person must approve it first. "
        "Sign in again later."
    )


class EmergencyAccount(Conflict):
    default = "An emergency account is not linked: it is for the day on which the provider is away."


class AlreadyLinked(Conflict):
    default = "This account, or this person at the provider, is linked already."


@dataclass(frozen=True)
class Ended:
    """A person lost access, or waits for it; it must be committed, though they are refused."""

    refusal: NotAllowed


async def identity_of(work: Work, staff: Staff) -> StaffIdentity | None:
    """Return who a person is at the provider; None if they have left since they were linked."""
    found: StaffIdentity | None = await work.session.scalar(
        select(StaffIdentity).where(
            StaffIdentity.staff_id == staff.id, StaffIdentity.left_at.is_(None)
        )
    )
    return found


async def _identity(
    work: Work, issuer: str, subject: str, *, lock: bool = False
) -> StaffIdentity | None:
    """Return who is known by a subject, also one who has left. It is locked after its account,
    never before."""
    statement = select(StaffIdentity).where(
        StaffIdentity.issuer == issuer, StaffIdentity.subject == subject
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    found: StaffIdentity | None = await work.session.scalar(statement)
    return found


async def signed_in_person(
    work: Work, wanted: MappingWanted, claims: dict[str, Any]
) -> Staff | Ended:
    """Return the account of a person who comes from the provider, with the role and team it gives.

    `Ended` if the provider has no role for them any more: their access has ended then. Also if a
    second person must approve first. Raises NoAccountHere, NoRoleHere, WaitsForApproval, Conflict,
    LastAdministrator, StillHolds.
    """
    values = wanted.roles_of(claims)
    role = wanted.role_for(values)
    identity = await _identity(work, wanted.issuer, claims["sub"])
    if identity is None or identity.left_at is not None:
        if role is None:
            raise NoRoleHere()
        first = await _first_time(work, wanted, claims, role, has_left=identity is not None)
        if isinstance(first, Ended):
            return first
        identity = first
    staff = await changing.lock_person(work, identity.staff_id)
    known = await _identity(work, wanted.issuer, claims["sub"], lock=True)
    if known is None or known.staff_id != staff.id or known.left_at is not None:
        # It was unlinked from the provider while we waited for the account.
        raise NoAccountHere()
    identity = known
    if not staff.active:
        waits = await waiting_of(work, staff, AccessKind.ACCOUNT) is not None
        raise WaitsForApproval() if waits else NoAccountHere()
    identity.role_values = values
    if role is None:
        await end(work, staff, identity)
        return Ended(NoRoleHere())
    await _take_over(work, wanted, claims, staff, role)
    identity.used_at, identity.lost_at = work.now, None
    await work.session.flush()
    return staff


async def _take_over(
    work: Work, wanted: MappingWanted, claims: dict[str, Any], staff: Staff, role: Role
) -> None:
    """Give the account the role and the team that the provider says."""
    team = wanted.team_for(claims)
    changes = Changes(
        role=role if role != staff.role else None,
        team=team if team is not None and team != staff.team else None,
    )
    if changes != Changes():
        await changing.change(work, staff.id, changes, by=Outside.PROVIDER)


async def _first_time(
    work: Work, wanted: MappingWanted, claims: dict[str, Any], role: Role, *, has_left: bool
) -> StaffIdentity | Ended:
    """Link a person who was never here from the provider, or who has left and is here again. No new
    account is made for one who has left. Raises NoAccountHere, Conflict.

    An account that reads children's records is not the person's by an address alone: an
    administrator who sets the provider up could name one of their own.
    """
    issuer, subject = wanted.issuer, claims["sub"]
    staff = await _by_email(work, claims) if wanted.links_by_email else None
    if staff is not None:
        staff = await changing.lock_person(work, staff.id)
        asked = AccessWanted(AccessKind.IDENTITY, issuer=issuer, subject=subject)
        if await hold_back(work, staff, asked, by=Outside.PROVIDER):
            return Ended(WaitsForApproval())
        return await _link(work, staff, issuer, subject, LinkedHow.EMAIL)
    if wanted.unknown != Unknown.CREATE or has_left:
        raise NoAccountHere()
    staff = await accounts.add_staff(
        work,
        name=_name_of(claims),
        role=role,
        team=wanted.team_for(claims) or "",
        email=_verified_email(claims),
        # A provider that does not say it leaves it to the browser.
        page_language=page_language_of(claims.get("locale")) or reader(),
    )
    # Before it is linked: the account could approve from then on, and does not count for itself.
    waits = await hold_back(work, staff, AccessWanted(AccessKind.ACCOUNT), by=Outside.PROVIDER)
    identity = await _link(work, staff, issuer, subject, LinkedHow.CREATED)
    if waits:
        staff.active = False
        await work.session.flush()
        return Ended(WaitsForApproval())
    note_could_approve(staff)
    return identity


async def link_approved(work: Work, staff: Staff, issuer: str, subject: str) -> None:
    """Link a person whom the provider named by their address, and whom a second person approved.

    Raises AlreadyLinked.
    """
    if await _is_linked(work, staff, issuer, subject):
        raise AlreadyLinked()
    await _link(work, staff, issuer, subject, LinkedHow.EMAIL)
    note_could_approve(staff)


def _verified_email(claims: dict[str, Any]) -> str | None:
    """Return the address of a person if the provider has proven that it is theirs."""
    email = claims.get("email")
    # Some providers write it as a text, which a text "false" would be, too.
    proven = claims.get("email_verified") is True
    if not proven or not isinstance(email, str):
        return None
    return accounts.check_email(email[:200])


def _name_of(claims: dict[str, Any]) -> str:
    for claim in ("name", "preferred_username", "sub"):
        value = claims.get(claim)
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())[:80]
    raise NoAccountHere()


async def _by_email(work: Work, claims: dict[str, Any]) -> Staff | None:
    """Return the one active account with the verified address, if it is not linked yet."""
    email = _verified_email(claims)
    if email is None:
        return None
    linked = exists().where(StaffIdentity.staff_id == Staff.id, StaffIdentity.left_at.is_(None))
    found = list(
        await work.session.scalars(
            select(Staff).where(
                func.lower(Staff.email) == email.lower(),
                Staff.active,
                ~linked,
                # An emergency account is for the day on which the provider cannot be trusted.
                ~Staff.emergency,
            )
        )
    )
    return found[0] if len(found) == 1 else None


async def _link(
    work: Work, staff: Staff, issuer: str, subject: str, how: LinkedHow
) -> StaffIdentity:
    # A person who has left and comes back, with this account or another one.
    of_subject = and_(StaffIdentity.issuer == issuer, StaffIdentity.subject == subject)
    await work.session.execute(
        delete(StaffIdentity).where(
            StaffIdentity.left_at.is_not(None), or_(StaffIdentity.staff_id == staff.id, of_subject)
        )
    )
    identity = StaffIdentity(
        id=uuid4(),
        staff_id=staff.id,
        issuer=issuer,
        subject=subject,
        linked_at=work.now,
        linked_how=how.value,
        role_values=[],
    )
    work.session.add(identity)
    staff.by_provider = True
    await work.session.flush()
    write_entry(
        work, AuditLog.IDENTITY_LINKED, str(staff.id), how=how.value, before=None, after=issuer
    )
    tell_owner(work, staff, Told.IDENTITY_LINKED)
    accounts_changed(work)
    return identity


async def link_own(
    work: Work, person: Staff, wanted: MappingWanted, claims: dict[str, Any]
) -> None:
    """Link the account of a signed-in person. Raises AlreadyLinked, NoRoleHere."""
    if wanted.role_for(wanted.roles_of(claims)) is None:
        raise NoRoleHere()
    staff = await changing.lock_person(work, person.id)
    if staff.emergency:
        raise EmergencyAccount()
    if await _is_linked(work, staff, wanted.issuer, claims["sub"]):
        raise AlreadyLinked()
    await _link(work, staff, wanted.issuer, claims["sub"], LinkedHow.SIGNED_IN)


async def _is_linked(work: Work, staff: Staff, issuer: str, subject: str) -> bool:
    """Return whether the account or the subject is linked. One whose person has left is not."""
    known = await _identity(work, issuer, subject)
    subject_is = known is not None and known.left_at is None
    return subject_is or await identity_of(work, staff) is not None


async def is_the_same(work: Work, staff: Staff, issuer: str, claims: dict[str, Any]) -> bool:
    """Return whether the claims are those of this person, who has not lost access."""
    found = await identity_of(work, staff)
    return (
        found is not None
        and (found.issuer, found.subject) == (issuer, claims["sub"])
        and found.lost_at is None
    )


async def unlink(work: Work, staff: Staff, *, by: Staff | None) -> None:
    """Unlink an account from the provider: its person signs in with a password.

    `by` is the person themselves, an administrator, or None at the command line. Raises NotFound,
    NotAllowed, Conflict.
    """
    staff = await changing.lock_person(work, staff.id)
    if by is not None and by.id != staff.id:
        changing.check_gives(by, staff, Role(staff.role))
    identity = await identity_of(work, staff)
    if identity is None:
        raise NotFound("This account is not linked.")
    if by is not None and by.id == staff.id and staff.password_hash is None:
        raise Conflict("You have no password yet. Ask an administrator for a link to choose one.")
    await unlink_locked(work, staff, identity)


async def unlink_locked(work: Work, staff: Staff, identity: StaffIdentity) -> None:
    """Unlink an account, which is locked, from the provider, and tell its person."""
    before = identity.issuer
    await work.session.execute(delete(StaffIdentity).where(StaffIdentity.id == identity.id))
    staff.by_provider = False
    await work.session.flush()
    write_entry(work, AuditLog.IDENTITY_UNLINKED, str(staff.id), before=before, after=None)
    tell_owner(work, staff, Told.IDENTITY_UNLINKED)
    accounts_changed(work)


async def leave(work: Work, staff: Staff) -> None:
    """Unlink an account whose person leaves, which is locked, from the provider. Who they are there
    stays known: they get no new account while they still have a role there, and if their account
    becomes active again, it is linked anew."""
    identity = await identity_of(work, staff)
    if identity is None:
        return
    identity.left_at, staff.by_provider = work.now, False
    await work.session.flush()
    write_entry(work, AuditLog.IDENTITY_UNLINKED, str(staff.id), before=identity.issuer, after=None)


async def end(work: Work, staff: Staff, identity: StaffIdentity) -> None:
    """End the access of a person for whom the provider has no role any more, at once.

    The account stays with what the person holds, until an administrator hands it over. A second
    time changes nothing. Raises LastAdministrator.
    """
    if await close(work, staff, identity):
        await take_out_of_service(work, staff)


def session_key(work: Work, issuer: str, claims: dict[str, Any]) -> bytes | None:
    """Return the hash that is kept of the session at the provider which claims name, if any."""
    session = claims.get("sid")
    if not isinstance(session, str) or not session:
        return None
    return work.keys.text_key(" ".join(("provider session", issuer, session)))


async def signed_out_there(
    work: Work, issuer: str, claims: dict[str, Any], issued_at: datetime
) -> int:
    """End the sessions of a person who has signed out at the provider. Return how many ended.

    A session there that is named (`sid`) ends those that began by it, and those of which it is not
    known; without one, all of the person's end. Those that began later stay, so that a token that
    comes late or twice ends no new sign-in. A call by phone goes on, as after any sign-out. A
    person who is not known here has none.
    """
    key = session_key(work, issuer, claims)
    staff_id = await _person_of(work, issuer, claims.get("sub"), key)
    if staff_id is None:
        return 0
    staff = await changing.lock_person(work, staff_id)
    number = await end_sessions(work, staff.id, until=issued_at, provider_key=key)
    if number:
        write_entry(work, AuditLog.SIGNED_OUT_BY_PROVIDER, str(staff.id), number=number)
        if not await sessions_of(work, staff):
            await own_presence.leave_desk(work, staff)
    return number


async def _person_of(
    work: Work, issuer: str, subject: str | None, key: bytes | None
) -> UUID | None:
    if subject is not None:
        identity = await _identity(work, issuer, subject)
        here = identity is not None and identity.left_at is None
        return identity.staff_id if identity is not None and here else None
    return await owner_of_provider_session(work, key) if key is not None else None


async def take_out_of_service(work: Work, staff: Staff) -> None:
    """Give the calls of a person who lost access to colleagues; a child is never hung up on."""
    if may(staff.role, Permission.TAKE_CALLS):
        await withdrawing.take_out(work, staff)


async def close(work: Work, staff: Staff, identity: StaffIdentity) -> bool:
    """Close every way by which a person comes in. Return whether one was open.

    Raises LastAdministrator.
    """
    if identity.lost_at is not None:
        return False
    await changing.check_not_last(work, staff)
    identity.lost_at = work.now
    await passwords.forget_password(work, staff)
    await second_factor.take_away(work, staff)
    # Unlinked from the provider later, the account opens by no link from before, nor by what waits.
    await links.withdraw(work, staff.id)
    await asking.withdraw(work, staff)
    await ending.sign_out(work, staff)
    await ending.end_made(work, staff)
    await ending.forget_telephone(work, staff)
    await feeds.revoke_feed(work, staff)
    for browser in await subscriptions.browsers_of(work, staff):
        await subscriptions.forget(work, staff, browser.id)
    await work.session.flush()
    write_entry(
        work, AuditLog.ACCESS_ENDED_BY_PROVIDER, str(staff.id), before=staff.role, after=None
    )
    accounts_changed(work)
    work.defer(Task.WATCH_LEAVER, staff_id=str(staff.id))
    return True
