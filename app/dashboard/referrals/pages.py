"""The pages of referrals."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from app.dashboard.directory.address_changes import address_changes_values
from app.dashboard.directory.choices import services_to_choose, told_by_name
from app.dashboard.people.access_requests import access_request_values
from app.dashboard.records.form_values import form_values
from app.dashboard.records.holds import hold_values
from app.dashboard.records.lists import labels_of, places_of
from app.dashboard.referrals import referral_views
from app.dashboard.templating import page
from app.definitions.risk import Urgency
from app.definitions.trees import label_in
from app.errors import Invalid
from app.referrals import reading
from app.referrals.consent.grounds import ground_words
from app.referrals.consent.rules import GivenBy, How, Scope
from app.referrals.deadlines import tracking
from app.referrals.directory import right_agency
from app.referrals.directory.finding import Matches
from app.referrals.library import protocols_of
from app.referrals.reading import ReferralsWanted
from app.referrals.states import (
    DISPATCH_RESULTS,
    OWN_SERVICES,
    DeadlineKind,
    DispatchState,
    RecipientState,
    ReferralOutcome,
    ReferralState,
    RejectionReason,
    Service,
)
from app.retention.kinds import HeldKind
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.web.form_language import language_of
from app.words.pages import _
from app.work import Work

router = APIRouter(include_in_schema=False)
Sees = Annotated[Staff, reader_with(Permission.SEE_REFERRALS)]
SERVICES = [service for service in Service if service not in OWN_SERVICES]


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


def _consent_words(request: Request, work: Work) -> str:
    return label_in(protocols_of(work.ground).current.consent, language_of(request, work))


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
        ground_words=ground_words,
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
    return await right_agency.find_right(
        work, story.asked.service, referral.place, referral.child_age, tried=tried
    )
