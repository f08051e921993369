"""The pages of contacts and cases. Their forms are saved through the JSON API."""

import base64
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Request, Response
from starlette.responses import RedirectResponse

from app.contacts import contacts, profiles
from app.contacts.cases import (
    case_flags,
    case_requests,
    caseload,
    cases,
    documents,
    follow_ups,
    people,
)
from app.contacts.cases.printing import Ground, Purpose
from app.contacts.finding.search import Wanted, search
from app.contacts.models import Case, Contact
from app.contacts.records import (
    Opened,
    earlier_of,
    events_of,
    events_of_contacts,
    library_of,
    present,
    sheet_of,
)
from app.contacts.states import Channel, ContactState, NonCounselling, Source
from app.dashboard import case_views
from app.dashboard.form_views import form_sections, guidance_topics, spelling
from app.dashboard.templating import templates
from app.definitions.answers import Sheet
from app.definitions.risk import Risk, Urgency
from app.definitions.trees import label_in
from app.errors import Invalid
from app.referrals.reading import referred_from
from app.referrals.states import HOUSE, Service
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.statistics import wallboards
from app.web.access import InWork, Requires
from app.words import pages
from app.work import Work

router = APIRouter(include_in_schema=False)
LANGUAGE = "helpline_language"


def _may(permission: Permission) -> Any:
    return Depends(Requires(permission, json_only=False), scope="function")


Reads = Annotated[Staff, _may(Permission.READ_RECORDS)]
SignedIn = Annotated[Staff, _may(Permission.SIGNED_IN)]
Text = Annotated[str, Form(max_length=300)]


def page(request: Request, template: str, /, **values: Any) -> Response:
    return templates.TemplateResponse(request, template, values)


def language_of(request: Request, work: Work) -> str:
    """Return the language of forms chosen in this browser.

    Without a choice it is that of the pages, if the reader chose one, or the country's first.
    """
    languages = library_of(work.ground).country.languages
    chosen = request.cookies.get(LANGUAGE, "")
    if chosen not in languages and pages.reader() != pages.SOURCE:
        chosen = pages.reader()
    return chosen if chosen in languages else languages[0]


@router.post("/language")
async def choose_language(
    request: Request, work: InWork, staff: SignedIn, language: Text = ""
) -> Response:
    """Choose the language of the forms, and return to the page of the request."""
    answer = _back(request, work)
    if language in library_of(work.ground).country.languages:
        answer.set_cookie(
            LANGUAGE,
            language,
            max_age=31536000,
            samesite="lax",
            httponly=True,
            secure=work.settings.has_tls,
        )
    return answer


def _back(request: Request, work: Work) -> RedirectResponse:
    """Return to the page of the request, if it is one of ours."""
    back = request.headers.get("referer", "/")
    base = work.settings.public_url
    return RedirectResponse(back if back.startswith(base + "/") else "/", status_code=303)


@router.post("/page-language")
async def choose_page_language(
    request: Request, work: InWork, staff: SignedIn, language: Text = ""
) -> Response:
    """Choose the language of the pages for this account, and return to the page."""
    await accounts.choose_page_language(work, staff, language)
    return _back(request, work)


# -- a contact ---------------------------------------------------------------------------------


async def contact_values(
    request: Request, work: Work, staff: Staff, contact_id: UUID
) -> dict[str, Any]:
    """Return everything that the page of a contact shows. The reading is logged."""
    opened = await contacts.open_contact(work, staff, contact_id)
    contact, language = opened.record, language_of(request, work)
    history = await contacts.urgency_history(opened)
    earlier = await earlier_of(opened)
    events = await events_of(opened)
    same, total = await profiles.others_of(work, staff, contact)
    ids = {e.staff_id for e, _ in events if e.staff_id} | {d.staff_id for d, _ in history}
    ids |= {e.replaced_by for e, _ in earlier if e.replaced_by}
    mine = contact.owner_id == staff.id or (
        may(staff.role, Permission.READ_TEAM_RECORDS) and contact.team == staff.team
    )
    writable = mine and contact.state != ContactState.COMPLETE
    return {
        **form_values(work, staff, opened, language),
        "contact": contact,
        "practising": bool(await contacts.of_practice(work, [contact.id])),
        "writable": writable,
        "guidance": guidance_topics(library_of(work.ground), language),
        "recent": await contacts.recent_categories(work, staff) if writable else [],
        "mine": mine,
        "urgencies": list(Urgency),
        "reasons": list(NonCounselling),
        "decisions": history,
        "events": events,
        "names": await accounts.names_of(work, ids | {contact.owner_id}),
        "same_person": same,
        "unseen": total - len(same),
        "candidates": await profiles.candidates(work, contact) if mine else [],
        "cases": await cases.cases_with(work, staff, contact),
        "may_open_case": may(staff.role, Permission.WRITE_CASES),
        "colleagues": await accounts.colleagues(work, staff) if mine else [],
        "earlier": earlier,
        "may_refer": may(staff.role, Permission.WRITE_REFERRALS),
        "referred": await referred_from(work, staff, contact_id=contact_id),
        "services": [service for service in Service if service not in HOUSE],
        "children": _children(opened, sheet_of(work, contact), language),
    }


def _children(opened: Opened[Any], sheet: Sheet, language: str) -> list[tuple[str, str]]:
    """Return the children who can be referred one by one: code of the entry, and label."""
    section = sheet.form.children
    if section is None:
        return []
    title = label_in(section.entry or section.title, language)
    found = []
    for number, entry in enumerate(sheet.entries(present(opened.record), section), 1):
        path = next(iter(sheet.form.paths_of("child_name", entry)), "")
        name = opened.answer(path)
        found.append((entry, f"{title} {number}" + (f", {name}" if name else "")))
    return found


def form_values(work: Work, staff: Staff, opened: Opened[Any], language: str) -> dict[str, Any]:
    record, library = opened.record, library_of(work.ground)
    sheet, answers = sheet_of(work, record), opened.answers()
    return {
        "staff": staff,
        "record": record,
        "sections": form_sections(sheet, library, answers, language),
        "versions": record.versions,
        "language": language,
        "languages": library.country.languages,
        "api": f"/api/v1/{record.__tablename__}/{record.id}",
        "spelling": spelling(),
        "recent": [],
        "labels_of_questions": {
            q.path: sheet.name_of(q, answers, language) for q in sheet.asked(answers)
        },
        # The browser keeps unsaved answers on its own machine, sealed with this key.
        # Earlier keys follow, for what was sealed before a rotation.
        "outbox_key": ",".join(
            base64.b64encode(key).decode()
            for key in work.keys.secrets_of("outbox", f"{staff.id}:{record.id}")
        ),
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
        practised=await contacts.of_practice(work, [one.id for one in found]),
        events=events,
        names=await accounts.names_of(work, {e.staff_id for e, _ in events if e.staff_id}),
        may_write=may(staff.role, Permission.WRITE_CONTACTS),
    )


# -- lists and search --------------------------------------------------------------------------


def labels_of(request: Request, work: Work) -> dict[str, str]:
    """Return the labels of categories and places by code, for lists."""
    library, language = library_of(work.ground), language_of(request, work)
    trees = (library.framework, library.categories, library.places)
    return {
        code: label_in(node.label, language) for t in trees for code, node in t.choices().items()
    }


async def _list_values(request: Request, work: Work, staff: Staff) -> dict[str, Any]:
    library, language = library_of(work.ground), language_of(request, work)
    return {
        "staff": staff,
        "categories": [
            (node.code, "– " * len(above) + label_in(node.label, language))
            for node, above in library.categories.walk()
        ],
        "places": [
            (node.code, "– " * len(above) + label_in(node.label, language))
            for node, above in library.places.walk()
        ],
        "urgencies": list(Urgency),
        "labels": labels_of(request, work),
    }


@router.get("/contacts")
async def contacts_page(request: Request, work: InWork, staff: Reads) -> Response:
    """List the contacts that the reader may see, with the search."""
    zone = ZoneInfo(library_of(work.ground).country.timezone)
    midnight = datetime.combine(work.now.astimezone(zone).date(), time(), zone)
    rows, following = await search(work, staff, Contact, Wanted())
    return page(
        request,
        "contacts.html",
        **await _list_values(request, work, staff),
        rows=rows,
        following=following,
        counts=await contacts.counts_since(work, staff, midnight),
        names=await accounts.names_of(work, {row["owner_id"] for row in rows}),
        practised=await contacts.of_practice(work, [row["id"] for row in rows]),
        states=list(ContactState),
        channels=[c for c in Channel if c not in (Channel.CALL, Channel.VOICE_MESSAGE)],
        sources=[s for s in Source if s is not Source.LIVE],
        colleagues=await accounts.colleagues(work, staff),
        may_write=may(staff.role, Permission.WRITE_CONTACTS),
    )


@router.get("/cases")
async def cases_page(request: Request, work: InWork, staff: Reads) -> Response:
    """List the cases that the reader may see, with the search."""
    rows, following = await search(work, staff, Case, Wanted())
    return page(
        request,
        "cases.html",
        **await _list_values(request, work, staff),
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
    wanted = Wanted(
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
        practised=await contacts.of_practice(work, [row["id"] for row in rows])
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


# -- a case ------------------------------------------------------------------------------------


@router.get("/cases/{case_id}")
async def case_page(request: Request, work: InWork, staff: Reads, case_id: UUID) -> Response:
    """Show a case: its form, contacts, people, dates, documents and history."""
    opened = await cases.open_case_record(work, staff, case_id)
    case, language = opened.record, language_of(request, work)
    flow = cases.workflow_of(work, case)
    linked = await cases.contacts_in(work, staff, case)
    # One timeline: the case's own events with their words, its contacts' events without words.
    timeline = [("", event, words) for event, words in await events_of(opened)]
    timeline += [(code, event, "") for event, code in await events_of_contacts(work, linked)]
    timeline.sort(key=lambda line: (line[1].at, line[1].id), reverse=True)
    open_ = not flow.status(case.status).ends
    return page(
        request,
        "case.html",
        **form_values(work, staff, opened, language),
        case=case,
        risks=list(Risk),
        writable=open_ and may(staff.role, Permission.WRITE_CASES),
        may_write=may(staff.role, Permission.WRITE_CASES),
        status=label_in(flow.status(case.status).label, language),
        moves=[
            (m.to, label_in(flow.status(m.to).label, language), m.needs_reason, m.approved_by)
            for m in flow.moves_from(case.status, staff.role)
        ],
        members=await people.members_of(work, case),
        linked=linked,
        referred=await referred_from(work, staff, case_id=case_id),
        urgencies=list(Urgency),
        services=[service for service in Service if service not in HOUSE],
        children=_children(opened, sheet_of(work, case), language),
        may_refer=may(staff.role, Permission.WRITE_REFERRALS) and open_,
        **await case_views.plan_values(opened),
        **await case_views.shared_values(work, staff, opened),
        documents=await documents.documents_of(opened),
        colleagues=await accounts.colleagues(work, staff),
        earlier=await earlier_of(opened),
        printable=printable(sheet_of(work, case), language),
        megabytes=work.settings.document_megabytes,
        timeline=timeline,
        names=await accounts.names_of(work, {e.staff_id for _, e, _ in timeline if e.staff_id}),
        purposes=list(Purpose),
        grounds=list(Ground),
    )


class Printable(NamedTuple):
    """A section and its fields that a reader can choose for printing."""

    title: str
    fields: list[tuple[str, str]]


def printable(sheet: Sheet, language: str) -> list[Printable]:
    """Return the sections of a form that can be printed."""
    return [
        Printable(
            label_in(section.title, language),
            [(f"{section.code}.{f.code}", label_in(f.label, language)) for f in section.fields],
        )
        for section in sheet.form.sections
    ]


# -- the reader's own tasks --------------------------------------------------------------------


async def tasks_values(work: Work, staff: Staff) -> dict[str, Any]:
    """Return open drafts, follow-ups that are due, and requests that wait for a decision."""
    drafts = await contacts.open_drafts(work, staff)
    return {
        "drafts": drafts,
        "practised": await contacts.of_practice(work, [draft.id for draft in drafts]),
        "bells": await follow_ups.bells_of(work, staff),
        "requests": await case_requests.waiting_for(work, staff),
        "now": work.now,
    }


@router.get("/board/tasks")
async def tasks_fragment(request: Request, work: InWork, staff: Reads) -> Response:
    return page(request, "fragments/desk/tasks.html", **await tasks_values(work, staff))


# -- definitions -------------------------------------------------------------------


@router.get("/admin")
async def admin_page(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Show the definitions with unmapped categories, and the ways to the other settings."""
    values: dict[str, Any] = {"staff": staff}
    library, language = library_of(work.ground), language_of(request, work)
    if may(staff.role, Permission.SEE_DEFINITIONS):
        values["unmapped"] = [
            (n.code, label_in(n.label, language)) for n in library.categories.unmapped()
        ]
        values["definitions"] = [
            (kind, name, version, source)
            for (kind, name, version), (_, source) in sorted(library.texts.items())
        ]
        values["framework"] = library.framework
        values["tree"] = library.categories
    if may(staff.role, Permission.KEEP_WALLBOARDS):
        values["wallboards"] = await wallboards.in_use(work)
    return page(request, "admin.html", **values)
