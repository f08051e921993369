"""Offers: a call is offered to a counsellor, accepted once, and released in one transaction.

Locks are taken in one order everywhere: call, offer, presence.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BindParameter, Boolean, Text, Uuid, bindparam, or_, select, update
from sqlalchemy.orm import aliased
from sqlalchemy.orm.attributes import set_committed_value

from app.abilities import EndpointKind
from app.calls import platform, record
from app.calls.delivery_keys import DeliveryKey
from app.calls.log_kinds import AnyCause, CallLog, Cause
from app.calls.models import Call, Leg, LegRequest, RecordedEvent
from app.calls.sentences import Sentence
from app.calls.states import NOT_RUNG, CallEvent, CallState, LegStatus
from app.database.quick import Question, is_one_of
from app.database.topics import Topic
from app.errors import Conflict, NotFound
from app.jobs.names import Task
from app.jobs.transaction import rows_of
from app.outbox.push.subscriptions import wake
from app.outbox.states import Sending
from app.routing import offers_held, releasing, waking
from app.routing import presence as presences
from app.routing.callbacks import rung_by_writer
from app.routing.models import AnsweredOn, Offer, OfferState, Presence, PresenceState
from app.routing.participants.participants import Participant
from app.routing.rota import staffing
from app.staff import phone_proofs
from app.staff.models import Staff
from app.work import Work

# A counsellor who misses this many calls in a row is set away.
MISSES_BROWSER = 1
MISSES_PHONE = 3

# A leg that has not asked for its turn within this time no longer waits for it.
_TURN_COMES = timedelta(seconds=10)
# The part of an offer's time for which the browser rings alone, where a phone rings after it.
BROWSER_ALONE = 0.4
# How long a counsellor who has lifted the phone has to press 1.
_LISTENING = timedelta(seconds=15)
# The SIP code of a ring that reached no page: "temporarily unavailable" (RFC 3261, 21.4.18).
_NOT_REGISTERED = 480


class OfferNoLongerOpen(Conflict):
    default = "The call has already been taken, or the caller is gone."


async def open_offer(
    work: Work, call: Call, staff: Staff, presence: Presence, *, slot: int | None = None
) -> Offer:
    """Offer a waiting call to a counsellor who can take it. Both are locked.

    `slot`: the free place of a written conversation among those of the counsellor.
    """
    rings = timedelta(seconds=work.settings.offer_seconds)
    offer = Offer(
        id=uuid4(),
        call_id=call.id,
        counsellor_id=staff.id,
        slot=slot,
        state=OfferState.OPEN,
        opened_at=work.now,
        expires_at=work.now + rings,
        room_id=call.kept_room_id,
        second_due_at=await second_due(work, call, staff, rings) if slot is None else None,
    )
    work.session.add(offer)
    if presence.state in (PresenceState.OFF_DUTY, PresenceState.AWAY):
        # An on-call phone rings even if its owner is not signed in. They stay signed out.
        presence.after_call = PresenceState.OFF_DUTY.value
    if slot is None or presence.state != PresenceState.WRITING:
        await presences.set_presence(work, presence, PresenceState.OFFERED, Cause.OFFER)
    await record.move(
        work, call, CallEvent.OFFER, offer_id=str(offer.id), counsellor_id=str(staff.id)
    )
    if slot is None and platform.rings_first(work, staff.endpoint_kind):
        want_leg(work, offer, Task.RING_COUNSELLOR)
    if presence.heartbeat_at <= work.now - waking.AT_A_SCREEN:
        await wake(work, [staff.id], offer.expires_at)
    work.announce(Topic.OFFERS.of(staff.id))
    return offer


async def second_due(work: Work, call: Call, staff: Staff, rings: timedelta) -> datetime | None:
    """Return when the counsellor's second phone rings if the browser, which has `rings` to
    answer, has not done so; None if it does not ring."""
    if staff.second_phone is None or call.rings_only_id is not None:
        return None
    if not platform.rings_first(work, EndpointKind.PHONE):
        return None
    if not await phone_proofs.is_proven(work, staff):
        return None
    return work.now + rings * BROWSER_ALONE


async def wake_other_browsers(
    work: Work, staff: Staff, offer_id: UUID, here: UUID | None = None
) -> bool:
    """Wake a counsellor's browsers for a ring that the page at hand has not been able to bring to
    them. Return whether it rings still. `here` is the browser of that page. Raises NotFound."""
    _, offer = await own_offer(work, offer_id, staff.id)
    if offer.state != OfferState.OPEN:
        return False
    await wake(work, [staff.id], offer.expires_at, but=here)
    return True


def want_leg(work: Work, to: Offer | Participant, task: Task, *, second: bool = False) -> None:
    """Ask for a new leg to the counsellor of an offer, or to a participant; `second`: to a
    colleague's second phone."""
    asked_in = isinstance(to, Participant)
    leg = Leg(
        id=uuid4(),
        call_id=to.call_id,
        offer_id=to.room_id if asked_in else to.id,
        participant_id=to.id if asked_in else None,
        second=second,
        created_at=work.now,
    )
    work.session.add(leg)
    work.defer(task, leg_id=str(leg.id))


# Built once: nearly every webhook of a talk locks its offer. PostgreSQL locks the rows in the order
# in which `of` names them, each in its newest version.
_OFFER_ID: BindParameter[UUID] = bindparam("offer_id", type_=Uuid())
_LEG_ID: BindParameter[UUID] = bindparam("leg_id", type_=Uuid())
_EARLIER = RecordedEvent.delivery_key == bindparam("key", type_=Text())
BOTH = (
    select(Call, Offer)
    .join(Offer, Offer.call_id == Call.id)
    .where(Offer.id == _OFFER_ID)
    .with_for_update(of=[Call, Offer])
    .execution_options(populate_existing=True)
)
OWN = BOTH.where(Offer.counsellor_id == bindparam("who", type_=Uuid()))
BOTH_WITH_EARLIER = BOTH.add_columns(RecordedEvent).join(RecordedEvent, _EARLIER, isouter=True)
WITH_LEG = (
    select(Leg, Call, Offer)
    .join(Offer, Offer.id == Leg.offer_id)
    .join(Call, Call.id == Offer.call_id)
    .where(Leg.id == _LEG_ID)
    .with_for_update(of=[Call, Offer, Leg])
    .execution_options(populate_existing=True)
)
WITH_LEG_AND_EARLIER = WITH_LEG.add_columns(RecordedEvent).join(
    RecordedEvent, _EARLIER, isouter=True
)


async def lock_offer(work: Work, offer_id: UUID) -> tuple[Call, Offer]:
    """Lock an offer and its call, the call first. Raises NotFound."""
    row = (await work.session.execute(BOTH, {"offer_id": offer_id})).one_or_none()
    if row is None:
        raise NotFound("There is no such offer.")
    return row[0], row[1]


async def lock_offer_for_delivery(
    work: Work, offer_id: UUID, key: DeliveryKey
) -> tuple[Call, Offer, RecordedEvent | None]:
    """Lock an offer and its call as `lock_offer`, and return the event of this delivery, if it came
    before: see `record.lock_for_delivery`. Raises NotFound."""
    values = {"offer_id": offer_id, "key": key}
    row = (await work.session.execute(BOTH_WITH_EARLIER, values)).one_or_none()
    if row is None:
        raise NotFound("There is no such offer.")
    return row[0], row[1], row[2]


async def lock_leg(work: Work, leg_id: UUID) -> tuple[Leg, Call, Offer] | None:
    """Lock a leg with its call and its offer. Return None if there is no such leg."""
    row = (await work.session.execute(WITH_LEG, {"leg_id": leg_id})).one_or_none()
    return (row[0], row[1], row[2]) if row is not None else None


async def lock_leg_for_delivery(
    work: Work, leg_id: UUID, key: DeliveryKey
) -> tuple[Leg, Call, Offer, RecordedEvent | None] | None:
    """Lock a leg as `lock_leg`, and return the event of this delivery, if it came before."""
    values = {"leg_id": leg_id, "key": key}
    row = (await work.session.execute(WITH_LEG_AND_EARLIER, values)).one_or_none()
    return (row[0], row[1], row[2], row[3]) if row is not None else None


async def own_offer(work: Work, offer_id: UUID, staff_id: UUID) -> tuple[Call, Offer]:
    """Lock an offer and its call, for the counsellor to whom it was made. Raises NotFound."""
    row = (await work.session.execute(OWN, {"offer_id": offer_id, "who": staff_id})).one_or_none()
    if row is None:
        raise NotFound("Not found, or this offer is not for you.")
    return row[0], row[1]


_WRITTEN = Question(
    select(Offer.call_id, Offer.state).where(
        Offer.counsellor_id == bindparam("who", type_=Uuid()),
        Offer.released_at.is_(None),
        Offer.slot.is_not(None),
    )
)
# A leg of the counsellor; one to their second phone only if it is `second`.
_ANY_LEG = Question(
    select(Leg.id)
    .where(Leg.offer_id == _OFFER_ID, or_(~Leg.second, bindparam("second", type_=Boolean())))
    .limit(1)
)
_OTHER = aliased(Offer)
# Built once. One counsellor wins: another offer of the call must not have been accepted. The caller
# has locked the call.
_WIN = Question(
    update(Offer)
    .where(
        Offer.id == _OFFER_ID,
        Offer.state == OfferState.OPEN,
        ~select(_OTHER.id)
        .where(
            _OTHER.call_id == Offer.call_id,
            _OTHER.released_at.is_(None),
            is_one_of(_OTHER.state, (OfferState.ACCEPTED, OfferState.CONNECTED)),
        )
        .exists(),
    )
    .values(
        state=OfferState.ACCEPTED.value,
        accepted_at=bindparam("now"),
        expires_at=bindparam("until"),
    )
    .returning(Offer.id)
)


async def _win(work: Work, offer: Offer) -> bool:
    """Mark an offer as accepted, if it is open and no other one of the call is accepted."""
    values = {
        "state": OfferState.ACCEPTED.value,
        "accepted_at": work.now,
        "expires_at": work.now + timedelta(seconds=work.settings.connect_seconds),
    }
    found = await rows_of(
        work, _WIN, offer_id=offer.id, now=values["accepted_at"], until=values["expires_at"]
    )
    if found:
        # The row holds them already.
        for name, value in values.items():
            set_committed_value(offer, name, value)
    return bool(found)


async def accept_offer(
    work: Work, call: Call, offer: Offer, *, by: AnsweredOn = AnsweredOn.BOARD
) -> None:
    """Accept the offer. One counsellor wins; accepting again after winning changes nothing.

    Raises OfferNoLongerOpen.
    """
    if not await _win(work, offer):
        if offer.released_at is None and offer.state != OfferState.OPEN:
            return
        raise OfferNoLongerOpen()
    await record.record(work, call, CallLog.OFFER_ACCEPTED, offer_id=str(offer.id), by=by)
    if offer.slot is not None:
        await _begin_to_write(work, call, offer)
        return
    await _leave_writing(work, call, offer)
    presence = await presences.lock_presence(work, offer.counsellor_id)
    presence.missed, presence.warned_at = 0, None
    at_telephone = offer.second_at is not None and by is not AnsweredOn.BOARD
    why = Cause.TAKEN_AT_TELEPHONE if at_telephone else Cause.ACCEPTED
    await presences.set_presence(work, presence, PresenceState.ON_CALL, why)
    if offer.second_at is not None and not at_telephone:
        # Taken in the browser after all: the phone is called off.
        offer.second_at = None
        await releasing.end_legs(work, offer.id)
    legs = await rows_of(work, _ANY_LEG, offer_id=offer.id, second=at_telephone)
    if not legs and platform.joins_by_click(work):
        want_leg(work, offer, Task.JOIN_COUNSELLOR)
    work.announce(Topic.OFFERS.of(offer.counsellor_id), Topic.QUEUE)


async def _begin_to_write(work: Work, call: Call, offer: Offer) -> None:
    """Begin a written talk: no line has to be connected, so it begins with the acceptance."""
    await connect_offer(work, call, offer, at=work.now)
    presence = await presences.lock_presence(work, offer.counsellor_id)
    presence.missed, presence.warned_at = 0, None
    await offers_held.settle(work, presence, Cause.ACCEPTED)
    work.announce(Topic.OFFERS.of(offer.counsellor_id), Topic.QUEUE)


async def _leave_writing(work: Work, call: Call, taken: Offer) -> None:
    """Tell the children who write with a counsellor that the counsellor has a call now, and let
    conversations that are offered to them expire at once. A child who is called back is not told:
    the call is its own."""
    written = await rows_of(work, _WRITTEN, who=taken.counsellor_id)
    its_own = await rung_by_writer.conversations_with(work, call) if written else set()
    for row in written:
        if row["state"] == OfferState.CONNECTED and row["call_id"] not in its_own:
            work.defer(
                Task.FOLLOW_CONVERSATION,
                call_id=str(row["call_id"]),
                sentence=Sentence.BUSY_A_MOMENT,
                key=str(taken.id),
            )
    if not any(row["state"] == OfferState.OPEN for row in written):
        return
    await work.session.execute(
        update(Offer)
        .where(
            Offer.counsellor_id == taken.counsellor_id,
            Offer.slot.is_not(None),
            Offer.state == OfferState.OPEN,
        )
        .values(expires_at=work.now)
        .execution_options(synchronize_session=False)
    )


async def decline_offer(
    work: Work, call: Call, offer: Offer, *, by: AnsweredOn | Cause = AnsweredOn.BOARD
) -> None:
    """Decline: the call is offered to the next counsellor. Raises OfferNoLongerOpen."""
    if offer.state == OfferState.DECLINED:
        return
    if offer.state != OfferState.OPEN:
        raise OfferNoLongerOpen()
    await _release(work, call, offer, OfferState.DECLINED, by)
    presence = await presences.lock_presence(work, offer.counsellor_id)
    presence.missed = 0
    if presence.state in (PresenceState.OFFERED, PresenceState.WRITING):
        await offers_held.settle(work, presence, Cause.DECLINED)


async def _is_excused(work: Work, offer: Offer) -> bool:
    """Return whether an offer that was not taken is no fault of its counsellor."""
    return (
        await _never_rang(work, offer)
        or await _page_was_away(work, offer)
        or await _has_a_call(work, offer)
    )


async def _never_rang(work: Work, offer: Offer) -> bool:
    """Return whether no phone has rung for this offer: the provider has not taken the request, or
    has not begun the leg."""
    legs = list(await work.session.scalars(select(Leg).where(Leg.offer_id == offer.id)))
    told = platform.reports_legs(work)
    # A browser rings without a leg, so a leg to the second phone does not count.
    return not all(leg.second for leg in legs) and not any(_rang(leg, told) for leg in legs)


async def _page_was_away(work: Work, offer: Offer) -> bool:
    """Return whether a call was taken in a page which its ring did not reach, for the first time.

    The connection of the page to the provider was interrupted. It answers rings by itself, so its
    counsellor has missed nothing, and the caller rings there again as soon as that is possible.
    """
    if offer.state != OfferState.ACCEPTED or offer.second_at is not None:
        return False
    of_page = (
        select(Leg.id)
        .join(Offer, Offer.id == Leg.offer_id)
        .join(Staff, Staff.id == Offer.counsellor_id)
        .where(
            Leg.offer_id == offer.id,
            ~Leg.second,
            Leg.participant_id.is_(None),
            Leg.answered_at.is_(None),
            Leg.sip_code == _NOT_REGISTERED,
            Staff.endpoint_kind == EndpointKind.BROWSER,
        )
    )
    before = select(Offer.id).where(
        Offer.call_id == offer.call_id,
        Offer.counsellor_id == offer.counsellor_id,
        Offer.id != offer.id,
        Offer.accepted_at.is_not(None),
        Offer.state == OfferState.WITHDRAWN,
    )
    await work.session.flush()
    return bool(await work.session.scalar(select(of_page.exists() & ~before.exists())))


async def _has_a_call(work: Work, offer: Offer) -> bool:
    """Return whether a conversation was offered to a counsellor who took a call meanwhile."""
    if offer.slot is None:
        return False
    call = (await offers_held.in_hand(work, offer.counsellor_id)).call
    return call in (OfferState.ACCEPTED, OfferState.CONNECTED)


def _rang(leg: Leg, told: bool) -> bool:
    """Return whether a leg has rung. `told`: the platform reports the progress of a leg."""
    if leg.provider_sid is None:
        return leg.sending not in (*NOT_RUNG, Sending.SENT)
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
    cause: AnyCause,
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
    excused = our_fault or await _is_excused(work, offer)
    ended = OfferState.WITHDRAWN if excused else OfferState.MISSED
    await _release(work, call, offer, ended, cause)
    if fetch_caller and offer.move_wanted_at is not None:
        # The caller may have been moved to a conference that is empty now.
        call.entries += 1
        work.defer(Task.RETURN_CALLER, call_id=str(call.id), entry=call.entries)
    presence = await presences.lock_presence(work, offer.counsellor_id)
    if excused:
        await offers_held.settle(work, presence, Cause.COULD_NOT_BE_RUNG, rested=True)
        return
    presence.missed += 1
    if (
        presence.state in offers_held.BUSY
        and (await offers_held.in_hand(work, presence.counsellor_id)).state
    ):
        # They write with other children, so they are there.
        await offers_held.settle(work, presence, Cause.MISSED)
        return
    endpoint = await work.session.scalar(
        select(Staff.endpoint_kind).where(Staff.id == offer.counsellor_id)
    )
    limit = MISSES_BROWSER if endpoint == EndpointKind.BROWSER else MISSES_PHONE
    if presence.state not in (PresenceState.OFFERED, PresenceState.ON_CALL):
        return
    if presence.after_call is None and presence.missed >= limit:
        if presence.warned_at is None and await staffing.is_last(work, offer.counsellor_id):
            # The last counsellor is only warned, and a person on call is alarmed: see
            # `rota/unstaffed_alarms.py`.
            presence.warned_at = work.now
            work.defer(Task.TELL_MISSED, counsellor_id=str(offer.counsellor_id))
            await presences.set_free(work, presence, Cause.MISSED_AS_LAST_ON_DUTY)
            return
        why = Cause.PHONE_NOT_REACHED if was_accepted else Cause.MISSED_AN_OFFER
        if offer.second_at is not None:
            why = Cause.MISSED_IN_BROWSER_AND_AT_TELEPHONE
        await presences.set_presence(work, presence, PresenceState.AWAY, why)
    else:
        await presences.set_free(work, presence, Cause.MISSED)


async def _release(
    work: Work, call: Call, offer: Offer, state: OfferState, cause: AnyCause | AnsweredOn
) -> None:
    """End an offer that has not led to a talk. The caller keeps waiting, unless they are gone."""
    offer.state, offer.released_at = state.value, work.now
    await releasing.end_legs(work, offer.id)
    detail: dict[str, Any] = {"offer_id": str(offer.id), "offer": state.value, "cause": cause}
    others = select(Offer.id).where(
        Offer.call_id == call.id, Offer.id != offer.id, Offer.released_at.is_(None)
    )
    if CallState(call.state) is CallState.OFFERED and await work.session.scalar(others) is None:
        await record.move(work, call, CallEvent.OFFER_ENDED, **detail)
    else:
        await record.record(work, call, CallEvent.OFFER_ENDED, **detail)
    await releasing.end_if_kept(work, call)
    work.announce(Topic.OFFERS.of(offer.counsellor_id), Topic.QUEUE)


async def phone_lifted(work: Work, offer: Offer) -> None:
    """Give a counsellor who hears the announcement enough time to press a key."""
    waits = offer.state == OfferState.ACCEPTED and offer.second_at is not None
    if offer.state == OfferState.OPEN or waits:
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
        work.announce(Topic.OFFERS.of(offer.counsellor_id), Topic.PRESENCE.of(offer.counsellor_id))


_OTHERS = (
    select(Offer)
    .where(
        Offer.call_id == bindparam("call_id", type_=Uuid()),
        Offer.id != _OFFER_ID,
        Offer.released_at.is_(None),
    )
    .order_by(Offer.counsellor_id)
)


async def _withdraw_others(work: Work, call: Call, taken: Offer) -> None:
    """Withdraw the other offers of a call that rang at several phones. This waits until the talk
    has begun: the counsellor who accepted might have been lost on the way in."""
    others = await work.session.scalars(_OTHERS, {"call_id": call.id, "offer_id": taken.id})
    for other in others.all():
        await withdraw_offer(work, call, other, Cause.TAKEN_BY_ANOTHER)


async def withdraw_offer(work: Work, call: Call, offer: Offer, cause: AnyCause) -> None:
    """End an open offer; it does not count as missed."""
    if offer.state != OfferState.OPEN or offer.released_at is not None:
        return
    await releasing.let_go(work, offer, cause)
    await record.record(
        work, call, CallEvent.OFFER_ENDED, offer_id=str(offer.id), offer=offer.state, cause=cause
    )


async def withdraw_open(work: Work, call: Call, cause: AnyCause) -> bool:
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


async def offer_in_hand(work: Work, counsellor_id: UUID) -> Offer | None:
    """Return the offer or live call that a counsellor holds, if any.

    For what they have in writing, see `offers_held.conversations`.
    """
    return await work.session.scalar(
        select(Offer).where(
            Offer.counsellor_id == counsellor_id,
            Offer.released_at.is_(None),
            Offer.slot.is_(None),
        )
    )


_LIVE = (
    select(Offer)
    .where(Offer.call_id == bindparam("call_id", type_=Uuid()), Offer.released_at.is_(None))
    .order_by((Offer.state == OfferState.OPEN), Offer.opened_at.desc())
)


async def live_offer_of_call(work: Work, call_id: UUID) -> Offer | None:
    """Return the live offer of a call, if any: an accepted or connected one before an open one."""
    return (await work.session.scalars(_LIVE, {"call_id": call_id})).first()
