"""Cases among colleagues: the plan, siblings, flags, transfers, approvals, and the caseload."""

import asyncio
from datetime import timedelta
from typing import Any

from app.demo.stage import Counsellor, Stage
from app.staff.roles import Role
from tests.scenarios.helpline import Mail, add_agency, referral_of
from tests.scenarios.test_cases import skip
from tests.scenarios.test_contacts import WHOLE, changes, new_contact


async def new_case(who: Counsellor, answers: dict[str, Any] | None = None) -> dict[str, Any]:
    case = (await who.ask("POST", "/cases", {})).json()
    if answers:
        saved = await who.ask("PUT", f"/cases/{case['id']}/answers", changes(answers))
        assert saved.json()["refused"] == {}, saved.text
    return dict(case)


async def case_of(who: Counsellor, case: dict[str, Any]) -> dict[str, Any]:
    return dict((await who.ask("GET", f"/cases/{case['id']}")).json())


async def page_of(stage: Stage, who: Counsellor, path: str) -> str:
    url = f"{stage.settings.public_url}{path}"
    answer = await stage.client.get(url, headers={"Cookie": who.cookie_header})
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_a_plan_says_what_is_done_for_which_goal_by_whom_until_when(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    case = await new_case(ana, {"goal.g1": 1, "goal.g1.goal": "Goes to school every day"})
    path, today = f"/cases/{case['id']}/follow-ups", stage.clock.now().date()
    step = {
        "about": "intervention",
        "due_on": (today + timedelta(days=2)).isoformat(),
        "words": "A tutor comes on Tuesdays",
        "goal": "g1",
        "provider": "Centar za mlade",
    }
    for wrong in ({"goal": "g9"}, {"words": ""}, {"about": "check"}):
        assert (await ana.ask("POST", path, step | wrong)).status_code == 422, wrong
    assert (await ana.ask("POST", path, step)).status_code == 201
    (line,) = (await case_of(ana, case))["follow_ups"]
    assert (line["goal"], line["provider"], line["state"]) == ("g1", "Centar za mlade", "set")
    page = await page_of(stage, ana, f"/cases/{case['id']}")
    plan = page[page.index('id="plan"') : page.index('id="follow-ups"')]
    for shown in ("Goes to school every day", "A tutor comes on Tuesdays", "Centar za mlade"):
        assert shown in plan
    sealed = await stage.rows("SELECT words_sealed, provider_sealed FROM follow_ups")
    assert b"Centar" not in bytes(sealed[0]["provider_sealed"])
    await skip(stage, 80)
    await ana.sign_in()
    (line,) = (await case_of(ana, case))["follow_ups"]
    assert line["state"] == "overdue", "an intervention reminds as every date does"
    done = f"/follow-ups/{line['id']}/done"
    assert (await ana.ask("POST", done, {"result": "not_reached"})).status_code == 422
    assert (await ana.ask("POST", done, {"result": "partly_done"})).status_code == 204


async def test_a_closure_needs_the_word_of_a_second_person(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    bora = await night.add_counsellor("bora", state=None)
    chief = await night.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    other = await night.add_counsellor("other", role=Role.SUPERVISOR, state=None)
    await night.rows("UPDATE staff SET team = 'nis' WHERE id = %s RETURNING 1", other.id)
    mail = "UPDATE staff SET email = 'chief@example.org' WHERE id = %s RETURNING 1"
    await night.rows(mail, chief.id)
    case = await new_case(ana)
    status = f"/cases/{case['id']}/status"
    await ana.ask("POST", status, {"to": "in_progress"})
    asked = await ana.ask("POST", status, {"to": "closed", "reason": "Zzorica is well."})
    assert asked.status_code == 202
    await night.settle()
    (letter,) = post.to("chief@example.org")
    assert case["code"] in letter
    assert "Zzorica" not in letter
    (request,) = (await chief.ask("GET", "/case-requests")).json()["requests"]
    assert (request["to"], request["reason"]) == ("closed", "Zzorica is well.")
    decide = f"/case-requests/{request['id']}/decide"
    for who in (ana, bora, other):
        assert (await who.ask("POST", decide, {"agree": True})).status_code == 404
    assert (await chief.ask("POST", decide, {"agree": False})).status_code == 422
    why = {"agree": False, "reason": "Ring the school first."}
    assert (await chief.ask("POST", decide, why)).status_code == 200
    assert (await case_of(ana, case))["status"] == "in_progress"
    # Asked again, it is not decided for a day: the supervisors hear of that.
    await ana.ask("POST", status, {"to": "closed", "reason": "The school was rung."})
    await skip(night, 25)
    assert "been undecided for a day" in post.to("chief@example.org")[-1]
    for who in (ana, chief):
        await who.sign_in()
    (request,) = (await chief.ask("GET", "/case-requests")).json()["requests"]
    decide = f"/case-requests/{request['id']}/decide"
    # Two who decide in the same moment: one wins, the other hears so.
    both = await asyncio.gather(
        chief.ask("POST", decide, {"agree": True}), chief.ask("POST", decide, {"agree": True})
    )
    assert sorted(answer.status_code for answer in both) == [200, 409]
    found = await case_of(ana, case)
    assert found["status"] == "closed"
    assert [e["kind"] for e in found["events"]][-2:] == ["move agreed to", "moved"]


async def test_a_supervisor_who_owns_a_case_cannot_agree_alone(stage: Stage) -> None:
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    second = await stage.add_counsellor("second", role=Role.SUPERVISOR, state=None)
    case = await new_case(boss)
    status = f"/cases/{case['id']}/status"
    await boss.ask("POST", status, {"to": "in_progress"})
    assert (await boss.ask("POST", status, {"to": "closed", "reason": "x"})).status_code == 202
    # What became of each child is looked at again when it is decided, not only when it is asked.
    child = changes({"child.c1": 1, "child.c1.age": 9})
    await boss.ask("PUT", f"/cases/{case['id']}/answers", child)
    (request,) = (await second.ask("GET", "/case-requests")).json()["requests"]
    decide = f"/case-requests/{request['id']}/decide"
    assert (await second.ask("POST", decide, {"agree": True})).status_code == 409
    revision = (await case_of(boss, case))["revision"]
    outcome = changes({"child.c1.outcome": "kin"}, base=revision)
    await boss.ask("PUT", f"/cases/{case['id']}/answers", outcome)
    # Another supervisor closes it at once, and the request is over with that.
    closed = await second.ask("POST", status, {"to": "closed", "reason": "read through"})
    assert (closed.status_code, closed.json()["status"]) == (200, "closed")
    assert (await second.ask("GET", "/case-requests")).json()["requests"] == []


async def test_a_case_is_taken_over_when_the_colleague_agrees(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    bora = await stage.add_counsellor("bora", state=None)
    vera = await stage.add_counsellor("vera", state=None)
    case = await new_case(ana)
    path = f"/cases/{case['id']}/transfer"
    assert (await ana.ask("POST", path, {"name": "bora", "reason": " "})).status_code == 422
    assert (await ana.ask("POST", path, {"name": "ana", "reason": "x"})).status_code == 422
    assert (await ana.ask("POST", path, {"team": "Nowhere", "reason": "x"})).status_code == 422
    assert (await bora.ask("POST", path, {"name": "bora", "reason": "x"})).status_code == 404
    asked = await ana.ask("POST", path, {"name": "bora", "reason": "I am on leave from Monday."})
    assert asked.status_code == 201
    # Until bora agrees, the case is hers to read as little as before.
    assert (await bora.ask("GET", f"/cases/{case['id']}")).status_code == 404
    page = await page_of(stage, bora, "/cases")
    assert "I am on leave from Monday." in page
    decide = f"/case-requests/{asked.json()['id']}/decide"
    assert (await vera.ask("POST", decide, {"agree": True})).status_code == 404
    assert (await ana.ask("POST", decide, {"agree": True})).status_code == 404
    assert (await bora.ask("POST", decide, {"agree": True})).json()["owner_id"] == str(bora.id)
    assert (await ana.ask("GET", f"/cases/{case['id']}")).status_code == 200, "still a member"
    # What was asked for can be taken back, and then it is no longer there to be decided.
    again = await bora.ask("POST", path, {"name": "vera", "reason": "Her family is in my street."})
    back = f"/case-requests/{again.json()['id']}/take-back"
    assert (await ana.ask("POST", back)).status_code == 404
    assert (await bora.ask("POST", back)).status_code == 204
    decide = f"/case-requests/{again.json()['id']}/decide"
    assert (await vera.ask("POST", decide, {"agree": True})).status_code == 409
    assert (await vera.ask("GET", f"/cases/{case['id']}")).status_code == 404


async def test_another_team_takes_a_case_over_by_its_supervisor(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    nina = await stage.add_counsellor("nina", state=None)
    for who in (chief, nina):
        await stage.rows("UPDATE staff SET team = 'nis' WHERE id = %s RETURNING 1", who.id)
    case = await new_case(ana)
    body = {"team": "nis", "reason": "The family has moved to Niš."}
    asked = await ana.ask("POST", f"/cases/{case['id']}/transfer", body)
    assert asked.status_code == 201, asked.text
    decide = f"/case-requests/{asked.json()['id']}/decide"
    assert (await nina.ask("POST", decide, {"agree": True})).status_code == 404
    outside = {"agree": True, "name": "boss"}
    assert (await chief.ask("POST", decide, outside)).status_code == 422
    taken = await chief.ask("POST", decide, {"agree": True, "name": "nina"})
    assert taken.json()["owner_id"] == str(nina.id)
    assert (await chief.ask("GET", f"/cases/{case['id']}")).status_code == 200
    assert (await boss.ask("GET", f"/cases/{case['id']}")).status_code == 404, "another team's now"


async def test_cases_of_brothers_and_sisters_are_linked_both_ways(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    bora = await stage.add_counsellor("bora", state=None)
    first, second, hidden = await new_case(ana), await new_case(ana), await new_case(bora)
    path = f"/cases/{first['id']}/links"
    for code, status in ((first["code"], 422), (hidden["code"], 404), ("C-???", 404)):
        assert (await ana.ask("POST", path, {"code": code})).status_code == status
    # Two who link the same two cases from both ends do not wait for each other.
    back = f"/cases/{second['id']}/links"
    both = await asyncio.gather(
        ana.ask("POST", path, {"code": second["code"].lower()}),
        ana.ask("POST", back, {"code": first["code"]}),
    )
    assert [answer.status_code for answer in both] == [204, 204]
    for here, there in ((first, second), (second, first)):
        (linked,) = (await case_of(ana, here))["linked"]
        assert (linked["code"], linked["tie"], linked["readable"]) == (
            there["code"],
            "siblings",
            True,
        )
    # Who works on one of them only sees that there is another, and not what it says.
    await ana.ask("POST", f"/cases/{second['id']}/members", {"name": "bora"})
    (linked,) = (await case_of(bora, second))["linked"]
    assert linked["readable"] is False
    assert (await bora.ask("GET", f"/cases/{first['id']}")).status_code == 404
    assert (await ana.ask("POST", f"{path}/{second['id']}/remove")).status_code == 204
    assert (await ana.ask("POST", f"{path}/{second['id']}/remove")).status_code == 404
    assert (await case_of(ana, second))["linked"] == []


async def test_a_flag_is_seen_first_until_its_last_day(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    case = await new_case(ana)
    path, today = f"/cases/{case['id']}/flags", stage.clock.now().date()
    flag = {"about": "danger_at_a_visit", "words": "The uncle has a gun."}
    yesterday = {"last_on": (today - timedelta(days=1)).isoformat()}
    assert (await ana.ask("POST", path, flag | yesterday)).status_code == 422
    assert (await ana.ask("POST", path, flag | {"words": " "})).status_code == 422
    raised = await ana.ask("POST", path, flag | {"last_on": today.isoformat()})
    assert raised.status_code == 201
    page = await page_of(stage, ana, f"/cases/{case['id']}")
    assert page.index("The uncle has a gun.") < page.index("<h2>Change the status</h2>")
    assert "danger at a visit" in await page_of(stage, ana, "/cases")
    (row,) = await stage.rows("SELECT words_sealed FROM case_flags")
    assert b"uncle" not in bytes(row["words_sealed"])
    await skip(stage, 24)
    await ana.sign_in()
    assert (await case_of(ana, case))["flags"] == [], "its last day is over"
    lasting = (await ana.ask("POST", path, flag)).json()["id"]
    bora = await stage.add_counsellor("bora", state=None)
    lower = f"/case-flags/{lasting}/lower"
    assert (await bora.ask("POST", lower)).status_code == 404
    assert (await ana.ask("POST", lower)).status_code == 204
    assert (await ana.ask("POST", lower)).status_code == 409
    assert (await case_of(ana, case))["flags"] == []


async def test_the_caseload_shows_who_has_how_much_and_what_waits(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    bora = await stage.add_counsellor("bora", state=None)
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    late, risky = await new_case(ana), await new_case(ana)
    await new_case(bora)
    today = stage.clock.now().date().isoformat()
    await ana.ask("POST", f"/cases/{late['id']}/follow-ups", {"about": "review", "due_on": today})
    await ana.ask("POST", f"/cases/{risky['id']}/risk", {"risk": "high", "reason": "a threat"})
    body = {"name": "bora", "reason": "too many"}
    await ana.ask("POST", f"/cases/{late['id']}/transfer", body)
    await skip(stage, 20)
    for who in (ana, boss):
        await who.sign_in()
    lines = (await boss.ask("GET", "/caseload")).json()["owners"]
    assert [tuple(line.values())[1:] for line in lines] == [
        ("ana", 2, 1, 1, 1, 1),
        ("bora", 1, 0, 0, 1, 0),
    ]
    lines = (await ana.ask("GET", "/caseload")).json()["owners"]
    assert [line["owner"] for line in lines] == ["ana"], "a counsellor sees the own ones"
    assert "Something overdue" in await page_of(stage, boss, "/cases")


async def test_a_referral_from_a_case_takes_the_answers_of_the_case(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await add_agency(stage, "house", "shelter", email="house@example.org")
    case = await new_case(
        ana,
        {
            "case.story": "He has not been at school for two weeks.",
            "case.place": "RS-BG",
            "child.c1": 1,
            "child.c1.name": "Marko Ilić",
            "child.c1.age": 9,
            "child.c1.born_on": "2020-05-01",
            "child.c2": 2,
            "child.c2.name": "Mina Ilić",
            "child.c2.age": 5,
        },
    )
    body = {"urgency": "routine", "services": ["shelter"], "case_id": case["id"]}
    wrong = await ana.ask("POST", "/referrals", body | {"children": ["c9"]})
    assert wrong.status_code == 422
    made = (await ana.ask("POST", "/referrals", body)).json()["referrals"]
    assert len(made) == 2, "one for each child"
    found = [await referral_of(ana, one["id"]) for one in made]
    assert [one["answers"]["child.name"] for one in found] == ["Marko Ilić", "Mina Ilić"]
    assert found[0]["answers"]["child.birth_date"] == "2020-05-01"
    assert found[0]["answers"]["child.case_code"] == case["code"]
    # What the case knows is not what the caller said today: it is confirmed first.
    assert "reason.why" in found[0]["to_confirm"]
    assert found[0]["case_id"] == case["id"]
    again = await ana.ask("POST", "/referrals", body)
    assert (again.status_code, again.json()["error"]) == (409, "OpenForTheSameChild")
    assert (await ana.ask("POST", "/referrals", body | {"seen_open": True})).status_code == 201
    # Consent for one of the children counts for that child, and not for the other.
    agreed = {"given_by": "child", "scope": ["services"]}
    path = f"/referrals/{made[0]['id']}/consent"
    assert (await ana.ask("POST", path, agreed)).status_code == 200
    for one in made:
        # Where the case says the child lives need not be where it is.
        there = await ana.ask(
            "POST", f"/referrals/{one['id']}/confirm", {"paths": ["reason.place"]}
        )
        assert there.status_code == 200, there.text
    sent = [await ana.ask("POST", f"/referrals/{one['id']}/send", {}) for one in made]
    assert [answer.status_code for answer in sent] == [200, 409], sent[0].text + sent[1].text
    bora = await stage.add_counsellor("bora", state=None)
    assert (await bora.ask("POST", "/referrals", body)).status_code == 404
    page = await page_of(stage, ana, f"/cases/{case['id']}")
    assert made[0]["code"] in page


async def test_what_a_case_says_of_consent_reaches_its_referrals_and_its_paper(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    await add_agency(stage, "house", "shelter", email="house@example.org")
    agreed = {"child.c1.agrees_services": "yes", "child.c1.agreed_by": "child"}
    case = await new_case(ana, {"child.c1": 1, "child.c1.name": "Marko Ilić", **agreed})
    print_ = f"/cases/{case['id']}/print"
    paper = {"purpose": "conference", "recipient": "Conference", "sections": ["child"]}
    assert (await ana.ask("POST", print_, paper)).status_code == 200
    body = {"urgency": "routine", "services": ["shelter"], "case_id": case["id"], "send": True}
    made = (await ana.ask("POST", "/referrals", body)).json()
    assert (await referral_of(ana, made["id"]))["state"] == "sent", "the case says yes"
    # The child says no at the agency: no paper rests on its yes any more.
    path = f"/referrals/{made['id']}/withdraw-consent"
    assert (await ana.ask("POST", path, {"by": "child"})).status_code == 200
    found = await case_of(ana, case)
    assert found["answers"]["child.c1.agrees_services"] == "no"
    assert (await ana.ask("POST", print_, paper)).status_code == 409
    # And the other way: what is written in the case withdraws what rests on it.
    other = await new_case(ana, {"child.c1": 1, "child.c1.name": "Mina Ilić", **agreed})
    made = (await ana.ask("POST", "/referrals", body | {"case_id": other["id"]})).json()
    revision = (await case_of(ana, other))["revision"]
    no = changes({"child.c1.agrees_services": "no"}, base=revision)
    await ana.ask("PUT", f"/cases/{other['id']}/answers", no)
    await stage.advance(31)
    assert (await referral_of(ana, made["id"]))["state"] == "consent_withdrawn"


async def test_a_request_ends_with_what_it_was_asked_for(stage: Stage) -> None:
    """Assigned to a third colleague, a case is not taken over by the one who was asked before."""
    ana = await stage.add_counsellor("ana")
    bora = await stage.add_counsellor("bora", state=None)
    vera = await stage.add_counsellor("vera", state=None)
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    nina = await stage.add_counsellor("nina", state=None)
    await stage.rows("UPDATE staff SET team = 'nis' WHERE id = %s RETURNING 1", nina.id)
    case = await new_case(ana)
    body = {"name": "bora", "reason": "I am on leave."}
    asked = (await ana.ask("POST", f"/cases/{case['id']}/transfer", body)).json()["id"]
    owner = f"/cases/{case['id']}/owner"
    assert (await boss.ask("POST", owner, {"name": "nina"})).status_code == 403, "another team"
    assert (await boss.ask("POST", owner, {"name": "vera"})).status_code == 200
    decide = f"/case-requests/{asked}/decide"
    assert (await bora.ask("POST", decide, {"agree": True})).status_code == 409
    assert (await case_of(vera, case))["owner_id"] == str(vera.id)
    # A recipient who has left leaves a request that a supervisor of the case's team can end.
    asked = (await vera.ask("POST", f"/cases/{case['id']}/transfer", body)).json()["id"]
    await stage.rows("UPDATE staff SET active = false WHERE id = %s RETURNING 1", bora.id)
    assert (await boss.ask("POST", f"/case-requests/{asked}/take-back")).status_code == 204
    # The reasons are sealed: whoever reads them is in the log first, and a list without them not.
    read = "SELECT count(*) AS n FROM audit_entries WHERE action = 'requests read'"
    before = (await stage.rows(read))[0]["n"]
    await stage.rows("UPDATE staff SET role = 'supervisor' WHERE id = %s RETURNING 1", nina.id)
    moved = {"team": "nis", "reason": "They have moved."}
    assert (await vera.ask("POST", f"/cases/{case['id']}/transfer", moved)).status_code == 201
    assert (await stage.rows(read))[0]["n"] == before
    assert len((await vera.ask("GET", "/case-requests")).json()["requests"]) == 1
    assert (await stage.rows(read))[0]["n"] == before + 1


async def test_whoever_has_owned_a_case_is_no_second_person_for_it(stage: Stage) -> None:
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    ana = await stage.add_counsellor("ana", state=None)
    case = await new_case(boss)
    status = f"/cases/{case['id']}/status"
    await boss.ask("POST", status, {"to": "in_progress"})
    close = {"to": "closed", "reason": "done"}
    alone = await boss.ask("POST", status, close)
    assert (alone.status_code, alone.json()["error"]) == (409, "Conflict"), "no one could decide"
    await boss.ask("POST", f"/cases/{case['id']}/owner", {"name": "ana"})
    second = await stage.add_counsellor("second", role=Role.SUPERVISOR, state=None)
    assert (await boss.ask("POST", status, close)).status_code == 202, "it was the boss's own"
    assert (await second.ask("POST", status, close)).status_code == 200
    assert (await case_of(ana, case))["status"] == "closed"


async def test_a_referral_of_a_contact_is_seen_from_its_case_and_the_other_way(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    contact = await new_contact(ana, WHOLE)
    case = (await ana.ask("POST", "/cases", {"contacts": [contact]})).json()["id"]
    wish = {"urgency": "routine", "services": ["shelter"]}
    made = await ana.ask("POST", "/referrals", wish | {"contact_id": contact})
    assert made.status_code == 201, made.text
    again = await ana.ask("POST", "/referrals", wish | {"case_id": case})
    assert (again.status_code, again.json()["error"]) == (409, "OpenForTheSameChild")
    wish = {"urgency": "routine", "services": ["legal_aid"]}
    assert (await ana.ask("POST", "/referrals", wish | {"case_id": case})).status_code == 201
    again = await ana.ask("POST", "/referrals", wish | {"contact_id": contact})
    assert (again.status_code, again.json()["error"]) == (409, "OpenForTheSameChild")


async def test_a_child_whom_no_contact_knows_is_not_printed_on_the_consent_of_another(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    agreed = {"consent.services": "yes", "consent.authorities": "yes", "consent.given_by": "child"}
    contact = await new_contact(ana, WHOLE | agreed)
    case = (await ana.ask("POST", "/cases", {"contacts": [contact]})).json()
    path = f"/cases/{case['id']}/print"
    paper = {"purpose": "conference", "recipient": "Conference", "sections": ["child"]}
    assert (await ana.ask("POST", path, paper)).status_code == 200
    revision = (await case_of(ana, case))["revision"]
    brother = changes({"child.b9": 9, "child.b9.name": "Pavle"}, base=revision)
    await ana.ask("PUT", f"/cases/{case['id']}/answers", brother)
    assert (await ana.ask("POST", path, paper)).status_code == 409
