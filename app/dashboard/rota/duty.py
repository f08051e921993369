"""One stretch of duty: the form in which it is added, moved, shortened and removed.

The calendar sends the same form when a stretch is dragged or moved by keys. After a refusal the
form keeps what was typed; if another person was first, the calendar says so.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from app.dashboard.rota.done import Done
from app.dashboard.rota.page import Plans, show_week, week_of
from app.dashboard.rota.places import place_word, read_place
from app.dashboard.rota.week_blocks import LAYER_WORDS, span_words, wall_words
from app.dashboard.templating import templates
from app.errors import ChangedMeanwhile, Invalid, Refusal
from app.routing.rota import changes, later, on_duty, recurrence, roster, stretches
from app.routing.rota.shifts import Layer, Place, first_instant, last_instant
from app.staff import accounts
from app.staff.models import Staff
from app.web.access import InWork
from app.words.pages import N_, refusal_words, said
from app.work import Work

router = APIRouter(include_in_schema=False)
_Short = Annotated[str, Query(max_length=60)]
_Word = Annotated[str, Query(max_length=200)]
_USUAL = timedelta(hours=8)


@dataclass(frozen=True)
class Typed:
    """What stands in the form: as it is stored, or as it was typed."""

    staff_id: str
    from_at: str
    until_at: str
    layer: str
    reason: str = ""
    repeat: str = ""
    last_on: str = ""
    days: str = ""


def _typed(place: Place, zone: ZoneInfo) -> Typed:
    return Typed(
        str(place.counsellor_id),
        wall_words(place.start, zone),
        wall_words(place.end, zone),
        place.layer.value,
    )


def _read_layer(text: str) -> Layer:
    if text not in set(Layer):
        raise Invalid("Choose the kind of duty.")
    return Layer(text)


def _read_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid("Choose who is on duty.") from None


def read_to(typed: Typed, zone: ZoneInfo) -> Place:
    """Return the place that was typed, in wall-clock time. Raises Invalid."""
    try:
        start, end = datetime.fromisoformat(typed.from_at), datetime.fromisoformat(typed.until_at)
    except ValueError:
        raise Invalid("Write both times with their day.") from None
    for one in (start, end):
        recurrence.check_day(one.date())
        if one.tzinfo is not None:
            raise Invalid("Write both times with their day.")
    return Place(
        _read_id(typed.staff_id),
        first_instant(start, zone),
        last_instant(end, zone),
        _read_layer(typed.layer),
    )


@router.get("/roster/duty/new")
async def new_duty(
    request: Request,
    work: InWork,
    staff: Plans,
    staff_id: _Short = "",
    from_at: _Short = "",
    until_at: _Short = "",
) -> Response:
    """Show the form by which a stretch of duty is added."""
    zone = await roster.home_zone(work)
    next_hour = work.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    typed = Typed(
        staff_id,
        from_at or wall_words(next_hour, zone),
        until_at or wall_words(next_hour + _USUAL, zone),
        Layer.PRIMARY.value,
    )
    return await _form(request, work, staff, typed)


@router.get("/roster/duty")
async def duty_page(request: Request, work: InWork, staff: Plans, at: _Word) -> Response:
    """Show one stretch of duty, to be moved, shortened or removed."""
    was = read_place(at)
    return await _form(request, work, staff, _typed(was, await roster.home_zone(work)), was=was)


async def _form(
    request: Request,
    work: Work,
    staff: Staff,
    typed: Typed,
    *,
    was: Place | None = None,
    notice: str = "",
) -> Response:
    zone = await roster.home_zone(work)
    takers = await changes.people_of_rota(work)
    # A person who has left may still have a stretch, and is no choice.
    of_others = {was.counsellor_id} - {one.id for one in takers} if was else set()
    names = {one.id: one.name for one in takers} | await accounts.names_of(work, of_others)
    name = names.get(was.counsellor_id, "") if was else ""
    return templates.TemplateResponse(
        request,
        "rota/duty.html",
        {
            "staff": staff,
            "typed": typed,
            "was": was and place_word(was),
            "was_words": was and span_words((was.start, was.end), zone),
            "was_name": name,
            "begun": was is not None and was.start <= work.now,
            "notice": notice,
            "repeats_later": was is not None and await _repeats(work, was),
            "days": typed.days,
            "takers": takers,
            "layers": [(one.value, said(LAYER_WORDS[one] or N_("primary"))) for one in Layer],
            "repeats": [(code, said(words)) for code, (words, _) in REPEATS.items()],
            "zone": zone.key,
            "week": was.start.astimezone(zone).date() if was else typed.from_at[:10],
        },
    )


async def _repeats(work: Work, was: Place) -> bool:
    """Return whether a stretch comes from a shift and has not begun: later days can follow it."""
    found = (await roster.rota_of(work)).of([was.counsellor_id])
    there = (one for one in on_duty.stretches(found, was.start, was.end) if one.place == was)
    return was.start > work.now and any(one.shift_id is not None for one in there)


# How often a new duty recurs.
REPEATS = {
    "daily": (N_("every day"), "FREQ=DAILY"),
    "weekly": (N_("every week on this day"), "FREQ=WEEKLY;BYDAY={day}"),
    "fortnightly": (N_("every second week on this day"), "FREQ=WEEKLY;INTERVAL=2;BYDAY={day}"),
    "working_days": (N_("Monday to Friday"), "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
}
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def _rule(typed: Typed, to: Place, zone: ZoneInfo) -> str:
    if typed.repeat not in REPEATS:
        raise Invalid("Choose how often the duty repeats.")
    return REPEATS[typed.repeat][1].format(day=_DAYS[to.start.astimezone(zone).weekday()])


def _last_on(typed: Typed) -> date | None:
    try:
        return date.fromisoformat(typed.last_on) if typed.last_on else None
    except ValueError:
        raise Invalid("Write the last day as a date, or leave it empty.") from None


def _sent(sent: FormData) -> Typed:
    names = ("staff_id", "from_at", "until_at", "layer", "reason", "repeat", "last_on", "days")
    return Typed(*(str(sent.get(name, "")).strip()[:300] for name in names))


@router.post("/roster/duty/new")
async def add_duty(request: Request, work: InWork, staff: Plans) -> Response:
    """Add a stretch of duty."""
    typed, zone = _sent(await request.form()), await roster.home_zone(work)
    try:
        to = read_to(typed, zone)
        if typed.repeat:
            await stretches.repeat(work, staff, to, _rule(typed, to, zone), _last_on(typed))
        else:
            await stretches.add(work, staff, to, typed.reason)
    except Refusal as refusal:
        await work.undo()
        return await _form(request, work, staff, typed, notice=refusal_words(refusal))
    # One removal would leave the other days of a duty that repeats.
    return _done(Done.ADDED, to, zone, None if typed.repeat else to)


@router.post("/roster/duty")
async def change_duty(request: Request, work: InWork, staff: Plans) -> Response:
    """Move a stretch of duty, or remove it."""
    sent = await request.form()
    was, typed = read_place(str(sent.get("was", ""))), _sent(sent)
    zone = await roster.home_zone(work)
    try:
        # This day alone, or this and all later ones.
        all_later = sent.get("days") == "later"
        verbs = later if all_later else stretches
        if sent.get("act") == "remove":
            await verbs.remove(work, staff, was)
            return _done(Done.REMOVED_LATER if all_later else Done.REMOVED, was, zone)
        to = await verbs.move(work, staff, was, read_to(typed, zone))
    except ChangedMeanwhile as refusal:
        await work.undo()
        return await _refused(request, work, staff, was, refusal)
    except Refusal as refusal:
        await work.undo()
        return await _form(request, work, staff, typed, was=was, notice=refusal_words(refusal))
    # What was changed on many days is not undone by changing one.
    if all_later:
        return _done(Done.MOVED_LATER, to, zone)
    return _done(Done.MOVED, to, zone, was)


async def _refused(
    request: Request, work: Work, staff: Staff, was: Place, refusal: Refusal
) -> Response:
    zone = await roster.home_zone(work)
    week = week_of(was.start.astimezone(zone).date(), zone)
    return await show_week(request, work, staff, week, notice=refusal_words(refusal), status=409)


def _done(what: Done, at: Place, zone: ZoneInfo, was: Place | None = None) -> Response:
    """Lead back to the week of a stretch, which says what was done, and offers the way back.

    `was` is where a moved stretch stood; a stretch that was added stands for itself.
    """
    asked = {"week": at.start.astimezone(zone).date().isoformat(), "done": what}
    asked["at"] = place_word(at)
    if was is not None and (was != at or what == Done.ADDED):
        asked["was"] = place_word(was)
    return RedirectResponse(f"/roster?{urlencode(asked)}", 303)
