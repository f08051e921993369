"""Emergency access on the pages: the alarm of others, the second person, and acting under it."""

import httpx2

from app.demo.stage import Counsellor, Stage
from app.staff.roles import Role
from tests.support.contacts import skip


async def sent(stage: Stage, who: Counsellor, path: str, **form: str) -> httpx2.Response:
    headers = {"Cookie": who.cookie_header, "Origin": stage.settings.public_url}
    url = f"{stage.settings.public_url}{path}"
    return await stage.client.post(url, data=form, headers=headers)


async def seen(stage: Stage, who: Counsellor, path: str = "/board/emergencies") -> str:
    headers = {"Cookie": who.cookie_header}
    answer = await stage.client.get(f"{stage.settings.public_url}{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_two_people_open_the_accounts_and_everyone_is_alarmed(stage: Stage) -> None:
    vera, nina, mila, olga = [
        await stage.add_counsellor(name, role=role, shift=False, state=None)
        for name, role in (
            ("vera", Role.SUPERVISOR),
            ("nina", Role.SUPERVISOR),
            ("rada", Role.REFERRAL_OFFICER),
            ("olga", Role.AUDITOR),
        )
    ]
    ground = "No administrator can sign in."
    wrong = await sent(stage, vera, "/emergency", kind="accounts", ground=" ")
    assert "Write why it is needed" in wrong.text
    asked = await sent(stage, vera, "/emergency", kind="accounts", ground=ground)
    assert "Everyone concerned is told" in asked.text
    row = (await stage.rows("SELECT id FROM emergencies"))[0]["id"]
    for one in (nina, mila, olga):
        assert "data-panic=" in await seen(stage, one), "it sounds"
    assert "data-panic=" not in await seen(stage, vera), "she knows"
    quiet = await sent(stage, nina, f"/emergency/{row}/seen")
    assert "data-panic=" not in quiet.text
    assert "vera asks for emergency access" in quiet.text
    refused = await sent(stage, nina, f"/emergency/{row}/confirm")
    assert "of another role" in refused.text
    opened = await sent(stage, mila, f"/emergency/{row}/confirm")
    assert "It is open now" in opened.text
    assert "data-panic=" in await seen(stage, nina), "open, it sounds again"
    entered = await sent(stage, vera, f"/emergency/{row}/enter")
    assert entered.headers["location"] == "/admin/people"
    cookie = entered.headers["set-cookie"].partition(";")[0]
    headers = {"Cookie": cookie}
    api = f"{stage.settings.public_url}/api/v1"
    invited = await stage.client.post(f"{api}/people", json={"name": "New"}, headers=headers)
    assert invited.status_code == 201, invited.text
    # Its own alarm it neither confirms nor reviews.
    again = {"kind": "accounts", "ground": ground}
    own = await stage.client.post(f"{api}/emergencies", json=again, headers=headers)
    assert own.status_code == 403
    marked = await stage.rows(
        "SELECT DISTINCT action FROM audit_entries WHERE detail->>'emergency' = %s", str(row)
    )
    assert {one["action"] for one in marked} >= {"staff_added", "password_link_made"}
    await skip(stage, 61 / 60)
    await stage.settle()
    gone = await stage.client.get(f"{api}/me", headers=headers)
    assert gone.status_code == 401, "its time is over"
    assert "has no review yet" in await seen(stage, olga)
    assert "has no review yet" not in await seen(stage, nina)
    assert "staff added" in await seen(stage, olga, "/emergency"), "what was done under it"
    form = {"fitting": "true", "words": "All of it was needed."}
    done = await sent(stage, olga, f"/emergency/{row}/review", **form)
    assert "The review is written" in done.text
    assert "All of it was needed." in await seen(stage, mila, "/emergency")
    assert (await seen(stage, olga)).strip() == ""


async def test_what_an_emergency_access_made_of_accounts_ends_with_it(stage: Stage) -> None:
    vera, rada, mila = [
        await stage.add_counsellor(name, role=role, shift=False, state=None)
        for name, role in (
            ("vera", Role.SUPERVISOR),
            ("rada", Role.REFERRAL_OFFICER),
            ("mila", Role.ADMINISTRATOR),
        )
    ]
    bob = await stage.add_counsellor("bob", state=None)
    carl = await stage.add_counsellor("carl", state=None)
    await sent(stage, vera, "/emergency", kind="accounts", ground="Nobody can sign in.")
    row = (await stage.rows("SELECT id FROM emergencies"))[0]["id"]
    await sent(stage, rada, f"/emergency/{row}/confirm")
    entered = await sent(stage, vera, f"/emergency/{row}/enter")
    headers = {"Cookie": entered.headers["set-cookie"].partition(";")[0]}

    async def does(path: str, body: dict[str, object]) -> httpx2.Response:
        url = f"{stage.settings.public_url}/api/v1{path}"
        answer = await stage.client.post(url, json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer

    made = (await does("/people", {"name": "New", "role": "supervisor"})).json()
    for one in (bob, carl):
        person = (await mila.ask("GET", f"/people/{one.id}")).json()
        change = {"revision": person["revision"], "role": "supervisor", "team": "South"}
        await does(f"/people/{one.id}", change)
    await does("/tokens", {"name": "desk", "scopes": ["statistics"], "days": 90})
    # A record that was written meanwhile is a child's, and stays.
    written = await bob.ask("POST", "/contacts", {"channel": "email", "answers": {}})
    # Meanwhile another administrator decided about one of them: that stays.
    person = (await mila.ask("GET", f"/people/{carl.id}")).json()
    own = {"revision": person["revision"], "team": "West"}
    assert (await mila.ask("POST", f"/people/{carl.id}", own)).status_code == 200
    await skip(stage, 61 / 60)
    await stage.settle()
    people = {
        one["name"]: (one["active"], one["role"], one["team"])
        for one in await stage.rows("SELECT name, active, role, team FROM staff")
    }
    assert people["New"][0] is False
    assert people["bob"] == (True, "counsellor", "")
    assert people["carl"] == (True, "counsellor", "West")
    assert (await stage.rows("SELECT revoked_at IS NULL AS open FROM api_tokens"))[0][
        "open"
    ] is False
    kept = await stage.rows("SELECT count(*) AS n FROM contacts WHERE owner_id = %s", bob.id)
    assert (written.status_code, kept[0]["n"]) == (201, 1)
    marked = await stage.rows(
        "SELECT action, subject FROM audit_entries WHERE detail->>'emergency' = %s ORDER BY id",
        str(row),
    )
    ended = {(one["action"], one["subject"]) for one in marked}
    assert ("staff_deactivated", str(made["id"])) in ended
    assert [one["subject"] for one in marked if one["action"] == "staff_changed"].count(
        str(bob.id)
    ) == 2, "given, and taken back"
    assert "token_revoked" in {one["action"] for one in marked}
