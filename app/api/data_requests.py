"""The JSON interface of requests about a person's data: to find, to ask, to decide, to open."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from app.api.description import files
from app.retention.data_requests import answering, ending, reminding, requests
from app.retention.data_requests.kinds import (
    AskingPerson,
    Because,
    CopyKind,
    CopyState,
    IdentityCheck,
    ItemKind,
    Keep,
    RequestBasis,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.models import DataRequest
from app.retention.data_requests.requests import LONGEST_SOUGHT, LONGEST_WORDS
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["data requests"], prefix="/data-requests", route_class=StrictRoute)
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_DATA_REQUESTS), scope="function")]
Answers = Annotated[Staff, Depends(Requires(Permission.ANSWER_DATA_REQUESTS), scope="function")]
Decides = Annotated[Staff, Depends(Requires(Permission.DECIDE_DATA_REQUESTS), scope="function")]


class Format(StrEnum):
    PDF = "pdf"
    JSON = "json"


class RequestView(BaseModel):
    """A request: what it is, and never about whom."""

    id: UUID
    code: str
    kind: RequestKind
    person: AskingPerson
    state: RequestState
    basis: RequestBasis | None
    identity: IdentityCheck | None
    began_at: datetime
    asked_by: UUID | None
    asked_at: datetime | None
    decided_by: UUID | None
    decided_at: datetime | None
    done_at: datetime | None
    # Of an open request: when the month of the law is over, and whether that is near.
    answer_by: datetime | None
    is_near: bool
    # The receipt: rows by kind that were erased or shown, and rows that were kept by ground.
    counts: dict[ItemKind, int]
    kept: dict[Keep, int]


class ItemView(BaseModel):
    """A row that was found. `keep` null: it is erased, or shown in the report.

    `children`: of how many a record tells, at least; null: it is no record.
    """

    kind: ItemKind
    id: UUID
    code: str
    at: datetime
    because: Because
    children: int | None
    keep: Keep | None


class CopiesView(BaseModel):
    """How many copies at the telephony provider are in which state."""

    kind: CopyKind
    state: CopyState
    count: int


class OneView(RequestView):
    """A request with what was found. Numbers and codes that were looked for are its maker's."""

    items: list[ItemView]
    copies: list[CopiesView]
    numbers: list[str] | None
    codes: list[str] | None
    words: str | None
    report_until: datetime | None
    # When a request that is not asked or not decided ends by itself.
    ends_at: datetime | None


class SearchIn(BaseModel):
    """Numbers, and codes of contacts, cases, referrals or profiles, one a line or with commas.

    `K-7F3-9QD-2XC/2`: the second child of that contact or case.
    """

    kind: RequestKind
    person: AskingPerson
    sought: str = Field(max_length=LONGEST_SOUGHT)


class KeptIn(BaseModel):
    kind: ItemKind
    id: UUID
    # null: it is erased, or shown in the report.
    keep: Keep | None


class AllKeptIn(BaseModel):
    items: list[KeptIn] = Field(max_length=2000)


class AskIn(BaseModel):
    basis: RequestBasis
    identity: IdentityCheck
    # Sealed: how the identity was checked and when.
    words: str = Field(max_length=LONGEST_WORDS)


class DecisionIn(BaseModel):
    approve: bool


def _columns(work: Work, request: DataRequest) -> dict[str, Any]:
    found = {
        "answer_by": reminding.answer_by(request),
        "is_near": reminding.is_near(work, request),
    }
    stored = RequestView.model_fields.keys() - found.keys()
    return {name: getattr(request, name) for name in stored} | found


async def _view(work: Work, staff: Staff, request: DataRequest) -> OneView:
    own = requests.is_own(staff, request)
    sought = requests.sought_of(work, request) if own else None
    ready = answering.can_open(work, request)
    return OneView(
        **_columns(work, request),
        items=[
            ItemView(
                kind=ItemKind(one.kind),
                id=one.subject_id,
                code=one.label,
                at=one.at,
                because=Because(one.because),
                children=one.children,
                keep=Keep(one.keep) if one.keep else None,
            )
            for one in await requests.items_of(work, request)
        ],
        copies=[
            CopiesView(kind=CopyKind(kind), state=CopyState(state), count=count)
            for kind, state, count in await requests.copies_of(work, request)
        ],
        numbers=sought.numbers if sought else None,
        codes=sought.codes if sought else None,
        words=requests.words_of(work, request) if own else None,
        report_until=request.done_at + answering.LASTS if ready and request.done_at else None,
        ends_at=ending.ends_at(request),
    )


@router.get("")
async def list_requests(work: InWork, _staff: Sees) -> list[RequestView]:
    """Return the requests, newest first: what each is, and what came of it."""
    return [RequestView(**_columns(work, one)) for one in await requests.list_requests(work)]


@router.post("", status_code=201)
async def find(work: InWork, staff: Answers, asked: SearchIn) -> OneView:
    """Begin a request: find every row about the person. The search is logged first."""
    found = await requests.find(work, staff, asked.kind, asked.person, asked.sought)
    return await _view(work, staff, found)


@router.get("/{data_request_id}")
async def one_request(work: InWork, staff: Sees, data_request_id: UUID) -> OneView:
    """Return a request with what was found: kinds, codes and times, nothing that was told."""
    return await _view(work, staff, await requests.read_request(work, data_request_id))


@router.put("/{data_request_id}/kept")
async def set_kept(
    work: InWork, staff: Answers, data_request_id: UUID, asked: AllKeptIn
) -> OneView:
    """Say what is kept and why. Rows that are left out stay as they are."""
    wanted = {(one.kind, one.id): one.keep for one in asked.items}
    return await _view(work, staff, await requests.set_kept(work, staff, data_request_id, wanted))


@router.post("/{data_request_id}/ask")
async def ask(work: InWork, staff: Answers, data_request_id: UUID, asked: AskIn) -> OneView:
    """Ask a second person to decide."""
    found = await requests.ask(
        work, staff, data_request_id, asked.basis, asked.identity, asked.words
    )
    return await _view(work, staff, found)


@router.post("/{data_request_id}/withdraw")
async def withdraw(work: InWork, staff: Answers, data_request_id: UUID) -> OneView:
    """Withdraw a request before it is decided: one's own, or as another officer."""
    return await _view(work, staff, await requests.withdraw(work, staff, data_request_id))


@router.post("/{data_request_id}/decision")
async def decide(work: InWork, staff: Decides, data_request_id: UUID, asked: DecisionIn) -> OneView:
    """Approve or refuse, as a second person; an erasure as a person of another role."""
    found = await requests.decide(work, staff, data_request_id, approve=asked.approve)
    return await _view(work, staff, found)


@router.get("/{data_request_id}/report.{file_format}", **files(*answering.FORMATS.values()))
async def report(
    work: InWork, staff: Answers, data_request_id: UUID, file_format: Format
) -> Response:
    """Return the report, for the person who asked for it."""
    content = await answering.open_report(work, staff, data_request_id, file_format.value)
    return Response(
        content,
        media_type=answering.FORMATS[file_format.value],
        headers={
            "Content-Disposition": f'attachment; filename="report.{file_format.value}"',
            "Cache-Control": "no-store",
        },
    )
