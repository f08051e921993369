"""Adds the pages to the application: routes, static files, error pages."""

from urllib.parse import quote, urlsplit

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.staticfiles import StaticFiles

from app.dashboard import (
    agency_page,
    callback_form,
    installing,
    languages,
    live,
    pages,
    palette,
    rail,
    referrals,
    reports,
    sounds,
    talks,
    team,
    team_messages,
    wall,
)
from app.dashboard.chats import left_pages
from app.dashboard.chats import pages as chat_pages
from app.dashboard.developers import components
from app.dashboard.pages import safe_next
from app.dashboard.people import (
    accounts,
    emergency_pages,
    first_run,
    leaving,
    own,
    passkey_pages,
    provider_pages,
    second_factor,
    welcome,
)
from app.dashboard.records import case_pages, contact_pages, lists, tasks
from app.dashboard.rota import changing, duty, offered, proposal_page, times_page
from app.dashboard.rota import page as rota_page
from app.dashboard.settings import (
    admin_page,
    agency_key_pages,
    backup_pages,
    connection_pages,
    data_request_pages,
    definition_pages,
    dialling_pages,
    every_line_pages,
    key_pages,
    language_pages,
    line_pages,
    log_pages,
    number_pages,
    provider_page,
    retention_pages,
    sign_in_pages,
    token_pages,
)
from app.dashboard.templating import BUILT, templates
from app.dashboard.training import practice
from app.database.engine import lost_a_race
from app.errors import NotSignedIn, Refusal, Unexpected
from app.web.access import speak_to_reader
from app.web.routes import include
from app.web.step_up import HEADER, ProofNeeded
from app.words.pages import _, refusal_words


def add_dashboard(app: FastAPI) -> None:
    """Add the routes of pages and fragments, and the static files."""
    app.state.streams.parts.offer(*live.PARTS)
    include(app, live.router)
    include(app, pages.shared_router)
    include(app, pages.router)
    include(app, callback_form.router)
    include(app, chat_pages.router)
    include(app, left_pages.router)
    include(app, palette.router)
    include(app, installing.router)
    include(app, components.router)
    include(app, sounds.router)
    include(app, team.router)
    include(app, rail.router)
    include(app, team_messages.router)
    include(app, wall.router)
    include(app, leaving.router)
    include(app, accounts.router)
    include(app, welcome.router)
    include(app, own.router)
    include(app, second_factor.router)
    include(app, passkey_pages.router)
    include(app, provider_pages.router)
    include(app, emergency_pages.router)
    include(app, provider_page.router)
    _add_settings(app)
    include(app, talks.router)
    include(app, practice.router)
    # Before the records: their "/{what}/found" would take paths of these pages.
    include(app, referrals.router)
    include(app, agency_key_pages.router)
    include(app, agency_page.router)
    include(app, reports.router)
    include(app, rota_page.router)
    include(app, duty.router)
    include(app, changing.router)
    include(app, offered.router)
    include(app, proposal_page.router)
    include(app, times_page.router)
    include(app, languages.router)
    include(app, contact_pages.router)
    include(app, case_pages.router)
    include(app, tasks.router)
    include(app, lists.router)
    include(app, admin_page.router)
    BUILT.mkdir(parents=True, exist_ok=True)
    app.mount("/static", StaticFiles(directory=BUILT), name="static")


def _add_settings(app: FastAPI) -> None:
    for module in (
        line_pages,
        every_line_pages,
        number_pages,
        connection_pages,
        first_run,
        language_pages,
        token_pages,
        dialling_pages,
        definition_pages,
        data_request_pages,
        retention_pages,
        backup_pages,
        key_pages,
        sign_in_pages,
        log_pages,
    ):
        include(app, module.router)


def sign_in_address(wanted: str) -> str:
    """Return the address of the sign-in, which leads on to the page that was wanted."""
    return f"/login?next={quote(wanted)}" if safe_next(wanted) != "/" else "/login"


async def render_to_reader(request: Request, error: Exception) -> Response:
    """Render an error as `render` does, in the language of its reader.

    For an address without a route, and after a fault, nothing has said who that is.
    """
    if isinstance(error, (HTTPException, Unexpected)):
        await speak_to_reader(request)
    return render(request, error)


def render(request: Request, error: Exception) -> Response:
    """Render an error as a page, or as a fragment for an htmx request."""
    if isinstance(error, NotSignedIn):
        if "hx-request" in request.headers:
            # Send the whole page to the sign-in, not only the fragment.
            path = urlsplit(request.headers.get("hx-current-url", "")).path
            return Response(status_code=401, headers={"HX-Redirect": sign_in_address(path)})
        if request.headers.get("sec-fetch-mode", "navigate") != "navigate":
            # A script of a page asks: the reader signs in over that page.
            return Response(status_code=401)
        wanted = request.url.path if request.method == "GET" else ""
        return RedirectResponse(sign_in_address(wanted), status_code=303)
    match error:
        case ProofNeeded():
            status, words = error.status, _("Prove again who you are. Nothing was done yet.")
        case Refusal():
            status, words = error.status, refusal_words(error)
        case HTTPException(status_code=413):
            status, words = 413, _("The form is too long. Shorten what you wrote and try again.")
        case HTTPException():
            status, words = error.status_code, _("This page does not exist. Check the address.")
        case _ if lost_a_race(error):
            status, words = 409, _("Another change was made first. Nothing was changed. Try again.")
        case RequestValidationError() | DataError() | psycopg.DataError():
            status, words = 422, _("The address or the form is not valid. Check it and try again.")
        case _:
            status, words = (
                503,
                _("The database cannot be reached. Nothing was changed. Try again."),
            )
    fragment = "hx-request" in request.headers and request.headers.get("hx-target") != "main"
    name = "fragments/frame/notice.html" if fragment else "error.html"
    values = {"status": status, "words": words, "staff": None}
    # The scripts of the page ask for the proof, and then send the request again.
    headers = {HEADER: "needed"} if isinstance(error, ProofNeeded) else None
    return templates.TemplateResponse(request, name, values, status_code=status, headers=headers)
