"""What the events of a conference say: who is in it, since when, and why a side has left."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, select

from app.calls import delivery_keys, record
from app.calls.labels import AnyLabel, Label, other_of, participant_of
from app.calls.log_kinds import IN_AND_OUT, ConferenceEvent
from app.calls.models import Call, RecordedEvent
from app.calls.states import (
    CallState,
    Direction,
    EndedBy,
    is_over,
    read_leg_status,
)
from app.contacts import contacts
from app.database.topics import Topic
from app.jobs.names import Task
from app.routing import lost_counsellor, offers, releasing
from app.routing.callbacks.callbacks import settle_by_talk
from app.routing.models import Offer, OfferState
from app.routing.participants.participants import Participant, label_of
from app.telephony.inbound.deciding import delivery_of
from app.telephony.participants import participant_legs
from app.telephony.provider.signature import Signed, read_number
from app.work import Work

# The provider reports the end of a leg within this time after it has left the conference.
_LEG_TELLS = timedelta(seconds=2)


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
    key = delivery_keys.conference(sid, sequence, said)
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
        await lost_counsellor.counsellor_is_back(work, call, offer)
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
