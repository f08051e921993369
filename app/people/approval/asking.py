"""What would open the records of others is held back until a second person approves.

Each verb that could do so asks `hold_back` first, and leaves the rest to `deciding` if it waits.
"""

from dataclasses import dataclass, fields
from uuid import UUID, uuid4

from sqlalchemy import select, update

from app.database.topics import Topic
from app.people.approval.rows import AccessKind, AccessRequest
from app.privacy import ends
from app.staff.audit import write_entry
from app.staff.emergency_rows import Emergency
from app.staff.log_kinds import AuditLog
from app.staff.models import PasswordLink, Staff
from app.staff.roles import reads_others
from app.staff.second_person import By, ChangeState, Outside, could_be_approved
from app.work import Work


@dataclass(frozen=True)
class Asked:
    """What is to take effect. None: that stays as it is."""

    kind: AccessKind
    role: str | None = None
    email: str | None = None
    link_id: UUID | None = None
    issuer: str | None = None
    subject: str | None = None
    team: str | None = None
    endpoint: str | None = None
    code_hash: str | None = None


async def hold_back(work: Work, staff: Staff, asked: Asked, *, by: By) -> bool:
    """Return whether this waits for a second person; then the request is made.

    The account is locked, or new. The operator at the command line, a role that reads no records
    of others unless it gets another team, and a helpline in which no account could ever approve do
    not wait; the last is logged.
    """
    if by is None or not (asked.team is not None or reads_others(asked.role or staff.role)):
        return False
    if not await could_be_approved(work):
        write_entry(
            work,
            AuditLog.ACCESS_GIVEN_ALONE,
            str(staff.id),
            before={"role": staff.role, "active": staff.active},
            after=for_log(staff, asked),
        )
        return False
    await work.session.flush()
    earlier = await waiting_of(work, staff)
    if earlier is not None:
        if _is_same(earlier, staff, asked):
            return True
        if asked.kind is AccessKind.IDENTITY and earlier.kind != AccessKind.IDENTITY:
            # An address that was proven elsewhere takes nothing away that was asked here.
            return True
        if isinstance(by, Outside) and earlier.asked_by is not None:
            # It says the same at each sign-in, and can wait until the earlier one is decided.
            return True
        await _end(work, earlier, ChangeState.REPLACED)
    asked_by, asked_role = await _asker(work, by)
    work.session.add(
        AccessRequest(
            id=uuid4(),
            staff_id=staff.id,
            state=ChangeState.WAITS.value,
            revision=staff.revision,
            role_before=staff.role,
            **{**vars(asked), "kind": asked.kind.value},
            asked_by=asked_by,
            asked_role=asked_role,
            asked_at=work.now,
        )
    )
    await work.session.flush()
    write_entry(
        work,
        AuditLog.ACCESS_ASKED,
        str(staff.id),
        before={"role": staff.role, "active": staff.active},
        after=for_log(staff, asked),
    )
    work.announce(Topic.STAFF)
    return True


def _is_same(earlier: AccessRequest, staff: Staff, asked: Asked) -> bool:
    """Return whether the same waits already, as when a directory sends it again."""
    return asked_of(earlier) == asked and earlier.revision == staff.revision


def asked_of(row: AccessRequest) -> Asked:
    """Return what a request is to bring about."""
    values = {field.name: getattr(row, field.name) for field in fields(Asked)}
    return Asked(**{**values, "kind": AccessKind(row.kind)})


async def _asker(work: Work, by: Staff | Outside) -> tuple[UUID | None, str]:
    """Return who asks: under an emergency access the person who acts under it."""
    if isinstance(by, Outside):
        return None, by.value
    if by.under_emergency is None:
        return by.id, by.role
    emergency = await work.session.get_one(Emergency, by.under_emergency)
    return emergency.asked_by, by.role


def for_log(staff: Staff, asked: Asked) -> dict[str, str | None]:
    """Return what is asked as the log may hold it: of an address only its ends."""
    found: dict[str, str | None] = {"kind": asked.kind.value, "role": asked.role or staff.role}
    if asked.email is not None:
        found["email"] = ends.of_email(asked.email)
    if asked.team is not None:
        found["team"] = asked.team
    if asked.endpoint is not None:
        found["endpoint"] = ends.of_number(asked.endpoint)
    if asked.issuer is not None:
        found["issuer"] = asked.issuer
    return found


async def waiting_of(
    work: Work, staff: Staff, kind: AccessKind | None = None
) -> AccessRequest | None:
    """Return the request of an account that waits, locked."""
    statement = select(AccessRequest).where(
        AccessRequest.staff_id == staff.id, AccessRequest.state == ChangeState.WAITS.value
    )
    if kind is not None:
        statement = statement.where(AccessRequest.kind == kind.value)
    found: AccessRequest | None = await work.session.scalar(statement.with_for_update())
    return found


async def withdraw(work: Work, staff: Staff) -> None:
    """End the request of an account that leaves. Without one, nothing is changed."""
    earlier = await waiting_of(work, staff)
    if earlier is not None:
        await _end(work, earlier, ChangeState.REPLACED)


async def _end(work: Work, row: AccessRequest, state: ChangeState) -> None:
    row.state, row.decided_at = state.value, work.now
    await withdraw_link(work, row)
    await work.session.flush()


async def withdraw_link(work: Work, row: AccessRequest) -> None:
    """Withdraw the link of a request that will not take effect."""
    if row.link_id is not None:
        await work.session.execute(
            update(PasswordLink)
            .where(PasswordLink.id == row.link_id, PasswordLink.withdrawn_at.is_(None))
            .values(withdrawn_at=work.now)
        )
