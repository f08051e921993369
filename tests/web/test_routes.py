"""The routes of routers are those of the application, each under its prefix."""

import pytest
from fastapi import APIRouter, FastAPI
from httpx2 import ASGITransport, AsyncClient

from app.web.routes import include

pages, records, api = APIRouter(), APIRouter(), APIRouter()


@pages.get("/reports/{name}")
async def report(name: str) -> str:
    return f"report {name}"


@pages.post("/reports/{name}")
async def change(name: str) -> str:
    return f"changed {name}"


@records.get("/{what}/found")
async def found(what: str) -> str:
    return f"found {what}"


@api.get("/me")
async def me() -> str:
    return "me"


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/reports/week", 200, "report week"),
        ("POST", "/reports/week", 200, "changed week"),
        ("DELETE", "/reports/week", 405, "Method Not Allowed"),
        ("GET", "/cases/found", 200, "found cases"),
        ("GET", "/api/v1/me", 200, "me"),
        ("GET", "/me", 404, "Not Found"),
        ("GET", "/api/v1/you", 404, "Not Found"),
        ("GET", "/report", 404, "Not Found"),
    ],
)
async def test_the_first_route_that_fits_answers(
    anyio_backend: str, method: str, path: str, status: int, words: str
) -> None:
    app = FastAPI()
    for router, prefix in ((pages, ""), (records, ""), (api, "/api/v1")):
        include(app, router, prefix)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://desk") as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert words in answer.text
    assert set(app.openapi()["paths"]) == {"/reports/{name}", "/{what}/found", "/api/v1/me"}


async def test_two_applications_have_the_same_routes(anyio_backend: str) -> None:
    """They are worked out once, also under a prefix, where they are asked for by nothing else."""
    one, other = FastAPI(), FastAPI()
    for app in (one, other):
        include(app, pages)
        include(app, api, "/api/v1")
    assert all(route in other.router.routes for route in pages.routes)
    (mine,) = [route for route in one.router.routes if getattr(route, "name", "") == "me"]
    assert any(route is mine for route in other.router.routes)
    (own,) = api.routes
    assert getattr(own, "path", "") == "/me"
