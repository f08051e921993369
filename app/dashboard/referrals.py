"""The pages of referrals, of their deadlines, and of the directory."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from app.calls import queries
from app.contacts import openings
from app.contacts.consent.said import wish_in_words
from app.contacts.models import Contact
from app.contacts.registry import library_of, sheet_of
from app.dashboard import referral_views
from app.dashboard.directory.choices import services_to_choose, told_by_name
from app.dashboard.people.access_requests import access_request_values
from app.dashboard.records.form_values import form_values
from app.dashboard.records.holds import hold_values
from app.dashboard.records.lists import labels_of
from app.dashboard.settings.hours_words import hours_words
from app.dashboard.templating import page
from app.definitions.risk import Urgency
from app.definitions.trees import label_in
from app.errors import Invalid
from app.referrals import accountability, reading
from app.referrals.channels.webhook import delivery
from app.referrals.consent.rules import GivenBy, How, Scope
from app.referrals.deadlines import tracking
from app.referrals.directory import addresses, agencies
from app.referrals.directory.finding import Matches
from app.referrals.escalation import alarms, dangers
from app.referrals.library import protocols_of
from app.referrals.models import Notice, Referral
from app.referrals.reading import ReferralsWanted
from app.referrals.spoken import house_words
from app.referrals.states import (
    DISPATCH_RESULTS,
    HOUSE,
    DeadlineKind,
    DispatchState,
    RecipientState,
    ReferralOutcome,
    ReferralState,
    RejectionReason,
    Service,
)
from app.retention.kinds import HeldKind
from app.routing.alarm_rows import AlarmKind
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.statistics.periods import Period, Window, whole_period
from app.statistics.protection import guarded_referrals
from app.statistics.protection.guard import last_over
from app.web.access import InWork, reader_with
from app.web.form_language import language_of
from app.words.pages import _, said
from app.work import Work

router = APIRouter(include_in_schema=False)


Sees = Annotated[Staff, reader_with(Permission.SEE_REFERRALS)]
SeesDeadlines = Annotated[Staff, reader_with(Permission.SEE_DEADLINES)]
SeesDirectory = Annotated[Staff, reader_with(Permission.SEE_DIRECTORY)]
KeepsDirectory = Annotated[Staff, reader_with(Permission.KEEP_DIRECTORY)]
SeesNumbers = Annotated[Staff, reader_with(Permission.SEE_STATISTICS)]
# Services that a person in danger needs now. All others are referred from the contact.
URGENT_SERVICES = [
    Service.POLICE,
    Service.EMERGENCY_MEDICAL,
    Service.CHILD_PROTECTION,
    Service.SHELTER,
    Service.MOBILE_OUTREACH,
    Service.MISSING_CHILD,
    Service.MENTAL_HEALTH,
]
SERVICES = [service for service in Service if service not in HOUSE]


# -- referrals ---------------------------------------------------------------------------------


@router.get("/referrals")
async def referrals_page(
    request: Request,
    work: InWork,
    staff: Sees,
    state: str = "",
    urgency: str = "",
    mine: bool = False,
    over: bool = False,
    before: str = "",
) -> Response:
    """List the referrals that the reader may see, with the form to open one by hand."""
    wanted = ReferralsWanted(
        state or None, urgency or None, None, mine, over, _instant(before) if before else None
    )
    lines = await reading.referrals(work, staff, wanted)
    return page(
        request,
        "referrals.html",
        staff=staff,
        lines=lines,
        counts=await reading.counts(work, staff),
        following=lines[-1].referral.opened_at if len(lines) == reading.PAGE else None,
        wanted=wanted,
        states=list(ReferralState),
        urgencies=list(Urgency),
        services=SERVICES,
        places=places_of(request, work),
        may_write=may(staff.role, Permission.WRITE_REFERRALS),
        may_count=may(staff.role, Permission.SEE_STATISTICS),
        may_keep=may(staff.role, Permission.KEEP_DIRECTORY),
        **await address_changes_values(work, staff),
        **await access_request_values(work, staff),
    )


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("The address is not complete. Open the list of referrals again.") from None
    if at.tzinfo is None:
        raise Invalid("The address is not complete. Open the list of referrals again.")
    return at


def places_of(request: Request, work: Work) -> list[tuple[str, str]]:
    labels = labels_of(request, work)
    return [
        (node.code, "– " * len(above) + labels[node.code])
        for node, above in library_of(work.ground).places.walk()
    ]


def _consent_words(request: Request, work: Work) -> str:
    return label_in(protocols_of(work.ground).current.consent, language_of(request, work))


@router.get("/referrals/accountability")
async def accountability_page(
    request: Request, work: InWork, staff: SeesNumbers, since: str = "", until: str = ""
) -> Response:
    """Show how agencies reply in whole months, with the definition of each number."""
    newest = last_over(work.now)
    first = _month(since) if since else newest
    last = _month(until) if until else (first if since else newest)
    if last.begins < first.begins:
        raise Invalid("The first month comes after the last. Choose them in order.")
    window, rows = await guarded_referrals.by_agency(work, Window(first.begins, last.ends))
    return page(
        request,
        "reports/accountability.html",
        staff=staff,
        rows=rows,
        definitions=accountability.DEFINITIONS,
        since=f"{first.begins:%Y-%m}",
        until=f"{last.begins:%Y-%m}",
        newest=f"{newest.begins:%Y-%m}",
        window=window,
        now=work.now,
    )


def _month(text: str) -> Window:
    try:
        return whole_period(Period.MONTH, date.fromisoformat(f"{text}-01"))
    except (ValueError, OverflowError):
        raise Invalid("Write a month like 2026-11.") from None


@router.get("/referrals/{referral_id}")
async def referral_page(request: Request, work: InWork, staff: Sees, referral_id: UUID) -> Response:
    """Show one referral: its form, deadlines, possible actions, and whole history."""
    story = await reading.read_story(work, staff, referral_id)
    referral, language = story.opened.record, language_of(request, work)
    may_write = may(staff.role, Permission.WRITE_REFERRALS) and (
        referral.owner_id == staff.id
        or may(staff.role, Permission.SEE_ALL_REFERRALS)
        or (may(staff.role, Permission.READ_TEAM_RECORDS) and referral.team == staff.team)
    )
    over = referral_views.is_over(story)
    found = await _found(work, story)
    protocol, by_name = tracking.protocol_of(work, referral), await told_by_name(work)
    return page(
        request,
        "referral.html",
        **form_values(work, staff, story.opened, language),
        **await hold_values(story.opened, staff, HeldKind.REFERRAL),
        story=story,
        referral=referral,
        to_confirm=referral.to_confirm,
        given=story.given,
        told=referral_views.told(story, {one.code: one.label for one in by_name}),
        recipients=referral_views.recipients(story, work.now),
        left_out=referral_views.left_out(work, story, language),
        deadline_words=referral_views.deadline_words,
        happened=lambda deadline: tracking.has_happened(
            referral, DeadlineKind(deadline.kind), story.holder
        ),
        plain=referral_views.plain,
        told_words=referral_views.told_words,
        ground_words=referral_views.ground_words,
        found=found,
        writable=may_write and not over,
        may_take=may(staff.role, Permission.SEE_DEADLINES),
        over=over,
        bases=[b.value for b in protocol.rule(referral.urgency).bases],
        consent_words=_consent_words(request, work),
        services=services_to_choose(),
        told_by_name=by_name,
        example=protocol.example,
        rule=protocol.rule(referral.urgency),
        given_bys=list(GivenBy),
        hows=list(How),
        scopes=list(Scope),
        urgencies=list(Urgency),
        reasons=list(RejectionReason),
        outcomes=list(ReferralOutcome),
        dispatch_states=[s for s in DispatchState if s is not DispatchState.ASKED],
        dispatch_results=DISPATCH_RESULTS,
        colleagues=await accounts.colleagues(work, staff) if may_write else [],
        now=work.now,
        place=labels_of(request, work).get(referral.place or "", _("not known")),
    )


async def _found(work: Work, story: reading.Story) -> Matches:
    """Return the agencies that fit now, for a choice by hand."""
    referral = story.opened.record
    tried = {a.agency_id for a, _ in story.recipients if a.state == RecipientState.REJECTED}
    return await agencies.find_right(
        work, referral.service, referral.place, referral.child_age, tried=tried
    )


# -- deadlines ---------------------------------------------------------------------------------


@router.get("/supervisor")
async def supervisor_page(request: Request, work: InWork, staff: SeesDeadlines) -> Response:
    """Show running deadlines, nearest first; notices; and events that were not delivered."""
    return page(request, "supervisor.html", **await _supervisor(work, staff))


async def _supervisor(work: Work, staff: Staff) -> dict[str, Any]:
    notices = await reading.notices_for(work, staff)
    return {
        "staff": staff,
        "now": work.now,
        "unreachable": await queries.count_unreachable(work),
        "running": await tracking.running(work, staff),
        "count": await tracking.count_running(work, staff),
        "notices": notices,
        "agency_names": await _named_in(work, notices),
        "dangers": await _dangers(work, staff),
        "dead": await delivery.dead_letters(work, staff),
        "deadline_words": referral_views.deadline_words,
        "house_words": lambda kind: said(house_words(kind)),
        "openings": await openings.openings_for(work, staff),
        "may_review": may(staff.role, Permission.READ_TEAM_RECORDS),
        "plain": referral_views.plain,
    }


@router.get("/supervisor/deadlines")
async def deadlines_fragment(request: Request, work: InWork, staff: SeesDeadlines) -> Response:
    return page(request, "fragments/team/deadlines.html", **await _supervisor(work, staff))


@router.get("/board/dangers")
async def dangers_fragment(request: Request, work: InWork, staff: Sees) -> Response:
    values = {"staff": staff, "dangers": await _dangers(work, staff), "now": work.now}
    return page(request, "fragments/team/dangers.html", **values)


@router.get("/board/referrals")
async def notices_fragment(request: Request, work: InWork, staff: Sees) -> Response:
    return page(request, "fragments/team/notices.html", **await notices_values(work, staff))


async def notices_values(work: Work, staff: Staff) -> dict[str, Any]:
    """Return the notices, dangers and openings for the board."""
    notices = await reading.notices_for(work, staff, limit=20)
    return {
        "staff": staff,
        "notices": notices,
        "agency_names": await _named_in(work, notices),
        "dangers": await _dangers(work, staff),
        "now": work.now,
        "house_words": lambda kind: said(house_words(kind)),
        "openings": await openings.openings_for(work, staff),
        "may_review": may(staff.role, Permission.READ_TEAM_RECORDS),
        "plain": referral_views.plain,
        "deadline_words": referral_views.deadline_words,
    }


async def _named_in(work: Work, notices: list[tuple[Notice, Referral]]) -> dict[str, str]:
    """Return the names of the agencies that notices are about, by their codes."""
    codes = (notice.detail.get("agency") for notice, _ in notices)
    return await agencies.names_of_codes(work, filter(None, codes))


# Alarms of these kinds are decided on the page of the referral.
_DECIDED_THERE = (AlarmKind.OVERRIDE_NOT_SEEN, AlarmKind.WITHDRAWAL_UNDECIDED)


async def _dangers(work: Work, staff: Staff) -> list[dict[str, Any]]:
    """Return the dangers that need a decision, each with the address of its record."""
    pages = {"referral": "/referrals", "contact": "/contacts", "case": "/cases"}
    return [
        {
            "id": alarm.id,
            "words": said(alarms.reason_of(alarm)),
            "begun_at": alarm.begun_at,
            "href": f"{pages[dangers.subject_kind(alarm)]}/{alarm.subject_id}",
            "about": dangers.subject_kind(alarm),
            "by": alarm.acknowledged_by,
            "may_decide": alarm.kind not in _DECIDED_THERE,
        }
        for alarm in await dangers.open_dangers(work, staff)
    ]


async def desk_values(
    request: Request,
    work: Work,
    staff: Staff,
    call_id: UUID | None,
    contact: Contact | None,
    *,
    has_some: bool = True,
) -> dict[str, Any]:
    """Return the values of the urgent button, and the referrals made from the present call, if it
    `has_some`."""
    if call_id is None:
        return {"desk_referrals": []}
    withheld = contact is not None and wish_in_words(contact, sheet_of(work, contact))
    return {
        "urgent_withheld": withheld,
        "desk_referrals": await reading.referred_from(work, staff, call_id=call_id)
        if has_some
        else [],
        "urgent_services": URGENT_SERVICES,
        "places": places_of(request, work),
    }


# -- the directory -----------------------------------------------------------------------------


@router.get("/agencies")
async def agencies_page(request: Request, work: InWork, staff: SeesDirectory) -> Response:
    """Show the directory."""
    return await _directory(request, work, staff)


@router.post("/agencies/right")
async def right_agencies(
    request: Request,
    work: InWork,
    staff: SeesDirectory,
    service: Annotated[Service, Form()],
    place: Annotated[str, Form(max_length=40)] = "",
    age: Annotated[str, Form(max_length=2)] = "",
) -> Response:
    """Show the directory with the agencies that fit a child, whose data are in no address."""
    years = int(age) if age.isascii() and age.isdigit() else None
    found = await agencies.find_right(work, service.value, place or None, years)
    return await _directory(
        request, work, staff, found=found, service=service.value, place=place, age=age
    )


@router.get("/agencies/address-changes")
async def address_changes_fragment(
    request: Request, work: InWork, staff: KeepsDirectory
) -> Response:
    """Render the changed addresses that wait for a second person."""
    values = await address_changes_values(work, staff)
    return page(request, "fragments/team/address_changes.html", **values)


async def address_changes_values(work: Work, staff: Staff) -> dict[str, Any]:
    """Return the changed addresses that wait, by agency, for those who keep the directory."""
    if not may(staff.role, Permission.KEEP_DIRECTORY):
        return {"address_changes": [], "plain": referral_views.plain}
    by_agency: dict[str, list[addresses.WaitingAddress]] = {}
    for one in await addresses.waiting(work, staff):
        by_agency.setdefault(one.agency.code, []).append(one)
    return {
        "address_changes": list(by_agency.values()),
        "address_words": _address_words,
        "plain": referral_views.plain,
    }


def _address_words(value: Any) -> str:
    """Return an address as the directory shows it."""
    match value:
        case None:
            return "–"
        case dict():
            return " | ".join(f"{name}={text}" for name, text in value.items())
        case list():
            shown = [
                f"{p['number']} ({hours_words(p['hours'])})" if p["hours"] else p["number"]
                for p in value
            ]
            return " | ".join(shown) or "–"
    return str(value)


async def _directory(
    request: Request,
    work: Work,
    staff: Staff,
    *,
    found: Matches | None = None,
    service: str = "",
    place: str = "",
    age: str = "",
) -> Response:
    rows = await agencies.entries(work)
    return page(
        request,
        "agencies.html",
        staff=staff,
        rows=rows,
        doubted=await agencies.doubted_phones(work),
        **await address_changes_values(work, staff),
        found=found,
        service=service,
        place=place,
        age=age,
        services=list(Service),
        places=places_of(request, work),
        labels=labels_of(request, work),
        may_keep=may(staff.role, Permission.KEEP_DIRECTORY),
        today=agencies.local_today(work),
    )
