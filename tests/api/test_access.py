"""Every route has a permission, and what each role is shown. Who reaches which route stands in
`docs/security/access.csv`."""

from types import SimpleNamespace

import httpx2
import pytest
from fastapi import Request
from fastapi.routing import APIRoute

from app.api.own.sessions import router as sessions_router
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import PERMISSIONS, Permission, Role, may
from app.web.access import Guard, Public, opened
from tests.support.program.quiet import QuietStage
from tests.support.routes import routes
from tests.support.talks import talk


def guards(route: APIRoute) -> list[object]:
    found: list[object] = []
    pending = list(route.dependant.dependencies)
    while pending:
        dependency = pending.pop()
        found.append(dependency.call)
        pending += dependency.dependencies
    return found


async def test_every_route_has_a_permission_or_a_reason(quiet: QuietStage) -> None:
    seen = 0
    for route in routes(quiet):
        if route.path.startswith("/telephony"):
            continue
        seen += 1
        calls = guards(route)
        assert any(isinstance(c, (Guard, Public)) for c in calls), route.path
    assert seen >= 30
    assert sessions_router.routes


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
async def test_a_request_with_a_safe_method_has_no_transaction_that_writes(
    quiet: QuietStage, method: str
) -> None:
    app = SimpleNamespace(state=SimpleNamespace(ground=quiet.ground))
    scope = {"type": "http", "method": method, "path": "/api/v1/me", "headers": [], "app": app}
    database = quiet.ground.database
    reads = method in ("GET", "HEAD", "OPTIONS")
    wanted = database.reading_sessions if reads else database.sessions
    assert opened(Request(scope)).opener is wanted


async def test_every_telephony_route_is_signed(quiet: QuietStage) -> None:
    unsigned = {
        route.path
        for route in routes(quiet)
        if route.path.startswith("/telephony")
        and "signed_request" not in {getattr(c, "__name__", "") for c in guards(route)}
    }
    # What every caller hears anyway.
    heard = {"/telephony/prompts/{prompt_id}", "/telephony/sounds/waiting.wav"}
    # Each bot has a secret of its own: see `tests/scenarios/messaging/test_telegram.py`.
    assert unsigned - heard == {"/telephony/telegram/{account_id}"}


async def see(stage: Stage, person: Counsellor, path: str) -> httpx2.Response:
    """A page, as a browser asks for it."""
    headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in person.cookies.items())}
    return await stage.client.get(stage.settings.public_url + path, headers=headers)


async def test_the_work_list_and_the_log_have_their_readers(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", state=None)
    body = {"channel": "email", "answers": {"contact.headline": "Zzheadline"}}
    contact = (await ana.ask("POST", "/contacts", body)).json()["id"]
    (await ana.ask("GET", f"/contacts/{contact}")).raise_for_status()
    auditor = await quiet.add_counsellor("o", role=Role.AUDITOR, state=None)
    log = (await see(quiet, auditor, f"/admin/log?subject=contact:{contact}")).text
    assert "contact read" in log
    assert "ana" in log
    assert "Zzheadline" not in log
    admin = await quiet.add_counsellor("a", role=Role.ADMINISTRATOR, state=None)
    page = (await see(quiet, admin, "/admin")).text
    assert "every category is mapped to the framework" in page
    assert "form-contact.yaml" in page
    assert "contact read" not in page


async def test_without_a_cookie_nothing_is_shown(quiet: QuietStage) -> None:
    base = quiet.settings.public_url
    answer = await quiet.client.get(base + "/api/v1/me")
    assert (answer.status_code, answer.json()["error"]) == (401, "NotSignedIn")
    assert (await quiet.client.get(base + "/")).headers["location"] == "/login"


async def test_a_counsellor_sees_own_calls_only_and_no_number(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    boris = await stage.add_counsellor("boris")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    call = (await stage.call_of(leg))["id"]
    for person, seen in ((ana, 1), (boris, 0), (chief, 1)):
        page = (await person.ask("GET", "/calls")).json()
        assert len(page["calls"]) == seen
        for path in (f"/calls/{call}", f"/calls/{call}/events"):
            answer = await person.ask("GET", path)
            assert answer.status_code == (200 if seen else 404)
            assert "38164" not in answer.text
    # Nor can another counsellor hang up on the child, hold them, or hear of the desk.
    for action in ("hang-up", "hold", "resume"):
        assert (await boris.ask("POST", f"/calls/{call}/{action}")).status_code == 404
    assert (await chief.ask("POST", f"/calls/{call}/hang-up")).status_code == 204


async def test_cross_site_writes_are_refused(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    url = f"{quiet.settings.public_url}/api/v1/me/presence"
    cookie = {"Cookie": "; ".join(f"{k}={v}" for k, v in ana.cookies.items())}
    evil = {**cookie, "Origin": "https://evil.example.org"}
    answer = await quiet.client.put(url, json={"state": "break"}, headers=evil)
    assert (answer.status_code, answer.json()["error"]) == (403, "CrossSite")
    answer = await quiet.client.put(url, data={"state": "break"}, headers=cookie)
    assert answer.status_code == 403
    for path in ("/logout", "/board/presence/off_duty"):
        answer = await quiet.client.post(quiet.settings.public_url + path, headers=evil)
        assert answer.status_code == 403
    own = {**cookie, "Origin": quiet.settings.public_url}
    assert (await quiet.client.put(url, json={"state": "break"}, headers=own)).status_code == 200


async def test_sign_in_by_password_and_too_many_attempts(quiet: QuietStage) -> None:
    from app.jobs.transaction import transaction
    from app.staff import accounts
    from app.work import PROGRAM

    async with transaction(quiet.ground, PROGRAM) as work:
        await accounts.add_staff(
            work, name="mira", role=Role.COUNSELLOR, password="correct horse battery"
        )
    url = f"{quiet.settings.public_url}/api/v1/session"
    right = {"username": "mira", "password": "correct horse battery"}
    answer = await quiet.client.post(url, json=right)
    assert answer.status_code == 200
    cookies = answer.headers.get_list("set-cookie")
    assert any(one.startswith("helpline_session=") for one in cookies)
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
    assert answer.json()["presence"]["state"] == "off_duty"
    statuses = []
    for number in range(12):
        wrong = {"username": "mira", "password": f"wrong {number}"}
        statuses.append((await quiet.client.post(url, json=wrong)).status_code)
    assert statuses[0] == 401
    assert statuses[-1] == 429
    quiet.client.cookies.clear()
    unknown = await quiet.client.post(url, json={"username": "nobody", "password": "x" * 12})
    assert unknown.status_code == 401


async def test_errors_say_what_to_do_and_nothing_of_the_input(quiet: QuietStage) -> None:
    ana: Counsellor = await quiet.add_counsellor("ana")
    answer = await ana.ask("PUT", "/me/presence", {"state": "on_call"})
    assert (answer.status_code, answer.json()["error"]) == (422, "Invalid")
    answer = await ana.ask("GET", "/calls?outcome=nonsense")
    assert "abandoned_in_queue" in answer.json()["detail"]
    answer = await ana.ask("GET", "/calls?from=2026-01-01T00:00:00")
    assert answer.status_code == 422
    answer = await ana.ask("GET", "/calls?cursor=rubbish")
    assert answer.status_code == 422
    answer = await ana.ask("PUT", "/me/presence", {"state": {"secret": "+381641234567"}})
    assert "38164" not in answer.text


def test_a_role_holds_only_known_permissions() -> None:
    assert set(PERMISSIONS) == set(Role)
    assert not may("nobody", Permission.SIGNED_IN)
    assert not may(Role.ADMINISTRATOR, Permission.HEAR_MESSAGES)
