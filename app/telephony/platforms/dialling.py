"""Platforms without conferences: when the caller's own leg dials a counsellor.

The counsellor's phone rings as on any platform, and the counsellor presses 1. Then the phone is
free again for a moment. The caller's leg asks for the next words every few seconds, and now gets
a `<Dial>` of that phone. The counsellor has just pressed a key, so no machine takes a child's call.
A click on the desk does not prove that the phone is on, so the key is needed after it, too.
"""

from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

from sqlalchemy import select

from app.calls.log_kinds import Cause
from app.calls.models import Call, Leg
from app.calls.states import CallState, Direction, EndedBy, LegStatus, read_leg_status
from app.dialling import outward
from app.dialling.models import DialledFor
from app.jobs.names import Task
from app.outbox.states import Sending
from app.routing import lost_counsellor, offers, releasing
from app.routing.models import Offer, OfferState
from app.staff.models import Staff
from app.telephony import answers
from app.telephony.answers import Answer
from app.telephony.counsellor.callback_address import callback_address, number_of
from app.telephony.provider.signature import Signed, read_number
from app.telephony.script import DIALLED_RINGS, RINGS_BACK, Scene
from app.work import Work

# After this time the phone is dialled, even if we are not told that it is free again.
_FREE_AFTER = timedelta(seconds=8)
# How long the platform may take to carry out a document of ours and report the result.
ON_THE_WAY = timedelta(seconds=10)
# How often the platform is asked whether a dialled phone was answered.
LOOKS_EVERY = timedelta(seconds=2)


async def dial_now(work: Work, call: Call) -> answers.Dial | None:
    """Return the answer that dials the counsellor who took the call, once their phone is free."""
    if CallState(call.state) is not CallState.OFFERED:
        return None
    offer = await offers.live_offer_of_call(work, call.id)
    if offer is None or offer.state != OfferState.ACCEPTED or offer.move_wanted_at is not None:
        return None
    if not await _is_free(work, offer):
        return None
    offer.move_wanted_at, offer.asked_at = work.now, None
    offer.expires_at = work.now + timedelta(seconds=DIALLED_RINGS) + ON_THE_WAY
    leg_id = uuid4()
    if not await outward.may_dial(
        work, await _endpoint(work, offer), leg_id, DialledFor.COUNSELLOR
    ):
        await offers.miss_offer(work, call, offer, Cause.COULD_NOT_BE_RUNG)
        return None
    leg = Leg(
        id=leg_id,
        call_id=call.id,
        offer_id=offer.id,
        sending=Sending.DIALLED.value,
        created_at=work.now,
        sent_at=work.now,
    )
    work.session.add(leg)
    work.defer(Task.WATCH_DIALLED, delay=LOOKS_EVERY, leg_id=str(leg.id))
    return answers.Dial(offer_id=offer.id)


async def _is_free(work: Work, offer: Offer) -> bool:
    """Return whether the call in which the counsellor pressed 1 is over, so they can be rung again.

    A SIP address is not rung for a key: there a click is enough.
    """
    legs = list(await work.session.scalars(select(Leg).where(Leg.offer_id == offer.id)))
    pressed = max((leg.answered_at for leg in legs if leg.answered_at), default=None)
    if legs and pressed is None:
        return False
    up = any(leg.ended_at is None for leg in legs)
    return not up or pressed is None or work.now - pressed >= _FREE_AFTER


async def was_pressed(work: Work, offer: Offer) -> bool:
    """Return whether the counsellor has pressed 1, or clicked where no key can be asked for."""
    legs = list(await work.session.scalars(select(Leg).where(Leg.offer_id == offer.id)))
    return not legs or any(leg.answered_at for leg in legs)


async def note_pressed(work: Work, offer: Offer, sid: str) -> None:
    """Note that a person pressed 1 in this leg."""
    legs = list(
        await work.session.scalars(
            select(Leg).where(Leg.offer_id == offer.id, Leg.ended_at.is_(None)).with_for_update()
        )
    )
    for leg in legs:
        if leg.provider_sid in (sid, None):
            leg.answered_at = work.now


async def dialled_leg(work: Work, offer_id: UUID) -> Leg | None:
    """Return the leg to a counsellor that the caller's own leg dials or dialled, if any."""
    found: Leg | None = await work.session.scalar(
        select(Leg)
        .where(Leg.offer_id == offer_id, Leg.sending == Sending.DIALLED)
        .with_for_update()
    )
    return found


async def dial_callback(work: Work, call: Call, offer: Offer) -> Answer:
    """Return the answer by which the counsellor's leg dials the call-back. Used once per call."""
    number = await number_of(work, call)
    if not await outward.may_dial(work, number, call.id, DialledFor.CALLBACK):
        # It counts as an attempt, so that it is not tried for ever.
        call.sending = Sending.FAILED.value
        await releasing.end_call(work, call, ended_by=EndedBy.PROGRAM)
        return answers.HangUp()
    call.rung_at = offer.move_wanted_at = work.now
    call.sending = Sending.SENDING.value
    offer.expires_at = work.now + timedelta(seconds=RINGS_BACK) + ON_THE_WAY
    work.defer(Task.WATCH_CALLBACK, delay=LOOKS_EVERY, offer_id=str(offer.id))
    return answers.DialCallback(offer_id=offer.id)


async def leave_counsellor(work: Work, call: Call) -> None:
    """Lose the counsellor of a caller whose own leg asks us for a document: they do not talk."""
    offer = await offers.live_offer_of_call(work, call.id)
    if offer is not None and offer.move_wanted_at is not None:
        _, offer = await offers.lock_offer(work, offer.id)
        await lost_counsellor.lose_counsellor(
            work, call, offer, Cause.BEGUN_AGAIN, fetch_caller=False
        )


async def pressed_leg_over(work: Work, call: Call, offer: Offer, at: datetime) -> None:
    """Handle the end of the leg in which the counsellor pressed 1.

    The phone is free, and rings again with the caller. A call-back is dialled from this leg and
    ends with it.
    """
    if call.direction == Direction.OUTBOUND and offer.released_at is None:
        await releasing.end_call(work, call, ended_by=EndedBy.COUNSELLOR, at=at)


async def is_stale(work: Work, answer: Answer) -> bool:
    """Return whether an earlier answer would ring a counsellor whose offer is over."""
    if not isinstance(answer, answers.Dial):
        return False
    offer = await work.session.get(Offer, answer.offer_id)
    return offer is None or offer.released_at is not None


class DialResult(NamedTuple):
    """How a dial ended, and how many seconds the talk lasted."""

    status: LegStatus
    seconds: int


def dial_result(signed: Signed) -> DialResult:
    """Return what the platform says of a dial; after an error of ours the address repeats it."""
    query = dict(parse_qsl(signed.path_and_query.partition("?")[2]))
    word = signed.fields.get("DialCallStatus") or query.get("status")
    seconds = signed.fields.get("DialCallDuration") or query.get("seconds", "")
    return DialResult(read_leg_status(word) or LegStatus.FAILED, read_number(seconds) or 0)


def result_in_address(signed: Signed) -> str:
    """Return how a dial went as part of an address: a repeated request does not say it."""
    if "DialCallStatus" not in signed.fields:
        return ""
    result = dial_result(signed)
    return f"&status={result.status.value}&seconds={result.seconds}"


def watch_partner(work: Work, call: Call) -> None:
    """Have the platform asked about the partner's phone: it cannot report that it was answered."""
    work.defer(Task.WATCH_PARTNER, delay=LOOKS_EVERY, call_id=str(call.id))


def note_partner(work: Work, call: Call, signed: Signed) -> None:
    """Derive from the end of the dial when the partner answered, if we did not see it."""
    if call.transferred_at is not None:
        return
    result = dial_result(signed)
    if result.status is LegStatus.COMPLETED and call.partner_at is not None:
        began = work.now - timedelta(seconds=result.seconds)
        call.transferred_at = max(began, call.partner_at)


async def with_address(work: Work, answer: Answer, scene: Scene | None) -> Scene | None:
    """Return the scene with the address that an answer dials, which is kept in no log."""
    if scene is None or not isinstance(answer, answers.Dial | answers.DialCallback):
        return scene
    if isinstance(answer, answers.DialCallback):
        call = await work.session.get(Call, scene.call_id)
        number = await number_of(work, call) if call is not None else ""
        to, shows = callback_address(work.settings, number, scene.line.shown_number)
        return scene.where(to=to, shows=shows)
    offer = await work.session.get(Offer, answer.offer_id)
    return scene.where(to=await _endpoint(work, offer) if offer is not None else "")


async def _endpoint(work: Work, offer: Offer) -> str:
    found: str | None = await work.session.scalar(
        select(Staff.endpoint).where(Staff.id == offer.counsellor_id)
    )
    return found or ""
