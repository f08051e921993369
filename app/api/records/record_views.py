"""The JSON views of contacts and cases."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel
from pydantic_core import to_json

from app.contacts.cases import (
    case_flags,
    case_links,
    case_requests,
    cases,
    documents,
    follow_ups,
    people,
)
from app.contacts.events import events_of
from app.contacts.models import Case, Contact
from app.contacts.records import Opened
from app.contacts.special_codes import admit, admit_list, categories_of
from app.staff.log_values import FoundBy
from app.staff.models import Staff
from app.work import Work


class ContactRow(BaseModel):
    id: UUID
    code: str
    call_id: UUID | None
    state: str
    closed_as: str | None
    kind: str | None
    channel: str
    source: str
    owner_id: UUID
    profile_id: UUID | None
    headline: str | None
    categories: list[str]
    place: str | None
    urgency: str | None
    taken_at: datetime
    opened_at: datetime
    completed_at: datetime | None
    revision: int


class ContactView(ContactRow):
    form: str
    form_version: int
    answers: dict[str, Any]
    versions: dict[str, int]


class CaseRow(BaseModel):
    id: UUID
    code: str
    status: str
    owner_id: UUID
    headline: str | None
    categories: list[str]
    place: str | None
    opened_at: datetime
    closed_at: datetime | None
    separation_risk: bool
    separation_outcome: str | None
    risk: str | None
    revision: int


class FollowUpView(BaseModel):
    id: UUID
    about: str
    due_on: date
    state: str
    words: str
    # For an intervention: its goal in the plan, and who provides it.
    goal: str | None
    provider: str
    result: str | None
    result_words: str


class FlagView(BaseModel):
    id: UUID
    about: str
    words: str
    last_on: date | None
    raised_at: datetime
    raised_by: str


class LinkedCase(BaseModel):
    id: UUID
    code: str
    tie: str
    # Whether the reader may open it.
    readable: bool


class RequestView(BaseModel):
    """A request about a case that a second person must approve."""

    id: UUID
    case_id: UUID
    case_code: str
    # `about` is "move" or "transfer"; `to` is the status, or the name of the colleague or team.
    about: str
    to: str
    reason: str
    asked_by: str
    asked_at: datetime
    decides: bool


class DocumentView(BaseModel):
    id: UUID
    name: str
    media_type: str
    size: int
    scan: str
    at: datetime


class EventLine(BaseModel):
    kind: str
    at: datetime
    staff_id: UUID | None
    detail: dict[str, Any]
    words: str


class CaseView(CaseRow):
    form: str
    form_version: int
    answers: dict[str, Any]
    versions: dict[str, int]
    contacts: list[ContactRow]
    members: list[str]
    follow_ups: list[FollowUpView]
    documents: list[DocumentView]
    flags: list[FlagView]
    linked: list[LinkedCase]
    requests: list[RequestView]
    events: list[EventLine]


_SHOWN = {"contacts": tuple(ContactRow.model_fields), "cases": tuple(CaseRow.model_fields)}


def as_json(view: BaseModel, status: int = 200) -> Response:
    """Return a view as a JSON response, without validating it a second time."""
    return Response(view.model_dump_json(), status, media_type="application/json")


def rows_as_json(name: str, rows: list[dict[str, Any]], following: str | None) -> Response:
    """Return a page of a list as JSON, with only the fields of its row view."""
    shown = _SHOWN[name]
    body = {name: [{key: row[key] for key in shown} for row in rows], "next_cursor": following}
    return Response(to_json(body), media_type="application/json")


async def _row(work: Work, record: Any, kind: str) -> dict[str, Any]:
    """Return the fields of a record that a list shows; the log has its reading first."""
    await admit(work, record)
    shown = {name: getattr(record, name) for name in _SHOWN[kind] if name != "categories"}
    return {**shown, "categories": categories_of(work, record)}


async def contact_row(work: Work, contact: Contact) -> ContactRow:
    """Return a contact as a list row, without its answers."""
    return ContactRow.model_construct(**await _row(work, contact, "contacts"))


async def contact_as_json(opened: Opened[Contact]) -> Response:
    """Return an opened contact with its answers as JSON, with the fields of a `ContactView`."""
    contact = opened.record
    body = {
        **await _row(opened.work, contact, "contacts"),
        "form": contact.form,
        "form_version": contact.form_version,
        "answers": opened.answers(),
        "versions": contact.versions,
    }
    return Response(to_json(body), media_type="application/json")


async def case_row(work: Work, case: Case) -> CaseRow:
    """Return a case as a list row, without its answers."""
    return CaseRow.model_construct(**await _row(work, case, "cases"))


def follow_up_state(follow_up: Any) -> str:
    """Return the state of a follow-up in one word."""
    if follow_up.done_at is not None:
        return "done"
    if follow_up.overdue_at is not None:
        return "overdue"
    return "due" if follow_up.reminded_at is not None else "set"


async def case_view(work: Work, staff: Staff, opened: Opened[Case]) -> CaseView:
    """Return an opened case with its answers."""
    case = opened.record
    within = await cases.contacts_in(work, staff, case)
    await admit_list(work, within, FoundBy.CASE)
    return CaseView(
        **await _row(work, case, "cases"),
        form=case.form,
        form_version=case.form_version,
        answers=opened.answers(),
        versions=case.versions,
        contacts=[await contact_row(work, c) for c in within],
        members=await people.members_of(work, case),
        follow_ups=await _follow_up_views(opened),
        documents=await _document_views(opened),
        flags=await _flag_views(opened),
        linked=[
            LinkedCase(id=one.id, code=one.code, tie=tie, readable=mine)
            for one, tie, mine in await case_links.linked_cases(work, staff, case.id)
        ],
        requests=[
            request_view(one)
            for one in await case_requests.waiting_for(
                work, staff, case_id=case.id, with_reasons=True
            )
        ],
        events=[
            EventLine(
                kind=event.kind,
                at=event.at,
                staff_id=event.staff_id,
                detail=event.detail,
                words=words,
            )
            for event, words in await events_of(opened)
        ],
    )


async def _follow_up_views(opened: Opened[Case]) -> list[FollowUpView]:
    return [
        FollowUpView(
            id=row.id,
            about=row.about,
            due_on=row.due_on,
            state=follow_up_state(row),
            words=words,
            goal=row.goal,
            provider=follow_ups.provider_of(opened, row),
            result=row.result,
            result_words=result,
        )
        for row, words, result in await follow_ups.follow_ups_of(opened)
    ]


async def _document_views(opened: Opened[Case]) -> list[DocumentView]:
    return [
        DocumentView(
            id=row.id,
            name=name,
            media_type=row.media_type,
            size=row.size,
            scan=row.scan,
            at=row.at,
        )
        for row, name in await documents.documents_of(opened)
    ]


async def _flag_views(opened: Opened[Case]) -> list[FlagView]:
    return [
        FlagView(
            id=flag.id,
            about=flag.about,
            words=words,
            last_on=flag.last_on,
            raised_at=flag.raised_at,
            raised_by=name,
        )
        for flag, words, name in await case_flags.flags_of(opened)
    ]


def request_view(waiting: case_requests.WaitingCaseRequest) -> RequestView:
    """Return an open request as a reader sees it."""
    request = waiting.request
    return RequestView(
        id=request.id,
        case_id=request.case_id,
        case_code=waiting.case.code,
        about="move" if request.to_status else "transfer",
        to=waiting.to,
        reason=waiting.reason,
        asked_by=waiting.asked_by,
        asked_at=request.asked_at,
        decides=waiting.decides,
    )
