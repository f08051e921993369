"""Where the platform has no conference: when the caller's own leg dials a counsellor.

A counsellor's phone is rung as everywhere, and they press 1; then it is free again for a moment,
and the caller, who asks us for the next words every few seconds, is answered with a `<Dial>` of it.
Whoever presses a key has just been there: no machine takes a child's call in those seconds.
A click on the board is no such word of a phone, which may be switched off: the key is needed, too.
"""

from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

from sqlalchemy import select

from app.calls.models import Call, Leg, RecordedEvent
from app.calls.states import CallState, LegStatus, read_leg_status
from app.routing import offers
from app.routing.models import Offer, OfferState
from app.settings import Settings
from app.staff.models import Staff
from app.telephony.script import DIALLED_RINGS, RINGS_BACK, Answer, Scene
from app.telephony.signature import Signed, read_number
from app.work import Work

# If we are not told that the phone is free again, it is dialled after so long all the same.
_FREE_AFTER = timedelta(seconds=8)
# Until the platform has carried out what we answered, and told us how it went.
ON_THE_WAY = timedelta(seconds=10)
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
    if not await _is_free(work, offer):
        return None
    offer.move_wanted_at, offer.asked_at = work.now, None
    offer.expires_at = work.now + timedelta(seconds=DIALLED_RINGS) + ON_THE_WAY
    leg = Leg(
        id=uuid4(), call_id=call.id, offer_id=offer.id, sending="dialled", created_at=work.now,
        sent_at=work.now,
    )  # fmt: skip
    work.session.add(leg)
    work.defer("telephony:watch_dialled", delay=LOOKS_EVERY, leg_id=str(leg.id))
    return {"kind": "dial", "offer_id": str(offer.id)}


async def _is_free(work: Work, offer: Offer) -> bool:
    """Whether the call in which the counsellor pressed 1 is over, so that they can be rung again.

    A SIP address is not rung for a key: there a click is the word of a person.
    """
    legs = list(await work.session.scalars(select(Leg).where(Leg.offer_id == offer.id)))
    pressed = max((leg.answered_at for leg in legs if leg.answered_at), default=None)
    if legs and pressed is None:
        return False
    up = any(leg.ended_at is None for leg in legs)
    return not up or pressed is None or work.now - pressed >= _FREE_AFTER


async def was_pressed(work: Work, offer: Offer) -> bool:
    """Whether the counsellor has pressed 1, or has clicked where no key can be asked for."""
    legs = list(await work.session.scalars(select(Leg).where(Leg.offer_id == offer.id)))
    return not legs or any(leg.answered_at for leg in legs)


async def note_pressed(work: Work, offer: Offer, sid: str) -> None:
    """A person pressed 1 in this leg of theirs."""
    legs = list(
        await work.session.scalars(
            select(Leg).where(Leg.offer_id == offer.id, Leg.ended_at.is_(None)).with_for_update()
        )
    )
    for leg in legs:
        if leg.provider_sid in (sid, None):
            leg.answered_at = work.now


async def dialled_leg(work: Work, offer_id: UUID) -> Leg | None:
    """The leg by which the caller's own leg dials a counsellor, if it does or did."""
    found: Leg | None = await work.session.scalar(
        select(Leg).where(Leg.offer_id == offer_id, Leg.sending == "dialled").with_for_update()
    )
    return found


def dial_back(work: Work, call: Call, offer: Offer) -> Answer:
    """The counsellor is there: their leg dials whoever wants to be called back. Once."""
    call.rung_at = offer.move_wanted_at = work.now
    offer.expires_at = work.now + timedelta(seconds=RINGS_BACK) + ON_THE_WAY
    work.defer("telephony:watch_back", delay=LOOKS_EVERY, offer_id=str(offer.id))
    return {"kind": "dial_back", "offer_id": str(offer.id)}


async def is_stale(work: Work, answer: Answer) -> bool:
    """Whether an earlier answer would ring somebody who is not asked for this call any more."""
    if answer["kind"] != "dial":
        return False
    offer = await work.session.get(Offer, UUID(answer["offer_id"]))
    return offer is None or offer.released_at is not None


class DialResult(NamedTuple):
    """How a dial ended, and how many seconds they talked."""

    status: LegStatus
    seconds: int


def dial_result(signed: Signed) -> DialResult:
    """What the platform says of a dial; after trouble of ours the address repeats it."""
    query = dict(parse_qsl(signed.path_and_query.partition("?")[2]))
    word = signed.fields.get("DialCallStatus") or query.get("status")
    seconds = signed.fields.get("DialCallDuration") or query.get("seconds", "")
    return DialResult(read_leg_status(word) or LegStatus.FAILED, read_number(seconds) or 0)


def note_partner(work: Work, call: Call, signed: Signed) -> None:
    """If nobody saw a partner lift the phone, the end of the dial tells when that was."""
    result = dial_result(signed)
    if result.status is LegStatus.COMPLETED and call.partner_at is not None:
        began = work.now - timedelta(seconds=result.seconds)
        call.transferred_at = max(began, call.partner_at)


def address_back(settings: Settings, number: str, line_number: str) -> tuple[str, str]:
    """Where somebody is rung who is called back, and what their phone shows.

    Telephone platforms send no withheld number; a gateway of one's own does, for a call from
    `anonymous`, as RFC 3323 (4.1.1.3) names whoever wants to be no one.
    """
    if settings.callback_gateway is not None:
        return f"sip:{number}@{settings.callback_gateway}", "anonymous"
    return number, settings.callback_from or line_number


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
        number = await number_of(work, call) if call is not None else ""
        to, shows = address_back(work.settings, number, scene.line.shown_number)
        return scene.where(to=to, shows=shows)
    endpoint = await work.session.scalar(
        select(Staff.endpoint)
        .join(Offer, Offer.counsellor_id == Staff.id)
        .where(Offer.id == UUID(answer["offer_id"]))
    )
    return scene.where(to=endpoint or "")
