"""Participants besides caller and counsellor: they are rung, join with a key or at once, and leave.

A phone never joins by itself: the person who answers presses 1, so that no machine hears a child.
"""

from typing import Any
from uuid import UUID

from procrastinate import JobContext
from sqlalchemy import select

from app.calls import record
from app.calls.models import Leg
from app.calls.states import CallState, is_over, read_leg_status
from app.contacts import contacts
from app.routing import offers
from app.routing.models import Offer
from app.routing.participants import parties
from app.routing.participants.company import LIVE, Mode, Party, label_of
from app.telephony.counsellor.leg_jobs import make_leg
from app.telephony.inbound.deciding import delivery_of, scene_of
from app.telephony.jobs import parts_of, task
from app.telephony.participants.beside import counsellor_sid, is_muted
from app.telephony.provider.client import Refused
from app.telephony.provider.signature import Signed
from app.telephony.provider.urls import leg_path, offer_path, party_path
from app.telephony.script import TAKE_DIGIT, Answer, Scene
from app.work import Work

_WHISPERS = 2


# -- requests to the provider ------------------------------------------------------------------


@task("ring_party")
async def ring_party(context: JobContext, leg_id: str) -> None:
    """Ring a participant into a talk."""
    parts = parts_of(context)

    async def send(what: dict[str, Any]) -> str:
        party: Party = what["party"]
        if what["to"].startswith("client:"):
            return await parts.provider.add_participant(
                str(party.room_id),
                to=what["to"],
                from_=what["from_"],
                label=label_of(party),
                told=leg_path(leg_id),
                conference_told=offer_path(party.room_id, "conference"),
                hold=offer_path(party.room_id, "hold"),
                seconds=what["seconds"],
                muted=what["muted"],
                coach=what["coach"],
            )
        return await parts.provider.ring_leg(
            to=what["to"],
            from_=what["from_"],
            document=party_path(party.id, "lifted"),
            told=leg_path(leg_id),
            seconds=what["seconds"],
        )

    await make_leg(context, leg_id, send)


@task("set_party_mode")
async def set_party_mode(context: JobContext, party_id: str) -> None:
    """Tell the provider how a participant takes part, as the record says now."""
    parts = parts_of(context)
    async with parts.work() as work:
        call, party = await parties.lock_party(work, UUID(party_id))
        sid = await _sid(work, party)
        room = await work.session.get(Offer, party.room_id)
        if sid is None or party.joined_at is None or party.state not in LIVE or room is None:
            return
        coach = await counsellor_sid(work, call) if party.mode == Mode.WHISPER else None
        muted, conference = is_muted(party, coach), room.conference_sid
    conference = conference or await parts.provider.find_conference(str(party.room_id))
    if conference is not None:
        await parts.provider.set_part(conference, sid, muted=muted, coach=coach)


async def _sid(work: Work, party: Party) -> str | None:
    found: str | None = await work.session.scalar(
        select(Leg.provider_sid).where(Leg.party_id == party.id, Leg.provider_sid.is_not(None))
    )
    return found


@task("set_mute")
async def set_mute(context: JobContext, offer_id: str) -> None:
    """Mute or unmute the counsellor, as the record says now."""
    parts = parts_of(context)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        sid = await counsellor_sid(work, call)
        if sid is None or offer.released_at is not None:
            return
        muted, conference = offer.muted_at is not None, offer.conference_sid
        name = str(offer.room)
    conference = conference or await parts.provider.find_conference(name)
    try:
        if conference is None:
            raise Refused("no such conference", status=404)
        await parts.provider.set_part(conference, sid, muted=muted)
    except Refused:
        async with parts.work() as work:
            call, offer = await offers.lock_offer(work, UUID(offer_id))
            if (offer.muted_at is not None) == muted and offer.released_at is None:
                offer.muted_at = None if muted else work.now
                await record.record(work, call, "mute_failed", offer_id=offer_id)
                work.announce("calls")


@task("follow_call")
async def follow_call(context: JobContext, call_id: str) -> None:
    """Give the contact of a talk that was handed over to the counsellor who has it now."""
    async with parts_of(context).work() as work:
        call = await record.lock_call(work, UUID(call_id))
        offer = await offers.live_offer_of_call(work, call.id)
        if offer is not None and CallState(call.state) is CallState.CONNECTED:
            await contacts.open_for_call(work, call, offer.counsellor_id)


# -- what participants hear, and what they press -----------------------------------------------


async def lifted(work: Work, party_id: UUID, signed: Signed) -> tuple[Answer, Scene | None]:
    """Return what a participant's phone hears when a person or a machine has answered it."""
    return await _asked(work, party_id, signed, 0)


async def pressed(
    work: Work, party_id: UUID, signed: Signed, attempt: int
) -> tuple[Answer, Scene | None]:
    """Handle the participant's key, or none: key 1 joins."""
    return await _asked(work, party_id, signed, attempt)


async def _asked(
    work: Work, party_id: UUID, signed: Signed, attempt: int
) -> tuple[Answer, Scene | None]:
    call, party = await parties.lock_party(work, party_id)
    key = f"party:{party_id}:{signed.call_sid}:{attempt}"
    event = await record.earlier_answer(work, key)
    if event is not None and event.answer is not None:
        return event.answer, await scene_of(work, call)
    wanted = party.state in LIVE and CallState(call.state) is CallState.CONNECTED
    answer: Answer = {"kind": "taken"}
    if wanted and attempt and signed.fields.get("Digits") == TAKE_DIGIT:
        coach = await counsellor_sid(work, call) if party.mode == Mode.WHISPER else None
        answer = {
            "kind": "join_party",
            "party_id": str(party.id),
            "room_id": str(party.room_id),
            "muted": is_muted(party, coach),
            "coach": coach,
        }
    elif wanted and attempt < _WHISPERS:
        answer = {
            "kind": "party_whisper",
            "party_id": str(party.id),
            "attempt": attempt,
            "outside": party.staff_id is None,
        }
    elif wanted:
        answer = {"kind": "hang_up"}
        await parties.gone(work, call, party, "nobody pressed a key")
    await record.record(
        work,
        call,
        "party_key_asked_for",
        delivery=delivery_of(signed, key),
        answer=answer,
        party_id=str(party.id),
    )
    return answer, await scene_of(work, call)


async def left(work: Work, party_id: UUID, signed: Signed) -> tuple[Answer, Scene | None]:
    """End the leg of a participant, which has left the conference and asks for a document."""
    call, party = await parties.lock_party(work, party_id)
    key = f"party-left:{party_id}"
    if await record.earlier_answer(work, key) is None:
        answer: Answer = {"kind": "hang_up"}
        await record.record(
            work,
            call,
            "party_left_conference",
            delivery=delivery_of(signed, key),
            answer=answer,
            party_id=str(party_id),
        )
        status = read_leg_status(signed.fields.get("CallStatus"))
        lives = status is not None and not is_over(status)
        offer = (
            await work.session.get(Offer, party.owner_offer_id) if party.owner_offer_id else None
        )
        if offer is not None and offer.released_at is None and lives:
            # This counsellor took the talk over. A job finds out whether the star key ended it.
            offer.finished_at = work.now
            work.defer("telephony:settle_finish", offer_id=str(offer.id))
        else:
            await parties.gone(work, call, party, "left")
    return {"kind": "hang_up"}, await scene_of(work, call)
