"""Signing in and proving again with a passkey, over HTTP: pages, programs, and the log."""

import json

import httpx2

from app.jobs.transaction import transaction
from app.staff import accounts
from app.staff.roles import Role
from app.staff.sign_in_rules import Rules, set_sign_in_rules
from app.work import PROGRAM
from tests.support.contacts import skip
from tests.support.identity.authenticator import Authenticator
from tests.support.identity.second_step import CREDENTIALS, PASSWORD, by_name, challenge
from tests.support.program.quiet import QuietStage


async def _sets_a_passkey_up(page: httpx2.AsyncClient, device: Authenticator) -> None:
    # The role needs one: the passkey is it.
    assert (await page.post("/login/passkey/options")).status_code == 303
    await page.post("/login", data=CREDENTIALS)
    assert "data-passkey-makes" in (await page.get("/login/set-up")).text
    made = device.make(await challenge(page, "/login/passkey/options"))
    sent = {"name": "my phone", "credential": json.dumps(made)}
    shown = await page.post("/login/set-up/passkey", data=sent)
    assert shown.status_code == 200
    assert shown.text.count("<li><code>") == 10
    assert [one["name"] for one in (await page.get("/api/v1/me/passkeys")).json()] == ["my phone"]
    await page.post("/logout")


async def _signs_in_after_a_wrong_answer(page: httpx2.AsyncClient, device: Authenticator) -> None:
    # At the next sign-in, a wrong answer uses the challenge up, though it is refused.
    assert (await page.post("/login", data=CREDENTIALS)).headers["location"] == "/login/code"
    assert "use-passkey" in (await page.get("/login/code")).text
    answered = device.answer(await challenge(page, "/login/passkey/options"))
    spoilt = {**answered, "response": {**answered["response"], "signature": "AAAA"}}
    for wrong in (spoilt, answered):
        refused = await page.post("/login/passkey", data={"credential": json.dumps(wrong)})
        assert refused.status_code == 401
        assert "was not accepted" in refused.text
    answered = device.answer(await challenge(page, "/login/passkey/options"))
    well = await page.post("/login/passkey", data={"credential": json.dumps(answered)})
    assert well.headers["location"] == "/"


async def _proves_before_a_key(
    page: httpx2.AsyncClient, device: Authenticator, quiet: QuietStage
) -> None:
    # The proof before a key: of programs, too.
    await skip(quiet, 11 / 60)
    refused = await page.post("/api/v1/me/passkeys/options")
    assert refused.json()["error"] == "ProofNeeded"
    assert (await page.get("/api/v1/me/proof")).json()["passkey"] is True
    answered = device.answer(await challenge(page, "/api/v1/me/proof/passkey"))
    assert (await page.post("/api/v1/me/proof", json={"passkey": answered})).status_code == 204
    again = await page.post("/api/v1/me/proof", json={"passkey": answered})
    assert (again.status_code, again.json()["error"]) == (422, "WrongOwnPasskey")
    await challenge(page, "/api/v1/me/passkeys/options")


async def _is_stopped_as_a_copy(page: httpx2.AsyncClient, device: Authenticator) -> None:
    # A copy has an older counter.
    answered = device.answer(await challenge(page, "/api/v1/session/passkey", **CREDENTIALS))
    signed_in = await page.post("/api/v1/session", json={**CREDENTIALS, "passkey": answered})
    assert signed_in.status_code == 200, signed_in.text
    device.counter = 1
    answered = device.answer(await challenge(page, "/api/v1/session/passkey", **CREDENTIALS))
    copied = await page.post("/api/v1/session", json={**CREDENTIALS, "passkey": answered})
    assert (copied.status_code, copied.json()["error"]) == (401, "PasskeyStopped")
    assert (await page.get("/api/v1/me/passkeys")).json()[0]["stopped_at"] is not None
    assert "stopped" in (await page.get("/account")).text
    none = await page.post("/api/v1/session/passkey", json=CREDENTIALS)
    assert none.json()["error"] == "NoPasskey"


async def test_a_person_signs_in_with_a_passkey_and_a_copy_of_it_is_stopped(
    quiet: QuietStage,
) -> None:
    origin = by_name(quiet)
    device = Authenticator(origin)
    async with transaction(quiet.ground, PROGRAM) as work:
        vera = await accounts.add_staff(work, name="vera", role=Role.SUPERVISOR, password=PASSWORD)
        await set_sign_in_rules(work, Rules((Role.SUPERVISOR,)))
    async with quiet.browser() as page:
        await _sets_a_passkey_up(page, device)
        await _signs_in_after_a_wrong_answer(page, device)
        await _proves_before_a_key(page, device, quiet)
        await _is_stopped_as_a_copy(page, device)
    rows = await quiet.rows(
        "SELECT action, detail->>'wrong' AS wrong FROM audit_entries WHERE subject = %s"
        " AND (action LIKE 'passkey%%' OR detail ? 'wrong') ORDER BY id",
        str(vera.id),
    )
    assert [(row["action"], row["wrong"]) for row in rows] == [
        ("passkey_added", None),
        *[("sign_in_failed", "passkey")] * 2,
        ("proof_failed", "passkey"),
        ("passkey_stopped", None),
        ("sign_in_failed", "passkey"),
    ]
