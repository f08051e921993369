"""Teamwork on cases: transfers and approvals, links, flags, the caseload."""

from datetime import date
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.records.record_views import CaseRow, RequestView, case_row, request_view
from app.contacts.cases import case_children, case_flags, case_links, case_requests, caseload, cases
from app.contacts.states import CaseTie, FlagAbout
from app.web.access import InWork, ReadsRecords, WritesCases
from app.web.lean import LeanRoute

router = APIRouter(tags=["cases"], route_class=LeanRoute)


class Transfer(BaseModel):
    # A colleague, or else a team.
    name: str = Field(default="", max_length=200)
    team: str = Field(default="", max_length=80)
    reason: str = Field(max_length=2000)


class Made(BaseModel):
    id: UUID


class Decision(BaseModel):
    approve: bool
    reason: str = Field(default="", max_length=2000)
    # For a transfer to a team: who takes the case. Empty: the supervisor who approves.
    name: str = Field(default="", max_length=200)


class Requests(BaseModel):
    requests: list[RequestView]


class NewLink(BaseModel):
    code: str = Field(max_length=40)
    tie: CaseTie = CaseTie.SIBLINGS


class NewFlag(BaseModel):
    about: FlagAbout
    words: str = Field(max_length=500)
    last_on: date | None = None


class ChildLine(BaseModel):
    """A child whom a contact of the case describes, and which child of the case it is."""

    contact_id: UUID
    contact: str
    entry: str
    number: int
    age: str
    gender: str
    # Whether this has been decided. If so, a null `case_entry` means no child of the case.
    known: bool
    case_entry: str | None


class Children(BaseModel):
    children: list[ChildLine]


class WhichChild(BaseModel):
    """The entry of the child in the case. Empty: the child is not one of the case."""

    child: str = Field(max_length=40)


class CaseloadView(BaseModel):
    owners: list[caseload.Caseload]


@router.get("/caseload")
async def get_caseload(work: InWork, staff: ReadsRecords) -> CaseloadView:
    """Return the open cases by owner: your own, or for a supervisor those of the team."""
    return CaseloadView(owners=await caseload.caseload(work, staff))


@router.post("/cases/{case_id}/transfer", status_code=201)
async def ask_transfer(work: InWork, staff: WritesCases, case_id: UUID, body: Transfer) -> Made:
    """Ask a colleague or a team to take the case over."""
    asked = await case_requests.ask_transfer(
        work, staff, case_id, name=body.name, team=body.team, reason=body.reason
    )
    return Made(id=asked.id)


@router.get("/case-requests")
async def list_requests(work: InWork, staff: ReadsRecords) -> Requests:
    """List the open requests that you may decide or have made."""
    found = await case_requests.waiting_for(work, staff, with_reasons=True)
    return Requests(requests=[request_view(one) for one in found])


@router.post("/case-requests/{request_id}/decide")
async def decide(work: InWork, staff: WritesCases, request_id: UUID, body: Decision) -> CaseRow:
    """Approve a move or a transfer, or refuse it with a reason."""
    case = await case_requests.decide(
        work, staff, request_id, approve=body.approve, reason=body.reason, name=body.name
    )
    return await case_row(work, case)


@router.post("/case-requests/{request_id}/take-back", status_code=204)
async def take_back(work: InWork, staff: WritesCases, request_id: UUID) -> None:
    """Withdraw your own request."""
    await case_requests.take_back(work, staff, request_id)


@router.post("/cases/{case_id}/links", status_code=204)
async def link_case(work: InWork, staff: WritesCases, case_id: UUID, body: NewLink) -> None:
    """Link the case to another case by its code."""
    await case_links.link_cases(work, staff, case_id, body.code, body.tie)


@router.post("/cases/{case_id}/links/{other_id}/remove", status_code=204)
async def unlink_case(work: InWork, staff: WritesCases, case_id: UUID, other_id: UUID) -> None:
    """Remove a link between two cases."""
    await case_links.unlink_cases(work, staff, case_id, other_id)


@router.get("/cases/{case_id}/children")
async def list_children(work: InWork, staff: ReadsRecords, case_id: UUID) -> Children:
    """List the children of the case's contacts, and which child of the case each of them is."""
    opened = await cases.open_case_record(work, staff, case_id)
    found = await case_children.children_in_contacts(work, staff, opened.record)
    return Children(children=[ChildLine(**vars(one)) for one in found])


@router.post("/cases/{case_id}/contacts/{contact_id}/children/{entry}", status_code=204)
async def say_which_child(
    work: InWork, staff: WritesCases, case_id: UUID, contact_id: UUID, entry: str, body: WhichChild
) -> None:
    """Say which child of the case a child of its contact is. Consent counts in both records."""
    await case_children.say_which_child(
        work, staff, case_id, contact_id, entry, case_entry=body.child or None
    )


@router.post("/cases/{case_id}/flags", status_code=201)
async def raise_flag(work: InWork, staff: WritesCases, case_id: UUID, body: NewFlag) -> Made:
    """Raise a flag that is shown at the top of the case."""
    flag = await case_flags.raise_flag(work, staff, case_id, body.about, body.words, body.last_on)
    return Made(id=flag.id)


@router.post("/case-flags/{flag_id}/lower", status_code=204)
async def lower_flag(work: InWork, staff: WritesCases, flag_id: UUID) -> None:
    """Lower a flag."""
    await case_flags.lower_flag(work, staff, flag_id)
