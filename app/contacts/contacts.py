"""Contacts: opened when a call is answered, filled in during the call, completed, reopened."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BindParameter, Uuid, bindparam, select, update

from app.calls import messages
from app.calls.models import Call, VoiceMessage
from app.contacts import profiles
from app.contacts.consent import withdrawals
from app.contacts.events import note_event
from app.contacts.log_kinds import ReadsBecause, RecordLog, ReopenedBecause
from app.contacts.models import (
    Contact,
    UrgencyDecision,
)
from app.contacts.registry import beginning, library_of, sheet_of
from app.contacts.saving import Change, Saved, extract, save_answers, with_above
from app.contacts.scopes import let_owner_read, let_read, lock_writable, reads_contact
from app.contacts.sealed_answers import filled_up, seal_categories
from app.contacts.special_codes import codes_read
from app.contacts.states import (
    TRANSITIONS,
    ContactChannel,
    ContactEvent,
    ContactState,
    Source,
    Subject,
    channel_of_call,
)
from app.database.quick import Command
from app.database.topics import Topic
from app.definitions.risk import DANGER_KEY, Suggestion, Urgency, suggest
from app.errors import Conflict, Invalid, NotFound
from app.staff import receiving
from app.staff.models import Staff
from app.staff.roles import Role
from app.words.stored import BY_KEY, stored
from app.work import Work

# The longest time after a contact at which its paper record may be entered.
_OLDEST = timedelta(days=3660)


class NotOpenForWriting(Conflict):
    default = "The contact is complete. Reopen it, with a reason, to change it."


_CONTACT = Command(Contact.__table__, within=let_owner_read)
_COLUMNS = [column.key for column in Contact.__table__.columns]


# Contacts in which a person has still to write; one whose time was over is not.
OPEN = (Contact.state != ContactState.COMPLETE, Contact.erased_at.is_(None))


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
        "place_path": [],
    }
    return Contact(**{**nothing, **begins, **values})


def _write(work: Work, contact: Contact) -> None:
    """Queue a new contact, which its owner may read, to be written with the other rows of this
    transaction."""
    row = {name: getattr(contact, name) for name in _COLUMNS}
    work.write_later(_CONTACT, row)


def apply_event(contact: Contact, event: ContactEvent) -> None:
    state = TRANSITIONS.get((ContactState(contact.state), event))
    if state is None:
        if event is ContactEvent.REOPEN:
            raise Conflict("The contact is open already.")
        raise NotOpenForWriting()
    contact.state = state.value


# -- with a call -------------------------------------------------------------------------------


# Built once: every talk begins with it.
CALL_ID: BindParameter[UUID] = bindparam("call_id", type_=Uuid())
_OF_CALL = select(Contact).where(Contact.call_id == CALL_ID).with_for_update()


async def open_for_call(work: Work, call: Call, staff_id: UUID) -> None:
    """Open the draft contact of an answered call, or hand it to the counsellor who has the call.

    May run twice. The transaction that connected the call holds its lock.
    """
    staff = await work.session.get(Staff, staff_id)
    assert staff is not None
    contact = await work.session.scalar(_OF_CALL, {"call_id": call.id})
    if contact is not None:
        if contact.owner_id != staff_id:
            await _hand_over(work, contact, staff, ReadsBecause.CALL_TRANSFERRED)
        if ContactState(contact.state) is ContactState.COMPLETE:
            # Closed too soon: the counsellor who has the caller now needs a record to write in.
            await open_again(work, contact)
            back = ReopenedBecause.CALLER_IS_BACK
            note_event(work, Subject.CONTACT, contact.id, RecordLog.REOPENED, cause=back)
        return
    values: dict[str, Any] = {
        **beginning(work, "contact"),
        "call_id": call.id,
        "channel": channel_of_call(call.channel).value,
        "source": Source.LIVE.value,
        "owner_id": staff_id,
        "team": staff.team,
        "taken_at": call.answered_at or work.now,
        "profile_id": await profiles.profile_of_caller(work, call.caller_key),
    }
    # This transaction holds the lock of the call, so no other one opens its contact now.
    contact = _empty(values)
    _write(work, contact)
    note_event(
        work,
        Subject.CONTACT,
        values["id"],
        RecordLog.OPENED,
        call_id=str(call.id),
        owner_id=str(staff_id),
    )
    work.announce(Topic.RECORDS.of(staff_id))


async def _hand_over(work: Work, contact: Contact, staff: Staff, cause: ReadsBecause) -> None:
    before = contact.owner_id
    let_read(work, contact, staff.id, cause)
    contact.owner_id, contact.team = staff.id, staff.team
    work.announce(Topic.RECORDS.of(before), Topic.RECORDS.of(staff.id))
    note_event(
        work,
        Subject.CONTACT,
        contact.id,
        RecordLog.HANDED_OVER,
        before=str(before),
        owner_id=str(staff.id),
        cause=cause,
    )


async def open_again(work: Work, contact: Contact) -> None:
    apply_event(contact, ContactEvent.REOPEN)
    if contact.closed_as is not None:
        # The reason for closing no longer holds: its categories come from the answers again.
        contact.closed_as = None
        sheet, codes = sheet_of(work, contact), await codes_read(work, contact)
        found = codes.get(sheet.form.path_of("categories") or "")
        chosen = with_above(sheet, found if isinstance(found, list) else [])
        contact.categories_sealed = seal_categories(work, contact, chosen)
    extract(contact, sheet_of(work, contact))


async def assign(work: Work, staff: Staff, contact_id: UUID, to: UUID) -> Contact:
    """Give a contact to a colleague. Raises NotFound, Invalid."""
    other = await receiving.receiver_by_id(work, to)
    contact = await lock_writable(work, staff, Contact, contact_id)
    if other is None or other.role not in (Role.COUNSELLOR, Role.SUPERVISOR):
        raise Invalid("A contact can only be given to an active counsellor or supervisor.")
    if other.id != contact.owner_id:
        await _hand_over(work, contact, other, ReadsBecause.GIVEN)
    return contact


async def lock_reopenable(work: Work, staff: Staff, contact_id: UUID) -> Contact:
    """Lock a contact that a person reopens. If its owner has left, it is that person's from now on:
    a draft always has an owner who can complete it. Raises NotFound, AccountEnded."""
    owner_id = await work.session.scalar(select(Contact.owner_id).where(Contact.id == contact_id))
    here = owner_id is None or await receiving.receiver_by_id(work, owner_id) is not None
    if not here:
        await receiving.check_receives(work, staff)
    contact = await lock_writable(work, staff, Contact, contact_id)
    if not here and contact.owner_id == owner_id:
        await _hand_over(work, contact, staff, ReadsBecause.GIVEN)
    return contact


async def give_drafts(work: Work, owner: Staff, to: Staff) -> int:
    """Give the drafts of a person who leaves to a colleague. Return how many there were."""
    drafts = await work.session.scalars(
        select(Contact)
        .where(Contact.owner_id == owner.id, *OPEN)
        .order_by(Contact.id)
        .with_for_update()
    )
    found = drafts.all()
    for contact in found:
        await _hand_over(work, contact, to, ReadsBecause.GIVEN)
    return len(found)


async def contact_of_call(work: Work, staff: Staff, call_id: UUID) -> UUID | None:
    """Return the id of a call's contact, if there is one that the person may read."""
    found: UUID | None = await work.session.scalar(
        select(Contact.id).where(Contact.call_id == call_id, reads_contact(staff))
    )
    return found


# -- without a call ----------------------------------------------------------------------------


def _time_of(
    work: Work, source: Source, taken_at: datetime | None, on_behalf_of: UUID | None
) -> datetime:
    """Return when a contact took place that no answered call opened. Raises Invalid."""
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
    return at


async def create_contact(
    work: Work,
    staff: Staff,
    *,
    channel: ContactChannel,
    source: Source = Source.AFTERWARDS,
    taken_at: datetime | None = None,
    on_behalf_of: UUID | None = None,
    call_id: UUID | None = None,
    message: Call | None = None,
    changes: list[Change] | None = None,
) -> tuple[Contact, Saved]:
    """Create a contact that no answered call opened: e-mail, a visit, paper after an outage.
    `call_id`: of a voice message. `message`: a conversation whose message the person may read.

    Invalid answers are listed in the returned `Saved`, and the rest is kept. Raises Invalid,
    NotFound, Conflict; at the end AccountEnded.
    """
    at = _time_of(work, source, taken_at, on_behalf_of)
    receiving.check_receives_later(work, staff)
    if message is not None:
        call_id = message.id
        await _check_first(work, call_id)
    elif call_id is not None:
        await _check_message(work, staff, call_id)
    elif channel is ContactChannel.VOICE_MESSAGE:
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
    if on_behalf_of is not None:
        if await work.session.get(Staff, on_behalf_of) is None:
            raise Invalid("There is no such colleague.")
        let_read(work, contact, on_behalf_of, ReadsBecause.TAKEN_BY)
    note_event(
        work,
        Subject.CONTACT,
        contact.id,
        RecordLog.OPENED,
        channel=channel.value,
        source=source.value,
    )
    return contact, saved


async def _check_first(work: Work, call_id: UUID) -> None:
    if await work.session.scalar(select(Contact.id).where(Contact.call_id == call_id)):
        raise Conflict("There is a contact for this call already.")


async def _check_message(work: Work, staff: Staff, call_id: UUID) -> None:
    await _check_first(work, call_id)
    heard = messages.of_team(staff.team)
    message = select(VoiceMessage.id).where(VoiceMessage.call_id == call_id, heard).limit(1)
    if await work.session.scalar(message) is None:
        raise NotFound("There is no voice message for that call.")


# -- writing -----------------------------------------------------------------------------------


async def save(
    work: Work, staff: Staff, contact_id: UUID, changes: list[Change]
) -> tuple[Contact, Saved]:
    """Write answers into a draft. Raises NotFound, NotOpenForWriting, Invalid."""
    contact = await lock_writable(work, staff, Contact, contact_id)
    apply_event(contact, ContactEvent.SAVE)
    saved = await save_answers(work, contact, changes)
    withdrawals.hear(work, contact, saved)
    return contact, saved


async def suggestion(work: Work, contact: Contact) -> Suggestion | None:
    """Return the urgency that the signs of danger suggest, with the signs."""
    cues = sheet_of(work, contact).cues(await codes_read(work, contact))
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
    apply_event(contact, ContactEvent.SAVE)
    suggested = await suggestion(work, contact)
    decision_id = uuid4()
    signs = [cue.cue for cue in suggested.cues] if suggested else []
    work.session.add(
        UrgencyDecision(
            id=decision_id,
            contact_id=contact.id,
            at=work.now,
            staff_id=staff.id,
            urgency=urgency.value,
            suggested=suggested.urgency.value if suggested else None,
            **_seal_why(work, decision_id, (reason or "").strip() and reason, signs),
        )
    )
    contact.urgency = urgency.value
    contact.urgency_suggested = suggested.urgency.value if suggested else None
    note_event(
        work,
        Subject.CONTACT,
        contact.id,
        RecordLog.URGENCY_DECIDED,
        urgency=urgency.value,
        suggested=suggested.urgency.value if suggested else None,
    )
    return contact


async def decide_by_key(work: Work, call_id: UUID, urgency: Urgency, question: str) -> None:
    """Set the urgency of a contact whose caller cannot speak and pressed a key that means
    danger, unless it is decided already."""
    contact = await work.session.scalar(
        select(Contact).where(Contact.call_id == call_id).with_for_update()
    )
    if contact is None or contact.urgency is not None:
        return
    decision_id = uuid4()
    reason = stored(BY_KEY, question=question)
    work.session.add(
        UrgencyDecision(
            id=decision_id,
            contact_id=contact.id,
            at=work.now,
            staff_id=contact.owner_id,
            urgency=urgency.value,
            suggested=None,
            **_seal_why(work, decision_id, reason, []),
        )
    )
    contact.urgency = urgency.value
    note_event(work, Subject.CONTACT, contact.id, RecordLog.URGENCY_DECIDED, urgency=urgency.value)
    work.announce(Topic.RECORDS, Topic.RECORDS.of(contact.owner_id))


async def note_danger(work: Work, call_id: UUID) -> None:
    """Note that the child of a talk said after it that it is in danger: an alarm is raised until it
    is referred, or a person decides."""
    await work.session.execute(
        update(Contact)
        .where(Contact.call_id == call_id)
        .values(danger_at=work.now)
        .execution_options(synchronize_session="fetch")
    )


def _seal_why(work: Work, decision_id: UUID, words: str | None, signs: list[str]) -> dict[str, Any]:
    """Return why an urgency was set, sealed: signs of danger tell of health and violence."""
    if not words and not signs:
        return {}
    body = json.dumps({"signs": signs, "words": words or ""}, ensure_ascii=False).encode()
    place = {"table": "urgency_decisions", "column": "reason_sealed"}
    summed = work.keys.seal_with_sum(filled_up(body), **place, row=decision_id)
    return summed.as_columns("reason_sealed")
