"""What every route does before it opens, changes or gives out something, read from its functions.

Before numbers, files of single records and keys a person proves again who they are.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

import app.api
import app.dashboard
import app.telephony
from app.administration import languages, line_changes, own_settings
from app.calls import callers, messages, prompts
from app.calls.lines import chat_lines, line_facts, line_use, lines
from app.chats import accounts
from app.contacts import openings, profiles
from app.contacts.cases import printing
from app.country import sets
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
    passkeys,
    passwords,
    phone_proofs,
    session_tokens,
    sessions,
    sign_in_rules,
    tokens,
)
from app.staff.roles import Permission
from app.statistics.exports import exporting, requested
from app.web.access import set_cookie
from app.web.lean import LeanRoute
from app.web.sign_in import provider_sign_in, proving, signing_in
from app.web.step_up import ACTS, name_of
from tests.support.program.reach import reached_from
from tests.support.routes import guards_of

pytestmark = pytest.mark.whole

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
    "dashboard.people.first_administrator.set_up": "no account is there yet; it asks for a code",
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
            "dashboard.settings.wallboard_pages.withdraw_wallboard",
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
