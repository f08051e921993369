"""The page of dialling: which numbers are dialled, what went out, and what was refused."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from phonenumbers import SUPPORTED_REGIONS

from app.calls.lines import finding_lines
from app.dashboard.directory.choices import Option, option
from app.dashboard.records.form_views import spelling
from app.dashboard.templating import templates
from app.dialling import outward
from app.dialling.minutes import minutes
from app.dialling.models import DialledFor
from app.dialling.rules import NumberKind, Why
from app.errors import Refusal
from app.people import dialling
from app.people.dialling import RuleChanges
from app.routing import volume
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import N_, SOURCE, _, country_name, refusal_words, said, spoken_in
from app.words.places import country_choices
from app.work import Work

router = APIRouter(include_in_schema=False)
Keeps = Annotated[Staff, reader_with(Permission.KEEP_DIALLING)]
KIND_WORDS = {
    NumberKind.FIXED_LINE: N_("Fixed lines"),
    NumberKind.MOBILE: N_("Mobile phones"),
    NumberKind.TOLL_FREE: N_("Toll-free numbers"),
    NumberKind.VOIP: N_("Internet phones"),
    NumberKind.COMPANY: N_("Company numbers, which may have a price of their own"),
    NumberKind.PERSONAL: N_("Personal numbers, which may have a price of their own"),
    NumberKind.UNKNOWN: N_("Numbers of a range that is not known"),
}
WHY_WORDS = {
    Why.NOT_A_NUMBER: N_("not a phone number"),
    Why.EXPENSIVE: N_("premium rate, shared cost or satellite"),
    Why.COUNTRY: N_("country not allowed"),
    Why.KIND: N_("kind of number not allowed"),
}
PURPOSE_WORDS = {
    DialledFor.COUNSELLOR: N_("A counsellor's phone"),
    DialledFor.PARTICIPANT: N_("A number asked into a talk"),
    DialledFor.CALLBACK: N_("A call-back"),
    DialledFor.DUTY_PHONE: N_("A phone of an agency or of staff on call"),
    DialledFor.ALARM: N_("An alarm"),
    DialledFor.PARTNER: N_("The partner of a line"),
    DialledFor.NOTICE: N_("A text to a counsellor"),
    DialledFor.TEST: N_("A test text or call"),
    DialledFor.CONVERSATION: N_("A message to a child who writes"),
}
LIMITS = {
    "person_hour": N_("Numbers for one person within an hour"),
    "person_day": N_("Numbers for one person within a day"),
    "alarm_hour": N_("Alarm from this many calls and messages within an hour"),
    "alarm_day": N_("Alarm from this many calls and messages within a day"),
    "minutes_hour": N_("Alarm from this many minutes within an hour"),
    "minutes_day": N_("Alarm from this many minutes within a day"),
}


def country_options(home: tuple[str, ...]) -> list[Option]:
    """Return the countries with phone numbers, by name, without those of the lines."""
    found = []
    for code, name in country_choices():
        if code in SUPPORTED_REGIONS and code not in home:
            with spoken_in(SOURCE):
                english = country_name(code)
            found.append(option(code, name, also=f"{english} {code}"))
    return found


@router.get("/admin/dialling")
async def dialling_page(request: Request, work: InWork, staff: Keeps) -> Response:
    """Show the rules, what went out and what was refused."""
    return await _show(request, work, staff)


async def _show(
    request: Request,
    work: Work,
    staff: Staff,
    *,
    notice: str = "",
    saved: bool = False,
    typed: dict[str, Any] | None = None,
) -> Response:
    rules = await outward.read_rules(work)
    line = await finding_lines.any_line(work)
    people, refused = await outward.per_person(work), await outward.refusals(work)
    names = await accounts.names_of(
        work, {row[0] for row in people} | {row.staff_id for row in refused if row.staff_id}
    )
    hour, day = await outward.volume(work)
    values = {
        "staff": staff,
        "rules": rules,
        "typed": typed or dialling.values_of(rules),
        "countries": country_options(rules.home),
        "spelling": spelling(),
        "kinds": {kind.value: said(text) for kind, text in KIND_WORDS.items()},
        "limits": {name: said(text) for name, text in LIMITS.items()},
        "hour": hour,
        "day": day,
        "minutes": await minutes(work),
        "zone": line.timezone if line else "UTC",
        "people": [(names[who], last_hour, last_day) for who, last_hour, last_day in people],
        "refused": [
            (
                row,
                said(PURPOSE_WORDS[DialledFor(row.purpose)]),
                said(WHY_WORDS[Why(row.refused or "")]),
            )
            for row in refused
        ],
        "not_dialled": await dialling.not_dialled(work, rules),
        "alarms": await volume.open_alarms(work),
        "notice": notice,
        "saved": saved,
    }
    return templates.TemplateResponse(request, "settings/dialling.html", values)


@router.post("/admin/dialling")
async def change_dialling(request: Request, work: InWork, staff: Keeps) -> Response:
    """Change the rules."""
    form = await request.form()
    sent = {name: str(value) for name, value in form.items()}
    # Each box sends one country; a program may send all of them in one value.
    countries = re.split("[,; ]+", ",".join(str(one) for one in form.getlist("countries")))
    kinds = [kind.value for kind in NumberKind if f"kind.{kind.value}" in sent]
    typed: dict[str, Any] = {"countries": [c.upper() for c in countries if c], "kinds": kinds}
    typed |= {name: sent.get(name, "") for name in LIMITS}
    try:
        numbers = {name: int(sent[name]) for name in LIMITS}
        revision = int(sent["revision"])
    except (KeyError, ValueError):
        notice = _("Write whole numbers as limits.")
        return await _show(request, work, staff, notice=notice, typed=typed)
    try:
        changes = RuleChanges(countries=typed["countries"], kinds=kinds, **numbers)
        await dialling.change(work, changes, revision=revision)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, notice=refusal_words(refusal), typed=typed)
    return await _show(request, work, staff, saved=True)
