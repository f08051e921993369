"""The webhooks of a caller's leg on the way into a talk, and out of it again."""

from uuid import UUID

from app.calls import record
from app.calls.models import Call
from app.calls.record import Delivery
from app.calls.speech import LineScript
from app.calls.states import CallState
from app.routing import offers
from app.routing.models import OfferState
from app.routing.participants import leaving
from app.telephony.inbound.deciding import Decision, go_back
from app.telephony.script import Answer
from app.work import Work


def bridge(offer_id: UUID) -> Decision:
    """Send the caller into the conference; back to the waiting room if the counsellor is gone."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        _, offer = await offers.lock_offer(work, offer_id)
        if CallState(call.state) is CallState.ENDED:
            answer: Answer = {"kind": "goodbye"}
        elif (
            offer.call_id == call.id
            and offer.released_at is None
            and offer.state in (OfferState.ACCEPTED, OfferState.CONNECTED)
        ):
            answer = {"kind": "join", "offer_id": str(offer.room)}
        else:
            # The counsellor is gone again: back to the waiting room.
            call.entries += 1
            answer = {"kind": "enqueue", "entry": call.entries, "returned": True}
        await record.record(
            work,
            call,
            "bridge",
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
        return {"kind": "silence"}
    offer = await offers.live_offer_of_call(work, call.id)
    if offer is not None and offer.lost_at is not None:
        return {"kind": "hold", "lost": True}
    return {"kind": "hold" if call.held_at is not None else "silence"}


def left_talk(offer_id: UUID, gone: bool) -> Decision:
    """Handle a caller who left the conference: hung up, ended by the counsellor, or dropped."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        if gone:
            nothing: Answer = {"kind": "nothing"}
            await offers.end_call(work, call, ended_by="caller", delivery=delivery, answer=nothing)
            return nothing
        if CallState(call.state) is CallState.ENDED:
            answer: Answer = {"kind": "goodbye"}
        else:
            _, offer = await offers.lock_offer(work, offer_id)
            # The star key of the counsellor would leave the caller in the conference. A caller
            # whose leg asks us from outside was put out, and goes back to the front.
            entries = call.entries
            await leaving.lose_counsellor(
                work, call, offer, "the conference ended", fetch_caller=False
            )
            if call.entries == entries:
                call.entries += 1
            answer = go_back(call)
        await record.record(
            work,
            call,
            "left_conference",
            delivery=delivery,
            answer=answer,
            offer_id=str(offer_id),
            language=call.language,
        )
        return answer

    return decision
