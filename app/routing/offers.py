"""Offers: a call is offered to a counsellor, accepted once, and released in one transaction.

Locks are taken in one order everywhere: call, offer, presence.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import aliased

from app.calls import record
from app.calls.models import Call, Leg, LegRequest
from app.calls.record import Delivery
from app.calls.states import CallEvent, CallState, LegStatus
from app.errors import Conflict, Invalid, NotFound
from app.routing import presence as presences
from app.routing.models import CHOICES, Offer, OfferState, Presence, PresenceState
from app.routing.participants import company
from app.routing.participants.company import Mode, Party, PartyState, Purpose
from app.routing.plan import RETURNED_PRIORITY
from app.routing.rota import roster
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

# A counsellor who misses this many calls in a row is set away.
MISSES_BROWSER = 1
MISSES_PHONE = 3

# A leg that has not asked for its turn within this time no longer waits for it.
_TURN_COMES = timedelta(seconds=10)
# If the provider has not said within this time that both are in the conference, ask it.
_TOLD_WITHIN = timedelta(seconds=5)
# How long a counsellor who has lifted the phone has to press 1.
_LISTENING = timedelta(seconds=15)


class NotOnThisPlatform(Conflict):
    default = (
        "Your telephone platform has no conferences, so it cannot hold, mute, listen in or add "
        "people to a talk. You can hand the caller over to a colleague or a skill."
    )


class OfferNoLongerOpen(Conflict):
    default = "The call has already been taken, or the caller is gone."


def needs_conference(work: Work) -> None:
    """Refuse where the platform has no conferences. Raises NotOnThisPlatform."""
    if not work.settings.has_conferences:
        raise NotOnThisPlatform()


async def open_offer(work: Work, call: Call, staff: Staff, presence: Presence) -> Offer:
    """Offer a waiting call to an available counsellor. Both are locked."""
    offer = Offer(
        id=uuid4(),
        call_id=call.id,
        counsellor_id=staff.id,
        state=OfferState.OPEN,
        opened_at=work.now,
        expires_at=work.now + timedelta(seconds=work.settings.offer_seconds),
        room_id=call.kept_room_id,
    )
    work.session.add(offer)
    if presence.state in (PresenceState.OFF_DUTY, PresenceState.AWAY):
        # An on-call phone rings even if its owner is not signed in. They stay signed out.
        presence.after_call = PresenceState.OFF_DUTY.value
    await presences.set_presence(work, presence, PresenceState.OFFERED, "offer")
    await record.move(
        work, call, CallEvent.OFFER, offer_id=str(offer.id), counsellor_id=str(staff.id)
    )
    if work.settings.rings_by_itself(staff.endpoint_kind):
        want_leg(work, offer, "telephony:ring_counsellor")
    work.announce(f"offers:{staff.id}")
    return offer


def want_leg(work: Work, offer: Offer, task: str) -> None:
    """Ask for a new leg to the counsellor of an offer."""
    leg = Leg(id=uuid4(), call_id=offer.call_id, offer_id=offer.id, created_at=work.now)
    work.session.add(leg)
    work.defer(task, leg_id=str(leg.id))


async def lock_offer(work: Work, offer_id: UUID) -> tuple[Call, Offer]:
    """Lock an offer and its call, the call first. Raises NotFound."""
    call_id = await work.session.scalar(select(Offer.call_id).where(Offer.id == offer_id))
    if call_id is None:
        raise NotFound("There is no such offer.")
    call = await record.lock_call(work, call_id)
    offer = await work.session.scalar(
        select(Offer)
        .where(Offer.id == offer_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    assert offer is not None
    return call, offer


async def own_offer(work: Work, offer_id: UUID, staff_id: UUID) -> tuple[Call, Offer]:
    """Lock an offer and its call, for the counsellor to whom it was made. Raises NotFound."""
    owner = select(Offer.id).where(Offer.id == offer_id, Offer.counsellor_id == staff_id)
    if await work.session.scalar(owner) is None:
        raise NotFound("Not found, or this offer is not for you.")
    return await lock_offer(work, offer_id)


async def accept_offer(
    work: Work, call: Call, offer: Offer, *, delivery: Delivery | None = None, by: str = "board"
) -> None:
    """Accept the offer. One counsellor wins; accepting again after winning changes nothing.

    Raises OfferNoLongerOpen.
    """
    won = await work.session.scalar(
        update(Offer)
        .where(Offer.id == offer.id, Offer.state == OfferState.OPEN, ~_taken(offer.call_id))
        .values(
            state=OfferState.ACCEPTED,
            accepted_at=work.now,
            expires_at=work.now + timedelta(seconds=work.settings.connect_seconds),
        )
        .returning(Offer.id)
        .execution_options(synchronize_session="fetch")
    )
    if won is None:
        if offer.released_at is None and offer.state != OfferState.OPEN:
            return
        raise OfferNoLongerOpen()
    await record.record(
        work, call, "offer_accepted", delivery=delivery, offer_id=str(offer.id), by=by
    )
    presence = await presences.lock_presence(work, offer.counsellor_id)
    presence.missed, presence.warned_at = 0, None
    await presences.set_presence(work, presence, PresenceState.ON_CALL, "accepted")
    legs = await work.session.scalar(select(Leg.id).where(Leg.offer_id == offer.id).limit(1))
    if legs is None and work.settings.has_conferences:
        want_leg(work, offer, "telephony:join_counsellor")
    work.announce(f"offers:{offer.counsellor_id}", "queue")


def _taken(call_id: UUID) -> ColumnElement[bool]:
    """Return whether another offer of the call was accepted. The caller has locked the call."""
    other = aliased(Offer)
    return (
        select(other.id)
        .where(
            other.call_id == call_id,
            other.released_at.is_(None),
            other.state.in_((OfferState.ACCEPTED, OfferState.CONNECTED)),
        )
        .exists()
    )


async def decline_offer(work: Work, call: Call, offer: Offer, *, by: str = "board") -> None:
    """Decline: the call is offered to the next counsellor. Raises OfferNoLongerOpen."""
    if offer.state == OfferState.DECLINED:
        return
    if offer.state != OfferState.OPEN:
        raise OfferNoLongerOpen()
    await _release(work, call, offer, OfferState.DECLINED, by)
    presence = await presences.lock_presence(work, offer.counsellor_id)
    presence.missed = 0
    if presence.state == PresenceState.OFFERED:
        await presences.set_free(work, presence, "declined")


async def _never_rang(work: Work, offer: Offer) -> bool:
    """Return whether no phone has rung for this offer: the provider has not taken the request, or
    has not begun the leg."""
    legs = list(await work.session.scalars(select(Leg).where(Leg.offer_id == offer.id)))
    return bool(legs) and not any(_rang(leg, work.settings.has_conferences) for leg in legs)


def _rang(leg: Leg, told: bool) -> bool:
    """Return whether a leg has rung. `told`: the platform reports the progress of a leg."""
    if leg.provider_sid is None:
        return leg.sending not in ("wanted", "sending", "sent")
    begun = leg.status not in (None, LegStatus.QUEUED) or leg.answered_at is not None
    return begun or not told


async def waits_for_turn(work: Work, offer: Offer) -> bool:
    """Return whether an offer's leg has not begun because other legs are begun first."""
    found = await work.session.scalar(
        select(LegRequest.id)
        .join(Leg, Leg.id == LegRequest.id)
        .where(Leg.offer_id == offer.id, LegRequest.seen_at > work.now - _TURN_COMES)
        .limit(1)
    )
    return found is not None


async def miss_offer(
    work: Work,
    call: Call,
    offer: Offer,
    cause: str,
    *,
    fetch_caller: bool = True,
    our_fault: bool = False,
) -> None:
    """End an offer that was not taken, or whose phone was not reached; the next is asked.

    After too many missed offers in a row the counsellor is set away, until they choose another
    state. If the fault was ours or the provider's (`our_fault`: the program did not act in time),
    the offer does not count as missed, and the same counsellor is asked again as soon as possible.
    """
    if offer.released_at is not None or offer.state == OfferState.CONNECTED:
        return
    was_accepted = offer.state == OfferState.ACCEPTED
    excused = our_fault or await _never_rang(work, offer)
    ended = OfferState.WITHDRAWN if excused else OfferState.MISSED
    await _release(work, call, offer, ended, cause)
    if fetch_caller and offer.move_wanted_at is not None:
        # The caller may have been moved to a conference that is empty now.
        call.entries += 1
        work.defer("telephony:return_caller", call_id=str(call.id), entry=call.entries)
    presence = await presences.lock_presence(work, offer.counsellor_id)
    if excused:
        if presence.state in (PresenceState.OFFERED, PresenceState.ON_CALL):
            await presences.set_free(work, presence, "the call could not be rung", rested=True)
        return
    presence.missed += 1
    endpoint = await work.session.scalar(
        select(Staff.endpoint_kind).where(Staff.id == offer.counsellor_id)
    )
    limit = MISSES_BROWSER if endpoint == "browser" else MISSES_PHONE
    if presence.state not in (PresenceState.OFFERED, PresenceState.ON_CALL):
        return
    if presence.after_call is None and presence.missed >= limit:
        if presence.warned_at is None and await roster.is_last(work, offer.counsellor_id):
            # The last counsellor is only warned, and a person on call is alarmed: see `watch.py`.
            presence.warned_at = work.now
            work.defer("telephony:tell_missed", counsellor_id=str(offer.counsellor_id))
            await presences.set_free(work, presence, "missed, and the last one on duty")
            return
        why = "your phone could not be reached" if was_accepted else "missed an offer"
        await presences.set_presence(work, presence, PresenceState.AWAY, why)
    else:
        await presences.set_free(work, presence, "missed")


async def _release(work: Work, call: Call, offer: Offer, state: OfferState, cause: str) -> None:
    """End an offer that has not led to a talk. The caller keeps waiting, unless they are gone."""
    offer.state, offer.released_at = state.value, work.now
    await end_legs(work, offer.id)
    detail: dict[str, Any] = {"offer_id": str(offer.id), "offer": state.value, "cause": cause}
    others = select(Offer.id).where(
        Offer.call_id == call.id, Offer.id != offer.id, Offer.released_at.is_(None)
    )
    if CallState(call.state) is CallState.OFFERED and await work.session.scalar(others) is None:
        await record.move(work, call, CallEvent.OFFER_ENDED, **detail)
    else:
        await record.record(work, call, "offer_ended", **detail)
    work.announce(f"offers:{offer.counsellor_id}", "queue")


async def end_legs(work: Work, offer_id: UUID) -> None:
    """Ask for the end of every live leg of the counsellor, and of no other."""
    own = select(Party.id).where(Party.owner_offer_id == offer_id)
    legs = await work.session.scalars(
        select(Leg).where(
            Leg.offer_id == offer_id,
            Leg.ended_at.is_(None),
            or_(Leg.party_id.is_(None), Leg.party_id.in_(own)),
        )
    )
    for leg in legs:
        leg.end_wanted = True
        work.defer("telephony:end_leg", leg_id=str(leg.id))


async def phone_lifted(work: Work, offer: Offer) -> None:
    """Give a counsellor who hears the announcement enough time to press a key."""
    if offer.state == OfferState.OPEN:
        offer.expires_at = max(offer.expires_at, work.now + _LISTENING)


async def connect_offer(work: Work, call: Call, offer: Offer, *, at: datetime) -> None:
    """Record that caller and counsellor are both in the conference: the talk begins."""
    ended = CallState(call.state) is CallState.ENDED
    if ended or offer.state != OfferState.ACCEPTED or offer.released_at is not None:
        return
    if await record.connect(work, call, at=at):
        offer.state, offer.connected_at = OfferState.CONNECTED.value, at
        call.kept_room_id = None
        await _withdraw_others(work, call, offer)
        work.announce(f"offers:{offer.counsellor_id}", f"presence:{offer.counsellor_id}")


async def hand_over(
    work: Work, call: Call, offer: Offer, party: Party, *, inherited: bool = False
) -> Offer:
    """Give the talk and its record to a colleague who is in the conference.

    `inherited`: the counsellor's line was lost, so the hand-over was not intended. The old
    counsellor is released in the same transaction in which the colleague gets the call.
    """
    assert party.staff_id is not None
    await _leave_talk(work, call, offer, "handed over")
    new = Offer(
        id=uuid4(),
        call_id=call.id,
        counsellor_id=party.staff_id,
        state=OfferState.CONNECTED.value,
        opened_at=work.now,
        expires_at=work.now,
        accepted_at=work.now,
        connected_at=work.now,
        room_id=offer.room,
        conference_sid=offer.conference_sid,
    )
    await work.session.flush()
    work.session.add(new)
    await work.session.flush()
    party.owner_offer_id = new.id
    party.mode = Mode.TALK.value
    await work.session.execute(
        update(Leg)
        .where(Leg.call_id == call.id, Leg.party_id.is_not(None), Leg.ended_at.is_(None))
        .values(offer_id=new.id)
        .execution_options(synchronize_session="fetch")
    )
    presence = await presences.lock_presence(work, party.staff_id)
    await presences.set_presence(work, presence, PresenceState.ON_CALL, "took over a talk")
    await record.record(
        work,
        call,
        "handed_over",
        offer_id=str(new.id),
        counsellor_id=str(new.counsellor_id),
        party_id=str(party.id),
        before=str(offer.id),
        inherited=inherited or None,
    )
    await _only(work, call, party)
    work.defer("telephony:follow_call", call_id=str(call.id))
    work.announce(f"offers:{new.counsellor_id}", f"presence:{new.counsellor_id}", "talks")
    if call.held_at is not None:
        await set_hold(work, call, False)
    return new


async def hand_outside(work: Work, call: Call, offer: Offer, party: Party) -> None:
    """Hand the caller to a participant outside; if they leave, the caller comes back to us."""
    if call.held_at is not None:
        await set_hold(work, call, False)
    await _leave_talk(work, call, offer, "handed to somebody outside")
    call.handed_to = party.id
    await _only(work, call, party)
    await record.record(
        work,
        call,
        "handed_outside",
        party_id=str(party.id),
        role=party.role,
        before=str(offer.id),
    )
    work.announce("talks")


async def _only(work: Work, call: Call, taken: Party) -> None:
    """Stop ringing others who were asked to take the talk. A supervisor who whispers now whispers
    to the new counsellor."""
    for other in await company.live_parties(work, call.id):
        asked = other.purpose in (Purpose.TRANSFER, Purpose.CONSULT)
        if other.id != taken.id and asked and other.state == PartyState.RINGING:
            await company.end_party(work, call, other, "somebody else took it")
        elif other.id == taken.id or other.mode != Mode.TALK:
            work.defer("telephony:set_party_mode", party_id=str(other.id))


async def _leave_talk(work: Work, call: Call, offer: Offer, cause: str) -> None:
    """Take a counsellor out of a talk that goes on without them."""
    offer.released_at = work.now
    own = select(Party.id).where(Party.owner_offer_id == offer.id)
    legs = await work.session.scalars(
        select(Leg).where(
            Leg.offer_id == offer.id,
            Leg.ended_at.is_(None),
            or_(Leg.party_id.is_(None), Leg.party_id.in_(own)),
        )
    )
    for leg in legs.all():
        leg.end_wanted = True
        work.defer("telephony:end_leg", leg_id=str(leg.id))
    mine = await work.session.scalar(select(Party).where(Party.owner_offer_id == offer.id))
    if mine is not None:
        mine.state, mine.left_at = PartyState.LEFT.value, work.now
    presence = await presences.lock_presence(work, offer.counsellor_id)
    if presence.state == PresenceState.ON_CALL:
        await presences.start_wrap_up(work, presence, cause)
    work.announce(f"offers:{offer.counsellor_id}", "calls")


async def send_back(work: Work, call: Call, offer: Offer, cause: str) -> None:
    """Send the caller to the front of the queue; the caller hears that the call goes on."""
    if call.direction == "outbound":
        # Without a conference the caller's leg ends with the counsellor's leg.
        needs_conference(work)
    await _leave_talk(work, call, offer, cause)
    await company.send_away(work, call, cause)
    await _to_the_front(work, call, cause, offer_id=str(offer.id), transferred=True)


async def come_back(work: Work, call: Call, cause: str) -> None:
    """Put the caller at the front of the queue when the participant outside has left."""
    await company.send_away(work, call, cause)
    await _to_the_front(work, call, cause)


async def _to_the_front(work: Work, call: Call, cause: str, **detail: Any) -> None:
    call.entries += 1
    call.held_at = call.handed_to = None
    call.priority = max(call.priority, RETURNED_PRIORITY)
    await record.move(work, call, CallEvent.COUNSELLOR_LOST, cause=cause, **detail)
    work.defer("telephony:return_caller", call_id=str(call.id), entry=call.entries)
    if call.danger:
        # A child in danger is waiting again.
        work.defer("referrals:watch_danger", call_id=str(call.id))


async def _withdraw_others(work: Work, call: Call, taken: Offer) -> None:
    """Withdraw the other offers of a call that rang at several phones. This waits until the talk
    has begun: the counsellor who accepted might have been lost on the way in."""
    others = await work.session.scalars(
        select(Offer)
        .where(Offer.call_id == call.id, Offer.id != taken.id, Offer.released_at.is_(None))
        .order_by(Offer.counsellor_id)
    )
    for other in others.all():
        await withdraw_offer(work, call, other, "somebody else took it")


async def withdraw_offer(work: Work, call: Call, offer: Offer, cause: str) -> None:
    """End an open offer; it does not count as missed."""
    if offer.state != OfferState.OPEN or offer.released_at is not None:
        return
    await _let_go(work, offer, cause)
    await record.record(
        work, call, "offer_ended", offer_id=str(offer.id), offer=offer.state, cause=cause
    )


async def withdraw_open(work: Work, call: Call, cause: str) -> bool:
    """Withdraw the open offers of a waiting caller who chooses something else.

    Return whether the caller still waits: False if a counsellor has accepted and is on the way.
    """
    if CallState(call.state) is CallState.QUEUED:
        return True
    live = await live_offer_of_call(work, call.id)
    if CallState(call.state) is not CallState.OFFERED or live is None:
        return False
    if live.state != OfferState.OPEN:
        return False
    held = await work.session.scalars(
        select(Offer)
        .where(Offer.call_id == call.id, Offer.released_at.is_(None))
        .order_by(Offer.counsellor_id)
    )
    for offer in held.all():
        await withdraw_offer(work, call, offer, cause)
    await record.move(work, call, CallEvent.OFFER_ENDED, cause=cause)
    return True


async def end_call(
    work: Work,
    call: Call,
    *,
    ended_by: str,
    at: datetime | None = None,
    delivery: Delivery | None = None,
    answer: dict[str, Any] | None = None,
    lost: bool = False,
) -> None:
    """End a call and release everything that it held, in the same transaction."""
    connected = CallState(call.state) is CallState.CONNECTED
    if connected or call.handed_to is not None or call.kept_room_id is not None:
        await company.send_away(work, call, "the call has ended")
        call.handed_to = call.kept_room_id = None
    if call.callback_id is not None and CallState(call.state) is not CallState.ENDED:
        work.defer("telephony:callback_over", call_id=str(call.id))
    # Only a call that is offered or connected holds anything.
    holds = CallState(call.state) in (CallState.OFFERED, CallState.CONNECTED)
    await record.end_call(
        work, call, ended_by=ended_by, at=at, delivery=delivery, answer=answer, lost=lost
    )
    if not holds:
        return
    held = await work.session.scalars(
        select(Offer)
        .where(Offer.call_id == call.id, Offer.released_at.is_(None))
        .order_by(Offer.counsellor_id)
    )
    for offer in held.all():
        if offer.state == OfferState.ACCEPTED and work.settings.has_conferences:
            # Perhaps they talked, and only the provider's report was lost.
            work.defer("telephony:settle_talk", delay=_TOLD_WITHIN, offer_id=str(offer.id))
        await _let_go(work, offer)


async def _let_go(work: Work, offer: Offer, cause: str = "the caller is gone") -> None:
    talked = offer.state == OfferState.CONNECTED
    if not talked:
        offer.state = OfferState.WITHDRAWN.value
    offer.released_at = work.now
    await end_legs(work, offer.id)
    presence = await presences.lock_presence(work, offer.counsellor_id)
    if presence.state in (PresenceState.OFFERED, PresenceState.ON_CALL):
        if talked:
            await presences.start_wrap_up(work, presence, "the call has ended")
        else:
            await presences.set_free(work, presence, cause, rested=True)
    work.announce(f"offers:{offer.counsellor_id}")


async def hang_up(work: Work, call: Call) -> None:
    """End a talk for a counsellor: close the record now, tell the provider after the commit."""
    if CallState(call.state) is CallState.ENDED:
        return
    await end_call(work, call, ended_by="counsellor")
    work.defer("telephony:end_caller", call_id=str(call.id))


async def choose_presence(work: Work, staff: Staff, choice: PresenceState) -> Presence:
    """Set the state that a counsellor chose. It declines an open offer and keeps a live call."""
    held = await held_offer(work, staff.id)
    if held is not None and held.state == OfferState.OPEN and choice is not PresenceState.AVAILABLE:
        call, offer = await lock_offer(work, held.id)
        if offer.state == OfferState.OPEN:
            await decline_offer(work, call, offer, by="own choice")
    rung = work.settings.can_ring(staff.endpoint_kind)
    if choice is PresenceState.AVAILABLE and not rung and not may(staff.role, Permission.SUPERVISE):
        raise Conflict(
            "Your telephone platform cannot ring a browser. Ask your administrator to give you a "
            "phone number or a SIP address."
        )
    presence = await presences.lock_presence(work, staff.id)
    if presence.cause == company.HELPING and await company.helps(work, staff.id):
        # They help in a colleague's talk, so the choice counts afterwards.
        presence.heartbeat_at = work.now
        presence.after_call = None if choice is PresenceState.AVAILABLE else choice.value
        return presence
    if presence.state == PresenceState.OFFERED:
        presence.heartbeat_at = work.now
        if choice is not PresenceState.AVAILABLE:
            # An offer came after we looked and before we locked. Let it expire at once; then the
            # counsellor gets the state that they chose.
            presence.after_call = choice.value
            await work.session.execute(
                update(Offer)
                .where(Offer.counsellor_id == staff.id, Offer.state == OfferState.OPEN)
                .values(expires_at=work.now)
                .execution_options(synchronize_session=False)
            )
        return presence
    await presences.choose(work, presence, choice)
    return presence


async def end_wrap_up(work: Work, staff: Staff) -> None:
    """End wrap-up early: the counsellor is available, unless they chose another state."""
    presence = await presences.lock_presence(work, staff.id)
    if presence.state == PresenceState.WRAP_UP and presence.after_call is None:
        await presences.choose(work, presence, PresenceState.AVAILABLE)


async def choose_presence_by_name(work: Work, staff: Staff, state: str) -> None:
    """Set a counsellor's state by its name. Raises Invalid for a state that cannot be chosen."""
    if state not in CHOICES:
        raise Invalid(
            f"A counsellor can choose {', '.join(CHOICES)}. The program sets the other states."
        )
    await choose_presence(work, staff, PresenceState(state))


async def held_offer(work: Work, counsellor_id: UUID) -> Offer | None:
    """Return the offer or live call that a counsellor holds, if any."""
    return await work.session.scalar(
        select(Offer).where(Offer.counsellor_id == counsellor_id, Offer.released_at.is_(None))
    )


async def live_offer_of_call(work: Work, call_id: UUID) -> Offer | None:
    """Return the live offer of a call, if any: an accepted or connected one before an open one."""
    return (
        await work.session.scalars(
            select(Offer)
            .where(Offer.call_id == call_id, Offer.released_at.is_(None))
            .order_by((Offer.state == OfferState.OPEN), Offer.opened_at.desc())
        )
    ).first()


async def set_hold(work: Work, call: Call, held: bool) -> None:
    """Hold or resume a talk; tell the provider after the commit. Raises Conflict."""
    if CallState(call.state) is not CallState.CONNECTED:
        raise Conflict("Only a connected call can be held or resumed.")
    if (call.held_at is not None) == held:
        return
    if held:
        needs_conference(work)
    call.held_at = work.now if held else None
    await record.record(work, call, "hold" if held else "resume")
    work.defer("telephony:set_hold", call_id=str(call.id))
    work.announce("calls")


async def set_mute(work: Work, call: Call, offer: Offer, muted: bool) -> None:
    """Mute or unmute the counsellor; tell the provider after the commit. Raises Conflict."""
    if CallState(call.state) is not CallState.CONNECTED:
        raise Conflict("Only a connected call can be muted.")
    if (offer.muted_at is not None) == muted:
        return
    needs_conference(work)
    offer.muted_at = work.now if muted else None
    await record.record(work, call, "muted" if muted else "unmuted", offer_id=str(offer.id))
    work.defer("telephony:set_mute", offer_id=str(offer.id))
    work.announce("calls")
