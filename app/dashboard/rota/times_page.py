"""Working times: how many hours a week each person works, and when they can."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from app.dashboard.rota.page import Plans
from app.dashboard.templating import templates
from app.errors import Invalid, Refusal
from app.routing.rota import changes, working_times
from app.routing.rota.own_rules import usual_week
from app.routing.rota.working_times import DAYS, Times
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork
from app.words.pages import N_, _, number_words, refusal_words, said

router = APIRouter(include_in_schema=False)
DAY_WORDS = {
    "MO": N_("Monday"),
    "TU": N_("Tuesday"),
    "WE": N_("Wednesday"),
    "TH": N_("Thursday"),
    "FR": N_("Friday"),
    "SA": N_("Saturday"),
    "SU": N_("Sunday"),
}


@dataclass(frozen=True)
class PersonTimes:
    """A person, and what is written down about them."""

    id: UUID
    name: str
    hours: str
    when: str
    note: str


@router.get("/roster/working-times")
async def times_page(request: Request, work: InWork, staff: Plans) -> Response:
    """Show the working times of all who take calls."""
    known, usual = await working_times.all_times(work), usual_week(work.ground)
    lines = []
    for one in await changes.people_of_rota(work):
        times, note = known.get(one.id), ""
        if one.training:
            note = _("in training: not proposed")
        elif times is None:
            supervises = may(one.role, Permission.SUPERVISE)
            note = _("supervisor: not proposed") if supervises else _("as usual")
            times = Times(0 if supervises else usual.usual_hours * 60)
        elif times.minutes == 0:
            note = _("not proposed")
        lines.append(
            PersonTimes(
                one.id,
                one.name,
                _("%(hours)s h", hours=times_hours(times)),
                when_words(times),
                note,
            )
        )
    return templates.TemplateResponse(
        request, "rota/times.html", {"staff": staff, "lines": lines, "usual": usual.usual_hours}
    )


def times_hours(times: Times | None) -> str:
    return number_words(times.minutes / 60, "0.##") if times is not None else "–"


def when_words(times: Times | None) -> str:
    """Return when a person can work, in words."""
    if times is None or times.available is None:
        return _("any time")
    return " · ".join(
        f"{said(DAY_WORDS[day])} {', '.join(spans)}"
        for day, spans in times.by_day().items()
        if spans
    )


@router.get("/roster/working-times/{staff_id}")
async def one_page(request: Request, work: InWork, staff: Plans, staff_id: UUID) -> Response:
    """Show the form for one person."""
    person = await changes.taker(work, staff_id)
    times = (await working_times.all_times(work)).get(person.id)
    typed: dict[str, Any] = {
        "hours": times_hours(times) if times else "",
        "any": "" if times is not None and times.available is not None else "any",
    }
    for day, spans in (times.by_day() if times else {}).items():
        typed[day] = ", ".join(spans)
    return await _form(request, staff, person, typed)


async def _form(
    request: Request,
    staff: Staff,
    person: Staff,
    typed: dict[str, Any],
    notice: str = "",
) -> Response:
    values = {
        "staff": staff,
        "person": person,
        "typed": typed,
        "days": [(day, said(words)) for day, words in DAY_WORDS.items()],
        "notice": notice,
    }
    return templates.TemplateResponse(request, "rota/times_form.html", values)


@router.post("/roster/working-times/{staff_id}")
async def save(request: Request, work: InWork, staff: Plans, staff_id: UUID) -> Response:
    """Write down the working times of a person. After a refusal the form keeps what was typed."""
    person = await changes.taker(work, staff_id)
    sent = await request.form()
    typed = {name: str(sent.get(name, "")).strip()[:200] for name in ("hours", "any", *DAYS)}
    try:
        available = None
        if not typed["any"]:
            days = {day: typed[day] for day in DAYS}
            available = working_times.read_available(working_times.read_days(days))
        await working_times.set_times(work, staff, staff_id, _hours(typed["hours"]), available)
    except Refusal as refusal:
        await work.undo()
        person = await changes.taker(work, staff_id)
        return await _form(request, staff, person, typed, refusal_words(refusal))
    return RedirectResponse("/roster/working-times", 303)


def _hours(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise Invalid("Write the hours of a week as a number from 0 to 168.") from None
