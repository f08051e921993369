"""Before numbers, files of single records and keys a person proves again who they are."""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pyotp
import pytest
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from sqlalchemy import select

import app.api
import app.dashboard
import app.telephony
from app.administration import languages, line_changes, own_settings
from app.calls import callers, messages, prompts
from app.calls.lines import chat_lines, line_facts, line_use, lines
from app.calls.lines.line_rows import PartnerRequest
from app.chats import accounts, ending
from app.contacts import contacts, openings, profiles
from app.contacts.cases import printing
from app.contacts.models import Contact, Profile
from app.country import sets
from app.demo.stage import Counsellor, Stage
from app.jobs.transaction import send_rows, transaction
from app.people import changing, dialling, factors, leaked, links, wallboards
from app.people.approval import deciding
from app.people.emergency import emergencies
from app.people.provider import access, keeping
from app.referrals import staff_actions
from app.referrals.directory import addresses, agencies, directory_csv
from app.referrals.opening import from_call, opening
from app.referrals.replies import replying
from app.retention import by_country, holds, rules, running
from app.retention.data_requests import answering as reports
from app.retention.data_requests import requests
from app.routing import offers, partners
from app.routing.callbacks import callback_attempts, callbacks
from app.routing.participants import inviting, moving, supervising
from app.routing.rota import feeds, unstaffed_alarms
from app.safekeeping.backups import asking
from app.sealing import hashes, resealing
from app.sealing import state as key_state
from app.staff import (
    hashing,
    passkeys,
    passwords,
    phone_proofs,
    second_factor,
    session_tokens,
    sessions,
    sign_in_rules,
    tokens,
)
from app.staff.models import Staff
from app.staff.roles import Permission, Role
from app.statistics.exports import exporting, requested
from app.web import step_up
from app.web.access import set_cookie
from app.web.lean import LeanRoute
from app.web.sign_in import provider_sign_in, proving, signing_in
from app.web.step_up import ACTS, What, name_of
from app.work import PROGRAM, Work
from tests.support.calls.conversations import a_chat_line, a_writer, writing
from tests.support.contacts import skip
from tests.support.identity.second_step import with_telephone
from tests.support.program.quiet import QuietStage
from tests.support.routes import guards_of
from tests.support.talks import talk
from tests.support.verbs import a_counsellor, a_line, a_supervisor, a_talk, logged
from tests.web.reach import reached_from

pytestmark = pytest.mark.whole

PASSWORD = "correct horse battery"

# What opens a number, gives out single records, or makes a key or what protects one.
_OPENERS = (
    callers.open_number,
    openings.open_earlier,
    # It gives the number of one profile to another.
    profiles.merge,
    printing.print_case,
    exporting.made,
    requested.ask,
    requested.decide,
    requested.read_parts,
    tokens.add_token,
    addresses.decide,
    agencies.save_agency,
    directory_csv.import_directory,
    feeds.make_feed,
    holds.lift,
    sets.put_in_force,
    sets.take_back,
    agencies.set_webhook_secret,
    agencies.set_primero_password,
    links.make_link,
    phone_proofs.new_code,
    phone_proofs.set_own_pin,
    access.unlink,
    emergencies.ask,
    emergencies.decide,
    emergencies.enter,
    keeping.save,
    provider_sign_in.begin_linking,
    keeping.remove,
    passkeys.begin_adding,
    passkeys.remove_own,
    proving.confirm_own_factor,
    signing_in.add_passkey,
    factors.reset,
    sign_in_rules.set_sign_in_rules,
    rules.set_rules,
    by_country.follow_again,
    running.ask_run,
    key_state.ask_for_resealing,
    resealing.rotate_key,
    resealing.retire_key,
    hashes.rotate_hashes,
    requests.find,
    requests.decide,
    reports.open_report,
    reports.take_over,
    wallboards.make,
    accounts.set_token,
    accounts.remove,
    sessions.end_one,
    sessions.end_others,
    deciding.decide,
    changing.change,
    own_settings.change,
    dialling.change,
    line_facts.change_facts,
    line_use.retire,
    line_use.take_into_use,
    lines.add_line,
    lines.change_numbers,
    lines.set_plan,
    partners.decide,
    line_changes.take_back,
    prompts.set_prompt,
    prompts.take_back,
    prompts.use_words_of_program,
    chat_lines.change_chat,
    languages.import_catalogue,
    languages.take_back,
    asking.ask,
)
OPENERS = {inspect.unwrap(one) for one in _OPENERS}
# They name one of these functions, and give out nothing of single people.
WITHOUT = {
    "api.statistics.statistics.summary": "figures",
    "dashboard.reports.calls_page": "a list on the page; its file is in the list",
    "dashboard.people.passkey_pages.options": "a sign-in that goes on after the password",
    "api.emergencies.refuse_emergency": "a refusal opens nothing",
    "dashboard.people.emergency_pages.refuse": "a refusal opens nothing",
    "dashboard.people.first_run.set_up": "no account is there yet; it asks for a code",
    "api.emergencies.end_emergency": "what was changed under it goes back",
    "dashboard.people.emergency_pages.end": "what was changed under it goes back",
    "dashboard.people.provider_pages.back": "a sign-in at the provider",
    **dict.fromkeys(
        (f"api.scim.{name}_user" for name in ("add", "replace", "change", "delete")),
        "for programs alone, which show a token",
    ),
}
# They name one of the next functions by what they end, and they help no caller.
NO_HELP = {
    **dict.fromkeys(
        (
            "api.access_requests.decide_access_request",
            "api.people.change_person",
            "dashboard.people.accounts.change_person",
        ),
        "a new role takes an open offer back",
    ),
    **dict.fromkeys(
        ("api.emergencies.enter_emergency", "dashboard.people.emergency_pages.enter"),
        "what rings in the browser goes to a colleague",
    ),
}
# What helps a child now, or brings one to a person.
URGENT = {
    from_call.refer_urgently,
    opening.refer,
    replying.acknowledge,
    staff_actions.acknowledge,
    staff_actions.send,
    staff_actions.take_in_hand,
    unstaffed_alarms.acknowledge,
    offers.accept_offer,
    offers.decline_offer,
    callbacks.agree,
    callback_attempts.start_again,
    messages.open_message,
    inviting.invite,
    moving.move_talk,
    supervising.supervise,
}


def test_every_route_that_opens_numbers_files_or_keys_asks_for_a_proof() -> None:
    found = {name_of(route.endpoint): route for route in _all_routes()}
    assert set(ACTS) <= set(found), "a name in the list that answers no route"
    wrong = []
    for name, route in found.items():
        reached = reached_from(route.endpoint)
        if reached & OPENERS and name not in ACTS and name not in WITHOUT:
            wrong.append(f"{name}: {sorted(f.__name__ for f in reached & OPENERS)}")
        if name in ACTS:
            assert reached & OPENERS, f"{name} opens nothing"
            assert name in NO_HELP or not reached & URGENT, f"{name} is in the way of help"
            short = isinstance(route, LeanRoute) and route.requires()
            assert not short, f"{name} is answered without asking the list"
    assert wrong == [], "they open something without a proof"
    assert not set(WITHOUT) & set(ACTS)


# Who may set, keep or give out what the acts are about.
PERMISSIONS = {one for one in Permission if one.value.startswith("keep_")} | {
    Permission.ANSWER_DATA_REQUESTS,
    Permission.APPROVE_EXPORTS,
    Permission.CONFIRM_EMERGENCY,
    Permission.DECIDE_DATA_REQUESTS,
    Permission.HOLD_RECORDS,
    Permission.PUBLISH,
}
# Acts of these people that open nothing, and give nothing another place to go to.
NO_PROOF = {
    "dashboard.settings.lines.prompt_pages.ring_phone": "it changes nothing",
    **dict.fromkeys(
        (
            "api.numbers.set_up",
            "api.settings.lines.add_language",
            "api.settings.lines.remove_language",
            "api.settings.lines.set_key_questions",
            "dashboard.settings.lines.line_pages.add_language",
            "dashboard.settings.lines.line_pages.change_hours",
            "dashboard.settings.lines.line_pages.change_key_questions",
            "dashboard.settings.lines.line_pages.remove_language",
            "dashboard.settings.number_pages.set_up",
        ),
        "a line keeps its numbers and its plan",
    ),
    **dict.fromkeys(
        (
            "api.data_requests.ask",
            "api.data_requests.extend",
            "api.data_requests.note_told",
            "api.data_requests.set_kept",
            "api.data_requests.withdraw",
            "dashboard.settings.data_request_pages.ask",
            "dashboard.settings.data_request_pages.extend",
            "dashboard.settings.data_request_pages.note_told",
            "dashboard.settings.data_request_pages.set_kept",
            "dashboard.settings.data_request_pages.withdraw",
        ),
        "the search and the decision ask for one",
    ),
    **dict.fromkeys(
        (
            "api.emergencies.refuse_emergency",
            "dashboard.people.emergency_pages.refuse",
            "api.people.deactivate",
            "api.people.hand_over",
            "api.people.withdraw_link",
            "dashboard.people.leaving.leave",
            "api.tokens.revoke_token",
            "dashboard.settings.token_pages.revoke_token",
            "api.settings.wallboards.withdraw_wallboard",
            "dashboard.wall.withdraw_wallboard",
            "api.settings.line_chats.put_away_unread",
            "dashboard.settings.lines.carrier_pages.put_away_unread",
        ),
        "it closes something, which must be quick",
    ),
    **dict.fromkeys(
        (
            "api.retention.hold",
            "api.retention.hold_by_code",
            "api.definitions.check",
            "api.definitions.upload",
            "dashboard.settings.definition_pages.upload",
        ),
        "it keeps more, and nothing is in force by it",
    ),
    **dict.fromkeys(
        (
            *(
                f"api.connections.{name}"
                for name in ("send_again", "test_call", "test_case_system", "test_mail", "test_sms")
            ),
            "api.connections.test_webhook",
            "api.provider.test_provider",
            *(
                f"dashboard.settings.connection_pages.{name}"
                for name in ("ring_phone", "send_text", "test_case_system", "test_mail")
            ),
            "dashboard.settings.connection_pages.test_webhook",
            "dashboard.settings.provider_page.test_provider",
        ),
        "a test, or the same event once more, to where it goes already",
    ),
    **dict.fromkeys(
        (
            "api.statistics.schedules.add_schedule",
            "api.statistics.schedules.end_schedule",
            "api.statistics.statistics.publish",
            "dashboard.reports.publish",
        ),
        "rounded figures of no single person",
    ),
}


def test_every_act_of_these_permissions_asks_for_a_proof_or_says_why_not() -> None:
    acts = {
        name_of(route.endpoint)
        for route in _all_routes()
        if (route.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}
        and {guard.permission for guard in guards_of(route.dependant)} & PERMISSIONS
    }
    assert acts - set(ACTS) == set(NO_PROOF)


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
    What.TELEPHONE: "a telephone",
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


def test_every_route_that_sets_a_password_asks_first_whether_it_was_leaked() -> None:
    found = {name_of(route.endpoint): reached_from(route.endpoint) for route in _all_routes()}
    sets = {passwords.set_password, passwords.change_own}
    names = {name for name, reached in found.items() if reached & sets}
    assert names == {
        "api.own.account.change_own_password",
        "dashboard.people.own.change_password",
        "dashboard.people.welcome.choose",
    }
    assert all(leaked.ask in found[name] for name in names)


def test_every_route_by_which_a_session_gets_a_new_token_sets_the_cookie() -> None:
    found = {name_of(route.endpoint): reached_from(route.endpoint) for route in _all_routes()}
    names = {name for name, reached in found.items() if session_tokens.renew in reached}
    assert {"api.own.second_factor.prove_again", "dashboard.people.passkey_pages.add"} <= names
    assert [name for name in names if set_cookie not in found[name]] == []


def _all_routes() -> Iterator[APIRoute]:
    for package in (app.api, app.dashboard, app.telephony):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            for router in [one for one in vars(module).values() if isinstance(one, APIRouter)]:
                yield from (route for route in router.routes if isinstance(route, APIRoute))


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


async def test_a_number_needs_a_proof_that_is_not_old_but_never_in_a_talk(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await with_password(stage, ana)
    await skip(stage, 11 / 60)
    await ana.be("available")
    leg = await talk(stage, ana)
    call = (await stage.call_of(leg))["id"]
    danger, path = {"reason": "danger"}, f"/calls/{call}/number"
    assert (await ana.ask("POST", path, danger)).status_code == 200, "she talks with the child"
    assert await proofs_logged(stage, ana) == [("proof_not_asked", {"opens": "number"})]
    urgent = await ana.ask("POST", f"/calls/{call}/urgent", {"service": "police"})
    assert urgent.status_code == 201, urgent.text
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
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
    assert await proofs_logged(stage, ana) == [
        ("proof_not_asked", {"opens": "number"}),
        ("proof_failed", {"wrong": "password"}),
        ("proved_again", {"how": "password"}),
    ]
    await skip(stage, 9 / 60)
    assert (await ana.ask("GET", "/me/proof")).json()["fresh"] is True
    await skip(stage, 1 / 60)
    assert (await ana.ask("GET", "/me/proof")).json()["fresh"] is False
    attempts = [(await prove(ana, f"guess {n}"))[0] for n in range(11)]
    assert (attempts[0], attempts[-1]) == (422, 429)
    await skip(stage, 61 / 3600)
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
