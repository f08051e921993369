"""The JSON interface of requests about a person's data: to find, to ask, to decide, to open."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from app.api.description import files
from app.retention.data_requests import answering, deadlines, extending, requests, which_child
from app.retention.data_requests.kinds import (
    AskingPerson,
    Because,
    CopyKind,
    CopyState,
    ExtensionReason,
    IdentityCheck,
    ItemKind,
    Keep,
    RequestBasis,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.models import DataRequest
from app.retention.data_requests.requests import LONGEST_SOUGHT, LONGEST_WORDS
from app.retention.data_requests.searched import changed_of, sought_of
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
    # The day on which the person asked, from which the law counts.
    asked_on: date
    asked_by: UUID | None
    asked_at: datetime | None
    decided_by: UUID | None
    decided_at: datetime | None
    done_at: datetime | None
    # Since when a report is another officer's, and whose (null with a moment: the command line's).
    taken_at: datetime | None
    taken_by: UUID | None
    # When the report was opened first: until then the person is not answered.
    opened_at: datetime | None
    # The request with which this one was begun again.
    replaced_by: UUID | None
    # For a request that is not answered: the last day for it, and whether that is near, or over.
    answer_by: date | None
    is_near: bool
    is_overdue: bool
    # An extension: until when, why, and when the person was told; without that it does not count.
    extended_until: date | None
    extension_because: ExtensionReason | None
    told_on: date | None
    # The receipt: rows by kind that were erased or shown, and rows that were kept by ground.
    counts: dict[ItemKind, int]
    kept: dict[Keep, int]


class ItemView(BaseModel):
    """A row that was found. `keep` null: it is erased, or shown in the report.

    `children`: of how many a record tells, at least; null: it is no record. `changed`: the request
    was given back, because this row had changed since the search.
    """

    kind: ItemKind
    id: UUID
    code: str
    at: datetime
    because: Because
    children: int | None
    keep: Keep | None
    changed: bool


class CopiesView(BaseModel):
    """How many copies at the telephony provider are in which state."""

    kind: CopyKind
    state: CopyState
    count: int


class MeantView(BaseModel):
    """A child that was meant by a place after a code. `now`: its place in the record now.

    `standing`: `gone` if it is not in the record any more, `unknown` if this server cannot say.
    """

    code: str
    place: int
    standing: which_child.Standing
    now: int | None


class OneView(RequestView):
    """A request with what was found. Numbers and codes that were looked for are its maker's."""

    items: list[ItemView]
    copies: list[CopiesView]
    numbers: list[str] | None
    codes: list[str] | None
    words: str | None
    report_until: datetime | None
    # Which children were meant by places after codes: also for the person who decides.
    meant: list[MeantView]
    # What tells the person of an extension, in paragraphs; for officers.
    letter: list[str]


class SearchIn(BaseModel):
    """Numbers, and codes of contacts, cases, referrals or profiles, one a line or with commas.

    `K-7F3-9QD-2XC/2`: the second child of that contact or case.
    """

    kind: RequestKind
    person: AskingPerson
    sought: str = Field(max_length=LONGEST_SOUGHT)
    # When the person asked; null: today, or as the request says that this one replaces.
    asked_on: date | None = None
    # A request that ended without an answer, and is begun again with this one.
    replaces: UUID | None = None


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


class ExtensionIn(BaseModel):
    """One or two months more, with the reason; `words`, to the person, are sealed."""

    months: int = Field(ge=1, le=extending.MOST_MONTHS)
    because: ExtensionReason
    words: str = Field(max_length=LONGEST_WORDS)


class ToldIn(BaseModel):
    # The day on which the person was told of the extension; null: today.
    on: date | None = None


def _columns(work: Work, request: DataRequest) -> dict[str, Any]:
    found = {
        "asked_on": deadlines.asked_day(work, request),
        "answer_by": deadlines.answer_by(work, request),
        "is_near": deadlines.is_near(work, request),
        "is_overdue": deadlines.is_overdue(work, request),
        "extended_until": deadlines.extended_day(work, request),
    }
    stored = RequestView.model_fields.keys() - found.keys()
    return {name: getattr(request, name) for name in stored} | found


async def _view(work: Work, staff: Staff, request: DataRequest) -> OneView:
    own = requests.may_read_whom(staff, request)
    sought = sought_of(work, request) if own else None
    ready, changed = answering.can_open(work, request), changed_of(work, request)
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
                changed=one.subject_id in changed,
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
        meant=[
            MeantView(code=one.code, place=one.place, standing=one.standing, now=one.now)
            for one in await which_child.children_meant(work, request)
        ],
        letter=extending.letter_for(work, staff, request),
    )


@router.get("")
async def list_requests(work: InWork, _staff: Sees) -> list[RequestView]:
    """Return all requests whose person waits, by the day to answer; then the newest others."""
    return [RequestView(**_columns(work, one)) for one in await requests.list_requests(work)]


@router.post("", status_code=201)
async def find(work: InWork, staff: Answers, asked: SearchIn) -> OneView:
    """Begin a request: find every row about the person. The search is logged first."""
    found = await requests.find(
        work, staff, asked.kind, asked.person, asked.sought, asked.asked_on, asked.replaces
    )
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
    """Withdraw a request before it is decided, or whose report is gone unopened or failed."""
    return await _view(work, staff, await requests.withdraw(work, staff, data_request_id))


@router.post("/{data_request_id}/take-over")
async def take_over(work: InWork, staff: Answers, data_request_id: UUID) -> OneView:
    """Take over a report whose officer has left, or answers no requests any more."""
    return await _view(work, staff, await answering.take_over(work, staff, data_request_id))


@router.post("/{data_request_id}/extension")
async def extend(
    work: InWork, staff: Answers, data_request_id: UUID, asked: ExtensionIn
) -> OneView:
    """Take more time, once and within the first month. It counts when the person was told."""
    found = await extending.extend(
        work, staff, data_request_id, asked.months, asked.because, asked.words
    )
    return await _view(work, staff, found)


@router.post("/{data_request_id}/extension/told")
async def note_told(work: InWork, staff: Answers, data_request_id: UUID, asked: ToldIn) -> OneView:
    """Note that the person was told of the extension, and why, within the first month."""
    return await _view(
        work, staff, await extending.note_told(work, staff, data_request_id, asked.on)
    )


@router.post("/{data_request_id}/decision")
async def decide(work: InWork, staff: Decides, data_request_id: UUID, asked: DecisionIn) -> OneView:
    """Approve or refuse, as a second person; an erasure as a person of another role."""
    found = await requests.decide(work, staff, data_request_id, approve=asked.approve)
    return await _view(work, staff, found)


@router.get("/{data_request_id}/report.{file_format}", **files(*answering.FORMATS.values()))
async def report(
    work: InWork, staff: Answers, data_request_id: UUID, file_format: Format
) -> Response:
    """Return the report, for the person who asked for it or has taken it over."""
    content = await answering.open_report(work, staff, data_request_id, file_format.value)
    return Response(
        content,
        media_type=answering.FORMATS[file_format.value],
        headers={
            "Content-Disposition": f'attachment; filename="report.{file_format.value}"',
            "Cache-Control": "no-store",
        },
    )
