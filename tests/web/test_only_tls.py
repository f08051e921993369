"""What a browser and a monitor meet where the server is reached by https."""

import csv
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from app.demo.stage import PASSWORD_ALONE
from app.jobs.transaction import transaction
from app.log import set_up_logging
from app.main import make_app
from app.sealing.knowing import learn_now
from app.settings import Settings
from app.staff import accounts
from app.staff.roles import Role
from app.work import PROGRAM, Ground, make_ground

ROOT = Path(__file__).parent.parent.parent
# What routes use; the HEAD of a GET is refused, too.
_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
HOST = "https://helpline.example.org"
PASSWORD = "correct horse battery"
TOKEN = "wR7xT2qLm9ZsK4vB"


def settings_on(database: str, url: str = HOST, token: str | None = None) -> Settings:
    return Settings(
        database_url=database,
        public_url=url,
        secret_key="practice-secret-key-practice-secret-key",
        field_keys="1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
        monitoring_token=token,
    )


def client_of(ground: Ground, url: str = HOST) -> httpx2.AsyncClient:
    app = make_app(ground, with_worker=False)
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=url)


@pytest.fixture
async def secure(database: str, anyio_backend: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server that is reached by https, with the account of ana."""
    ground = make_ground(settings_on(database))
    await learn_now(ground)
    async with transaction(ground, PROGRAM) as work:
        await work.session.execute(text(PASSWORD_ALONE))
        await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR, password=PASSWORD)
        await accounts.add_staff(work, name="boss", role=Role.ADMINISTRATOR, password=PASSWORD)
    async with client_of(ground) as client:
        yield client
    await ground.database.close()


async def test_cookies_belong_to_this_host_alone(secure: httpx2.AsyncClient) -> None:
    right = {"username": "ana", "password": PASSWORD}
    answer = await secure.post("/api/v1/session", json=right)
    assert answer.status_code == 200
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 2
    # What a browser keeps about its looks has such a name, too, and is read by it.
    dark = await secure.get("/login", headers={"Cookie": "__Host-theme=dark; theme=light"})
    assert 'data-theme="dark"' in dark.text
    for cookie in cookies:
        # The browser takes a name with this beginning only by TLS, for this host and all paths.
        assert cookie.startswith("__Host-helpline_")
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
        # No other site sends it with a request of its own, and no script reads it.
        assert "SameSite=lax" in cookie
        assert "HttpOnly" in cookie
    token = secure.cookies["__Host-helpline_session"]
    assert (await secure.get("/api/v1/me")).status_code == 200
    secure.cookies.clear()
    # A cookie that a page without TLS could have set is none.
    plain = await secure.get("/api/v1/me", headers={"Cookie": f"helpline_session={token}"})
    assert plain.status_code == 401
    header = {"Cookie": f"__Host-helpline_session={token}", "Origin": HOST}
    signed_out = await secure.delete("/api/v1/session", headers=header)
    assert signed_out.status_code == 204
    assert "__Host-helpline_session=" in signed_out.headers["set-cookie"]


async def test_a_request_without_its_permission_is_refused_and_stands_in_the_log(
    secure: httpx2.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging("WARNING")
    await secure.post("/api/v1/session", json={"username": "ana", "password": PASSWORD})
    secret = "9f3c2d1e-0000-4000-8000-00000000beef"
    assert (await secure.get(f"/admin/people/{secret}")).status_code == 403
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told["event"] == "refused a request"
    assert told["path"] == "/admin/people/{person_id}"
    assert told["cause"] == "keep_people"
    assert secret not in line


async def test_a_refusal_of_a_remembered_session_stands_in_the_log_as_well(
    secure: httpx2.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging("WARNING")
    await secure.post("/api/v1/session", json={"username": "boss", "password": PASSWORD})
    for _ in range(2):
        refused = await secure.get("/api/v1/contacts/00000000-0000-4000-8000-000000000001")
        assert refused.status_code == 403
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [one["event"] for one in told] == ["refused a request"] * 2
    assert [one["cause"] for one in told] == ["read_records"] * 2


async def test_the_methods_of_debuggers_are_no_methods_here(secure: httpx2.AsyncClient) -> None:
    for method in ("TRACE", "CONNECT", "TRACK"):
        answer = await secure.request(method, "/login", headers={"X-Secret": "told"})
        assert answer.status_code in (404, 405), method
        assert "told" not in answer.text


async def test_a_route_answers_the_methods_that_are_used_and_no_others(
    secure: httpx2.AsyncClient,
) -> None:
    used: defaultdict[str, set[str]] = defaultdict(set)
    with (ROOT / "docs/security/access.csv").open() as table:
        for row in csv.DictReader(table):
            used[re.sub(r"\{[^}]*\}", "x", row["path"])].add(row["method"])
    assert {method for methods in used.values() for method in methods} <= _METHODS
    for n, (path, methods) in enumerate(sorted(used.items())[::3]):
        # For every third path one of the others, and another one for the next.
        others = sorted({*_METHODS, "HEAD", "OPTIONS", "TRACE", "PROPFIND", "MOVE"} - methods)
        method = others[n % len(others)]
        answer = await secure.request(method, path, headers={"Origin": HOST})
        # Another route may know `/contacts/{id}` where this one is `/contacts/new`.
        if answer.status_code not in (404, 405):
            assert any(method in other for other in _matching(used, path)), (method, path)


def _matching(used: Mapping[str, set[str]], path: str) -> list[set[str]]:
    """Return the methods of the other routes that match a path by a part that may be anything."""
    parts = path.split("/")
    return [
        methods
        for other, methods in used.items()
        if len(other.split("/")) == len(parts)
        if all(theirs in (own, "x") for own, theirs in zip(parts, other.split("/"), strict=True))
    ]


async def test_browsers_stay_with_https_and_origins_without_it_are_refused(
    secure: httpx2.AsyncClient,
) -> None:
    page = await secure.get("/login")
    assert page.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
    assert page.headers["cross-origin-opener-policy"] == "same-origin"
    assert page.headers["cross-origin-resource-policy"] == "same-origin"
    policy = page.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "object-src 'none'", "base-uri 'none'"} <= {*policy}
    assert "frame-ancestors 'none'" in policy
    right = {"username": "ana", "password": PASSWORD}
    for origin, status in (
        (HOST, 200),
        ("http://helpline.example.org", 403),
        ("https://evil.example.org", 403),
        ("null", 403),
    ):
        answer = await secure.post("/api/v1/session", json=right, headers={"Origin": origin})
        assert answer.status_code == status, origin


async def test_monitoring_is_closed_where_others_reach_the_server(
    database: str, anyio_backend: str
) -> None:
    paths = ("/metrics", "/healthz", "/readyz")
    for token, header, status in (
        (None, "", {404}),
        (TOKEN, "", {401}),
        (TOKEN, "Bearer wrong", {401}),
        # There is no worker here.
        (TOKEN, f"Bearer {TOKEN}", {200, 503}),
    ):
        ground = make_ground(settings_on(database, token=token))
        async with client_of(ground) as client:
            for path in paths:
                answer = await client.get(path, headers={"Authorization": header})
                assert answer.status_code in status, (path, header)
        await ground.database.close()
    ground = make_ground(settings_on(database, "http://127.0.0.1:8000"))
    async with client_of(ground, "http://127.0.0.1:8000") as client:
        assert (await client.get("/healthz")).json() == {"status": "up"}
        assert "strict-transport-security" not in (await client.get("/login")).headers
    await ground.database.close()
