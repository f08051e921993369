"""Jobs that move the caller: into a talk and out of it, on hold, or to the end."""

import contextlib
from datetime import timedelta
from uuid import UUID

from procrastinate import JobContext
from sqlalchemy import select

from app.calls import delivery_keys, record
from app.calls.log_kinds import CallLog
from app.calls.states import NOT_RUNG, CallState
from app.database.topics import Topic
from app.jobs.names import Task
from app.outbox.responses import Refused
from app.routing import offers, releasing
from app.routing.models import Offer
from app.routing.participants.participants import Participant
from app.telephony.counsellor.conference import conference_of
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.participants.participant_legs import counsellor_sid
from app.telephony.provider.client import NOT_IN_PROGRESS
from app.telephony.provider.urls import call_path, offer_path


@task(Task.MOVE_CALLER)
async def move_caller(context: JobContext, offer_id: str) -> None:
    """Bring the caller into the conference in which the counsellor waits."""
    parts = parts_of(context)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        seen = await conference_of(work, offer)
        if (
            offer.released_at is not None
            or CallState(call.state) is CallState.ENDED
            or seen.caller.joined_at is not None
        ):
            return
        if call.sending in NOT_RUNG:
            # A call-back: a counsellor is there to talk now, so the caller's phone may ring.
            work.defer(Task.RING_CALLBACK, call_id=str(call.id), offer_id=offer_id)
            return
        sid, path = call.provider_sid, call_path(call.id, "bridge", o=offer.id)
        if sid is None:
            return
        arrived = await record.earlier_answer(work, delivery_keys.bridge(offer.id))
        conference_sid = offer.conference_sid
    if arrived is not None:
        return
    # If an earlier request got no response, ask whether the caller is there.
    tried = context.job.attempts and conference_sid is not None
    if tried and sid in await parts.platform.participants(conference_sid or ""):
        return
    await _move(parts, sid, path)


@task(Task.RETURN_CALLER)
async def return_caller(context: JobContext, call_id: str, entry: int) -> None:
    """Fetch the caller back to the waiting room after the counsellor is gone."""
    parts = parts_of(context)
    async with parts.work() as work:
        call = await record.lock_call(work, UUID(call_id))
        arrived = await record.earlier_answer(work, delivery_keys.returned(call.id, entry))
        if not await parts.platform.is_fetched(work, call):
            return
        waits = CallState(call.state) in (CallState.QUEUED, CallState.OFFERED)
        sid, path = call.provider_sid, call_path(call.id, "returned", n=entry)
        # A call-back whose caller is not rung yet has no leg to fetch.
        if arrived is not None or not waits or call.entries != entry or sid is None:
            return
        conference_sid = await work.session.scalar(
            select(Offer.conference_sid)
            .where(Offer.call_id == call.id, Offer.conference_sid.is_not(None))
            .order_by(Offer.opened_at.desc())
            .limit(1)
        )
    if context.job.attempts and conference_sid is not None:
        # An earlier request got no response: a caller who is out of the conference was moved.
        try:
            inside = await parts.platform.participants(conference_sid)
        except Refused:
            inside = {}
        if sid not in inside:
            return
    await _move(parts, sid, path)


async def _move(parts: Parts, sid: str, path: str) -> None:
    try:
        await parts.platform.move(sid, path)
    except Refused as error:
        if error.code != NOT_IN_PROGRESS and error.status != 404:
            raise
        # The caller is gone; a callback says how, or the provider is asked.
        async with parts.work() as work:
            call = await record.lock_call_of_sid(work, sid)
            if CallState(call.state) is not CallState.ENDED:
                work.defer(Task.RECONCILE_CALL, call_id=str(call.id))


@task(Task.END_CALLER)
async def end_caller(context: JobContext, call_id: str) -> None:
    """End the caller's leg, because the call has ended on our side."""
    parts = parts_of(context)
    async with parts.work() as work:
        sid = (await record.lock_call(work, UUID(call_id))).provider_sid
    if sid is not None:
        # While the request for a call-back is under way, the job that learns its id ends it.
        await parts.platform.end(sid)


@task(Task.SETTLE_FINISH)
async def settle_finish(context: JobContext, offer_id: str) -> None:
    """Find out whether a counsellor's leg left the conference because of the star key.

    If the caller is still in the conference, it did, and the talk is over. If not, the conference
    itself ended, and the caller's leg asks for the next document, or is gone.
    """
    parts = parts_of(context)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.released_at is not None:
            return
        sid, conference_sid, name = call.provider_sid, offer.conference_sid, str(offer.room)
    conference_sid = conference_sid or await parts.platform.find_conference(name)
    inside = await parts.platform.participants(conference_sid) if conference_sid else {}
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.released_at is not None:
            return
        if sid in inside:
            await releasing.hang_up(work, call)
        else:
            offer.finished_at = None
            work.defer(Task.RECONCILE_CALL, call_id=str(call.id))


@task(Task.SET_HOLD)
async def set_hold(context: JobContext, call_id: str) -> None:
    """Hold the caller at the provider or resume, as the record says now."""
    parts = parts_of(context)
    async with parts.work() as work:
        call = await record.lock_call(work, UUID(call_id))
        if CallState(call.state) is not CallState.CONNECTED:
            return
        offer = await offers.live_offer_of_call(work, call.id)
        if offer is None:
            # We have left: the caller talks with an outside participant, where the talk began.
            participant = (
                await work.session.get(Participant, call.handed_to) if call.handed_to else None
            )
            offer = await work.session.get(Offer, participant.room_id) if participant else None
        if offer is None:
            return
        sid, held, offer_id = call.provider_sid, call.held_at is not None, offer.room
        assert sid is not None
        conference_sid = offer.conference_sid
    conference_sid = conference_sid or await parts.platform.find_conference(str(offer_id))
    try:
        if conference_sid is None:
            raise Refused("no such conference", status=404)
        # An earlier request got no response: perhaps it was carried out.
        if context.job.attempts and await parts.platform.is_held(conference_sid, sid) == held:
            return
        await parts.platform.hold(
            conference_sid, sid, held=held, music=offer_path(offer_id, "hold")
        )
        await _note_hold(parts, UUID(call_id), held=held)
    except Refused:
        async with parts.work() as work:
            call = await record.lock_call(work, UUID(call_id))
            if (call.held_at is not None) == held:
                call.held_at = None if held else work.now
                await record.record(work, call, CallLog.HOLD_FAILED)
                work.announce(Topic.CALLS, Topic.CALLS.of(call.id))


async def _note_hold(parts: Parts, call_id: UUID, *, held: bool) -> None:
    """Note that the provider has done what was asked, in case its report is lost."""
    async with parts.work() as work:
        call = await record.lock_call(work, call_id)
        if CallState(call.state) is CallState.CONNECTED and (call.held_at is not None) == held:
            call.on_hold = held
            work.announce(Topic.CALLS, Topic.CALLS.of(call.id))


@task(Task.HOLD_FOR_COUNSELLOR)
async def hold_for_counsellor(context: JobContext, offer_id: str) -> None:
    """Hold the caller while a counsellor whose line died is rung again; resume afterwards."""
    parts = parts_of(context)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.released_at is not None or CallState(call.state) is not CallState.CONNECTED:
            return
        held = offer.lost_at is not None or call.held_at is not None
    await _hold(parts, offer, call.provider_sid, held=held)


@task(Task.END_HOLD)
async def end_hold(context: JobContext, call_id: str) -> None:
    """End the hold, so that the child and the others hear each other without the counsellor."""
    parts = parts_of(context)
    async with parts.work() as work:
        call = await record.lock_call(work, UUID(call_id))
        if call.kept_room_id is None:
            return
        offer = await work.session.get(Offer, call.kept_room_id)
        assert offer is not None
    await _hold(parts, offer, call.provider_sid, held=False)


async def _hold(parts: Parts, offer: Offer, sid: str | None, *, held: bool) -> None:
    conference = offer.conference_sid or await parts.platform.find_conference(str(offer.room))
    if conference is None or sid is None:
        return
    # A caller who is not in the conference any more is handled elsewhere, or gone.
    with contextlib.suppress(Refused):
        await parts.platform.hold(conference, sid, held=held, music=offer_path(offer.id, "hold"))


# The caller must be back in the conference before the counsellor's leg is renewed.
_ONE_AFTER_THE_OTHER = timedelta(seconds=5)


@task(Task.CARRY_CALLER)
async def carry_caller(context: JobContext, offer_id: str) -> None:
    """Renew the caller's dial into the conference before the platform ends it."""
    parts = parts_of(context)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.released_at is not None or offer.carried_at is None:
            return
        sid, room = call.provider_sid, offer.room
        conference = offer.conference_sid
        path = call_path(call.id, "bridge", o=offer.id, n=int(offer.carried_at.timestamp()))
        work.defer(Task.CARRY_COUNSELLOR, delay=_ONE_AFTER_THE_OTHER, offer_id=offer_id)
    conference = conference or await parts.platform.find_conference(str(room))
    if conference is not None and sid is not None:
        # The conference goes on while the caller leaves it for a moment.
        await parts.platform.set_end_on_exit(conference, sid, ends=False)
        await _move(parts, sid, path)


@task(Task.CARRY_COUNSELLOR)
async def carry_counsellor(context: JobContext, offer_id: str) -> None:
    """Renew the counsellor's leg in the same way."""
    parts = parts_of(context)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        sid = await counsellor_sid(work, call)
        if offer.released_at is not None or sid is None:
            return
    with contextlib.suppress(Refused):
        await parts.platform.move(sid, offer_path(offer_id, "rejoin"))
