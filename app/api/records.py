"""Contacts and cases for programs, and for the pages that save as one types.

What somebody looks for stands in the body, never in an address.
"""

from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import unquote
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, Field

from app.api.record_views import (
    CaseRow,
    CaseView,
    ContactRow,
    ContactView,
    FormState,
    FormView,
    SavedView,
    as_json,
    case_row,
    case_view,
    contact_row,
    contact_view,
    form_state,
    form_view,
    rows_as_json,
    saved_view,
    state_of,
)
from app.contacts import cases, contacts, documents, follow_ups, printing, profiles
from app.contacts.models import Case, Contact
from app.contacts.records import library_of, sheet_of
from app.contacts.risk import Urgency
from app.contacts.saving import Change, Saved
from app.contacts.search import Wanted, search
from app.contacts.states import Channel, FollowUpAbout, NonCounselling, Source
from app.errors import Invalid, NotFound
from app.staff.access import InWork, Requires, refuse_cross_site
from app.staff.audit import write_entry
from app.staff.models import Staff
from app.staff.roles import Permission
from app.work import Work

router = APIRouter(tags=["records"])


def _may(permission: Permission) -> Any:
    return Depends(Requires(permission), scope="function")


Reads = Annotated[Staff, _may(Permission.READ_RECORDS)]
WritesContacts = Annotated[Staff, _may(Permission.WRITE_CONTACTS)]
WritesCases = Annotated[Staff, _may(Permission.WRITE_CASES)]
SeesDefinitions = Annotated[Staff, _may(Permission.SEE_DEFINITIONS)]
Uploads = Annotated[
    Staff, Depends(Requires(Permission.WRITE_CASES, json_only=False), scope="function")
]


class ChangeIn(BaseModel):
    path: str = Field(max_length=120)
    value: Any = None
    base: int = 0


class Changes(BaseModel):
    changes: list[ChangeIn]

    def made(self) -> list[Change]:
        return [Change(c.path, c.value, c.base) for c in self.changes]


class NewContact(BaseModel):
    channel: Channel
    source: Source = Source.AFTERWARDS
    taken_at: datetime | None = None
    on_behalf_of: UUID | None = None
    call_id: UUID | None = None
    answers: dict[str, Any] = {}


class Reason(BaseModel):
    reason: str = Field(max_length=2000)


class CloseAs(BaseModel):
    closed_as: NonCounselling


class Decision(BaseModel):
    urgency: Urgency
    reason: str = Field(default="", max_length=2000)


class To(BaseModel):
    staff_id: UUID


class WhichProfile(BaseModel):
    """`profile_id` links to it; without one it is somebody else behind the same number."""

    profile_id: UUID | None = None


class Merge(Reason):
    into: UUID


class Split(Reason):
    contacts: list[UUID] = Field(min_length=1, max_length=500)


class Looked(BaseModel):
    code: str | None = None
    category: str | None = None
    place: str | None = None
    since: datetime | None = Field(default=None, alias="from")
    until: datetime | None = Field(default=None, alias="to")
    counsellor: str | None = None
    status: str | None = None
    urgency: str | None = None
    name: str | None = None
    number: str | None = None
    headline: str | None = None
    cursor: str | None = None

    def wanted(self) -> Wanted:
        for at in (self.since, self.until):
            if at is not None and at.tzinfo is None:
                raise Invalid("Give instants with their zone.")
        return Wanted(**self.model_dump())


class ContactList(BaseModel):
    contacts: list[ContactRow]
    next_cursor: str | None


class CaseList(BaseModel):
    cases: list[CaseRow]
    next_cursor: str | None


# -- contacts ----------------------------------------------------------------------------------


@router.get("/calls/{call_id}/contact", response_model=ContactView)
async def contact_of_call(work: InWork, staff: Reads, call_id: UUID) -> Response:
    """The contact of a call: it opens when the call is answered."""
    contact_id = await _of(work, staff, call_id)
    return as_json(contact_view(await contacts.open_contact(work, staff, contact_id)))


@router.put("/calls/{call_id}/contact", response_model=SavedView)
async def save_contact_of_call(
    work: InWork, staff: WritesContacts, call_id: UUID, body: Changes
) -> Response:
    """Write answers into the contact of a call; see `PUT /contacts/{id}/answers`."""
    return await save_contact(work, staff, await _of(work, staff, call_id), body)


async def _of(work: Work, staff: Staff, call_id: UUID) -> UUID:
    found = await contacts.contact_of_call(work, staff, call_id)
    if found is None:
        raise NotFound("There is no contact for that call, or not for you.")
    return found


@router.post("/contacts", status_code=201, response_model=SavedView)
async def create_contact(work: InWork, staff: WritesContacts, body: NewContact) -> Response:
    """A contact without a call: an e-mail, a visit, paper after an outage, for a colleague."""
    changes = [Change(path, value, 0) for path, value in body.answers.items()]
    contact, saved = await contacts.create_contact(
        work,
        staff,
        channel=body.channel,
        source=body.source,
        taken_at=body.taken_at,
        on_behalf_of=body.on_behalf_of,
        call_id=body.call_id,
        changes=changes,
    )
    return as_json(saved_view(contact, saved), 201)


@router.get("/contacts", response_model=ContactList)
async def list_contacts(work: InWork, staff: Reads, cursor: str | None = None) -> Response:
    """The contacts that one may see, newest first, without what was said."""
    return await _contacts(work, staff, Wanted(cursor=cursor))


@router.post("/contacts/search", response_model=ContactList)
async def search_contacts(work: InWork, staff: Reads, body: Looked) -> Response:
    """By code, category, place, date, counsellor, status, name, number, words of the headline."""
    return await _contacts(work, staff, body.wanted())


async def _contacts(work: Work, staff: Staff, wanted: Wanted) -> Response:
    rows, following = await search(work, staff, Contact, wanted)
    return rows_as_json("contacts", rows, following)


@router.get("/contacts/{contact_id}", response_model=ContactView)
async def get_contact(work: InWork, staff: Reads, contact_id: UUID) -> Response:
    """A contact with its answers; the reading is logged."""
    return as_json(contact_view(await contacts.open_contact(work, staff, contact_id)))


@router.get("/contacts/{contact_id}/state")
async def get_contact_state(work: InWork, staff: Reads, contact_id: UUID) -> FormState:
    """What is asked, what is missing and what is suggested; nothing sealed."""
    return await form_state(work, staff, Contact, contact_id)


@router.put("/contacts/{contact_id}/answers", response_model=SavedView)
async def save_contact(
    work: InWork, staff: WritesContacts, contact_id: UUID, body: Changes
) -> Response:
    """Write answers, each with the revision at which its question was last seen.

    A null clears. A question that somebody else changed since is not written but comes back
    under `conflicts`; what is no answer comes back under `refused`; the rest is saved.
    """
    contact, saved = await contacts.save(work, staff, contact_id, body.made())
    return await _with_state(work, contact, saved)


async def _with_state(work: Work, record: Contact | Case, saved: Saved) -> Response:
    view = saved_view(record, saved)
    # Names are compared with the headline only when one of the two was written.
    form = sheet_of(work, record).form
    written = [found[1] for path in saved.saved if (found := form.find(path))]
    headline = any(f.means == "headline" or f.found_by == "name" for f in written)
    view.form = await state_of(work, record, headline=headline)
    return as_json(view)


@router.post("/contacts/{contact_id}/complete")
async def complete_contact(work: InWork, staff: WritesContacts, contact_id: UUID) -> ContactRow:
    """Complete it; 422 says everything that is missing."""
    return contact_row(await contacts.complete(work, staff, contact_id))


@router.post("/contacts/{contact_id}/close")
async def close_contact(
    work: InWork, staff: WritesContacts, contact_id: UUID, body: CloseAs
) -> ContactRow:
    """It was no counselling contact: silent, a test, a wrong number."""
    return contact_row(await contacts.close_as(work, staff, contact_id, body.closed_as))


@router.post("/contacts/{contact_id}/reopen")
async def reopen_contact(
    work: InWork, staff: WritesContacts, contact_id: UUID, body: Reason
) -> ContactRow:
    """Open it again, with a reason."""
    return contact_row(await contacts.reopen(work, staff, contact_id, body.reason))


@router.post("/contacts/{contact_id}/urgency")
async def decide_urgency(
    work: InWork, staff: WritesContacts, contact_id: UUID, body: Decision
) -> ContactRow:
    """The counsellor's decision; what was suggested is kept beside it."""
    return contact_row(
        await contacts.decide_urgency(work, staff, contact_id, body.urgency, body.reason)
    )


@router.post("/contacts/{contact_id}/assign")
async def assign_contact(
    work: InWork, staff: WritesContacts, contact_id: UUID, body: To
) -> ContactRow:
    """Give it to a colleague; whoever had it may still read it."""
    return contact_row(await contacts.assign(work, staff, contact_id, body.staff_id))


@router.post("/contacts/{contact_id}/profile", status_code=204)
async def choose_profile(
    work: InWork, staff: WritesContacts, contact_id: UUID, body: WhichProfile
) -> None:
    """Who it was: a known profile, or somebody else behind the same number."""
    if body.profile_id is None:
        await profiles.tell_apart(work, staff, contact_id)
    else:
        await profiles.link(work, staff, contact_id, body.profile_id)


@router.post("/profiles/{profile_id}/merge", status_code=204)
async def merge_profiles(
    work: InWork, staff: WritesContacts, profile_id: UUID, body: Merge
) -> None:
    """Two profiles are one person."""
    await profiles.merge(work, staff, profile_id, body.into, body.reason)


@router.post("/profiles/{profile_id}/split", status_code=201)
async def split_profile(
    work: InWork, staff: WritesContacts, profile_id: UUID, body: Split
) -> dict[str, UUID]:
    """Some of its contacts are of somebody else."""
    new = await profiles.split(work, staff, profile_id, body.contacts, body.reason)
    return {"profile_id": new}


# -- cases -------------------------------------------------------------------------------------


class NewCase(BaseModel):
    contacts: list[UUID] = Field(default=[], max_length=50)


class ByCode(BaseModel):
    code: str = Field(max_length=40)


class ByName(BaseModel):
    name: str = Field(max_length=200)


class MoveTo(BaseModel):
    to: str = Field(max_length=60)
    reason: str = Field(default="", max_length=2000)


class Note(BaseModel):
    text: str = Field(max_length=20_000)


class NewFollowUp(BaseModel):
    about: FollowUpAbout
    due_on: date
    words: str = Field(default="", max_length=2000)


class Result(BaseModel):
    result: str = Field(max_length=60)
    words: str = Field(default="", max_length=2000)


class Printed(BaseModel):
    purpose: printing.Purpose
    sections: list[str] = Field(default=[], max_length=100)
    contacts: bool = False
    notes: bool = False
    timeline: bool = False
    language: str = "en"


@router.post("/cases", status_code=201)
async def open_case(work: InWork, staff: WritesCases, body: NewCase) -> CaseRow:
    """A new case of some contacts."""
    return case_row(await cases.open_case(work, staff, body.contacts))


@router.get("/cases", response_model=CaseList)
async def list_cases(work: InWork, staff: Reads, cursor: str | None = None) -> Response:
    """The cases that one may see, newest first."""
    return await _cases(work, staff, Wanted(cursor=cursor))


@router.post("/cases/search", response_model=CaseList)
async def search_cases(work: InWork, staff: Reads, body: Looked) -> Response:
    """As for contacts."""
    return await _cases(work, staff, body.wanted())


async def _cases(work: Work, staff: Staff, wanted: Wanted) -> Response:
    rows, following = await search(work, staff, Case, wanted)
    return rows_as_json("cases", rows, following)


@router.get("/cases/{case_id}")
async def get_case(work: InWork, staff: Reads, case_id: UUID) -> CaseView:
    """A case with its answers, people, dates and log; the reading is logged."""
    return await case_view(work, staff, await cases.open_case_record(work, staff, case_id))


@router.get("/cases/{case_id}/state")
async def get_case_state(work: InWork, staff: Reads, case_id: UUID) -> FormState:
    """What is asked and what is missing; nothing sealed."""
    return await form_state(work, staff, Case, case_id)


@router.put("/cases/{case_id}/answers", response_model=SavedView)
async def save_case(work: InWork, staff: WritesCases, case_id: UUID, body: Changes) -> Response:
    """As for contacts."""
    case, saved = await cases.save(work, staff, case_id, body.made())
    return await _with_state(work, case, saved)


@router.post("/cases/{case_id}/contacts")
async def link_contact(work: InWork, staff: WritesCases, case_id: UUID, body: ByCode) -> CaseRow:
    """Add a contact by its code."""
    return case_row(await cases.link_contact(work, staff, case_id, body.code))


@router.post("/cases/{case_id}/status")
async def move_case(work: InWork, staff: WritesCases, case_id: UUID, body: MoveTo) -> CaseRow:
    """Move it on, as its workflow allows."""
    return case_row(await cases.move_case(work, staff, case_id, body.to, body.reason))


@router.post("/cases/{case_id}/members")
async def add_member(work: InWork, staff: WritesCases, case_id: UUID, body: ByName) -> CaseRow:
    """Let a colleague work on it."""
    return case_row(await cases.add_member(work, staff, case_id, body.name))


@router.post("/cases/{case_id}/owner")
async def give_case(work: InWork, staff: WritesCases, case_id: UUID, body: ByName) -> CaseRow:
    """Give it to a colleague."""
    return case_row(await cases.give_case(work, staff, case_id, body.name))


@router.post("/cases/{case_id}/notes", status_code=204)
async def add_note(work: InWork, staff: WritesCases, case_id: UUID, body: Note) -> None:
    """A note, sealed."""
    await cases.add_note(work, staff, case_id, body.text)


@router.post("/cases/{case_id}/follow-ups", status_code=201)
async def add_follow_up(
    work: InWork, staff: WritesCases, case_id: UUID, body: NewFollowUp
) -> dict[str, UUID]:
    """Something to look after on a date."""
    made = await follow_ups.set_follow_up(work, staff, case_id, body.about, body.due_on, body.words)
    return {"id": made.id}


@router.post("/follow-ups/{follow_up_id}/done", status_code=204)
async def finish_follow_up(
    work: InWork, staff: WritesCases, follow_up_id: UUID, body: Result
) -> None:
    """What came of it."""
    await follow_ups.finish_follow_up(work, staff, follow_up_id, body.result, body.words)


@router.post("/cases/{case_id}/documents", status_code=201)
async def add_document(
    request: Request,
    work: InWork,
    staff: Uploads,
    case_id: UUID,
    x_document_name: Annotated[str, Header(max_length=1000)],
) -> dict[str, UUID]:
    """The bytes of a document as the body, its name percent-encoded in `X-Document-Name`.

    Not a form: a form's file would be written to the disk in clear on the way.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/octet-stream":
        raise Invalid("Send the bytes as application/octet-stream.")
    refuse_cross_site(request, json_only=True)
    limit = work.settings.document_megabytes * 1024 * 1024
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise documents.TooLarge(f"A document may have {work.settings.document_megabytes} MB.")
    name = unquote(x_document_name)
    media, scanned = await documents.check_document(work, name, bytes(content))
    made = await documents.add_document(work, staff, case_id, name, bytes(content), media, scanned)
    return {"id": made.id}


@router.get("/cases/{case_id}/documents/{document_id}")
async def get_document(work: InWork, staff: Reads, case_id: UUID, document_id: UUID) -> Response:
    """The document as a download; the reading is logged."""
    document, name, content = await documents.open_document(work, staff, case_id, document_id)
    return download(content, document.media_type, name)


def download(content: bytes, media_type: str, name: str) -> Response:
    """Bytes to be saved, never shown inside our own pages."""
    ending = name.rpartition(".")[2] if "." in name else "bin"
    plain = "".join(c for c in ending if c.isascii() and c.isalnum())[:8]
    return Response(
        content,
        media_type=media_type,
        headers={
            # The name itself may say who it is about: the browser gets a plain one.
            "Content-Disposition": f'attachment; filename="document.{plain}"',
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )


@router.post("/cases/{case_id}/print")
async def print_case(work: InWork, staff: Reads, case_id: UUID, body: Printed) -> Response:
    """A PDF with the chosen sections, for court or a case conference; it is logged."""
    content = await printing.print_case(
        work,
        staff,
        case_id,
        purpose=body.purpose,
        sections=body.sections,
        with_contacts=body.contacts,
        with_notes=body.notes,
        with_timeline=body.timeline,
        language=body.language,
    )
    return download(content, "application/pdf", "case.pdf")


# -- definitions -------------------------------------------------------------------------------


@router.get("/forms/{record}")
async def get_form(work: InWork, staff: Reads, record: str) -> FormView:
    """The form in force for a contact or a case: sections, fields, and the export's columns."""
    if record not in ("contact", "case"):
        raise NotFound("There are forms of a contact and of a case.")
    return form_view(library_of(work.ground), record)


class Unmapped(BaseModel):
    code: str
    label: dict[str, str]


@router.get("/definitions/unmapped")
async def unmapped(work: InWork, staff: SeesDefinitions) -> list[Unmapped]:
    """The country's own category codes that count as nothing in the framework."""
    write_entry(work, "work list read", "unmapped categories")
    nodes = library_of(work.ground).categories.unmapped()
    return [Unmapped(code=node.code, label=node.label) for node in nodes]
