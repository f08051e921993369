"""Adds the pages to the application: routes, static files, error pages."""

from pathlib import Path

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.staticfiles import StaticFiles

from app.dashboard import agency_page, pages, records, referrals, reports, roster, talks
from app.dashboard.templating import templates
from app.database.engine import lost_a_race
from app.errors import NotSignedIn, Refusal

BUILT = Path(__file__).parent / "static" / "built"


def add_dashboard(app: FastAPI) -> None:
    """Add the routes of pages and fragments, and the static files."""
    app.include_router(pages.router)
    app.include_router(talks.router)
    # Before the records: their "/{what}/found" would take paths of these pages.
    app.include_router(referrals.router)
    app.include_router(agency_page.router)
    app.include_router(reports.router)
    app.include_router(roster.router)
    app.include_router(records.router)
    BUILT.mkdir(parents=True, exist_ok=True)
    app.mount("/static", StaticFiles(directory=BUILT), name="static")


def render(request: Request, error: Exception) -> Response:
    """Render an error as a page, or as a fragment for an htmx request."""
    if isinstance(error, NotSignedIn):
        if "hx-request" in request.headers:
            # Send the whole page to the sign-in, not only the fragment.
            return Response(status_code=401, headers={"HX-Redirect": "/login"})
        return RedirectResponse("/login", status_code=303)
    match error:
        case Refusal():
            status, words = error.status, error.detail
        case HTTPException():
            status, words = error.status_code, "This page does not exist. Check the address."
        case _ if lost_a_race(error):
            status, words = 409, "Another change was made first. Nothing was changed. Try again."
        case RequestValidationError() | DataError() | psycopg.DataError():
            status, words = 422, "The address or the form is not valid. Check it and try again."
        case _:
            status, words = 503, "The database cannot be reached. Nothing was changed. Try again."
    name = "fragments/notice.html" if "hx-request" in request.headers else "error.html"
    return templates.TemplateResponse(
        request, name, {"status": status, "words": words, "staff": None}, status_code=status
    )
