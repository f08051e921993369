"""The page of the rota: one week, its uncovered shifts, and the forms to change it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import select

from app.dashboard.rota import alarms
from app.dashboard.rota.calendar import week_values
from app.dashboard.rota.done import Done, SaidDone
from app.dashboard.rota.open_views import open_lines
from app.dashboard.rota.places import place_word, read_place
from app.dashboard.rota.proposal_views import proposed_blocks
from app.dashboard.rota.rule_words import rule_words, usual_rules
from app.dashboard.rota.week_blocks import LAYER_WORDS, Week, span_words, wall_words
from app.dashboard.templating import templates
from app.errors import Invalid
from app.routing.rota import calendars, changes, feeds, roster
from app.routing.rota import templates as week_templates
from app.routing.rota.models import Holiday, RotaChange, RotaChangeState, ShiftRow
from app.routing.rota.on_duty import ChangeKind
from app.routing.rota.proposals import proposals
from app.routing.rota.shifts import Layer, OnHolidays, Place
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web import decisions
from app.web.access import InWork, Public, reader_with
from app.web.decisions import Right
from app.words.pages import N_, _, code_words, date_words, list_words, ngettext, said
from app.words.places import zone_choices
from app.work import Work

router = APIRouter(include_in_schema=False)
Sees = Annotated[Staff, reader_with(Permission.SEE_ROSTER)]
Plans = Annotated[Staff, reader_with(Permission.PLAN_ROSTER)]
SignedIn = Annotated[Staff, reader_with(Permission.SIGNED_IN)]
_CALENDAR = [Depends(Public("the secret in the address gives access"))]
# A swap names both people.
_CHANGE_WORDS = {
    "absence": N_("%(name)s is absent"),
    "extra": N_("%(name)s works an extra shift"),
    "swap": N_("%(name)s is replaced by %(other)s"),
}


_Word = Annotated[str, Query(max_length=200)]
_DONE = {
    Done.ADDED: N_("Added: %(name)s, %(when)s."),
    Done.MOVED: N_("Moved: %(name)s, %(when)s."),
    Done.REMOVED: N_("Removed: %(name)s, %(when)s."),
    Done.ABSENT: N_("Recorded: %(name)s is absent, %(when)s."),
    Done.SWAPPED: N_("A colleague takes over from %(name)s, %(when)s."),
    Done.MOVED_LATER: N_("Changed on this day and all later ones: %(name)s, %(when)s."),
    Done.REMOVED_LATER: N_("Removed on this day and all later ones: %(name)s, %(when)s."),
    Done.ASKED: N_("The colleague is asked to take over from %(name)s, %(when)s."),
}
_COPIED = {
    Done.COPIED: N_("The week was copied: %(made)s added, %(there)s were there already."),
    Done.PUT: N_("The template was put on the week: %(made)s added, %(there)s were already there."),
    Done.DELETED: N_("The template is deleted. Duties that were added from it stay."),
}
_OPEN = {
    Done.OFFERED: N_("The open shift is offered: people can sign up."),
    Done.SIGNED_UP: N_("You have signed up. The duty is yours."),
    Done.SIGNED_OFF: N_("You have signed off. The place is open again."),
    Done.WITHDRAWN: N_("The open shift is withdrawn. People who have signed up keep the duty."),
}
# What stands above a list of stretches.
_LEFT = {
    Done.ABSENT: N_("No person works this duty now. Give it to a colleague:"),
    Done.PUT: N_("Not added, as the person is absent, on duty already, or the time is past:"),
    Done.COPIED: N_("Not copied, as the person is absent, on duty already, or the time is past:"),
}


@dataclass(frozen=True)
class UndoForm:
    """The form that puts a moved stretch back, or removes one that was added."""

    was: str
    staff_id: UUID
    from_at: str
    until_at: str
    layer: str
    act: str

    @classmethod
    def of(cls, place: Place, before: Place, zone: ZoneInfo) -> "UndoForm":
        return cls(
            place_word(place),
            before.counsellor_id,
            wall_words(before.start, zone),
            wall_words(before.end, zone),
            before.layer.value,
            "remove" if place == before else "save",
        )


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
    request: Request,
    work: InWork,
    staff: Sees,
    week: str | None = None,
    done: SaidDone = None,
    at: _Word = "",
    was: _Word = "",
    left: Annotated[list[_Word] | None, Query(max_length=50)] = None,
    made: int = 0,
    there: int = 0,
) -> Response:
    """Show a week of the rota, from Monday, and what was just done in it."""
    shown = await _asked_week(work, week)
    more: dict[str, Any] = {}
    if done in _DONE:
        more = await _told(work, shown.zone, done, at, was)
    elif done == Done.SAVED:
        more["told"] = ngettext(
            "The week is kept as a template of %(num)s duty.",
            "The week is kept as a template of %(num)s duties.",
            made,
        )
    elif done in _COPIED:
        more["told"] = _(_COPIED[done], made=made, there=there)
    elif done in _OPEN:
        more["told"] = said(_OPEN[done])
    if done in _LEFT and left:
        more["left"] = said(_LEFT[done])
        more["left_out"] = [await _place_words(work, one, shown.zone) for one in left]
    return await show_week(request, work, staff, shown, **more)


async def _place_words(work: Work, word: str, zone: ZoneInfo) -> str:
    """Return a place in words: who, and when."""
    place = read_place(word)
    person = await work.session.get(Staff, place.counsellor_id)
    return f"{person.name if person else ''}, {span_words((place.start, place.end), zone)}"


async def _told(work: Work, zone: ZoneInfo, done: Done, at: str, was: str) -> dict[str, Any]:
    """Return the words for what was just done to a stretch, and the form that undoes it."""
    place, before = read_place(at), read_place(was) if was else None
    person = await work.session.get(Staff, place.counsellor_id)
    when = span_words((place.start, place.end), zone)
    told = _(_DONE[done], name=person.name if person else "", when=when)
    return {"told": told, "undo": before and UndoForm.of(place, before, zone)}


@router.get("/roster/calendar")
async def calendar_fragment(
    request: Request, work: InWork, staff: Sees, week: str | None = None
) -> Response:
    """Return the calendar alone, as it is after a change."""
    values = await _week_values(work, staff, await _asked_week(work, week))
    return templates.TemplateResponse(request, "rota/calendar.html", {**values, "staff": staff})


async def show_week(
    request: Request, work: Work, staff: Staff, week: Week, *, status: int = 200, **more: Any
) -> Response:
    """Show a week with everything that is planned in it; `told` or `notice` says what happened."""
    values = await _week_values(work, staff, week)
    values |= await _planning_values(work, staff, week)
    values = {"typed": {}, "zones": zone_choices(), **values, **more, "staff": staff}
    return templates.TemplateResponse(request, "roster.html", values, status_code=status)


async def _week_values(work: Work, staff: Staff, week: Week) -> dict[str, Any]:
    """Return the calendar of a week; only those who plan see what is proposed."""
    plans = may(staff.role, Permission.PLAN_ROSTER)
    proposed = await proposed_blocks(work, week) if plans else {}
    return await week_values(work, staff, week, proposed)


async def _asked_week(work: Work, day: str | None) -> Week:
    zone = await roster.home_zone(work)
    try:
        found = date.fromisoformat(day) if day else work.now.astimezone(zone).date()
    except ValueError:
        raise Invalid("Name the week by one of its days, for example 2026-12-01.") from None
    if not 2000 < found.year < 2100:
        raise Invalid("That week is too far away. Choose one between the years 2001 and 2099.")
    return week_of(found, zone)


def week_of(day: date, zone: ZoneInfo) -> Week:
    """Return the week of a day."""
    return Week(day - timedelta(days=day.weekday()), 7, zone)


@router.get("/board/alarms")
async def alarms_fragment(request: Request, work: InWork, staff: Plans) -> Response:
    values = await alarms.alarm_values(work)
    return templates.TemplateResponse(
        request, "fragments/team/alarms.html", {**values, "staff": staff}
    )


@router.post("/roster/feed")
async def make_feed(request: Request, work: InWork, staff: Sees) -> Response:
    """Make a new secret address for the reader's own calendar. It is shown only once."""
    token = await feeds.make_feed(work, staff)
    values = {"address": feeds.address_of(work, token), "feed": True, "staff": staff}
    return templates.TemplateResponse(request, "fragments/team/feed.html", values)


@router.post("/roster/feed/revoke")
async def revoke_feed(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Revoke the address of the reader's own calendar."""
    await feeds.revoke_feed(work, staff)
    values = {"address": "", "feed": False, "staff": staff}
    return templates.TemplateResponse(request, "fragments/team/feed.html", values)


@router.get("/calendar/{token}.ics", dependencies=_CALENDAR)
async def own_calendar(request: Request, work: InWork, token: str) -> Response:
    """Return the duty of the address's owner, for a calendar program."""
    feed = await calendars.read_feed(work, token)
    decisions.grant(request, Right.CALENDAR_LINK)
    return Response(feed, media_type="text/calendar; charset=utf-8")


# -- values ------------------------------------------------------------------------------


async def _planning_values(work: Work, staff: Staff, week: Week) -> dict[str, Any]:
    zone = week.zone
    names = {one.id: one.name for one in await changes.people_of_rota(work)}
    plans = may(staff.role, Permission.PLAN_ROSTER)
    asked = await changes.asked_of(work, staff)
    there = await changes.changes_between(work, week.since, week.until)
    known = {row.id for row in there}
    rows = there + [row for row in asked if row.id not in known]
    values: dict[str, Any] = {
        "changes": [_change_row(row, staff, names, zone, work.now) for row in rows],
        "open_shifts": await open_lines(work, staff, week, names),
        "feed": await feeds.feed_of(work, staff) is not None,
        "address": "",
        "layers": [(layer.value, said(LAYER_WORDS[layer] or N_("primary"))) for layer in Layer],
        "holiday_rules": [rule.value for rule in OnHolidays],
        **await alarms.alarm_values(work),
    }
    if plans:
        values["open_proposal"] = await proposals.open_proposal(work)
        values["templates"] = await week_templates.all_templates(work)
        values["usual_rules"] = usual_rules()
        values["shifts"] = await _shift_lines(work, names)
        exceptions = await work.session.scalars(
            select(Holiday).where(Holiday.on >= week.first).order_by(Holiday.on)
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
    asked = row.state == RotaChangeState.ASKED
    own = row.made_by == staff.id and (row.kind == ChangeKind.ABSENCE or asked)
    # Only planners and the people concerned may read why a person is absent.
    mine = staff.id in (row.counsellor_id, row.instead_id)
    return ChangeRow(
        row.id,
        words + (f" ({layer})" if layer else ""),
        span_words((row.from_at, row.until_at), zone),
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
            rule_words(row.recurrence) if row.recurrence else _("always"),
            _times(row),
            said(LAYER_WORDS[Layer(row.layer)]),
            ""
            if row.on_holidays == OnHolidays.WORKS
            else _("holidays: %(rule)s", rule=code_words(row.on_holidays)),
            row.first_on,
            row.last_on,
            list_words(date_words(day, N_("dd MMM")) for day in row.except_on),
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
