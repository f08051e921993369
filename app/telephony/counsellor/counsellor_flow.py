"""The webhooks of a counsellor's leg and of the conference."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, select

from app.calls import record
from app.calls.labels import AnyLabel, Label, other_of, participant_of
from app.calls.log_kinds import IN_AND_OUT, CallLog, Cause, ConferenceEvent, kind_of_status, of_leg
from app.calls.models import Call, Leg, RecordedEvent
from app.calls.record import Delivery
from app.calls.states import (
    CallState,
    Direction,
    EndedBy,
    LegStatus,
    is_over,
    read_leg_status,
    supersedes,
)
from app.contacts import contacts
from app.database.topics import Topic
from app.jobs.names import Task
from app.outbox.states import Sending
from app.routing import offers, releasing, second_way
from app.routing.callbacks.callbacks import settle_by_talk
from app.routing.models import AnsweredOn, Offer, OfferState
from app.routing.participants import leaving
from app.routing.participants.participants import Participant, label_of
from app.staff import phone_proofs
from app.staff.models import Staff
from app.staff.phone_proofs import Proof
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
# The provider reports the end of a leg within this time after it has left the conference.
_LEG_TELLS = timedelta(seconds=2)


async def _lock(work: Work, offer_id: UUID, key: str) -> tuple[Call, Offer, Answer | None]:
    """Lock an offer and its call, and return what this delivery was answered before."""
    call, offer, event = await offers.lock_offer_for_delivery(work, offer_id, key)
    return call, offer, _answer_of(event)


def _answer_of(event: RecordedEvent | None) -> Answer | None:
    return read_answer(event.answer) if event is not None and event.answer is not None else None


async def whisper(work: Work, offer_id: UUID, signed: Signed) -> tuple[Answer, Scene | None]:
    """Return what the counsellor's phone hears when a person or a machine has answered it."""
    key = f"whisper:{offer_id}:{signed.call_sid}"
    call, offer, answer = await _lock(work, offer_id, key)
    if answer is None:
        takeable = offer.released_at is None and CallState(call.state) is not CallState.ENDED
        takeable = takeable and not await second_way.is_called_off(work, offer.counsellor_id, offer)
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
    proof = not await _is_proven(work, offer, await _counsellor(work, offer))
    again = offer.lost_at is not None
    return platform_of(work.settings).whisper(attempt=attempt, again=again, proof=proof)


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
    if await phone_proofs.prove(work, staff, digits) not in (Proof.RIGHT, Proof.HANDED):
        return False
    await phone_proofs.pair(work, staff)
    return True


async def take(
    work: Work, offer_id: UUID, signed: Signed, attempt: int
) -> tuple[Answer, Scene | None]:
    """Handle the counsellor's key, or none. Key 1 takes the call if it is still on offer."""
    # With the leg: a phone that is rung again for the same offer is asked for its key again.
    key = f"answer:{offer_id}:{signed.call_sid}:{attempt}"
    call, offer, answer = await _lock(work, offer_id, key)
    if answer is not None:
        scene = await scene_of(work, call, offer_id)
        return answer, await platform_of(work.settings).with_address(work, answer, scene)
    delivery = delivery_of(signed, key)
    detail: dict[str, Any] = {"offer_id": str(offer_id)}
    if await second_way.is_called_off(work, offer.counsellor_id, offer):
        answer = answers.Taken()
    elif await _takes(work, offer, signed.fields.get("Digits", "")):
        try:
            await offers.accept_offer(work, call, offer, by=AnsweredOn.PHONE)
            answer = await platform_of(work.settings).connect(work, call, offer, signed.call_sid)
            await second_way.taken(work, offer)
        except offers.OfferNoLongerOpen:
            answer = answers.Taken()
            await offers.withdraw_offer(work, call, offer, Cause.TAKEN_BY_ANOTHER)
    elif attempt < _WHISPERS and offer.released_at is None:
        answer = await _whisper(work, offer, attempt)
        await offers.phone_lifted(work, offer)
    else:
        answer = answers.HangUp()
        if offer.state == OfferState.OPEN and not await second_way.browser_rings_on(work, offer):
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
    key = f"counsellor-left:{offer_id}"
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
    key = f"leg:{leg_id}:{status.value}:{signed.fields.get('SequenceNumber', '')[:12]}"
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
    delivery: Delivery | None = None,
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
        await leaving.lose_counsellor(work, call, offer, of_leg(status, "rung_again_leg"))
        return
    if await second_way.leg_over(work, call, offer, leg, of_leg(status)):
        return
    await leaving.counsellor_left(
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


# -- the conference ----------------------------------------------------------------------


@dataclass
class Side:
    """One side of a conference, as its events report it."""

    joined_at: datetime | None = None
    present: bool = False
    left_with: str | None = None


@dataclass
class Conference:
    """The state of a conference, read from its events in the provider's order."""

    caller: Side
    counsellor: Side
    # When both were in the conference together for the first time.
    both_at: datetime | None = None


# A participant added through the API who did not answer leaves without having joined.
_NEVER_IN = "participant_add_failed"
# The provider's timestamps are in whole seconds.
WHOLE_SECOND = timedelta(seconds=1)


def _sid(event: RecordedEvent) -> str:
    """Return the id of the conference. A room that has been empty begins a new one."""
    return str(event.detail.get("provider", {}).get("ConferenceSid", ""))


def fold(
    events: list[RecordedEvent],
    mine: AnyLabel = Label.COUNSELLOR,
    since: datetime | None = None,
) -> Conference:
    """Read the events in the provider's order. The order in which they came does not matter.

    `mine` labels the counsellor who has the talk from `since` on; before, another one had it.
    Events of other participants are ignored.
    """
    conference = Conference(Side(), Side())
    begun: dict[str, datetime] = {}
    for event in events:
        begun[_sid(event)] = min(event.at, begun.get(_sid(event), event.at))
    was_in: dict[tuple[str, bool], bool] = {}
    now_in = ""
    for event in sorted(events, key=lambda e: (begun[_sid(e)], int(e.detail.get("sequence", 0)))):
        label, told = event.detail["participant"], event.detail.get("provider", {})
        if label not in (Label.CALLER, mine) or told.get("ReasonParticipantLeft") == _NEVER_IN:
            continue
        if label == mine and since is not None and event.at < since - WHOLE_SECOND:
            continue
        if _sid(event) != now_in:
            # The room was empty, so its conference ended before this one began.
            now_in = _sid(event)
            conference.caller.present = conference.counsellor.present = False
        sides = (conference.caller, conference.counsellor)
        participant, other = sides if label == Label.CALLER else sides[::-1]
        joins = event.kind == ConferenceEvent.JOIN
        # A participant who leaves was in: the event of joining was lost, but the talk took place.
        unseen = not joins and not participant.present
        if other.present or (unseen and was_in.get((now_in, other is conference.caller))):
            conference.both_at = conference.both_at or event.at
        was_in[now_in, participant is conference.caller] = True
        participant.joined_at = participant.joined_at or event.at
        participant.present = event.kind == ConferenceEvent.JOIN
        participant.left_with = (
            None if participant.present else told.get("ParticipantCallStatus", "")
        )
    return conference


async def conference_event(work: Work, offer_id: UUID, signed: Signed) -> None:
    """Handle a conference event. What it means is read from all events so far."""
    fields = signed.fields
    sid, sequence = fields.get("ConferenceSid", ""), fields.get("SequenceNumber", "0")
    said = fields.get("StatusCallbackEvent", "")
    event = ConferenceEvent.read(said)
    key = f"conference:{sid[:64]}:{sequence[:12]}:{said[:40]}"
    call, offer, earlier = await offers.lock_offer_for_delivery(work, offer_id, key)
    if earlier is not None:
        return
    delivery = delivery_of(signed, key)
    if sid and (offer.conference_sid is None or event is ConferenceEvent.JOIN):
        offer.conference_sid = sid
    is_caller = signed.call_sid == call.provider_sid
    label = fields.get("ParticipantLabel", "")[:60]
    if call.direction == Direction.OUTBOUND and label == Label.CALLER:
        # In a call-back we ring the caller; an event of their leg may come before we know its id.
        is_caller = True
        if signed.call_sid:
            record.learn_sid(call, signed.call_sid)
    other = other_of(label)
    participant = other or (Label.CALLER if is_caller else Label.COUNSELLOR)
    await record.record(
        work,
        call,
        event,
        delivery=delivery,
        at=delivery.happened_at(work.now, not_before=offer.opened_at),
        offer_id=str(offer_id),
        participant=participant,
        sequence=read_number(sequence) or 0,
    )
    if event in (ConferenceEvent.HOLD, ConferenceEvent.UNHOLD) and participant is Label.CALLER:
        if CallState(call.state) is CallState.CONNECTED:
            call.on_hold = event is ConferenceEvent.HOLD
            work.announce(Topic.CALLS, Topic.CALLS.of(call.id))
        return
    if event not in IN_AND_OUT:
        return
    if other is not None and participant_of(other) is not None:
        seen = fold(await _events_of(work, offer), other).counsellor
        await participant_legs.joined_or_left(work, call, other, seen.present)
    await _apply_conference(work, call, await _who_talks_here(work, call, offer, sid))


async def _who_talks_here(work: Work, call: Call, offer: Offer, sid: str) -> Offer:
    """Return the offer whose talk is in the conference of this one, locked.

    If the talk has been handed over since, it is still in this conference.
    """
    if offer.released_at is None and offer.state in (OfferState.ACCEPTED, OfferState.CONNECTED):
        # A call has at most one such offer.
        return offer
    live = await offers.live_offer_of_call(work, call.id)
    if live is None or live.room != offer.id or live.id == offer.id:
        return offer
    _, offer = await offers.lock_offer(work, live.id)
    offer.conference_sid = offer.conference_sid or sid
    return offer


async def connect(work: Work, call: Call, offer: Offer, *, at: datetime) -> None:
    """Mark the offer as connected, because both are in, and open the contact."""
    await offers.connect_offer(work, call, offer, at=at)
    if offer.state == OfferState.CONNECTED and offer.released_at is None:
        await settle_by_talk(work, call)
        await contacts.open_for_call(work, call, offer.counsellor_id)


async def conference_of(work: Work, offer: Offer) -> Conference:
    """Return what is known of the conference of an offer."""
    return fold(await _events_of(work, offer), await label_of_owner(work, offer), offer.opened_at)


async def label_of_owner(work: Work, offer: Offer) -> AnyLabel:
    """Return the conference label of the counsellor who has the talk."""
    if offer.room_id is None:
        return Label.COUNSELLOR
    participant = await work.session.scalar(
        select(Participant).where(Participant.owner_offer_id == offer.id)
    )
    return label_of(participant) if participant is not None else Label.COUNSELLOR


# Built once: each event of a conference is read with those before it.
_IN_AND_OUT = select(RecordedEvent).where(
    RecordedEvent.call_id == bindparam("call_id", type_=Uuid()),
    RecordedEvent.kind.in_(IN_AND_OUT),
    RecordedEvent.detail["offer_id"].astext == bindparam("room", type_=Text()),
)


async def _events_of(work: Work, offer: Offer) -> list[RecordedEvent]:
    values = {"call_id": offer.call_id, "room": str(offer.room)}
    return list(await work.session.scalars(_IN_AND_OUT, values))


async def _apply_conference(work: Work, call: Call, offer: Offer) -> None:
    seen = await conference_of(work, offer)
    if seen.both_at is not None and offer.state != OfferState.CONNECTED:
        await connect(work, call, offer, at=seen.both_at)
        if offer.state != OfferState.CONNECTED:
            # It is too late to change what happens now, but the record must say that they talked.
            await record.add_late_answer(work, call, at=seen.both_at)
            if call.answered_at is not None:
                await contacts.open_for_call(work, call, offer.counsellor_id)
    if CallState(call.state) is CallState.ENDED:
        return
    if seen.caller.left_with and _over(seen.caller.left_with) and not seen.caller.present:
        await releasing.end_call(work, call, ended_by=EndedBy.CALLER)
        return
    counsellor = seen.counsellor
    if counsellor.present:
        await leaving.counsellor_is_back(work, call, offer)
    if counsellor.present and not seen.caller.present and offer.released_at is None:
        if offer.move_wanted_at is None and offer.state == OfferState.ACCEPTED:
            offer.move_wanted_at = work.now
            work.defer(Task.MOVE_CALLER, offer_id=str(offer.id))
    elif counsellor.left_with is not None and not counsellor.present:
        # A leg that is still up asks for the next document, and then we learn why it left. The end
        # of the leg tells whether the counsellor hung up or the line died.
        work.defer(Task.SETTLE_LEAVE, delay=_LEG_TELLS, offer_id=str(offer.id))


def _over(word: str) -> bool:
    status = read_leg_status(word)
    return status is not None and is_over(status)
