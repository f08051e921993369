"""Make a counsellor's leg once: a request without a response is asked about, never sent again."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from procrastinate import JobContext
from sqlalchemy import select

from app.calls import lines
from app.calls.models import Call, Leg
from app.calls.states import CallState
from app.log import log
from app.referrals.models import Attempt
from app.routing import offers
from app.routing.models import AlarmAttempt, Offer, OfferState
from app.routing.participants import parties
from app.routing.participants.company import LIVE, Mode, Party, Purpose
from app.staff.models import Staff
from app.telephony.counsellor import pacing
from app.telephony.counsellor.pacing import Urgency
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.participants import beside
from app.telephony.provider.client import Refused, TryAgain, Uncertain
from app.telephony.provider.urls import leg_path, offer_path
from app.work import Work

# A participant who is asked into a talk is rung for N seconds.
_PARTY_RINGS = 30


# How many times the provider is asked about a leg whose request got no response.
ASKS = 4


async def _begin(work: Work, leg_id: str) -> tuple[Leg, Call, Offer, Staff] | None:
    """Lock a leg with its call and offer. Return None if there is no such leg."""
    leg = await work.session.get(Leg, UUID(leg_id))
    if leg is None:
        return None
    call, offer = await offers.lock_offer(work, leg.offer_id)
    await work.session.refresh(leg, with_for_update=True)
    staff = await work.session.get(Staff, offer.counsellor_id)
    assert staff is not None
    return leg, call, offer, staff


async def _mark_sending(parts: Parts, leg_id: str, task_name: str) -> dict[str, Any] | None:
    """Commit that the request is about to be sent. Return None if it must not be, or not yet."""
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        if begun is None:
            return None
        leg, call, offer, staff = begun
        if leg.sending == "sending" and leg.provider_sid is None:
            return {"settle": True}
        if leg.sending != "wanted":
            return None
        if (offer.released_at is not None and leg.party_id is None) or leg.end_wanted:
            leg.sending, leg.ended_at = "failed", work.now
            await pacing.give_up(work, leg.id)
            return None
        wait = await pacing.take_turn(work, leg.id, await _urgency(work, call, offer, leg))
        if wait is not None:
            work.defer(task_name, delay=wait, leg_id=leg_id)
            return None
        if leg.party_id is not None:
            return await _mark_party(work, call, leg)
        if offer.state == OfferState.OPEN:
            # The phone rings from now on; the wait for a turn must not shorten the offer.
            rings = timedelta(seconds=work.settings.offer_seconds)
            offer.expires_at = max(offer.expires_at, work.now + rings)
        line = await lines.line_of_id(work, call.line_id) or await lines.any_line(work)
        leg.sending, leg.sent_at = "sending", work.now
        left = (offer.expires_at - work.now).total_seconds()
        if offer.lost_at is not None:
            left = work.settings.grace_seconds - (work.now - offer.lost_at).total_seconds()
        return {
            "to": staff.endpoint or f"client:{staff.identity}",
            "from_": line.shown_number if line else "",
            "seconds": max(5, min(60, int(left))),
            "offer_id": offer.id,
            "room_id": offer.room,
        }


async def _urgency(work: Work, call: Call, offer: Offer, leg: Leg) -> Urgency:
    if call.danger:
        return Urgency.DANGER
    if leg.party_id is not None:
        party = await work.session.get(Party, leg.party_id)
        panic = party is not None and party.purpose == Purpose.PANIC
        return Urgency.RESCUE if panic else Urgency.OTHER
    return Urgency.RESCUE if offer.lost_at is not None else Urgency.OFFER


async def _mark_party(work: Work, call: Call, leg: Leg) -> dict[str, Any] | None:

    party = await work.session.get(Party, leg.party_id)
    if party is None or party.state not in LIVE or CallState(call.state) is CallState.ENDED:
        leg.sending, leg.ended_at = "failed", work.now
        return None
    to, from_ = await beside.address_of(work, party)
    coach = await beside.counsellor_sid(work, call) if party.mode == Mode.WHISPER else None
    leg.sending, leg.sent_at = "sending", work.now
    return {
        "to": to,
        "from_": from_,
        "seconds": _PARTY_RINGS,
        "party": party,
        "coach": coach,
        "muted": beside.is_muted(party, coach),
    }


async def _note_sent(parts: Parts, leg_id: str, sid: str) -> None:
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        if begun is None:
            return
        leg, _, _, _ = begun
        leg.sending = "sent"
        leg.provider_sid = leg.provider_sid or sid
        if leg.end_wanted and leg.ended_at is None:
            # The caller left while the request was under way: the phone must not ring on.
            work.defer("telephony:end_leg", leg_id=leg_id)


async def _note_not_sent(parts: Parts, leg_id: str, cause: str) -> None:
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        if begun is None:
            return
        leg, call, offer, _ = begun
        if leg.provider_sid is None:
            leg.sending, leg.ended_at = "failed", work.now
            if leg.party_id is None:
                await offers.miss_offer(work, call, offer, cause)
            elif party := await work.session.get(Party, leg.party_id):
                await parties.gone(work, call, party, cause)


async def _back_to_wanted(parts: Parts, leg_id: str) -> None:
    """Allow the request to be sent again, because it was certainly not carried out."""
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        if begun is not None and begun[0].provider_sid is None:
            begun[0].sending = "wanted"


@task("ring_counsellor")
async def ring_counsellor(context: JobContext, leg_id: str) -> None:
    """Ring a counsellor's phone; they press 1 to take the call."""
    parts = parts_of(context)

    async def send(what: dict[str, Any]) -> str:
        return await parts.provider.ring_leg(
            to=what["to"],
            from_=what["from_"],
            document=offer_path(what["offer_id"], "whisper"),
            told=leg_path(leg_id),
            seconds=what["seconds"],
        )

    await make_leg(context, leg_id, send)


@task("join_counsellor")
async def join_counsellor(context: JobContext, leg_id: str) -> None:
    """Bring a counsellor who accepted on the board into the conference of the offer."""
    parts = parts_of(context)

    async def send(what: dict[str, Any]) -> str:
        room_id = what["room_id"]
        return await parts.provider.add_participant(
            str(room_id),
            to=what["to"],
            from_=what["from_"],
            label="counsellor",
            told=leg_path(leg_id),
            conference_told=offer_path(room_id, "conference"),
            hold=offer_path(room_id, "hold"),
            seconds=what["seconds"],
        )

    await make_leg(context, leg_id, send)


async def make_leg(context: JobContext, leg_id: str, send: Any) -> None:
    parts = parts_of(context)
    what = await _mark_sending(parts, leg_id, context.job.task_name)
    if what is None:
        return
    if "settle" in what:
        await _settle_leg(context, leg_id)
        return
    try:
        sid = await send(what)
    except TryAgain:
        await _back_to_wanted(parts, leg_id)
        raise
    except Refused as error:
        log().warning(
            "the provider refused a leg", area="telephony", code=error.code, leg_id=leg_id
        )
        await _note_not_sent(parts, leg_id, "could not be rung")
        return
    await _note_sent(parts, leg_id, sid)


async def known_sids(work: Work, since: datetime) -> set[str]:
    """Return the ids of all legs and messages of ours from six hours before `since` on.

    An id at the provider that is none of these belongs to a request that got no response.
    """
    begun = since - timedelta(hours=6)
    legs = select(Leg.provider_sid).where(Leg.provider_sid.is_not(None), Leg.created_at >= begun)
    attempts = select(Attempt.provider_sid).where(
        Attempt.provider_sid.is_not(None), Attempt.wanted_at >= begun
    )
    alarms = select(AlarmAttempt.provider_sid).where(
        AlarmAttempt.provider_sid.is_not(None), AlarmAttempt.wanted_at >= begun
    )
    rows = await work.session.scalars(legs.union(attempts, alarms))
    ours = select(Call.provider_sid).where(Call.direction == "outbound", Call.opened_at >= begun)
    return {sid for sid in (*rows, *(await work.session.scalars(ours))) if sid}


async def address_of_leg(work: Work, leg: Leg) -> str:
    """Return the address that a leg of ours rings."""
    if leg.party_id is not None:
        party = await work.session.get(Party, leg.party_id)
        assert party is not None
        return (await beside.address_of(work, party))[0]
    staff = await work.session.scalar(
        select(Staff).join(Offer, Offer.counsellor_id == Staff.id).where(Offer.id == leg.offer_id)
    )
    return (staff.endpoint or f"client:{staff.identity}") if staff is not None else ""


async def _settle_leg(context: JobContext, leg_id: str) -> None:
    """Ask what became of a request that got no response. Never send it again."""
    parts = parts_of(context)
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        assert begun is not None
        leg = begun[0]
        to = await address_of_leg(work, leg)
        assert leg.sent_at is not None
        since = leg.sent_at - timedelta(seconds=2)
        known = await known_sids(work, since)
    sid = await parts.provider.find_leg(to=to, since=since, known=known)
    if sid is not None:
        await _note_sent(parts, leg_id, sid)
        return
    # Only a response counts: while the provider gives none at all, it is asked again.
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        assert begun is not None
        begun[0].asks += 1
        asks = begun[0].asks
    if asks < ASKS:
        raise Uncertain("no trace of the leg yet")
    await _note_not_sent(parts, leg_id, "could not be rung")


@task("end_leg")
async def end_leg(context: JobContext, leg_id: str) -> None:
    """End a leg, so that its phone does not ring on."""
    parts = parts_of(context)
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        if begun is None or begun[0].ended_at is not None:
            return
        leg = begun[0]
        if leg.sending == "wanted":
            leg.sending, leg.ended_at = "failed", work.now
            return
        if leg.sending == "dialled":
            # The caller's own leg rings it, and its id is not reported to us.
            work.defer("telephony:end_dialled", leg_id=leg_id)
            return
        sid = leg.provider_sid
    if sid is None:
        # Being sent, or uncertain: the job that learns its id ends it.
        return
    await parts.provider.end_leg(sid)
