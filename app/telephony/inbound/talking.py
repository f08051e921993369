"""The webhooks of a caller's leg on the way into a talk, and out of it again."""

from uuid import UUID

from app.calls import record
from app.calls.log_kinds import AnyCause, CallLog, Cause
from app.calls.models import Call
from app.calls.record import WebhookDelivery
from app.calls.speech import LineScript
from app.calls.states import CallState
from app.routing import lost_counsellor, offers
from app.routing.models import Offer, OfferState
from app.telephony import answers
from app.telephony.answers import Answer
from app.telephony.inbound.deciding import Decision, end_gone, go_back
from app.work import Work


def bridge(offer_id: UUID) -> Decision:
    """Send the caller into the conference; back to the waiting room if the counsellor is gone."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        _, offer = await offers.lock_offer(work, offer_id)
        if CallState(call.state) is CallState.ENDED:
            answer: Answer = answers.Goodbye()
        elif (
            offer.call_id == call.id
            and offer.released_at is None
            and offer.state in (OfferState.ACCEPTED, OfferState.CONNECTED)
        ):
            answer = answers.Join(offer_id=offer.room)
        else:
            # The counsellor is gone again: back to the waiting room.
            call.entries += 1
            answer = answers.Enqueue(entry=call.entries, returned=True)
        await record.record(
            work,
            call,
            CallLog.BRIDGE,
            delivery=delivery,
            answer=answer,
            offer_id=str(offer_id),
            language=call.language,
        )
        return answer

    return decision


async def held(work: Work, call: Call, sid: str) -> Answer:
    """Return what a leg hears that is alone in a conference, or held."""
    if sid != call.provider_sid:
        return answers.Silence()
    offer = await offers.live_offer_of_call(work, call.id)
    if offer is not None and offer.lost_at is not None:
        return answers.Hold(lost=True)
    return answers.Hold() if call.held_at is not None else answers.Silence()


def left_talk(offer_id: UUID, gone: bool) -> Decision:
    """Handle a caller who left the conference: hung up, ended by the counsellor, or dropped."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        if gone:
            return await end_gone(work, call, delivery)
        if CallState(call.state) is CallState.ENDED:
            answer: Answer = answers.Goodbye()
        else:
            _, offer = await offers.lock_offer(work, offer_id)
            answer = await back_from(work, call, offer, Cause.CONFERENCE_ENDED)
        await record.record(
            work,
            call,
            CallLog.LEFT_CONFERENCE,
            delivery=delivery,
            answer=answer,
            offer_id=str(offer_id),
            language=call.language,
        )
        return answer

    return decision


async def back_from(work: Work, call: Call, offer: Offer, cause: AnyCause) -> Answer:
    """Send a caller who is there after a talk back to the front of the queue.

    The counsellor's star key would leave the caller in a conference. A caller whose leg asks us
    from outside was put out.
    """
    entries = call.entries
    await lost_counsellor.lose_counsellor(work, call, offer, cause, fetch_caller=False)
    if call.entries == entries:
        call.entries += 1
    return go_back(call)
