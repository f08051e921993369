"""Reconcile a call of which nothing was heard: ask the provider, and put right what is wrong."""

from uuid import UUID

from procrastinate import JobContext
from sqlalchemy import select

from app.calls import record
from app.calls.labels import participant_label
from app.calls.log_kinds import CallLog, Cause
from app.calls.models import Call, Leg
from app.calls.states import CallState, EndedBy, LegStatus, is_over, read_leg_status
from app.jobs.names import Task
from app.outbox.responses import Refused
from app.routing import handing_over, lost_counsellor, offers, releasing
from app.routing.models import Offer, OfferState
from app.telephony.counsellor.conference import label_of_owner
from app.telephony.counsellor.counsellor_flow import note_leg
from app.telephony.jobs import parts_of, task
from app.telephony.silence import is_silent
from app.work import Work


@task(Task.RECONCILE_CALL)
async def reconcile_call(context: JobContext, call_id: str) -> None:
    """Ask the provider about a call of which nothing was heard for long, and only then act."""
    parts = parts_of(context)
    async with parts.work() as work:
        call = await record.lock_call(work, UUID(call_id))
        if CallState(call.state) is CallState.ENDED:
            return
        sid = call.provider_sid
        if sid is None:
            # A call-back whose caller is not rung yet: the provider knows nothing of it.
            return
        talking = CallState(call.state) is CallState.CONNECTED or call.kept_room_id is not None
        conference_sid = await _room_of(work, call)
        legs = {
            leg.id: leg.provider_sid
            for leg in await work.session.scalars(
                select(Leg).where(Leg.call_id == call.id, Leg.ended_at.is_(None))
            )
            if leg.provider_sid
        }
    found = await parts.platform.fetch_call(sid)
    status = read_leg_status(found.status) if found else None
    told = {leg: await parts.platform.fetch_call(leg_sid) for leg, leg_sid in legs.items()}
    inside: dict[str, str] | None = None
    if talking and conference_sid and status is not None and not is_over(status):
        try:
            inside = await parts.platform.participants(conference_sid)
        except Refused:
            inside = {}
    async with parts.work() as work:
        call = await record.lock_call(work, UUID(call_id))
        if CallState(call.state) is CallState.ENDED:
            return
        for leg_id, one in told.items():
            await note_leg(work, leg_id, one)
        if found is None:
            await releasing.end_call(work, call, ended_by=EndedBy.PROGRAM, lost=True)
            return
        if status is not None and is_over(status):
            at = min(found.ended_at, work.now) if found.ended_at else work.now
            await record.record(work, call, CallLog.END_FOUND, status=found.status)
            await releasing.end_call(work, call, ended_by=EndedBy.CALLER, at=at)
            return
        call.heard_at = work.now
        await record.record(work, call, CallLog.ASKED_THE_PROVIDER, status=found.status)
        await _put_right(work, call, inside, sid, in_progress=status is LegStatus.IN_PROGRESS)


async def _room_of(work: Work, call: Call) -> str | None:
    """Return the provider's id of the conference that a call is in; None if there is none."""
    found: str | None = await work.session.scalar(
        select(Offer.conference_sid)
        .where(Offer.call_id == call.id, Offer.conference_sid.is_not(None))
        .order_by(Offer.opened_at.desc())
        .limit(1)
    )
    return found


async def _put_right(
    work: Work, call: Call, inside: dict[str, str] | None, sid: str, *, in_progress: bool
) -> None:
    """Make sure that a caller who is still on the line is not alone in silence."""
    state = CallState(call.state)
    offer = await offers.live_offer_of_call(work, call.id)
    if call.kept_room_id is not None:
        # Other participants stay with the caller until the next counsellor is there.
        if inside is not None and not any(other != sid for other in inside):
            await lost_counsellor.leave_empty_room(work, call)
    elif offer is not None and offer.lost_at is not None:
        # The counsellor is being rung again.
        return
    elif state is CallState.CONNECTED and offer is not None and inside is not None:
        mine = await label_of_owner(work, offer)
        there = any(label in (mine, "") for other, label in inside.items() if other != sid)
        if sid not in inside or not there:
            await lost_counsellor.lose_counsellor(work, call, offer, Cause.FOUND_ALONE)
    elif state is CallState.CONNECTED and offer is None and inside is not None:
        theirs = participant_label(call.handed_to) if call.handed_to else None
        if not any(label == theirs for label in inside.values()):
            await handing_over.come_back(work, call, Cause.FOUND_ALONE)
    elif (
        in_progress
        and state in (CallState.QUEUED, CallState.OFFERED)
        and (offer is None or offer.state == OfferState.OPEN)
        and await is_silent(work, call)
    ):
        call.entries += 1
        work.defer(Task.RETURN_CALLER, call_id=str(call.id), entry=call.entries)
