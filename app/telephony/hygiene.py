"""Once a minute: is what we believe what the provider sees? Nothing is ended without asking."""

from datetime import timedelta

from procrastinate import JobContext
from sqlalchemy import select

from app.calls import lines, record
from app.calls.models import Call, Leg, Line
from app.calls.states import CallState, is_over, read_leg_status
from app.jobs.transaction import transaction
from app.log import log
from app.referrals.models import Rung
from app.routing import company, parties
from app.routing import presence as presences
from app.routing.company import HELPING, LIVE, Party
from app.routing.models import Presence, PresenceState
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.provider import LiveLeg, ProviderError, Refused
from app.work import PROGRAM, Ground, Work

# The provider's list is looked at every so many seconds.
EVERY = 60
# What began more recently may still be on its way to us, or from us.
_GRACE = timedelta(seconds=45)


async def look_after(ground: Ground) -> None:
    """Ask for the comparison; one of several workers does it."""
    async with transaction(ground, PROGRAM) as work:
        work.defer("telephony:compare")


@task("compare")
async def compare(context: JobContext) -> None:
    """Compare our live calls and legs with the provider's own list."""
    parts = parts_of(context)
    try:
        alive = {leg.sid: leg for leg in await parts.provider.live_legs()}
    except ProviderError:
        # The next minute asks again.
        return
    await _open_unheard(parts, alive)
    await _ask_about_ghosts(parts, alive)
    await _end_orphans(parts, alive)
    await _free_helpers(parts)


async def _open_unheard(parts: Parts, alive: dict[str, LiveLeg]) -> None:
    """A ring that never reached us becomes a record, and the caller hears our greeting."""
    async with parts.work() as work:
        numbers = set(await work.session.scalars(select(Line.number).where(Line.active)))
        rung = [
            leg
            for leg in alive.values()
            if leg.direction == "inbound" and leg.to in numbers and work.now - leg.since >= _GRACE
        ]
        sids = [leg.sid for leg in rung]
        known = set(
            await work.session.scalars(select(Call.provider_sid).where(Call.provider_sid.in_(sids)))
        )
    for leg in rung:
        if leg.sid in known:
            continue
        async with parts.work() as work:
            line = await lines.line_of_number(work, leg.to)
            call, fresh = await record.open_call(
                work, provider_sid=leg.sid, raw_from=leg.from_,
                line_id=line.id if line else None, greeted=False, opened_at=leg.since,
            )  # fmt: skip
            if fresh:
                await record.record(work, call, "found_at_the_provider", status=leg.status)
        log().warning("a call that we had not heard of", area="telephony")
        if leg.status == "in-progress":
            try:
                await parts.provider.move_call(leg.sid, "/telephony/voice")
            except Refused:
                # It ended meanwhile; its end is asked for like that of any other.
                continue


async def _ask_about_ghosts(parts: Parts, alive: dict[str, LiveLeg]) -> None:
    """Live for us and not on the provider's list: each is asked about by itself before it ends."""
    async with parts.work() as work:
        rows = await work.session.execute(
            select(Call.id, Call.provider_sid).where(
                Call.state != CallState.ENDED,
                Call.opened_at < work.now - _GRACE,
                ~Call.provider_sid.like("callback-%"),
            )
        )
        for call_id, sid in rows:
            if sid not in alive:
                work.defer("telephony:reconcile_call", call_id=str(call_id))


async def _end_orphans(parts: Parts, alive: dict[str, LiveLeg]) -> None:
    """Legs that ring or talk for nobody: ours by their number, and no row wants them."""
    async with parts.work() as work:
        numbers = set(await work.session.scalars(select(Line.number)))
        ours = {
            sid: leg
            for sid, leg in alive.items()
            if leg.direction == "outbound-api"
            and leg.from_ in numbers
            and work.now - leg.since >= _GRACE
        }
        legs = {
            leg.provider_sid: leg
            for leg in await work.session.scalars(
                select(Leg).where(Leg.provider_sid.in_(list(ours)))
            )
        }
        rungs = set(
            await work.session.scalars(
                select(Rung.provider_sid).where(Rung.provider_sid.in_(list(ours)))
            )
        )
        rungs |= set(
            await work.session.scalars(
                select(Call.provider_sid).where(
                    Call.provider_sid.in_(list(ours)), Call.state != CallState.ENDED
                )
            )
        )
        # Sent, and the answer is still being looked for: it may be one of these.
        sending = await work.session.scalar(
            select(Leg.id).where(Leg.sending == "sending", Leg.provider_sid.is_(None)).limit(1)
        ) or await work.session.scalar(
            select(Rung.id).where(Rung.sending == "sending", Rung.provider_sid.is_(None)).limit(1)
        )
        ending = []
        for sid in ours:
            known = legs.get(sid)
            if known is None:
                if sid not in rungs and sending is None:
                    ending.append(sid)
            elif known.end_wanted or known.ended_at is not None or await _is_over(work, known):
                ending.append(sid)
    for sid in ending:
        # Ask once more: the list may be a moment old.
        found = await parts.provider.fetch_call(sid)
        status = read_leg_status(found.status) if found is not None else None
        if status is not None and not is_over(status):
            log().warning("a leg rang for nobody", area="telephony")
            await parts.provider.end_leg(sid)


async def _is_over(work: Work, leg: Leg) -> bool:
    call = await work.session.get(Call, leg.call_id)
    return call is None or call.state == CallState.ENDED


async def _free_helpers(parts: Parts) -> None:
    """Whoever helped in a talk that is over is available again. One lock after the other."""
    async with parts.work() as work:
        helping = select(Party.staff_id).where(Party.state.in_(LIVE), Party.staff_id.is_not(None))
        stuck = list(
            await work.session.scalars(
                select(Presence.counsellor_id).where(
                    Presence.state == PresenceState.BREAK, Presence.cause == HELPING,
                    Presence.since < work.now - _GRACE, Presence.counsellor_id.not_in(helping),
                )
            )
        )  # fmt: skip
        over = list(
            await work.session.scalars(
                select(Party.id)
                .join(Call, Call.id == Party.call_id)
                .where(Party.state.in_(LIVE), Call.state == CallState.ENDED)
            )
        )
    for counsellor_id in stuck:
        async with parts.work() as work:
            presence = await presences.lock_presence(work, counsellor_id)
            if presence.state == PresenceState.BREAK and presence.cause == HELPING:
                await presences.set_free(work, presence, "helped in a talk", rested=True)
    for party_id in over:
        async with parts.work() as work:
            call, party = await parties.lock_party(work, party_id)
            await company.end_party(work, call, party, "the call has ended")
