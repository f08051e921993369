"""The JSON interface of callers: history, flags, wishes and number of a call's caller."""

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from app.calls import callers, queries
from app.calls.caller_rows import FlagKind, WishKind
from app.calls.callers import NumberReason
from app.calls.models import Call
from app.chats.left import scopes
from app.errors import NotAllowed, NotFound
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["callers"], route_class=StrictRoute)
Knows = Annotated[Staff, Depends(Requires(Permission.KNOW_CALLERS), scope="function")]
Words = Annotated[str, Field(max_length=1000)]


class FlagIn(BaseModel):
    kind: FlagKind
    reason: Words
    hours: int = Field(ge=1, le=9600)


class FlagView(BaseModel):
    id: UUID
    kind: FlagKind
    reason: str
    made_at: datetime
    expires_at: datetime


class WishIn(BaseModel):
    wish: Literal["prefer", "never", "none"]
    # Default: the counsellor who sends the request.
    counsellor_id: UUID | None = None


class WishView(BaseModel):
    wish: WishKind
    counsellor: str


class CallerView(BaseModel):
    linked: bool
    calls_before: int
    last_at: datetime | None
    flags: list[FlagView]
    wishes: list[WishView]


class NumberIn(BaseModel):
    reason: NumberReason


async def _call(work: Work, staff: Staff, call_id: UUID) -> Call:
    return await queries.readable_call(work, scopes.known_callers(staff), call_id)


@router.get("/calls/{call_id}/caller")
async def get_caller(work: InWork, staff: Knows, call_id: UUID) -> CallerView:
    """Return earlier calls of the number, its flags with their reasons, and its wishes."""
    call = await _call(work, staff, call_id)
    found = await callers.history(work, call)
    return CallerView(
        linked=call.caller_key is not None,
        calls_before=found.calls,
        last_at=found.last_at,
        flags=[
            FlagView(
                id=f.id, kind=f.kind, reason=f.reason, made_at=f.made_at, expires_at=f.expires_at
            )
            for f in await callers.flags_of(work, call)
        ],
        wishes=[WishView(wish=w, counsellor=n) for w, n in await callers.wishes_of(work, call)],
    )


@router.post("/calls/{call_id}/flags", status_code=201)
async def flag(work: InWork, staff: Knows, call_id: UUID, body: FlagIn) -> dict[str, UUID]:
    """Flag the caller. The flag expires by itself."""
    call = await _call(work, staff, call_id)
    lasts = timedelta(hours=body.hours)
    return {"id": await callers.flag_caller(work, staff, call, body.kind, body.reason, lasts)}


@router.post("/calls/{call_id}/flags/{flag_id}/lift", status_code=204)
async def lift(work: InWork, staff: Knows, call_id: UUID, flag_id: UUID) -> None:
    """Lift a flag before it expires."""
    await callers.lift_flag(work, staff, await _call(work, staff, call_id), flag_id)


@router.post("/calls/{call_id}/wishes", status_code=204)
async def wish(work: InWork, staff: Knows, call_id: UUID, body: WishIn) -> None:
    """Record that the caller prefers or refuses a counsellor, or has no such wish any more."""
    call = await _call(work, staff, call_id)
    if body.wish == "none":
        await callers.end_wishes(work, call)
        return
    who = body.counsellor_id or staff.id
    if who != staff.id and not may(staff.role, Permission.SUPERVISE):
        raise NotAllowed("Only a supervisor can record a caller's wish about a colleague.")
    if await work.session.get(Staff, who) is None:
        raise NotFound("There is no such counsellor.")
    await callers.wish(work, call, who, WishKind(body.wish))


@router.post("/calls/{call_id}/number")
async def number(work: InWork, staff: Knows, call_id: UUID, body: NumberIn) -> dict[str, str]:
    """Return the caller's number. The reason is logged first."""
    call = await _call(work, staff, call_id)
    return {"number": await callers.open_number(work, call, body.reason)}
