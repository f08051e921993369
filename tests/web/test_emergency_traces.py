"""What was done under an emergency access goes back when it ends."""

import httpx2

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.people.provider import access
from app.people.provider.mapping import MappingWanted
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.contacts import skip
from tests.support.identity.emergency import (
    an_emergency,
    asked_as,
    chooses,
    its_time_is_over,
    people_for_it,
    sent,
)
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage

PROVIDER = MappingWanted(
    name="City", issuer="https://id.example", client_id="x", roles=(("help", "counsellor"),)
)

SET_UP: dict[str, object] = {
    "name": "Elsewhere",
    "issuer": "https://id.example",
    "client_id": "x",
    "client_secret": "s",
    "roles": [{"value": "all", "role": "administrator"}],
    "unknown": "create",
}


async def test_what_an_emergency_access_made_of_accounts_ends_with_it(quiet: QuietStage) -> None:
    vera, rada, mila = [
        await quiet.add_counsellor(name, role=role, shift=False, state=None)
        for name, role in (
            ("vera", Role.SUPERVISOR),
            ("rada", Role.REFERRAL_OFFICER),
            ("mila", Role.ADMINISTRATOR),
        )
    ]
    bob = await quiet.add_counsellor("bob", state=None)
    carl = await quiet.add_counsellor("carl", state=None)
    await sent(quiet, vera, "/emergency", kind="accounts", ground="Nobody can sign in.")
    row = (await quiet.rows("SELECT id FROM emergencies"))[0]["id"]
    await sent(quiet, rada, f"/emergency/{row}/confirm")
    entered = await sent(quiet, vera, f"/emergency/{row}/enter")
    headers = {"Cookie": entered.headers["set-cookie"].partition(";")[0]}

    async def does(path: str, body: dict[str, object]) -> httpx2.Response:
        url = f"{quiet.settings.public_url}/api/v1{path}"
        answer = await quiet.client.post(url, json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer

    made = (await does("/people", {"name": "New", "role": "supervisor"})).json()
    for one in (bob, carl):
        person = (await mila.ask("GET", f"/people/{one.id}")).json()
        change = {"revision": person["revision"], "role": "supervisor", "email": "x@y.example"}
        await does(f"/people/{one.id}", change)
    await does("/tokens", {"name": "desk", "scopes": ["statistics"], "days": 90})
    # A record that was written meanwhile is a child's, and stays.
    written = await bob.ask("POST", "/contacts", {"channel": "email", "answers": {}})
    # Meanwhile another administrator decided about one of them: that stays.
    person = (await mila.ask("GET", f"/people/{carl.id}")).json()
    own = {"revision": person["revision"], "email": "carl@z.example"}
    assert (await mila.ask("POST", f"/people/{carl.id}", own)).status_code == 200
    await its_time_is_over(quiet)
    people = {
        one["name"]: (one["active"], one["role"], one["email"])
        for one in await quiet.rows("SELECT name, active, role, email FROM staff")
    }
    assert people["New"][0] is False
    assert people["bob"] == (True, "counsellor", None)
    assert people["carl"] == (True, "counsellor", "carl@z.example")
    assert (await quiet.rows("SELECT revoked_at IS NULL AS open FROM api_tokens"))[0][
        "open"
    ] is False
    kept = await quiet.rows("SELECT count(*) AS n FROM contacts WHERE owner_id = %s", bob.id)
    assert (written.status_code, kept[0]["n"]) == (201, 1)
    marked = await quiet.rows(
        "SELECT action, subject FROM audit_entries WHERE detail->>'emergency' = %s ORDER BY id",
        str(row),
    )
    ended = {(one["action"], one["subject"]) for one in marked}
    assert ("staff_deactivated", str(made["id"])) in ended
    assert [one["subject"] for one in marked if one["action"] == "staff_changed"].count(
        str(bob.id)
    ) == 2, "given, and taken back"
    assert "token_revoked" in {one["action"] for one in marked}


async def test_what_those_whom_it_let_in_have_done_ends_with_it(quiet: QuietStage) -> None:
    vera, rada = await people_for_it(quiet)
    ana, bob, carl, mine = [
        await quiet.add_counsellor(name, shift=False, state=None)
        for name in ("ana", "bob", "carl", "dana")
    ]
    headers = await an_emergency(quiet, vera, rada)
    made = await asked_as(quiet, headers, "/people", {"name": "One", "role": "administrator"})
    await chooses(quiet, made["link"])
    async with transaction(quiet.ground, PROGRAM) as work:
        one = Counsellor(quiet, await work.session.get_one(Staff, made["id"]))
    # Also a person who was there, with the role that they got.
    revision = (await quiet.rows("SELECT revision FROM staff WHERE name = 'dana'"))[0]["revision"]
    raised = {"revision": revision, "role": "administrator"}
    await asked_as(quiet, headers, f"/people/{mine.id}", raised)
    await asked_as(quiet, headers, f"/people/{ana.id}/link", {})
    for actor, name in ((one, "Two"), (mine, "Three")):
        await actor.sign_in()
        own = {"Cookie": actor.cookie_header}
        await asked_as(quiet, own, "/people", {"name": name, "role": "administrator"})
        token = {"name": name, "scopes": ["accounts"], "days": 90}
        await asked_as(quiet, own, "/tokens", token)
    await asked_as(quiet, {"Cookie": one.cookie_header}, f"/people/{bob.id}/link", {})
    revision = (await quiet.rows("SELECT revision FROM staff WHERE name = 'carl'"))[0]["revision"]
    raised = {"revision": revision, "role": "supervisor"}
    await asked_as(quiet, {"Cookie": one.cookie_header}, f"/people/{carl.id}", raised)
    waits = "SELECT state FROM access_requests"
    assert [row["state"] for row in await quiet.rows(waits)] == ["waits", "waits"]
    await its_time_is_over(quiet)
    assert (await quiet.rows("SELECT state FROM emergencies"))[0]["state"] == "ended"
    accounts = {
        row["name"]: (row["active"], row["role"])
        for row in await quiet.rows("SELECT name, active, role FROM staff")
    }
    for name in ("One", "Two", "Three"):
        assert accounts[name][0] is False, name
    assert accounts["dana"] == accounts["carl"] == (True, "counsellor")
    assert (await quiet.rows("SELECT count(*) AS n FROM api_tokens WHERE revoked_at IS NULL")) == [
        {"n": 0}
    ]
    assert [row["state"] for row in await quiet.rows(waits)] == ["replaced", "replaced"]
    links = await quiet.rows(
        "SELECT count(*) AS n FROM password_links WHERE used_at IS NULL AND withdrawn_at IS NULL"
    )
    assert links == [{"n": 0}]


async def test_what_was_made_under_it_stops_with_its_maker_and_administrators_are_told(
    stage: Stage,
) -> None:
    vera, rada = await people_for_it(stage)
    dana = await stage.add_counsellor("dana", shift=False, state=None)
    headers = await an_emergency(stage, vera, rada)
    revision = (await stage.rows("SELECT revision FROM staff WHERE name = 'dana'"))[0]["revision"]
    raised = {"revision": revision, "role": "administrator"}
    await asked_as(stage, headers, f"/people/{dana.id}", raised)
    await dana.sign_in()
    hers = {"Cookie": dana.cookie_header}
    for who, name in ((headers, "acts"), (hers, "let in")):
        token = {"name": name, "scopes": ["statistics"], "days": 90}
        await asked_as(stage, who, "/tokens", token)
        await asked_as(stage, who, "/wallboards", {"name": name})
    await asked_as(stage, headers, "/tokens", {**token, "name": "by hand"})
    url = f"{stage.settings.public_url}/admin/tokens/revoke"
    own = {**headers, "Origin": stage.settings.public_url}
    assert (await stage.client.post(url, data={"name": "by hand"}, headers=own)).status_code == 303
    await skip(stage, 61 / 60)
    await stage.settle()
    await stage.settle()
    acting = (await stage.rows("SELECT account_id FROM emergencies"))[0]["account_id"]
    stopped = "SELECT name, {}_with AS by FROM {} WHERE {}_at IS NOT NULL ORDER BY name"
    makers = [{"name": "acts", "by": acting}, {"name": "let in", "by": dana.id}]
    walls = await stage.rows(stopped.format("withdrawn", "wallboards", "withdrawn"))
    assert walls == makers
    found = await stage.rows(stopped.format("revoked", "api_tokens", "revoked"))
    assert found == [makers[0], {"name": "by hand", "by": None}, makers[1]]
    told = "SELECT staff_id FROM directory_accounts WHERE left_open_at IS NOT NULL"
    assert {row["staff_id"] for row in await stage.rows(told)} == {acting, dana.id}


@nightly
async def test_one_account_that_cannot_go_back_does_not_hold_up_the_end(stage: Stage) -> None:
    """By day the last administrator keeps a password, and it ends all the same."""
    vera, rada = await people_for_it(stage)
    bob = await stage.add_counsellor("bob", state=None)
    ana = await stage.add_counsellor("ana", state=None)
    await stage.change_rows("UPDATE staff SET emergency = true, revision = 7 WHERE name = 'bob'")
    await stage.change_rows("UPDATE staff SET revision = 7 WHERE name = 'ana'")
    headers = await an_emergency(stage, vera, rada)
    for one in (bob, ana):
        change = {"revision": 7, "emergency": False, "email": "x@y.example"}
        await asked_as(stage, headers, f"/people/{one.id}", change)
    async with transaction(stage.ground, PROGRAM) as work:
        staff = await work.session.get_one(Staff, bob.id)
        await access.link_own(work, staff, PROVIDER, {"sub": "1", "groups": ["help"]})
    await skip(stage, 61 / 60)
    await stage.settle()
    assert (await stage.rows("SELECT state FROM emergencies"))[0]["state"] == "ended"
    people = await stage.rows(
        "SELECT name, email, emergency FROM staff WHERE name IN ('bob', 'ana') ORDER BY name"
    )
    assert [tuple(one.values()) for one in people] == [("ana", None, False), ("bob", None, False)]
    (ended,) = await stage.rows("SELECT detail FROM audit_entries WHERE action = 'emergency_ended'")
    assert ended["detail"]["left"] == 1, "the mark, which the review decides about"


async def test_a_role_that_goes_back_opens_nothing_to_who_chose_a_password_under_it(
    quiet: QuietStage,
) -> None:
    vera, rada = await people_for_it(quiet)
    headers = await an_emergency(quiet, vera, rada)
    held = (await quiet.rows("SELECT revision FROM staff WHERE name = 'rada'"))[0]
    await asked_as(quiet, headers, f"/people/{rada.id}", {**held, "role": "auditor"})
    made = await asked_as(quiet, headers, f"/people/{rada.id}/link", {})
    await chooses(quiet, made["link"])
    await rada.sign_in()
    await its_time_is_over(quiet)
    (now,) = await quiet.rows("SELECT role, password_hash FROM staff WHERE name = 'rada'")
    assert now == {"role": "referral_officer", "password_hash": None}
    sessions = await quiet.rows(
        "SELECT count(*) AS n FROM staff_sessions s JOIN staff ON staff.id = staff_id"
        " WHERE name = 'rada'"
    )
    assert sessions == [{"n": 0}]


async def test_a_password_that_was_chosen_under_it_is_dropped_and_no_letter_opens_the_account(
    quiet: QuietStage,
) -> None:
    quiet.settings.smtp_url = "smtp://127.0.0.1:1"
    vera, rada = await people_for_it(quiet)
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await quiet.change_rows("UPDATE staff SET email = 'ana@x.example' WHERE name = 'ana'")
    headers = await an_emergency(quiet, vera, rada)
    made = await asked_as(quiet, headers, f"/people/{ana.id}/link", {"by_mail": False})
    await chooses(quiet, made["link"])
    await ana.sign_in()
    await its_time_is_over(quiet)
    (now,) = await quiet.rows("SELECT password_hash, active FROM staff WHERE name = 'ana'")
    assert now == {"password_hash": None, "active": True}
    sessions = await quiet.rows(
        "SELECT count(*) AS n FROM staff_sessions WHERE staff_id = %s", ana.id
    )
    assert sessions == [{"n": 0}]
    links = await quiet.rows(
        "SELECT by_mail FROM password_links"
        " WHERE staff_id = %s AND used_at IS NULL AND withdrawn_at IS NULL",
        ana.id,
    )
    assert links == [], "an administrator shows her one"


async def test_the_last_administrator_keeps_the_password_that_was_chosen_under_it(
    quiet: QuietStage,
) -> None:
    vera, rada = await people_for_it(quiet)
    await quiet.change_rows("UPDATE staff SET password_hash = NULL WHERE name = 'mila'")
    mila = (await quiet.rows("SELECT id FROM staff WHERE name = 'mila'"))[0]["id"]
    headers = await an_emergency(quiet, vera, rada)
    made = await asked_as(quiet, headers, f"/people/{mila}/link", {})
    await chooses(quiet, made["link"])
    await its_time_is_over(quiet)
    (now,) = await quiet.rows("SELECT password_hash FROM staff WHERE name = 'mila'")
    assert now["password_hash"], "nobody else could sign in to keep the accounts"
    (ended,) = await quiet.rows("SELECT detail FROM audit_entries WHERE action = 'emergency_ended'")
    assert ended["detail"]["left"] == 1


WORDS = (
    'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    'msgid "Languages"\nmsgstr "Jezici kuće"\n'
)
LED_ELSEWHERE = {
    "staff_changed",
    "wallboard_made",
    "partner_asked",
    "words_imported",
    "settings_changed",
    "line_plan_set",
    "line_renamed",
    "line_hours_set",
    "line_key_questions_set",
    "line_retired",
    "dialling_changed",
    "sign_in_rules_set",
    "provider_set",
}


async def test_settings_that_lead_elsewhere_go_back_and_the_review_says_which(stage: Stage) -> None:
    vera, rada = await people_for_it(stage)
    ana = await stage.add_counsellor("ana", endpoint="+381601234567", shift=False, state=None)
    await stage.change_rows("UPDATE staff SET email = 'ana@x.example' WHERE name = 'ana'")
    olga = await stage.add_counsellor("olga", role=Role.AUDITOR, shift=False, state=None)
    line = (await stage.rows("SELECT id FROM lines"))[0]
    hours = await stage.rows("SELECT session_hours FROM sign_in_rules")
    await stage.add_line("+381112222555", name="Druga linija")
    (second,) = await stage.rows("SELECT id FROM lines WHERE name = 'Druga linija'")
    headers = await an_emergency(stage, vera, rada)

    async def puts(method: str, path: str, body: dict[str, object]) -> None:
        url = f"{stage.settings.public_url}/api/v1{path}"
        answer = await stage.client.request(method, url, json=body, headers=headers)
        assert answer.status_code < 300, answer.text

    for moved in ({"email": "eve@x.example"}, {"endpoint": "+381607654321"}):  # or both wait
        (its,) = await stage.rows("SELECT revision FROM staff WHERE name = 'ana'")
        await puts("POST", f"/people/{ana.id}", {**its, **moved})
    await puts("POST", "/wallboards", {"name": "At home"})
    await puts("PUT", "/settings", {"decided": {"invitation_days": 30, "offer_seconds": 25}})
    plan = {"partner_number": "+381111234567", "backup_after": 20}
    await puts("PATCH", f"/lines/{line['id']}/plan", plan)
    before = "SELECT name, opening_hours, key_questions, active FROM lines ORDER BY number"
    lines = await stage.rows(before)
    of_line = f"/lines/{line['id']}"
    await puts("PATCH", of_line, {"name": "Elsewhere", "opening_hours": "Mo 08:00-09:00"})
    await puts("PUT", f"{of_line}/key-questions", {"questions": []})
    await puts("POST", f"/lines/{second['id']}/retire", {})
    await puts("PUT", "/dialling", {"countries": ["BA"]})
    await puts("PUT", "/sign-in-rules", {"factor_roles": [], "session_hours": 9, "knowingly": True})
    await puts("PUT", "/sign-in/provider", SET_UP)
    await puts("POST", "/roster/holidays", {"day": "2027-01-07", "name": "Holiday"})
    words = await stage.client.post(
        f"{stage.settings.public_url}/api/v1/languages/sr/pages",
        content=WORDS,
        headers={**headers, "content-type": "text/x-gettext-translation"},
    )
    assert words.status_code == 201, words.text
    await skip(stage, 61 / 60)
    await stage.settle()
    await stage.settle()
    (person,) = await stage.rows("SELECT email, endpoint FROM staff WHERE name = 'ana'")
    assert person == {"email": "ana@x.example", "endpoint": "+381601234567"}
    open_walls = "SELECT count(*) AS n FROM wallboards WHERE withdrawn_at IS NULL"
    assert await stage.rows(open_walls) == [{"n": 0}]
    assert (await stage.rows("SELECT decided FROM own_settings"))[0]["decided"] == {}
    assert (await stage.rows("SELECT plan FROM lines"))[0]["plan"].get("partner_number") is None
    assert await stage.rows("SELECT state FROM partner_requests") == [{"state": "refused"}]
    assert await stage.rows(before) == lines
    assert (await stage.rows("SELECT countries FROM dialling_rules"))[0]["countries"] == []
    assert await stage.rows("SELECT session_hours FROM sign_in_rules") == hours
    assert await stage.rows("SELECT id FROM identity_providers") == []
    assert (await stage.rows("SELECT taken_back_at FROM own_catalogues"))[0]["taken_back_at"]
    (kept,) = await stage.rows("SELECT before_sealed FROM emergencies")
    assert kept["before_sealed"] is None, "nothing of it is kept once it has gone back"
    (shown,) = (await olga.ask("GET", "/emergencies")).json()
    outcomes = {(act["action"], act["outcome"]) for act in shown["acts"]}
    assert {action for action, outcome in outcomes if outcome == "undone"} >= LED_ELSEWHERE
    assert ("holiday_set", "stays") in outcomes


async def test_people_let_in_by_a_provider_that_was_set_under_it_are_out_when_it_ends(
    quiet: QuietStage,
) -> None:
    vera, rada = await people_for_it(quiet)
    ana = await quiet.add_counsellor("ana", role=Role.AUDITOR, shift=False, state=None)
    await quiet.change_rows("UPDATE staff SET email = 'ana@x.example' WHERE name = 'ana'")
    headers = await an_emergency(quiet, vera, rada)
    url = f"{quiet.settings.public_url}/api/v1/sign-in/provider"
    wanted = {**SET_UP, "links_by_email": True}
    wanted["roles"] = [
        {"value": "all", "role": "administrator"},
        {"value": "c", "role": "auditor"},
    ]
    assert (await quiet.client.put(url, json=wanted, headers=headers)).status_code == 200
    known = MappingWanted(
        name="Elsewhere",
        issuer="https://id.example",
        client_id="x",
        roles=(("all", "administrator"), ("c", "auditor")),
        unknown="create",
        links_by_email=True,
    )
    mine = {"sub": "1", "groups": ["all"], "name": "Eve"}
    hers = {"sub": "2", "groups": ["c"], "email": "ana@x.example", "email_verified": True}
    for claims in (mine, hers):
        async with transaction(quiet.ground, PROGRAM) as work:
            assert isinstance(await access.signed_in_person(work, known, claims), Staff)
    (eve,) = await quiet.rows("SELECT id, role, active FROM staff WHERE name = 'Eve'")
    assert (eve["role"], eve["active"]) == ("administrator", True)
    await its_time_is_over(quiet)
    (eve,) = await quiet.rows("SELECT active FROM staff WHERE name = 'Eve'")
    assert eve["active"] is False
    assert await quiet.rows("SELECT id FROM identity_providers") == []
    assert await quiet.rows("SELECT id FROM staff_identities WHERE lost_at IS NULL") == []
    (now,) = await quiet.rows("SELECT active, by_provider FROM staff WHERE id = %s", ana.id)
    assert now == {"active": True, "by_provider": False}
    sessions = await quiet.rows("SELECT id FROM staff_sessions WHERE staff_id = %s", ana.id)
    assert sessions == []
