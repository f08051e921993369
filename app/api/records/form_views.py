"""The JSON views of forms: what was saved, what a form asks and lacks, and the form in force."""

from typing import Any
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from app.api.records.record_views import as_json
from app.contacts import completing, contacts
from app.contacts.finding.words import looks_personal
from app.contacts.models import Case, Contact
from app.contacts.registry import library_of, sheet_of
from app.contacts.saving import Change, Saved, headline_warnings, try_answers
from app.contacts.scopes import readable
from app.contacts.special_codes import codes_read
from app.definitions.answers import Answers, AskedQuestion, Sheet
from app.definitions.forms import column_of
from app.definitions.library import Library
from app.errors import Message, NotFound
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.log_values import FoundBy
from app.staff.models import Staff
from app.words import SOURCE
from app.words.pages import message_words
from app.work import Work


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


class PreviewView(BaseModel):
    """What a form asks after some answers. Nothing was saved: `saved` lists what it takes."""

    revision: int
    saved: dict[str, int]
    conflicts: dict[str, ConflictView]
    refused: dict[str, str]
    form: FormState


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
        refused=_in_words(saved.refused),
    )


def _in_words(refused: dict[str, Message]) -> dict[str, str]:
    return {path: message_words(message) for path, message in refused.items()}


async def form_state(
    work: Work, staff: Staff, model: Any, record_id: UUID, language: str = SOURCE
) -> FormState:
    """Return what a form asks, what is missing, and what is suggested. Raises NotFound."""
    record = await work.session.scalar(readable(model, staff).where(model.id == record_id))
    if record is None:
        raise NotFound("Not found, or you do not have access.")
    name = model.__name__.lower()
    await write_reading(
        work, AuditLog.RECORDS_LISTED, f"{name}s", by=[FoundBy.STATE], ids=[str(record_id)]
    )
    return await state_of(work, record, language)


async def state_of(
    work: Work, record: Any, language: str = SOURCE, *, headline: bool = True
) -> FormState:
    """Return the form state of a loaded record. `headline`: also check the headline."""
    answered = await codes_read(work, record)
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
        missing=[MissingView(path=m.path, words=m.words) for m in missing],
        suggestion=suggested,
        urgency=record.urgency if isinstance(record, Contact) else None,
        warnings=await headline_warnings(work, record) if headline else None,
        **_follows(
            sheet_of(work, record), library_of(work.ground), answered, asked, record.place_path
        ),
    )


def _follows(
    sheet: Sheet,
    library: Library,
    answered: Answers,
    asked: list[AskedQuestion],
    place_path: list[str],
) -> dict[str, Any]:
    """Return the fields of a `FormState` that follow from the answers alone."""
    return {
        "hidden": [q.path for q in asked if not q.shown and q.path not in answered],
        "closed_sections": sheet.closed_sections(answered),
        "required": [q.path for q in asked if q.required],
        "support": support_for(sheet, library, answered, asked, place_path),
    }


def preview_state(library: Library, record: str, changes: list[Change]) -> PreviewView:
    """Return what a form of a set asks after these answers to an empty one. Nothing is stored."""
    sheet = library.sheet_for(record)
    answered, refused = try_answers(sheet, changes)
    asked = sheet.asked(answered)
    headline, place = (
        answered.get(path) if (path := sheet.form.path_of(meaning)) else None
        for meaning in ("headline", "place")
    )
    form = FormState(
        revision=0,
        state="preview",
        missing=[
            MissingView(path=m.path, words=m.words) for m in sheet.missing(answered, SOURCE, asked)
        ],
        suggestion=None,
        urgency=None,
        warnings=looks_personal(str(headline)) if headline else [],
        **_follows(sheet, library, answered, asked, list(sheet.places.paths().get(str(place), ()))),
    )
    saved = {change.path: 0 for change in changes if change.path not in refused}
    return PreviewView(revision=0, saved=saved, conflicts={}, refused=_in_words(refused), form=form)


def support_for(
    sheet: Sheet,
    library: Library,
    answers: Answers,
    asked: list[AskedQuestion],
    place_path: list[str],
) -> list[str]:
    """Return the codes of family support that fits the place and the reasons for separation."""
    if not any(q.shown and q.section.shows == "family_support" for q in asked):
        return []
    pulls: set[str] = set(sheet.cues(answers))
    for question in asked:
        value = answers.get(question.path)
        if question.field.code in ("family", "drivers", "groups") and isinstance(value, list):
            pulls |= set(value)
        if question.field.code == "disability" and value not in (None, ["none"]):
            pulls.add("disability")
    return [
        service.code
        for service in library.support.services
        if pulls & set(service.for_)
        and (not service.places or set(service.places) & set(place_path))
    ]


async def saved_with_state(
    work: Work, record: Any, saved: Saved, language: str = SOURCE
) -> Response:
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
