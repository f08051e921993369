"""What would open children's records is held back until a second person approves.

Each verb that could do so asks `hold_back` first, and leaves the rest to `deciding` if it waits.
"""

from dataclasses import dataclass, fields, replace
from uuid import UUID, uuid4

from sqlalchemy import exists, or_, select, update

from app.database.topics import Topic
from app.errors import Conflict
from app.people.approval.rows import AccessRequest
from app.privacy import ends
from app.staff.audit import write_entry
from app.staff.emergency_rows import Emergency
from app.staff.log_kinds import AuditLog
from app.staff.models import AccessKind, EarlierPassword, PasswordLink, PhoneProof, Staff
from app.staff.roles import gives_sight, knows_as_much, reads_others, reads_records
from app.staff.second_person import By, ChangeState, Outside, could_be_approved
from app.work import Work

# What lets a person in to an account, or to a talk with a child in the place of its owner.
_LETS_IN = frozenset(
    {
        AccessKind.ACCOUNT,
        AccessKind.LINK,
        AccessKind.FACTOR,
        AccessKind.IDENTITY,
        AccessKind.PHONE_CODE,
    }
)


class WaitsAlready(Conflict):
    default = (
        "Another request about this account waits for a second person. Have it approved, or refuse "
        "it, and try again."
    )


@dataclass(frozen=True)
class AccessWanted:
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


async def hold_back(work: Work, staff: Staff, asked: AccessWanted, *, by: By) -> bool:
    """Return whether this waits for a second person; then the request is made.

    The account is locked, or new. What another person asked before is not pushed out by it: what
    fits together is decided at once, the rest raises WaitsAlready.

    The operator at the command line, what lets no person learn more of children, and a helpline in
    which no account could ever approve do not wait; the last is logged.
    """
    if by is None or not await _needs_two(work, staff, asked, by):
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
            # A sign-in at the provider takes no request away that a person made here.
            return True
        if isinstance(by, Outside) and earlier.asked_by is not None:
            # It says the same at each sign-in, and can wait until the earlier one is decided.
            return True
        if earlier.asked_by is not None:
            asked = _together(earlier, staff, asked, await _asker(work, by))
            keeps = asked.link_id == earlier.link_id
        else:
            # The provider or the directory will ask for the earlier one again.
            keeps = False
        await _end(work, earlier, ChangeState.REPLACED, keeps_link=keeps)
    await _add(work, staff, asked, *await _asker(work, by))
    return True


def _together(
    row: AccessRequest, staff: Staff, asked: AccessWanted, asker: tuple[UUID | None, str]
) -> AccessWanted:
    """Return what is asked now with what the same person asked before and still waits.

    A lost second factor and a link are decided at once, and so are changes of an account. A newer
    link, code or whole account takes the place of the former one. Raises WaitsAlready.
    """
    former = asked_of(row)
    same_person = (row.asked_by, row.asked_role) == asker
    if {former.kind, asked.kind} <= {AccessKind.LINK, AccessKind.FACTOR}:
        if former.kind is asked.kind is AccessKind.LINK:
            return asked
        if same_person:
            link_id = asked.link_id or former.link_id
            return replace(asked, kind=AccessKind.FACTOR, link_id=link_id)
    elif former.kind is asked.kind:
        if asked.kind is not AccessKind.CHANGE or row.role_before != staff.role:
            return asked
        if same_person:
            now = {name: value for name, value in vars(asked).items() if value is not None}
            return replace(former, **now)
    raise WaitsAlready()


async def _needs_two(work: Work, staff: Staff, asked: AccessWanted, by: Staff | Outside) -> bool:
    """Return whether what is asked lets a person learn more of children than they could before.

    What opens the account of a counsellor does so as well, and another phone for their calls:
    with it another person would be in their place.
    """
    role = asked.role or staff.role
    if asked.team is not None or reads_others(role):
        return True
    if asked.kind is AccessKind.CHANGE:
        rings = asked.endpoint is not None and reads_records(role)
        opens = rings or gives_sight(staff.role, role)
    else:
        opens = asked.kind in _LETS_IN and reads_records(role)
    return opens and not (isinstance(by, Staff) and await _adds_at_night(work, staff, role, by))


async def _adds_at_night(work: Work, staff: Staff, role: str, by: Staff) -> bool:
    """Return whether a person who acts under an emergency access lets a new colleague in, of whose
    work they learn everything already: one of their own team, with a role that knows no more of
    children than theirs.

    The account must be new, and not used yet. By the link, second factor, phone or return of
    another one they would read what they do not read: the records of another team, or those that an
    officer was not given.
    """
    if by.under_emergency is None:
        return False
    emergency = await work.session.get_one(Emergency, by.under_emergency)
    asker = await work.session.get_one(Staff, emergency.asked_by)
    opened_at = emergency.decided_at
    if opened_at is None or staff.created_at < opened_at or staff.team != asker.team:
        return False
    role_then = emergency.asked_role
    if not reads_others(role_then) or not knows_as_much(role_then, role):
        return False
    return not await _was_used(work, staff)


async def _was_used(work: Work, staff: Staff) -> bool:
    """Return whether a person has come in by an account, or has proven its phone."""
    if staff.password_hash is not None or staff.by_provider:
        return True
    link = exists().where(PasswordLink.staff_id == staff.id, PasswordLink.used_at.is_not(None))
    phone = exists().where(PhoneProof.staff_id == staff.id, PhoneProof.paired_at.is_not(None))
    former = exists().where(EarlierPassword.staff_id == staff.id)
    return bool(await work.session.scalar(select(or_(link, phone, former))))


async def ask_anew(work: Work, staff: Staff, *, by: By) -> None:
    """Let an account that waits as a whole, and was changed, wait as it is now.

    Its link stays. A second person who has read what it was before approves nothing: their request
    is gone. Without one that waits, nothing is changed.
    """
    earlier = await waiting_of(work, staff, AccessKind.ACCOUNT)
    if earlier is None or earlier.revision == staff.revision:
        return
    asker = earlier.asked_by, earlier.asked_role
    if isinstance(by, Staff):
        asker = await _asker(work, by)
    earlier.state, earlier.decided_at = ChangeState.REPLACED.value, work.now
    await work.session.flush()
    await _add(work, staff, asked_of(earlier), *asker)


async def _add(
    work: Work, staff: Staff, asked: AccessWanted, asked_by: UUID | None, asked_role: str
) -> None:
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


def _is_same(earlier: AccessRequest, staff: Staff, asked: AccessWanted) -> bool:
    """Return whether the same waits already, as when a directory sends it again."""
    return asked_of(earlier) == asked and earlier.revision == staff.revision


def asked_of(row: AccessRequest) -> AccessWanted:
    """Return what a request is to bring about."""
    values = {field.name: getattr(row, field.name) for field in fields(AccessWanted)}
    return AccessWanted(**{**values, "kind": AccessKind(row.kind)})


async def _asker(work: Work, by: Staff | Outside) -> tuple[UUID | None, str]:
    """Return who asks: under an emergency access the person who acts under it."""
    if isinstance(by, Outside):
        return None, by.value
    if by.under_emergency is None:
        return by.id, by.role
    emergency = await work.session.get_one(Emergency, by.under_emergency)
    return emergency.asked_by, by.role


def for_log(staff: Staff, asked: AccessWanted) -> dict[str, str | None]:
    """Return what is asked as the log may hold it: only the ends of an address."""
    found: dict[str, str | None] = {"kind": asked.kind.value, "role": asked.role or staff.role}
    if asked.email is not None:
        found["email"] = ends.of_email(asked.email)
    if asked.team is not None:
        found["team"] = asked.team
    if asked.endpoint is not None:
        found["endpoint"] = ends.of_number(asked.endpoint)
    if asked.kind is AccessKind.FACTOR and asked.link_id is not None:
        found["also"] = AccessKind.LINK.value
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


async def _end(
    work: Work, row: AccessRequest, state: ChangeState, *, keeps_link: bool = False
) -> None:
    row.state, row.decided_at = state.value, work.now
    if not keeps_link:
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
