"""Adds the pages to the application: routes, static files, error pages."""

from urllib.parse import quote, urlsplit

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from app.dashboard import (
    agency_page,
    call_page,
    callback_form,
    desk,
    inbox,
    installing,
    languages,
    live,
    palette,
    rail,
    reports,
    sounds,
    talks,
    team,
    team_messages,
    wall,
)
from app.dashboard.chats import left_pages, ring_pages, translation_pages
from app.dashboard.chats import pages as chat_pages
from app.dashboard.developers import components
from app.dashboard.directory import address_changes, list_page
from app.dashboard.directory import pages as directory_pages
from app.dashboard.people import (
    access_requests,
    accounts,
    emergency_pages,
    first_administrator,
    first_steps,
    leaving,
    own,
    passkey_pages,
    provider_pages,
    second_factor,
    signing_in,
    welcome,
)
from app.dashboard.records import case_pages, contact_pages, lists, tasks
from app.dashboard.referrals import accountability, deadlines
from app.dashboard.referrals import pages as referral_pages
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
    key_pages,
    language_pages,
    log_pages,
    number_pages,
    own_setting_pages,
    provider_page,
    retention_pages,
    sign_in_pages,
    token_pages,
    wallboard_pages,
)
from app.dashboard.settings.lines import carrier_pages, every_line_pages, line_pages, prompt_pages
from app.dashboard.templating import BUILT, templates
from app.dashboard.training import practice
from app.database.engine import is_away, is_busy, lost_a_race, ran_too_long, waited_too_long
from app.errors import NotSignedIn, Refusal, TooMany, Unexpected
from app.staff.models import Staff
from app.web.access import ME, CrossSite, OtherPerson, reader_of_error
from app.web.files import Files
from app.web.routes import include
from app.web.step_up import ProofNeeded
from app.words.pages import _, refusal_words

# In the order in which their addresses are compared with that of a request.
_ROUTERS = (
    live.router,
    signing_in.router,
    desk.shared_router,
    desk.router,
    inbox.router,
    call_page.router,
    callback_form.router,
    chat_pages.lean_router,
    chat_pages.router,
    ring_pages.router,
    left_pages.router,
    translation_pages.lean_router,
    translation_pages.router,
    palette.router,
    installing.router,
    components.router,
    sounds.router,
    team.router,
    rail.router,
    team_messages.router,
    wall.router,
    wallboard_pages.router,
    leaving.router,
    access_requests.router,
    accounts.router,
    welcome.router,
    own.router,
    second_factor.router,
    passkey_pages.router,
    provider_pages.router,
    emergency_pages.router,
    provider_page.router,
    line_pages.router,
    carrier_pages.router,
    prompt_pages.router,
    every_line_pages.router,
    number_pages.router,
    connection_pages.router,
    first_administrator.router,
    first_steps.router,
    language_pages.router,
    token_pages.router,
    dialling_pages.router,
    own_setting_pages.router,
    definition_pages.router,
    data_request_pages.router,
    retention_pages.router,
    backup_pages.router,
    key_pages.router,
    sign_in_pages.router,
    log_pages.router,
    talks.router,
    practice.router,
    # Before the records: their "/{what}/found" would take paths of these pages.
    accountability.router,
    referral_pages.router,
    deadlines.router,
    list_page.router,
    address_changes.router,
    directory_pages.router,
    agency_key_pages.router,
    agency_page.router,
    reports.router,
    rota_page.router,
    duty.router,
    changing.router,
    offered.router,
    proposal_page.router,
    times_page.router,
    languages.router,
    contact_pages.router,
    case_pages.router,
    tasks.router,
    lists.router,
    admin_page.router,
)


def add_dashboard(app: FastAPI) -> None:
    """Add the routes of pages and fragments, and the static files."""
    app.state.streams.parts.offer(*live.PARTS)
    for router in _ROUTERS:
        include(app, router)
    BUILT.mkdir(parents=True, exist_ok=True)
    app.mount("/static", Files(directory=BUILT), name="static")


def sign_in_address(wanted: str) -> str:
    """Return the address of the sign-in, which leads on to the page that was wanted."""
    return f"/login?next={quote(wanted)}" if signing_in.safe_next(wanted) != "/" else "/login"


async def render_to_reader(request: Request, error: Exception) -> Response:
    """Render an error as `render` does, in the language of its reader, and for a person who is
    signed in inside the frame: a talk has its telephone in it, and goes on.

    For an address without a route, and after a fault, nothing has said who that is.
    """
    whole = _is_loaded_whole(request) and not isinstance(error, NotSignedIn)
    asks = isinstance(error, (HTTPException, Unexpected)) or (whole and not _again_in(error))
    reader = await reader_of_error(request) if asks and not _is_cheap(request, error) else None
    return render(request, error, reader if whole else None)


# Pages before the sign-in.
_BEFORE = ("/login", "/setup", "/welcome")


def _is_cheap(request: Request, error: Exception) -> bool:
    """Return whether a request is refused without a look for its reader: a flood of what is
    refused, with a session made up, must not ask the database once for each."""
    if isinstance(error, (CrossSite, TooMany)) or request.url.path.startswith(_BEFORE):
        return True
    return isinstance(error, HTTPException) and error.status_code in (413, 429)


def _is_loaded_whole(request: Request) -> bool:
    """Return whether a browser opens a page, and no script asks for a part of one."""
    return (
        "hx-request" not in request.headers
        and ME not in request.headers
        and request.headers.get("sec-fetch-mode", "navigate") == "navigate"
    )


def _again_in(error: Exception) -> int:
    """Return after how many seconds a page may be read again by itself, because the database was
    away; 0 if it did answer, and would answer the same again.

    Longer if it has too much to do: what asks then makes it worse.
    """
    if is_busy(error):
        return 30
    return 5 if is_away(error) else 0


def render(request: Request, error: Exception, reader: Staff | None = None) -> Response:
    """Render an error as a page, or as a fragment for an htmx request.

    `reader`: who sees the page in the frame of all pages.
    """
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
        case _ if waited_too_long(error):
            status, words = 503, _("Another change was made first. Nothing was changed. Try again.")
        case _ if ran_too_long(error):
            status = 503
            words = _("It took too long. Nothing was changed. Try again.")
        case _ if lost_a_race(error):
            status, words = 409, _("Another change was made first. Nothing was changed. Try again.")
        case RequestValidationError() | DataError() | psycopg.DataError():
            status, words = 422, _("The address or the form is not valid. Check it and try again.")
        case _:
            status, words = (
                503,
                _("The database cannot be reached. Nothing was changed. Try again."),
            )
    of_part = "hx-request" in request.headers and request.headers.get("hx-target") != "main"
    # Where another person has signed in, the page that asks stays as it is until it gives way.
    fragment = of_part or isinstance(error, OtherPerson)
    name = "fragments/frame/notice.html" if fragment else "error.html"
    # A page that could not be read is read again by itself; what was sent is not sent again.
    again = _again_in(error) if request.method == "GET" else 0
    values = {"status": status, "words": words, "staff": reader, "again": again}
    return templates.TemplateResponse(request, name, values, status_code=status)
