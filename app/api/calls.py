"""The queue, the offers, the live call, and the call records."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import Select, select

from app.api.views import (
    CallPage,
    CallView,
    EventView,
    OfferView,
    Waiting,
    call_view,
    event_view,
)
from app.calls import messages, queries
from app.calls.models import Line
from app.calls.states import Outcome
from app.errors import Invalid
from app.routing import desk, offers, queue
from app.staff.access import HearsMessages, InWork, SeesQueue, SignedIn, TakesCalls
from app.staff.audit import write_entry
from app.staff.models import Staff
from app.work import Work

router = APIRouter(tags=["calls"])


@router.get("/queue")
async def get_queue(work: InWork, staff: SeesQueue) -> list[Waiting]:
    """Who waits, in the order in which they will be served."""
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
        )
        for w in await queue.waiting_calls(work)
    ]


@router.get("/offers/mine")
async def my_offers(work: InWork, staff: TakesCalls) -> list[OfferView]:
    """The offer that rings for me, or the call that I hold; a list of none or one."""
    found = await desk.desk_of(work, staff)
    return [offer_view(work, found, staff)] if found.offer is not None else []


def offer_view(work: Work, found: desk.Desk, staff: Staff) -> OfferView:
    offer, call = found.offer, found.call
    assert offer is not None
    assert call is not None
    waited = (call.answered_at or work.now) - (call.queued_at or call.opened_at)
    return OfferView(
        id=offer.id,
        call_id=call.id,
        state=offer.state,
        line=found.line,
        language=call.language or "",
        danger=call.danger,
        returned=call.returned > 0,
        waiting_seconds=max(0, int(waited.total_seconds())),
        seconds_left=max(0, int((offer.expires_at - work.now).total_seconds())),
        endpoint=staff.endpoint_kind,
    )


@router.post("/offers/{offer_id}/accept")
async def accept_offer(work: InWork, staff: TakesCalls, offer_id: UUID) -> OfferView:
    """Take the call. 409 OfferNoLongerOpen when somebody else was faster or the caller is gone."""
    call, offer = await offers.own_offer(work, offer_id, staff.id)
    await offers.accept_offer(work, call, offer)
    return offer_view(work, await desk.desk_of(work, staff), staff)


@router.post("/offers/{offer_id}/decline", status_code=204)
async def decline_offer(work: InWork, staff: TakesCalls, offer_id: UUID) -> None:
    """Not now."""
    call, offer = await offers.own_offer(work, offer_id, staff.id)
    await offers.decline_offer(work, call, offer)


def _readable(staff: Staff) -> Select[Any]:
    return queries.readable_calls(staff, desk.own_calls(staff))


async def _line_names(work: Work) -> dict[UUID | None, str]:
    return dict((await work.session.execute(select(Line.id, Line.name))).all())


@router.get("/calls")
async def list_calls(
    work: InWork,
    staff: SignedIn,
    since: Annotated[datetime | None, Query(alias="from")] = None,
    until: Annotated[datetime | None, Query(alias="to")] = None,
    outcome: str | None = None,
    line: str | None = None,
    cursor: str | None = None,
) -> CallPage:
    """Call records, newest first: half-open from `from` until before `to`."""
    if outcome is not None and outcome not in set(Outcome):
        raise Invalid(f"There is no such outcome. There are: {', '.join(Outcome)}.")
    for at in (since, until):
        if at is not None and at.tzinfo is None:
            raise Invalid("Give instants with their zone, for example 2026-11-24T08:00:00+01:00.")
    calls, following = await queries.list_calls(
        work,
        _readable(staff),
        since=since,
        until=until,
        outcome=outcome,
        line=line,
        cursor=cursor,
    )
    names = await _line_names(work)
    return CallPage(
        calls=[call_view(call, names.get(call.line_id)) for call in calls], next_cursor=following
    )


@router.get("/calls/{call_id}")
async def get_call(work: InWork, staff: SignedIn, call_id: UUID) -> CallView:
    """One call record."""
    call = await queries.readable_call(work, _readable(staff), call_id)
    write_entry(work, "call record read", str(call_id))
    return call_view(call, (await _line_names(work)).get(call.line_id))


@router.get("/calls/{call_id}/events")
async def get_events(work: InWork, staff: SignedIn, call_id: UUID) -> list[EventView]:
    """The log of a call."""
    call = await queries.readable_call(work, _readable(staff), call_id)
    write_entry(work, "call record read", str(call_id))
    return [event_view(event) for event in await queries.events_of(work, call)]


@router.post("/calls/{call_id}/hold", status_code=204)
async def hold(work: InWork, staff: TakesCalls, call_id: UUID) -> None:
    """The caller hears a comforting word until resumed."""
    await desk.set_hold(work, staff, call_id, True)


@router.post("/calls/{call_id}/resume", status_code=204)
async def resume(work: InWork, staff: TakesCalls, call_id: UUID) -> None:
    """Back to the talk."""
    await desk.set_hold(work, staff, call_id, False)


@router.post("/calls/{call_id}/hang-up", status_code=204)
async def hang_up(work: InWork, staff: TakesCalls, call_id: UUID) -> None:
    """End the talk. Only a call that is connected can be ended by a person of ours."""
    await desk.end_talk(work, staff, call_id)


@router.get("/voice-messages/{message_id}")
async def voice_message(work: InWork, staff: HearsMessages, message_id: UUID) -> Response:
    """The audio of a voice message; opening it is logged."""
    audio, kind = await messages.open_message(work, message_id)
    return Response(audio, media_type=kind, headers={"Cache-Control": "no-store"})
