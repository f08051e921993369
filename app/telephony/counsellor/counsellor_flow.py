"""The webhooks of a counsellor's leg and of the conference."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.calls import record
from app.calls.models import Call, Leg, RecordedEvent
from app.calls.record import Delivery
from app.calls.states import CallState, LegStatus, is_over, read_leg_status, supersedes
from app.contacts import contacts
from app.routing import offers
from app.routing.callbacks import NOT_RUNG, settle_by_talk
from app.routing.models import Offer, OfferState
from app.routing.participants import leaving
from app.routing.participants.company import Party, label_of
from app.telephony.inbound.deciding import delivery_of, scene_of
from app.telephony.participants import beside
from app.telephony.platforms import dialling
from app.telephony.provider.client import ProviderCall
from app.telephony.provider.signature import Signed, read_number
from app.telephony.script import TAKE_DIGIT, Answer, Scene
from app.work import Work

# The counsellor is asked twice to press a key.
_WHISPERS = 2
# The provider reports the end of a leg within this time after it has left the conference.
_LEG_TELLS = timedelta(seconds=2)
# Prefixes of the conference labels of other participants: duty phones, and those asked in.
_BESIDE = ("duty-", "party-")


async def _earlier(work: Work, key: str) -> Answer | None:
    event = await record.earlier_answer(work, key)
    return event.answer if event is not None else None


async def whisper(work: Work, offer_id: UUID, signed: Signed) -> tuple[Answer, Scene | None]:
    """Return what the counsellor's phone hears when a person or a machine has answered it."""
    call, offer = await offers.lock_offer(work, offer_id)
    key = f"whisper:{offer_id}:{signed.call_sid}"
    answer = await _earlier(work, key)
    if answer is None:
        takeable = offer.released_at is None and CallState(call.state) is not CallState.ENDED
        answer = _whisper(work, offer, 0) if takeable else {"kind": "taken"}
        await offers.phone_lifted(work, offer)
        await record.record(
            work,
            call,
            "whisper",
            delivery=delivery_of(signed, key),
            answer=answer,
            offer_id=str(offer_id),
        )
    return answer, await scene_of(work, call, offer_id)


def _whisper(work: Work, offer: Offer, attempt: int) -> Answer:
    answer: Answer = {"kind": "whisper", "attempt": attempt}
    if offer.lost_at is not None:
        answer["again"] = True
    if not work.settings.has_conferences:
        # On such a platform the star key cannot end the talk.
        answer["dialled"] = True
    return answer


async def take(
    work: Work, offer_id: UUID, signed: Signed, attempt: int
) -> tuple[Answer, Scene | None]:
    """Handle the counsellor's key, or none. Key 1 takes the call if it is still on offer."""
    call, offer = await offers.lock_offer(work, offer_id)
    key = f"answer:{offer_id}:{attempt}"
    answer = await _earlier(work, key)
    if answer is not None:
        scene = await scene_of(work, call, offer_id)
        return answer, await dialling.with_address(work, answer, scene)
    delivery = delivery_of(signed, key)
    detail: dict[str, Any] = {"offer_id": str(offer_id)}
    if signed.fields.get("Digits") == TAKE_DIGIT:
        try:
            await offers.accept_offer(work, call, offer, by="phone")
            answer = {
                "kind": "join_counsellor",
                "offer_id": str(offer_id),
                "room_id": str(offer.room),
            }
            if not work.settings.has_conferences:
                # The counsellor's phone must be free before the caller's leg can dial it.
                await dialling.note_pressed(work, offer, signed.call_sid)
                answer = {"kind": "rings_again"}
                if call.direction == "outbound":
                    answer = dialling.dial_back(work, call, offer)
        except offers.OfferNoLongerOpen:
            answer = {"kind": "taken"}
            await offers.withdraw_offer(work, call, offer, "somebody else took it")
    elif attempt < _WHISPERS and offer.released_at is None:
        answer = _whisper(work, offer, attempt)
        await offers.phone_lifted(work, offer)
    else:
        answer = {"kind": "hang_up"}
        if offer.state == OfferState.OPEN:
            await offers.miss_offer(work, call, offer, "nobody pressed a key")
    await record.record(work, call, "key_asked_for", delivery=delivery, answer=answer, **detail)
    scene = await scene_of(work, call, offer_id)
    return answer, await dialling.with_address(work, answer, scene)


async def rejoin(work: Work, offer_id: UUID, signed: Signed) -> tuple[Answer, Scene | None]:
    """Send the counsellor's leg back into the conference that it has just left."""
    call, offer = await offers.lock_offer(work, offer_id)
    answer: Answer = {"kind": "hang_up"}
    if offer.released_at is None and CallState(call.state) is CallState.CONNECTED:
        answer = {"kind": "join_counsellor", "offer_id": str(offer_id), "room_id": str(offer.room)}
        owner = await work.session.scalar(select(Party).where(Party.owner_offer_id == offer.id))
        if owner is not None:
            answer = {"kind": "join_party", "party_id": str(owner.id), "room_id": str(offer.room)}
    await record.record(work, call, "counsellor_rejoins", answer=answer, offer_id=str(offer_id))
    return answer, await scene_of(work, call, offer_id)


async def counsellor_left(work: Work, offer_id: UUID, signed: Signed) -> Answer:
    """Handle a counsellor's leg that has left the conference and asks for the next document.

    If the leg is still up, either the counsellor pressed the star key or the conference ended
    for both. A job asks the provider which it was, before the caller is hung up on.
    """
    call, offer = await offers.lock_offer(work, offer_id)
    key = f"counsellor-left:{offer_id}"
    answer = await _earlier(work, key)
    if answer is not None:
        return answer
    status = read_leg_status(signed.fields.get("CallStatus"))
    lives = status is not None and not is_over(status)
    answer = {"kind": "hang_up"}
    if lives and offer.released_at is None and offer.state == OfferState.CONNECTED:
        offer.finished_at = work.now
        work.defer("telephony:settle_finish", offer_id=str(offer_id))
    await record.record(
        work,
        call,
        "counsellor_left",
        delivery=delivery_of(signed, key),
        answer=answer,
        offer_id=str(offer_id),
    )
    return answer


async def leg_status(work: Work, leg_id: UUID, signed: Signed) -> None:
    """Handle a status of a leg that we made. Any subset of them comes, in any order."""
    leg = await work.session.get(Leg, leg_id)
    status = read_leg_status(signed.fields.get("CallStatus"))
    if leg is None or status is None:
        return
    call, offer = await offers.lock_offer(work, leg.offer_id)
    await work.session.refresh(leg, with_for_update=True)
    key = f"leg:{leg_id}:{status.value}:{signed.fields.get('SequenceNumber', '')[:12]}"
    if await record.earlier_answer(work, key) is not None:
        return
    delivery = delivery_of(signed, key)
    await record.record(
        work, call, f"leg_{status.value}", delivery=delivery, offer_id=str(offer.id)
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
        leg.provider_sid, leg.sending = sid, "sent"
    over = offer.released_at is not None and leg.party_id is None
    if not is_over(status) and (leg.end_wanted or over):
        # The leg was given up or is no longer wanted, but it is still up: it must not ring on.
        leg.end_wanted, leg.ended_at = True, None
        work.defer("telephony:end_leg", leg_id=str(leg.id))
    if not supersedes(status, LegStatus(leg.status) if leg.status else None):
        return
    at = delivery.happened_at(work.now, not_before=leg.created_at) if delivery else work.now
    leg.status = status.value
    if status is LegStatus.IN_PROGRESS:
        leg.answered_at = at
    if not is_over(status):
        return
    leg.ended_at = at
    pressed_1 = leg.answered_at is not None and leg.sending != "dialled"
    if pressed_1 and not work.settings.has_conferences:
        # The phone is free, and rings again with the caller. A call-back is dialled from this leg
        # and ends with it.
        if call.direction == "outbound" and offer.released_at is None:
            await offers.end_call(work, call, ended_by="counsellor", at=at)
        return
    code = (delivery.facts if delivery else {}).get("SipResponseCode", "")
    leg.sip_code = read_number(code)
    if leg.party_id is not None:
        await beside.party_leg_over(work, call, leg, status)
        return
    if offer.released_at is not None or offer.finished_at is not None:
        return
    if offer.lost_at is not None:
        if leg.created_at < offer.lost_at:
            return
        await leaving.lose_counsellor(work, call, offer, f"rung again: leg {status.value}")
        return
    await leaving.counsellor_left(
        work, call, offer, f"leg {status.value}", died=await beside.line_died(work, offer, leg)
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
    events: list[RecordedEvent], mine: str = "counsellor", since: datetime | None = None
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
        label, told = event.detail["party"], event.detail.get("provider", {})
        if label not in ("caller", mine) or told.get("ReasonParticipantLeft") == _NEVER_IN:
            continue
        if label == mine and since is not None and event.at < since - WHOLE_SECOND:
            continue
        if _sid(event) != now_in:
            # The room was empty, so its conference ended before this one began.
            now_in = _sid(event)
            conference.caller.present = conference.counsellor.present = False
        sides = (conference.caller, conference.counsellor)
        party, other = sides if label == "caller" else sides[::-1]
        joins = event.kind == "participant-join"
        # A participant who leaves was in: the event of joining was lost, but the talk took place.
        unseen = not joins and not party.present
        if other.present or (unseen and was_in.get((now_in, other is conference.caller))):
            conference.both_at = conference.both_at or event.at
        was_in[now_in, party is conference.caller] = True
        party.joined_at = party.joined_at or event.at
        party.present = event.kind == "participant-join"
        party.left_with = None if party.present else told.get("ParticipantCallStatus", "")
    return conference


async def conference_event(work: Work, offer_id: UUID, signed: Signed) -> None:
    """Handle a conference event. What it means is read from all events so far."""
    call, offer = await offers.lock_offer(work, offer_id)
    fields = signed.fields
    sid, sequence = fields.get("ConferenceSid", ""), fields.get("SequenceNumber", "0")
    kind = fields.get("StatusCallbackEvent", "")
    key = f"conference:{sid[:64]}:{sequence[:12]}:{kind[:40]}"
    if await record.earlier_answer(work, key) is not None:
        return
    delivery = delivery_of(signed, key)
    if sid and (offer.conference_sid is None or kind == "participant-join"):
        offer.conference_sid = sid
    party = "caller" if signed.call_sid == call.provider_sid else "counsellor"
    label = fields.get("ParticipantLabel", "")[:60]
    if call.direction == "outbound" and label == "caller":
        # In a call-back we ring the caller; an event of their leg may come before we know its id.
        party = "caller"
        if call.provider_sid.startswith(NOT_RUNG) and signed.call_sid:
            call.provider_sid = signed.call_sid
    if label.startswith(_BESIDE):
        party = label
    await record.record(
        work,
        call,
        kind if kind.replace("-", "").isalpha() else "conference-event",
        delivery=delivery,
        at=delivery.happened_at(work.now, not_before=offer.opened_at),
        offer_id=str(offer_id),
        party=party,
        sequence=read_number(sequence) or 0,
    )
    if kind not in ("participant-join", "participant-leave"):
        return
    if party.startswith("party-"):
        seen = fold(await _events_of(work, offer), party).counsellor
        await beside.party_event(work, call, party, seen.present)
    # If the talk has been handed over since, it is still in this conference.
    live = await offers.live_offer_of_call(work, call.id)
    if live is not None and live.room == offer.id and live.id != offer.id:
        _, offer = await offers.lock_offer(work, live.id)
        offer.conference_sid = offer.conference_sid or sid
    await _apply_conference(work, call, offer)


async def connect(work: Work, call: Call, offer: Offer, *, at: datetime) -> None:
    """Mark the offer as connected, because both are in, and open the contact."""
    await offers.connect_offer(work, call, offer, at=at)
    if offer.state == OfferState.CONNECTED and offer.released_at is None:
        await settle_by_talk(work, call)
        await contacts.open_for_call(work, call, offer.counsellor_id)


async def conference_of(work: Work, offer: Offer) -> Conference:
    """Return what is known of the conference of an offer."""
    return fold(await _events_of(work, offer), await label_of_owner(work, offer), offer.opened_at)


async def label_of_owner(work: Work, offer: Offer) -> str:
    """Return the conference label of the counsellor who has the talk."""
    if offer.room_id is None:
        return "counsellor"
    party = await work.session.scalar(select(Party).where(Party.owner_offer_id == offer.id))
    return label_of(party) if party is not None else "counsellor"


async def _events_of(work: Work, offer: Offer) -> list[RecordedEvent]:
    events = await work.session.scalars(
        select(RecordedEvent).where(
            RecordedEvent.call_id == offer.call_id,
            RecordedEvent.kind.in_(("participant-join", "participant-leave")),
            RecordedEvent.detail["offer_id"].astext == str(offer.room),
        )
    )
    return list(events)


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
        await offers.end_call(work, call, ended_by="caller")
        return
    counsellor = seen.counsellor
    if counsellor.present:
        await leaving.counsellor_is_back(work, call, offer)
    if counsellor.present and not seen.caller.present and offer.released_at is None:
        if offer.move_wanted_at is None and offer.state == OfferState.ACCEPTED:
            offer.move_wanted_at = work.now
            work.defer("telephony:move_caller", offer_id=str(offer.id))
    elif counsellor.left_with is not None and not counsellor.present:
        # A leg that is still up asks for the next document, and then we learn why it left. The end
        # of the leg tells whether the counsellor hung up or the line died.
        work.defer("telephony:settle_leave", delay=_LEG_TELLS, offer_id=str(offer.id))


def _over(word: str) -> bool:
    status = read_leg_status(word)
    return status is not None and is_over(status)
