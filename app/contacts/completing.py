"""Completing, closing and reopening a contact, and what has to be there first."""

from uuid import UUID

from sqlalchemy import insert, select

from app.calls import platform
from app.calls.models import Call, CallQuestion
from app.calls.states import EndedBy
from app.contacts.checksums import checksums_of_version
from app.contacts.contacts import (
    NotOpenForWriting,
    apply_event,
    lock_reopenable,
    open_again,
    suggestion,
)
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import (
    CompletedVersion,
    Contact,
)
from app.contacts.registry import library_of, sheet_of
from app.contacts.scopes import lock_writable
from app.contacts.sealed_answers import seal_categories
from app.contacts.special_codes import codes_of, codes_read
from app.contacts.states import (
    NON_COUNSELLING,
    ContactEvent,
    ContactState,
    NonCounselling,
    Subject,
)
from app.database.topics import Topic
from app.definitions.answers import AskedQuestion, Missing
from app.definitions.risk import Suggestion, Urgency, must_decide
from app.definitions.trees import label_in
from app.errors import Conflict, Invalid
from app.staff.models import Staff
from app.words import SOURCE, code_words, letter
from app.work import Work


class Incomplete(Invalid):
    """The text names everything that is missing; `missing` lists it one by one."""

    def __init__(self, missing: list[Missing]) -> None:
        self.missing = missing
        super().__init__("; ".join(m.words for m in missing))


async def missing_in(work: Work, contact: Contact, language: str = SOURCE) -> list[Missing]:
    """Return everything that keeps a contact from being complete."""
    asked = sheet_of(work, contact).asked(await codes_read(work, contact))
    return missing_with(work, contact, asked, await suggestion(work, contact), language)


def missing_with(
    work: Work,
    contact: Contact,
    asked: list[AskedQuestion],
    suggested: Suggestion | None,
    language: str = SOURCE,
) -> list[Missing]:
    """Return the same, from questions and a suggestion that are known already."""
    missing = sheet_of(work, contact).missing(codes_of(work, contact), language, asked)
    if suggested is not None and must_decide(
        suggested.urgency, contact.urgency, contact.urgency_suggested
    ):
        why = ", ".join(label_in(cue.reason, language) for cue in suggested.cues)
        urgent = code_words(language, "urgency", suggested.urgency)
        words = letter(language, "answer", "urgency_open", urgency=urgent, why=why)
        missing.append(Missing("urgency", words))
    return missing


async def complete(work: Work, staff: Staff, contact_id: UUID, language: str = SOURCE) -> Contact:
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
    apply_event(contact, ContactEvent.COMPLETE)
    contact.closed_as = None
    contact.danger_at = work.now if _has_to_be_referred(contact, suggested) else None
    await _keep_version(work, staff, contact)
    note_event(
        work,
        Subject.CONTACT,
        contact.id,
        RecordLog.COMPLETED,
        number=contact.completions,
        urgency=contact.urgency,
        suggested=suggested.urgency.value if suggested else None,
    )
    return contact


def _has_to_be_referred(contact: Contact, suggested: Suggestion | None) -> bool:
    """Return whether immediate danger was decided, or a sign is always referred."""
    signs = suggested.cues if suggested is not None else []
    return contact.urgency == Urgency.IMMEDIATE or any(cue.refer for cue in signs)


class SignsOfDanger(Conflict):
    default = "There are signs of danger. Decide the urgency first, on the form."


class SomethingWritten(Conflict):
    default = "Something is written in this contact. Complete it, or clear its answers first."


async def check_closable(work: Work, contact: Contact, reason: NonCounselling) -> None:
    """Check that a contact may be closed with one key: nothing is written in it, the urgency of
    signs of danger is decided, and a silent caller was asked by key.

    Raises SomethingWritten, SignsOfDanger, SilentNotAsked.
    """
    if contact.headline or contact.answers or contact.sealed:
        raise SomethingWritten()
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
    if call is None or call.answered_at is None:
        return
    if not platform.asks_by_key(work):
        return
    if call.ended_at is not None and call.ended_by != EndedBy.COUNSELLOR:
        return
    asked = select(CallQuestion.id).where(CallQuestion.call_id == call.id).limit(1)
    if await work.session.scalar(asked) is None:
        raise SilentNotAsked()


async def close_as(work: Work, staff: Staff, contact_id: UUID, reason: NonCounselling) -> Contact:
    """Close a non-counselling contact with one key: nothing is asked, and it is counted.

    Raises SomethingWritten, SignsOfDanger, SilentNotAsked, NotFound, NotOpenForWriting.
    """
    contact = await lock_writable(work, staff, Contact, contact_id)
    await check_closable(work, contact, reason)
    apply_event(contact, ContactEvent.CLOSE)
    contact.closed_as = reason.value
    code = NON_COUNSELLING[reason]
    codes = list(library_of(work.ground).framework.paths().get(code, (code,)))
    contact.categories_sealed = seal_categories(work, contact, codes)
    await _keep_version(work, staff, contact)
    note_event(work, Subject.CONTACT, contact.id, RecordLog.CLOSED, reason=reason.value)
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
            **await checksums_of_version(work, contact, contact.sealed),
        )
    )
    work.announce(Topic.RECORDS, Topic.RECORDS.of(contact.owner_id))


async def reopen(work: Work, staff: Staff, contact_id: UUID, reason: str) -> Contact:
    """Open a completed contact again. If its owner has left, it becomes the person's who opens it.

    Raises Invalid without a reason, NotFound, AccountEnded, Conflict.
    """
    if not reason.strip():
        raise Invalid("Write why you reopen the contact.")
    contact = await lock_reopenable(work, staff, contact_id)
    before = contact.closed_as
    await open_again(work, contact)
    note_event(
        work,
        Subject.CONTACT,
        contact.id,
        RecordLog.REOPENED,
        words=reason.strip()[:2000],
        closed_as=before,
    )
    return contact
