"""How contacts and cases look in JSON."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from app.contacts import cases, contacts, documents, follow_ups
from app.contacts.forms import column_of
from app.contacts.library import Library
from app.contacts.models import Case, Contact
from app.contacts.records import Opened, events_of, library_of, present, sheet_of
from app.contacts.saving import Saved, headline_warnings
from app.contacts.scopes import readable
from app.errors import NotFound
from app.staff.models import Staff
from app.work import Work


class MissingView(BaseModel):
    path: str
    words: str


class SuggestionView(BaseModel):
    urgency: str
    cues: list[str]
    reasons: list[dict[str, str]]


class FormState(BaseModel):
    """`hidden` and `closed_sections` are what is not asked with the answers as they are."""

    revision: int
    state: str
    hidden: list[str]
    closed_sections: list[str]
    required: list[str]
    missing: list[MissingView]
    suggestion: SuggestionView | None
    urgency: str | None
    warnings: list[str]
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
    revision: int


class FollowUpView(BaseModel):
    id: UUID
    about: str
    due_on: date
    state: str
    words: str
    result: str | None
    result_words: str


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


def saved_view(record: Contact | Case, saved: Saved) -> SavedView:
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


def contact_row(contact: Contact) -> ContactRow:
    """A contact without what was said."""
    return ContactRow(**_contact(contact))


def _contact(contact: Contact) -> dict[str, Any]:
    names = set(ContactRow.model_fields) - {"categories"}
    values = {name: getattr(contact, name) for name in names}
    return {**values, "categories": contact.category_codes}


def contact_view(opened: Opened[Contact]) -> ContactView:
    """An opened contact."""
    contact = opened.record
    return ContactView(
        **_contact(contact),
        form=contact.form,
        form_version=contact.form_version,
        answers=opened.answers(),
        versions=contact.versions,
    )


def case_row(case: Case) -> CaseRow:
    """A case without what is known."""
    return CaseRow(**_case(case))


def _case(case: Case) -> dict[str, Any]:
    names = set(CaseRow.model_fields) - {"categories"}
    values = {name: getattr(case, name) for name in names}
    return {**values, "categories": case.category_codes}


def follow_up_state(follow_up: Any) -> str:
    """In one word."""
    if follow_up.done_at is not None:
        return "done"
    if follow_up.overdue_at is not None:
        return "overdue"
    return "due" if follow_up.reminded_at is not None else "set"


async def case_view(work: Work, staff: Staff, opened: Opened[Case]) -> CaseView:
    """An opened case."""
    case = opened.record
    return CaseView(
        **_case(case),
        form=case.form,
        form_version=case.form_version,
        answers=opened.answers(),
        versions=case.versions,
        contacts=[contact_row(c) for c in await cases.contacts_in(work, staff, case)],
        members=await cases.members_of(work, case),
        follow_ups=[
            FollowUpView(
                id=row.id,
                about=row.about,
                due_on=row.due_on,
                state=follow_up_state(row),
                words=words,
                result=row.result,
                result_words=result,
            )
            for row, words, result in await follow_ups.follow_ups_of(opened)
        ],
        documents=[
            DocumentView(
                id=row.id,
                name=name,
                media_type=row.media_type,
                size=row.size,
                scan=row.scan,
                at=row.at,
            )
            for row, name in await documents.documents_of(opened)
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


async def form_state(work: Work, staff: Staff, model: Any, record_id: UUID) -> FormState:
    """What a filled form asks, misses and suggests. Raises NotFound."""
    record = await work.session.scalar(readable(model, staff).where(model.id == record_id))
    if record is None:
        raise NotFound("There is no such record, or not for you.")
    return await state_of(work, record)


async def state_of(work: Work, record: Contact | Case, language: str = "en") -> FormState:
    """The same of a record at hand."""
    asked = sheet_of(work, record).asked(present(record))
    suggested = None
    if isinstance(record, Contact):
        missing = await contacts.missing_in(work, record, language)
        found = await contacts.suggestion(work, record)
        if found is not None:
            suggested = SuggestionView(
                urgency=found.urgency.value,
                cues=[cue.cue for cue in found.cues],
                reasons=[cue.reason for cue in found.cues],
            )
    else:
        missing = sheet_of(work, record).missing(present(record), language)
    answered = present(record)
    return FormState(
        revision=record.revision,
        state=record.state if isinstance(record, Contact) else record.status,
        hidden=[q.path for q in asked if not q.shown and q.path not in answered],
        closed_sections=sheet_of(work, record).closed_sections(answered),
        required=[q.path for q in asked if q.required],
        missing=[MissingView(path=m.path, words=m.words) for m in missing],
        suggestion=suggested,
        urgency=record.urgency if isinstance(record, Contact) else None,
        warnings=await headline_warnings(work, record),
        support=support_for(work, record),
    )


def support_for(work: Work, record: Contact | Case) -> list[str]:
    """The family support that fits, by its codes: what pulls the child away, and the place."""
    answers = present(record)
    pulls: set[str] = set(sheet_of(work, record).cues(answers))
    for question in sheet_of(work, record).asked(answers):
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


def form_view(library: Library, record: str) -> FormView:
    """The form in force, with the names of the export's columns."""
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
