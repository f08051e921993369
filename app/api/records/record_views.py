"""The JSON views of contacts and cases."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel
from pydantic_core import to_json

from app.contacts import completing, contacts
from app.contacts.cases import (
    case_flags,
    case_links,
    case_requests,
    cases,
    documents,
    follow_ups,
    people,
)
from app.contacts.models import Case, Contact
from app.contacts.records import Opened, events_of, library_of, present, sheet_of
from app.contacts.saving import Saved, headline_warnings
from app.contacts.scopes import readable
from app.definitions.answers import Answers, Asked
from app.definitions.forms import column_of
from app.definitions.library import Library
from app.errors import NotFound
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work


def as_json(view: BaseModel, status: int = 200) -> Response:
    """Return a view as a JSON response, without validating it a second time."""
    return Response(view.model_dump_json(), status, media_type="application/json")


_SHOWN: dict[str, tuple[str, ...]] = {}


def rows_as_json(name: str, rows: list[dict[str, Any]], following: str | None) -> Response:
    """Return a page of a list as JSON, with only the fields of its row view."""
    shown = _SHOWN[name]
    body = {name: [{key: row[key] for key in shown} for row in rows], "next_cursor": following}
    return Response(to_json(body), media_type="application/json")


class MissingView(BaseModel):
    path: str
    words: str


class SuggestionView(BaseModel):
    urgency: str
    cues: list[str]
    reasons: list[dict[str, str]]


class FormState(BaseModel):
    """The state of a form. `hidden`, `closed_sections`: not asked, given the present answers."""

    revision: int
    state: str
    hidden: list[str]
    closed_sections: list[str]
    required: list[str]
    missing: list[MissingView]
    suggestion: SuggestionView | None
    urgency: str | None
    # Problems in the headline; null if it was not checked again.
    warnings: list[str] | None
    support: list[str]


class ConflictView(BaseModel):
    value: Any
    version: int


class SavedView(BaseModel):
    id: UUID
    code: str
    revision: int
    saved: dict[str, int]
    conflicts: dict[str, ConflictView]
    refused: dict[str, str]
    form: FormState | None = None


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
    """A request about a case to which a second person has to agree."""

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


class FieldView(BaseModel):
    code: str
    type: str
    label: dict[str, str]
    required: bool
    personal: str | None
    options: list[str]
    column: str


class SectionView(BaseModel):
    code: str
    title: dict[str, str]
    repeats: int | None
    fields: list[FieldView]


class FormView(BaseModel):
    form: str
    version: int
    languages: list[str]
    sections: list[SectionView]


def saved_view(record: Any, saved: Saved) -> SavedView:
    return SavedView(
        id=record.id,
        code=record.code,
        revision=saved.revision,
        saved=saved.saved,
        conflicts={
            path: ConflictView(value=value, version=version)
            for path, (value, version) in saved.conflicts.items()
        },
        refused=saved.refused,
    )


_SHOWN["contacts"], _SHOWN["cases"] = tuple(ContactRow.model_fields), tuple(CaseRow.model_fields)


def _row(record: Any, kind: str) -> dict[str, Any]:
    """Return the fields of a record that a list shows."""
    names = {"categories": "category_codes"}
    return {name: getattr(record, names.get(name, name)) for name in _SHOWN[kind]}


def contact_row(contact: Contact) -> ContactRow:
    """Return a contact as a list row, without its answers."""
    return ContactRow.model_construct(**_row(contact, "contacts"))


def contact_view(opened: Opened[Contact]) -> ContactView:
    """Return an opened contact with its answers."""
    contact = opened.record
    return ContactView.model_construct(
        **_row(contact, "contacts"),
        form=contact.form,
        form_version=contact.form_version,
        answers=opened.answers(),
        versions=contact.versions,
    )


def case_row(case: Case) -> CaseRow:
    """Return a case as a list row, without its answers."""
    return CaseRow.model_construct(**_row(case, "cases"))


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
    return CaseView(
        **_row(case, "cases"),
        form=case.form,
        form_version=case.form_version,
        answers=opened.answers(),
        versions=case.versions,
        contacts=[contact_row(c) for c in await cases.contacts_in(work, staff, case)],
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


def request_view(waiting: case_requests.Waiting) -> RequestView:
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


async def form_state(
    work: Work, staff: Staff, model: Any, record_id: UUID, language: str = "en"
) -> FormState:
    """Return what a form asks, what is missing, and what is suggested. Raises NotFound."""
    record = await work.session.scalar(readable(model, staff).where(model.id == record_id))
    if record is None:
        raise NotFound("Not found, or you do not have access.")
    name = model.__name__.lower()
    await write_reading(
        work, AuditLog.RECORDS_LISTED, f"{name}s", by=["state"], ids=[str(record_id)]
    )
    return await state_of(work, record, language)


async def state_of(
    work: Work, record: Any, language: str = "en", *, headline: bool = True
) -> FormState:
    """Return the form state of a loaded record. `headline`: also check the headline."""
    answered = present(record)
    asked = sheet_of(work, record).asked(answered)
    suggested = None
    if isinstance(record, Contact):
        found = await contacts.suggestion(work, record)
        missing = completing.missing_with(work, record, asked, found, language)
        if found is not None:
            suggested = SuggestionView(
                urgency=found.urgency.value,
                cues=[cue.cue for cue in found.cues],
                reasons=[cue.reason for cue in found.cues],
            )
    else:
        missing = sheet_of(work, record).missing(answered, language, asked)
    return FormState(
        revision=record.revision,
        state=record.status if isinstance(record, Case) else record.state,
        hidden=[q.path for q in asked if not q.shown and q.path not in answered],
        closed_sections=sheet_of(work, record).closed_sections(answered),
        required=[q.path for q in asked if q.required],
        missing=[MissingView(path=m.path, words=m.words) for m in missing],
        suggestion=suggested,
        urgency=record.urgency if isinstance(record, Contact) else None,
        warnings=await headline_warnings(work, record) if headline else None,
        support=support_for(work, record, answered, asked),
    )


def support_for(work: Work, record: Any, answers: Answers, asked: list[Asked]) -> list[str]:
    """Return the codes of family support that fits the place and the reasons for separation."""
    if not any(q.shown and q.section.shows == "family_support" for q in asked):
        return []
    pulls: set[str] = set(sheet_of(work, record).cues(answers))
    for question in asked:
        value = answers.get(question.path)
        if question.field.code in ("family", "drivers", "groups") and isinstance(value, list):
            pulls |= set(value)
        if question.field.code == "disability" and value not in (None, ["none"]):
            pulls.add("disability")
    return [
        service.code
        for service in library_of(work.ground).support.services
        if pulls & set(service.for_)
        and (not service.places or set(service.places) & set(record.place_path))
    ]


async def saved_with_state(work: Work, record: Any, saved: Saved, language: str = "en") -> Response:
    """Return what was saved, and what the form asks and lacks now."""
    view = saved_view(record, saved)
    # Compare names with the headline only if one of the two was changed.
    form = sheet_of(work, record).form
    written = [found[1] for path in saved.saved if (found := form.find(path))]
    headline = any(f.means == "headline" or f.found_by == "name" for f in written)
    view.form = await state_of(work, record, language, headline=headline)
    return as_json(view)


def form_view(library: Library, record: str) -> FormView:
    """Return the form in force, with the names of the export's columns."""
    form = library.form_for(record)
    return FormView(
        form=form.form,
        version=form.version,
        languages=form.languages,
        sections=[
            SectionView(
                code=section.code,
                title=section.title,
                repeats=section.repeats,
                fields=[
                    FieldView(
                        code=field.code,
                        type=field.type,
                        label=field.label,
                        required=field.required,
                        personal=field.personal,
                        options=[option.code for option in form.options_of(field)],
                        column=column_of(section, field),
                    )
                    for field in section.fields
                ],
            )
            for section in form.sections
        ],
    )
