"""The provider says that people have signed out there, and what an attacker would say (OpenID
Connect Back-Channel Logout 1.0)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from limits import RateLimitItemPerMinute

from app.jobs.transaction import transaction
from app.people.provider import keeping
from app.web.access import COOKIE
from app.web.sign_in import provider_sign_out
from app.work import PROGRAM
from tests.support.contacts import skip
from tests.support.identity.at_provider import ANA, a_provider, set_up, sign_in
from tests.support.identity.provider import LEFT_OUT, Provider
from tests.support.identity.second_step import browser
from tests.support.profile import WHOLE, nightly
from tests.support.program.quiet import QuietStage


@pytest.fixture
async def city(quiet: QuietStage) -> AsyncIterator[Provider]:
    async with a_provider(quiet) as made:
        yield made


async def log_out(quiet: QuietStage, token: str) -> httpx2.Response:
    """Let the provider say that a person has signed out there."""
    url = f"{quiet.settings.public_url}{keeping.LOGOUT}"
    return await quiet.client.post(url, data={"logout_token": token})


async def test_a_sign_out_at_the_provider_ends_every_session_of_the_person(
    quiet: QuietStage, city: Provider
) -> None:
    # The first account of a helpline; and Boris, who is another person of the provider.
    await quiet.add_counsellor("vera", state=None)
    async with browser(quiet) as desk, browser(quiet) as home, browser(quiet) as other:
        for page in (desk, home):
            await sign_in(page)
        city.person = {"sub": "2", "name": "Boris", "groups": ["help"]}
        await sign_in(other)
        available = await desk.put("/api/v1/me/presence", json={"state": "break"})
        assert available.status_code == 200, available.text
        done = await log_out(quiet, city.logout_token("1"))
        assert (done.status_code, done.content) == (200, b"")
        assert done.headers["cache-control"] == "no-store"
        for page in (desk, home):
            assert (await page.get("/api/v1/me")).status_code == 401
        assert (await other.get("/api/v1/me")).json()["name"] == "Boris"
        (row,) = await quiet.rows(
            "SELECT e.detail, s.name FROM audit_entries e JOIN staff s ON s.id::text = e.subject"
            " WHERE e.action = 'signed_out_by_provider'"
        )
        assert row == {"detail": {"number": 2}, "name": "Ana"}
        (presence,) = await quiet.rows(
            "SELECT p.state FROM presences p JOIN staff s ON s.id = p.counsellor_id"
            " WHERE s.name = 'Ana'"
        )
        assert presence["state"] == "off_duty"
        # A token that comes late, or again, ends no session that began after it.
        late = city.logout_token("1")
        await skip(quiet, 2 / 60)
        city.person = ANA
        await sign_in(desk)
        assert (await log_out(quiet, late)).status_code == 200
        assert (await desk.get("/api/v1/me")).status_code == 200
        # A person who was never here has no session, which is what was wanted.
        assert (await log_out(quiet, city.logout_token("unknown"))).status_code == 200


NO_LOGOUT: list[tuple[str, dict[str, Any]]] = [
    ("an ID token", {"forged": {"nonce": "x", "events": LEFT_OUT}}),
    ("a nonce", {"forged": {"nonce": "x"}}),
    ("no event", {"forged": {"events": LEFT_OUT}}),
    ("another event", {"forged": {"events": {"http://example.org/other": {}}}}),
    ("the event is no object", {"forged": {"events": ["backchannel-logout"]}}),
    ("no id", {"forged": {"jti": LEFT_OUT}}),
    ("no person and no session", {"forged": {"sub": LEFT_OUT}}),
    ("a session that is none", {"forged": {"sub": LEFT_OUT, "sid": 7}}),
    ("an empty session", {"forged": {"sid": ""}}),
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


async def test_no_other_token_ends_a_session(quiet: QuietStage, city: Provider) -> None:
    await quiet.add_counsellor("vera", state=None)
    async with browser(quiet) as page:
        await sign_in(page)
        for name, changed in NO_LOGOUT:
            before = {key: getattr(city, key) for key in changed}
            for key, value in changed.items():
                setattr(city, key, value)
            refused = await log_out(quiet, city.logout_token("1"))
            assert refused.status_code == 400, (name, refused.text)
            assert refused.json()["error"] == "invalid_request"
            for key, value in before.items():
                setattr(city, key, value)
        for token in (city.logout_token("1", "at+jwt"), "", "no token", "x" * 20_000):
            assert (await log_out(quiet, token)).status_code == 400
        assert (await page.get("/api/v1/me")).status_code == 200, "she is signed in all the time"
    async with transaction(quiet.ground, PROGRAM) as work:
        await keeping.remove(work)
    answer = await log_out(quiet, city.logout_token("1"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_token_that_names_a_session_alone_ends_what_began_by_it(
    quiet: QuietStage, city: Provider
) -> None:
    await quiet.add_counsellor("vera", state=None)
    await set_up(quiet, city, factors=("mfa",))
    async with browser(quiet) as desk, browser(quiet) as home, browser(quiet) as other:
        for page, sub, session in (
            (desk, "1", "s-desk"),
            (home, "1", "s-home"),
            (other, "2", "s-2"),
        ):
            city.person = ANA | {"sub": sub, "name": f"Ana {sub}", "sid": session, "amr": ["mfa"]}
            await sign_in(page)
        stored = await quiet.rows(
            "SELECT provider_key FROM staff_sessions WHERE provider_key IS NOT NULL"
        )
        assert len({row["provider_key"] for row in stored}) == 3
        assert all(b"s-" not in row["provider_key"] for row in stored), "only a hash is kept"
        for unknown in ("s-unknown", "s-2 "):
            assert (await log_out(quiet, city.logout_token("", session=unknown))).status_code == 200
        assert (await log_out(quiet, city.logout_token("", session="s-desk"))).status_code == 200
        assert (await desk.get("/api/v1/me")).status_code == 401
        for page in (home, other):
            assert (await page.get("/api/v1/me")).status_code == 200
        # A session of another person than the one who is named ends nothing.
        await log_out(quiet, city.logout_token("2", session="s-home"))
        assert (await home.get("/api/v1/me")).status_code == 200
        assert (await log_out(quiet, city.logout_token("1", session="s-home"))).status_code == 200
        assert (await home.get("/api/v1/me")).status_code == 401
        assert (await other.get("/api/v1/me")).status_code == 200
        (row,) = await quiet.rows(
            "SELECT p.state FROM presences p JOIN staff s ON s.id = p.counsellor_id"
            " WHERE s.name = 'Ana 1'"
        )
        assert row["state"] == "off_duty"


async def test_a_proof_at_the_provider_may_begin_another_session_there(
    quiet: QuietStage, city: Provider
) -> None:
    await quiet.add_counsellor("vera", state=None)
    await set_up(quiet, city, factors=("mfa",))
    async with browser(quiet) as page:
        city.person = ANA | {"amr": ["mfa"], "sid": "before"}
        await sign_in(page)
        # The provider lets them sign in again, and counts that as another session.
        city.person = ANA | {"amr": ["mfa"], "sid": "after"}
        there = await page.get((await page.get("/login/provider/proof")).headers["location"])
        token = page.cookies[COOKIE]
        assert (await page.get(there.headers["location"])).headers["location"] == "/account/proved"
        assert page.cookies[COOKIE] != token
        await log_out(quiet, city.logout_token("", session="before"))
        assert (await page.get("/api/v1/me")).status_code == 200
        await log_out(quiet, city.logout_token("", session="after"))
        assert (await page.get("/api/v1/me")).status_code == 401


@nightly
async def test_all_staff_are_signed_out_within_a_minute_also_while_others_guess(
    quiet: QuietStage, city: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By day one person is signed out everywhere."""
    assert RateLimitItemPerMinute(60) == provider_sign_out.REFUSED
    # To sign and to send a hundred and fifty tokens takes seconds: by day fewer are too many.
    most = 60 if WHOLE else 8
    monkeypatch.setattr(provider_sign_out, "REFUSED", RateLimitItemPerMinute(most))
    await quiet.add_counsellor("vera", state=None)
    async with browser(quiet) as page:
        city.person = ANA | {"sid": "ana"}
        await sign_in(page)
        asked = city.keys_asked
        house = [city.logout_token("", session=f"other {n}") for n in range(most * 3 // 2)]
        answers = await asyncio.gather(*(log_out(quiet, token) for token in house))
        assert {one.status_code for one in answers} == {200}
        assert city.keys_asked == asked + 1, "its keys are remembered"
        # Forged ones from the same address: refused, then no longer looked at.
        city.own_key = True
        forged = [city.logout_token("", session="ana") for _ in range(most + 4)]
        statuses = [(await log_out(quiet, token)).status_code for token in forged]
        assert statuses == [400] * most + [429] * 4
        city.own_key = False
        assert city.keys_asked == asked + 1, "nor is the provider asked for each of them"
        assert (await page.get("/api/v1/me")).status_code == 200
        # A new key of the provider is fetched as soon as a token is signed with it.
        city.change_key()
        await skip(quiet, 6 / 3600)
        assert (await log_out(quiet, city.logout_token("", session="ana"))).status_code == 200
        assert city.keys_asked == asked + 2
        assert (await page.get("/api/v1/me")).status_code == 401
