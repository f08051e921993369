"""Signing in by a provider over real HTTP, and what an attacker would send instead of it."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from structlog.testing import capture_logs

from app.cli import provider as provider_commands
from app.cli.staff import ways_in
from app.jobs.transaction import transaction
from app.log import set_up_logging
from app.staff import accounts
from app.staff.roles import Role
from app.staff.sign_in_rules import Rules, set_sign_in_rules
from app.work import PROGRAM
from tests.support.command_line import typed_on
from tests.support.contacts import skip
from tests.support.documents.shell import documented
from tests.support.identity.at_provider import ANA, a_provider, go, set_up, sign_in
from tests.support.identity.provider import CLIENT, Provider
from tests.support.identity.second_step import browser, with_telephone
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage

PASSWORD = "correct horse battery"


@pytest.fixture
async def city(quiet: QuietStage) -> AsyncIterator[Provider]:
    async with a_provider(quiet) as made:
        yield made


async def test_a_person_signs_in_and_the_answer_counts_once_in_their_browser(
    quiet: QuietStage, city: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with browser(quiet) as page, browser(quiet) as other:
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
        await skip(quiet, 11 / 60)
        assert (await page.get(back)).status_code == 400, "too late"
    assert city.refused == []
    # On the command line the provider is asked, and the account is unlinked from it.
    async with transaction(quiet.ground, PROGRAM) as work:
        types = typed_on(work, monkeypatch, provider_commands.app, provider_commands)
        for words in documented("provider test"):
            assert "its keys can be read" in (await types(*words)).output
    async with transaction(quiet.ground, PROGRAM) as work:
        types = typed_on(work, monkeypatch, ways_in.app, ways_in)
        for words in documented("staff unlink", {"vera": "Ana"}):
            await types(*words)
    assert await quiet.rows("SELECT FROM staff_identities") == []


FORGED: list[tuple[str, dict[str, Any]]] = [
    ("wrong nonce", {"forged": {"nonce": "x" * 64}}),
    ("another audience", {"forged": {"aud": "other"}}),
    ("another issuer", {"forged": {"iss": "https://evil.example"}}),
    ("expired", {"forged": {"exp": 1}}),
    ("alg none", {"algorithm": "none"}),
    ("signed with the public key", {"algorithm": "HS256"}),
    ("another key", {"own_key": True}),
    ("mix-up", {"answers_as": "https://evil.example"}),
    ("no nonce", {"forged": {"nonce": None}}),
    ("more audiences", {"forged": {"aud": [CLIENT, "other"]}}),
    ("given to another", {"forged": {"azp": "other"}}),
    ("no end", {"forged": {"exp": None}}),
    ("old", {"forged": {"iat": 1}}),
    ("from tomorrow", {"forged": {"iat": 4_000_000_000}}),
    ("no subject", {"forged": {"sub": ""}}),
    ("subject is a number", {"forged": {"sub": 7}}),
]


async def of_a_short_key_the_log_tells(quiet: QuietStage, city: Provider) -> None:
    """A key that can be factored proves nothing, beside one that is long enough or alone."""
    set_up_logging("WARNING")
    long = city.key
    city.take_short_key()
    for others in ([long], []):
        city.other_keys = others
        async with browser(quiet) as page:
            with capture_logs() as told:
                assert (await sign_in(page)).status_code == 502
            assert (await page.get("/api/v1/me")).status_code == 401
        assert [one["count"] for one in told if one["event"] == "provider_key_too_short"] == [1]
    city.key = long
    set_up_logging("ERROR")


async def test_what_an_attacker_sends_opens_nothing(quiet: QuietStage, city: Provider) -> None:
    for name, changed in FORGED:
        before = {key: getattr(city, key) for key in changed}
        for key, value in changed.items():
            setattr(city, key, value)
        async with browser(quiet) as page:
            refused = await sign_in(page)
            assert refused.status_code == 502, (name, refused.status_code)
            assert "did not work" in refused.text
            assert (await page.get("/api/v1/me")).status_code == 401, name
        for key, value in before.items():
            setattr(city, key, value)
    await of_a_short_key_the_log_tells(quiet, city)
    async with browser(quiet) as page:
        # Without its state, with a code of another sign-in, and without the name of the issuer.
        back = await go(page)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        path = urlsplit(back).path
        assert (await page.get(path, params=asked | {"state": "x"})).status_code == 400
        wrong = await page.get(path, params=asked | {"code": "x"})
        assert wrong.status_code == 502
        async with browser(quiet) as other:
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
    rows = await quiet.rows("SELECT name FROM staff WHERE by_provider")
    assert rows == []


async def denied(page: httpx2.AsyncClient, error: str = "access_denied") -> str:
    back = urlsplit(await go(page))
    state, issuer = (parse_qs(back.query)[name][0] for name in ("state", "iss"))
    return str(httpx2.URL(back.path, params={"state": state, "iss": issuer, "error": error}))


async def test_a_role_that_is_gone_ends_access_at_once_also_by_password(
    quiet: QuietStage, city: Provider
) -> None:
    async with browser(quiet) as page, browser(quiet) as other:
        await sign_in(page)
        async with transaction(quiet.ground, PROGRAM) as work:
            ana = await accounts.find_by_name(work.session, "Ana")
            assert ana is not None
        assert (await page.get("/api/v1/me")).status_code == 200
        city.person = ANA | {"groups": []}
        refused = await sign_in(other)
        assert refused.status_code == 403
        assert "gives you no role" in refused.text
        assert (await page.get("/api/v1/me")).status_code == 401, "her other browser, too"
    acts = await quiet.rows("SELECT action FROM audit_entries WHERE subject = %s", str(ana.id))
    assert "access_ended_by_provider" in {row["action"] for row in acts}


async def test_a_second_factor_is_asked_for_here_unless_the_provider_has_one(
    quiet: QuietStage, city: Provider
) -> None:
    async with transaction(quiet.ground, PROGRAM) as work:
        await set_sign_in_rules(work, Rules((Role.COUNSELLOR,)))
    async with browser(quiet) as page:
        assert (await sign_in(page)).headers["location"] == "/login/set-up?next=/account"
        assert (await page.get("/api/v1/me")).status_code == 401
        await set_up(quiet, city, factors=("mfa",))
        city.person = ANA | {"amr": ["pwd", "mfa"]}
        assert (await sign_in(page)).headers["location"] == "/account"
        # Neither password nor factor here: the proof is a new sign-in there.
        await skip(quiet, 11 / 60)
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


async def test_a_sign_in_at_the_provider_is_no_proof_of_a_person_who_has_a_factor_here(
    quiet: QuietStage, city: Provider
) -> None:
    await set_up(quiet, city, factors=("mfa",))
    city.person = ANA | {"amr": ["pwd", "mfa"]}
    async with browser(quiet) as page:
        await sign_in(page)
        await skip(quiet, 11 / 60)
        back = await go(page, "/login/provider/proof")
        async with transaction(quiet.ground, PROGRAM) as work:
            ana = await accounts.find_by_name(work.session, "Ana")
            assert ana is not None
            await with_telephone(work, ana)
        # She went there before she had one, and comes back afterwards.
        assert (await page.get(back)).status_code == 403
        assert (await page.get("/login/provider/proof")).status_code == 403
        assert (await page.get("/api/v1/me/proof")).json() == {
            "by": "code",
            "passkey": False,
            "fresh": False,
        }


@nightly
async def test_a_factor_of_the_provider_counts_also_where_the_role_needs_a_passkey(
    quiet: QuietStage, city: Provider
) -> None:
    """By day a factor is asked for here unless the provider has one."""
    async with transaction(quiet.ground, PROGRAM) as work:
        await set_sign_in_rules(work, Rules((Role.COUNSELLOR,)))
    await quiet.change_rows("UPDATE sign_in_rules SET passkey_roles = factor_roles")
    async with browser(quiet) as page:
        # Its policy decides only if it has one: else a passkey is set up here.
        assert (await sign_in(page)).headers["location"] == "/login/set-up?next=/account"
        assert 'id="secret"' not in (await page.get("/login/set-up?next=/account")).text
        await set_up(quiet, city, factors=("mfa",))
        city.person = ANA | {"amr": ["pwd", "mfa"]}
        assert (await sign_in(page)).headers["location"] == "/account"
        assert (await page.get("/api/v1/me/proof")).json()["by"] == "provider"


async def test_passwords_close_for_people_of_the_provider_but_not_in_an_emergency(
    quiet: QuietStage, city: Provider
) -> None:
    async with transaction(quiet.ground, PROGRAM) as work:
        for name in ("vera", "mila"):
            await accounts.add_staff(work, name=name, role=Role.SUPERVISOR, password=PASSWORD)
        mila = await accounts.find_by_name(work.session, "mila")
        assert mila is not None
        mila.emergency = True
    given = {"username": "vera", "password": PASSWORD}
    async with browser(quiet) as page:
        await page.post("/api/v1/session", json=given)
        city.person = {"sub": "5", "groups": ["lead"]}
        shown = await page.post("/account/provider")
        assert 'id="go-to-provider"' in shown.text
        way = (await page.post("/api/v1/me/identity")).json()["address"]
        back = (await page.get(way)).headers["location"]
        assert (await page.get(back)).headers["location"] == "/account"
        assert (await page.get("/api/v1/me/identity")).json()["linked_how"] == "signed_in"
        await set_up(quiet, city, closes_passwords=True)
        closed = await page.post("/api/v1/session", json=given)
        assert (closed.status_code, closed.json()["error"]) == (403, "PasswordClosed")
        open_ = await page.post("/api/v1/session", json={**given, "username": "mila"})
        assert open_.status_code == 200
