"""Signing in by a provider over real HTTP, and what an attacker would send instead of it."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from app.demo.stage import Served, Stage
from app.jobs.transaction import transaction
from app.people.provider import keeping
from app.people.provider.mapping import Wanted
from app.staff import accounts
from app.staff.roles import Role
from app.staff.sign_in_rules import Rules, set_sign_in_rules
from app.work import PROGRAM
from tests.support.contacts import skip
from tests.support.identity.provider import CLIENT, LEFT_OUT, SECRET, Provider

PASSWORD = "correct horse battery"
ANA: dict[str, Any] = {"sub": "1", "name": "Ana", "groups": ["help"]}


@pytest.fixture
async def city(stage: Stage) -> AsyncIterator[Provider]:
    made = Provider(stage.clock, f"{stage.settings.public_url}{keeping.BACK}", ANA)
    server = Served(made.app, made.port)
    await server.start()
    await set_up(stage, made)
    yield made
    await server.stop()


async def set_up(stage: Stage, provider: Provider, **rules: Any) -> None:
    wanted = Wanted(
        name="City",
        issuer=provider.issuer,
        client_id=CLIENT,
        roles=(("lead", "supervisor"), ("help", "counsellor")),
        unknown="create",
        **rules,
    )
    async with transaction(stage.ground, PROGRAM) as work:
        await keeping.save(work, wanted, SECRET, by=None)


def browser(stage: Stage) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=stage.settings.public_url)


async def go(page: httpx2.AsyncClient, path: str = "/login/provider?next=/account") -> str:
    """Go to the provider. Return the address of the way back, not opened yet."""
    sent = await page.get(path)
    assert sent.status_code == 303, sent.text
    there = await page.get(sent.headers["location"])
    assert there.status_code == 302, there.text
    return there.headers["location"]


async def sign_in(page: httpx2.AsyncClient) -> httpx2.Response:
    return await page.get(await go(page))


async def test_a_person_signs_in_and_the_answer_counts_once_in_their_browser(
    stage: Stage, city: Provider
) -> None:
    async with browser(stage) as page, browser(stage) as other:
        back = await go(page)
        assert (await other.get(back)).status_code == 400, "another browser"
        assert (await page.get(back)).status_code == 400, "it was used up"
        assert (await other.get("/login")).headers["location"] == "/setup", "no account yet"
        back = await go(page)
        done = await page.get(back)
        assert (done.status_code, done.headers["location"]) == (303, "/account")
        assert (await page.get("/api/v1/me")).json()["name"] == "Ana"
        assert "Sign in with City" in (await other.get("/login")).text
        assert (await page.get(back)).status_code == 400, "replayed"
        back = await go(page)
        await skip(stage, 11 / 60)
        assert (await page.get(back)).status_code == 400, "too late"
    assert city.refused == []


FORGED: list[tuple[str, dict[str, Any]]] = [
    ("wrong nonce", {"forged": {"nonce": "x" * 64}}),
    ("no nonce", {"forged": {"nonce": None}}),
    ("another audience", {"forged": {"aud": "other"}}),
    ("more audiences", {"forged": {"aud": [CLIENT, "other"]}}),
    ("given to another", {"forged": {"azp": "other"}}),
    ("another issuer", {"forged": {"iss": "https://evil.example"}}),
    ("expired", {"forged": {"exp": 1}}),
    ("no end", {"forged": {"exp": None}}),
    ("old", {"forged": {"iat": 1}}),
    ("from tomorrow", {"forged": {"iat": 4_000_000_000}}),
    ("no subject", {"forged": {"sub": ""}}),
    ("subject is a number", {"forged": {"sub": 7}}),
    ("alg none", {"algorithm": "none"}),
    ("signed with the public key", {"algorithm": "HS256"}),
    ("another key", {"own_key": True}),
    ("mix-up", {"answers_as": "https://evil.example"}),
]


async def test_what_an_attacker_sends_opens_nothing(stage: Stage, city: Provider) -> None:
    for name, changed in FORGED:
        before = {key: getattr(city, key) for key in changed}
        for key, value in changed.items():
            setattr(city, key, value)
        async with browser(stage) as page:
            refused = await sign_in(page)
            assert refused.status_code == 502, (name, refused.status_code)
            assert "did not work" in refused.text
            assert (await page.get("/api/v1/me")).status_code == 401, name
        for key, value in before.items():
            setattr(city, key, value)
    async with browser(stage) as page:
        # Without its state, with a code of another sign-in, and without the name of the issuer.
        back = await go(page)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        path = urlsplit(back).path
        assert (await page.get(path, params=asked | {"state": "x"})).status_code == 400
        wrong = await page.get(path, params=asked | {"code": "x"})
        assert wrong.status_code == 502
        async with browser(stage) as other:
            theirs = await go(other)
        stolen = parse_qs(urlsplit(theirs).query)["code"][0]
        back = await go(page)
        mine = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        swapped = await page.get(path, params=mine | {"code": stolen})
        assert swapped.status_code == 502, "PKCE: a code of another browser"
        assert city.refused == ["code", "verifier"]
        nameless = {"code": mine["code"], "state": mine["state"]}
        assert (await page.get(path, params=nameless)).status_code == 400, "used up"
        said = await page.get(await denied(page))
        assert "access_denied" in said.text
        assert "<script>" not in (await page.get(await denied(page, "<script>"))).text
    rows = await stage.rows("SELECT name FROM staff WHERE by_provider")
    assert rows == []


async def denied(page: httpx2.AsyncClient, error: str = "access_denied") -> str:
    back = urlsplit(await go(page))
    state, issuer = (parse_qs(back.query)[name][0] for name in ("state", "iss"))
    return str(httpx2.URL(back.path, params={"state": state, "iss": issuer, "error": error}))


async def test_a_role_that_is_gone_ends_access_at_once_also_by_password(
    stage: Stage, city: Provider
) -> None:
    async with browser(stage) as page, browser(stage) as other:
        await sign_in(page)
        async with transaction(stage.ground, PROGRAM) as work:
            ana = await accounts.find_by_name(work.session, "Ana")
            assert ana is not None
        assert (await page.get("/api/v1/me")).status_code == 200
        city.person = ANA | {"groups": []}
        refused = await sign_in(other)
        assert refused.status_code == 403
        assert "gives you no role" in refused.text
        assert (await page.get("/api/v1/me")).status_code == 401, "her other browser, too"
    acts = await stage.rows("SELECT action FROM audit_entries WHERE subject = %s", str(ana.id))
    assert "access_ended_by_provider" in {row["action"] for row in acts}


async def test_a_second_factor_is_asked_for_here_unless_the_provider_has_one(
    stage: Stage, city: Provider
) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        await set_sign_in_rules(work, Rules((Role.COUNSELLOR,)))
    async with browser(stage) as page:
        assert (await sign_in(page)).headers["location"] == "/login/set-up?next=/account"
        assert (await page.get("/api/v1/me")).status_code == 401
        await set_up(stage, city, factors=("mfa",))
        city.person = ANA | {"amr": ["pwd", "mfa"]}
        assert (await sign_in(page)).headers["location"] == "/account"
        # Neither password nor factor here: the proof is a new sign-in there.
        await skip(stage, 11 / 60)
        assert (await page.get("/api/v1/me/proof")).json() == {
            "by": "provider",
            "passkey": False,
            "fresh": False,
        }
        city.forged = {"auth_time": 1}
        stale = await page.get(await go(page, "/login/provider/proof"))
        assert stale.status_code == 502
        city.forged = {}
        city.person = ANA | {"sub": "2"}
        assert (await page.get(await go(page, "/login/provider/proof"))).status_code == 400
        city.person = ANA
        assert city.asked[-1]["prompt"] == "login"
        proved = await page.get(await go(page, "/login/provider/proof"))
        assert proved.headers["location"] == "/account/proved"
        assert (await page.get("/api/v1/me/proof")).json()["fresh"] is True


async def test_passwords_close_for_people_of_the_provider_but_not_in_an_emergency(
    stage: Stage, city: Provider
) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        for name in ("vera", "mila"):
            await accounts.add_staff(work, name=name, role=Role.SUPERVISOR, password=PASSWORD)
        mila = await accounts.find_by_name(work.session, "mila")
        assert mila is not None
        mila.emergency = True
    given = {"username": "vera", "password": PASSWORD}
    async with browser(stage) as page:
        await page.post("/api/v1/session", json=given)
        city.person = {"sub": "5", "groups": ["lead"]}
        shown = await page.post("/account/provider")
        assert 'id="go-to-provider"' in shown.text
        way = (await page.post("/api/v1/me/identity")).json()["address"]
        back = (await page.get(way)).headers["location"]
        assert (await page.get(back)).headers["location"] == "/account"
        assert (await page.get("/api/v1/me/identity")).json()["linked_how"] == "signed_in"
        await set_up(stage, city, closes_passwords=True)
        closed = await page.post("/api/v1/session", json=given)
        assert (closed.status_code, closed.json()["error"]) == (403, "PasswordClosed")
        open_ = await page.post("/api/v1/session", json={**given, "username": "mila"})
        assert open_.status_code == 200


async def log_out(stage: Stage, token: str) -> httpx2.Response:
    """Let the provider say that a person has signed out there."""
    url = f"{stage.settings.public_url}{keeping.LOGOUT}"
    return await stage.client.post(url, data={"logout_token": token})


async def test_a_sign_out_at_the_provider_ends_every_session_of_the_person(
    stage: Stage, city: Provider
) -> None:
    # The first account of a helpline; and Boris, who is another person of the provider.
    await stage.add_counsellor("vera", state=None)
    async with browser(stage) as desk, browser(stage) as home, browser(stage) as other:
        for page in (desk, home):
            await sign_in(page)
        city.person = {"sub": "2", "name": "Boris", "groups": ["help"]}
        await sign_in(other)
        available = await desk.put("/api/v1/me/presence", json={"state": "break"})
        assert available.status_code == 200, available.text
        done = await log_out(stage, city.logout_token("1"))
        assert (done.status_code, done.content) == (200, b"")
        assert done.headers["cache-control"] == "no-store"
        for page in (desk, home):
            assert (await page.get("/api/v1/me")).status_code == 401
        assert (await other.get("/api/v1/me")).json()["name"] == "Boris"
        (row,) = await stage.rows(
            "SELECT e.detail, s.name FROM audit_entries e JOIN staff s ON s.id::text = e.subject"
            " WHERE e.action = 'signed_out_by_provider'"
        )
        assert row == {"detail": {"number": 2}, "name": "Ana"}
        (presence,) = await stage.rows(
            "SELECT p.state FROM presences p JOIN staff s ON s.id = p.counsellor_id"
            " WHERE s.name = 'Ana'"
        )
        assert presence["state"] == "off_duty"
        # A token that comes late, or again, ends no session that began after it.
        late = city.logout_token("1")
        await skip(stage, 2 / 60)
        city.person = ANA
        await sign_in(desk)
        assert (await log_out(stage, late)).status_code == 200
        assert (await desk.get("/api/v1/me")).status_code == 200
        # A person who was never here has no session, which is what was wanted.
        assert (await log_out(stage, city.logout_token("unknown"))).status_code == 200


NO_LOGOUT: list[tuple[str, dict[str, Any]]] = [
    ("an ID token", {"forged": {"nonce": "x", "events": LEFT_OUT}}),
    ("a nonce", {"forged": {"nonce": "x"}}),
    ("no event", {"forged": {"events": LEFT_OUT}}),
    ("another event", {"forged": {"events": {"http://example.org/other": {}}}}),
    ("the event is no object", {"forged": {"events": ["backchannel-logout"]}}),
    ("no id", {"forged": {"jti": LEFT_OUT}}),
    ("no person", {"forged": {"sub": LEFT_OUT, "sid": "1"}}),
    ("another audience", {"forged": {"aud": "other"}}),
    ("another issuer", {"forged": {"iss": "https://evil.example"}}),
    ("no end", {"forged": {"exp": LEFT_OUT}}),
    ("expired", {"forged": {"exp": 1}}),
    ("old", {"forged": {"iat": 1}}),
    ("from tomorrow", {"forged": {"iat": 4_000_000_000}}),
    ("alg none", {"algorithm": "none"}),
    ("signed with the public key", {"algorithm": "HS256"}),
    ("another key", {"own_key": True}),
]


async def test_no_other_token_ends_a_session(stage: Stage, city: Provider) -> None:
    await stage.add_counsellor("vera", state=None)
    async with browser(stage) as page:
        await sign_in(page)
        for name, changed in NO_LOGOUT:
            before = {key: getattr(city, key) for key in changed}
            for key, value in changed.items():
                setattr(city, key, value)
            refused = await log_out(stage, city.logout_token("1"))
            assert refused.status_code == 400, (name, refused.text)
            assert refused.json()["error"] == "invalid_request"
            for key, value in before.items():
                setattr(city, key, value)
        for token in (city.logout_token("1", "at+jwt"), "", "no token", "x" * 20_000):
            assert (await log_out(stage, token)).status_code == 400
        assert (await page.get("/api/v1/me")).status_code == 200, "she is signed in all the time"
    async with transaction(stage.ground, PROGRAM) as work:
        await keeping.remove(work)
    answer = await log_out(stage, city.logout_token("1"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
