"""The JSON interface of emergency access by two people."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from app.people.emergency import closing, emergencies, reviewing
from app.people.emergency.reviewing import ShownEmergency
from app.staff.emergency_rows import EmergencyKind, EmergencyState
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires, SignedIn, set_cookie
from app.web.sign_in import signing_in
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["emergencies"], route_class=StrictRoute)
Asks = Annotated[Staff, Depends(Requires(Permission.ASK_EMERGENCY), scope="function")]
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_EMERGENCIES), scope="function")]
Confirms = Annotated[Staff, Depends(Requires(Permission.CONFIRM_EMERGENCY), scope="function")]
Reviews = Annotated[Staff, Depends(Requires(Permission.REVIEW_EMERGENCIES), scope="function")]
_Words = Annotated[str, Field(max_length=4000)]


class ActView(BaseModel):
    """An act, by its code in the log, and what became of it when the access ended: it was undone,
    could not be (`left`), is none of those that are (`stays`), or is of a time from which this is
    not known (`unknown`). Null until the access has ended."""

    at: datetime
    action: str
    outcome: reviewing.ActOutcome | None


class EmergencyView(BaseModel):
    """An emergency access. `ground` is empty for a reader who may not see it."""

    id: UUID
    kind: EmergencyKind
    state: EmergencyState
    code: str
    ground: str
    minutes: int
    asked_by: str
    asked_role: str
    asked_at: datetime
    confirm_until: datetime
    decided_by: str
    decided_at: datetime | None
    until: datetime | None
    ended_at: datetime | None
    reviewed_by: str
    reviewed_at: datetime | None
    fitting: bool | None
    review: str
    # What was done under it, for a reader who may review it.
    acts: list[ActView]
    # Whether you may confirm it now.
    may_confirm: bool


class EmergencyIn(BaseModel):
    """What is asked for; `code` is that of a contact or case."""

    kind: EmergencyKind
    ground: _Words
    minutes: int = 60
    code: Annotated[str, Field(max_length=100)] = ""


class ReviewIn(BaseModel):
    fitting: bool
    words: _Words


class Asked(BaseModel):
    id: UUID
    confirm_until: datetime


def _view(one: ShownEmergency) -> EmergencyView:
    row = one.row
    return EmergencyView(
        id=row.id,
        kind=EmergencyKind(row.kind),
        state=EmergencyState(row.state),
        code=one.code,
        ground=one.ground,
        minutes=row.minutes,
        asked_by=one.asked_by,
        asked_role=row.asked_role,
        asked_at=row.asked_at,
        confirm_until=row.confirm_until,
        decided_by=one.decided_by,
        decided_at=row.decided_at,
        until=row.until,
        ended_at=row.ended_at,
        reviewed_by=one.reviewed_by,
        reviewed_at=row.reviewed_at,
        fitting=row.fitting,
        review=one.review,
        acts=[ActView(**act._asdict()) for act in one.acts],
        may_confirm=one.may_confirm,
    )


@router.get("/emergencies")
async def all_emergencies(work: InWork, staff: SignedIn) -> list[EmergencyView]:
    """List emergency accesses: your own, or all if your role is told of them."""
    return [_view(one) for one in await reviewing.shown_to(work, staff)]


@router.post("/emergencies", status_code=201)
async def ask_for_emergency(work: InWork, staff: Asks, sent: EmergencyIn) -> Asked:
    """Ask for emergency access. Everyone concerned is told at once."""
    row = await emergencies.ask(work, staff, sent.kind, sent.ground, sent.minutes, sent.code)
    return Asked(id=row.id, confirm_until=row.confirm_until)


@router.post("/emergencies/{emergency_id}/confirm", status_code=204)
async def confirm_emergency(work: InWork, staff: Confirms, emergency_id: UUID) -> None:
    """Confirm what another person of another role has asked for."""
    await emergencies.decide(work, staff, emergency_id, confirm=True)


@router.post("/emergencies/{emergency_id}/refuse", status_code=204)
async def refuse_emergency(work: InWork, staff: Confirms, emergency_id: UUID) -> None:
    """Refuse what another person has asked for."""
    await emergencies.decide(work, staff, emergency_id, confirm=False)


@router.post("/emergencies/{emergency_id}/enter", status_code=204)
async def enter_emergency(
    request: Request, response: Response, work: InWork, staff: SignedIn, emergency_id: UUID
) -> None:
    """Act on the accounts: the answer sets the cookie of the emergency account."""
    token = await signing_in.enter_emergency(request, work, staff, emergency_id)
    set_cookie(response, work.ground, token)


@router.post("/emergencies/{emergency_id}/end", status_code=204)
async def end_emergency(work: InWork, staff: SignedIn, emergency_id: UUID) -> None:
    """End it before its time, or take back what you asked for."""
    await closing.end(work, staff, emergency_id)


@router.post("/emergencies/{emergency_id}/seen", status_code=204)
async def emergency_seen(work: InWork, staff: Sees, emergency_id: UUID) -> None:
    """Say that you have seen it: it sounds no more on your pages."""
    await reviewing.seen(work, staff, emergency_id)


@router.post("/emergencies/{emergency_id}/review", status_code=204)
async def review_emergency(
    work: InWork, staff: Reviews, emergency_id: UUID, sent: ReviewIn
) -> None:
    """Write whether an emergency access that is over was right."""
    await reviewing.review(work, staff, emergency_id, fitting=sent.fitting, words=sent.words)
