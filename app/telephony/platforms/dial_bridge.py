"""The second bridge: follow a `<Dial>` on a platform without conferences.

The platform reports nothing while a dialled phone rings or talks, so it is asked every two seconds
until the phone is answered. When the dial is over, the caller's leg asks for the next document.
"""

from datetime import timedelta
from uuid import UUID

from procrastinate import JobContext
from sqlalchemy import select

from app.calls import delivery_keys, record
from app.calls.lines import finding_lines
from app.calls.log_kinds import CallLog, Cause, of_leg
from app.calls.models import Call, Leg
from app.calls.record import WebhookDelivery
from app.calls.speech import LineScript
from app.calls.states import (
    NOT_RUNG,
    CallState,
    Direction,
    EndedBy,
    LegStatus,
    is_over,
    read_leg_status,
)
from app.contacts import contacts
from app.jobs.names import Task
from app.outbox.states import Sending
from app.routing import offers, releasing
from app.routing.models import Offer, OfferState
from app.routing.plan import read_plan
from app.telephony import answers
from app.telephony.answers import Answer
from app.telephony.counsellor.conference import connect
from app.telephony.counsellor.counsellor_flow import apply_leg_status
from app.telephony.inbound.deciding import (
    Decision,
    caller_is_gone,
    delivery_of,
    end_gone,
    scene_of,
)
from app.telephony.inbound.talking import back_from
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.outgoing import known_sids
from app.telephony.platforms.dialling import LOOKS_EVERY, dial_result, dialled_leg, was_pressed
from app.telephony.provider.client import ProviderLeg
from app.telephony.provider.signature import Signed
from app.telephony.script import Scene
from app.work import Work

# After this number of questions, a leg that the platform does not know was never dialled.
_NEVER = 10
# How far the platform's clock may differ from ours.
_CLOCKS_DIFFER = timedelta(seconds=5)
# No dial of ours rings for as long as this.
_RINGS_OUT = timedelta(seconds=60)


def dialled(offer_id: UUID, signed: Signed) -> Decision:
    """Handle the end of the caller's dial: the counsellor has hung up, or did not answer."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        _, offer = await offers.lock_offer(work, offer_id)
        status = dial_result(signed).status
        await _note_talk(work, call, offer, signed)
        if (leg := await dialled_leg(work, offer_id)) is not None and leg.ended_at is None:
            leg.status, leg.ended_at = status.value, work.now
        if caller_is_gone(signed):
            return await end_gone(work, call, delivery)
        if CallState(call.state) is CallState.ENDED:
            answer: Answer = answers.Goodbye()
        else:
            answer = await back_from(work, call, offer, of_leg(status, "dialled"))
        await record.record(
            work,
            call,
            CallLog.DIALLED,
            delivery=delivery,
            answer=answer,
            offer_id=str(offer_id),
            language=call.language,
        )
        return answer

    return decision


async def _note_talk(work: Work, call: Call, offer: Offer, signed: Signed) -> None:
    """Derive the start of a talk from its end, if we did not see that the phone was answered."""
    result = dial_result(signed)
    if result.status is not LegStatus.COMPLETED:
        return
    if offer.state != OfferState.ACCEPTED or offer.released_at is not None:
        return
    began = work.now - timedelta(seconds=result.seconds)
    await connect(work, call, offer, at=max(began, offer.move_wanted_at or offer.opened_at))


async def callback_dialled(
    work: Work, offer_id: UUID, signed: Signed
) -> tuple[Answer, Scene | None]:
    """End a call-back: the caller has hung up, or did not answer."""
    call, offer = await offers.lock_offer(work, offer_id)
    key = delivery_keys.rang_back(offer_id)
    answer = answers.HangUp()
    if await record.earlier_answer(work, key) is None:
        await record.record(
            work,
            call,
            CallLog.RANG_BACK,
            delivery=delivery_of(signed, key),
            answer=answer,
            offer_id=str(offer_id),
        )
        talked = dial_result(signed).status is LegStatus.COMPLETED
        await _note_talk(work, call, offer, signed)
        if CallState(call.state) is not CallState.ENDED:
            record.learn_sid(call, "")
            by = EndedBy.CALLER if talked else EndedBy.PROVIDER
            await releasing.end_call(work, call, ended_by=by)
    return answer, await scene_of(work, call, offer_id)


# -- asking the platform -----------------------------------------------------------------------

_LIFTED = (LegStatus.IN_PROGRESS, LegStatus.COMPLETED)


async def _look(parts: Parts, leg_id: str) -> ProviderLeg | None:
    """Return what the platform knows of a dialled leg; None if nothing, or if it is over for us."""
    async with parts.work() as work:
        leg = await work.session.get(Leg, UUID(leg_id))
        if leg is None or leg.ended_at is not None:
            return None
        call = await work.session.get(Call, leg.call_id)
        assert call is not None
        known = await known_sids(work, leg.created_at)
        parent, sid = call.provider_sid, leg.provider_sid
        # Legs dialled for an earlier offer began before this.
        since = leg.created_at - _CLOCKS_DIFFER
    if parent is None:
        return None
    legs = await parts.platform.dialled_by(parent)
    if sid is not None:
        return next((one for one in legs if one.sid == sid), None)
    return next((one for one in legs if one.sid not in known and one.since >= since), None)


async def _note(parts: Parts, leg_id: str, found: ProviderLeg | None) -> None:
    """Keep what the platform said of a dialled leg, and look again until it is answered."""
    async with parts.work() as work:
        locked = await offers.lock_leg(work, UUID(leg_id))
        if locked is None:
            return
        leg, call, offer = locked
        if leg.ended_at is not None or CallState(call.state) is CallState.ENDED:
            return
        if found is not None:
            leg.provider_sid = leg.provider_sid or found.sid
            if read_leg_status(found.status) is LegStatus.IN_PROGRESS:
                status = LegStatus.IN_PROGRESS
                await apply_leg_status(work, call, offer, leg, status, leg.provider_sid)
                if offer.state == OfferState.ACCEPTED and offer.released_at is None:
                    await connect(work, call, offer, at=work.now)
                return
        if offer.released_at is None and offer.state == OfferState.ACCEPTED:
            work.defer(Task.WATCH_DIALLED, delay=LOOKS_EVERY, leg_id=leg_id)


@task(Task.WATCH_DIALLED)
async def watch_dialled(context: JobContext, leg_id: str) -> None:
    """Check whether the phone that the caller's leg dials was answered."""
    parts = parts_of(context)
    await _note(parts, leg_id, await _look(parts, leg_id))


@task(Task.END_DIALLED)
async def end_dialled(context: JobContext, leg_id: str) -> None:
    """End the leg to a dialled phone that is no longer needed; the caller goes on with us."""
    parts = parts_of(context)
    async with parts.work() as work:
        leg = await work.session.get(Leg, UUID(leg_id))
        sid = leg.provider_sid if leg is not None and leg.ended_at is None else None
    if sid is not None:
        await parts.platform.end(sid)
    found = await _look(parts, leg_id)
    if found is not None and sid is None and not _over(found):
        await parts.platform.end(found.sid)
    async with parts.work() as work:
        leg = await work.session.get(Leg, UUID(leg_id))
        if leg is None or leg.ended_at is not None:
            return
        call, offer = await offers.lock_offer(work, leg.offer_id)
        await work.session.refresh(leg, with_for_update=True)
        leg.asks += 1
        if found is not None:
            leg.provider_sid = leg.provider_sid or found.sid
            await _note_late(work, call, offer, leg, found)
        if found is not None or sid is not None or leg.asks >= _NEVER:
            leg.ended_at = leg.ended_at or work.now
        else:
            # It may be dialled in a moment.
            work.defer(Task.END_DIALLED, delay=LOOKS_EVERY, leg_id=leg_id)


def _over(found: ProviderLeg) -> bool:
    status = read_leg_status(found.status)
    return status is not None and is_over(status)


async def _note_late(work: Work, call: Call, offer: Offer, leg: Leg, found: ProviderLeg) -> None:
    """Record a talk whose caller was gone before we looked, if the phone was answered."""
    if read_leg_status(found.status) not in _LIFTED or offer.connected_at is not None:
        return
    if CallState(call.state) is not CallState.ENDED:
        return
    await record.add_late_answer(work, call, at=max(found.since, leg.created_at))
    if call.answered_at is not None:
        await contacts.open_for_call(work, call, offer.counsellor_id)


@task(Task.SETTLE_DIALLED)
async def settle_dialled(context: JobContext, offer_id: str) -> None:
    """Ask the platform about an accepted offer with no report of a talk, before a leg is ended.

    If a leg is up, and its dial has lasted longer than any phone rings, the two are talking.
    Until the platform has answered, nothing is ended.
    """
    parts = parts_of(context)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.state != OfferState.ACCEPTED or offer.released_at is not None:
            return
        back = call.direction == Direction.OUTBOUND
        sid = await _first_leg(work, offer) if back else call.provider_sid
        leg = await dialled_leg(work, offer.id)
    if leg is not None:
        await _note(parts, str(leg.id), await _look(parts, str(leg.id)))
    found = await parts.platform.fetch_call(sid) if sid else None
    status = read_leg_status(found.status) if found is not None else None
    up = status is not None and not is_over(status)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.state != OfferState.ACCEPTED or offer.released_at is not None:
            return
        if up and offer.move_wanted_at is not None:
            await connect(work, call, offer, at=work.now)
        elif back and offer.move_wanted_at is not None:
            # The caller was not reached; it counts as an attempt.
            record.learn_sid(call, "")
            await releasing.end_call(work, call, ended_by=EndedBy.PROVIDER)
        elif not back and not up:
            lost = found is None
            by = EndedBy.PROGRAM if lost else EndedBy.CALLER
            await releasing.end_call(work, call, ended_by=by, lost=lost)
        else:
            # The counsellor did not press 1 after the click; or did, and the caller's leg did not
            # ask us again.
            pressed = not back and await was_pressed(work, offer)
            await offers.miss_offer(
                work, call, offer, Cause.NOT_CONNECTED_IN_TIME, our_fault=pressed
            )


async def _first_leg(work: Work, offer: Offer) -> str | None:
    """Return the leg in which the counsellor pressed 1, and which dials the call-back."""
    found: str | None = await work.session.scalar(
        select(Leg.provider_sid)
        .where(
            Leg.offer_id == offer.id, Leg.answered_at.is_not(None), Leg.sending != Sending.DIALLED
        )
        .limit(1)
    )
    return found


# -- the partner, and call-backs ---------------------------------------------------------------


@task(Task.WATCH_PARTNER)
async def watch_partner(context: JobContext, call_id: str) -> None:
    """Check whether the partner has answered the phone that the caller's leg dials.

    A number that was taken out or replaced while it rings is not rung on: the caller returns to us.
    """
    parts = parts_of(context)
    async with parts.work() as work:
        call = await record.lock_call(work, UUID(call_id))
        line = await finding_lines.line_or_any(work, call.line_id)
        plan = read_plan(line.plan if line is not None else {})
        began, parent = call.partner_at, call.provider_sid
        if began is None or call.transferred_at or work.now - began > _RINGS_OUT:
            return
        assert parent is not None
        over = CallState(call.state) is CallState.ENDED
        if not over and CallState(call.state) is not CallState.GREETING:
            return
    legs = await parts.platform.dialled_by(parent)
    to = plan.partner_number
    lifted = any(one.to == to and read_leg_status(one.status) in _LIFTED for one in legs)
    former = [one.sid for one in legs if _rings(one) and not plan.is_partner(one.to)]
    if former:
        await _end_former(parts, call_id, former, replaced=to is not None)
        return
    async with parts.work() as work:
        call = await record.lock_call(work, UUID(call_id))
        if lifted and call.transferred_at is None:
            call.transferred_at = work.now
            await record.record(work, call, CallLog.PARTNER_TOOK)
            await record.restate(work, call, Cause.PARTNER_TOOK_IT)
        elif not over:
            work.defer(Task.WATCH_PARTNER, delay=LOOKS_EVERY, call_id=call_id)


async def _end_former(parts: Parts, call_id: str, legs: list[str], *, replaced: bool) -> None:
    """End the ring at a number that is the partner's no more; one in its place is rung at once."""
    if replaced:
        async with parts.work() as work:
            (await record.lock_call(work, UUID(call_id))).partner_at = None
    for sid in legs:
        await parts.platform.end(sid)


def _rings(leg: ProviderLeg) -> bool:
    status = read_leg_status(leg.status)
    return status is not None and status not in _LIFTED and not is_over(status)


def _wanted(call: Call, offer: Offer) -> bool:
    """Return whether the id of the caller's leg, or whether they answered, is still unknown."""
    return offer.state == OfferState.ACCEPTED or call.sending in NOT_RUNG


@task(Task.WATCH_CALLBACK)
async def watch_callback(context: JobContext, offer_id: str) -> None:
    """Check whether the caller has answered a call-back."""
    parts = parts_of(context)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        parent = await _first_leg(work, offer)
        if offer.released_at is not None or not _wanted(call, offer) or parent is None:
            return
    legs = await parts.platform.dialled_by(parent)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.released_at is not None or not _wanted(call, offer):
            return
        if legs:
            record.learn_sid(call, legs[0].sid)
            if read_leg_status(legs[0].status) is LegStatus.IN_PROGRESS:
                await connect(work, call, offer, at=work.now)
                return
        work.defer(Task.WATCH_CALLBACK, delay=LOOKS_EVERY, offer_id=offer_id)
