"""Puts the JSON interface on the application, and renders refusals."""

import asyncio

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from app.api import calls, events, operations, sessions
from app.errors import Refusal

PREFIX = "/api/v1"


def problem(status: int, error: str, detail: str) -> JSONResponse:
    return JSONResponse({"error": error, "detail": detail}, status_code=status)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    return problem(error.status, type(error).__name__, error.detail)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Where and what, never the input itself: it could be a child's.
    wrong = "; ".join(
        f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:5]
    )
    return problem(422, "Invalid", wrong)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    name = {404: "NotFound", 405: "MethodNotAllowed"}.get(error.status_code, "HttpError")
    return problem(error.status_code, name, str(error.detail))


async def _no_database(request: Request, error: Exception) -> JSONResponse:
    return problem(503, "Unavailable", "The database cannot be reached. Nothing was changed.")


def add_api(app: FastAPI) -> None:
    """Routers, state and renderers."""
    app.state.sign_in_limiter = sessions.make_limiter()
    app.state.stopping = asyncio.Event()
    for router in (sessions.router, calls.router, events.router):
        app.include_router(router, prefix=PREFIX)
    app.include_router(operations.router)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _no_database)

