"""The JSON interface of new numbers of partners, which wait for a second person."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from app.routing import partners
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["lines"], route_class=StrictRoute)
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_ACCESS_REQUESTS), scope="function")]


class PartnerRequestView(BaseModel):
    """A number at which a line's callers are to reach another service."""

    id: UUID
    line_id: UUID
    line: str
    number: str
    # The number that is rung until then; null for none.
    before: str | None
    asked_by: str
    asked_role: str
    asked_at: datetime
    # Whether the reader may approve.
    may_approve: bool
    # Whether a person who has left had entered it as a second phone that was never proven.
    perhaps_of_leaver: bool
    # Whether it is the partner's number now, in doubt, and the reader may approve: it is taken out
    # if they refuse it.
    is_taken_out: bool


class PartnerDecisionIn(BaseModel):
    approve: bool
    # Although it is perhaps the phone of a person who has left.
    knowingly: bool = False


@router.get("/partner-requests")
async def list_partner_requests(work: InWork, staff: Sees) -> list[PartnerRequestView]:
    """Return the numbers of partners that wait for a second person."""
    return [
        PartnerRequestView(
            id=one.row.id,
            line_id=one.row.line_id,
            line=one.line,
            number=one.row.number,
            before=one.row.before,
            asked_by=one.asked_by,
            asked_role=one.row.asked_role,
            asked_at=one.row.asked_at,
            may_approve=one.may_approve,
            perhaps_of_leaver=one.perhaps_of_leaver,
            is_taken_out=one.is_taken_out,
        )
        for one in await partners.waiting(work, staff)
    ]


@router.post("/partner-requests/{request_id}", status_code=204)
async def decide_partner_request(
    work: InWork, staff: Sees, request_id: UUID, wanted: PartnerDecisionIn
) -> None:
    """Let the number be rung, as a second person with another role, or refuse it. The number that
    a line has, and that is in doubt, is taken out of its plan when such a person refuses it. If
    another one does, only the question is given up."""
    await partners.decide(
        work, request_id, by=staff, approve=wanted.approve, knowingly=wanted.knowingly
    )
