"""A role that needs a passkey: what leads to one, what counts no more, and who decides it."""

import json
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff.hashing import hash_password
from app.staff.models import Staff
from app.staff.passkey_rows import Passkey
from app.staff.roles import Role
from app.staff.sign_in_rules import Rules, set_sign_in_rules
from app.web.access import COOKIE
from app.work import PROGRAM
from tests.support.contacts import skip
from tests.support.identity.at_provider import a_provider, go
from tests.support.identity.authenticator import Authenticator
from tests.support.identity.second_step import (
    CREDENTIALS,
    PASSWORD,
    a_person,
    browser,
    by_name,
    challenge,
    with_factor,
    with_telephone,
)
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.talks import talk


@pytest.fixture
async def page(quiet: QuietStage) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser of a helpline whose address has a name."""
    by_name(quiet)
    async with quiet.browser() as opened:
        yield opened


async def demand(stage: Stage, role: Role = Role.SUPERVISOR) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        await set_sign_in_rules(work, Rules((role,), passkey_roles=(role,)))


async def sets_one_up(
    page: httpx2.AsyncClient, device: Authenticator, name: str = "my phone"
) -> httpx2.Response:
    made = device.make(await challenge(page, "/login/passkey/options"))
    sent = {"name": name, "credential": json.dumps(made), "next": "/reports"}
    return await page.post("/login/set-up/passkey", data=sent)


async def opens_nothing(page: httpx2.AsyncClient) -> None:
    for path in ("/", "/account", "/reports"):
        assert (await page.get(path)).headers["location"].startswith("/login")
    for path in ("/api/v1/me", "/api/v1/events"):
        assert (await page.get(path)).status_code == 401


def told(answer: httpx2.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()["error"]


async def test_a_role_that_needs_a_passkey_is_led_to_it_by_the_factor_of_before(
    quiet: QuietStage, page: httpx2.AsyncClient
) -> None:
    telephone = await with_factor(quiet, await a_person(quiet))
    await demand(quiet)
    code = telephone.at(quiet.clock.now())
    program = await page.post("/api/v1/session", json={**CREDENTIALS, "code": code})
    assert told(program) == (403, "FactorNeeded")
    assert program.json()["detail"].startswith("Your role needs a passkey")
    sent = await page.post("/login", data={**CREDENTIALS, "next": "/reports"})
    assert sent.headers["location"] == "/login/code?next=/reports"
    begun = page.cookies[COOKIE]
    led = await page.post("/login/code", data={"code": code, "next": "/reports"})
    assert led.headers["location"] == "/login/set-up?next=/reports"
    assert page.cookies[COOKIE] != begun, "another token than before the code"
    await opens_nothing(page)
    shown = unescape((await page.get("/login/set-up?next=/reports")).text)
    assert "Your role needs a passkey." in shown
    assert "data-passkey-makes" in shown
    assert 'id="secret"' not in shown
    await skip(quiet, 1 / 60)
    other = await page.post("/login/set-up", data={"code": telephone.at(quiet.clock.now())})
    assert other.status_code == 401
    await opens_nothing(page)
    done = await sets_one_up(page, Authenticator(quiet.settings.public_url))
    assert (done.status_code, done.headers["location"]) == (303, "/reports")
    assert (await page.get("/api/v1/me")).json()["name"] == "vera"


async def test_a_person_without_any_factor_is_led_to_a_passkey(
    quiet: QuietStage, page: httpx2.AsyncClient
) -> None:
    await a_person(quiet)
    await demand(quiet)
    assert told(await page.post("/api/v1/session", json=CREDENTIALS)) == (403, "FactorNeeded")
    sent = await page.post("/login", data=CREDENTIALS)
    assert sent.headers["location"] == "/login/set-up"
    assert 'id="secret"' not in (await page.get("/login/set-up")).text
    done = await sets_one_up(page, Authenticator(quiet.settings.public_url))
    assert done.text.count("<li><code>") == 10


async def test_no_code_of_the_telephone_counts_beside_a_passkey_that_is_needed(
    quiet: QuietStage, page: httpx2.AsyncClient
) -> None:
    vera, device = await a_person(quiet), Authenticator(quiet.settings.public_url)
    telephone = await with_factor(quiet, vera)
    await demand(quiet)
    await page.post("/login", data=CREDENTIALS)
    await page.post("/login/code", data={"code": telephone.at(quiet.clock.now())})
    await sets_one_up(page, device)
    await page.post("/logout")
    await skip(quiet, 1 / 60)

    sent = {**CREDENTIALS, "code": telephone.at(quiet.clock.now())}
    assert told(await page.post("/api/v1/session", json=sent)) == (401, "PasskeyNeeded")
    assert (await page.post("/login", data=CREDENTIALS)).headers["location"] == "/login/code"
    assert "The six digits" not in (await page.get("/login/code")).text
    refused = await page.post("/login/code", data={"code": telephone.at(quiet.clock.now())})
    assert refused.status_code == 401
    assert "Your role needs a passkey" in refused.text
    await opens_nothing(page)
    failed = await quiet.rows(
        "SELECT detail->>'wrong' AS wrong FROM audit_entries WHERE action = 'sign_in_failed'"
    )
    assert [row["wrong"] for row in failed] == ["code"]
    answered = device.answer(await challenge(page, "/login/passkey/options"))
    well = await page.post("/login/passkey", data={"credential": json.dumps(answered)})
    assert well.headers["location"] == "/"
    answered = device.answer(await challenge(page, "/api/v1/session/passkey", **CREDENTIALS))
    program = await page.post("/api/v1/session", json={**CREDENTIALS, "passkey": answered})
    assert program.status_code == 200
    own = unescape((await page.get("/account")).text)
    assert "you use a passkey, too" in own
    assert 'name="proof"' not in own


async def test_a_fresh_proof_is_a_passkey_where_the_role_needs_one(
    quiet: QuietStage, page: httpx2.AsyncClient
) -> None:
    device = Authenticator(quiet.settings.public_url)
    vera = await a_person(quiet)
    async with transaction(quiet.ground, PROGRAM) as work:
        telephone, recovery = await with_telephone(work, vera)
    await skip(quiet, 1 / 60)
    await page.post("/login", data=CREDENTIALS)
    await page.post("/login/code", data={"code": telephone.at(quiet.clock.now())})
    adding = device.make(await challenge(page, "/api/v1/me/passkeys/options"))
    before = page.cookies[COOKIE]
    made = await page.post("/api/v1/me/passkeys", json={"name": "key", "credential": adding})
    assert made.status_code == 201
    assert page.cookies[COOKIE] != before
    await demand(quiet)
    # The session goes on, and from now on the proof is a passkey.
    assert (await page.get("/api/v1/me")).status_code == 200
    await skip(quiet, 11 / 60)
    assert (await page.get("/api/v1/me/proof")).json() == {
        "by": "passkey",
        "passkey": True,
        "fresh": False,
    }
    for proof in (telephone.at(quiet.clock.now()), recovery[0], PASSWORD):
        refused = await page.post("/api/v1/me/proof", json={"proof": proof})
        assert told(refused) == (422, "OwnPasskeyNeeded")
        renewed = await page.post("/account/second-factor", data={"act": "codes", "proof": proof})
        assert "Your role needs a passkey" in renewed.text
    assert (await page.get("/api/v1/me/second-factor")).json()["codes_left"] == 10
    answered = device.answer(await challenge(page, "/api/v1/me/proof/passkey"))
    before = page.cookies[COOKIE]
    assert (await page.post("/api/v1/me/proof", json={"passkey": answered})).status_code == 204
    assert page.cookies[COOKIE] != before


@nightly
async def test_a_sign_in_at_the_provider_is_no_proof_of_a_person_who_has_a_passkey_here(
    stage: Stage,
) -> None:
    """By day it is none of a person who has any factor here (test_provider_sign_in)."""
    by_name(stage)
    await demand(stage, Role.COUNSELLOR)
    async with a_provider(stage), browser(stage) as page:
        await page.get(await go(page))
        await sets_one_up(page, Authenticator(stage.settings.public_url))
        assert (await page.get("/api/v1/me")).json()["name"] == "Ana"
        await skip(stage, 11 / 60)
        refused = await page.get("/login/provider/proof")
        assert refused.status_code == 422
        assert "Your role needs a passkey" in unescape(refused.text)
        assert (await page.get("/api/v1/me/proof")).json()["fresh"] is False


async def test_a_sign_in_that_gave_no_factor_adds_none_to_that_of_the_owner(
    quiet: QuietStage, page: httpx2.AsyncClient
) -> None:
    vera, device = await a_person(quiet), Authenticator(quiet.settings.public_url)
    await demand(quiet)
    async with browser(quiet) as thief:
        for one in (thief, page):
            led = await one.post("/login", data=CREDENTIALS)
            assert led.headers["location"] == "/login/set-up"
        assert (await sets_one_up(page, device)).status_code == 200
        await skip(quiet, 25 / 60)
        assert (await thief.get("/login/set-up")).headers["location"] == "/login"
        assert (await thief.post("/login/passkey/options")).headers["location"] == "/login"
        await opens_nothing(thief)

    # One that was begun while hers was set up is not ended with it, and adds none either.
    await quiet.change_rows("DELETE FROM passkeys")
    async with browser(quiet) as thief:
        await thief.post("/login", data=CREDENTIALS)
        own = Authenticator(quiet.settings.public_url)
        made = own.make(await challenge(thief, "/login/passkey/options"))
        async with transaction(quiet.ground, PROGRAM) as work:
            hers = Passkey(staff_id=vera.id, name="hers", made_at=work.now, sign_count=0)
            hers.credential_id, hers.public_key_sealed = b"hers", b""
            work.session.add(hers)
        sent = {"name": "of the thief", "credential": json.dumps(made)}
        refused = await thief.post("/login/set-up/passkey", data=sent)
        assert refused.headers["location"] == "/login"
        await opens_nothing(thief)
    assert [row["name"] for row in await quiet.rows("SELECT name FROM passkeys")] == ["hers"]


@nightly
async def test_a_code_of_the_telephone_adds_no_passkey_once_there_is_one(
    quiet: QuietStage, page: httpx2.AsyncClient
) -> None:
    """By day a sign-in that gave no factor adds none once there is one."""
    telephone = await with_factor(quiet, await a_person(quiet))
    await demand(quiet)
    async with browser(quiet) as thief:
        # A forged page has asked for the code.
        for one in (thief, page):
            await one.post("/login", data=CREDENTIALS)
            code = {"code": telephone.at(quiet.clock.now())}
            led = await one.post("/login/code", data=code)
            assert led.headers["location"] == "/login/set-up"
            await skip(quiet, 1 / 60)
        done = await sets_one_up(page, Authenticator(quiet.settings.public_url))
        assert done.headers["location"] == "/reports"
        assert (await thief.post("/login/passkey/options")).headers["location"] == "/login"
        await opens_nothing(thief)


async def test_a_recovery_code_leads_only_to_a_new_passkey(
    quiet: QuietStage, page: httpx2.AsyncClient
) -> None:
    await a_person(quiet)
    await demand(quiet)
    await page.post("/login", data=CREDENTIALS)
    shown = (await sets_one_up(page, Authenticator(quiet.settings.public_url))).text
    recovery = [one.partition("</code>")[0] for one in shown.split("<li><code>")[1:]]
    await page.post("/logout")

    # Her device is lost. A program cannot lead her, and uses nothing up.
    sent = {**CREDENTIALS, "code": recovery[0]}
    assert told(await page.post("/api/v1/session", json=sent)) == (401, "PasskeyNeeded")
    await page.post("/login", data=CREDENTIALS)
    led = await page.post("/login/code", data={"code": recovery[0], "next": "/reports"})
    assert led.headers["location"] == "/login/set-up?next=/reports"
    await opens_nothing(page)
    assert (await page.post("/api/v1/me/passkeys/options")).status_code == 401
    assert (await page.post("/login/passkey", data={"credential": "{}"})).status_code == 303
    used = await quiet.rows("SELECT 1 FROM audit_entries WHERE action = 'recovery_code_used'")
    assert len(used) == 1
    # She leaves it there: the code does not count again.
    await page.post("/login", data=CREDENTIALS)
    assert (await page.post("/login/code", data={"code": recovery[0]})).status_code == 401
    await page.post("/login/code", data={"code": recovery[1]})
    done = await sets_one_up(page, Authenticator(quiet.settings.public_url), "key ring")
    assert (done.status_code, done.headers["location"]) == (303, "/reports")
    state = (await page.get("/api/v1/me/second-factor")).json()
    assert (state["codes_left"], state["passkeys"], state["passkey_needed"]) == (8, 2, True)


@nightly
async def test_a_person_in_a_talk_is_let_in_and_sets_the_passkey_up_at_the_next_sign_in(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By day a person in a talk is let in whose role needs any factor (test_second_step)."""
    ana = await stage.add_counsellor("ana")
    async with transaction(stage.ground, PROGRAM) as work:
        staff = (await work.session.scalars(select(Staff).where(Staff.id == ana.id))).one()
        staff.password_hash = await hash_password(PASSWORD)
        telephone, recovery = await with_telephone(work, staff)
    await skip(stage, 1 / 60)
    # The provider knows the address of before.
    with monkeypatch.context() as named:
        named.setattr(stage.settings, "public_url", "http://localhost")
        await demand(stage, Role.COUNSELLOR)
    given = {"username": "ana", "password": PASSWORD}
    leg = await talk(stage, ana)
    async with browser(stage) as page:
        # Her browser has crashed: the factor of before lets her in, and is no fresh proof.
        assert (await page.post("/login", data=given)).headers["location"] == "/login/code"
        code = {"code": telephone.at(stage.clock.now())}
        assert (await page.post("/login/code", data=code)).headers["location"] == "/"
        assert (await page.get("/api/v1/offers/mine")).json()[0]["state"] == "connected"
        assert (await page.get("/api/v1/me/proof")).json()["fresh"] is False
        await skip(stage, 1 / 60)
        assert told(await page.post("/api/v1/session", json=given)) == (401, "CodeNeeded")
        code = {"code": telephone.at(stage.clock.now())}
        assert (await page.post("/api/v1/session", json={**given, **code})).status_code == 200
        rows = await stage.rows("SELECT actor FROM audit_entries WHERE action = 'factor_not_asked'")
        assert [row["actor"] for row in rows] == [str(ana.id)] * 2
        # One who has a passkey, and lost it, is led to a new one also in a talk.
        async with transaction(stage.ground, PROGRAM) as work:
            lost = Passkey(staff_id=ana.id, name="lost", made_at=work.now, sign_count=0)
            lost.credential_id, lost.public_key_sealed = b"lost", b""
            work.session.add(lost)
        await page.post("/login", data=given)
        led = await page.post("/login/code", data={"code": recovery[0]})
        assert led.headers["location"] == "/login/set-up"
        await stage.change_rows("DELETE FROM passkeys")
        await stage.exchange.hang_up(leg)
        await stage.advance(120)
        code = {"code": telephone.at(stage.clock.now())}
        assert told(await page.post("/api/v1/session", json={**given, **code})) == (
            403,
            "FactorNeeded",
        )
        await page.post("/login", data=given)
        assert (await page.post("/login/code", data=code)).headers["location"] == "/login/set-up"


async def test_an_administrator_demands_a_passkey_and_gives_it_up_knowingly(
    quiet: QuietStage, page: httpx2.AsyncClient
) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await demand(quiet)
    cookie = {"Cookie": mila.cookie_header}
    shown = (await page.get("/admin/sign-in", headers=cookie)).text
    assert shown.count('value="PASSKEY" selected') == 1
    form = {"hours": "14", "idle_minutes": "60", "proof_minutes": "10"}
    form |= {f"role.{role.value}": "NOTHING" for role in Role}
    form |= {"role.supervisor": "FACTOR", "role.auditor": "PASSKEY"}
    refused = unescape((await page.post("/admin/sign-in", data=form, headers=cookie)).text)
    assert "would no longer need a passkey" in refused
    form |= {"knowingly": "yes"}
    assert "Saved." in (await page.post("/admin/sign-in", data=form, headers=cookie)).text
    # A program that knows no passkeys leaves them as they are.
    rules = {"factor_roles": ["supervisor", "auditor"], "session_hours": 14}
    answer = (await mila.ask("PUT", "/sign-in-rules", rules)).json()
    assert answer["passkey_roles"] == ["auditor"]
    answer = await mila.ask("PUT", "/sign-in-rules", {**rules, "passkey_roles": []})
    assert told(answer) == (409, "PasskeyRelaxed")
    answer = await mila.ask("PUT", "/sign-in-rules", {**rules, "factor_roles": ["supervisor"]})
    assert told(answer) == (409, "Relaxed")
    given = {**rules, "passkey_roles": [], "knowingly": True}
    assert (await mila.ask("PUT", "/sign-in-rules", given)).json()["passkey_roles"] == []
    rows = await quiet.rows(
        "SELECT detail FROM audit_entries WHERE action = 'sign_in_rules_set'"
        " AND detail ? 'relaxed' ORDER BY id"
    )
    assert [row["detail"]["relaxed"] for row in rows] == [["supervisor"], ["auditor"]]
