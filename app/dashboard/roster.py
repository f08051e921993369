"""The page of the rota: one week, its uncovered shifts, and the forms to change it."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import select

from app.calls import lines
from app.dashboard.templating import templates
from app.dashboard.views import language_words
from app.errors import Invalid
from app.referrals.escalation.alarms import reason_of
from app.routing.models import Holiday, RotaChange, ShiftRow
from app.routing.rota import calendars, changes, coverage, feeds, on_duty, roster, watch
from app.routing.rota.on_duty import ChangeKind, Span
from app.routing.rota.shifts import Duty, Layer, OnHolidays, first_instant
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, Public, Requires
from app.words.pages import N_, _, code_words, date_words, instant_words, said
from app.work import Work

router = APIRouter(include_in_schema=False)
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_ROSTER, json_only=False), scope="function")]
Plans = Annotated[
    Staff, Depends(Requires(Permission.PLAN_ROSTER, json_only=False), scope="function")
]
SignedIn = Annotated[
    Staff, Depends(Requires(Permission.SIGNED_IN, json_only=False), scope="function")
]
_CALENDAR = [Depends(Public("the secret in the address gives access"))]
LAYER_WORDS = {
    Layer.PRIMARY: "",
    Layer.BACKUP: N_("backup"),
    Layer.SUPERVISOR: N_("supervisor on call"),
    Layer.ON_CALL: N_("on-call phone"),
}
# A swap names both people.
_CHANGE_WORDS = {
    "absence": N_("%(name)s is absent"),
    "extra": N_("%(name)s works an extra shift"),
    "swap": N_("%(name)s is replaced by %(other)s"),
}


@dataclass(frozen=True)
class Stretch:
    """A part of a day that is on duty for one person, or uncovered."""

    words: str
    layer: str
    # Local begin and end of the whole stretch, for forms that change it.
    begins: str
    ends: str


@dataclass(frozen=True)
class Person:
    id: UUID
    name: str
    days: list[list[Stretch]]


@dataclass(frozen=True)
class Uncovered:
    line: str
    language: str
    days: list[list[Stretch]]
    weeks_missing: str


@dataclass(frozen=True)
class ChangeRow:
    id: UUID
    words: str
    when: str
    reason: str
    state: str
    may_answer: bool
    may_withdraw: bool


@dataclass(frozen=True)
class ShiftLine:
    id: UUID
    name: str
    days: str
    times: str
    layer: str
    holidays: str
    first_on: date
    last_on: date | None
    left_out: str


@router.get("/roster")
async def roster_page(
    request: Request, work: InWork, staff: Sees, week: str | None = None
) -> Response:
    """Show a week of the rota, from Monday."""
    zone = await _zone(work)
    monday = _monday(week, work.now.astimezone(zone).date())
    values = await _week_values(work, staff, monday, zone)
    values |= await _planning_values(work, staff, monday, zone)
    return templates.TemplateResponse(request, "roster.html", {**values, "staff": staff})


@router.get("/board/alarms")
async def alarms_fragment(request: Request, work: InWork, staff: Plans) -> Response:
    values = await alarm_values(work)
    return templates.TemplateResponse(
        request, "fragments/team/alarms.html", {**values, "staff": staff}
    )


async def alarm_values(work: Work) -> dict[str, Any]:
    """Return the open alarms: lines without a counsellor, and uncovered shifts."""
    return {
        "staffing": [
            (alarm, f"{line}, {language_words(alarm.language)}", said(reason_of(alarm)))
            for alarm, line in await watch.open_alarms(work)
        ],
        "now": work.now,
        "alarms": [
            (
                alarm,
                f"{line}, {language_words(alarm.language)}",
                _span_words((alarm.from_at, alarm.until_at), ZoneInfo(zone)),
            )
            for alarm, line, zone in await coverage.open_alarms(work)
        ],
    }


@router.post("/roster/feed")
async def make_feed(request: Request, work: InWork, staff: Sees) -> Response:
    """Make a new secret address for the reader's own calendar. It is shown only once."""
    token = await feeds.make_feed(work, staff)
    address = f"{work.settings.public_url.rstrip('/')}/calendar/{token}.ics"
    values = {"address": address, "feed": True, "staff": staff}
    return templates.TemplateResponse(request, "fragments/team/feed.html", values)


@router.post("/roster/feed/revoke")
async def revoke_feed(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Revoke the address of the reader's own calendar."""
    await feeds.revoke_feed(work, staff)
    values = {"address": "", "feed": False, "staff": staff}
    return templates.TemplateResponse(request, "fragments/team/feed.html", values)


@router.get("/calendar/{token}.ics", dependencies=_CALENDAR)
async def own_calendar(work: InWork, token: str) -> Response:
    """Return the duty of the address's owner, for a calendar program."""
    return Response(
        await calendars.read_feed(work, token), media_type="text/calendar; charset=utf-8"
    )


# -- values ------------------------------------------------------------------------------


async def _zone(work: Work) -> ZoneInfo:
    line = await lines.any_line(work)
    return ZoneInfo(line.timezone if line else "UTC")


def _monday(week: str | None, today: date) -> date:
    try:
        day = date.fromisoformat(week) if week else today
    except ValueError:
        raise Invalid("Name the week by one of its days, for example 2026-12-01.") from None
    if not 2000 < day.year < 2100:
        raise Invalid("That week is too far away. Choose one between the years 2001 and 2099.")
    return day - timedelta(days=day.weekday())


async def _week_values(work: Work, staff: Staff, monday: date, zone: ZoneInfo) -> dict[str, Any]:
    days = [monday + timedelta(days=n) for n in range(7)]
    edges = [first_instant(datetime.combine(d, time()), zone) for d in (*days, days[-1] + _DAY)]
    found = await roster.rota_of(work)
    by_person: dict[UUID, list[Duty]] = defaultdict(list)
    for duty in on_duty.stretches(found, edges[0], edges[-1]):
        by_person[duty.counsellor_id].append(duty)
    takers = await changes.takers(work)
    weeks = await coverage.coverage(work, work.now, work.now + coverage.LOOKED_AHEAD)
    this_week = await coverage.coverage(work, edges[0] - 2 * _DAY, edges[-1] + 2 * _DAY)
    return {
        "days": [
            (day, day in found.holidays, day == work.now.astimezone(zone).date()) for day in days
        ],
        "before": monday - 7 * _DAY,
        "after": monday + 7 * _DAY,
        "monday": monday,
        "zone": zone.key,
        "people": [
            Person(
                one.id,
                one.name,
                _by_day(
                    [((d.start, d.end), said(LAYER_WORDS[d.layer])) for d in by_person[one.id]],
                    edges,
                    zone,
                ),
            )
            for one in takers
        ],
        "uncovered": [
            Uncovered(
                c.line,
                language_words(c.language),
                _by_day([(hole, "") for hole in c.holes], edges, zone),
                _hours(later.missing),
            )
            for c, later in zip(this_week, weeks, strict=True)
        ],
        "may_plan": may(staff.role, Permission.PLAN_ROSTER),
        "takers": takers,
        "takes_calls": may(staff.role, Permission.TAKE_CALLS),
    }


_DAY = timedelta(days=1)


def _by_day(
    spans: list[tuple[Span, str]], edges: list[datetime], zone: ZoneInfo
) -> list[list[Stretch]]:
    """Return each stretch on every day that it touches."""
    return [
        [
            Stretch(
                _part_words(begin, end, since, until, zone),
                layer,
                begin.astimezone(zone).replace(tzinfo=None).isoformat(timespec="minutes"),
                end.astimezone(zone).replace(tzinfo=None).isoformat(timespec="minutes")
                if end.year < 9000
                else "",
            )
            for (begin, end), layer in spans
            if begin < until and end > since
        ]
        for since, until in pairwise(edges)
    ]


def _part_words(
    begin: datetime, end: datetime, since: datetime, until: datetime, zone: ZoneInfo
) -> str:
    from_ = "…" if begin < since else f"{begin.astimezone(zone):%H:%M}"
    to = "…" if end > until else "24:00" if end == until else f"{end.astimezone(zone):%H:%M}"
    return _("all day") if from_ in ("…", "00:00") and to in ("…", "24:00") else f"{from_}–{to}"


def _span_words(span: Span, zone: ZoneInfo) -> str:
    begin, end = (at.astimezone(zone) for at in span)
    until = f"{end:%H:%M}" if end.date() == begin.date() else instant_words(end)
    return _("%(begin)s to %(end)s", begin=instant_words(begin), end=until)


def _hours(missing: timedelta) -> str:
    minutes = int(missing.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes else _("nothing")


async def _planning_values(
    work: Work, staff: Staff, monday: date, zone: ZoneInfo
) -> dict[str, Any]:
    begins = first_instant(datetime.combine(monday, time()), zone)
    ends = first_instant(datetime.combine(monday + 7 * _DAY, time()), zone)
    names = {one.id: one.name for one in await changes.takers(work)}
    plans = may(staff.role, Permission.PLAN_ROSTER)
    asked = await changes.asked_of(work, staff)
    there = await changes.changes_between(work, begins, ends)
    known = {row.id for row in there}
    rows = there + [row for row in asked if row.id not in known]
    values: dict[str, Any] = {
        "changes": [_change_row(row, staff, names, zone, work.now) for row in rows],
        "feed": await feeds.feed_of(work, staff) is not None,
        "address": "",
        "layers": [(layer.value, said(LAYER_WORDS[layer] or N_("primary"))) for layer in Layer],
        "holiday_rules": [rule.value for rule in OnHolidays],
        **await alarm_values(work),
    }
    if plans:
        values["shifts"] = await _shift_lines(work, names)
        exceptions = await work.session.scalars(
            select(Holiday).where(Holiday.on >= monday).order_by(Holiday.on)
        )
        values["holidays"] = list(exceptions)
    return values


def _change_row(
    row: RotaChange, staff: Staff, names: dict[UUID, str], zone: ZoneInfo, now: datetime
) -> ChangeRow:
    plans = may(staff.role, Permission.PLAN_ROSTER)
    other = names.get(row.instead_id, "?") if row.instead_id is not None else ""
    words = _(_CHANGE_WORDS[row.kind], name=names.get(row.counsellor_id, "?"), other=other)
    layer = said(LAYER_WORDS[Layer(row.layer)])
    asked = row.state == "asked"
    own = row.made_by == staff.id and (row.kind == ChangeKind.ABSENCE or asked)
    # Only planners and the people concerned may read why a person is absent.
    mine = staff.id in (row.counsellor_id, row.instead_id)
    return ChangeRow(
        row.id,
        words + (f" ({layer})" if layer else ""),
        _span_words((row.from_at, row.until_at), zone),
        row.reason if plans or mine else "",
        _("asked, not agreed yet") if asked else "",
        may_answer=asked and (row.instead_id == staff.id or plans),
        may_withdraw=(own or plans) and row.until_at > now,
    )


async def _shift_lines(work: Work, names: dict[UUID, str]) -> list[ShiftLine]:
    rows = await work.session.scalars(select(ShiftRow).order_by(ShiftRow.created_at, ShiftRow.id))
    return [
        ShiftLine(
            row.id,
            names[row.counsellor_id],
            row.recurrence or _("always"),
            _times(row),
            said(LAYER_WORDS[Layer(row.layer)]),
            ""
            if row.on_holidays == "works"
            else _("holidays: %(rule)s", rule=code_words(row.on_holidays)),
            row.first_on,
            row.last_on,
            ", ".join(date_words(day, N_("dd MMM")) for day in row.except_on),
        )
        for row in rows
        if row.counsellor_id in names
        and not (row.last_on and row.last_on < roster.local_day(work, row.timezone))
    ]


def _times(row: ShiftRow) -> str:
    if row.recurrence is None:
        return ""
    end = (datetime.combine(row.first_on, row.starts_at) + timedelta(minutes=row.minutes)).time()
    return f"{row.starts_at:%H:%M}–{end:%H:%M} {row.timezone}"
