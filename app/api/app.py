"""Add the JSON interface to the application, and render refusals as JSON."""

import psycopg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from app.api import (
    access_requests,
    callers,
    connections,
    data_requests,
    definitions,
    dialling,
    emergencies,
    events,
    first_steps,
    languages,
    log,
    numbers,
    operations,
    people,
    practices,
    provider,
    retention,
    scim,
    tokens,
)
from app.api.calls import call_records, callbacks, queue, talks, voice_messages
from app.api.description import describe
from app.api.own import account, passkeys, presence, second_factor, sessions
from app.api.records import case_work, cases, contacts
from app.api.rota import roster, rota_planning, staffing_alarms
from app.api.settings import (
    backups,
    browsers,
    calendar_feed,
    every_line,
    keys,
    line_changes,
    line_chats,
    lines,
    own_settings,
    partners,
    wallboards,
)
from app.api.statistics import requested_files, schedules, statistics
from app.api.team import live_talks, messages, supervising
from app.api.urgent import agencies, agency_events, danger_alarms, referrals
from app.api.writing import chats
from app.database.engine import lost_a_race, ran_too_long, waited_too_long
from app.errors import Refusal
from app.web.routes import include
from app.words.pages import _, refusal_words

PREFIX = "/api/v1"
_NAMES = {404: "NotFound", 405: "MethodNotAllowed", 408: "TookTooLong"}


def problem(status: int, error: str, detail: str) -> JSONResponse:
    return JSONResponse({"error": error, "detail": detail}, status_code=status)


def render(error: Exception) -> JSONResponse:
    """Return an error as JSON: a name and a sentence, never the input."""
    match error:
        case Refusal():
            return problem(error.status, type(error).__name__, refusal_words(error))
        case RequestValidationError():
            wrong = "; ".join(
                f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}"
                for e in error.errors()[:5]
            )
            return problem(422, "Invalid", wrong)
        case HTTPException():
            if error.status_code == 413:
                return problem(413, "TooLarge", _("The body is too long. Send a shorter one."))
            if error.status_code == 400:
                # The library could not parse the body: that is wrong input like any other.
                return problem(422, "Invalid", _("The body cannot be read. Send valid JSON."))
            name = _NAMES.get(error.status_code, "HttpError")
            return problem(error.status_code, name, str(error.detail))
        case _ if waited_too_long(error):
            return problem(
                503, "Unavailable", _("Another change came first. Nothing was changed. Try again.")
            )
        case _ if ran_too_long(error):
            return problem(
                503,
                "Unavailable",
                _("It took too long. Nothing was changed. Try again."),
            )
        case _ if lost_a_race(error):
            return problem(
                409, "Conflict", _("Another change came first. Nothing was changed. Try again.")
            )
        case DataError() | psycopg.DataError():
            return problem(422, "Invalid", _("The input contains a value that cannot be stored."))
        case _:
            return problem(
                503,
                "Unavailable",
                _("The database cannot be reached. Nothing was changed. Try again."),
            )


_PARTS = (
    sessions,
    presence,
    account,
    second_factor,
    passkeys,
    provider,
    scim,
    emergencies,
    queue,
    call_records,
    talks,
    live_talks,
    callbacks,
    voice_messages,
    chats,
    supervising,
    messages,
    callers,
    practices,
    lines,
    every_line,
    line_changes,
    line_chats,
    partners,
    wallboards,
    backups,
    keys,
    browsers,
    calendar_feed,
    people,
    access_requests,
    contacts,
    case_work,
    cases,
    referrals,
    agency_events,
    danger_alarms,
    agencies,
    roster,
    staffing_alarms,
    rota_planning,
    statistics,
    schedules,
    requested_files,
    events,
    tokens,
    dialling,
    own_settings,
    data_requests,
    retention,
    definitions,
    first_steps,
    languages,
    log,
    numbers,
    connections,
)


def add_api(app: FastAPI) -> None:
    """Add the routers of the JSON interface to the application."""
    for part in _PARTS:
        include(app, part.router, prefix=PREFIX)
    include(app, operations.router)
    describe(app, PREFIX)
