"""Prove that a talk took place, whichever of its callbacks was lost.

Early in a talk, and once more when it is over, the provider is asked about the conference. A
caller who was led in while the counsellor's leg was up has talked.
"""

from datetime import datetime, timedelta
from uuid import UUID

from procrastinate import JobContext
from sqlalchemy import select

from app.calls import record
from app.calls.labels import Label
from app.calls.log_kinds import CallLog, Cause
from app.calls.models import Call, Leg, RecordedEvent
from app.calls.states import CallState, Direction
from app.contacts import contacts
from app.jobs.names import Task
from app.routing import offers, offers_held
from app.routing import presence as presences
from app.routing.models import Offer, OfferState, PresenceState
from app.routing.participants.participants import Participant
from app.telephony import answers
from app.telephony.counsellor.conference import WHOLE_SECOND, Conference, conference_of, connect
from app.telephony.counsellor.counsellor_flow import note_leg
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.provider.client import ProviderCall
from app.work import Work


@task(Task.LOOK_AT_TALK)
async def look_at_talk(context: JobContext, offer_id: str) -> None:
    """Ask who is in the conference of an offer that was accepted, but is not reported connected."""
    await _look(parts_of(context), UUID(offer_id))


@task(Task.SETTLE_CONNECTION)
async def settle_connection(context: JobContext, offer_id: str) -> None:
    """Settle an accepted offer that did not connect in time: ask before a leg is ended."""
    parts = parts_of(context)
    if not await _look(parts, UUID(offer_id)):
        return
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        on_the_way = offer.asked_at is None
        if offer.state == OfferState.ACCEPTED and offer.released_at is None and not on_the_way:
            await offers.miss_offer(work, call, offer, Cause.NOT_CONNECTED_IN_TIME)


async def _look(parts: Parts, offer_id: UUID) -> bool:
    """Ask who is in the conference of an offer, and put our record right.

    Return whether caller and counsellor are still on their way to each other.
    """
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, offer_id)
        if offer.state != OfferState.ACCEPTED or offer.released_at is not None:
            return False
        if parts.platform.follows(work, offer):
            return False
        sid, conference_sid, name = call.provider_sid, offer.conference_sid, str(offer.room)
    conference_sid = conference_sid or await parts.platform.find_conference(name)
    inside = await parts.platform.participants(conference_sid) if conference_sid else {}
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, offer_id)
        if offer.state != OfferState.ACCEPTED or offer.released_at is not None:
            return False
        offer.conference_sid = offer.conference_sid or conference_sid
        # Other participants may be in it, who stayed when the last counsellor was lost.
        legs = await _counsellor_legs(work, offer)
        counsellor_in = any(
            label == Label.COUNSELLOR or leg in legs for leg, label in inside.items()
        )
        if counsellor_in and sid in inside:
            seen = await conference_of(work, offer)
            at = max(
                filter(
                    None,
                    (
                        await _led_in_at(work, call, offer, seen),
                        await _counsellor_in_at(work, offer, seen),
                    ),
                ),
                default=work.now,
            )
            await record.record(work, call, CallLog.TALK_FOUND, offer_id=str(offer.id))
            await connect(work, call, offer, at=min(at, work.now))
            return False
        if counsellor_in and offer.move_wanted_at is None:
            # The counsellor waits in the conference, and no callback said so.
            offer.move_wanted_at, offer.asked_at = work.now, None
            offer.expires_at = work.now + timedelta(seconds=work.settings.connect_seconds)
            work.defer(Task.MOVE_CALLER, offer_id=str(offer_id))
        return True


async def _counsellor_legs(work: Work, offer: Offer) -> set[str]:
    found = await work.session.scalars(
        select(Leg.provider_sid).where(
            Leg.offer_id == offer.id, Leg.provider_sid.is_not(None), Leg.participant_id.is_(None)
        )
    )
    return {sid for sid in found if sid is not None}


async def _led_in_at(work: Work, call: Call, offer: Offer, seen: Conference) -> datetime | None:
    """Return when the caller got the document that leads in, or else when they joined.

    The first is our own instant; the event of the second may come late.
    """
    found: datetime | None = await work.session.scalar(
        select(RecordedEvent.at)
        .where(
            RecordedEvent.call_id == call.id,
            RecordedEvent.kind == CallLog.BRIDGE,
            RecordedEvent.detail["offer_id"].astext == str(offer.id),
            RecordedEvent.answer["kind"].astext == answers.kind_of(answers.Join),
        )
        .order_by(RecordedEvent.id)
        .limit(1)
    )
    return found or seen.caller.joined_at


async def _counsellor_in_at(work: Work, offer: Offer, seen: Conference) -> datetime | None:
    if seen.counsellor.joined_at is not None:
        return seen.counsellor.joined_at
    found: datetime | None = await work.session.scalar(
        select(Leg.answered_at)
        .where(Leg.offer_id == offer.id, Leg.answered_at.is_not(None))
        .order_by(Leg.created_at)
        .limit(1)
    )
    return found


@task(Task.SETTLE_TALK)
async def settle_talk(context: JobContext, offer_id: str) -> None:
    """Find out whether a caller who is gone had talked, if no callback said so."""
    parts = parts_of(context)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.connected_at is not None or call.ended_at is None:
            return
        seen = await conference_of(work, offer)
        led_in = await _led_in_at(work, call, offer, seen)
        legs = await _counsellor_legs(work, offer)
        back = call.direction == Direction.OUTBOUND
        sid = call.provider_sid
    if not legs or (led_in is None and not back):
        return
    if led_in is None and sid is not None:
        # In a call-back the caller was in the conference as soon as they answered.
        led_in = _began(await parts.platform.fetch_call(sid))
    told = [await parts.platform.fetch_call(leg) for leg in sorted(legs)]
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.connected_at is not None or call.ended_at is None or led_in is None:
            return
        at = await _overlap(work, call, offer, led_in, told)
        if at is not None:
            await _note_talk(work, call, offer, at)


def _began(told: ProviderCall | None) -> datetime | None:
    return told.began_at if told is not None else None


async def _overlap(
    work: Work, call: Call, offer: Offer, led_in: datetime, told: list[ProviderCall | None]
) -> datetime | None:
    """Return when caller and counsellor were first both in; None if they never were.

    The provider reports the end of a leg in whole seconds, and a callback may be late by `FRESH`.
    If that leaves doubt, it counts as a talk: a record that is not needed is better than a child
    who was heard and has no record.
    """
    assert call.ended_at is not None
    seen = await conference_of(work, offer)
    counsellor_in = await _counsellor_in_at(work, offer, seen)
    for one in told:
        if one is None or one.began_at is None:
            continue
        came = counsellor_in or one.began_at
        left = one.ended_at + WHOLE_SECOND if one.ended_at else call.ended_at
        if came <= call.ended_at + record.FRESH and led_in <= left:
            return min(max(led_in, came), call.ended_at)
    return None


async def _note_talk(work: Work, call: Call, offer: Offer, at: datetime) -> None:
    """Note a talk: in the record, in the contact, and in the counsellor's presence."""
    if call.answered_at is None:
        await record.add_late_answer(work, call, at=at)
    await record.record(work, call, CallLog.TALK_FOUND, offer_id=str(offer.id), late=True)
    offer.state, offer.connected_at = OfferState.CONNECTED.value, at
    await contacts.open_for_call(work, call, offer.counsellor_id)
    if await offers_held.has_anything(work, offer.counsellor_id):
        return
    presence = await presences.lock_presence(work, offer.counsellor_id)
    if presence.state == PresenceState.AVAILABLE and presence.since >= (call.ended_at or at):
        await presences.start_wrap_up(work, presence, Cause.CALL_ENDED)


async def owner_leg(work: Work, offer: Offer) -> Leg | None:
    """Return the newest leg of the counsellor who has the talk."""
    owner = await work.session.scalar(
        select(Participant.id).where(Participant.owner_offer_id == offer.id)
    )
    found: Leg | None = await work.session.scalar(
        select(Leg)
        .where(
            Leg.offer_id == offer.id,
            Leg.participant_id.is_not_distinct_from(owner),
            Leg.second == (offer.second_at is not None),
        )
        .order_by(Leg.created_at.desc())
        .limit(1)
    )
    return found


@task(Task.SETTLE_LEAVE)
async def settle_leave(context: JobContext, offer_id: str) -> None:
    """Ask for the end of a counsellor's leg that left the conference, if it was not reported."""
    parts = parts_of(context)
    async with parts.work() as work:
        _, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.released_at is not None or offer.lost_at is not None:
            return
        if (await conference_of(work, offer)).counsellor.present or offer.finished_at is not None:
            return
        leg = await owner_leg(work, offer)
        if leg is None or leg.provider_sid is None or leg.ended_at is not None:
            return
        leg_id, sid = leg.id, leg.provider_sid
    found = await parts.platform.fetch_call(sid)
    async with parts.work() as work:
        call, _ = await offers.lock_offer(work, UUID(offer_id))
        if CallState(call.state) is not CallState.ENDED:
            await note_leg(work, leg_id, found)
