"""The JSON interface of accounts that would read children's records and wait for approval."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from app.people.approval import deciding
from app.privacy import ends
from app.staff.models import AccessKind, Staff
from app.staff.roles import Permission, Role
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["people"], route_class=StrictRoute)
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_ACCESS_REQUESTS), scope="function")]


class AccessRequestView(BaseModel):
    """What takes effect when a second person approves."""

    id: UUID
    kind: AccessKind
    person_id: UUID
    name: str
    # The role now, and the one that the account is to have.
    role: Role
    new_role: Role
    # For a new address, its first letter and its domain; null if it stays.
    new_email: str | None
    # Null if they stay; for a phone, its ends, also for an account that becomes active.
    new_team: str | None
    new_endpoint: str | None
    # Whether the link goes to the person's address; false: it was shown to the asker. Null: none.
    # A lost second factor may have one, too.
    by_mail: bool | None
    # The provider that the person comes from; null for none.
    issuer: str | None
    # An account, or empty: `asked_role` says what asked.
    asked_by: str
    asked_role: str
    asked_at: datetime
    # Whether the reader may approve.
    may_approve: bool


class DecisionIn(BaseModel):
    approve: bool


@router.get("/access-requests")
async def list_access_requests(work: InWork, staff: Sees) -> list[AccessRequestView]:
    """Return the accounts that would read children's records and wait for a second person."""
    return [
        AccessRequestView(
            id=one.row.id,
            kind=AccessKind(one.row.kind),
            person_id=one.person.id,
            name=one.person.name,
            role=Role(one.person.role),
            new_role=Role(one.row.role or one.person.role),
            new_email=ends.of_email(one.row.email) if one.row.email is not None else None,
            new_team=one.row.team,
            new_endpoint=ends.of_number(one.rings_at) if one.rings_at else None,
            by_mail=one.by_mail,
            issuer=one.row.issuer,
            asked_by=one.asked_by,
            asked_role=one.row.asked_role,
            asked_at=one.row.asked_at,
            may_approve=one.may_approve,
        )
        for one in await deciding.waiting(work, staff)
    ]


@router.post("/access-requests/{request_id}", status_code=204)
async def decide_access_request(
    work: InWork, staff: Sees, request_id: UUID, wanted: DecisionIn
) -> None:
    """Approve what waits, as a second person who reads such records, or refuse it."""
    await deciding.decide(work, request_id, by=staff, approve=wanted.approve)
