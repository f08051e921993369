"""Before numbers, files of single records and keys a person proves again who they are."""

import importlib
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pyotp
import pytest
from fastapi import Request
from sqlalchemy import select

import app.api
import app.dashboard
import app.telephony
from app.calls.lines import lines
from app.calls.lines.line_rows import PartnerRequest
from app.chats import ending
from app.contacts import contacts
from app.contacts.models import Contact, Profile
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import send_rows, transaction
from app.staff import (
    hashing,
    second_factor,
)
from app.staff.models import Staff
from app.staff.roles import Role
from app.statistics.exports import requested
from app.web import step_up
from app.web.step_up import ACTS, What
from app.work import PROGRAM, Work
from tests.support.calls.callers import hangs_up_unheard
from tests.support.calls.conversations import a_chat_line, a_writer, writing
from tests.support.contacts import skip
from tests.support.identity.second_step import with_telephone
from tests.support.profile import WHOLE
from tests.support.program.quiet import QuietStage
from tests.support.program.quiet_talks import HER_PHONE, quiet_talk
from tests.support.verbs import a_counsellor, a_line, a_supervisor, a_talk, logged

pytestmark = pytest.mark.whole

PASSWORD = "correct horse battery"

# What a request must say so that it is one of the acts, beside its address.
BODIES = {
    "api.statistics.requested_files.ask_for_file": {"what": "records"},
    "api.urgent.agencies.decide_address_changes": {"approve": True},
}


def request_of(name: str, path: dict[str, str]) -> Request:
    module, _, function = name.rpartition(".")
    endpoint = getattr(importlib.import_module(f"app.{module}"), function)
    body = json.dumps(BODIES.get(name, {})).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "endpoint": endpoint, "path_params": path}
    return Request({**scope, "headers": []}, receive)


async def test_in_a_talk_only_what_it_needs_at_once_is_open_without_a_proof(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def personal(work: Work, export_id: UUID) -> bool:
        return True

    monkeypatch.setattr(requested, "is_personal", personal)
    ana = await a_writer(work, "ana")
    # A person with a second factor, in a session that has not seen it.
    await with_telephone(work, ana)
    call, _ = await writing(work, await a_chat_line(work))
    assert await step_up.talks(work, ana)
    mine = await work.session.scalar(select(Contact.id).where(Contact.call_id == call.id))
    other, some = str(uuid4()), {"export_id": str(uuid4()), "session_id": str(uuid4())}
    of_talk = {"call_id": str(call.id), "contact_id": str(mine), "what": "calls", **some}
    of_others = {"call_id": other, "contact_id": other, "what": "calls", **some}

    async def asked_for(path: dict[str, str]) -> set[str]:
        """Return the acts that ask for a proof."""
        found = set()
        for name in ACTS:
            try:
                await step_up.check(request_of(name, path), work, ana, "")
            except step_up.ProofNeeded:
                found.add(name)
            else:
                assert logged(work)[-1] == ("proof_not_asked", {"opens": ACTS[name].opens.value})
        return found

    # A child who writes has no number that could prove whose earlier contacts these are.
    assert await asked_for(of_talk) == set(ACTS) - {"api.callers.number"}
    assert await asked_for(of_others) == set(ACTS)
    await ending.end_as_child(work, call.id)
    assert await asked_for(of_talk) == set(ACTS)


async def test_in_a_talk_a_profile_that_was_chosen_by_hand_needs_a_proof(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    call, _ = await a_talk(work, ana)
    await contacts.open_for_call(work, call, ana.id)
    await send_rows(work)
    contact = await work.session.scalar(select(Contact).where(Contact.call_id == call.id))
    assert contact is not None
    assert contact.profile_id is not None, "the number has one"
    request = request_of("api.records.contacts.open_earlier", {"contact_id": str(contact.id)})
    await step_up.check(request, work, ana, "")
    other = Profile(id=uuid4(), code="P-AAAA-AAAA", created_at=work.now)
    work.session.add(other)
    await work.session.flush()
    contact.profile_id = other.id
    with pytest.raises(step_up.ProofNeeded):
        await step_up.check(request, work, ana, "")


# What the sentence of the page calls each thing for which a proof is asked.
SAID = {
    What.NUMBER: "open a number",
    What.EARLIER_CONTACTS: "a record",
    What.PERSON_DATA: "a record",
    What.EXPORT: "a file",
    What.KEY: "a key",
    What.TELEPHONE: "a phone",
    What.SETTING: "a setting",
    What.ERASING: "what is erased",
    What.SESSION: "end a sign-in",
}


def test_the_page_says_for_what_a_proof_is_asked() -> None:
    frame = Path(app.dashboard.__file__).parent / "templates" / "fragments" / "frame"
    page = (frame / "proof.html").read_text()
    sentence = " ".join(page[page.index('id="proof-why"') :].split("</p>")[0].split())
    assert {act.opens for act in ACTS.values()} == set(SAID)
    for words in SAID.values():
        assert words in sentence


async def with_password(stage: Stage, person: Counsellor) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        staff = await work.session.get_one(Staff, person.id)
        staff.password_hash = await hashing.hash_password(PASSWORD)


async def prove(person: Counsellor, proof: str) -> tuple[int, str]:
    answer = await person.ask("POST", "/me/proof", {"proof": proof})
    return answer.status_code, answer.json()["error"] if answer.content else ""


async def proofs_logged(stage: Stage, person: Counsellor) -> list[tuple[str, Any]]:
    rows = await stage.rows(
        "SELECT action, detail FROM audit_entries WHERE subject = %s AND action LIKE %s"
        " ORDER BY id",
        str(person.id),
        "pro%",
    )
    return [(row["action"], row["detail"]) for row in rows]


async def test_a_number_needs_a_proof_that_is_not_old_but_never_in_a_talk(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", endpoint=HER_PHONE)
    await with_password(quiet, ana)
    await skip(quiet, 11 / 60)
    call = await quiet_talk(quiet, ana)
    danger, path = {"reason": "danger"}, f"/calls/{call}/number"
    assert (await ana.ask("POST", path, danger)).status_code == 200, "she talks with the child"
    assert await proofs_logged(quiet, ana) == [("proof_not_asked", {"opens": "number"})]
    urgent = await ana.ask("POST", f"/calls/{call}/urgent", {"service": "police"})
    assert urgent.status_code == 201, urgent.text
    await hangs_up_unheard(quiet, call)
    refused = await ana.ask("POST", path, danger)
    assert (refused.status_code, refused.json()["error"]) == (403, "ProofNeeded")
    assert "POST /api/v1/me/proof" in refused.json()["detail"]
    assert (await ana.ask("GET", "/me/proof")).json() == {
        "by": "password",
        "passkey": False,
        "fresh": False,
    }
    assert await prove(ana, "not the password") == (422, "WrongProof")
    assert (await ana.ask("POST", path, danger)).status_code == 403
    assert await prove(ana, PASSWORD) == (204, "")
    assert (await ana.ask("POST", path, danger)).status_code == 200
    assert await proofs_logged(quiet, ana) == [
        ("proof_not_asked", {"opens": "number"}),
        ("proof_failed", {"wrong": "password"}),
        ("proved_again", {"how": "password"}),
    ]
    await skip(quiet, 9 / 60)
    assert (await ana.ask("GET", "/me/proof")).json()["fresh"] is True
    await skip(quiet, 1 / 60)
    assert (await ana.ask("GET", "/me/proof")).json()["fresh"] is False
    if WHOLE:
        # By day `test_guesses` tries how many are too many.
        attempts = [(await prove(ana, f"guess {n}"))[0] for n in range(11)]
        assert (attempts[0], attempts[-1]) == (422, 429)
        await skip(quiet, 61 / 3600)
        assert await prove(ana, PASSWORD) == (204, "")


async def test_files_and_keys_need_a_code_where_there_is_one_and_programs_nothing(
    quiet: QuietStage,
) -> None:
    boss = await quiet.add_counsellor("boss", role=Role.ADMINISTRATOR, shift=False, state=None)
    async with transaction(quiet.ground, PROGRAM) as work:
        staff = await work.session.get_one(Staff, boss.id)
        telephone = pyotp.TOTP((await second_factor.begin(work, staff)).secret)
        await second_factor.confirm(work, staff, telephone.at(work.now))
    token = await boss.ask("POST", "/tokens", {"name": "graphs", "scopes": ["single_calls"]})
    assert token.status_code == 201, token.text
    await skip(quiet, 10 / 60)
    base = quiet.settings.public_url
    day = quiet.clock.now().date().isoformat()
    window = {"from": "2030-01-01", "to": day}
    calls = f"/statistics/calls.csv?from=2030-01-01&to={day}"
    records = {"what": "records", "format": "csv", "reason": "Yearly evaluation", **window}
    figures = {"what": "summary", "format": "csv", **window}
    for method, path, body in (
        ("POST", "/tokens", {"name": "more", "scopes": ["statistics"]}),
        ("POST", f"/people/{boss.id}/phone-code", {}),
        ("PUT", "/sign-in-rules", {"factor_roles": [], "session_hours": 14}),
        ("POST", "/statistics/exports", records),
        ("GET", calls, None),
    ):
        refused = await boss.ask(method, path, body)
        assert (refused.status_code, refused.json()["error"]) == (403, "ProofNeeded"), path
    # Rubbish is refused as what it is, with an old proof, too.
    rubbish: Any
    for rubbish in ([], "records", {"what": []}, {"what": {"records": 1}}, {"what": None}):
        answer = await boss.ask("POST", "/statistics/exports", rubbish)
        assert answer.status_code == 422, rubbish
    page = await quiet.client.post(
        f"{base}/admin/wallboards",
        data={"name": "Hall"},
        headers={"Cookie": boss.cookie_header, "HX-Request": "true"},
    )
    assert (page.status_code, page.headers["Helpline-Proof"]) == (403, "needed")
    assert (await boss.ask("POST", "/statistics/exports", figures)).status_code == 202
    summary = await boss.ask("GET", f"/statistics/summary.csv?from=2030-01-01&to={day}")
    assert summary.status_code == 200
    bearer = {"Authorization": f"Bearer {token.json()['token']}"}
    assert (await quiet.client.get(f"{base}/api/v1{calls}", headers=bearer)).status_code == 200

    assert (await boss.ask("GET", "/me/proof")).json() == {
        "by": "code",
        "passkey": False,
        "fresh": False,
    }
    assert await prove(boss, PASSWORD) == (422, "WrongOwnCode")
    assert await prove(boss, telephone.at(quiet.clock.now())) == (204, "")
    rules = {"factor_roles": ["supervisor"], "session_hours": 14, "proof_minutes": 2}
    assert (await boss.ask("PUT", "/sign-in-rules", rules)).json()["proof_minutes"] == 2
    assert (await boss.ask("GET", calls)).status_code == 200
    await skip(quiet, 121 / 3600)
    assert (await boss.ask("GET", calls)).status_code == 403, "two minutes are over"


@pytest.mark.parametrize("is_rung", [False, True])
async def test_a_partner_is_refused_with_a_proof_if_callers_are_connected_with_it(
    work: Work, monkeypatch: pytest.MonkeyPatch, *, is_rung: bool
) -> None:
    name = "api.settings.partners.decide_partner_request"
    monkeypatch.setitem(BODIES, name, {"approve": False})
    await a_line(work)
    (line,) = await lines.lock_lines(work)
    vera = await a_supervisor(work)
    number = "+381113334446"
    line.plan = {"partner_number": number if is_rung else "+381113334447"}
    row = PartnerRequest(id=uuid4(), line_id=line.id, number=number, before=None, state="waits")
    row.asked_role, row.asked_at = "administrator", work.now
    work.session.add(row)
    await work.session.flush()
    refusing = request_of(name, {"request_id": str(row.id)})
    with pytest.raises(step_up.ProofNeeded) if is_rung else nullcontext():
        await step_up.check(refusing, work, vera, "")
