"""Call-backs: the caller's phone rings only when a counsellor is there to talk."""

from datetime import timedelta
from uuid import UUID

from procrastinate import JobContext
from sqlalchemy import select

from app.calls import lines, record
from app.calls.models import Call
from app.calls.record import Delivery
from app.calls.states import CallState, LegStatus, is_over, read_leg_status
from app.log import log
from app.routing import callbacks, offers
from app.routing.callbacks import NOT_RUNG
from app.routing.models import OfferState
from app.telephony.counsellor import pacing
from app.telephony.counsellor.leg_jobs import known_sids
from app.telephony.counsellor.pacing import Urgency
from app.telephony.inbound.deciding import delivery_of
from app.telephony.jobs import parts_of, task
from app.telephony.platforms.dialling import address_back, number_of
from app.telephony.provider.client import Refused, TryAgain
from app.telephony.provider.signature import Signed
from app.telephony.provider.urls import offer_path
from app.telephony.script import RINGS_BACK
from app.work import Work

_ANSWERS_WITHIN = timedelta(seconds=RINGS_BACK + 20)


@task("ring_back")
async def ring_back(context: JobContext, call_id: str, offer_id: str) -> None:
    """Ring the caller into the conference in which the counsellor waits. Sent once."""
    parts = parts_of(context)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.released_at is not None or CallState(call.state) is not CallState.OFFERED:
            return
        if not call.provider_sid.startswith(NOT_RUNG) or call.caller_number_sealed is None:
            return
        if call.rung_at is None:
            wait = await pacing.take_turn(work, call.id, Urgency.OFFER)
            if wait is not None:
                offer.expires_at = max(offer.expires_at, work.now + _ANSWERS_WITHIN)
                work.defer("telephony:ring_back", delay=wait, call_id=call_id, offer_id=offer_id)
                return
        line = await lines.line_of_id(work, call.line_id) or await lines.any_line(work)
        number = await number_of(work, call)
        to, shows = address_back(work.settings, number, line.shown_number if line else "")
        asked, since = call.rung_at is not None, call.rung_at or work.now
        call.rung_at = call.rung_at or work.now
        # A phone rings for longer than it takes to connect a caller who is already on the line.
        offer.expires_at = max(offer.expires_at, call.rung_at + _ANSWERS_WITHIN)
        known = await known_sids(work, since - timedelta(seconds=2))
        name = str(offer.room)
    if asked:
        # The request got no response: look for the leg, and never send the request again.
        since -= timedelta(seconds=2)
        sid = await parts.provider.find_leg(to=to, since=since, known=known)
        if sid is not None:
            await _learn(parts.work, call_id, sid)
        return
    try:
        sid = await parts.provider.add_participant(
            name,
            to=to,
            from_=shows,
            label="caller",
            told=f"/telephony/back/{call_id}/status",
            conference_told=offer_path(name, "conference"),
            hold=offer_path(name, "hold"),
            seconds=RINGS_BACK,
            ends=True,
            heard=f"/telephony/back/{call_id}/machine",
        )
    except TryAgain:
        async with parts.work() as work:
            (await record.lock_call(work, UUID(call_id))).rung_at = None
        raise
    except Refused as error:
        log().warning("the provider refused a call-back", area="telephony", code=error.code)
        async with parts.work() as work:
            call = await record.lock_call(work, UUID(call_id))
            # It counts as an attempt, so that a number that cannot be rung is not rung for ever.
            call.provider_sid = f"refused-{call.id}"
            await offers.end_call(work, call, ended_by="provider")
        return
    await _learn(parts.work, call_id, sid)


async def _learn(work_of: object, call_id: str, sid: str) -> None:
    assert callable(work_of)
    async with work_of() as work:
        call = await record.lock_call(work, UUID(call_id))
        if call.provider_sid.startswith(NOT_RUNG):
            call.provider_sid = sid
        if CallState(call.state) is CallState.ENDED:
            work.defer("telephony:end_caller", call_id=call_id)


async def leg_status(work: Work, call_id: UUID, signed: Signed) -> None:
    """Handle a status of the leg to the caller. Any subset of them comes, in any order."""
    status = read_leg_status(signed.fields.get("CallStatus"))
    if status is None:
        return
    key = f"back:{call_id}:{status.value}:{signed.fields.get('SequenceNumber', '')[:12]}"
    call, earlier = await record.lock_for_delivery(work, key, call_id=call_id)
    if earlier is not None or call.direction != "outbound":
        return
    delivery: Delivery = delivery_of(signed, key)
    if call.provider_sid.startswith(NOT_RUNG) and signed.call_sid:
        call.provider_sid = signed.call_sid
    if signed.call_sid != call.provider_sid:
        return
    await record.record(work, call, f"caller_{status.value}", delivery=delivery)
    if not is_over(status):
        if CallState(call.state) is CallState.ENDED:
            work.defer("telephony:end_caller", call_id=str(call_id))
        elif status is LegStatus.IN_PROGRESS:
            await _not_alone(work, call)
        return
    at = delivery.happened_at(work.now, not_before=call.opened_at)
    by = "caller" if status is LegStatus.COMPLETED else "provider"
    await offers.end_call(work, call, ended_by=by, at=at)


async def _not_alone(work: Work, call: Call) -> None:
    """Hang up without a word if the phone is answered and the counsellor has gone.

    Any member of the household may have answered. The call-back is tried again later.
    """
    offer = await offers.live_offer_of_call(work, call.id)
    waits = CallState(call.state) in (CallState.QUEUED, CallState.OFFERED)
    if waits and (offer is None or offer.state == OfferState.OPEN):
        await record.record(work, call, "answered_to_nobody")
        await offers.end_call(work, call, ended_by="program")
        work.defer("telephony:end_caller", call_id=str(call.id))


async def answered_by(work: Work, call_id: UUID, signed: Signed) -> None:
    """Note whether a person or a machine answered, and end the call to a machine."""
    who = signed.fields.get("AnsweredBy", "")
    key = f"machine:{call_id}:{signed.call_sid}"
    call, earlier = await record.lock_for_delivery(work, key, call_id=call_id)
    if earlier is not None or call.direction != "outbound":
        return
    await record.record(work, call, "answered_by", delivery=delivery_of(signed, key))
    if CallState(call.state) is CallState.ENDED or not (who.startswith("machine") or who == "fax"):
        return
    await callbacks.note_machine(work, call)
    work.defer("telephony:end_caller", call_id=str(call.id))


@task("callback_not_needed")
async def callback_not_needed(context: JobContext, callback_id: str) -> None:
    """Take a call-back that has not rung yet out of the queue, because the caller rang us."""
    async with parts_of(context).work() as work:
        call_id = await work.session.scalar(
            select(Call.id).where(
                Call.callback_id == UUID(callback_id),
                Call.state != CallState.ENDED,
                Call.provider_sid.like(NOT_RUNG + "%"),
            )
        )
        if call_id is None:
            return
        call = await record.lock_call(work, call_id)
        if call.provider_sid.startswith(NOT_RUNG):
            await offers.end_call(work, call, ended_by="program")


@task("callback_over")
async def callback_over(context: JobContext, call_id: str) -> None:
    """Settle a call-back whose call is over: done, to be tried again, or given up."""
    async with parts_of(context).work() as work:
        call: Call = await record.lock_call(work, UUID(call_id))
        await callbacks.after_try(work, call)
