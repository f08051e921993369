"""Counsellors who have only a phone: they ring their line or text it to change their presence."""

from datetime import timedelta
from uuid import UUID, uuid4

from procrastinate import JobContext
from sqlalchemy import select

from app import words
from app.calls import lines, record
from app.calls.line_rows import Line
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.record import Delivery
from app.calls.speech import EMERGENCY_ELSEWHERE, LineScript
from app.dialling import outward
from app.dialling.models import DialWay, Purpose
from app.log import log
from app.outbox.responses import Refused, TryAgain, Uncertain
from app.routing import own_phones, own_presence
from app.routing.models import Presence, PresenceState
from app.staff.models import Staff
from app.telephony import answers
from app.telephony.answers import Answer
from app.telephony.inbound.deciding import Decision
from app.telephony.jobs import parts_of, task
from app.telephony.provider.signature import Signed
from app.telephony.script import DUTY_DIGITS
from app.work import Work

_TOLD_ONCE = timedelta(hours=1)
# Counsellors' calls about their duty are recorded on a line that no statistic counts.
_DUTY_LINE = "staff"


def duty_words() -> dict[str, str]:
    """Return what a counsellor may text, in every language, and the presence that each sets.

    A first letter alone is not enough: a typing error must not take a counsellor off duty.
    """
    return {
        str(word).lower(): state
        for language in words.languages()
        for state, said in words.letters(language, "duty_words").items()
        for word in said
    }


def _to_counsellor(staff: Staff, key: str) -> str:
    """Return a text to a counsellor, in the language of their account."""
    language = staff.page_language
    commands = {
        "available": words.letters(language, "duty_words")["available"][0].upper(),
        "break": words.letters(language, "duty_words")["break"][0].upper(),
        "off": words.letters(language, "duty_words")["off_duty"][0].upper(),
    }
    return words.letter(language, "duty_text", key, **commands)


def _ring_instead(line: LineScript | None) -> str:
    """Ask the sender of a text to ring, in every language of the line."""
    spoken = [one.language for one in line.languages] if line else list(words.languages())
    known = sorted({words.known(one) for one in spoken}, key=lambda one: (one != "en", one))
    emergency = (line.emergency if line else EMERGENCY_ELSEWHERE).replace(" ", "")
    # With no line set up yet, there is no number of ours to ring.
    key = "texts_not_read" if line else "texts_not_read_no_line"
    number = line.number if line else ""
    said = [
        words.letter(one, "duty_text", key, number=number, emergency=emergency) for one in known
    ]
    return " ".join(said)


def duty_key(number: str | None, digits: str | None) -> Decision:
    """Handle the key of a counsellor who rings their own line. In silence they become a caller."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        state = DUTY_DIGITS.get(digits or "")
        staff_id = await own_phones.owner_of(work, number)
        if state is None or staff_id is None:
            answer: Answer = answers.Menu()
            await record.record(work, call, CallLog.DUTY_NOT_SAID, delivery=delivery, answer=answer)
            return answer
        staff = await work.session.get(Staff, staff_id)
        assert staff is not None
        answer = answers.DutySet(state=state)
        await record.record(
            work, call, CallLog.DUTY_SAID, delivery=delivery, answer=answer, said=state
        )
        call.line_id = await _duty_line(work, line)
        await own_presence.choose_presence(work, staff, PresenceState(state))
        return answer

    return decision


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


async def text_message(work: Work, signed: Signed) -> str:
    """Answer a text to a line: carry out a counsellor's, and ask any other sender to ring.

    Nothing of the text is kept: a child would expect it to be read at once, and no counsellor
    sees it.
    """
    line = await lines.line_of_number(work, signed.fields.get("To")) or await lines.any_line(work)
    staff_id = await own_phones.owner_of(work, signed.fields.get("From"))
    staff = await work.session.get(Staff, staff_id) if staff_id else None
    if staff is None:
        return _ring_instead(line)
    word = " ".join(signed.fields.get("Body", "").lower().split()).strip(".!")
    state = duty_words().get(word)
    if state is None:
        return _to_counsellor(staff, "not_understood")
    sid, memory = signed.fields.get("MessageSid", "")[:64], work.ground.memory
    if memory.recall("texts", sid, work.now) is None:
        # The provider may deliver the same text twice: it is carried out once.
        memory.keep("texts", sid, True, work.now + _TOLD_ONCE)
        await own_presence.choose_presence(work, staff, PresenceState(state))
    return _to_counsellor(staff, f"is_{state}")


@task("tell_missed")
async def tell_missed(context: JobContext, counsellor_id: str) -> None:
    """Tell a counsellor who has only a phone that calls were missed; the board shows it itself."""
    parts = parts_of(context)
    async with parts.work() as work:
        staff = await work.session.get(Staff, UUID(counsellor_id))
        line = await lines.any_line(work)
        presence = await work.session.get(Presence, UUID(counsellor_id))
        if staff is None or line is None or presence is None or presence.warned_at is None:
            return
        to, from_ = staff.endpoint, line.shown_number
        body = _to_counsellor(staff, "missed")
        if to is None or not to.startswith("+"):
            return
        if not await outward.may_dial(work, to, uuid4(), Purpose.NOTICE, DialWay.SMS):
            return
    try:
        await parts.platform.send_message(to=to, from_=from_, body=body, told="/telephony/noted")
    except (TryAgain, Refused, Uncertain):
        # It is not repeated: whether it arrived or not, the alarm tells a person on call.
        log().warning("a counsellor could not be told of missed calls", area="telephony")
