"""The JSON interface of call-backs."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.views import CallbackView, callback_view
from app.calls import queries, record
from app.chats import ringing
from app.chats.left import scopes
from app.errors import Invalid
from app.routing.callbacks import callback_attempts, callbacks, choices
from app.web.access import InWork, TakesCalls
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["calls"], route_class=StrictRoute)


class CallbackIn(BaseModel):
    since: datetime = Field(alias="from")
    until: datetime
    who: choices.Who = choices.Who.CALLER
    # The caller has said that it is safe to call.
    safe: bool
    # In a conversation that you have: the message (its `number`) with the phone number that the
    # child wrote. Without it, the number from which the child writes is meant.
    message: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


@router.post("/calls/{call_id}/callback", status_code=201)
async def agree_callback(
    work: InWork, staff: TakesCalls, call_id: UUID, body: CallbackIn
) -> dict[str, UUID]:
    """Agree on a call-back: when, who may answer, and that it is safe to call.

    It is made to the number from which the caller rings or the child writes, or with `message` to
    one that the child wrote.
    """
    await queries.readable_call(work, scopes.known_callers(staff), call_id)
    for at in (body.since, body.until):
        if at.tzinfo is None:
            raise Invalid("Give times with their zone, for example 2026-11-24T08:00:00+01:00.")
    window = (body.since, body.until)
    if body.message is None:
        call = await record.lock_call(work, call_id)
        made = await ringing.agree_known(work, call, body.who, window, safe=body.safe)
    else:
        call, number = await ringing.given_number(work, staff, call_id, body.message)
        made = await ringing.agree(work, call, number, body.who, window, safe=body.safe)
    return {"id": made.id}


@router.get("/callbacks")
async def list_callbacks(work: InWork, staff: TakesCalls) -> list[CallbackView]:
    """List the open call-backs, the next one first."""
    return [
        callback_view(row, line, work.now)
        for row, line, _ in await callbacks.open_callbacks(work, staff.team)
    ]


class SaidIn(BaseModel):
    said: callbacks.WhoAnswered


@router.post("/callbacks/{callback_id}/say", status_code=204)
async def say_who_answered(
    work: InWork, staff: TakesCalls, callback_id: UUID, body: SaidIn
) -> None:
    """Say who answered a call-back: the child, another person, or no person. Until then the
    number is kept, but not rung."""
    await callback_attempts.say(work, staff, callback_id, body.said)


@router.post("/callbacks/{callback_id}/again", status_code=204)
async def call_back_again(work: InWork, staff: TakesCalls, callback_id: UUID) -> None:
    """Start a call-back again that was given up."""
    await callback_attempts.start_again(work, staff, callback_id)


@router.post("/callbacks/{callback_id}/cancel", status_code=204)
async def cancel_callback(work: InWork, staff: TakesCalls, callback_id: UUID) -> None:
    """Cancel a call-back, or close one that was given up."""
    await callbacks.cancel(work, staff, callback_id)
