"""The JSON interface of the queue and the offers."""

from uuid import UUID

from fastapi import APIRouter

from app.abilities import EndpointKind
from app.api.views import OfferView, Waiting
from app.calls import danger_words
from app.calls.lines import finding_lines
from app.calls.models import Call
from app.chats import ending
from app.routing import in_hand, offers
from app.routing.models import Offer
from app.routing.waiting import places_in_queue
from app.staff.models import Staff
from app.web.access import InWork, SeesQueue, TakesCalls
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["calls"], route_class=StrictRoute)


@router.get("/queue")
async def get_queue(work: InWork, staff: SeesQueue) -> list[Waiting]:
    """Return the waiting calls in the order in which they will be served."""
    reads = danger_words.may_read(staff.role)
    return [
        Waiting(
            id=w.id,
            line=w.line,
            language=w.language,
            priority=w.priority,
            waiting_seconds=max(0, int((work.now - w.queued_at).total_seconds())),
            danger=w.danger,
            returned=w.returned,
            being_offered=w.being_offered,
            channel=w.channel,
            alarming=w.alarming,
            danger_words=danger_words.opened(work, w.id, w.danger_words_sealed) if reads else "",
        )
        for w in await places_in_queue.waiting_calls(work)
    ]


@router.get("/offers/mine")
async def my_offers(work: InWork, staff: TakesCalls) -> list[OfferView]:
    """Return the offer that rings for you or the call that you hold, and the conversations that are
    offered to you. `GET /chats/mine` has those that you took."""
    found = await in_hand.read_in_hand(work, staff)
    rings = [offer_view(work, found.offer, found.call, found.line, staff)] if found.call else []
    return rings + [
        offer_view(work, one.offer, one.call, one.line, staff)
        for one in await in_hand.conversations_of(work, staff)
        if one.is_offered
    ]


def offer_view(work: Work, offer: Offer | None, call: Call, line: str, staff: Staff) -> OfferView:
    assert offer is not None
    waited = (call.answered_at or work.now) - (call.queued_at or call.opened_at)
    return OfferView(
        id=offer.id,
        call_id=call.id,
        state=offer.state,
        channel=call.channel,
        slot=offer.slot,
        line=line,
        language=call.language or "",
        danger=call.danger,
        alarming=call.alarming,
        danger_words=danger_words.opened(work, call.id, call.danger_words_sealed),
        returned=call.returned > 0,
        waiting_seconds=max(0, int(waited.total_seconds())),
        seconds_left=max(0, int((offer.expires_at - work.now).total_seconds())),
        endpoint=EndpointKind.PHONE if offer.second_at is not None else staff.endpoint_kind,
    )


@router.post("/offers/{offer_id}/accept")
async def accept_offer(work: InWork, staff: TakesCalls, offer_id: UUID) -> OfferView:
    """Accept the call or conversation. 409 OfferNoLongerOpen if another counsellor has it or the
    caller is gone. A conversation is a talk at once."""
    call, offer = await offers.own_offer(work, offer_id, staff.id)
    await ending.accept(work, call, offer)
    line = await finding_lines.line_of_id(work, call.line_id)
    return offer_view(work, offer, call, line.name if line else "", staff)


@router.post("/offers/{offer_id}/decline", status_code=204)
async def decline_offer(work: InWork, staff: TakesCalls, offer_id: UUID) -> None:
    """Decline the offer. The call is offered to the next counsellor."""
    call, offer = await offers.own_offer(work, offer_id, staff.id)
    await offers.decline_offer(work, call, offer)
