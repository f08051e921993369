"""Where an agency is reached changes only when a second person, with another role, approves it.

Until then the former address stays in use, and nothing is sent to the new one: otherwise a person
who keeps the directory could have children's records sent to themselves.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from app.database.topics import Topic
from app.errors import Conflict
from app.jobs.names import Task
from app.referrals.directory import leavers
from app.referrals.directory.address_rows import AddressChange, AddressField
from app.referrals.directory.entries import Entry, Phone, for_log
from app.referrals.directory.models import Agency
from app.referrals.directory.phones import phones_of, set_phones
from app.referrals.models import Recipient, Referral
from app.referrals.states import LIVE_RECIPIENT, ForWhom, NoticeKind
from app.referrals.trail import add_notice
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.second_person import Asker, ChangeState, SecondPerson, second
from app.work import ActorKind, Work

_ENTERED = (
    AddressField.EMAIL,
    AddressField.SMS,
    AddressField.DUTY_PHONES,
    AddressField.WEBHOOK_URL,
    AddressField.PRIMERO,
)
_ORDER = {field.value: place for place, field in enumerate(AddressField)}
# What stands in the log for a secret.
_FORMER, _NEW = "former", "new"
# By whom a change on the server's own command line is asked.
OPERATOR = "operator"


def _plain(value: Any) -> Any:
    """Return the value of a field as it is stored in a change."""
    if isinstance(value, tuple):
        return [{"number": phone.number, "hours": phone.hours} for phone in value]
    return value


async def _now(work: Work, agency: Agency) -> dict[AddressField, Any]:
    phones = tuple(Phone(p.number, p.hours) for p in await phones_of(work, agency.id))
    return {
        field: phones if field is AddressField.DUTY_PHONES else getattr(agency, field.value)
        for field in _ENTERED
    }


def _only_less(former: Any, new: Any) -> bool:
    """Return whether nothing can be sent to a new place: an address was taken out."""
    if isinstance(new, tuple):
        return {phone.number for phone in new} <= {phone.number for phone in former}
    return new is None


def _same_places(former: Any, new: Any) -> bool:
    """Return whether only the order or the hours of the duty phones differ."""
    return isinstance(new, tuple) and {p.number for p in new} == {p.number for p in former}


async def hold_back(work: Work, agency: Agency, entry: Entry) -> Entry:
    """Return the entry with the addresses that may be stored now; the others wait for approval.

    Where a save brings any new address, what it takes out waits, too: else an agency could not be
    reached in between. What is only taken out is in force at once, and the agency is told: a new
    address may follow. On the command line of the server every change is in force at once.
    """
    former = await _now(work, agency)
    changed = {
        field: getattr(entry, field.value)
        for field in _ENTERED
        if getattr(entry, field.value) != former[field]
    }
    less = all(_only_less(former[field], value) for field, value in changed.items())
    if less:
        changed = {f: new for f, new in changed.items() if not _same_places(former[f], new)}
    waits = work.actor.kind is ActorKind.PERSON and not less
    asked = []
    for field, value in changed.items():
        plain = _plain(value)
        if waits and await _waits_already(work, agency, field, plain):
            continue
        asked.append(await _ask(work, agency, field, waits=waits, value=plain))
    if asked:
        await _tell(work, agency, asked)
    if not waits:
        _drop_secrets(agency, set(changed))
        return entry
    return replace(entry, **{field.value: former[field] for field in changed})


async def waits_to_go(work: Work, agency: Agency) -> set[str]:
    """Return the phones and addresses in force for whose field a change waits."""
    fields = set(
        await work.session.scalars(
            select(AddressChange.field).where(
                AddressChange.agency_id == agency.id,
                AddressChange.state == ChangeState.WAITS.value,
            )
        )
    )
    of: dict[AddressField, Collection[str | None]] = {
        AddressField.DUTY_PHONES: [one.number for one in await phones_of(work, agency.id)],
        AddressField.SMS: [agency.sms],
        AddressField.EMAIL: [agency.email],
    }
    return {one for field, some in of.items() if field in fields for one in some if one}


async def keep_secret(work: Work, agency: Agency, field: AddressField, secret: str) -> bool:
    """Store a secret, or let it wait for approval. Return whether it waits."""
    waits = work.actor.kind is ActorKind.PERSON
    change = await _ask(work, agency, field, waits=waits, secret=secret)
    await _tell(work, agency, [change])
    if not waits:
        _set_secret(work, agency, field, secret)
        change.secret_sealed = None
    return waits


async def _waiting_change(work: Work, agency: Agency, field: AddressField) -> AddressChange | None:
    return await work.session.scalar(
        select(AddressChange)
        .where(
            AddressChange.agency_id == agency.id,
            AddressChange.field == field.value,
            AddressChange.state == ChangeState.WAITS.value,
        )
        .with_for_update()
    )


async def _waits_already(work: Work, agency: Agency, field: AddressField, value: Any) -> bool:
    earlier = await _waiting_change(work, agency, field)
    return earlier is not None and earlier.value == value


async def _ask(
    work: Work,
    agency: Agency,
    field: AddressField,
    *,
    waits: bool,
    value: Any = None,
    secret: str | None = None,
) -> AddressChange:
    present = _plain((await _now(work, agency)).get(field))
    # If there is none now: the one that was taken out. The second person sees it, and it is told.
    before = present or await _last_in_force(work, agency, field)
    earlier = await _waiting_change(work, agency, field)
    if earlier is not None:
        earlier.state, earlier.decided_at = ChangeState.REPLACED.value, work.now
        earlier.secret_sealed = None
        await work.session.flush()
    change = AddressChange(
        id=uuid4(),
        agency_id=agency.id,
        field=field.value,
        value=value,
        before=before,
        former_email=before if field is AddressField.EMAIL else agency.email,
        state=(ChangeState.WAITS if waits else ChangeState.IN_FORCE).value,
        asked_by=work.actor.staff_id,
        asked_role=work.actor.role or OPERATOR,
        asked_at=work.now,
        decided_at=None if waits else work.now,
    )
    if secret is not None:
        change.secret_sealed = work.keys.seal(
            secret.encode(), table="address_changes", column="secret_sealed", row=change.id
        )
    work.session.add(change)
    await work.session.flush()
    write_entry(
        work,
        AuditLog.ADDRESS_CHANGE_ASKED,
        f"agency:{agency.code}",
        before={field.value: _for_log(agency, field, present)},
        after={field.value: _asked_for_log(change)},
    )
    work.announce(Topic.DIRECTORY)
    return change


async def _last_in_force(work: Work, agency: Agency, field: AddressField) -> Any:
    """Return the address that was taken out last, of a field that is empty now."""
    last = await work.session.scalar(
        select(AddressChange)
        .where(
            AddressChange.agency_id == agency.id,
            AddressChange.field == field.value,
            AddressChange.state == ChangeState.IN_FORCE.value,
        )
        .order_by(AddressChange.decided_at.desc())
        .limit(1)
    )
    return (last.value or last.before) if last is not None else None


def _for_log(agency: Agency, field: AddressField, value: Any) -> Any:
    """Return a value in force as the log may hold it; for a secret, only whether there is one."""
    if field in _ENTERED:
        return for_log(field.value, value)
    return _FORMER if getattr(agency, f"{field.value}_sealed") is not None else None


def secret_for_log(agency: Agency, field: AddressField) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the log holds of a secret that is about to change: never the secret."""
    return {field.value: _for_log(agency, field, None)}, {field.value: _NEW}


def _asked_for_log(change: AddressChange) -> Any:
    field = AddressField(change.field)
    return for_log(field.value, change.value) if field in _ENTERED else _NEW


def former_sms(agency: Agency, change: AddressChange) -> str | None:
    """Return the number at which an agency was texted before a change."""
    number = change.before if change.field == AddressField.SMS else agency.sms
    return str(number) if number else None


async def _tell(work: Work, agency: Agency, changes: Sequence[AddressChange]) -> None:
    """Tell the agency where it was reached before, and the owners of its running referrals."""
    change = changes[0]
    if change.former_email is not None and work.settings.smtp_url is not None:
        work.defer(Task.TELL_OF_NEW_ADDRESS, change_id=str(change.id))
    # A change of the number itself knows the former one, also when it is in force at once.
    of_number = next((one for one in changes if one.field == AddressField.SMS), change)
    if former_sms(agency, of_number) is not None:
        work.defer(Task.TEXT_OF_NEW_ADDRESS, change_id=str(of_number.id))
    running = await work.session.scalars(
        select(Referral)
        .join(Recipient, Recipient.referral_id == Referral.id)
        .where(Recipient.agency_id == agency.id, Recipient.state.in_(LIVE_RECIPIENT))
        .distinct()
    )
    for referral in running:
        add_notice(
            work, referral, NoticeKind.ADDRESS_CHANGES, for_whom=ForWhom.OWNER, agency=agency.code
        )


def _opened(work: Work, change: AddressChange) -> str:
    assert change.secret_sealed is not None
    return work.keys.open(
        change.secret_sealed, table="address_changes", column="secret_sealed", row=change.id
    ).decode()


def _set_secret(work: Work, agency: Agency, field: AddressField, secret: str) -> None:
    column = f"{field.value}_sealed"
    sealed = work.keys.seal(secret.encode(), table="agencies", column=column, row=agency.id)
    setattr(agency, column, sealed)


def _drop_secrets(agency: Agency, fields: set[AddressField]) -> None:
    """Drop what only the former address was to know."""
    if AddressField.WEBHOOK_URL in fields:
        agency.webhook_secret_sealed = None
    if AddressField.PRIMERO in fields:
        agency.primero_password_sealed = None


# -- deciding ----------------------------------------------------------------------------


@dataclass(frozen=True)
class WaitingAddress:
    """A change that waits, for the page and for programs."""

    change: AddressChange
    agency: Agency
    asked_by: str
    # Whether the reader may decide.
    may_decide: bool


def _asked(change: AddressChange) -> Asker:
    return Asker(change.asked_by, change.asked_role, change.asked_at)


async def waiting(work: Work, staff: Staff | None) -> list[WaitingAddress]:
    """Return the changes that wait, the oldest first. Without a reader: the command line."""
    rows = await work.session.execute(
        select(AddressChange, Agency, Staff.name)
        .join(Agency, Agency.id == AddressChange.agency_id)
        .outerjoin(Staff, Staff.id == AddressChange.asked_by)
        .where(AddressChange.state == ChangeState.WAITS.value)
        .order_by(AddressChange.asked_at, Agency.code, AddressChange.field)
    )
    reader = await second(work, staff) if staff is not None else None
    return [
        WaitingAddress(
            change, agency, name or "", reader is None or reader.may_decide(_asked(change))
        )
        for change, agency, name in rows
    ]


async def as_asked(work: Work, agency: Agency, entry: Entry) -> Entry:
    """Return the entry with the addresses that wait, for a form: what it shows can be saved."""
    rows = await work.session.scalars(
        select(AddressChange).where(
            AddressChange.agency_id == agency.id, AddressChange.state == ChangeState.WAITS.value
        )
    )
    asked: dict[str, Any] = {
        row.field: row.value for row in rows if AddressField(row.field) in _ENTERED
    }
    if AddressField.DUTY_PHONES in asked:
        phones = asked[AddressField.DUTY_PHONES] or []
        asked[AddressField.DUTY_PHONES] = tuple(Phone(p["number"], p["hours"]) for p in phones)
    return replace(entry, **asked)


async def decide(work: Work, staff: Staff | None, ids: list[UUID], *, approve: bool) -> None:
    """Bring changes into force, or refuse them. Raises SecondPerson, Conflict.

    The ids are those that the person saw: a change that came later is not approved unread.
    """
    chosen = AddressChange.id.in_(ids)
    # In the order of those who save an entry: first the agency, then what waits for it.
    of = select(AddressChange.agency_id).where(chosen)
    await work.session.execute(
        select(Agency.id).where(Agency.id.in_(of)).order_by(Agency.id).with_for_update()
    )
    found = list(
        await work.session.scalars(
            select(AddressChange)
            .where(chosen, AddressChange.state == ChangeState.WAITS.value)
            .order_by(AddressChange.id)
            .with_for_update()
        )
    )
    if len(found) != len(set(ids)) or not found:
        raise Conflict("Another change was made first. Nothing was changed. Try again.")
    if staff is not None and approve:
        reader = await second(work, staff)
        if not all(reader.may_decide(_asked(one)) for one in found):
            raise SecondPerson()
    reached = dict[Agency, set[str]]()
    for change in sorted(found, key=lambda one: _ORDER[one.field]):
        agency = await work.session.get(Agency, change.agency_id, with_for_update=True)
        assert agency is not None
        if agency not in reached:
            reached[agency] = await leavers.addresses_of(work, agency)
        field = AddressField(change.field)
        present = _plain((await _now(work, agency)).get(field))
        now = {change.field: _for_log(agency, field, present)}
        change.state = (ChangeState.IN_FORCE if approve else ChangeState.REFUSED).value
        change.decided_by, change.decided_at = work.actor.staff_id, work.now
        if approve:
            await _bring_into_force(work, agency, change)
        change.secret_sealed = None
        asked = {change.field: _asked_for_log(change)}
        kind = AuditLog.ADDRESS_CHANGE_APPROVED if approve else AuditLog.ADDRESS_CHANGE_REFUSED
        # Refused: what was asked for is given up for what stays.
        before, after = (now, asked) if approve else (asked, now)
        write_entry(work, kind, f"agency:{agency.code}", before=before, after=after)
    # All of them first: a number may only have gone to another field.
    for agency, earlier in reached.items():
        await leavers.keep_present(work, agency)
        in_force = await leavers.addresses_of(work, agency)
        await leavers.mark_in_force(work, agency, in_force - earlier)
    work.announce(Topic.DIRECTORY)


async def _bring_into_force(work: Work, agency: Agency, change: AddressChange) -> None:
    field = AddressField(change.field)
    match field:
        case AddressField.WEBHOOK_SECRET | AddressField.PRIMERO_PASSWORD:
            _set_secret(work, agency, field, _opened(work, change))
        case AddressField.DUTY_PHONES:
            phones = tuple(Phone(p["number"], p["hours"]) for p in change.value or [])
            await set_phones(work, agency, phones)
        case _:
            setattr(agency, field.value, change.value)
            _drop_secrets(agency, {field})
    agency.changed_at = work.now
    await work.session.flush()
