"""What the frame of every page says of what waits elsewhere: counts at the rail, and alerts.

The counts that a team sees alike are made once for the team; those that depend on what a person may
read, once for the person.
"""

from datetime import timedelta
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from app.calls import queries
from app.dashboard.rota import alarms
from app.dashboard.templating import templates
from app.definitions.risk import Urgency
from app.referrals import reading
from app.referrals.deadlines import tracking
from app.referrals.escalation import alarms as danger_alarms
from app.referrals.escalation import dangers
from app.referrals.states import ForWhom, NoticeKind
from app.routing import callbacks, queue
from app.routing.supervision import supervised
from app.safekeeping import notices
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.words.pages import _, said
from app.work import Work

router = APIRouter(include_in_schema=False)
SignedIn = Annotated[Staff, reader_with(Permission.SIGNED_IN)]
Sees = Annotated[Staff, reader_with(Permission.SEE_REFERRALS)]
SeesDeadlines = Annotated[Staff, reader_with(Permission.SEE_DEADLINES)]

_URGENT = (Urgency.IMMEDIATE, Urgency.URGENT)


class Seat(NamedTuple):
    """What the counts of a team depend on."""

    team: str
    role: str


def seat_of(staff: Staff) -> Seat:
    return Seat(staff.team, staff.role)


class Alert(NamedTuple):
    """Something that must be seen soon. Its words can be read on a locked screen."""

    id: str
    words: str
    href: str
    # What its button does, and what the button says.
    post: str
    button: str


@router.get("/board/counts")
async def counts(work: InWork, staff: SignedIn) -> Response:
    return HTMLResponse(await counts_part(work, seat_of(staff)))


async def counts_part(work: Work, seat: Seat) -> str:
    """Render how much waits at the desk and in the team, for a role in a team."""
    at_desk = 0
    if may(seat.role, Permission.SEE_QUEUE):
        at_desk += len(await queue.waiting_calls(work))
    if may(seat.role, Permission.TAKE_CALLS):
        at_desk += len(await callbacks.open_callbacks(work, seat.team))
    if may(seat.role, Permission.HEAR_MESSAGES):
        at_desk += len(await queries.open_messages(work, seat.team))
    found = {"desk": at_desk}
    if may(seat.role, Permission.SUPERVISE):
        wrong = await alarms.alarm_values(work)
        found["team"] = len(await supervised.panics(work)) + sum(
            len(wrong[name])
            for name in ("staffing", "alarms", "much_dialled", "untaken", "overdue", "late")
        )
    if may(seat.role, Permission.KEEP_PEOPLE):
        found["admin"] = len(await notices.open_notices(work))
    return _counts(found)


@router.get("/board/counts/own")
async def own_counts(work: InWork, staff: Sees) -> Response:
    return HTMLResponse(await own_counts_part(work, staff))


async def own_counts_part(work: Work, staff: Staff) -> str:
    """Render how many referrals and deadlines need the reader."""
    found = {"referrals": len(await reading.notices_for(work, staff))}
    if may(staff.role, Permission.SEE_DEADLINES):
        over = await tracking.count_due(work, staff, timedelta())
        found["supervisor"] = over.over + len(await dangers.open_dangers(work, staff))
    return _counts(found)


def _counts(found: dict[str, int]) -> str:
    return templates.get_template("fragments/frame/counts.html").render(counts=found)


@router.get("/board/alerts")
async def alerts(work: InWork, staff: SeesDeadlines) -> Response:
    return HTMLResponse(await alerts_part(work, staff))


async def alerts_part(work: Work, staff: Staff) -> str:
    """Render dangers that no person has acknowledged, and urgent deadlines that have passed."""
    pages = {"referral": "/referrals", "contact": "/contacts", "case": "/cases"}
    found = [
        Alert(
            str(alarm.id),
            said(danger_alarms.reason_of(alarm)),
            f"{pages[dangers.subject_kind(alarm)]}/{alarm.subject_id}",
            f"/api/v1/danger-alarms/{alarm.id}/acknowledge",
            _("Acknowledge"),
        )
        for alarm in await dangers.open_dangers(work, staff)
        if alarm.acknowledged_at is None
    ]
    found += [
        Alert(
            str(notice.id),
            _("A deadline of an urgent referral has passed"),
            f"/referrals/{referral.id}",
            f"/api/v1/notices/{notice.id}/seen",
            _("Seen"),
        )
        for notice, referral in await reading.notices_for(work, staff)
        if notice.kind == NoticeKind.BREACH
        and notice.author_id != staff.id
        and notice.for_whom == ForWhom.SUPERVISORS
        and referral.urgency in _URGENT
    ]
    return templates.get_template("fragments/frame/alerts.html").render(alerts=found)
