"""The webhooks of a counsellor's leg."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.calls import delivery_keys, record
from app.calls.delivery_keys import DeliveryKey
from app.calls.log_kinds import CallLog, Cause, kind_of_status, of_leg
from app.calls.models import Call, Leg, RecordedEvent
from app.calls.record import WebhookDelivery
from app.calls.states import (
    CallState,
    LegStatus,
    is_over,
    read_leg_status,
    supersedes,
)
from app.jobs.names import Task
from app.outbox.states import Sending
from app.routing import lost_counsellor, offers, second_phone
from app.routing.models import AnsweredOn, Offer, OfferState
from app.routing.participants.participants import Participant
from app.staff import phone_proofs
from app.staff.models import Staff
from app.staff.phone_proofs import EntryResult
from app.telephony import answers
from app.telephony.answers import Answer, read_answer
from app.telephony.inbound.deciding import delivery_of, scene_of
from app.telephony.participants import participant_legs
from app.telephony.platforms.choose import platform_of
from app.telephony.provider.client import ProviderCall
from app.telephony.provider.signature import Signed, read_number
from app.telephony.script import TAKE_DIGIT, Scene
from app.work import Work

# The counsellor is asked twice to press a key.
_WHISPERS = 2


async def _lock(work: Work, offer_id: UUID, key: DeliveryKey) -> tuple[Call, Offer, Answer | None]:
    """Lock an offer and its call, and return what this delivery was answered before."""
    call, offer, event = await offers.lock_offer_for_delivery(work, offer_id, key)
    return call, offer, _answer_of(event)


def _answer_of(event: RecordedEvent | None) -> Answer | None:
    return read_answer(event.answer) if event is not None and event.answer is not None else None


async def whisper(work: Work, offer_id: UUID, signed: Signed) -> tuple[Answer, Scene | None]:
    """Return what the counsellor's phone hears when a person or a machine has answered it."""
    key = delivery_keys.whisper(offer_id, signed.call_sid)
    call, offer, answer = await _lock(work, offer_id, key)
    if answer is None:
        takeable = offer.released_at is None and CallState(call.state) is not CallState.ENDED
        takeable = takeable and not await second_phone.is_called_off(
            work, offer.counsellor_id, offer
        )
        answer = await _whisper(work, offer, 0) if takeable else answers.Taken()
        await offers.phone_lifted(work, offer)
        await record.record(
            work,
            call,
            CallLog.WHISPER,
            delivery=delivery_of(signed, key),
            answer=answer,
            offer_id=str(offer_id),
        )
    return answer, await scene_of(work, call, offer_id)


async def _whisper(work: Work, offer: Offer, attempt: int) -> Answer:
    staff = await _counsellor(work, offer)
    proof = not await _is_proven(work, offer, staff)
    only_a_pin = proof and await phone_proofs.only_a_pin(work, staff)
    if only_a_pin:
        # Said once, and no key was pressed: the next counsellor is asked.
        attempt = _WHISPERS - 1
    again = offer.lost_at is not None
    answer = platform_of(work.settings).whisper(attempt=attempt, again=again, proof=proof)
    return replace(answer, only_a_pin=only_a_pin)


async def _is_proven(work: Work, offer: Offer, staff: Staff) -> bool:
    """Return whether the phone that was rung for an offer was proven by its counsellor."""
    if offer.second_at is not None:
        return await phone_proofs.is_proven(work, staff)
    return await phone_proofs.is_paired(work, staff)


async def _counsellor(work: Work, offer: Offer) -> Staff:
    return await work.session.get_one(Staff, offer.counsellor_id)


async def _takes(work: Work, offer: Offer, digits: str) -> bool:
    """Return whether the digits take the call: key 1, or the PIN where the phone is not proven.

    The program rang the number of the account, so a right PIN proves the phone as well.
    """
    staff = await _counsellor(work, offer)
    if await _is_proven(work, offer, staff):
        return digits == TAKE_DIGIT
    if offer.released_at is not None or not digits:
        return False
    if await phone_proofs.prove(work, staff, digits) not in (EntryResult.RIGHT, EntryResult.HANDED):
        return False
    await phone_proofs.pair(work, staff)
    return True


async def take(
    work: Work, offer_id: UUID, signed: Signed, attempt: int
) -> tuple[Answer, Scene | None]:
    """Handle the counsellor's key, or none. Key 1 takes the call if it is still on offer."""
    key = delivery_keys.take(offer_id, signed.call_sid, attempt)
    call, offer, answer = await _lock(work, offer_id, key)
    if answer is not None:
        scene = await scene_of(work, call, offer_id)
        return answer, await platform_of(work.settings).with_address(work, answer, scene)
    delivery = delivery_of(signed, key)
    detail: dict[str, Any] = {"offer_id": str(offer_id)}
    if await second_phone.is_called_off(work, offer.counsellor_id, offer):
        answer = answers.Taken()
    elif await _takes(work, offer, signed.fields.get("Digits", "")):
        try:
            await offers.accept_offer(work, call, offer, by=AnsweredOn.PHONE)
            answer = await platform_of(work.settings).connect(work, call, offer, signed.call_sid)
            await second_phone.taken(work, offer)
        except offers.OfferNoLongerOpen:
            answer = answers.Taken()
            await offers.withdraw_offer(work, call, offer, Cause.TAKEN_BY_ANOTHER)
    elif attempt < _WHISPERS and offer.released_at is None:
        answer = await _whisper(work, offer, attempt)
        await offers.phone_lifted(work, offer)
    else:
        answer = answers.HangUp()
        if offer.state == OfferState.OPEN and not await second_phone.browser_rings_on(work, offer):
            await offers.miss_offer(work, call, offer, Cause.NO_KEY_PRESSED)
    await record.record(
        work, call, CallLog.KEY_ASKED_FOR, delivery=delivery, answer=answer, **detail
    )
    scene = await scene_of(work, call, offer_id)
    return answer, await platform_of(work.settings).with_address(work, answer, scene)


async def rejoin(work: Work, offer_id: UUID) -> tuple[Answer, Scene | None]:
    """Send the counsellor's leg back into the conference that it has just left."""
    call, offer = await offers.lock_offer(work, offer_id)
    answer: Answer = answers.HangUp()
    if offer.released_at is None and CallState(call.state) is CallState.CONNECTED:
        answer = answers.JoinCounsellor(offer_id=offer_id, room_id=offer.room)
        owner = await work.session.scalar(
            select(Participant).where(Participant.owner_offer_id == offer.id)
        )
        if owner is not None:
            answer = answers.JoinParticipant(
                participant_id=owner.id,
                room_id=offer.room,
                second=offer.second_at is not None,
            )
    await record.record(
        work, call, CallLog.COUNSELLOR_REJOINS, answer=answer, offer_id=str(offer_id)
    )
    return answer, await scene_of(work, call, offer_id)


async def counsellor_left(work: Work, offer_id: UUID, signed: Signed) -> Answer:
    """Handle a counsellor's leg that has left the conference and asks for the next document.

    If the leg is still up, either the counsellor pressed the star key or the conference ended
    for both. A job asks the provider which it was, before the caller is hung up on.
    """
    key = delivery_keys.counsellor_left(offer_id)
    call, offer, answer = await _lock(work, offer_id, key)
    if answer is not None:
        return answer
    status = read_leg_status(signed.fields.get("CallStatus"))
    lives = status is not None and not is_over(status)
    answer = answers.HangUp()
    if lives and offer.released_at is None and offer.state == OfferState.CONNECTED:
        offer.finished_at = work.now
        work.defer(Task.SETTLE_FINISH, offer_id=str(offer_id))
    await record.record(
        work,
        call,
        CallLog.COUNSELLOR_LEFT,
        delivery=delivery_of(signed, key),
        answer=answer,
        offer_id=str(offer_id),
    )
    return answer


async def leg_status(work: Work, leg_id: UUID, signed: Signed) -> None:
    """Handle a status of a leg that we made. Any subset of them comes, in any order."""
    status = read_leg_status(signed.fields.get("CallStatus"))
    if status is None:
        return
    sequence = signed.fields.get("SequenceNumber", "")
    key = delivery_keys.leg(leg_id, status.value, sequence)
    locked = await offers.lock_leg_for_delivery(work, leg_id, key)
    if locked is None or locked[3] is not None:
        return
    leg, call, offer, _ = locked
    delivery = delivery_of(signed, key)
    await record.record(
        work, call, kind_of_status(status, "leg"), delivery=delivery, offer_id=str(offer.id)
    )
    await apply_leg_status(work, call, offer, leg, status, signed.call_sid, delivery)


async def apply_leg_status(
    work: Work,
    call: Call,
    offer: Offer,
    leg: Leg,
    status: LegStatus,
    sid: str,
    delivery: WebhookDelivery | None = None,
) -> None:
    """Apply a status to a locked leg, and to the offer or participant that depends on it."""
    if leg.provider_sid is None and sid:
        # The callback came before the response to our own request.
        leg.provider_sid, leg.sending = sid, Sending.SENT.value
    over = offer.released_at is not None and leg.participant_id is None
    if not is_over(status) and (leg.end_wanted or over):
        # The leg was given up or is no longer wanted, but it is still up: it must not ring on.
        leg.end_wanted, leg.ended_at = True, None
        work.defer(Task.END_LEG, leg_id=str(leg.id))
    if not supersedes(status, LegStatus(leg.status) if leg.status else None):
        return
    at = delivery.happened_at(work.now, not_before=leg.created_at) if delivery else work.now
    leg.status = status.value
    if status is LegStatus.IN_PROGRESS:
        leg.answered_at = at
        if leg.participant_id is not None:
            await participant_legs.answered(work, leg)
    if not is_over(status):
        return
    leg.ended_at = at
    pressed_1 = leg.answered_at is not None and leg.sending != Sending.DIALLED
    if pressed_1 and await platform_of(work.settings).pressed_leg_over(work, call, offer, at):
        return
    code = (delivery.facts if delivery else {}).get("SipResponseCode", "")
    leg.sip_code = read_number(code)
    if leg.participant_id is not None:
        await participant_legs.leg_over(work, call, leg, status)
        return
    if offer.released_at is not None or offer.finished_at is not None:
        return
    if offer.lost_at is not None:
        if leg.created_at < offer.lost_at:
            return
        await lost_counsellor.lose_counsellor(work, call, offer, of_leg(status, "rung_again_leg"))
        return
    if await second_phone.leg_over(work, call, offer, leg, of_leg(status)):
        return
    await lost_counsellor.counsellor_left(
        work,
        call,
        offer,
        of_leg(status),
        died=await participant_legs.line_died(work, offer, leg),
    )


async def note_leg(work: Work, leg_id: UUID, found: ProviderCall | None) -> None:
    """Apply what the provider says of a leg when asked. A leg that it does not know has failed."""
    status = read_leg_status(found.status) if found else LegStatus.FAILED
    leg = await work.session.get(Leg, leg_id)
    assert leg is not None
    if status is None or not is_over(status):
        return
    call, offer = await offers.lock_offer(work, leg.offer_id)
    await apply_leg_status(work, call, offer, leg, status, leg.provider_sid or "")
