"""The partner number: the partner takes the caller with a key, or the caller returns to us."""

from uuid import UUID

from app.calls import delivery_keys, record
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.record import WebhookDelivery
from app.calls.speech import LineScript
from app.calls.states import CallState
from app.routing.plan import read_plan
from app.telephony import answers
from app.telephony.answers import Answer, read_answer
from app.telephony.inbound.arriving import admit_again
from app.telephony.inbound.deciding import Decision, caller_is_gone, delivery_of, end_gone, scene_of
from app.telephony.platforms.choose import platform_of
from app.telephony.provider.signature import Signed
from app.telephony.script import TAKE_DIGIT, Scene
from app.work import Work


def partner_left(signed: Signed) -> Decision:
    """Handle the end of the dial to the partner: take back a caller who is still on the line."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        platform_of(work.settings).partner_left(work, call, signed)
        if caller_is_gone(signed):
            return await end_gone(work, call, delivery)
        # We cannot tell whether the partner ended the talk or the line broke, so a caller who
        # stays on the line is ours again and is not hung up on.
        return await admit_again(work, call, delivery, line)

    return decision


async def partner_asked(
    work: Work, call_id: UUID, signed: Signed, attempt: int
) -> tuple[Answer, Scene | None]:
    """Ask the person or machine that answered the partner's phone: key 1 takes the caller.

    A number that was taken out or replaced while it rang gets no caller any more: the line is hung
    up there, and the caller returns to us.
    """
    call = await record.lock_call(work, call_id)
    scene = await scene_of(work, call)
    key = delivery_keys.partner(call_id, signed.call_sid, attempt)
    event = await record.earlier_answer(work, key)
    if event is not None and event.answer is not None:
        return read_answer(event.answer), scene
    answer: Answer = answers.HangUp()
    if CallState(call.state) is CallState.GREETING:
        plan = read_plan(scene.line.plan) if scene is not None else None
        if plan is not None and not plan.is_partner(signed.fields.get("To", "")):
            # Another partner in its place is rung at once.
            call.partner_at = None
        elif attempt and signed.fields.get("Digits") == TAKE_DIGIT:
            call.transferred_at = work.now
            answer = answers.Nothing()
        elif attempt < 2:
            answer = answers.PartnerAsk(attempt=attempt)
    await record.record(
        work,
        call,
        CallLog.PARTNER_ASKED,
        delivery=delivery_of(signed, key),
        answer=answer,
        taken=call.transferred_at is not None,
    )
    return answer, scene
