"""Participants besides caller and counsellor: they are rung, join with a key or at once, and leave.

A phone never joins by itself: the person who answers presses 1, so that no machine hears a child.
"""

from typing import Any
from uuid import UUID

from procrastinate import JobContext
from sqlalchemy import select

from app.calls import delivery_keys, record
from app.calls.log_kinds import CallLog, Cause
from app.calls.models import Leg
from app.calls.states import CallState, is_over, read_leg_status
from app.contacts import contacts
from app.database.topics import Topic
from app.jobs.names import Task
from app.outbox.responses import Refused
from app.routing import offers
from app.routing.models import Offer
from app.routing.participants import actions, participant_second_phone
from app.routing.participants.participants import LIVE, Mode, Participant, label_of
from app.staff import phone_proofs
from app.staff.models import Staff
from app.staff.phone_proofs import EntryResult
from app.telephony import answers
from app.telephony.answers import Answer, read_answer
from app.telephony.counsellor.ringing import make_leg
from app.telephony.inbound.deciding import delivery_of, scene_of
from app.telephony.jobs import parts_of, task
from app.telephony.participants.participant_legs import counsellor_sid, is_muted
from app.telephony.provider.signature import Signed
from app.telephony.provider.urls import leg_path, offer_path, participant_path
from app.telephony.script import TAKE_DIGIT, Scene
from app.work import Work

_WHISPERS = 2


# -- requests to the provider ------------------------------------------------------------------


@task(Task.RING_PARTICIPANT)
async def ring_participant(context: JobContext, leg_id: str) -> None:
    """Ring a participant into a talk."""
    parts = parts_of(context)

    async def send(what: dict[str, Any]) -> str:
        participant: Participant = what["participant"]
        if what["to"].startswith("client:"):
            return await parts.platform.add(
                str(participant.room_id),
                to=what["to"],
                from_=what["from_"],
                label=label_of(participant, second=False),
                told=leg_path(leg_id),
                conference_told=offer_path(participant.room_id, "conference"),
                hold=offer_path(participant.room_id, "hold"),
                seconds=what["seconds"],
                muted=what["muted"],
                coach=what["coach"],
            )
        return await parts.platform.ring(
            to=what["to"],
            from_=what["from_"],
            document=participant_path(participant.id, "lifted"),
            told=leg_path(leg_id),
            seconds=what["seconds"],
        )

    await make_leg(context, leg_id, send)


@task(Task.SET_PARTICIPANT_MODE)
async def set_participant_mode(context: JobContext, participant_id: str) -> None:
    """Tell the provider how a participant takes part, as the record says now."""
    parts = parts_of(context)
    async with parts.work() as work:
        call, participant = await actions.lock_participant(work, UUID(participant_id))
        sid = await _sid(work, participant)
        room = await work.session.get(Offer, participant.room_id)
        if (
            sid is None
            or participant.joined_at is None
            or participant.state not in LIVE
            or room is None
        ):
            return
        coach = await counsellor_sid(work, call) if participant.mode == Mode.WHISPER else None
        muted, conference = is_muted(participant, coach), room.conference_sid
    conference = conference or await parts.platform.find_conference(str(participant.room_id))
    if conference is not None:
        await parts.platform.mute(conference, sid, muted=muted, coach=coach)


async def _sid(work: Work, participant: Participant) -> str | None:
    found: str | None = await work.session.scalar(
        select(Leg.provider_sid).where(
            Leg.participant_id == participant.id,
            Leg.second == (participant.second_at is not None),
            Leg.provider_sid.is_not(None),
        )
    )
    return found


@task(Task.SET_MUTE)
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
    conference = conference or await parts.platform.find_conference(name)
    try:
        if conference is None:
            raise Refused("no such conference", status=404)
        await parts.platform.mute(conference, sid, muted=muted)
    except Refused:
        async with parts.work() as work:
            call, offer = await offers.lock_offer(work, UUID(offer_id))
            if (offer.muted_at is not None) == muted and offer.released_at is None:
                offer.muted_at = None if muted else work.now
                await record.record(work, call, CallLog.MUTE_FAILED, offer_id=offer_id)
                work.announce(Topic.CALLS, Topic.CALLS.of(call.id))


@task(Task.FOLLOW_CALL)
async def follow_call(context: JobContext, call_id: str) -> None:
    """Give the contact of a talk that was handed over to the counsellor who has it now."""
    async with parts_of(context).work() as work:
        call = await record.lock_call(work, UUID(call_id))
        offer = await offers.live_offer_of_call(work, call.id)
        if offer is not None and CallState(call.state) is CallState.CONNECTED:
            await contacts.open_for_call(work, call, offer.counsellor_id)


# -- what participants hear, and what they press -----------------------------------------------


async def lifted(work: Work, participant_id: UUID, signed: Signed) -> tuple[Answer, Scene | None]:
    """Return what a participant's phone hears when a person or a machine has answered it."""
    return await _asked(work, participant_id, signed, 0)


async def pressed(
    work: Work, participant_id: UUID, signed: Signed, attempt: int
) -> tuple[Answer, Scene | None]:
    """Handle the participant's key, or none: key 1 joins."""
    return await _asked(work, participant_id, signed, attempt)


async def _asked(
    work: Work, participant_id: UUID, signed: Signed, attempt: int
) -> tuple[Answer, Scene | None]:
    call, participant = await actions.lock_participant(work, participant_id)
    key = delivery_keys.participant(participant_id, signed.call_sid, attempt)
    event = await record.earlier_answer(work, key)
    if event is not None and event.answer is not None:
        return read_answer(event.answer), await scene_of(work, call)
    wanted = participant.state in LIVE and CallState(call.state) is CallState.CONNECTED
    wanted = wanted and not await participant_second_phone.is_called_off(work, participant)
    answer: Answer = answers.Taken()
    digits = signed.fields.get("Digits", "")
    if wanted and attempt and await _joins(work, participant, digits):
        coach = await counsellor_sid(work, call) if participant.mode == Mode.WHISPER else None
        await participant_second_phone.taken_at_telephone(work, participant)
        answer = answers.JoinParticipant(
            participant_id=participant.id,
            room_id=participant.room_id,
            muted=is_muted(participant, coach),
            coach=coach,
            second=participant.second_at is not None,
        )
    elif wanted and attempt < _WHISPERS:
        answer = await _ask(work, participant, attempt)
    elif wanted:
        answer = answers.HangUp()
        if not await participant_second_phone.browser_rings_on(work, participant):
            await actions.gone(work, call, participant, Cause.NO_KEY_PRESSED)
    await record.record(
        work,
        call,
        CallLog.PARTICIPANT_KEY_ASKED_FOR,
        delivery=delivery_of(signed, key),
        answer=answer,
        participant_id=str(participant.id),
    )
    return answer, await scene_of(work, call)


async def _ask(work: Work, participant: Participant, attempt: int) -> Answer:
    """Return the question to a participant; a colleague without a PIN that counts is told so."""
    proof, only_a_pin = not await _is_proven(work, participant), False
    if proof:
        staff = await work.session.get_one(Staff, participant.staff_id)
        only_a_pin = await phone_proofs.only_a_pin(work, staff)
    return answers.AskParticipant(
        participant_id=participant.id,
        # It is said once.
        attempt=_WHISPERS - 1 if only_a_pin else attempt,
        outside=participant.staff_id is None,
        proof=proof,
        only_a_pin=only_a_pin,
    )


async def _is_proven(work: Work, participant: Participant) -> bool:
    """Return whether the phone of a colleague was proven; others prove nothing."""
    if participant.staff_id is None:
        return True
    staff = await work.session.get_one(Staff, participant.staff_id)
    if participant.second_at is not None:
        return await phone_proofs.is_proven(work, staff)
    return await phone_proofs.is_paired(work, staff)


async def _joins(work: Work, participant: Participant, digits: str) -> bool:
    """Return whether the digits join the talk: key 1, or a colleague's PIN at an unproven phone."""
    if await _is_proven(work, participant):
        return digits == TAKE_DIGIT
    staff = await work.session.get_one(Staff, participant.staff_id)
    if not digits or await phone_proofs.prove(work, staff, digits) not in (
        EntryResult.RIGHT,
        EntryResult.HANDED,
    ):
        return False
    await phone_proofs.pair(work, staff)
    return True


async def left(work: Work, participant_id: UUID, signed: Signed) -> tuple[Answer, Scene | None]:
    """End the leg of a participant, which has left the conference and asks for a document."""
    call, participant = await actions.lock_participant(work, participant_id)
    key = delivery_keys.participant_left(participant_id)
    if await record.earlier_answer(work, key) is None:
        answer = answers.HangUp()
        await record.record(
            work,
            call,
            CallLog.PARTICIPANT_LEFT_CONFERENCE,
            delivery=delivery_of(signed, key),
            answer=answer,
            participant_id=str(participant_id),
        )
        status = read_leg_status(signed.fields.get("CallStatus"))
        lives = status is not None and not is_over(status)
        offer = (
            await work.session.get(Offer, participant.owner_offer_id)
            if participant.owner_offer_id
            else None
        )
        if offer is not None and offer.released_at is None and lives:
            # This counsellor took the talk over. A job finds out whether the star key ended it.
            offer.finished_at = work.now
            work.defer(Task.SETTLE_FINISH, offer_id=str(offer.id))
        else:
            await actions.gone(work, call, participant, Cause.LEFT)
    return answers.HangUp(), await scene_of(work, call)
