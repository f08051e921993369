"""Add the JSON interface to the application, and render refusals as JSON."""

import psycopg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from app.api import (
    agencies,
    callers,
    calls,
    case_work,
    cases,
    contacts,
    events,
    operations,
    referrals,
    roster,
    sessions,
    statistics,
)
from app.database.engine import lost_a_race
from app.errors import Refusal

PREFIX = "/api/v1"


def problem(status: int, error: str, detail: str) -> JSONResponse:
    return JSONResponse({"error": error, "detail": detail}, status_code=status)


def render(error: Exception) -> JSONResponse:
    """Return an error as JSON: a name and a sentence, never the input."""
    match error:
        case Refusal():
            return problem(error.status, type(error).__name__, error.detail)
        case RequestValidationError():
            wrong = "; ".join(
                f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}"
                for e in error.errors()[:5]
            )
            return problem(422, "Invalid", wrong)
        case HTTPException():
            name = {404: "NotFound", 405: "MethodNotAllowed"}.get(error.status_code, "HttpError")
            return problem(error.status_code, name, str(error.detail))
        case _ if lost_a_race(error):
            return problem(
                409, "Conflict", "Another change came first. Nothing was changed. Try again."
            )
        case DataError() | psycopg.DataError():
            return problem(422, "Invalid", "The input contains a value that cannot be stored.")
        case _:
            return problem(
                503, "Unavailable", "The database is unreachable. Nothing was changed. Try again."
            )


def add_api(app: FastAPI) -> None:
    """Add the routers of the JSON interface to the application."""
    parts = (
        sessions,
        calls,
        callers,
        contacts,
        case_work,
        cases,
        referrals,
        agencies,
        roster,
        statistics,
        events,
    )
    for part in parts:
        app.include_router(part.router, prefix=PREFIX)
    app.include_router(operations.router)
