"""Contacts: opened when a call is answered, filled in during the call, completed, reopened."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select

from app.calls.models import Call, CallQuestion, VoiceMessage
from app.contacts import profiles, withdrawals
from app.contacts.models import (
    CompletedVersion,
    Contact,
    UrgencyDecision,
)
from app.contacts.records import (
    Opened,
    beginning,
    library_of,
    note_event,
    open_record,
    present,
    sheet_of,
)
from app.contacts.saving import Change, Saved, extract, save_answers
from app.contacts.scopes import let_read, lock_writable, reads_contact
from app.contacts.states import (
    NON_COUNSELLING,
    TRANSITIONS,
    Channel,
    ContactEvent,
    ContactState,
    NonCounselling,
    Source,
)
from app.database.quick import Command
from app.definitions.answers import Asked, Missing
from app.definitions.risk import DANGER_KEY, Suggestion, Urgency, must_decide, suggest
from app.errors import Conflict, Invalid, NotFound
from app.staff.models import Staff
from app.work import Work

# The longest time after a contact at which its paper record may be entered.
_OLDEST = timedelta(days=3660)


URGENCY_WORDS = {
    "en": "Urgency: decide it ({} is suggested: {})",
    "sr": "Hitnost: odlučite (predlaže se {}: {})",
}


class NotOpenForWriting(Conflict):
    default = "The contact is complete. Reopen it, with a reason, to change it."


class Incomplete(Invalid):
    """The text names everything that is missing; `missing` lists it one by one."""

    def __init__(self, missing: list[Missing]) -> None:
        self.missing = missing
        super().__init__("; ".join(m.words for m in missing))


_CONTACT = Command(Contact.__table__)
_COLUMNS = [column.key for column in Contact.__table__.columns]


def _empty(values: dict[str, Any]) -> Contact:
    """Return a contact without answers, with the defaults that the table would fill in."""
    nothing = dict.fromkeys(_COLUMNS)
    begins = {
        "state": ContactState.DRAFT.value,
        "answers": {},
        "sealed": {},
        "versions": {},
        "revision": 0,
        "edited_from": 0,
        "completions": 0,
        "headline_words": "",
        "category_codes": [],
        "place_path": [],
    }
    return Contact(**{**nothing, **begins, **values})


def _write(work: Work, contact: Contact) -> None:
    """Queue a new contact, to be written with the other rows of this transaction."""
    row = {name: getattr(contact, name) for name in _COLUMNS}
    work.write_later(_CONTACT, row)


def _move(contact: Contact, event: ContactEvent) -> None:
    state = TRANSITIONS.get((ContactState(contact.state), event))
    if state is None:
        if event is ContactEvent.REOPEN:
            raise Conflict("The contact is open already.")
        raise NotOpenForWriting()
    contact.state = state.value


# -- with a call -------------------------------------------------------------------------------


async def open_for_call(work: Work, call: Call, staff_id: UUID) -> None:
    """Open the draft contact of an answered call, or hand it to the counsellor who has the call.

    May run twice. The transaction that connected the call holds its lock.
    """
    staff = await work.session.get(Staff, staff_id)
    assert staff is not None
    contact = await work.session.scalar(
        select(Contact).where(Contact.call_id == call.id).with_for_update()
    )
    if contact is not None:
        if contact.owner_id != staff_id:
            await _hand_over(work, contact, staff, "the call was transferred")
        if ContactState(contact.state) is ContactState.COMPLETE:
            # Closed too soon: the counsellor who has the caller now needs a record to write in.
            _open_again(work, contact)
            note_event(work, "contact", contact.id, "reopened", cause="the caller is back")
        return
    values: dict[str, Any] = {
        **beginning(work, "contact"),
        "call_id": call.id,
        "channel": Channel.CALL.value,
        "source": Source.LIVE.value,
        "owner_id": staff_id,
        "team": staff.team,
        "taken_at": call.answered_at or work.now,
        "profile_id": await profiles.profile_of_caller(work, call.caller_key),
    }
    # This transaction holds the lock of the call, so no other one opens its contact now.
    contact = _empty(values)
    _write(work, contact)
    let_read(work, contact, staff_id, "owner")
    note_event(
        work, "contact", values["id"], "opened", call_id=str(call.id), owner_id=str(staff_id)
    )


async def _hand_over(work: Work, contact: Contact, staff: Staff, cause: str) -> None:
    before = contact.owner_id
    let_read(work, contact, staff.id, cause)
    contact.owner_id, contact.team = staff.id, staff.team
    note_event(
        work,
        "contact",
        contact.id,
        "handed over",
        before=str(before),
        owner_id=str(staff.id),
        cause=cause,
    )


def _open_again(work: Work, contact: Contact) -> None:
    _move(contact, ContactEvent.REOPEN)
    # The reason for closing no longer holds: its categories come from the answers again.
    contact.closed_as = None
    extract(contact, sheet_of(work, contact))


async def assign(work: Work, staff: Staff, contact_id: UUID, to: UUID) -> Contact:
    """Give a contact to a colleague. Raises NotFound, Invalid."""
    contact = await lock_writable(work, staff, Contact, contact_id)
    other = await work.session.get(Staff, to)
    if other is None or not other.active or other.role not in ("counsellor", "supervisor"):
        raise Invalid("A contact can only be given to an active counsellor or supervisor.")
    if other.id != contact.owner_id:
        await _hand_over(work, contact, other, "given to a colleague")
    return contact


async def contact_of_call(work: Work, staff: Staff, call_id: UUID) -> UUID | None:
    """Return the id of a call's contact, if there is one that the person may read."""
    found: UUID | None = await work.session.scalar(
        select(Contact.id).where(Contact.call_id == call_id, reads_contact(staff))
    )
    return found


# -- without a call ----------------------------------------------------------------------------


async def create_contact(
    work: Work,
    staff: Staff,
    *,
    channel: Channel,
    source: Source = Source.AFTERWARDS,
    taken_at: datetime | None = None,
    on_behalf_of: UUID | None = None,
    call_id: UUID | None = None,
    changes: list[Change] | None = None,
) -> tuple[Contact, Saved]:
    """Create a contact that no answered call opened: e-mail, a visit, paper after an outage.

    Invalid answers are listed in the returned `Saved`, and the rest is kept. Raises Invalid,
    NotFound, Conflict.
    """
    if source is Source.LIVE:
        raise Invalid("A contact of a call opens by itself when the call is answered.")
    if source is Source.PAPER and taken_at is None:
        raise Invalid("Give the time at which the contact took place (taken_at).")
    at = taken_at or work.now
    if at.tzinfo is None:
        raise Invalid("Give the time with its zone, for example 2026-11-24T08:00:00+01:00.")
    if not work.now - _OLDEST <= at <= work.now + timedelta(minutes=2):
        raise Invalid("The time of the contact is in the future, or more than ten years ago.")
    if (source is Source.ON_BEHALF) != (on_behalf_of is not None):
        raise Invalid("Give on_behalf_of and the source on_behalf together, or neither.")
    if call_id is not None:
        await _check_message(work, call_id)
    elif channel is Channel.VOICE_MESSAGE:
        raise Invalid("Give the call that the voice message came with (call_id).")
    profile_id = None
    if call_id is not None:
        key = await work.session.scalar(select(Call.caller_key).where(Call.id == call_id))
        profile_id = await profiles.profile_of_caller(work, key)
    values: dict[str, Any] = {
        **beginning(work, "contact"),
        "call_id": call_id,
        "channel": channel.value,
        "source": source.value,
        "owner_id": staff.id,
        "team": staff.team,
        "taken_at": at,
        "on_behalf_of": on_behalf_of,
        "profile_id": profile_id,
    }
    contact = _empty(values)
    saved = await save_answers(work, contact, changes or [], new=True)
    _write(work, contact)
    let_read(work, contact, staff.id, "owner")
    if on_behalf_of is not None:
        if await work.session.get(Staff, on_behalf_of) is None:
            raise Invalid("There is no such colleague.")
        let_read(work, contact, on_behalf_of, "taken by")
    note_event(work, "contact", contact.id, "opened", channel=channel.value, source=source.value)
    return contact, saved


async def _check_message(work: Work, call_id: UUID) -> None:
    if await work.session.scalar(select(Contact.id).where(Contact.call_id == call_id)):
        raise Conflict("There is a contact for this call already.")
    message = select(VoiceMessage.id).where(VoiceMessage.call_id == call_id).limit(1)
    if await work.session.scalar(message) is None:
        raise NotFound("There is no voice message for that call.")


# -- writing -----------------------------------------------------------------------------------


async def save(
    work: Work, staff: Staff, contact_id: UUID, changes: list[Change]
) -> tuple[Contact, Saved]:
    """Write answers into a draft. Raises NotFound, NotOpenForWriting, Invalid."""
    contact = await lock_writable(work, staff, Contact, contact_id)
    _move(contact, ContactEvent.SAVE)
    saved = await save_answers(work, contact, changes)
    withdrawals.hear(work, contact, saved)
    return contact, saved


async def suggestion(work: Work, contact: Contact) -> Suggestion | None:
    """Return the urgency that the signs of danger suggest, with the signs."""
    cues = sheet_of(work, contact).cues(present(contact))
    if contact.call_id is not None:
        call = await work.session.get(Call, contact.call_id)
        if call is not None and call.danger:
            cues.append(DANGER_KEY)
    return suggest(library_of(work.ground).risk, cues)


async def decide_urgency(
    work: Work, staff: Staff, contact_id: UUID, urgency: Urgency, reason: str | None
) -> Contact:
    """Record the urgency that a counsellor decides, beside what was suggested and why."""
    contact = await lock_writable(work, staff, Contact, contact_id)
    _move(contact, ContactEvent.SAVE)
    suggested = await suggestion(work, contact)
    decision_id = uuid4()
    sealed = None
    if reason and reason.strip():
        sealed = work.keys.seal(
            reason.encode(), table="urgency_decisions", column="reason_sealed", row=decision_id
        )
    work.session.add(
        UrgencyDecision(
            id=decision_id,
            contact_id=contact.id,
            at=work.now,
            staff_id=staff.id,
            urgency=urgency.value,
            suggested=suggested.urgency.value if suggested else None,
            cues=[cue.cue for cue in suggested.cues] if suggested else [],
            reason_sealed=sealed,
        )
    )
    contact.urgency = urgency.value
    contact.urgency_suggested = suggested.urgency.value if suggested else None
    note_event(
        work,
        "contact",
        contact.id,
        "urgency decided",
        urgency=urgency.value,
        suggested=suggested.urgency.value if suggested else None,
    )
    return contact


async def missing_in(work: Work, contact: Contact, language: str = "en") -> list[Missing]:
    """Return everything that keeps a contact from being complete."""
    asked = sheet_of(work, contact).asked(present(contact))
    return missing_with(work, contact, asked, await suggestion(work, contact), language)


def missing_with(
    work: Work,
    contact: Contact,
    asked: list[Asked],
    suggested: Suggestion | None,
    language: str = "en",
) -> list[Missing]:
    """Return the same, from questions and a suggestion that are known already."""
    missing = sheet_of(work, contact).missing(present(contact), language, asked)
    if suggested is not None and must_decide(
        suggested.urgency, contact.urgency, contact.urgency_suggested
    ):
        why = ", ".join(cue.reason.get(language, cue.cue) for cue in suggested.cues)
        words = URGENCY_WORDS.get(language, URGENCY_WORDS["en"]).format(suggested.urgency, why)
        missing.append(Missing("urgency", words))
    return missing


async def complete(work: Work, staff: Staff, contact_id: UUID, language: str = "en") -> Contact:
    """Complete a contact, if nothing is missing. A copy of its answers is kept for good.

    Raises Incomplete, NotFound, NotOpenForWriting.
    """
    contact = await lock_writable(work, staff, Contact, contact_id)
    if ContactState(contact.state) is ContactState.COMPLETE:
        raise NotOpenForWriting("The contact is complete already.")
    missing = await missing_in(work, contact, language)
    if missing:
        raise Incomplete(missing)
    suggested = await suggestion(work, contact)
    _move(contact, ContactEvent.COMPLETE)
    contact.closed_as = None
    contact.danger_at = work.now if _has_to_be_referred(contact, suggested) else None
    await _keep_version(work, staff, contact)
    note_event(
        work,
        "contact",
        contact.id,
        "completed",
        number=contact.completions,
        urgency=contact.urgency,
        suggested=suggested.urgency.value if suggested else None,
        cues=[cue.cue for cue in suggested.cues] if suggested else [],
    )
    return contact


def _has_to_be_referred(contact: Contact, suggested: Suggestion | None) -> bool:
    """Tell whether immediate danger was decided, or a sign is always referred."""
    signs = suggested.cues if suggested is not None else []
    return contact.urgency == Urgency.IMMEDIATE or any(cue.refer for cue in signs)


class SignsOfDanger(Conflict):
    default = "There are signs of danger. Decide the urgency first, on the form."


async def check_closable(work: Work, contact: Contact, reason: NonCounselling) -> None:
    """Check that a contact may be closed with one key: the urgency of signs of danger is decided,
    and a silent caller was asked by key. Raises SignsOfDanger, SilentNotAsked."""
    if contact.urgency is None and await suggestion(work, contact) is not None:
        raise SignsOfDanger()
    if reason is NonCounselling.SILENT:
        await _check_silent(work, contact)


class SilentNotAsked(Conflict):
    default = (
        "The caller may not be able to speak. Ask a question that they can answer with a key, "
        "then close the contact as silent."
    )


async def _check_silent(work: Work, contact: Contact) -> None:
    """Check that a silent caller was asked by key, or hung up before that was possible.

    Raises SilentNotAsked.
    """
    call = await work.session.get(Call, contact.call_id) if contact.call_id else None
    if call is None or call.answered_at is None or not work.settings.has_conferences:
        return
    if call.ended_at is not None and call.ended_by != "counsellor":
        return
    asked = select(CallQuestion.id).where(CallQuestion.call_id == call.id).limit(1)
    if await work.session.scalar(asked) is None:
        raise SilentNotAsked()


async def decide_by_key(work: Work, call_id: UUID, urgency: Urgency, question: str) -> None:
    """Set the urgency of a contact whose caller cannot speak and pressed a key that means
    danger, unless it is decided already."""
    contact = await work.session.scalar(
        select(Contact).where(Contact.call_id == call_id).with_for_update()
    )
    if contact is None or contact.urgency is not None:
        return
    decision_id = uuid4()
    reason = f"Answered by key: {question}"
    work.session.add(
        UrgencyDecision(
            id=decision_id,
            contact_id=contact.id,
            at=work.now,
            staff_id=contact.owner_id,
            urgency=urgency.value,
            suggested=None,
            cues=[],
            reason_sealed=work.keys.seal(
                reason.encode(),
                table="urgency_decisions",
                column="reason_sealed",
                row=decision_id,
            ),
        )
    )
    contact.urgency = urgency.value
    note_event(work, "contact", contact.id, "urgency decided", urgency=urgency.value)
    work.announce("records")


async def close_as(work: Work, staff: Staff, contact_id: UUID, reason: NonCounselling) -> Contact:
    """Close a non-counselling contact with one key: nothing is asked, and it is counted."""
    contact = await lock_writable(work, staff, Contact, contact_id)
    await check_closable(work, contact, reason)
    _move(contact, ContactEvent.CLOSE)
    contact.closed_as = reason.value
    code = NON_COUNSELLING[reason]
    contact.category_codes = list(library_of(work.ground).framework.paths().get(code, (code,)))
    await _keep_version(work, staff, contact)
    note_event(work, "contact", contact.id, "closed", reason=reason.value)
    return contact


async def _keep_version(work: Work, staff: Staff, contact: Contact) -> None:
    contact.completed_at, contact.completed_by = work.now, staff.id
    contact.completions += 1
    await work.session.execute(
        insert(CompletedVersion).values(
            contact_id=contact.id,
            number=contact.completions,
            at=work.now,
            staff_id=staff.id,
            answers=contact.answers,
            sealed=contact.sealed,
        )
    )
    work.announce("records")


async def reopen(work: Work, staff: Staff, contact_id: UUID, reason: str) -> Contact:
    """Open a completed contact again. Raises Invalid without a reason, NotFound, Conflict."""
    if not reason.strip():
        raise Invalid("Write why you reopen the contact.")
    contact = await lock_writable(work, staff, Contact, contact_id)
    before = contact.closed_as
    _open_again(work, contact)
    note_event(
        work,
        "contact",
        contact.id,
        "reopened",
        words=reason.strip()[:2000],
        closed_as=before,
    )
    return contact


# -- reading -----------------------------------------------------------------------------------


async def open_contact(work: Work, staff: Staff, contact_id: UUID) -> Opened[Contact]:
    """Open a contact that the person may read; the reading is logged first. Raises NotFound."""
    return await open_record(work, staff, Contact, contact_id, "contact read")


async def urgency_history(opened: Opened[Contact]) -> list[tuple[UrgencyDecision, str]]:
    """Return what was decided and suggested, oldest first, with the reasons."""
    rows = await opened.work.session.scalars(
        select(UrgencyDecision)
        .where(UrgencyDecision.contact_id == opened.id)
        .order_by(UrgencyDecision.at)
    )
    return [
        (
            row,
            opened.words(
                row.reason_sealed, table="urgency_decisions", column="reason_sealed", row=row.id
            ),
        )
        for row in rows
    ]


async def open_drafts(work: Work, staff: Staff) -> list[Contact]:
    """Return the person's own contacts that are not complete, newest first."""
    return list(
        await work.session.scalars(
            select(Contact)
            .where(Contact.owner_id == staff.id, Contact.state != ContactState.COMPLETE)
            .order_by(Contact.opened_at.desc())
            .limit(50)
        )
    )


async def at_hand(work: Work, staff: Staff, call_id: UUID | None) -> Contact | None:
    """Return the person's own contact of a call, while it is not complete."""
    found: Contact | None = await work.session.scalar(
        select(Contact).where(
            Contact.call_id == call_id,
            Contact.owner_id == staff.id,
            Contact.state != ContactState.COMPLETE,
        )
    )
    return found


async def earlier_of_caller(work: Work, staff: Staff, call: Call) -> tuple[list[Contact], int]:
    """Return the earlier contacts of a call's number that the person may read, newest first, and
    the number of those that the person may not read."""
    if call.caller_key is None:
        return [], 0
    of_caller = Contact.call_id.in_(
        select(Call.id).where(Call.caller_key == call.caller_key, Call.opened_at < call.opened_at)
    )
    rows = await work.session.scalars(
        select(Contact)
        .where(of_caller, reads_contact(staff))
        .order_by(Contact.taken_at.desc())
        .limit(5)
    )
    mine = select(func.count()).select_from(Contact).where(of_caller, reads_contact(staff))
    everything = await work.session.scalar(
        select(func.count()).select_from(Contact).where(of_caller)
    )
    readable = await work.session.scalar(mine)
    return list(rows), (everything or 0) - (readable or 0)


async def counts_since(work: Work, staff: Staff, since: datetime) -> dict[str, int]:
    """Count the contacts that the person may read since an instant, by how they were closed."""
    closed = func.coalesce(Contact.closed_as, Contact.state)
    rows = await work.session.execute(
        select(closed, func.count())
        .where(reads_contact(staff), Contact.taken_at >= since)
        .group_by(closed)
    )
    return {key: value for key, value in rows}  # noqa: C416
