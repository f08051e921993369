"""The lists of contacts and of cases, with their search."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request, Response

from app.contacts import reading_contacts
from app.contacts.cases import case_flags, case_requests, caseload, follow_ups
from app.contacts.finding.search import ContactsWanted, search
from app.contacts.models import Case, Contact
from app.contacts.registry import library_of
from app.contacts.states import ContactChannel, ContactState, Source
from app.dashboard.templating import page
from app.definitions.risk import Urgency
from app.definitions.trees import label_in
from app.errors import Invalid
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.web.form_language import language_of
from app.work import Work

router = APIRouter(include_in_schema=False)
Reads = Annotated[Staff, reader_with(Permission.READ_RECORDS)]
Text = Annotated[str, Form(max_length=300)]


def labels_of(request: Request, work: Work) -> dict[str, str]:
    """Return the labels of categories and places by code, for lists."""
    library, language = library_of(work.ground), language_of(request, work)
    trees = (library.framework, library.categories, library.places)
    return {
        code: label_in(node.label, language) for t in trees for code, node in t.choices().items()
    }


def places_of(request: Request, work: Work) -> list[tuple[str, str]]:
    """Return the code and label of each place, those within another behind dashes, for a choice."""
    labels = labels_of(request, work)
    return [
        (node.code, "– " * len(above) + labels[node.code])
        for node, above in library_of(work.ground).places.walk()
    ]


async def list_values(request: Request, work: Work, staff: Staff) -> dict[str, Any]:
    """Return what the pages of contacts and of cases have in common."""
    library, language = library_of(work.ground), language_of(request, work)
    return {
        "staff": staff,
        "categories": [
            (node.code, "– " * len(above) + label_in(node.label, language))
            for node, above in library.categories.walk()
        ],
        "places": places_of(request, work),
        "urgencies": list(Urgency),
        "labels": labels_of(request, work),
    }


@router.get("/contacts")
async def contacts_page(request: Request, work: InWork, staff: Reads) -> Response:
    """List the contacts that the reader may see, with the search."""
    zone = ZoneInfo(library_of(work.ground).country.timezone)
    midnight = datetime.combine(work.now.astimezone(zone).date(), time(), zone)
    rows, following = await search(work, staff, Contact, ContactsWanted())
    return page(
        request,
        "contacts.html",
        **await list_values(request, work, staff),
        rows=rows,
        following=following,
        counts=await reading_contacts.counts_since(work, staff, midnight),
        names=await accounts.names_of(work, {row["owner_id"] for row in rows}),
        practised=await reading_contacts.of_practice(work, [row["id"] for row in rows]),
        states=list(ContactState),
        channels=[
            c
            for c in ContactChannel
            if c not in (ContactChannel.CALL, ContactChannel.VOICE_MESSAGE)
        ],
        sources=[s for s in Source if s is not Source.LIVE],
        colleagues=await accounts.colleagues(work, staff),
        may_write=may(staff.role, Permission.WRITE_CONTACTS),
    )


@router.get("/cases")
async def cases_page(request: Request, work: InWork, staff: Reads) -> Response:
    """List the cases that the reader may see, with the search."""
    rows, following = await search(work, staff, Case, ContactsWanted())
    return page(
        request,
        "cases.html",
        **await list_values(request, work, staff),
        rows=rows,
        following=following,
        names=await accounts.names_of(work, {row["owner_id"] for row in rows}),
        flags=await case_flags.flagged(work, [row["id"] for row in rows]),
        states=[s.code for s in library_of(work.ground).workflow.statuses],
        bells=await follow_ups.bells_of(work, staff),
        requests=await case_requests.waiting_for(work, staff, with_reasons=True),
        caseload=await caseload.caseload(work, staff),
        may_write=may(staff.role, Permission.WRITE_CASES),
    )


@router.post("/{what}/found")
async def found(
    request: Request,
    work: InWork,
    staff: Reads,
    what: str,
    code: Text = "",
    category: Text = "",
    place: Text = "",
    since: Text = "",
    until: Text = "",
    counsellor: Text = "",
    status: Text = "",
    urgency: Text = "",
    name: Text = "",
    number: Text = "",
    headline: Text = "",
    cursor: Text = "",
) -> Response:
    """Return the rows found. The search comes in the body, so that no address holds it."""
    zone = ZoneInfo(library_of(work.ground).country.timezone)
    wanted = ContactsWanted(
        code=code or None,
        category=category or None,
        place=place or None,
        since=_midnight(since, zone),
        until=_midnight(until, zone, days=1),
        counsellor=counsellor or None,
        status=status or None,
        urgency=urgency or None,
        name=name.strip() or None,
        number=number.strip() or None,
        headline=headline.strip() or None,
        cursor=cursor or None,
    )
    if what not in ("contacts", "cases"):
        raise Invalid("Only contacts and cases can be searched. Open one of these lists.")
    model: Any = Contact if what == "contacts" else Case
    rows, following = await search(work, staff, model, wanted)
    return page(
        request,
        f"fragments/records/{what}_rows.html",
        labels=labels_of(request, work),
        rows=rows,
        following=following,
        names=await accounts.names_of(work, {row["owner_id"] for row in rows}),
        flags=await case_flags.flagged(work, [row["id"] for row in rows]) if model is Case else {},
        practised=await reading_contacts.of_practice(work, [row["id"] for row in rows])
        if model is Contact
        else set(),
    )


def _midnight(text: str, zone: ZoneInfo, days: int = 0) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text) + timedelta(days=days), time(), zone)
    except (ValueError, OverflowError):
        raise Invalid("Write a date like 2026-11-24.") from None
