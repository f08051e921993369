"""An error is a page, too: for a person who is signed in it has the frame, and so their talk."""

from typing import Any

import psycopg
import pytest
from httpx2 import Response
from psycopg.errors import AdminShutdown, QueryCanceled
from psycopg_pool import PoolTimeout
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolFull
from starlette.requests import Request

from app.dashboard import app as dashboard
from app.dashboard import desk
from app.demo.counsellor import Counsellor
from app.errors import Conflict, TooMany
from app.routing import presence
from tests.support.program.quiet import QuietStage

RAIL, CALL_BAR, AGAIN = '<nav class="rail"', 'hx-get="/board/frame"', "data-again"


async def opened(
    quiet: QuietStage, who: Counsellor | None, path: str, *, method: str = "GET", **headers: str
) -> Response:
    """What a browser gets that opens an address."""
    if who is not None:
        headers["cookie"] = who.cookie_header
    address = quiet.settings.public_url + path
    return await quiet.client.request(method, address, headers=headers)


def fails_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let the desk fail when it is opened, and when it says that its reader writes."""

    async def fails(*_values: Any) -> dict[str, Any]:
        raise error

    monkeypatch.setattr(desk, "desk_values", fails)
    monkeypatch.setattr(presence, "keep_wrap_up", fails)


async def test_an_error_has_the_frame_for_a_person_who_is_signed_in(
    quiet: QuietStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await quiet.add_counsellor("ana", state=None)
    fails_with(monkeypatch, Conflict("Already done."))
    pages = {"/team": 403, "/nowhere": 404, "/": 409, "/contacts/none": 422}
    for path, status in pages.items():
        answer = await opened(quiet, ana, path)
        assert answer.status_code == status, answer.text
        assert f"<h1>{status}</h1>" in answer.text
        assert (RAIL in answer.text, CALL_BAR in answer.text) == (True, True), path
        assert AGAIN not in answer.text
    # A person who is not known has no frame, and a part of a page none within the frame.
    stranger = await opened(quiet, None, "/nowhere")
    assert (stranger.status_code, RAIL in stranger.text) == (404, False)
    for part in ({"hx-request": "true"}, {"sec-fetch-mode": "cors"}):
        assert RAIL not in (await opened(quiet, ana, "/", **part)).text


async def test_a_page_tries_again_by_itself_when_the_database_was_away(
    quiet: QuietStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await quiet.add_counsellor("ana", state=None)
    fails_with(monkeypatch, OperationalError("SELECT", {}, psycopg.OperationalError("away")))
    for part in ({}, {"hx-request": "true", "hx-target": "main"}):
        answer = await opened(quiet, ana, "/", **part)
        assert answer.status_code == 503
        assert (AGAIN in answer.text, RAIL in answer.text) == (True, False)
    # What was sent is not sent again without its sender.
    answer = await opened(quiet, ana, "/board/writing", method="POST")
    assert (answer.status_code, AGAIN in answer.text) == (503, False)
    # Later if it has too much to do, and never if it answered.
    for error, again in (
        (AdminShutdown(), 'data-again="5"'),
        (PoolTimeout(), 'data-again="30"'),
        (PoolFull(), 'data-again="30"'),
        (OperationalError("SELECT", {}, QueryCanceled()), ""),
    ):
        fails_with(monkeypatch, error)
        answer = await opened(quiet, ana, "/")
        assert answer.status_code == 503
        assert (again in answer.text, AGAIN in answer.text) == (True, again != ""), error


async def test_a_flood_of_what_is_refused_asks_for_no_reader(
    quiet: QuietStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await quiet.add_counsellor("ana", state=None)
    asked = []

    async def reader(request: Request) -> None:
        asked.append(request.url.path)

    monkeypatch.setattr(dashboard, "reader_of_error", reader)
    fails_with(monkeypatch, TooMany())
    elsewhere = {"origin": "https://elsewhere.example", "cookie": "helpline_session=made-up"}
    refused = [
        (ana, "GET", "/", {}, 429),
        (None, "POST", "/login", elsewhere, 403),
        (None, "POST", "/board/writing", elsewhere, 403),
        (None, "GET", "/login/nowhere", elsewhere, 404),
    ]
    for who, method, path, headers, status in refused:
        answer = await opened(quiet, who, path, method=method, **headers)
        assert (answer.status_code, asked) == (status, []), path
    await opened(quiet, None, "/nowhere", **elsewhere)
    assert asked == ["/nowhere"]
