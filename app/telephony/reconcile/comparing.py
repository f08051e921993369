"""Reconcile live calls and legs with the provider each minute. Nothing is ended without asking."""

import contextlib
from datetime import timedelta

from procrastinate import JobContext
from sqlalchemy import select

from app.calls.lines import finding_lines
from app.calls.log_kinds import Cause
from app.calls.models import Call, Leg
from app.calls.states import CallState, is_over, read_leg_status
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.log import log
from app.outbox.responses import Refused, RequestFailed
from app.outbox.states import Sending
from app.routing import presence as presences
from app.routing.models import Presence, PresenceState
from app.routing.participants import actions, participants
from app.routing.participants.participants import HELPING, LIVE, Participant
from app.telephony.counsellor.ringing import address_of_leg
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.messaging.missed import hear_missed
from app.telephony.outgoing import known_sids
from app.telephony.provider.client import ProviderLeg
from app.telephony.reconcile.ended_rings import open_found, open_unreachable
from app.work import PROGRAM, Ground, Work

# Seconds between two readings of the provider's list.
EVERY = 60
# How far the provider's clock may differ from ours.
_CLOCKS_DIFFER = timedelta(seconds=5)
# News of a leg that began more recently may still be on its way to us, or from us.
_GRACE = timedelta(seconds=45)


async def defer_comparison(ground: Ground) -> None:
    """Defer the comparison; one of the workers does it."""
    async with transaction(ground, PROGRAM) as work:
        work.defer(Task.COMPARE)


@task(Task.COMPARE)
async def compare(context: JobContext) -> None:
    """Compare our live calls and legs with the provider's own list."""
    parts = parts_of(context)
    try:
        alive = {leg.sid: leg for leg in await parts.platform.live_legs()}
    except RequestFailed:
        # The next run asks again, a minute later.
        return
    await _open_unheard(parts, alive)
    with contextlib.suppress(RequestFailed):
        # After an error, the next run starts from the same instant, a minute later.
        await open_unreachable(parts)
    await hear_missed(parts)
    await _ask_about_ghosts(parts, alive)
    await _end_orphans(parts, alive)
    await _free_helpers(parts)


async def _open_unheard(parts: Parts, alive: dict[str, ProviderLeg]) -> None:
    """Open a record for each ring that never reached us, and let the caller hear our greeting."""
    async with parts.work() as work:
        rung = [
            leg
            for leg in alive.values()
            if leg.direction == "inbound"
            and work.now - leg.since >= _GRACE
            and await finding_lines.line_of_number(work, leg.to) is not None
        ]
        sids = [leg.sid for leg in rung]
        if not sids:
            return
        known = set(
            await work.session.scalars(select(Call.provider_sid).where(Call.provider_sid.in_(sids)))
        )
    for leg in rung:
        if leg.sid in known:
            continue
        async with parts.work() as work:
            await open_found(work, leg)
        log().warning("found a call that never reached us", area="telephony")
        if leg.status == "in-progress":
            try:
                await parts.platform.move(leg.sid, "/telephony/voice")
            except Refused:
                # It ended meanwhile; its end is reconciled like that of any other call.
                continue


async def _ask_about_ghosts(parts: Parts, alive: dict[str, ProviderLeg]) -> None:
    """Reconcile each call that is live for us but not on the provider's list, before ending it."""
    async with parts.work() as work:
        rows = await work.session.execute(
            select(Call.id, Call.provider_sid).where(
                Call.state != CallState.ENDED,
                Call.opened_at < work.now - _GRACE,
                Call.provider_sid.is_not(None),
            )
        )
        for call_id, sid in rows:
            if sid not in alive:
                work.defer(Task.RECONCILE_CALL, call_id=str(call_id))


async def _end_orphans(parts: Parts, alive: dict[str, ProviderLeg]) -> None:
    """End legs of ours that no call needs any more.

    A leg is ours if a row has its id, or if it matches a request of ours that got no response.
    Other programs may use the same account.
    """
    async with parts.work() as work:
        old = {
            sid: leg
            for sid, leg in alive.items()
            if leg.direction == "outbound-api" and work.now - leg.since >= _GRACE
        }
        if not old:
            return
        legs = await work.session.scalars(select(Leg).where(Leg.provider_sid.in_(list(old))))
        ending = [
            leg.provider_sid
            for leg in legs.all()
            if leg.provider_sid is not None
            and (leg.end_wanted or leg.ended_at is not None or await _is_over(work, leg))
        ]
        ending += await _never_learned(work, old)
    for sid in ending:
        # Ask once more: the list may be a moment old.
        found = await parts.platform.fetch_call(sid)
        status = read_leg_status(found.status) if found is not None else None
        if status is not None and not is_over(status):
            log().warning("ending a leg that no call needs", area="telephony")
            await parts.platform.end(sid)


# A leg begins at the provider within this time after our request.
_BEGINS_WITHIN = timedelta(seconds=60)


async def _never_learned(work: Work, alive: dict[str, ProviderLeg]) -> list[str]:
    """Return legs that we requested and gave up without a response, but that ring all the same."""
    given_up = await work.session.scalars(
        select(Leg).where(
            Leg.provider_sid.is_(None),
            Leg.sending == Sending.FAILED,
            Leg.sent_at.is_not(None),
            Leg.sent_at > work.now - timedelta(hours=1),
        )
    )
    legs = given_up.all()
    if not legs:
        return []
    found = []
    known = await known_sids(work, work.now - timedelta(hours=1))
    for leg in legs:
        to = await address_of_leg(work, leg)
        assert leg.sent_at is not None
        for sid, one in alive.items():
            late = one.since - leg.sent_at
            if sid not in known and one.to == to and -_CLOCKS_DIFFER <= late <= _BEGINS_WITHIN:
                found.append(sid)
    return found


async def _is_over(work: Work, leg: Leg) -> bool:
    call = await work.session.get(Call, leg.call_id)
    return call is None or call.state == CallState.ENDED


async def _free_helpers(parts: Parts) -> None:
    """Release counsellors and participants from talks that are over, with one lock at a time."""
    async with parts.work() as work:
        helping = select(Participant.staff_id).where(
            Participant.state.in_(LIVE), Participant.staff_id.is_not(None)
        )
        stuck = list(
            await work.session.scalars(
                select(Presence.counsellor_id).where(
                    Presence.state == PresenceState.BREAK,
                    Presence.cause == HELPING,
                    Presence.since < work.now - _GRACE,
                    Presence.counsellor_id.not_in(helping),
                )
            )
        )
        over = list(
            await work.session.scalars(
                select(Participant.id)
                .join(Call, Call.id == Participant.call_id)
                .where(Participant.state.in_(LIVE), Call.state == CallState.ENDED)
            )
        )
    for counsellor_id in stuck:
        async with parts.work() as work:
            presence = await presences.lock_presence(work, counsellor_id)
            if presence.state == PresenceState.BREAK and presence.cause == HELPING:
                await presences.set_free(work, presence, Cause.HELPED, rested=True)
    for participant_id in over:
        async with parts.work() as work:
            call, participant = await actions.lock_participant(work, participant_id)
            await participants.end_participant(work, call, participant, Cause.CALL_ENDED)
