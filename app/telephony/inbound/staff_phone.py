"""Counsellors who have only a phone: they ring their line or text it to change their presence."""

from datetime import timedelta
from uuid import UUID, uuid4, uuid5

from sqlalchemy import select

from app import words
from app.calls import record
from app.calls.lines import finding_lines
from app.calls.lines.line_rows import Line
from app.calls.lines.line_scripts import spoken_languages
from app.calls.log_kinds import CallLog
from app.calls.models import Call, RecordedEvent
from app.calls.record import WebhookDelivery
from app.calls.speech import EMERGENCY_ELSEWHERE, LineScript
from app.dialling import outward
from app.dialling.models import AnsweredBy, DialledFor, DialWay
from app.errors import Invalid
from app.jobs.names import Task
from app.privacy.hash_kinds import HashOf
from app.routing import own_presence, staff_phones
from app.routing.models import PresenceState
from app.staff import phone_proofs
from app.staff.models import CodeKind, PhoneProof, Staff
from app.staff.phone_proofs import EntryResult
from app.telephony import answers
from app.telephony.answers import Answer, DutyChoice
from app.telephony.inbound.deciding import Decision
from app.telephony.inbound.staff_texts import to_counsellor
from app.telephony.provider.signature import Signed
from app.telephony.script import DUTY_DIGITS
from app.words import pages
from app.words.sms import parts_of
from app.words.without_codes import ONLY_A_PIN
from app.work import Work

_TOLD_ONCE = timedelta(hours=1)
_TEXTS = UUID("5d0c7a5e-8c0b-4a55-9a41-6f1f0e2b7d31")
# Counsellors' calls about their duty are recorded on a line that no statistic counts.
_DUTY_LINE = "staff"


def duty_words() -> dict[str, str]:
    """Return what a counsellor may text, in every language, and the presence that each sets.

    A first letter alone is not enough: a typing error must not take a counsellor off duty.
    """
    return {
        str(word).lower(): state
        for language in words.written()
        for state, said in words.letters(language, "duty_words").items()
        for word in said
    }


def _ring_instead(work: Work, line: LineScript | None) -> str:
    """Ask the sender of a text to ring, in every language of the line."""
    spoken = [s.language for s in line.languages] if line else spoken_languages(work.ground)
    known = sorted({words.known(one) for one in spoken}, key=lambda one: (one != words.SOURCE, one))
    emergency = (line.emergency if line else EMERGENCY_ELSEWHERE).replace(" ", "")
    # With no line set up yet, there is no number of ours to ring.
    key = "texts_not_read" if line else "texts_not_read_no_line"
    number = line.number if line else ""
    said = [
        words.letter(one, "duty_text", key, number=number, emergency=emergency) for one in known
    ]
    return " ".join(said)


# Entries per call; the wrong ones are counted over all calls, too.
_ENTRIES = 3


def duty_key(number: str | None, digits: str | None) -> Decision:
    """Handle the key of a counsellor who rings their own line. In silence they become a caller.

    The number that the call shows proves nothing, so the counsellor is asked for a PIN, or for a
    code that is texted to the phone of the account.
    """

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        state = DUTY_DIGITS.get(digits or "")
        staff = await _staff_of(work, number)
        if state is None or staff is None:
            answer: Answer = answers.Menu()
            await record.record(work, call, CallLog.DUTY_NOT_SAID, delivery=delivery, answer=answer)
            return answer
        proof = await phone_proofs.proof_of(work, staff.id)
        if phone_proofs.is_locked(proof, work.now):
            answer = answers.DutyRefused()
        elif await phone_proofs.only_a_pin(work, staff):
            answer = answers.DutyRefused(only_a_pin=True)
        else:
            texted = _is_texted(work, proof)
            answer = answers.DutyProof(state=state, attempt=1, texted=texted)
            if texted:
                work.defer(Task.TEXT_PHONE_CODE, counsellor_id=str(staff.id))
        await record.record(
            work, call, CallLog.DUTY_PROOF_ASKED, delivery=delivery, answer=answer, said=state
        )
        return answer

    return decision


def _is_texted(work: Work, proof: PhoneProof | None) -> bool:
    """Return whether a code has to be texted: there is neither a PIN nor a code at hand."""
    if not work.settings.codes_by_telephone:
        return False
    if proof is None:
        return True
    handed = proof.code_kind == CodeKind.HANDED and (proof.code_until or work.now) > work.now
    return proof.pin_hash is None and not handed


async def _staff_of(work: Work, number: str | None) -> Staff | None:
    staff_id = await staff_phones.owner_of(work, number)
    return await work.session.get(Staff, staff_id) if staff_id is not None else None


def duty_proof(number: str | None, state: DutyChoice, digits: str | None, attempt: int) -> Decision:
    """Handle the PIN or the code that a counsellor entered: only a right one sets the presence."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        staff = await _staff_of(work, number)
        if staff is None or not digits:
            answer: Answer = answers.Menu()
            await record.record(work, call, CallLog.DUTY_NOT_SAID, delivery=delivery, answer=answer)
            return answer
        texted = _is_texted(work, await phone_proofs.proof_of(work, staff.id))
        found = await phone_proofs.prove(work, staff, digits)
        if found is EntryResult.WRONG and attempt < _ENTRIES:
            answer = answers.DutyProof(state=state, attempt=attempt + 1, texted=texted)
        elif found in (EntryResult.WRONG, EntryResult.LOCKED):
            answer = answers.DutyRefused()
        else:
            answer = answers.DutySet(state=state)
            if found is EntryResult.HANDED:
                answer = answers.DutyPin(state=state, attempt=1)
            await phone_proofs.pair(work, staff)
            call.line_id = await _duty_line(work, line)
            await own_presence.choose_presence(work, staff, PresenceState(state))
        right = found in (EntryResult.RIGHT, EntryResult.HANDED)
        await record.record(
            work,
            call,
            CallLog.DUTY_SAID if right else CallLog.DUTY_PROOF_WRONG,
            delivery=delivery,
            answer=answer,
            said=state,
        )
        return answer

    return decision


def duty_pin(number: str | None, state: DutyChoice, digits: str | None, attempt: int) -> Decision:
    """Handle the PIN that a counsellor chooses after a single-use code. Silence leaves it out."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        staff = await _staff_of(work, number)
        answer: Answer = answers.DutySet(state=state)
        if (
            staff is not None
            and digits
            and attempt <= 2 * _ENTRIES
            and await _may_choose(work, call)
        ):
            try:
                if not await phone_proofs.choose(work, staff, digits):
                    answer = answers.DutyPin(state=state, attempt=attempt + 1, again=True)
            except Invalid:
                answer = answers.DutyPin(state=state, attempt=attempt + 1, refused=True)
        await record.record(
            work, call, CallLog.DUTY_PIN_CHOSEN, delivery=delivery, answer=answer, said=state
        )
        return answer

    return decision


async def _may_choose(work: Work, call: Call) -> bool:
    """Return whether a single-use code was entered in this call."""
    asked = select(RecordedEvent.id).where(
        RecordedEvent.call_id == call.id,
        RecordedEvent.kind == CallLog.DUTY_SAID,
        RecordedEvent.answer["kind"].astext == answers.kind_of(answers.DutyPin),
    )
    return await work.session.scalar(asked) is not None


async def _duty_line(work: Work, line: LineScript) -> UUID:
    """Return the practice line for calls about duty; the first such call creates it."""
    found = await work.session.scalar(select(Line.id).where(Line.number == _DUTY_LINE))
    if found is not None:
        return found
    made = Line(
        id=uuid4(),
        number=_DUTY_LINE,
        name="Counsellors about their duty",
        country=line.country,
        timezone=line.timezone,
        practice=True,
        active=False,
        created_at=work.now,
    )
    work.session.add(made)
    await work.session.flush()
    return made.id


async def text_message(work: Work, signed: Signed, *, again: bool = False) -> str | None:
    """Answer a text to a line: carry out a counsellor's, and ask any other sender to ring. Return
    None if the sender may not be answered at all.

    `again`: the provider has delivered it before, perhaps to another process. It is carried out
    once, and answered again only if this process knows the answer: it may hold a code. An answer is
    a text that goes out: the rules of dialling hold, but for the countries, and any other sender
    gets one within an hour.

    Nothing of a text that is answered is kept: a child would expect it to be read at once, and no
    counsellor sees it.
    """
    line = await finding_lines.line_of_number(
        work, signed.fields.get("To")
    ) or await finding_lines.any_line(work)
    staff_id = await staff_phones.owner_of(work, signed.fields.get("From"))
    staff = await work.session.get(Staff, staff_id) if staff_id else None
    word = " ".join(signed.fields.get("Body", "").lower().split()).strip(".!")
    sid, memory = signed.fields.get("MessageSid", "")[:64], work.ground.memory
    if again:
        known: str | None = memory.recall("texts", sid, work.now)
        return known or ""
    said = _ring_instead(work, line) if staff is None else await _reply(work, staff, word)
    may = await _may_answer(work, signed, said, staff)
    if not may:
        return None if may is None else ""
    memory.keep("texts", sid, said, work.now + _TOLD_ONCE)
    return said


async def _may_answer(work: Work, signed: Signed, said: str, staff: Staff | None) -> bool | None:
    """Return whether a text is answered now, and count the answer; None if its sender may not be
    answered."""
    kind, colon, address = signed.fields.get("From", "").partition(":")
    if staff is not None:
        key, purpose = uuid5(_TEXTS, signed.fields.get("MessageSid", "")), DialledFor.NOTICE
    else:
        # The number is not to be read from what is counted.
        once = f"text {kind}{colon}{address} {work.now:%Y%m%d%H}"
        key = UUID(bytes=work.keys.match_key(HashOf.LIMIT, once)[:16])
        purpose = DialledFor.CONVERSATION
        if colon:
            # No number is dialled to answer by a carrier like WhatsApp, whichever country it has.
            memory = work.ground.memory
            said_before = memory.recall("texted", str(key), work.now)
            memory.keep("texted", str(key), "yes", work.now + _TOLD_ONCE)
            return said_before is None
    asked = await outward.ask(
        work,
        address if colon else kind,
        key,
        purpose,
        DialWay.SMS,
        parts=1 if colon else parts_of(said),
        answered_by=AnsweredBy.PROGRAM if staff is None else None,
    )
    if asked.why is not None:
        return None if staff is None else False
    return asked.is_new or staff is not None


async def _reply(work: Work, staff: Staff, word: str) -> str:
    """Answer a counsellor's text: a code proves that it came from the phone of the account."""
    if not work.settings.codes_by_telephone:
        with pages.spoken_in(staff.page_language):
            return pages.said(ONLY_A_PIN)
    state = duty_words().get(word)
    if state is not None:
        code = await phone_proofs.text_code(work, staff, state)
        return to_counsellor(staff, "confirm" if code else "no_code", code=code or "")
    if not (word.isascii() and word.isdigit() and len(word) == phone_proofs.DIGITS):
        return to_counsellor(staff, "not_understood")
    proof = await phone_proofs.proof_of(work, staff.id)
    wants = proof.wants if proof and proof.code_kind == CodeKind.TEXTED else None
    found = await phone_proofs.prove(work, staff, word)
    if found is EntryResult.LOCKED:
        return to_counsellor(staff, "no_code")
    if found is not EntryResult.RIGHT or wants is None:
        return to_counsellor(staff, "wrong_code")
    await phone_proofs.pair(work, staff)
    await own_presence.choose_presence(work, staff, PresenceState(wants))
    return to_counsellor(staff, f"is_{wants}")
