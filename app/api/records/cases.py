"""The JSON interface of cases: people, plan, dates, documents, print."""

import asyncio
from datetime import date
from typing import Annotated
from urllib.parse import unquote
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from app.api.description import files
from app.api.records.form_views import FormState, SavedView, form_state, saved_with_state
from app.api.records.record_bodies import Changes, Looked
from app.api.records.record_views import CaseRow, CaseView, case_row, case_view, rows_as_json
from app.chats import printed
from app.contacts.cases import case_requests, cases, documents, follow_ups, people, printing
from app.contacts.cases.details import Details
from app.contacts.cases.quotas import check_quotas
from app.contacts.finding.search import ContactsWanted, search
from app.contacts.models import Case
from app.contacts.scopes import may_write_case
from app.contacts.states import FollowUpAbout
from app.definitions.risk import Risk
from app.errors import Invalid, NotFound
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, ReadsRecords, Requires, WritesCases, refuse_cross_site
from app.web.form_language import FormLanguage
from app.web.lean import LeanRoute
from app.words import SOURCE
from app.work import Work

router = APIRouter(tags=["cases"], route_class=LeanRoute)
Uploads = Annotated[
    Staff, Depends(Requires(Permission.WRITE_CASES, json_only=False), scope="function")
]


# The longest time that an upload may take, in seconds.
_UPLOAD_SECONDS = 300
# In bytes: the most that the setting `document_megabytes` allows.
_LARGEST_DOCUMENT = 100 * 1024 * 1024


class CaseList(BaseModel):
    cases: list[CaseRow]
    next_cursor: str | None


class NewCase(BaseModel):
    contacts: list[UUID] = Field(default=[], max_length=50)


class ByCode(BaseModel):
    code: str = Field(max_length=40)


class ByName(BaseModel):
    name: str = Field(max_length=200)


class MoveTo(BaseModel):
    to: str = Field(max_length=60)
    reason: str = Field(default="", max_length=2000)


class RiskIn(BaseModel):
    risk: Risk
    reason: str = Field(max_length=4000)


class Note(BaseModel):
    text: str = Field(max_length=20_000)


class NewFollowUp(BaseModel):
    about: FollowUpAbout
    due_on: date
    words: str = Field(default="", max_length=2000)
    # The colleague who does it. Empty: the person who adds it.
    name: str = Field(default="", max_length=200)
    # For an intervention: the entry of the goal in the plan, and who provides it.
    goal: str = Field(default="", max_length=60)
    provider: str = Field(default="", max_length=200)


class Result(BaseModel):
    result: str = Field(max_length=60)
    words: str = Field(default="", max_length=2000)


class Why(BaseModel):
    reason: str = Field(max_length=2000)


class Printed(BaseModel):
    purpose: printing.PrintPurpose
    # Who receives the paper, on which ground, and why if the ground is not consent.
    recipient: str = Field(default="", max_length=200)
    ground: printing.HandOutGround = printing.HandOutGround.CONSENT
    reason: str = Field(default="", max_length=2000)
    # Whole sections, or single fields as `section.field`.
    sections: list[str] = Field(default=[], max_length=500)
    dates: bool = False
    contacts: bool = False
    notes: bool = False
    timeline: bool = False
    # What was said in the written conversations of its contacts.
    conversations: bool = False
    language: str = SOURCE


@router.post("/cases", status_code=201)
async def open_case(work: InWork, staff: WritesCases, body: NewCase) -> CaseRow:
    """Open a new case from some contacts."""
    return await case_row(work, await cases.open_case(work, staff, body.contacts))


@router.get("/cases", response_model=CaseList)
async def list_cases(work: InWork, staff: ReadsRecords, cursor: str | None = None) -> Response:
    """List the cases that you may see, newest first."""
    return await _cases(work, staff, ContactsWanted(cursor=cursor))


@router.post("/cases/search", response_model=CaseList)
async def search_cases(work: InWork, staff: ReadsRecords, body: Looked) -> Response:
    """Search for cases, as for contacts."""
    return await _cases(work, staff, body.wanted())


async def _cases(work: Work, staff: Staff, wanted: ContactsWanted) -> Response:
    rows, following = await search(work, staff, Case, wanted)
    return rows_as_json("cases", rows, following)


@router.get("/cases/{case_id}")
async def get_case(work: InWork, staff: ReadsRecords, case_id: UUID) -> CaseView:
    """Return a case with its answers, people, dates and log. The reading is logged."""
    return await case_view(work, staff, await cases.open_case_record(work, staff, case_id))


@router.get("/cases/{case_id}/state")
async def get_case_state(
    work: InWork, staff: ReadsRecords, case_id: UUID, language: FormLanguage
) -> FormState:
    """Return what the form asks and lacks, without any sealed text."""
    return await form_state(work, staff, Case, case_id, language)


@router.put("/cases/{case_id}/answers", response_model=SavedView)
async def save_case(
    work: InWork,
    staff: WritesCases,
    case_id: UUID,
    body: Changes,
    language: FormLanguage,
) -> Response:
    """Save answers, as for contacts."""
    case, saved = await cases.save(work, staff, case_id, body.made())
    return await saved_with_state(work, case, saved, language)


@router.post("/cases/{case_id}/contacts")
async def link_contact(work: InWork, staff: WritesCases, case_id: UUID, body: ByCode) -> CaseRow:
    """Add a contact by its code."""
    return await case_row(work, await cases.link_contact(work, staff, case_id, body.code))


@router.post("/cases/{case_id}/status")
async def move_case(
    work: InWork, staff: WritesCases, case_id: UUID, body: MoveTo, response: Response
) -> CaseRow:
    """Change the status as the workflow allows; 202 if a second person must approve first."""
    case, asked = await case_requests.move_or_ask(work, staff, case_id, body.to, body.reason)
    if asked is not None:
        response.status_code = 202
    return await case_row(work, case)


@router.post("/cases/{case_id}/risk")
async def set_risk(work: InWork, staff: WritesCases, case_id: UUID, body: RiskIn) -> CaseRow:
    """Set the level of risk to the children, with a reason."""
    return await case_row(work, await cases.set_risk(work, staff, case_id, body.risk, body.reason))


@router.post("/cases/{case_id}/members")
async def add_member(work: InWork, staff: WritesCases, case_id: UUID, body: ByName) -> CaseRow:
    """Let a colleague work on the case."""
    return await case_row(work, await people.add_member(work, staff, case_id, body.name))


@router.post("/cases/{case_id}/members/remove")
async def remove_member(work: InWork, staff: WritesCases, case_id: UUID, body: ByName) -> CaseRow:
    """Remove a colleague from the case."""
    return await case_row(work, await people.remove_member(work, staff, case_id, body.name))


@router.post("/cases/{case_id}/contacts/{contact_id}/unlink")
async def unlink_contact(
    work: InWork, staff: WritesCases, case_id: UUID, contact_id: UUID
) -> CaseRow:
    """Remove a contact from the case."""
    return await case_row(work, await cases.unlink_contact(work, staff, case_id, contact_id))


@router.post("/cases/{case_id}/owner")
async def assign_case(work: InWork, staff: WritesCases, case_id: UUID, body: ByName) -> CaseRow:
    """Assign the case to a colleague, as a supervisor."""
    return await case_row(work, await people.assign_case(work, staff, case_id, body.name))


@router.post("/cases/{case_id}/notes", status_code=204)
async def add_note(work: InWork, staff: WritesCases, case_id: UUID, body: Note) -> None:
    """Add a note. It is sealed."""
    await cases.add_note(work, staff, case_id, body.text)


@router.post("/cases/{case_id}/follow-ups", status_code=201)
async def add_follow_up(
    work: InWork, staff: WritesCases, case_id: UUID, body: NewFollowUp
) -> dict[str, UUID]:
    """Add a follow-up on a date, for yourself or for a colleague."""
    made = await cases.set_follow_up(
        work,
        staff,
        case_id,
        body.about,
        body.due_on,
        body.words,
        name=body.name,
        goal=body.goal,
        provider=body.provider,
    )
    return {"id": made.id}


@router.post("/follow-ups/{follow_up_id}/done", status_code=204)
async def finish_follow_up(
    work: InWork, staff: WritesCases, follow_up_id: UUID, body: Result
) -> None:
    """Finish a follow-up with its result."""
    await follow_ups.finish_follow_up(work, staff, follow_up_id, body.result, body.words)


@router.post("/cases/{case_id}/documents", status_code=201, max_body_size=_LARGEST_DOCUMENT)
async def add_document(
    request: Request,
    work: InWork,
    staff: Uploads,
    case_id: UUID,
    x_document_name: Annotated[str, Header(max_length=1000)],
    x_document_details: Annotated[Details, Header()] = Details.REMOVE,
) -> dict[str, UUID]:
    """Add a document: its bytes are the body, its name is percent-encoded in `X-Document-Name`.

    What a camera or program wrote into it (place, time, author) is removed, unless
    `X-Document-Details: keep` says that the file is evidence and stays as it came.

    This is not a form, because the server would write a form's file to disk unencrypted.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/octet-stream":
        raise Invalid("Send the bytes as application/octet-stream.")
    refuse_cross_site(request, json_only=True)
    if not await may_write_case(work, staff, case_id):
        raise NotFound("Not found, or you may not change this case.")
    # Before anything is read; once more when its size is known, and for good.
    await check_quotas(work, staff, case_id, 0)
    # A slow upload and a slow virus scan must not hold a database connection.
    await work.let_go()
    limit = work.settings.document_megabytes * 1024 * 1024
    content = bytearray()
    try:
        async with asyncio.timeout(_UPLOAD_SECONDS):
            async for chunk in request.stream():
                content += chunk
                if len(content) > limit:
                    megabytes = work.settings.document_megabytes
                    raise documents.TooLarge(
                        "The document is larger than %(megabytes)s MB.", megabytes=megabytes
                    )
    except (TimeoutError, ClientDisconnect):
        raise Invalid("The upload did not finish. Try again.") from None
    name = unquote(x_document_name)
    checked = await documents.check_document(work, name, bytes(content), x_document_details)
    made = await documents.add_document(work, staff, case_id, checked)
    return {"id": made.id}


@router.get("/cases/{case_id}/documents/{document_id}", **files("*/*"))
async def get_document(
    work: InWork, staff: ReadsRecords, case_id: UUID, document_id: UUID
) -> Response:
    """Return the document as a download. The reading is logged."""
    document, name, content = await documents.open_document(work, staff, case_id, document_id)
    return download(content, document.media_type, name)


@router.post("/cases/{case_id}/documents/{document_id}/remove", status_code=204)
async def remove_document(
    work: InWork, staff: WritesCases, case_id: UUID, document_id: UUID, body: Why
) -> None:
    """Remove a misfiled document. Its name and content are deleted; the log entries stay."""
    await documents.remove_document(work, staff, case_id, document_id, body.reason)


def download(content: bytes, media_type: str, name: str) -> Response:
    """Return bytes as a download that is never shown inside our own pages."""
    ending = name.rpartition(".")[2] if "." in name else "bin"
    plain = "".join(c for c in ending if c.isascii() and c.isalnum())[:8]
    return Response(
        content,
        media_type=media_type,
        headers={
            # The real name may identify the child, so the browser gets a neutral one.
            "Content-Disposition": f'attachment; filename="document.{plain}"',
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )


@router.post("/cases/{case_id}/print")
async def print_case(work: InWork, staff: ReadsRecords, case_id: UUID, body: Printed) -> Response:
    """Return a PDF of what the recipient may have of the chosen sections. This is logged."""
    content = await printing.print_case(
        work,
        staff,
        case_id,
        to=printing.HandedTo(body.purpose, body.recipient, body.ground, body.reason),
        sections=body.sections,
        with_dates=body.dates,
        with_contacts=body.contacts,
        with_notes=body.notes,
        with_timeline=body.timeline,
        language=body.language,
        written=printed.conversations_of if body.conversations else None,
    )
    return download(content, "application/pdf", "case.pdf")
