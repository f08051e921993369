"""A second person approves what waits, or refuses it. What is approved takes effect at once."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from app.abilities import EndpointKind
from app.database.topics import Topic
from app.errors import Conflict, NotAllowed, NotFound
from app.people import changing, factors, finding, leaving, links
from app.people.approval import renewing
from app.people.approval.asking import asked_of, for_log, withdraw_link
from app.people.approval.rows import AccessRequest
from app.people.changing import Changes
from app.people.directory_rows import DirectoryAccount
from app.people.provider import access
from app.staff import accounts, phone_proofs
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import AccessKind, PasswordLink, Staff
from app.staff.roles import Role
from app.staff.second_person import ChangeState, may_approve
from app.staff.telling import Told, tell_owner
from app.work import Work


class NotSecondPerson(NotAllowed):
    default = (
        "Another supervisor or referral officer must approve this, neither the person who asked "
        "nor the person it is about."
    )


class ChangedSinceAsked(Conflict):
    default = (
        "The account has changed since this request was made. Refuse it; the administrator can "
        "make it again."
    )


class NothingWaits(NotFound):
    default = "This request has already been decided or withdrawn."


@dataclass(frozen=True)
class WaitingAccess:
    """A request that waits, for the page and for programs."""

    row: AccessRequest
    person: Staff
    # The name of the administrator; empty for the provider and a directory.
    asked_by: str
    # Whether its link goes to the address of the person alone; None: it has no link.
    by_mail: bool | None
    # Where calls would ring, if it asks for that: a phone or `client:`; None: it does not.
    rings_at: str | None
    # Whether the reader may approve.
    may_approve: bool


async def waiting(work: Work, staff: Staff | None, of: UUID | None = None) -> list[WaitingAccess]:
    """Return the requests that wait, the oldest first, or that of one account. Without a reader:
    the command line."""
    statement = (
        select(AccessRequest, Staff, PasswordLink.by_mail)
        .join(Staff, Staff.id == AccessRequest.staff_id)
        .outerjoin(PasswordLink, PasswordLink.id == AccessRequest.link_id)
        .where(AccessRequest.state == ChangeState.WAITS.value)
        .order_by(AccessRequest.asked_at, Staff.name)
    )
    if of is not None:
        statement = statement.where(AccessRequest.staff_id == of)
    rows = (await work.session.execute(statement)).all()
    askers = {row.asked_by for row, _person, _mail in rows if row.asked_by is not None}
    names = await accounts.names_of(work, askers)
    return [
        WaitingAccess(
            row,
            person,
            names.get(row.asked_by, "") if row.asked_by else "",
            by_mail,
            _rings_at(row, person),
            staff is None or may_approve(staff, row.staff_id, row.asked_by, row.asked_role),
        )
        for row, person, by_mail in rows
    ]


def _rings_at(row: AccessRequest, person: Staff) -> str | None:
    """Return at which phone calls would ring: that of a request, or of a whole account."""
    if row.kind == AccessKind.ACCOUNT and person.endpoint_kind != EndpointKind.BROWSER:
        return finding.endpoint_of(person)
    return row.endpoint


async def decide(work: Work, request_id: UUID, *, by: Staff | None, approve: bool) -> None:
    """Let take effect what waits, or refuse it. `by` is None for the operator.

    Raises NothingWaits, NotSecondPerson, ChangedSinceAsked, and what the change itself raises.
    """
    account_id = await work.session.scalar(
        select(AccessRequest.staff_id).where(AccessRequest.id == request_id)
    )
    if account_id is None:
        raise NothingWaits()
    # In the order of those who ask: first the account, then its request.
    staff = await changing.lock_person(work, account_id)
    row = await work.session.get_one(
        AccessRequest, request_id, with_for_update=True, populate_existing=True
    )
    if row.state != ChangeState.WAITS:
        raise NothingWaits()
    if approve:
        if by is not None and not may_approve(by, staff.id, row.asked_by, row.asked_role):
            raise NotSecondPerson()
        if (staff.revision, staff.role) != (row.revision, row.role_before):
            raise ChangedSinceAsked()
        if await _deleted_since(work, row):
            raise ChangedSinceAsked()
    before = {"role": staff.role, "active": staff.active}
    asked = asked_of(row)
    row.state = (ChangeState.IN_FORCE if approve else ChangeState.REFUSED).value
    row.decided_by, row.decided_at = by.id if by is not None else None, work.now
    after = for_log(staff, asked) if approve else before
    await work.session.flush()
    if approve:
        await _let_take_effect(work, staff, row)
    else:
        await withdraw_link(work, row)
    act = AuditLog.ACCESS_APPROVED if approve else AuditLog.ACCESS_REFUSED
    asker = str(row.asked_by or row.asked_role)
    write_entry(work, act, str(staff.id), before=before, after=after, asked_by=asker)
    work.announce(Topic.STAFF)


async def _deleted_since(work: Work, row: AccessRequest) -> bool:
    """Return whether the directory has deleted the account since a request was made: it could not
    end it again. What an administrator asks for after that can be approved."""
    kept = await work.session.get(DirectoryAccount, row.staff_id, populate_existing=True)
    deleted_at = kept.deleted_at if kept is not None else None
    return deleted_at is not None and deleted_at >= row.asked_at


async def _let_take_effect(work: Work, staff: Staff, row: AccessRequest) -> None:
    match AccessKind(row.kind):
        case AccessKind.ACCOUNT:
            await leaving.reactivate(work, staff.id, by=None)
        case AccessKind.CHANGE:
            role = Role(row.role) if row.role is not None else None
            changes = Changes(role=role, email=row.email, team=row.team, endpoint=row.endpoint)
            await changing.change(work, staff.id, changes, by=None)
            await renewing.role_given(work, staff, row.role_before)
            if row.role is not None or row.email is not None or row.endpoint is not None:
                # One that was shown for the former role, or goes to the former address, does not
                # open any more.
                await links.withdraw(work, staff.id)
        case AccessKind.FACTOR:
            await factors.reset(work, staff.id, by=None)
        case AccessKind.PHONE_CODE:
            assert row.code_hash is not None
            await phone_proofs.hand_code(work, staff, row.code_hash)
            tell_owner(work, staff, Told.PHONE_CHANGED)
        case AccessKind.IDENTITY:
            assert row.issuer is not None
            assert row.subject is not None
            await access.link_approved(work, staff, row.issuer, row.subject)
        case AccessKind.LINK:
            pass
    if row.link_id is not None:
        await links.let_open(work, row.link_id)
