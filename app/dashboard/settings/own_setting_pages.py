"""The page of times and limits: what the helpline decides, and what its server says."""

from typing import Annotated, Any, NamedTuple

import phonenumbers
from fastapi import APIRouter, Request, Response

from app.administration import own_settings
from app.dashboard.settings.server_words import WORDS
from app.dashboard.templating import templates
from app.dialling.rules import country_of
from app.errors import Country, Message, Refusal
from app.settings import Settings
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import N_, _, refusal_words, said
from app.work import Work

router = APIRouter(include_in_schema=False)
Keeps = Annotated[Staff, reader_with(Permission.KEEP_SETTINGS)]
# By group, in the order of the page.
GROUPS = {
    N_("Calls"): {
        "offer_seconds": N_("Seconds for which a call rings at one counsellor"),
        "connect_seconds": N_("Seconds until both must be in the talk after a call was accepted"),
        "wrap_up_seconds": N_("Longest wrap-up, in seconds"),
        "grace_seconds": N_(
            "Seconds for which a counsellor's phone is rung again after it was lost"
        ),
        "page_grace_seconds": N_(
            "Seconds for which a counsellor's browser is rung again after it was lost"
        ),
        "long_wait_seconds": N_("Seconds of waiting after which a caller can leave a message"),
        "longest_wait_seconds": N_(
            "Seconds of waiting after which a call is ended with a farewell"
        ),
        "callback_from": N_("Number that a call-back shows; empty for the number of the line"),
        "service_level_seconds": N_(
            "Seconds within which a call is to be answered (service level)"
        ),
    },
    N_("Figures"): {
        "short_abandon_seconds": N_(
            "Seconds of waiting before which a caller who hangs up is a short abandon"
        ),
        "public_period": N_("Period for which figures are published"),
    },
    N_("Written conversations"): {
        "chat_silence_seconds": N_("Seconds after which a waiting child's page counts as closed"),
        "chat_return_seconds": N_("Seconds in which a child can come back to a conversation"),
        "writing_grace_seconds": N_(
            "Seconds after which a counsellor's closed page gives conversations back"
        ),
        "chat_code_days": N_("Days for which a child can come back with a code"),
    },
    N_("Accounts and documents"): {
        "invitation_days": N_("Days for which an invitation can be used"),
        "data_request_reminder_days": N_(
            "Days after which an open request about a person's data is reminded of"
        ),
        "document_megabytes": N_("Largest document, in megabytes"),
        "documents_per_day": N_("Documents that one person can add in a day"),
        "document_megabytes_per_day": N_("Megabytes that one person can add in a day"),
        "documents_per_case": N_("Documents in one case"),
        "document_megabytes_per_case": N_("Megabytes of documents in one case"),
    },
    N_("Rest and hours of work"): {
        "rest_daily_hours": N_("Hours of rest between two duties"),
        "rest_weekly_hours": N_("Hours of rest in a row in each week"),
        "week_most_hours": N_("Most hours of work in a week"),
        "week_usual_hours": N_("Hours a week of a counsellor for whom none are written down"),
    },
    N_("The proposed rota"): {
        "duty_lengths_hours": N_("Lengths of a duty in hours, the most wanted first"),
        "duty_begins_every_minutes": N_("Minutes between the times at which a duty can begin"),
        "rota_looked_back_weeks": N_(
            "Weeks before that count when nights and weekends are shared out"
        ),
        "night_from": N_("A night begins at"),
        "night_until": N_("A night ends at"),
    },
    N_("Planning"): {
        "planning_at_least": N_("Fewest counsellors while a line is open"),
        "planning_shrinkage_percent": N_(
            "Percent of paid time in which a counsellor cannot take calls"
        ),
        "planning_target_percent": N_("Percent of calls to be answered in time"),
        "planning_patience_seconds": N_("Seconds that a caller waits on average before giving up"),
        "planning_slowdown_percent": N_(
            "Percent by which a conversation takes longer for each other one at the same time"
        ),
    },
    N_("Follow-ups"): {
        "follow_up_reminds_at": N_("Time of day at which new follow-ups remind"),
        "separation_follow_up_days": N_(
            "Days until it is asked where a child lives whose family may be separated"
        ),
    },
}

LABELS = {name: text for words in GROUPS.values() for name, text in words.items()}


@router.get("/admin/settings")
async def settings_page(request: Request, work: InWork, staff: Keeps) -> Response:
    """Show what the helpline decides, and what the operator of the server has set."""
    return await _show(request, work, staff)


@router.post("/admin/settings")
async def change_settings(request: Request, work: InWork, staff: Keeps) -> Response:
    """Decide times and limits; an empty field gives one back to the server."""
    form = await request.form()
    sent = {name: str(form[name]).strip() for name in own_settings.OWN if name in form}
    revision = str(form.get("revision", ""))
    try:
        wanted: dict[str, own_settings.Value] = {name: text or None for name, text in sent.items()}
        number = int(revision) if revision.isdecimal() else -1
        await own_settings.change(work, wanted, revision=number)
    except Refusal as refusal:
        await work.undo()
        values = refusal.message.values
        if values.get("name") in LABELS:
            values["name"] = Message(LABELS[values["name"]])
        return await _show(request, work, staff, notice=refusal_words(refusal), typed=sent)
    return await _show(request, work, staff, saved=True)


async def _show(
    request: Request,
    work: Work,
    staff: Staff,
    *,
    notice: str = "",
    saved: bool = False,
    typed: dict[str, str] | None = None,
) -> Response:
    known = await own_settings.read_own(work)
    by_name = {one.name: one for one in known.settings}
    values: dict[str, Any] = {
        "staff": staff,
        "revision": known.revision,
        "groups": {
            said(group): [(by_name[name], said(text)) for name, text in words.items()]
            for group, words in GROUPS.items()
        },
        "typed": typed or {},
        "understood": {
            one.name: _in_full(str(one.value))
            for one in known.settings
            if one.name == "callback_from" and one.is_own and one.value
        },
        "server": _of_server(own_settings.of_server(work.ground)),
        "notice": notice,
        "saved": saved,
    }
    return templates.TemplateResponse(request, "settings/own_settings.html", values)


def _in_full(number: str) -> Message:
    """Return a number with its country, as it was understood."""
    read = phonenumbers.parse(number)
    return Message(
        "Understood as %(number)s, %(country)s.",
        number=phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.INTERNATIONAL),
        country=Country(country_of(number)),
    )


class OfServer(NamedTuple):
    """A setting of the server: what it is, and its number; for others only whether it is set."""

    words: str
    # The name for the operator of the server.
    name: str
    # Empty: it is set, and may be a secret or a path. None: it is not set.
    value: str | None


def _of_server(settings: Settings) -> list[OfServer]:
    """Return the settings that stay with the operator of the server."""
    found: list[OfServer] = []
    for name, words in WORDS.items():
        value = getattr(settings, name)
        if isinstance(value, bool):
            shown: str | None = _("yes") if value else _("no")
        elif isinstance(value, int | float):
            shown = str(value)
        else:
            shown = "" if value else None
        found.append(OfServer(said(words), f"HELPLINE_{name.upper()}", shown))
    return found
