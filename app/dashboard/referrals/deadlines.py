"""The supervisor's page of deadlines, and the notices and dangers on the desk."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from app.calls import queries
from app.contacts import openings
from app.dashboard.referrals import referral_views
from app.dashboard.templating import page
from app.referrals.channels.webhook import delivery
from app.referrals.deadlines import tracking
from app.referrals.directory import agencies
from app.referrals.escalation import alarms, dangers
from app.referrals.models import Notice, Referral
from app.referrals.notices import notices_for
from app.referrals.spoken import notice_words
from app.routing.alarm_rows import AlarmKind
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.words.pages import said
from app.work import Work

router = APIRouter(include_in_schema=False)
Sees = Annotated[Staff, reader_with(Permission.SEE_REFERRALS)]
SeesDeadlines = Annotated[Staff, reader_with(Permission.SEE_DEADLINES)]


@router.get("/supervisor")
async def supervisor_page(request: Request, work: InWork, staff: SeesDeadlines) -> Response:
    """Show running deadlines, nearest first; notices; and events that were not delivered."""
    return page(request, "supervisor.html", **await _supervisor(work, staff))


async def _supervisor(work: Work, staff: Staff) -> dict[str, Any]:
    notices = await notices_for(work, staff)
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
        "notice_words": lambda kind: said(notice_words(kind)),
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
    """Return the notices, dangers and openings for the desk."""
    notices = await notices_for(work, staff, limit=20)
    return {
        "staff": staff,
        "notices": notices,
        "agency_names": await _named_in(work, notices),
        "dangers": await _dangers(work, staff),
        "now": work.now,
        "notice_words": lambda kind: said(notice_words(kind)),
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
