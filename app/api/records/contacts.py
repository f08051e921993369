"""The JSON interface of contacts, for programs and for the page that saves while typing.

Search terms are in the body, never in a URL.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from app.api.records.form_views import (
    FormState,
    SavedView,
    form_state,
    saved_view,
    saved_with_state,
)
from app.api.records.record_bodies import Changes, Looked, Reason
from app.api.records.record_views import (
    ContactRow,
    ContactView,
    as_json,
    contact_as_json,
    contact_row,
    rows_as_json,
)
from app.contacts import completing, contacts, openings, profiles, reading_contacts
from app.contacts.finding.search import ContactsWanted, search
from app.contacts.models import Contact
from app.contacts.saving import Change
from app.contacts.special_codes import admit_list
from app.contacts.states import ContactChannel, NonCounselling, Source
from app.definitions.risk import Urgency
from app.errors import NotFound
from app.staff.log_values import FoundBy
from app.staff.models import Staff
from app.web.access import InWork, ReadsRecords, WritesContacts
from app.web.form_language import FormLanguage
from app.web.lean import LeanRoute
from app.work import Work

router = APIRouter(tags=["contacts"], route_class=LeanRoute)


class NewContact(BaseModel):
    channel: ContactChannel
    source: Source = Source.AFTERWARDS
    taken_at: datetime | None = None
    on_behalf_of: UUID | None = None
    call_id: UUID | None = None
    answers: dict[str, Any] = Field(default={}, max_length=500)


class CloseAs(BaseModel):
    closed_as: NonCounselling


class OpeningView(BaseModel):
    id: UUID
    reader: str
    reason: str
    at: datetime
    until: datetime
    contacts: list[str]
    reviewed_at: datetime | None
    fitting: bool | None


class Reviewed(BaseModel):
    fitting: bool
    words: str = Field(default="", max_length=2000)


class Decision(BaseModel):
    urgency: Urgency
    reason: str = Field(default="", max_length=2000)


class To(BaseModel):
    staff_id: UUID


class WhichProfile(BaseModel):
    """A profile, or the code of another contact of the same person. With neither, it is another
    person with the same number."""

    profile_id: UUID | None = None
    same_as: str | None = Field(default=None, max_length=40)


class Merge(Reason):
    into: UUID | None = None
    # Or the code of any contact of the other profile.
    into_contact: str | None = Field(default=None, max_length=40)


class Split(Reason):
    contacts: list[UUID] = Field(min_length=1, max_length=500)


class ContactList(BaseModel):
    contacts: list[ContactRow]
    next_cursor: str | None


# -- contacts ----------------------------------------------------------------------------------


@router.get("/calls/{call_id}/contact", response_model=ContactView)
async def contact_of_call(work: InWork, staff: ReadsRecords, call_id: UUID) -> Response:
    """Return the contact of a call. It is created when the call is answered."""
    contact_id = await _of(work, staff, call_id)
    return await contact_as_json(await reading_contacts.open_contact(work, staff, contact_id))


@router.put("/calls/{call_id}/contact", response_model=SavedView)
async def save_contact_of_call(
    work: InWork,
    staff: WritesContacts,
    call_id: UUID,
    body: Changes,
    language: FormLanguage,
) -> Response:
    """Save answers in the contact of a call; see `PUT /contacts/{id}/answers`."""
    return await save_contact(work, staff, await _of(work, staff, call_id), body, language)


async def _of(work: Work, staff: Staff, call_id: UUID) -> UUID:
    found = await contacts.contact_of_call(work, staff, call_id)
    if found is None:
        raise NotFound("Not found, or you do not have access to the contact of this call.")
    return found


@router.post("/contacts", status_code=201, response_model=SavedView)
async def create_contact(work: InWork, staff: WritesContacts, body: NewContact) -> Response:
    """Create a contact without a call: e-mail, visit, paper after an outage, for a colleague."""
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
async def list_contacts(work: InWork, staff: ReadsRecords, cursor: str | None = None) -> Response:
    """List the contacts that you may see, newest first, without their answers."""
    return await _contacts(work, staff, ContactsWanted(cursor=cursor))


@router.post("/contacts/search", response_model=ContactList)
async def search_contacts(work: InWork, staff: ReadsRecords, body: Looked) -> Response:
    """Search by code, category, place, date, counsellor, status, name, number or headline."""
    return await _contacts(work, staff, body.wanted())


async def _contacts(work: Work, staff: Staff, wanted: ContactsWanted) -> Response:
    rows, following = await search(work, staff, Contact, wanted)
    return rows_as_json("contacts", rows, following)


@router.get("/contacts/{contact_id}", response_model=ContactView)
async def get_contact(work: InWork, staff: ReadsRecords, contact_id: UUID) -> Response:
    """Return a contact with its answers. The reading is logged."""
    return await contact_as_json(await reading_contacts.open_contact(work, staff, contact_id))


@router.get("/contacts/{contact_id}/state")
async def get_contact_state(
    work: InWork, staff: ReadsRecords, contact_id: UUID, language: FormLanguage
) -> FormState:
    """Return what the form asks, lacks and suggests, without any sealed text."""
    return await form_state(work, staff, Contact, contact_id, language)


@router.put("/contacts/{contact_id}/answers", response_model=SavedView)
async def save_contact(
    work: InWork,
    staff: WritesContacts,
    contact_id: UUID,
    body: Changes,
    language: FormLanguage,
) -> Response:
    """Save answers, each with the revision at which its question was last seen.

    A null clears an answer. If another person has changed a question since, it is not saved but
    returned in `conflicts`; an invalid answer is returned in `refused`; the rest is saved.
    """
    contact, saved = await contacts.save(work, staff, contact_id, body.made())
    return await saved_with_state(work, contact, saved, language)


@router.post("/contacts/{contact_id}/complete")
async def complete_contact(
    work: InWork, staff: WritesContacts, contact_id: UUID, language: FormLanguage
) -> ContactRow:
    """Complete the contact. 422 lists everything that is missing."""
    return await contact_row(work, await completing.complete(work, staff, contact_id, language))


@router.post("/contacts/{contact_id}/close")
async def close_contact(
    work: InWork, staff: WritesContacts, contact_id: UUID, body: CloseAs
) -> ContactRow:
    """Close a contact that was not counselling: silent, a test, a wrong number."""
    return await contact_row(
        work, await completing.close_as(work, staff, contact_id, body.closed_as)
    )


@router.post("/contacts/{contact_id}/reopen")
async def reopen_contact(
    work: InWork, staff: WritesContacts, contact_id: UUID, body: Reason
) -> ContactRow:
    """Reopen the contact, with a reason."""
    return await contact_row(work, await completing.reopen(work, staff, contact_id, body.reason))


@router.post("/contacts/{contact_id}/open-earlier", status_code=201)
async def open_earlier(
    work: InWork, staff: WritesContacts, contact_id: UUID, body: Reason
) -> list[ContactRow]:
    """Open earlier contacts of the person you are talking with, for some hours, with a reason."""
    found = await openings.open_earlier(work, staff, contact_id, body.reason)
    await admit_list(work, found, FoundBy.CALLER)
    return [await contact_row(work, one) for one in found]


@router.get("/openings")
async def list_openings(work: InWork, staff: ReadsRecords) -> list[OpeningView]:
    """List recent openings of your own contacts; for a supervisor, the openings to review."""
    return [
        OpeningView(
            id=one.opening.id,
            reader=one.reader,
            reason=one.reason,
            at=one.opening.at,
            until=one.opening.until,
            contacts=[code for _, code in one.codes],
            reviewed_at=one.opening.reviewed_at,
            fitting=one.opening.fitting,
        )
        for one in await openings.openings_for(work, staff)
    ]


@router.post("/openings/{opening_id}/review", status_code=204)
async def review_opening(
    work: InWork, staff: ReadsRecords, opening_id: UUID, body: Reviewed
) -> None:
    """Record the supervisor's judgement whether an opening was justified."""
    await openings.review(work, staff, opening_id, fitting=body.fitting, words=body.words)


@router.post("/contacts/{contact_id}/urgency")
async def decide_urgency(
    work: InWork, staff: WritesContacts, contact_id: UUID, body: Decision
) -> ContactRow:
    """Record the counsellor's decision on the urgency. The suggestion is kept as well."""
    return await contact_row(
        work, await contacts.decide_urgency(work, staff, contact_id, body.urgency, body.reason)
    )


@router.post("/contacts/{contact_id}/assign")
async def assign_contact(
    work: InWork, staff: WritesContacts, contact_id: UUID, body: To
) -> ContactRow:
    """Assign the contact to a colleague. Its previous owner may still read it."""
    return await contact_row(work, await contacts.assign(work, staff, contact_id, body.staff_id))


@router.post("/contacts/{contact_id}/profile", status_code=204)
async def choose_profile(
    work: InWork, staff: WritesContacts, contact_id: UUID, body: WhichProfile
) -> None:
    """Say who called: a known profile, or another person with the same number."""
    if body.same_as is not None:
        await profiles.link_to_contact(work, staff, contact_id, body.same_as)
    elif body.profile_id is None:
        await profiles.tell_apart(work, staff, contact_id)
    else:
        await profiles.link(work, staff, contact_id, body.profile_id)


@router.post("/profiles/{profile_id}/merge", status_code=204)
async def merge_profiles(
    work: InWork, staff: WritesContacts, profile_id: UUID, body: Merge
) -> None:
    """Merge two profiles of the same person."""
    into = body.into or await profiles.profile_by_contact(work, staff, body.into_contact or "")
    await profiles.merge(work, staff, profile_id, into, body.reason)


@router.post("/profiles/{profile_id}/split", status_code=201)
async def split_profile(
    work: InWork, staff: WritesContacts, profile_id: UUID, body: Split
) -> dict[str, UUID]:
    """Move some of a profile's contacts, which are another person's, to a new profile."""
    new = await profiles.split(work, staff, profile_id, body.contacts, body.reason)
    return {"profile_id": new}
