"""Counsellors who have only a phone: they ring their line or text it to change their presence."""

from datetime import timedelta
from uuid import UUID, uuid4

from procrastinate import JobContext
from sqlalchemy import select

from app.calls import lines, record
from app.calls.models import Call, Line
from app.calls.record import Delivery
from app.calls.speech import EMERGENCY_ELSEWHERE, LineScript
from app.log import log
from app.routing import offers, own_phones
from app.routing.models import Presence, PresenceState
from app.staff.models import Staff
from app.telephony.inbound.deciding import Decision
from app.telephony.jobs import parts_of, task
from app.telephony.provider.client import Refused, TryAgain, Uncertain
from app.telephony.provider.signature import Signed
from app.telephony.script import DUTY_DIGITS, Answer
from app.work import Work

# The words that a counsellor may text, in the shipped languages. A first letter alone is not
# enough, because a typing error must not take a counsellor off duty.
WORDS = {
    "available": "available",
    "on": "available",
    "in": "available",
    "1": "available",
    "tu sam": "available",
    "dostupna": "available",
    "dostupan": "available",
    "break": "break",
    "pause": "break",
    "pauza": "break",
    "2": "break",
    "off": "off_duty",
    "out": "off_duty",
    "off duty": "off_duty",
    "3": "off_duty",
    "kraj": "off_duty",
    "van smene": "off_duty",
}
MISSED = (
    "You are the last counsellor on duty and have missed calls. If you miss one more, you will be "
    "set to away. Write AVAILABLE to stay on duty, or BREAK, or OFF."
)
_TOLD_ONCE = timedelta(hours=1)
# Counsellors' calls about their duty are recorded on a line that no statistic counts.
_DUTY_LINE = "staff"


def duty_key(number: str | None, digits: str | None) -> Decision:
    """Handle the key of a counsellor who rings their own line. In silence they become a caller."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        state = DUTY_DIGITS.get(digits or "")
        staff_id = await own_phones.owner_of(work, number)
        if state is None or staff_id is None:
            answer: Answer = {"kind": "menu", "attempt": 0}
            await record.record(work, call, "duty_not_said", delivery=delivery, answer=answer)
            return answer
        staff = await work.session.get(Staff, staff_id)
        assert staff is not None
        answer = {"kind": "duty_set", "state": state}
        await record.record(work, call, "duty_said", delivery=delivery, answer=answer, said=state)
        call.line_id = await _duty_line(work, line)
        await offers.choose_presence(work, staff, PresenceState(state))
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
        # With no line set up yet, there is no number of ours to ring.
        ring, pozovi = (
            (f"Please ring {line.number}. ", f"Pozovi {line.number}. ") if line else ("", "")
        )
        emergency = (line.emergency if line else EMERGENCY_ELSEWHERE).replace(" ", "")
        return (
            f"Nobody reads messages here. {ring}If you are in danger, ring {emergency}. "
            f"Ovde niko ne čita poruke. {pozovi}Ako si u opasnosti, pozovi {emergency}."
        )
    word = " ".join(signed.fields.get("Body", "").lower().split()).strip(".!")
    state = WORDS.get(word)
    if state is None:
        return "This was not understood. Write AVAILABLE, BREAK or OFF."
    sid, memory = signed.fields.get("MessageSid", "")[:64], work.ground.memory
    if memory.recall("texts", sid, work.now) is None:
        # The provider may deliver the same text twice: it is carried out once.
        memory.keep("texts", sid, True, work.now + _TOLD_ONCE)
        await offers.choose_presence(work, staff, PresenceState(state))
    return f"You are {state.replace('_', ' ')} now."


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
    if to is None or not to.startswith("+"):
        return
    try:
        await parts.provider.send_message(to=to, from_=from_, body=MISSED, told="/telephony/noted")
    except (TryAgain, Refused, Uncertain):
        # It is not repeated: whether it arrived or not, the alarm tells a person on call.
        log().warning("a counsellor could not be told of missed calls", area="telephony")
