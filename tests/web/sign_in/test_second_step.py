"""Signing in with a second factor, over HTTP: pages, programs, limits, and what the log says."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from html import unescape
from re import search
from typing import Any

import httpx2
import pyotp
import pytest
from limits import RateLimitItemPerHour
from sqlalchemy import delete

from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.people import changing
from app.people.changing import Changes
from app.staff import passkeys, second_factor, session_tokens
from app.staff.hashing import hash_password
from app.staff.models import SignInRules, Staff
from app.staff.passkey_rows import ChallengePurpose
from app.staff.roles import Role
from app.staff.sign_in_rules import Rules, set_sign_in_rules
from app.web.access import COOKIE
from app.web.sign_in import guesses
from app.work import PROGRAM, Work
from tests.support.contacts import skip
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
from tests.support.profile import by_day
from tests.support.program.quiet import QuietStage
from tests.support.talks import talk


async def failures(stage: Stage) -> list[Any]:
    rows = await stage.rows(
        "SELECT subject, detail FROM audit_entries WHERE action = 'sign_in_failed' ORDER BY id"
    )
    return [(row["subject"], row["detail"]["wrong"]) for row in rows]


async def test_a_role_that_needs_one_is_led_through_it_and_does_nothing_before(
    quiet: QuietStage,
) -> None:
    vera = await a_person(quiet)
    async with transaction(quiet.ground, PROGRAM) as work:
        await set_sign_in_rules(work, Rules((Role.SUPERVISOR,)))
    async with browser(quiet) as page:
        program = await page.post("/api/v1/session", json=CREDENTIALS)
        assert (program.status_code, program.json()["error"]) == (403, "FactorNeeded")
        sent = await page.post("/login", data={**CREDENTIALS, "next": "/reports"})
        assert sent.headers["location"] == "/login/set-up?next=/reports"
        for path in ("/", "/account", "/reports"):
            assert (await page.get(path)).headers["location"].startswith("/login")
        assert (await page.get("/api/v1/me")).status_code == 401
        assert (await page.get("/api/v1/events")).status_code == 401
        shown = await page.get("/login/set-up?next=/reports")
        assert "no-store" in shown.headers["cache-control"]
        found = search(r'id="secret"[^>]*>([A-Z2-7 ]+)<', shown.text)
        assert found is not None
        telephone = pyotp.TOTP(found[1].replace(" ", ""))
        wrong = await page.post("/login/set-up", data={"code": "123456", "next": "/reports"})
        assert wrong.status_code == 401
        assert found[1] in wrong.text
        begun = page.cookies[COOKIE]
        code = telephone.at(quiet.clock.now())
        done = await page.post("/login/set-up", data={"code": code, "next": "/reports"})
        assert done.status_code == 200
        assert 'href="/reports"' in done.text
        assert page.cookies[COOKIE] != begun, "another token than before the second factor"
        assert (await page.get("/api/v1/me")).json()["name"] == "vera"
        async with transaction(quiet.ground, PROGRAM) as work:
            wanted = Changes(name="vera-maria", endpoint="+38164999001")
            await changing.change(work, vera.id, wanted, by=None)
        own = unescape((await page.get("/account")).text)
        assert "Recovery codes left: 10." in own
        assert "staff changed: Name. where calls ring" in " ".join(own.split())


async def test_a_sign_in_that_gave_no_factor_replaces_none_of_the_owner(quiet: QuietStage) -> None:
    vera = await a_person(quiet)
    async with transaction(quiet.ground, PROGRAM) as work:
        await set_sign_in_rules(work, Rules((Role.SUPERVISOR,)))

    async def sets_one_up(page: httpx2.AsyncClient) -> httpx2.Response:
        async with transaction(quiet.ground, PROGRAM) as work:
            telephone = pyotp.TOTP((await second_factor.begin(work, vera)).secret)
        code = {"code": telephone.at(quiet.clock.now())}
        return await page.post("/login/set-up", data=code)

    async with browser(quiet) as thief, browser(quiet) as page:
        for one in (thief, page):
            led = await one.post("/login", data=CREDENTIALS)
            assert led.headers["location"] == "/login/set-up"
        assert (await sets_one_up(page)).status_code == 200
        await skip(quiet, 25 / 60)
        assert (await sets_one_up(thief)).headers["location"] == "/login"
        assert (await thief.get("/api/v1/me")).status_code == 401

    # One that was begun while hers was set up is not ended with it, and replaces none either.
    await quiet.change_rows("DELETE FROM second_factors")
    async with browser(quiet) as thief:
        await thief.post("/login", data=CREDENTIALS)
        await quiet.change_rows("UPDATE second_factors SET confirmed_at = made_at")
        assert (await sets_one_up(thief)).headers["location"] == "/login"
        assert (await thief.get("/api/v1/me")).status_code == 401


async def test_a_code_signs_in_once_on_pages_and_for_programs(quiet: QuietStage) -> None:
    vera = await a_person(quiet)
    telephone = await with_factor(quiet, vera)
    code = telephone.at(quiet.clock.now())
    async with browser(quiet) as page, browser(quiet) as other:
        sent = await page.post("/login", data={**CREDENTIALS, "next": "/reports"})
        assert sent.headers["location"] == "/login/code?next=/reports"
        assert (await page.get("/api/v1/me")).status_code == 401
        assert "one-time-code" in (await page.get("/login/code?next=/reports")).text
        wrong = await page.post("/login/code", data={"code": "000000"})
        assert wrong.status_code == 401
        assert "used already" in wrong.text
        right = await page.post("/login/code", data={"code": code, "next": "/reports"})
        assert right.headers["location"] == "/reports"
        assert (await page.get("/api/v1/me")).status_code == 200
        missing = await other.post("/api/v1/session", json=CREDENTIALS)
        assert (missing.status_code, missing.json()["error"]) == (401, "CodeNeeded")
        replayed = await other.post("/api/v1/session", json={**CREDENTIALS, "code": code})
        assert (replayed.status_code, replayed.json()["error"]) == (401, "WrongCode")
        await skip(quiet, 1 / 60)
        code = telephone.at(quiet.clock.now())
        answer = await other.post("/api/v1/session", json={**CREDENTIALS, "code": code})
        assert answer.status_code == 200
    assert await failures(quiet) == [(str(vera.id), "code")] * 2


async def test_wrong_codes_are_limited_like_passwords_and_end_no_session(
    quiet: QuietStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert guesses.CODES.amount == 30
    # As many are too many as can be tried in a moment.
    monkeypatch.setattr(guesses, "CODES", RateLimitItemPerHour(12))
    vera = await a_person(quiet)
    telephone = await with_factor(quiet, vera)
    async with browser(quiet) as page, browser(quiet) as guesser:
        code = telephone.at(quiet.clock.now())
        assert (
            await page.post("/api/v1/session", json={**CREDENTIALS, "code": code})
        ).status_code == 200
        await guesser.post("/login", data=CREDENTIALS)
        attempts = [
            (await guesser.post("/login/code", data={"code": f"{n:06}"})).status_code
            for n in range(11)
        ]
        assert attempts[:9] == [401] * 9
        assert attempts[-1] == 429
        await skip(quiet, 61 / 3600)
        for n in range(3):
            await guesser.post("/login/code", data={"code": f"{n:06}"})
        await skip(quiet, 61 / 3600)
        await guesser.post("/login", data=CREDENTIALS)
        code = telephone.at(quiet.clock.now())
        late = await guesser.post("/login/code", data={"code": code})
        assert late.status_code == 429, "as many codes as an hour allows"
        assert (await page.get("/api/v1/me")).status_code == 200


async def test_a_failed_password_stands_in_the_log_and_its_owner_sees_it(quiet: QuietStage) -> None:
    vera = await a_person(quiet)
    async with browser(quiet) as page:
        await page.post("/login", data={"username": "vera", "password": "not this one"})
        await page.post("/login", data={"username": "my password?", "password": "vera"})
        await page.post("/login", data=CREDENTIALS)
        own = (await page.get("/account")).text
    assert await failures(quiet) == [(str(vera.id), "password"), ("unknown name", "password")]
    assert own.count("sign in failed") == 1
    assert "new browser" in own
    told = await quiet.rows("SELECT detail::text FROM audit_entries")
    assert not [row for row in told if "not this" in str(row) or "my password" in str(row)]


async def test_begun_sessions_end_soon_and_are_not_listed(quiet: QuietStage) -> None:
    vera = await a_person(quiet)
    await with_factor(quiet, vera)
    async with browser(quiet) as page:
        await page.post("/login", data=CREDENTIALS)
        await skip(quiet, 31 / 60)
        gone = await page.post("/login/code", data={"code": "123456"})
        assert gone.headers["location"].startswith("/login")


async def test_a_person_sets_up_and_renews_by_programs_with_a_proof(quiet: QuietStage) -> None:
    await a_person(quiet)
    async with browser(quiet) as page:
        await page.post("/api/v1/session", json=CREDENTIALS)
        wrong = await page.post("/api/v1/me/second-factor", json={"proof": "not this one"})
        assert (wrong.status_code, wrong.json()["error"]) == (422, "WrongProof")
        begun = await page.post("/api/v1/me/second-factor", json={"proof": PASSWORD})
        telephone = pyotp.TOTP(begun.json()["secret"])
        code = {"code": telephone.at(quiet.clock.now())}
        late = {"code": telephone.at(quiet.clock.now() - timedelta(seconds=40))}
        again = await page.post("/api/v1/me/second-factor/confirm", json=late)
        assert again.json() == {"recovery_codes": [], "next_code": True}
        made = await page.post("/api/v1/me/second-factor/confirm", json=code)
        assert len(made.json()["recovery_codes"]) == 10
        by_password = await page.post("/api/v1/me/recovery-codes", json={"proof": PASSWORD})
        assert (by_password.status_code, by_password.json()["error"]) == (422, "WrongOwnCode")
        proof = {"proof": made.json()["recovery_codes"][0]}
        assert (await page.post("/api/v1/me/recovery-codes", json=proof)).status_code == 201
        state = (await page.get("/api/v1/me/second-factor")).json()
        assert (state["codes_left"], state["needed"]) == (10, False)


async def test_a_session_from_before_the_factor_sets_nothing_that_counts_by_it(
    quiet: QuietStage,
) -> None:
    vera = await a_person(quiet)
    device = Authenticator(by_name(quiet))
    async with browser(quiet) as page:
        await page.post("/api/v1/session", json=CREDENTIALS)
        await quiet.change_rows("UPDATE staff SET endpoint_kind = 'phone', endpoint = '+3816499'")
        assert "a PIN is safer" in (await page.get("/account")).text
        made = device.make(await challenge(page, "/api/v1/me/passkeys/options"))
        await skip(quiet, 1 / 60)
        telephone = await with_factor(quiet, vera)
        # Its owner sets up another one elsewhere.
        async with transaction(quiet.ground, PROGRAM) as work:
            secret = (await second_factor.begin(work, vera)).secret
        await skip(quiet, 1 / 60)
        code = {"code": pyotp.TOTP(secret).at(quiet.clock.now())}
        pin, form = {"present": PASSWORD, "pin": "258036"}, {"credential": json.dumps(made)}
        factor = "/api/v1/me/second-factor/confirm"
        for refused in (
            await page.put("/api/v1/me/phone-pin", json=pin),
            await page.post("/account/phone-pin", data={**pin, "again": pin["pin"]}),
            await page.post("/account/second-factor/confirm", data={"code": "000000"}),
            await page.post("/account/second-factor/confirm", data=code),
            await page.post(factor, json=code),
            await page.post("/account/passkeys", data={"name": "key", **form}),
            await page.post("/api/v1/me/passkeys", json={"name": "key", "credential": made}),
        ):
            assert (refused.status_code, refused.headers["helpline-proof"]) == (403, "needed")
            assert 'id="secret"' not in refused.text
        # What a page asks before it shows the question.
        assert not (await page.get("/api/v1/me/proof")).json()["fresh"]
        proof = {"proof": telephone.at(quiet.clock.now())}
        assert (await page.post("/api/v1/me/proof", json=proof)).status_code == 204
        assert (await page.put("/api/v1/me/phone-pin", json=pin)).status_code == 204
        # With it, what was begun goes on: also where a set-up took longer than a proof lasts.
        assert len((await page.post(factor, json=code)).json()["recovery_codes"]) == 10
    (row,) = await quiet.rows("SELECT pin_by_factor FROM phone_proofs")
    assert row["pin_by_factor"]


async def test_of_two_changes_in_the_same_instant_one_list_of_recovery_codes_is_left(
    quiet: QuietStage,
) -> None:
    """One page makes new codes while another one sets the next telephone up."""
    vera = await a_person(quiet)
    await with_factor(quiet, vera)
    async with transaction(quiet.ground, PROGRAM) as work:
        telephone = pyotp.TOTP((await second_factor.begin(work, vera)).secret)

    async def sets_it_up() -> list[str] | None:
        async with transaction(quiet.ground, PROGRAM) as work:
            return await second_factor.confirm(work, vera, telephone.at(work.now))

    async with transaction(quiet.ground, PROGRAM) as work:
        await second_factor.renew_codes(work, vera)
        other = asyncio.create_task(sets_it_up())
        while not await quiet.rows("SELECT FROM pg_locks WHERE NOT granted"):
            assert not other.done()
            await asyncio.sleep(0.01)
    shown = await other
    assert shown is not None
    (left,) = await quiet.rows("SELECT count(*) AS number FROM recovery_codes")
    assert left["number"] == len(shown)


async def test_a_use_and_a_change_of_factors_in_the_same_instant_do_not_block_each_other(
    quiet: QuietStage,
) -> None:
    vera = await a_person(quiet)
    async with transaction(quiet.ground, PROGRAM) as work:
        _, recovery = await with_telephone(work, vera)
        telephone = pyotp.TOTP((await second_factor.begin(work, vera)).secret)
        device = Authenticator(by_name(quiet))
        sent = device.make(await passkeys.begin_adding(work, vera))
        challenge = await passkeys.take_challenge(work, vera, ChallengePurpose.ADDING, sent)
        await passkeys.add(work, vera, "key ring", sent, challenge)

    async def signs_in(work: Work) -> object:
        return await session_tokens.open_session(work, vera, "Firefox")

    async def renews(work: Work) -> list[str]:
        return await second_factor.renew_codes(work, vera)

    async def sets_it_up(work: Work) -> list[str] | None:
        return await second_factor.confirm(work, vera, telephone.at(work.now))

    async def carried_out(act: Callable[[Work], Awaitable[Any]]) -> Any:
        async with transaction(quiet.ground, PROGRAM) as work:
            return await act(work)

    async def by_code(work: Work) -> None:
        await second_factor.use_code(work, vera, recovery[0])

    async def by_passkey(work: Work) -> None:
        sent = device.answer(await passkeys.begin_using(work, vera, ChallengePurpose.PROOF))
        challenge = await passkeys.take_challenge(work, vera, ChallengePurpose.PROOF, sent)
        await passkeys.use(work, vera, sent, challenge)

    async def removes_it(work: Work) -> None:
        (passkey,) = await passkeys.passkeys_of(work, vera)
        await passkeys.remove_own(work, vera, passkey.id)

    for used, then, beside in (
        (by_code, signs_in, renews),
        (by_code, renews, sets_it_up),
        (by_passkey, renews, removes_it),
    ):
        async with transaction(quiet.ground, PROGRAM) as work:
            await used(work)
            other = asyncio.create_task(carried_out(beside))
            while not await quiet.rows("SELECT FROM pg_locks WHERE NOT granted"):
                assert not other.done()
                await asyncio.sleep(0.01)
            await then(work)
        recovery = await other


async def test_a_clock_that_went_wrong_is_learned_at_a_sign_in_that_was_proven_otherwise(
    quiet: QuietStage,
) -> None:
    vera = await a_person(quiet)
    async with transaction(quiet.ground, PROGRAM) as work:
        telephone = pyotp.TOTP((await second_factor.begin(work, vera)).secret)
        recovery = await second_factor.confirm(work, vera, telephone.at(work.now))
    assert recovery is not None
    await skip(quiet, 1)

    def shown() -> str:
        return telephone.at(quiet.clock.now() - timedelta(seconds=60))

    async def refused(page: httpx2.AsyncClient) -> None:
        await page.post("/login", data=CREDENTIALS)
        for _ in range(2):
            answer = await page.post("/login/code", data={"code": shown()})
            assert answer.status_code == 401
            await skip(quiet, 31 / 3600)

    async def drift() -> Any:
        return (await quiet.rows("SELECT drift FROM second_factors"))[0]["drift"]

    async with browser(quiet) as guesser, browser(quiet) as page, browser(quiet) as later:
        # Codes that were seen elsewhere teach nothing: their browser proves nothing.
        await refused(guesser)
        await page.post("/login", data=CREDENTIALS)
        await page.post("/login/code", data={"code": recovery[0]})
        assert (await page.get("/api/v1/me")).status_code == 200
        assert await drift() == 0
        await page.post("/logout")

        await refused(page)
        assert await drift() == 0
        await page.post("/login/code", data={"code": recovery[1]})
        assert await drift() == -2
        assert "telephone clock learned" in (await page.get("/account")).text

        await skip(quiet, 1 / 60)
        await later.post("/login", data=CREDENTIALS)
        ours = await later.post("/login/code", data={"code": telephone.at(quiet.clock.now())})
        assert ours.status_code == 401
        assert (await later.post("/login/code", data={"code": shown()})).status_code == 303


async def test_a_person_in_a_talk_is_let_in_and_sets_it_up_at_the_next_sign_in(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    async with transaction(stage.ground, PROGRAM) as work:
        staff = await work.session.get_one(Staff, ana.id)
        staff.password_hash = await hash_password(PASSWORD)
        await set_sign_in_rules(work, Rules(tuple(Role)))
    given = {"username": "ana", "password": PASSWORD}
    leg = await talk(stage, ana)
    # Her browser has crashed.
    async with browser(stage) as page, browser(stage) as program:
        assert (await page.post("/login", data=given)).headers["location"] == "/"
        assert (await page.get("/api/v1/offers/mine")).json()[0]["state"] == "connected"
        assert (await program.post("/api/v1/session", json=given)).status_code == 200
        rows = await stage.rows("SELECT actor FROM audit_entries WHERE action = 'factor_not_asked'")
        assert [row["actor"] for row in rows] == [str(ana.id)] * 2
        await stage.exchange.hang_up(leg)
        await stage.advance(120)
        assert (await page.post("/login", data=given)).headers["location"] == "/login/set-up"
        refused = await program.post("/api/v1/session", json=given)
        assert refused.json()["error"] == "FactorNeeded"
        await ana.be("off_duty")
        await skip(stage, 31 / 60)
        assert (await program.get("/api/v1/me")).status_code == 401, "it ends soon after the work"


async def test_a_role_is_relaxed_only_by_who_says_to_know_what_that_means(
    quiet: QuietStage,
) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    async with transaction(quiet.ground, PROGRAM) as work:
        await work.session.execute(delete(SignInRules))
    url, cookie = f"{quiet.settings.public_url}/admin/sign-in", {"Cookie": mila.cookie_header}
    shown = (await quiet.client.get(url, headers=cookie)).text
    chosen = shown.count('value="FACTOR" selected')
    assert chosen == len(Role), "every role, from the start"
    assert "guessed, seen or leaked opens all" in shown
    form = {"hours": "14", "idle_minutes": "60", "proof_minutes": "10"}
    form |= {f"role.{role.value}": "FACTOR" for role in Role if role is not Role.AUDITOR}
    refused = unescape((await quiet.client.post(url, data=form, headers=cookie)).text)
    assert "tick the box" in refused
    assert await quiet.rows("SELECT 1 FROM sign_in_rules") == []
    saved = await quiet.client.post(url, data={**form, "knowingly": "yes"}, headers=cookie)
    assert "Saved." in saved.text
    api = {"factor_roles": ["administrator"], "session_hours": 14}
    answer = await mila.ask("PUT", "/sign-in-rules", api)
    assert (answer.status_code, answer.json()["error"]) == (409, "Relaxed")
    answer = await mila.ask("PUT", "/sign-in-rules", {**api, "knowingly": True})
    assert answer.json()["factor_roles"] == ["administrator"]
    rows = await quiet.rows(
        "SELECT detail FROM audit_entries WHERE action = 'sign_in_rules_set' ORDER BY id"
    )
    assert [len(row["detail"]["relaxed"]) for row in rows] == [1, len(Role) - 2]


@pytest.mark.parametrize("has_factor", by_day([False, True]))
async def test_a_sign_in_over_http_never_leads_elsewhere(
    quiet: QuietStage, has_factor: bool
) -> None:
    staff = await a_person(quiet)
    telephone = await with_factor(quiet, staff) if has_factor else None
    leading = dict.fromkeys(("//evil.example", "/\\evil.example", "https://evil.example"), "/")
    for next_page, leads in (leading | {"/cases/1": "/cases/1"}).items():
        async with browser(quiet) as client:
            answer = await client.post("/login", data={**CREDENTIALS, "next": next_page})
            assert answer.status_code == 303
            assert "evil" not in answer.headers["location"]
            if telephone is None:
                assert answer.headers["location"] == leads
                continue
            code = {"code": telephone.at(quiet.clock.now()), "next": next_page}
            answer = await client.post("/login/code", data=code)
            assert (answer.status_code, answer.headers["location"]) == (303, leads)
        await skip(quiet, 61 / 3600)
