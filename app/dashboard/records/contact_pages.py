"""The pages of a contact and of one person. Their forms are saved through the JSON API."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from app.contacts import profiles, reading_contacts
from app.contacts.cases import cases
from app.contacts.events import earlier_of, events_of
from app.contacts.registry import library_of, sheet_of
from app.contacts.states import ContactState, NonCounselling
from app.dashboard.records.form_values import children_of, form_values
from app.dashboard.records.guidance import guidance_in
from app.dashboard.records.holds import hold_values
from app.dashboard.templating import page
from app.definitions.risk import RiskCues, Urgency
from app.definitions.trees import label_in
from app.referrals.reading import referred_from
from app.referrals.states import OWN_SERVICES, Service
from app.retention.kinds import HeldKind
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.web.form_language import language_of
from app.words.pages import code_words, list_words
from app.work import Work

router = APIRouter(include_in_schema=False)
Reads = Annotated[Staff, reader_with(Permission.READ_RECORDS)]


def _cue_words(risk: RiskCues, language: str, cues: list[str]) -> str:
    """Return signs of danger in words; one that the file no longer has stands as it is."""
    known = {one.cue: label_in(one.reason, language) for one in risk.cues}
    return list_words(known.get(cue) or code_words(cue) for cue in cues)


async def contact_values(
    request: Request, work: Work, staff: Staff, contact_id: UUID
) -> dict[str, Any]:
    """Return everything that the page of a contact shows. The reading is logged."""
    opened = await reading_contacts.open_contact(work, staff, contact_id)
    contact, language = opened.record, language_of(request, work)
    history = await reading_contacts.urgency_history(opened)
    earlier = await earlier_of(opened)
    events = await events_of(opened)
    same, total = await profiles.others_of(work, staff, contact)
    ids = {e.staff_id for e, _ in events if e.staff_id} | {one.row.staff_id for one in history}
    ids |= {e.replaced_by for e, _ in earlier if e.replaced_by}
    mine = contact.erased_at is None and (
        contact.owner_id == staff.id
        or (may(staff.role, Permission.READ_TEAM_RECORDS) and contact.team == staff.team)
    )
    writable = mine and contact.state != ContactState.COMPLETE
    return {
        **form_values(work, staff, opened, language),
        **await hold_values(opened, staff, HeldKind.CONTACT),
        "contact": contact,
        "practising": bool(await reading_contacts.of_practice(work, [contact.id])),
        "writable": writable,
        "guidance": guidance_in(library_of(work.ground), language),
        "recent": await reading_contacts.recent_categories(work, staff) if writable else [],
        "mine": mine,
        "urgencies": list(Urgency),
        "reasons": list(NonCounselling),
        "decisions": history,
        "cue_words": partial(_cue_words, library_of(work.ground).risk, language),
        "events": events,
        "names": await accounts.names_of(work, ids | {contact.owner_id}),
        "same_person": same,
        "unseen": total - len(same),
        "candidates": await profiles.candidates(work, contact) if mine else [],
        "cases": await cases.cases_with(work, staff, contact),
        "may_open_case": may(staff.role, Permission.WRITE_CASES),
        "colleagues": await accounts.colleagues(work, staff) if mine else [],
        "earlier": earlier,
        "may_refer": may(staff.role, Permission.WRITE_REFERRALS) and contact.erased_at is None,
        "referred": await referred_from(work, staff, contact_id=contact_id),
        "services": [service for service in Service if service not in OWN_SERVICES],
        "children": children_of(opened, sheet_of(work, contact), language),
    }


@router.get("/contacts/{contact_id}")
async def contact_page(request: Request, work: InWork, staff: Reads, contact_id: UUID) -> Response:
    """Show the counselling record. It is saved while the counsellor types."""
    return page(request, "contact.html", **await contact_values(request, work, staff, contact_id))


@router.get("/profiles/{profile_id}")
async def profile_page(request: Request, work: InWork, staff: Reads, profile_id: UUID) -> Response:
    """Show the contacts of one person, with the history of splits and merges."""
    profile, found, events = await profiles.open_profile(work, staff, profile_id)
    return page(
        request,
        "profile.html",
        staff=staff,
        profile=profile,
        contacts=found,
        practised=await reading_contacts.of_practice(work, [one.id for one in found]),
        events=events,
        names=await accounts.names_of(work, {e.staff_id for e, _ in events if e.staff_id}),
        may_write=may(staff.role, Permission.WRITE_CONTACTS),
    )
