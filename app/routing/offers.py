"""Offers: a call held out to a counsellor, taken once, released in the same transaction.

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
from app.routing import company, roster
from app.routing import presence as presences
from app.routing.company import Mode, Party, PartyState, Purpose
from app.routing.models import CHOICES, Offer, OfferState, Presence, PresenceState
from app.routing.plan import RETURNED_PRIORITY
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

# Calls in a row that may be missed before a counsellor is set away.
MISSES_BROWSER = 1
MISSES_PHONE = 3

# A leg that waits for its turn is looked at that often at the least.
_TURN_COMES = timedelta(seconds=10)
# We hear within that time that both are in the conference, or ask.
_TOLD_WITHIN = timedelta(seconds=5)
# Somebody who has lifted the phone gets so long to press 1.
_LISTENING = timedelta(seconds=15)


class NotOnThisPlatform(Conflict):
    default = (
        "Your telephone platform has no conferences: nobody can be held, muted, listened to or "
        "asked into a talk there. You can hand the caller over to a colleague or a skill."
    )


class OfferNoLongerOpen(Conflict):
    default = "The call has already been taken, or the caller is gone."


def needs_conference(work: Work) -> None:
    """Raises NotOnThisPlatform where only two can talk together."""
    if not work.settings.has_conferences:
        raise NotOnThisPlatform()


async def open_offer(work: Work, call: Call, staff: Staff, presence: Presence) -> Offer:
    """Hold a locked waiting call out to a locked available counsellor."""
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
        # A phone on call rings without its owner having signed in, and leaves them signed out.
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
    """A leg to the counsellor of an offer is to be made."""
    leg = Leg(id=uuid4(), call_id=offer.call_id, offer_id=offer.id, created_at=work.now)
    work.session.add(leg)
    work.defer(task, leg_id=str(leg.id))


async def lock_offer(work: Work, offer_id: UUID) -> tuple[Call, Offer]:
    """An offer with its call, the call locked first. Raises NotFound."""
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
    """The same for the counsellor to whom it was made; for others it does not exist."""
    owner = select(Offer.id).where(Offer.id == offer_id, Offer.counsellor_id == staff_id)
    if await work.session.scalar(owner) is None:
        raise NotFound("There is no such offer for you.")
    return await lock_offer(work, offer_id)


async def accept_offer(
    work: Work, call: Call, offer: Offer, *, delivery: Delivery | None = None, by: str = "board"
) -> None:
    """Take the call. One winner; asking again after winning is the same as once.

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
    """Whether another offer of the call has been accepted. The call is locked by whoever asks."""
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
    """Not now: the caller is held out to the next. Raises OfferNoLongerOpen."""
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
    """Whether no phone rang for this offer up to now: the provider has not taken the request, or
    has not begun the leg."""
    legs = list(await work.session.scalars(select(Leg).where(Leg.offer_id == offer.id)))
    return bool(legs) and not any(_rang(leg, work.settings.has_conferences) for leg in legs)


def _rang(leg: Leg, told: bool) -> bool:
    """`told`: whether the platform tells how a leg goes on."""
    if leg.provider_sid is None:
        return leg.sending not in ("wanted", "sending", "sent")
    begun = leg.status not in (None, LegStatus.QUEUED) or leg.answered_at is not None
    return begun or not told


async def waits_for_turn(work: Work, offer: Offer) -> bool:
    """Whether an offer's leg is still to begin, since others are begun before it."""
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
    """Nobody took it, or the phone could not be reached: on to the next counsellor.

    After too many in a row the counsellor is away, until they say otherwise. Where the fault
    was ours or the provider's (`our_fault`: nobody looked after it in time) nobody has missed
    anything, and the same counsellor is asked again as soon as that is possible.
    """
    if offer.released_at is not None or offer.state == OfferState.CONNECTED:
        return
    was_accepted = offer.state == OfferState.ACCEPTED
    excused = our_fault or await _never_rang(work, offer)
    ended = OfferState.WITHDRAWN if excused else OfferState.MISSED
    await _release(work, call, offer, ended, cause)
    if fetch_caller and offer.move_wanted_at is not None:
        # The caller may have been moved to a conference in which nobody is any more.
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
            # Told first, and a person on call is told, too: see `watch.py`.
            presence.warned_at = work.now
            work.defer("telephony:tell_missed", counsellor_id=str(offer.counsellor_id))
            await presences.set_free(work, presence, "missed, and the last one on duty")
            return
        why = "your phone could not be reached" if was_accepted else "missed an offer"
        await presences.set_presence(work, presence, PresenceState.AWAY, why)
    else:
        await presences.set_free(work, presence, "missed")


async def _release(work: Work, call: Call, offer: Offer, state: OfferState, cause: str) -> None:
    """End an offer that has not led to a talk; the caller waits on, unless gone."""
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
    """No phone keeps ringing: every live leg of the counsellor is to be ended, no other."""
    own = select(Party.id).where(Party.owner_offer_id == offer_id)
    legs = await work.session.scalars(
        select(Leg).where(
            Leg.offer_id == offer_id, Leg.ended_at.is_(None),
            or_(Leg.party_id.is_(None), Leg.party_id.in_(own)),
        )
    )  # fmt: skip
    for leg in legs:
        leg.end_wanted = True
        work.defer("telephony:end_leg", leg_id=str(leg.id))


async def phone_lifted(work: Work, offer: Offer) -> None:
    """The counsellor hears the whisper: time to press a key."""
    if offer.state == OfferState.OPEN:
        offer.expires_at = max(offer.expires_at, work.now + _LISTENING)


async def connect_offer(work: Work, call: Call, offer: Offer, *, at: datetime) -> None:
    """Both are in the conference: they talk."""
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
    """A colleague who is in the conference has the talk from now on, with its record. It is
    `inherited` when the counsellor's line was lost, so the hand-over was not intended.

    The one is released in the same transaction in which the other holds the call.
    """
    assert party.staff_id is not None
    await _leave_talk(work, call, offer, "handed over")
    new = Offer(
        id=uuid4(), call_id=call.id, counsellor_id=party.staff_id,
        state=OfferState.CONNECTED.value, opened_at=work.now, expires_at=work.now,
        accepted_at=work.now, connected_at=work.now, room_id=offer.room,
        conference_sid=offer.conference_sid,
    )  # fmt: skip
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
        work, call, "handed_over", offer_id=str(new.id), counsellor_id=str(new.counsellor_id),
        party_id=str(party.id), before=str(offer.id), inherited=inherited or None,
    )  # fmt: skip
    await _only(work, call, party)
    work.defer("telephony:follow_call", call_id=str(call.id))
    work.announce(f"offers:{new.counsellor_id}", f"presence:{new.counsellor_id}", "talks")
    if call.held_at is not None:
        await set_hold(work, call, False)
    return new


async def hand_outside(work: Work, call: Call, offer: Offer, party: Party) -> None:
    """The caller goes on with somebody outside; if they leave, the caller comes back to us."""
    if call.held_at is not None:
        await set_hold(work, call, False)
    await _leave_talk(work, call, offer, "handed to somebody outside")
    call.handed_to = party.id
    await _only(work, call, party)
    await record.record(
        work, call, "handed_outside", party_id=str(party.id), role=party.role,
        before=str(offer.id),
    )  # fmt: skip
    work.announce("talks")


async def _only(work: Work, call: Call, taken: Party) -> None:
    """Whoever else was asked to take the talk is not needed; who whispers does so to whoever has
    it now."""
    for other in await company.live_parties(work, call.id):
        asked = other.purpose in (Purpose.TRANSFER, Purpose.CONSULT)
        if other.id != taken.id and asked and other.state == PartyState.RINGING:
            await company.end_party(work, call, other, "somebody else took it")
        elif other.id == taken.id or other.mode != Mode.TALK:
            work.defer("telephony:set_party_mode", party_id=str(other.id))


async def _leave_talk(work: Work, call: Call, offer: Offer, cause: str) -> None:
    """A counsellor leaves a talk that goes on without them."""
    offer.released_at = work.now
    own = select(Party.id).where(Party.owner_offer_id == offer.id)
    legs = await work.session.scalars(
        select(Leg).where(
            Leg.offer_id == offer.id, Leg.ended_at.is_(None),
            or_(Leg.party_id.is_(None), Leg.party_id.in_(own)),
        )
    )  # fmt: skip
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
    """The counsellor sends the caller on: to the front of the queue, told that it goes on."""
    if call.direction == "outbound":
        # Without a conference their leg hangs on the counsellor's.
        needs_conference(work)
    await _leave_talk(work, call, offer, cause)
    await company.send_away(work, call, cause)
    await _to_the_front(work, call, cause, offer_id=str(offer.id), transferred=True)


async def come_back(work: Work, call: Call, cause: str) -> None:
    """Whoever outside had the caller is gone: the caller is ours again, and first."""
    await company.send_away(work, call, cause)
    await _to_the_front(work, call, cause)


async def _to_the_front(work: Work, call: Call, cause: str, **detail: Any) -> None:
    call.entries += 1
    call.held_at = call.handed_to = None
    call.priority = max(call.priority, RETURNED_PRIORITY)
    await record.move(work, call, CallEvent.COUNSELLOR_LOST, cause=cause, **detail)
    work.defer("telephony:return_caller", call_id=str(call.id), entry=call.entries)
    if call.danger:
        # A child in danger waits again.
        work.defer("referrals:watch_danger", call_id=str(call.id))


async def _withdraw_others(work: Work, call: Call, taken: Offer) -> None:
    """Where a call rang at several, the others stop only now: whoever took it might have been
    lost on the way in."""
    others = await work.session.scalars(
        select(Offer)
        .where(Offer.call_id == call.id, Offer.id != taken.id, Offer.released_at.is_(None))
        .order_by(Offer.counsellor_id)
    )
    for other in others.all():
        await withdraw_offer(work, call, other, "somebody else took it")


async def withdraw_offer(work: Work, call: Call, offer: Offer, cause: str) -> None:
    """An offer that is still open ends without anybody's fault."""
    if offer.state != OfferState.OPEN or offer.released_at is not None:
        return
    await _let_go(work, offer, cause)
    await record.record(
        work, call, "offer_ended", offer_id=str(offer.id), offer=offer.state, cause=cause
    )


async def withdraw_open(work: Work, call: Call, cause: str) -> bool:
    """A waiting caller chooses something else: withdraw the open offers.

    Whether that is so; not if a counsellor has taken the call and is on the way.
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
    """The caller is gone, or the talk is over: everything the call held is released now."""
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
            # Perhaps they had met, and only the word of it was lost.
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
    """A person ends the talk: the record closes now, the provider is told next."""
    if CallState(call.state) is CallState.ENDED:
        return
    await end_call(work, call, ended_by="counsellor")
    work.defer("telephony:end_caller", call_id=str(call.id))


async def choose_presence(work: Work, staff: Staff, choice: PresenceState) -> Presence:
    """A counsellor's own change. An open offer is declined by it, a live call is not touched."""
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
        # In a colleague's talk: what they choose is for afterwards.
        presence.heartbeat_at = work.now
        presence.after_call = None if choice is PresenceState.AVAILABLE else choice.value
        return presence
    if presence.state == PresenceState.OFFERED:
        presence.heartbeat_at = work.now
        if choice is not PresenceState.AVAILABLE:
            # An offer came between our look and our lock. It runs out at once, and then the
            # counsellor is what they chose to be.
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
    """Nothing is left to write up: ready again at once, unless something else was chosen."""
    presence = await presences.lock_presence(work, staff.id)
    if presence.state == PresenceState.WRAP_UP and presence.after_call is None:
        await presences.choose(work, presence, PresenceState.AVAILABLE)


async def choose_presence_by_name(work: Work, staff: Staff, state: str) -> None:
    """The same for a word from outside. Raises Invalid for a state that nobody can choose."""
    if state not in CHOICES:
        raise Invalid(
            f"A counsellor can choose {', '.join(CHOICES)}. The rest follows from what happens."
        )
    await choose_presence(work, staff, PresenceState(state))


async def held_offer(work: Work, counsellor_id: UUID) -> Offer | None:
    """The offer or live call that a counsellor holds, if any."""
    return await work.session.scalar(
        select(Offer).where(Offer.counsellor_id == counsellor_id, Offer.released_at.is_(None))
    )


async def live_offer_of_call(work: Work, call_id: UUID) -> Offer | None:
    """The offer by which a call is being rung, brought in, or talked to, if any."""
    return (
        await work.session.scalars(
            select(Offer)
            .where(Offer.call_id == call_id, Offer.released_at.is_(None))
            .order_by((Offer.state == OfferState.OPEN), Offer.opened_at.desc())
        )
    ).first()


async def set_hold(work: Work, call: Call, held: bool) -> None:
    """Hold or resume a talk; the provider is told after the commit. Raises Conflict."""
    if CallState(call.state) is not CallState.CONNECTED:
        raise Conflict("Only a call that is connected can be held or resumed.")
    if (call.held_at is not None) == held:
        return
    if held:
        needs_conference(work)
    call.held_at = work.now if held else None
    await record.record(work, call, "hold" if held else "resume")
    work.defer("telephony:set_hold", call_id=str(call.id))
    work.announce("calls")


async def set_mute(work: Work, call: Call, offer: Offer, muted: bool) -> None:
    """The counsellor is not heard until they say so; the provider is told after the commit."""
    if CallState(call.state) is not CallState.CONNECTED:
        raise Conflict("Only in a talk can somebody be muted.")
    if (offer.muted_at is not None) == muted:
        return
    needs_conference(work)
    offer.muted_at = work.now if muted else None
    await record.record(work, call, "muted" if muted else "unmuted", offer_id=str(offer.id))
    work.defer("telephony:set_mute", offer_id=str(offer.id))
    work.announce("calls")
