"""A case on paper: chosen sections as a PDF, for court or a case conference.

Typst makes the pages; what is printed is passed to it as data, never as markup.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app import words
from app.contacts.cases import cases, follow_ups, people
from app.contacts.consent.said import said_of
from app.contacts.events import events_of, note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case, Contact, Filled
from app.contacts.reading_contacts import open_contact
from app.contacts.records import Opened
from app.contacts.registry import library_of, sheet_of, workflow_of
from app.contacts.sealed_answers import present
from app.contacts.states import Subject
from app.definitions.answers import Answers, Sheet, Value
from app.definitions.forms import OF_REPORTER, Field, Form, Meaning
from app.definitions.trees import label_in
from app.errors import Conflict, Invalid, Message
from app.paper import print_page
from app.staff import accounts
from app.staff.models import Staff
from app.words import days, yes_no
from app.words.pages import code_words, spoken_in
from app.work import Work

_TEMPLATE = Path(__file__).parent.parent / "data" / "case.typ"


class PrintPurpose(StrEnum):
    """What a case is printed for; it is shown on every page."""

    COURT = "court"
    CONFERENCE = "conference"
    SUPERVISION = "supervision"
    FAMILY = "family"


class HandOutGround(StrEnum):
    """The ground on which a case may be handed out."""

    CONSENT = "consent"
    COURT_ORDER = "court_order"
    LEGAL_OBLIGATION = "legal_obligation"
    VITAL_INTERESTS = "vital_interests"
    # It stays inside the helpline.
    SUPERVISION = "supervision"


# The grounds for each purpose, and the question whose "yes" gives consent to it.
_GROUNDS: dict[PrintPurpose, tuple[tuple[HandOutGround, ...], Meaning | None]] = {
    PrintPurpose.COURT: (
        (HandOutGround.CONSENT, HandOutGround.COURT_ORDER, HandOutGround.LEGAL_OBLIGATION),
        "consent_authorities",
    ),
    PrintPurpose.CONFERENCE: (
        (HandOutGround.CONSENT, HandOutGround.LEGAL_OBLIGATION, HandOutGround.VITAL_INTERESTS),
        "consent_services",
    ),
    PrintPurpose.FAMILY: ((HandOutGround.CONSENT, HandOutGround.VITAL_INTERESTS), "consent_family"),
    PrintPurpose.SUPERVISION: ((HandOutGround.SUPERVISION,), None),
}


@dataclass(frozen=True)
class HandedTo:
    """The recipient of a printed case, the ground, and the reason if that is not consent."""

    purpose: PrintPurpose
    recipient: str
    ground: HandOutGround
    reason: str = ""


# Brings what was said in the written conversations of contacts, as it is printed: each with a title
# and its messages. The readings are logged by it.
Written = Callable[[Work, Staff, list[Contact], str], Awaitable[list[dict[str, Any]]]]


class NotAgreed(Conflict):
    default = "Nothing is printed: a contact of the case holds no consent to this."


def follow_up_words(code: str, language: str) -> str:
    """Return what a follow-up is about, or its result, in words."""
    return words.code_words(language, "follow_up", code)


def _fill_words(page: dict[str, Any], to: HandedTo, staff: Staff, language: str) -> None:
    """Say for whom the paper is, and who printed it."""
    said = page["words"]
    purpose = to.recipient or words.code_words(language, "purpose", to.purpose.value)
    said["confidential"] = said["confidential"].format(purpose=purpose)
    said["printed"] = said["printed"].format(at=page["printed"], name=staff.name)


async def print_case(
    work: Work,
    staff: Staff,
    case_id: UUID,
    *,
    to: HandedTo,
    sections: list[str],
    with_dates: bool,
    with_contacts: bool,
    with_notes: bool,
    with_timeline: bool,
    language: str,
    written: Written | None = None,
) -> bytes:
    """Return the PDF, with what the recipient may have. The log keeps what was chosen, not its
    content. `written` brings what was said in written conversations.

    Raises Invalid, NotFound, and NotAgreed if the ground is consent and there is none.
    """
    opened = await cases.open_case_record(work, staff, case_id)
    sheet = sheet_of(work, opened.record)
    _check_sections(sheet.form, sections)
    free_words = with_notes or with_timeline or written is not None
    if not (sections or with_dates or with_contacts or free_words):
        raise Invalid("Choose what to print.")
    _check_purpose(to, free_words=free_words)
    _check_ground(to)
    contacts = await cases.contacts_in(work, staff, opened.record)
    everything = await cases.all_contacts_of(work, opened.record)
    if free_words:
        _check_may_name(work, everything, to)
    if to.ground is HandOutGround.CONSENT:
        _check_agreed(work, opened.record, everything, to, {c.id for c in contacts})
    page = await _page(work, opened, sheet, sections, language, to)
    _fill_words(page, to, staff, language)
    if not with_dates:
        page["dates"] = []
    page["contacts"] = await _contacts(work, staff, contacts, language, to) if with_contacts else []
    log = await _log(work, opened, language) if with_notes or with_timeline else []
    page |= _free_words(log, with_notes, with_timeline)
    page["written"] = await written(work, staff, contacts, language) if written else []
    await work.let_go()
    made = await print_page(_TEMPLATE, page)
    note_event(
        work,
        Subject.CASE,
        opened.id,
        RecordLog.PRINTED,
        purpose=to.purpose.value,
        ground=to.ground.value,
        words=" – ".join(part for part in (to.recipient, to.reason) if part) or None,
        sections=sections,
        dates=with_dates,
        contacts=with_contacts,
        notes=with_notes,
        timeline=with_timeline,
        conversations=written is not None or None,
    )
    return made


def _free_words(
    log: list[dict[str, str]], with_notes: bool, with_timeline: bool
) -> dict[str, list[dict[str, str]]]:
    """Return the notes of a case, and its log without them."""
    return {
        "notes": [line for line in log if with_notes and line["kind"] == RecordLog.NOTE],
        "timeline": [
            {**line, "words": "" if line["kind"] == RecordLog.NOTE else line["words"]}
            for line in log
            if with_timeline
        ],
    }


def _check_sections(form: Form, chosen: list[str]) -> None:
    known = {s.code for s in form.sections}
    known_fields = {f"{s.code}.{f.code}" for s in form.sections for f in s.fields}
    if not set(chosen) <= known | known_fields:
        raise Invalid("Choose from: %(known)s; or give section.field.", known=sorted(known))


async def _log(work: Work, opened: Opened[Case], language: str) -> list[dict[str, str]]:
    """Return the lines of the case's log as they are printed, in the language of the print."""
    zone = ZoneInfo(library_of(work.ground).country.timezone)
    events = await events_of(opened)
    names = await accounts.names_of(work, {e.staff_id for e, _ in events if e.staff_id})
    with spoken_in(language):
        kinds = {event.kind: code_words(event.kind) for event, _words in events}
    return [
        {
            "at": days.moment(event.at, language, zone),
            "who": names.get(event.staff_id, "") if event.staff_id else "",
            "kind": event.kind,
            "what": kinds[event.kind],
            "words": said,
        }
        for event, said in events
    ]


def _check_purpose(to: HandedTo, *, free_words: bool) -> None:
    if to.purpose is PrintPurpose.FAMILY and free_words:
        raise Invalid(
            "Notes, the log and what was written are not for the family: they name others."
        )


def _check_ground(to: HandedTo) -> None:
    grounds, _ = _GROUNDS[to.purpose]
    if to.ground not in grounds:
        raise Invalid("Choose a ground for this purpose: %(grounds)s.", grounds=list(grounds))
    if to.purpose is PrintPurpose.SUPERVISION:
        return
    if not to.recipient.strip():
        raise Invalid("Write who receives it.")
    if to.ground is not HandOutGround.CONSENT and not to.reason.strip():
        raise Invalid("Write which court order, legal duty or danger it is.")


def _check_may_name(work: Work, contacts: list[Contact], to: HandedTo) -> None:
    """Refuse free words that may name a reporter who has not agreed to that. Raises Invalid."""
    if to.purpose is PrintPurpose.SUPERVISION or to.ground is HandOutGround.COURT_ORDER:
        return
    for contact in contacts:
        form, answers = sheet_of(work, contact).form, present(contact)
        reported = any(form.path_of(meaning) in answers for meaning in OF_REPORTER)
        if reported and answers.get(form.path_of("reporter_agrees") or "") != "yes":
            raise Invalid(
                "Notes, the log and what was written may name the person who reported, who has not "
                "agreed to that. "
                "Leave them out, or print under a court order."
            )


def _said_of_children(work: Work, record: Filled, meaning: Meaning) -> list[Value | None]:
    """Return what a record says about one kind of consent, for each of its children."""
    sheet = sheet_of(work, record)
    section = sheet.form.children
    children: list[str | None] = [None]
    if section is not None:
        children = [*sheet.entries(present(record), section)] or children
    return [said_of(record, sheet, meaning, child) for child in children]


def _check_agreed(
    work: Work, case: Case, contacts: list[Contact], to: HandedTo, readable: set[UUID]
) -> None:
    """Check that each contact of the case says yes for each of its children, and that the case does
    not say no; a case without contacts has to say yes itself. A contact that the person may not
    read is not named. Raises NotAgreed.
    """
    _, meaning = _GROUNDS[to.purpose]
    assert meaning is not None
    here = _said_of_children(work, case, meaning)
    # For a child that no contact describes, only the case can hold consent.
    described = sum(len(_said_of_children(work, one, meaning)) for one in contacts)
    only_here = not contacts or len(here) > described
    if "no" in here or (only_here and any(said != "yes" for said in here)):
        raise NotAgreed(
            "Nothing is printed: for at least one child the case holds no consent. "
            "Ask for it, or choose another ground."
        )
    for contact in contacts:
        if any(said != "yes" for said in _said_of_children(work, contact, meaning)):
            which = (
                Message("contact %(code)s", code=contact.code)
                if contact.id in readable
                else Message("another contact")
            )
            raise NotAgreed(
                "Nothing is printed: %(which)s holds no consent to this. Ask for consent and "
                "record it there, or choose another ground.",
                which=which,
            )


def _may_have(form: Form, answers: Answers, to: HandedTo) -> Callable[[Field], bool]:
    """Return a test for the questions that the recipient may have. The family is never told who
    reported."""
    agrees = form.path_of("reporter_agrees")
    named = to.purpose is PrintPurpose.SUPERVISION or (
        to.purpose is not PrintPurpose.FAMILY
        and (to.ground is HandOutGround.COURT_ORDER or answers.get(agrees or "") == "yes")
    )
    return lambda field: (
        to.purpose.value not in field.not_for and (named or field.means not in OF_REPORTER)
    )


async def _page(
    work: Work,
    opened: Opened[Case],
    sheet: Sheet,
    chosen: list[str],
    language: str,
    to: HandedTo,
) -> dict[str, Any]:
    case, zone = opened.record, ZoneInfo(library_of(work.ground).country.timezone)
    status = workflow_of(work, case).status(case.status)
    answers = opened.answers()
    return {
        "title": f"{label_in(sheet.form.title, language)} {case.code}",
        "words": dict(words.letters(language, "case_form")),
        "direction": words.direction(language),
        "status": label_in(status.label, language),
        "opened": days.day(case.opened_at.astimezone(zone), language),
        "printed": days.moment(work.now, language, zone),
        "people": await people.members_of(work, case),
        "sections": sections_of(
            sheet, answers, chosen, language, _may_have(sheet.form, answers, to)
        ),
        "dates": [
            {
                "due": days.day(row.due_on, language),
                "about": follow_up_words(row.about, language),
                "result": follow_up_words(row.result or "", language),
            }
            for row, _, _ in await follow_ups.follow_ups_of(opened)
        ],
    }


async def _contacts(
    work: Work, staff: Staff, contacts: list[Contact], language: str, to: HandedTo
) -> list[dict[str, Any]]:
    found = []
    zone = ZoneInfo(library_of(work.ground).country.timezone)
    for contact in contacts:
        opened = await open_contact(work, staff, contact.id)
        sheet = sheet_of(work, contact)
        every = [section.code for section in sheet.form.sections]
        answers = opened.answers()
        found.append(
            {
                "title": contact.code,
                "at": days.moment(contact.taken_at, language, zone),
                "sections": sections_of(
                    sheet, answers, every, language, _may_have(sheet.form, answers, to)
                ),
            }
        )
    return found


def sections_of(
    sheet: Sheet,
    answers: Answers,
    chosen: list[str],
    language: str,
    may_have: Callable[[Field], bool],
) -> list[dict[str, Any]]:
    """Return the answered questions of the chosen sections and fields, in words."""
    found = []
    for section in sheet.form.sections:
        fields = [
            field
            for field in section.fields
            if may_have(field)
            and (section.code in chosen or f"{section.code}.{field.code}" in chosen)
        ]
        if not fields:
            continue
        groups = []
        for number, entry in enumerate(
            sheet.entries(answers, section) if section.repeats else [None], 1
        ):
            prefix = f"{section.code}.{entry}." if entry else f"{section.code}."
            lines = [
                {
                    "label": label_in(field.label, language),
                    "value": in_words(sheet, field, answers[prefix + field.code], language),
                }
                for field in fields
                if prefix + field.code in answers
            ]
            title = f"{label_in(section.entry or section.title, language)} {number}"
            if lines:
                groups.append({"title": title if entry else "", "lines": lines})
        if groups:
            found.append({"title": label_in(section.title, language), "groups": groups})
    return found


def in_words(sheet: Sheet, field: Field, value: Any, language: str) -> str:
    """Return an answer as people read it."""
    if field.type == "date":
        return days.day(date.fromisoformat(value), language)
    if field.type == "moment":
        return days.moment(datetime.fromisoformat(value), language)
    labels = {o.code: label_in(o.label, language) for o in sheet.form.options_of(field)}
    if field.type == "yes_no":
        labels = yes_no(language)
    if field.type in ("place", "categories"):
        tree = sheet.places if field.type == "place" else sheet.categories
        labels = {code: label_in(node.label, language) for code, node in tree.choices().items()}
    if isinstance(value, list):
        return ", ".join(labels.get(str(code), str(code)) for code in value)
    return labels.get(str(value), str(value))
