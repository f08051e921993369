"""Emergency access by two people: everyone concerned is told.

One person asks and writes the ground; a second one, of another role, confirms within a quarter of
an hour: a second person by the rule of `app/staff/second_person.py`, in both directions. Then it
opens for a limited time: either one record to the person who asked, or the accounts, by an account
of its own that no person can sign in to. All of them are told at once, each act under it is marked
in the log, and it stands open until another person has reviewed it (`reviewing.py`). Its end is in
`closing.py`; who is told of it in `telling.py`.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.abilities import EndpointKind
from app.contacts import openings
from app.contacts.cases.models import CaseContact
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case, Contact
from app.contacts.scopes import let_work, may_read_any
from app.contacts.states import Subject
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.jobs.names import Task
from app.jobs.transaction import send_rows
from app.people.emergency import telling
from app.people.traces import kept
from app.staff import session_tokens
from app.staff.account_makers import are_two_people
from app.staff.audit import write_entry
from app.staff.emergency_rows import Emergency, EmergencyKind, EmergencyState, SubjectKind
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may, reads_records
from app.staff.second_person import Asker, is_person, second
from app.staff.sessions import accounts_changed
from app.work import Work

# How long a second person has to confirm it.
CONFIRM_WITHIN = timedelta(minutes=15)
SHORTEST, LONGEST = 15, 240
_LONGEST_WORDS = 2000
# By this name the provider of telephony would know it; it takes no calls.
_IDENTITY = "c_emergency_access"
GROUND, REVIEW = (
    {"table": "emergencies", "column": column} for column in ("ground_sealed", "review_sealed")
)


class OtherPerson(NotAllowed):
    default = (
        "A second person of another role confirms an emergency access, and a third one reviews it."
    )


class MadeByOne(NotAllowed):
    default = (
        "Another person must confirm this: you, or a person who made or changed your account, made "
        "or changed the account of the person who asked, or your account is younger than the "
        "request. If there is no other person, the operator adds one at the server."
    )


class NoEmergency(NotFound):
    default = "There is no such emergency access, or it is over."


# -- asking and confirming ---------------------------------------------------------------


async def ask(
    work: Work, staff: Staff, kind: EmergencyKind, ground: str, minutes: int, code: str = ""
) -> Emergency:
    """Ask for an emergency access. `code` is that of the contact or case.

    Raises NotAllowed, Invalid, NotFound, Conflict.
    """
    if staff.emergency or not may(staff.role, Permission.ASK_EMERGENCY):
        raise NotAllowed()
    ground = checked(ground, "Write why it is needed, in at most %(number)s characters.")
    if not SHORTEST <= minutes <= LONGEST:
        raise Invalid(
            "An emergency access lasts %(least)s to %(most)s minutes.", least=SHORTEST, most=LONGEST
        )
    subject: Contact | Case | None = None
    if kind is EmergencyKind.RECORD:
        subject = await _subject(work, staff, code)
    row_id = uuid4()
    row = Emergency(
        id=row_id,
        kind=kind.value,
        state=EmergencyState.ASKED.value,
        subject_kind=_kind_of(subject),
        subject_id=subject.id if subject is not None else None,
        ground_sealed=work.keys.seal(ground.encode(), row=row_id, **GROUND),
        minutes=minutes,
        asked_by=staff.id,
        asked_role=staff.role,
        asked_at=work.now,
        confirm_until=work.now + CONFIRM_WITHIN,
    )
    try:
        async with work.session.begin_nested():
            work.session.add(row)
    except IntegrityError:
        raise Conflict(
            "An emergency access is asked for or open already. Wait until it is over."
        ) from None
    note(work, AuditLog.EMERGENCY_ASKED, row, before=None, minutes=minutes)
    work.defer(Task.CLOSE_EMERGENCY, delay=CONFIRM_WITHIN, emergency_id=str(row_id))
    await telling.sound(work, row)
    return row


def checked(text: str, otherwise: str) -> str:
    """Return what a person wrote. Raises Invalid with the sentence `otherwise`."""
    text = text.strip()
    if not text or len(text) > _LONGEST_WORDS or "\x00" in text:
        raise Invalid(otherwise, number=_LONGEST_WORDS)
    return text


def _kind_of(subject: Contact | Case | None) -> SubjectKind | None:
    if subject is None:
        return None
    return SubjectKind.CONTACT if isinstance(subject, Contact) else SubjectKind.CASE


async def _subject(work: Work, staff: Staff, code: str) -> Contact | Case:
    """Return the record with a code. Raises NotAllowed, NotFound, Conflict."""
    if not may(staff.role, Permission.READ_RECORDS):
        raise NotAllowed()
    code = code.strip().upper()[:40]
    for model in (Contact, Case):
        found: Any = await work.session.scalar(select(model).where(model.code == code))
        if found is None:
            continue
        if await may_read_any(work, staff, found.id):
            raise Conflict("You can already read this record.")
        if found.erased_at is not None:
            break
        return found  # type: ignore[no-any-return]
    raise NotFound("There is no contact or case with this code.")


def opened(work: Work, sealed: bytes, row: Emergency, place: dict[str, str]) -> str:
    """Return what was written; `place` is GROUND or REVIEW."""
    return work.keys.open(sealed, row=row.id, **place).decode()


def note(work: Work, act: AuditLog, row: Emergency, *, before: str | None, **detail: Any) -> None:
    """Write an act of an access into the log."""
    write_entry(
        work,
        act,
        f"emergency:{row.id}",
        what=row.kind,
        before=before,
        after=row.state,
        **detail,
    )


async def locked(work: Work, emergency_id: UUID, *states: EmergencyState) -> Emergency:
    """Return an access in one of these states, locked. Raises NoEmergency."""
    row: Emergency | None = await work.session.scalar(
        select(Emergency)
        .where(Emergency.id == emergency_id, Emergency.state.in_(states))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NoEmergency()
    return row


def may_refuse(row: Emergency, staff: Staff) -> bool:
    """Return whether a person may refuse it: another one than who asked, of another role, and never
    an emergency account."""
    return (
        may(staff.role, Permission.CONFIRM_EMERGENCY)
        and is_person(staff)
        and staff.id != row.asked_by
        and staff.role != row.asked_role
    )


async def may_confirm(work: Work, row: Emergency, staff: Staff) -> bool:
    """Return whether a person may confirm it: a second person by the rule, in both directions. One
    person could hold the account that asks, because they made it, and confirm by their own.

    An administrator, who asks for the accounts and reads no records by it, has invited all others
    in a small helpline. Then a person whose account a second person has approved may confirm.
    """
    if not may_refuse(row, staff):
        return False
    asked = Asker(row.asked_by, row.asked_role, row.asked_at)
    but_approved = not reads_records(row.asked_role)
    if not (await second(work, staff, but_approved=but_approved)).may_decide(asked):
        return False
    asker = await work.session.get_one(Staff, row.asked_by, populate_existing=True)
    return await are_two_people(work, staff, asker, but_approved=but_approved)


async def decide(work: Work, staff: Staff, emergency_id: UUID, *, confirm: bool) -> Emergency:
    """Confirm or refuse what another person has asked for.

    Raises NoEmergency, OtherPerson, MadeByOne, Conflict.
    """
    row = await locked(work, emergency_id, EmergencyState.ASKED)
    if not may_refuse(row, staff):
        raise OtherPerson()
    if row.confirm_until <= work.now:
        raise Conflict("It was not confirmed in time. It can be asked for again.")
    if confirm:
        await _asker(work, row)
    # By what the log says now: a link or another address may have come since it was asked.
    if confirm and not await may_confirm(work, row, staff):
        raise MadeByOne()
    row.decided_by, row.decided_role, row.decided_at = staff.id, staff.role, work.now
    if not confirm:
        row.state = EmergencyState.REFUSED.value
        note(work, AuditLog.EMERGENCY_REFUSED, row, before=EmergencyState.ASKED.value)
    else:
        row.state = EmergencyState.OPEN.value
        row.until = work.now + timedelta(minutes=row.minutes)
        note(
            work,
            AuditLog.EMERGENCY_OPENED,
            row,
            before=EmergencyState.ASKED.value,
            asked_by=str(row.asked_by),
        )
        await _open(work, row)
        work.defer(
            Task.CLOSE_EMERGENCY,
            delay=timedelta(minutes=row.minutes),
            emergency_id=str(row.id),
        )
    await work.session.flush()
    await telling.sound(work, row)
    return row


async def _open(work: Work, row: Emergency) -> None:
    if row.kind == EmergencyKind.ACCOUNTS:
        await kept.keep(work, row)
        acting = await _account(work)
        row.account_id = acting.id
    else:
        acting = await _asker(work, row)
        await _open_record(work, row, acting)
    acting.under_emergency = row.id
    await work.session.flush()
    accounts_changed(work)


async def _asker(work: Work, row: Emergency) -> Staff:
    """Return the person who asked, still active and in the role in which they asked. Raises
    Conflict."""
    found = await work.session.get_one(Staff, row.asked_by, populate_existing=True)
    if not found.active or found.role != row.asked_role:
        raise Conflict("The person who asked has another role by now. They can ask again.")
    return found


async def _account(work: Work) -> Staff:
    """Return the account that acts on the accounts; it has no password, now or ever."""
    found: Staff | None = await work.session.scalar(
        select(Staff).where(Staff.identity == _IDENTITY).execution_options(populate_existing=True)
    )
    if found is not None:
        found.active, found.role = True, Role.ADMINISTRATOR.value
        return found
    made = Staff(
        id=uuid4(),
        name=f"Emergency access {uuid4().hex[:6]}",
        role=Role.ADMINISTRATOR.value,
        endpoint_kind=EndpointKind.BROWSER.value,
        identity=_IDENTITY,
        languages=[],
        lines=[],
        skills=[],
        emergency=True,
        created_at=work.now,
    )
    work.session.add(made)
    await work.session.flush()
    after = {"role": made.role, "endpoint": made.endpoint_kind, "emergency": True}
    write_entry(work, AuditLog.STAFF_ADDED, str(made.id), before=None, after=after)
    return made


async def _open_record(work: Work, row: Emergency, reader: Staff) -> None:
    """Let the person who asked read the record, as an opening that its owner sees."""
    assert row.subject_id is not None
    assert row.until is not None
    ground = opened(work, row.ground_sealed, row, GROUND)
    if row.subject_kind == SubjectKind.CONTACT:
        found = [await work.session.get_one(Contact, row.subject_id)]
    else:
        case = await work.session.get_one(Case, row.subject_id)
        found = list(
            await work.session.scalars(
                select(Contact)
                .join(CaseContact, CaseContact.contact_id == Contact.id)
                .where(CaseContact.case_id == case.id)
                .order_by(Contact.taken_at.desc())
            )
        )
        if await let_work(work, case, reader.id):
            note_event(work, Subject.CASE, case.id, RecordLog.MEMBER_ADDED, staff=str(reader.id))
        await send_rows(work)
    if found:
        await openings.open_in_emergency(work, reader, found, ground, row.until)


# -- acting under it ---------------------------------------------------------------------


async def enter(work: Work, staff: Staff, emergency_id: UUID) -> tuple[Staff, str]:
    """Sign the person who asked in to the account that acts on the accounts. The session that their
    browser had is ended where its cookie is known (`app/web/sign_in/signing_in.py`).

    Return the account and the token for the cookie. Raises NoEmergency, OtherPerson, and Conflict
    if they have left or have another role.
    """
    row = await locked(work, emergency_id, EmergencyState.OPEN)
    if row.account_id is None or row.until is None or row.until <= work.now:
        raise NoEmergency()
    if row.asked_by != staff.id:
        raise OtherPerson("Only the person who asked for it acts under it.")
    await _asker(work, row)
    account = await work.session.get_one(Staff, row.account_id, populate_existing=True)
    note(work, AuditLog.EMERGENCY_ENTERED, row, before=row.state)
    token = await session_tokens.open_session(work, account, "", until=row.until)
    return account, token
