"""What holds for responses of every kind: their headers, and what a fault tells."""

import json
import re

import httpx2
import pytest

from app.demo.stage import LINE, Stage
from app.log import set_up_logging
from app.server import _listen
from app.staff.roles import Role
from tests.web.serving import base, served, settings_on

MARKUP = "<img src=x onerror=alert(1)>\"'&lt;"


async def test_an_unexpected_error_tells_nothing_of_the_inside_and_is_logged(
    database: str, anyio_backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listener = _listen("127.0.0.1", 0)
    async with served(settings_on(database), [listener]) as app:

        async def falls_over(record: str) -> None:
            raise RuntimeError("SELECT name FROM children: Zlatanka +381641234567")

        app.add_api_route("/falls/{record}", falls_over)
        app.add_api_route("/api/v1/falls/{record}", falls_over)
        set_up_logging("ERROR")
        async with httpx2.AsyncClient(trust_env=False, base_url=base(listener)) as client:
            page = await client.get("/falls/K-7F3-9QD-2XC")
            answer = await client.get("/api/v1/falls/K-7F3-9QD-2XC")
            for one in (page, answer):
                assert one.status_code == 500
                assert "Something went wrong here" in one.text
                assert not re.search("RuntimeError|Traceback|Zlatanka|SELECT", one.text)
                assert one.headers["x-content-type-options"] == "nosniff"
                assert one.headers["cache-control"] == "no-store"
                assert "frame-ancestors 'none'" in one.headers["content-security-policy"]
            assert answer.json()["error"] == "Unexpected"
            # The server lives.
            assert (await client.get("/login")).status_code < 500
    told = capsys.readouterr().err
    mine = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert [(one["path"], one["exception_type"]) for one in mine] == [
        ("/falls/{record}", "RuntimeError"),
        ("/api/v1/falls/{record}", "RuntimeError"),
    ]
    assert not re.search("Zlatanka|K-7F3|38164", told)


async def test_no_other_site_is_allowed_to_read(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana", role=Role.SUPERVISOR, state=None, shift=False)
    elsewhere = {
        "Cookie": ana.cookie_header,
        "Origin": "https://evil.example.org",
        "Access-Control-Request-Method": "GET",
    }
    kept = ("/static/built/board.js", "/static/helpline.svg")
    for method, path in (
        ("GET", "/"),
        ("GET", "/api/v1/me"),
        ("OPTIONS", "/api/v1/me"),
        ("GET", "/login"),
        ("GET", "/nowhere"),
        ("GET", "/static/"),
        ("GET", "/static/built/"),
        *(("GET", one) for one in kept),
    ):
        answer = await stage.client.request(
            method, stage.settings.public_url + path, headers=elsewhere
        )
        allowed = [name for name in answer.headers if name.startswith("access-control")]
        assert allowed == [], path
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["referrer-policy"] == "same-origin", path
        assert answer.headers["cross-origin-resource-policy"] == "same-origin", path
        if path not in kept and not path.startswith("/static"):
            assert answer.headers["cache-control"] == "no-store", path
        # A folder of files shows no list of them.
        if path.endswith("/") and len(path) > 1:
            assert answer.status_code == 404, path


async def test_markup_in_names_is_text_on_every_page(stage: Stage) -> None:
    """Names of people, agencies and lines that could be a script stand there as they were typed."""
    boss = await stage.add_counsellor(MARKUP, role=Role.ADMINISTRATOR, state=None, shift=False)
    keeper = await stage.add_counsellor(
        MARKUP + "2", role=Role.SUPERVISOR, state=None, shift=False, team=MARKUP
    )
    named = await stage.rows("UPDATE lines SET name = %s RETURNING id", MARKUP)
    assert named
    showed = 0
    for person, pages in (
        (boss, ("/admin/people", "/admin/lines", "/admin", "/account")),
        (keeper, ("/", "/roster", "/team", "/reports", "/agencies", "/contacts", "/account")),
    ):
        for path in pages:
            answer = await stage.client.get(
                stage.settings.public_url + path,
                headers={"Cookie": person.cookie_header},
                follow_redirects=True,
            )
            assert answer.status_code == 200, path
            assert "<img src=x" not in answer.text, path
            showed += "&lt;img src=x onerror=alert(1)&gt;" in answer.text
    assert showed > 5
    assert LINE not in (await stage.client.get(stage.settings.public_url + "/login")).text


async def test_signing_out_is_on_every_page(stage: Stage) -> None:
    for role in Role:
        person = await stage.add_counsellor(role.value, role=role, state=None, shift=False)
        cookie = {"Cookie": person.cookie_header}
        page = await stage.client.get(
            stage.settings.public_url + "/account", headers=cookie, follow_redirects=True
        )
        assert page.status_code == 200, role
        assert '<form method="post" action="/logout">' in page.text, role
    done = await stage.client.post(stage.settings.public_url + "/logout", headers=cookie)
    assert done.status_code == 303
    gone = await stage.client.get(stage.settings.public_url + "/api/v1/me", headers=cookie)
    assert gone.status_code == 401
