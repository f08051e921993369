"""What the frame of every page says of what waits elsewhere: counts at the rail, and alerts.

The counts that a team sees alike are made once for the team; those that depend on what a person may
read, once for the person.
"""

from datetime import timedelta
from functools import cache
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from sqlalchemy import BindParameter, ColumnElement, Text, bindparam, literal, select

from app.calls import queries
from app.dashboard.rota import alarms
from app.dashboard.templating import templates
from app.database.quick import Listed, Question, count_of
from app.definitions.risk import Urgency
from app.jobs.transaction import rows_of
from app.people import work_left
from app.referrals.deadlines import tracking
from app.referrals.escalation import alarms as danger_alarms
from app.referrals.escalation import dangers
from app.referrals.notices import notices_for
from app.referrals.states import ForWhom, NoticeKind
from app.routing.callbacks import callbacks
from app.routing.supervision import supervised
from app.routing.waiting import places_in_queue
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
    (found,) = await rows_of(work, _counted(seat.role), team=seat.team, now=work.now)
    return _counts(found)


_TEAM: BindParameter[str] = bindparam("team", type_=Text())


@cache
def _counted(role: str) -> Question:
    """Return the question how much waits for people of a role: how long each list is that their
    pages show. One question, because every change of the queue asks it."""
    desk: list[Listed] = []
    if may(role, Permission.SEE_QUEUE):
        desk.append(places_in_queue.WAITING)
    if may(role, Permission.TAKE_CALLS):
        desk.append(callbacks.open_of(_TEAM))
    if may(role, Permission.HEAR_MESSAGES):
        desk.append(queries.messages_open_of(_TEAM))
    columns = [_sum(desk).label("desk")]
    if may(role, Permission.SUPERVISE):
        columns.append(_sum([supervised.OPEN_CALLS_FOR_HELP, *alarms.LISTED]).label("team"))
    if may(role, Permission.KEEP_PEOPLE):
        columns.append(_sum([notices.OPEN_NOTICES, work_left.OPEN]).label("admin"))
    return Question(select(*columns))


def _sum(lists: list[Listed]) -> ColumnElement[int]:
    return sum((count_of(one) for one in lists), start=literal(0))


@router.get("/board/counts/own")
async def own_counts(work: InWork, staff: Sees) -> Response:
    return HTMLResponse(await own_counts_part(work, staff))


async def own_counts_part(work: Work, staff: Staff) -> str:
    """Render how many referrals and deadlines need the reader."""
    found = {"referrals": len(await notices_for(work, staff))}
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
        for notice, referral in await notices_for(work, staff)
        if notice.kind == NoticeKind.BREACH
        and notice.author_id != staff.id
        and notice.for_whom == ForWhom.SUPERVISORS
        and referral.urgency in _URGENT
    ]
    return templates.get_template("fragments/frame/alerts.html").render(alerts=found)
