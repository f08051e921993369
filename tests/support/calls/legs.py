"""The webhooks of a caller's leg for tests of single verbs, and who takes part in a talk."""

from uuid import uuid4

from app.calls.models import Call
from app.jobs.names import Task
from app.routing.models import Offer
from app.routing.participants.participants import (
    Mode,
    Participant,
    ParticipantPurpose,
    ParticipantState,
)
from app.staff.models import Staff
from app.telephony.answers import Answer
from app.telephony.inbound.deciding import Decision, decide
from app.work import Work
from tests.support.verbs import a_webhook


async def told(work: Work, call: Call, decision: Decision, **fields: str) -> Answer:
    """Let the caller's leg ask for its next document. Return what the caller hears."""
    signed = a_webhook(call.provider_sid or "", **fields)
    # Each is a webhook of its own.
    answer, _ = await decide(work, call.id, signed, f"told:{uuid4()}", decision)
    await work.session.flush()
    return answer


def deferred(work: Work, task: Task) -> int:
    """Return how often a job was asked for."""
    return [job.task for job in work.jobs].count(task)


async def takes_part(
    work: Work, offer: Offer, colleague: Staff | None = None, *, mode: Mode = Mode.TALK
) -> Participant:
    """Let a colleague be in a talk besides its counsellor; without one, a person outside."""
    row = uuid4()
    number = work.keys.seal(b"+381113334446", table="participants", column="number_sealed", row=row)
    purpose = ParticipantPurpose.CONSULT if mode is Mode.TALK else ParticipantPurpose.SUPERVISE
    made = Participant(
        id=row,
        call_id=offer.call_id,
        room_id=offer.room,
        purpose=purpose if colleague else ParticipantPurpose.THIRD_PARTY,
        mode=mode,
        state=ParticipantState.IN,
        staff_id=colleague.id if colleague else None,
        number_sealed=None if colleague else number,
        role=None if colleague else "police",
        wanted_at=work.now,
        joined_at=work.now,
    )
    work.session.add(made)
    await work.session.flush()
    return made
