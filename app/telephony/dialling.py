"""Where the platform has no conference: when the caller's own leg dials a counsellor.

A counsellor's phone is rung as everywhere, and they press 1; then it is free again for a moment,
and the caller, who asks us for the next words every few seconds, is answered with a `<Dial>` of it.
Whoever presses a key has just been there: no machine takes a child's call in those seconds.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select

from app.calls.models import Call, Leg, RecordedEvent
from app.calls.states import CallState
from app.routing import offers
from app.routing.models import Offer, OfferState
from app.staff.models import Staff
from app.telephony.script import DIALLED_RINGS, RINGS_BACK, Answer, Scene
from app.telephony.signature import read_number
from app.work import Work

# If we are not told that the phone is free again, it is dialled after so long all the same.
_FREE_AFTER = timedelta(seconds=8)
# Until the caller asks us again, and the platform has carried out what we answered.
_ON_THE_WAY = timedelta(seconds=10)
# How often the platform is asked whether a dialled phone was lifted.
LOOKS_EVERY = timedelta(seconds=2)

_HEARD_OF = (
    "wait", "waits_on", "enter_queue", "returned", "danger", "dial", "dialled", "partner_rung",
)  # fmt: skip


async def is_silent(work: Work, call: Call) -> bool:
    """Whether a waiting caller has not asked for the next words for too long."""
    last: datetime | None = await work.session.scalar(
        select(RecordedEvent.at)
        .where(RecordedEvent.call_id == call.id, RecordedEvent.kind.in_(_HEARD_OF))
        .order_by(RecordedEvent.id.desc())
        .limit(1)
    )
    return last is None or work.now - last >= timedelta(seconds=work.settings.silence_seconds)


async def dial_now(work: Work, call: Call) -> Answer | None:
    """The answer that dials whoever has taken the call, once their phone is free."""
    if work.settings.has_conferences or CallState(call.state) is not CallState.OFFERED:
        return None
    offer = await offers.live_offer_of_call(work, call.id)
    if offer is None or offer.state != OfferState.ACCEPTED or offer.move_wanted_at is not None:
        return None
    assert offer.accepted_at is not None
    if await _still_up(work, offer) and work.now - offer.accepted_at < _FREE_AFTER:
        return None
    offer.move_wanted_at, offer.asked_at = work.now, None
    offer.expires_at = work.now + timedelta(seconds=DIALLED_RINGS) + _ON_THE_WAY
    leg = Leg(
        id=uuid4(), call_id=call.id, offer_id=offer.id, sending="dialled", created_at=work.now,
        sent_at=work.now,
    )  # fmt: skip
    work.session.add(leg)
    work.defer("telephony:watch_dialled", delay=LOOKS_EVERY, leg_id=str(leg.id))
    return {"kind": "dial", "offer_id": str(offer.id)}


async def _still_up(work: Work, offer: Offer) -> bool:
    """Whether the call in which the counsellor pressed 1 has not ended yet."""
    found = select(Leg.id).where(Leg.offer_id == offer.id, Leg.ended_at.is_(None)).limit(1)
    return await work.session.scalar(found) is not None


async def dialled_leg(work: Work, offer_id: UUID) -> Leg | None:
    """The leg by which the caller's own leg dials a counsellor, if it does or did."""
    found: Leg | None = await work.session.scalar(
        select(Leg).where(Leg.offer_id == offer_id, Leg.sending == "dialled").with_for_update()
    )
    return found


def dial_back(work: Work, call: Call, offer: Offer) -> Answer:
    """The counsellor is there: their leg dials whoever wants to be called back. Once."""
    call.rung_at = offer.move_wanted_at = work.now
    offer.expires_at = work.now + timedelta(seconds=RINGS_BACK) + _ON_THE_WAY
    work.defer("telephony:watch_back", delay=LOOKS_EVERY, offer_id=str(offer.id))
    return {"kind": "dial_back", "offer_id": str(offer.id)}


def note_partner(work: Work, call: Call, fields: Mapping[str, str]) -> None:
    """If nobody saw a partner lift the phone, the end of the dial tells when that was."""
    if fields.get("DialCallStatus") == "completed" and call.partner_at is not None:
        seconds = read_number(fields.get("DialCallDuration", "")) or 0
        call.transferred_at = max(work.now - timedelta(seconds=seconds), call.partner_at)


async def number_of(work: Work, call: Call) -> str:
    """The number that is called back; empty once it is forgotten."""
    if call.caller_number_sealed is None:
        return ""
    return work.keys.open(
        call.caller_number_sealed, table="calls", column="caller_number_sealed", row=call.id
    ).decode()


async def with_address(work: Work, answer: Answer, scene: Scene | None) -> Scene | None:
    """The scene with whom an answer dials; it is kept in no log."""
    if scene is None or answer["kind"] not in ("dial", "dial_back"):
        return scene
    if answer["kind"] == "dial_back":
        call = await work.session.get(Call, scene.call_id)
        to = await number_of(work, call) if call is not None else ""
        return scene.where(to=to, shows=work.settings.callback_from or "")
    endpoint = await work.session.scalar(
        select(Staff.endpoint)
        .join(Offer, Offer.counsellor_id == Staff.id)
        .where(Offer.id == UUID(answer["offer_id"]))
    )
    return scene.where(to=endpoint or "")
