"""Make a counsellor's leg once (`app/outbox`), and end it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from procrastinate import JobContext
from sqlalchemy import select

from app.calls.labels import Label
from app.calls.lines import finding_lines
from app.calls.log_kinds import Cause
from app.calls.models import Call, Leg
from app.calls.states import CallState
from app.dialling.models import DialledFor
from app.jobs.names import Task
from app.log import log
from app.outbox.once import send_once
from app.outbox.responses import Refused
from app.outbox.states import Sending
from app.routing import lost_counsellor, offers, second_phone
from app.routing.models import Offer, OfferState
from app.routing.participants import actions, participant_second_phone
from app.routing.participants.participants import LIVE, RINGS, Mode, Participant, ParticipantPurpose
from app.staff.models import Staff
from app.telephony.counsellor import pacing
from app.telephony.counsellor.pacing import LegUrgency
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.outgoing import AtProvider
from app.telephony.participants import participant_legs
from app.telephony.provider.urls import leg_path, offer_path
from app.work import Work

# Sends the request for a leg with what was read for it, and returns the provider's id of it.
_Send = Callable[[dict[str, Any]], Awaitable[str]]


async def _begin(work: Work, leg_id: str) -> tuple[Leg, Call, Offer, Staff] | None:
    """Lock a leg with its call and offer. Return None if there is no such leg."""
    locked = await offers.lock_leg(work, UUID(leg_id))
    if locked is None:
        return None
    leg, call, offer = locked
    staff = await work.session.get(Staff, offer.counsellor_id)
    assert staff is not None
    return leg, call, offer, staff


class _LegOnce(AtProvider[Leg]):
    """The leg of a counsellor, or of another participant in a talk."""

    what: dict[str, Any]
    purpose = DialledFor.COUNSELLOR

    def __init__(self, parts: Parts, task_name: Task, leg_id: str, send: _Send) -> None:
        super().__init__(task_name, leg_id=leg_id)
        self.platform, self._leg_id, self._request = parts.platform, leg_id, send

    async def lock(self, work: Work) -> Leg | None:
        begun = await _begin(work, self._leg_id)
        if begun is None:
            return None
        leg, self._call, self._offer, self._staff = begun
        if leg.participant_id is not None:
            self.purpose = DialledFor.PARTICIPANT
        return leg

    async def prepare(self, work: Work, leg: Leg) -> bool:
        call, offer = self._call, self._offer
        if (offer.released_at is not None and leg.participant_id is None) or leg.end_wanted:
            leg.sending, leg.ended_at = Sending.FAILED.value, work.now
            await pacing.give_up(work, leg.id)
            return False
        wait = await pacing.take_turn(work, leg.id, await _urgency(work, call, offer, leg))
        if wait is not None:
            self.later(work, wait)
            return False
        if leg.participant_id is not None:
            what = await _prepare_participant(work, call, leg)
        else:
            what = await _prepare_counsellor(work, call, offer, leg, self._staff)
        self.what = what or {}
        return what is not None

    def counted_as(self, row: Leg) -> UUID:
        # A number that a person asked into a talk is counted since they asked.
        return row.participant_id or row.id

    async def send(self) -> str:
        return await self._request(self.what)

    async def address(self, work: Work, leg: Leg) -> str:
        return await address_of_leg(work, leg)

    async def accepted(self, work: Work, leg: Leg) -> None:
        if leg.end_wanted and leg.ended_at is None:
            # The caller left while the request was under way: the phone must not ring on.
            work.defer(Task.END_LEG, leg_id=self._leg_id)

    async def failed(self, work: Work, leg: Leg, error: Refused | None) -> None:
        if error is not None:
            log().warning(
                "the provider refused a leg",
                area="telephony",
                code=error.code,
                leg_id=self._leg_id,
            )
        leg.ended_at = work.now
        if leg.participant_id is None:
            call, offer, cause = self._call, self._offer, Cause.COULD_NOT_BE_RUNG
            if not await second_phone.leg_over(work, call, offer, leg, cause):
                await offers.miss_offer(work, call, offer, cause)
        elif participant := await work.session.get(Participant, leg.participant_id):
            call, cause = self._call, Cause.COULD_NOT_BE_RUNG
            if not await participant_second_phone.leg_over(work, call, participant, leg, cause):
                await actions.gone(work, call, participant, cause)


async def _prepare_counsellor(
    work: Work, call: Call, offer: Offer, leg: Leg, staff: Staff
) -> dict[str, Any]:
    if offer.state == OfferState.OPEN and not leg.second:
        # The phone rings from now on; the wait for a turn must not shorten the offer.
        rings = timedelta(seconds=work.settings.offer_seconds)
        offer.expires_at = max(offer.expires_at, work.now + rings)
    line = await finding_lines.line_or_any(work, call.line_id)
    left = (offer.expires_at - work.now).total_seconds()
    if offer.lost_at is not None:
        grace = lost_counsellor.grace_of(work.settings, staff, offer)
        left = (grace - (work.now - offer.lost_at)).total_seconds()
    return {
        "to": participant_legs.address_of_staff(staff, leg),
        "from_": line.shown_number if line else "",
        "seconds": max(5, min(60, int(left))),
        "offer_id": offer.id,
        "room_id": offer.room,
    }


async def _urgency(work: Work, call: Call, offer: Offer, leg: Leg) -> LegUrgency:
    if call.danger:
        return LegUrgency.DANGER
    if leg.participant_id is not None:
        participant = await work.session.get(Participant, leg.participant_id)
        helps = participant is not None and participant.purpose == ParticipantPurpose.CALL_FOR_HELP
        return LegUrgency.RESCUE if helps else LegUrgency.OTHER
    return LegUrgency.RESCUE if offer.lost_at is not None else LegUrgency.OFFER


async def _prepare_participant(work: Work, call: Call, leg: Leg) -> dict[str, Any] | None:
    participant = await work.session.get(Participant, leg.participant_id)
    if (
        participant is None
        or participant.state not in LIVE
        or CallState(call.state) is CallState.ENDED
    ):
        leg.sending, leg.ended_at = Sending.FAILED.value, work.now
        return None
    to, from_ = await participant_legs.address_of(work, participant, leg)
    # Both ways ring within the same time.
    left = RINGS - (work.now - participant.wanted_at) if leg.second else RINGS
    coach = (
        await participant_legs.counsellor_sid(work, call)
        if participant.mode == Mode.WHISPER
        else None
    )
    return {
        "to": to,
        "from_": from_,
        "seconds": max(5, int(left.total_seconds())),
        "participant": participant,
        "coach": coach,
        "muted": participant_legs.is_muted(participant, coach),
    }


@task(Task.RING_COUNSELLOR)
async def ring_counsellor(context: JobContext, leg_id: str) -> None:
    """Ring a counsellor's phone; they press 1 to take the call."""
    parts = parts_of(context)

    async def send(what: dict[str, Any]) -> str:
        return await parts.platform.ring(
            to=what["to"],
            from_=what["from_"],
            document=offer_path(what["offer_id"], "whisper"),
            told=leg_path(leg_id),
            seconds=what["seconds"],
        )

    await make_leg(context, leg_id, send)


@task(Task.JOIN_COUNSELLOR)
async def join_counsellor(context: JobContext, leg_id: str) -> None:
    """Bring a counsellor who accepted on the desk into the conference of the offer."""
    parts = parts_of(context)

    async def send(what: dict[str, Any]) -> str:
        room_id = what["room_id"]
        return await parts.platform.add(
            str(room_id),
            to=what["to"],
            from_=what["from_"],
            label=Label.COUNSELLOR,
            told=leg_path(leg_id),
            conference_told=offer_path(room_id, "conference"),
            hold=offer_path(room_id, "hold"),
            seconds=what["seconds"],
        )

    await make_leg(context, leg_id, send)


async def make_leg(context: JobContext, leg_id: str, send: _Send) -> None:
    """Send the request for a leg once; `send` gets what was read for it."""
    parts = parts_of(context)
    await send_once(parts.ground, _LegOnce(parts, Task(context.job.task_name), leg_id, send))


async def address_of_leg(work: Work, leg: Leg) -> str:
    """Return the address that a leg of ours rings."""
    if leg.participant_id is not None:
        participant = await work.session.get(Participant, leg.participant_id)
        assert participant is not None
        return (await participant_legs.address_of(work, participant, leg))[0]
    staff = await work.session.scalar(
        select(Staff).join(Offer, Offer.counsellor_id == Staff.id).where(Offer.id == leg.offer_id)
    )
    return participant_legs.address_of_staff(staff, leg) if staff is not None else ""


@task(Task.END_LEG)
async def end_leg(context: JobContext, leg_id: str) -> None:
    """End a leg, so that its phone does not ring on."""
    parts = parts_of(context)
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        if begun is None or begun[0].ended_at is not None:
            return
        leg = begun[0]
        if leg.sending == Sending.WANTED:
            leg.sending, leg.ended_at = Sending.FAILED.value, work.now
            return
        if leg.sending == Sending.DIALLED:
            # The caller's own leg rings it, and its id is not reported to us.
            work.defer(Task.END_DIALLED, leg_id=leg_id)
            return
        sid = leg.provider_sid
    if sid is None:
        # Being sent, or uncertain: the job that learns its id ends it.
        return
    await parts.platform.end(sid)
