"""Cases among colleagues: the plan, siblings, flags, members and the caseload."""

import asyncio
from datetime import timedelta

from app.contacts.cases import follow_ups
from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.contacts import case_of, completed, new_case, new_contact, page_of, skip
from tests.support.program.quiet import QuietStage


async def _is_overdue(quiet: QuietStage) -> None:
    """As by the jobs of the only date of all cases."""
    (row,) = await quiet.rows("SELECT id FROM follow_ups")
    async with transaction(quiet.ground, PROGRAM) as work:
        for overdue in (False, True):
            await follow_ups.ring_bell(work, row["id"], overdue=overdue)


async def test_a_plan_says_what_is_done_for_which_goal_by_whom_until_when(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana")
    case = await new_case(ana, {"goal.g1": 1, "goal.g1.goal": "Goes to school every day"})
    path, today = f"/cases/{case['id']}/follow-ups", quiet.clock.now().date()
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
    page = await page_of(quiet, ana, f"/cases/{case['id']}")
    plan = page[page.index('id="plan"') : page.index('id="follow-ups"')]
    for shown in ("Goes to school every day", "A tutor comes on Tuesdays", "Centar za mlade"):
        assert shown in plan
    sealed = await quiet.rows("SELECT words_sealed, provider_sealed FROM follow_ups")
    assert b"Centar" not in bytes(sealed[0]["provider_sealed"])
    await _is_overdue(quiet)
    (line,) = (await case_of(ana, case))["follow_ups"]
    assert line["state"] == "overdue", "an intervention reminds as every date does"
    done = f"/follow-ups/{line['id']}/done"
    assert (await ana.ask("POST", done, {"result": "not_reached"})).status_code == 422
    assert (await ana.ask("POST", done, {"result": "partly_done"})).status_code == 204


async def test_cases_of_brothers_and_sisters_are_linked_both_ways(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    bora = await quiet.add_counsellor("bora", shift=False, state=None)
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
    # A colleague who works on only one of them sees that there is another, and not what it says.
    await ana.ask("POST", f"/cases/{second['id']}/members", {"name": "bora"})
    (linked,) = (await case_of(bora, second))["linked"]
    assert linked["readable"] is False
    assert (await bora.ask("GET", f"/cases/{first['id']}")).status_code == 404
    assert (await ana.ask("POST", f"{path}/{second['id']}/remove")).status_code == 204
    assert (await ana.ask("POST", f"{path}/{second['id']}/remove")).status_code == 404
    assert (await case_of(ana, second))["linked"] == []


async def test_a_flag_is_seen_first_until_its_last_day(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    case = await new_case(ana)
    path, today = f"/cases/{case['id']}/flags", quiet.clock.now().date()
    flag = {"about": "danger_at_a_visit", "words": "The uncle has a gun."}
    yesterday = {"last_on": (today - timedelta(days=1)).isoformat()}
    assert (await ana.ask("POST", path, flag | yesterday)).status_code == 422
    assert (await ana.ask("POST", path, flag | {"words": " "})).status_code == 422
    raised = await ana.ask("POST", path, flag | {"last_on": today.isoformat()})
    assert raised.status_code == 201
    page = await page_of(quiet, ana, f"/cases/{case['id']}")
    assert page.index("The uncle has a gun.") < page.index("<h2>Change the status</h2>")
    assert "danger at a visit" in await page_of(quiet, ana, "/cases")
    (row,) = await quiet.rows("SELECT words_sealed FROM case_flags")
    assert b"uncle" not in bytes(row["words_sealed"])
    await skip(quiet, 24)
    await ana.sign_in()
    assert (await case_of(ana, case))["flags"] == [], "its last day is over"
    lasting = (await ana.ask("POST", path, flag)).json()["id"]
    bora = await quiet.add_counsellor("bora", shift=False, state=None)
    lower = f"/case-flags/{lasting}/lower"
    assert (await bora.ask("POST", lower)).status_code == 404
    assert (await ana.ask("POST", lower)).status_code == 204
    assert (await ana.ask("POST", lower)).status_code == 409
    assert (await case_of(ana, case))["flags"] == []


async def test_the_caseload_shows_who_has_how_much_and_what_waits(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    bora = await quiet.add_counsellor("bora", state=None)
    boss = await quiet.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    late, risky = await new_case(ana), await new_case(ana)
    await new_case(bora)
    today = quiet.clock.now().date().isoformat()
    await ana.ask("POST", f"/cases/{late['id']}/follow-ups", {"about": "review", "due_on": today})
    await ana.ask("POST", f"/cases/{risky['id']}/risk", {"risk": "high", "reason": "a threat"})
    body = {"name": "bora", "reason": "too many"}
    await ana.ask("POST", f"/cases/{late['id']}/transfer", body)
    await _is_overdue(quiet)
    lines = (await boss.ask("GET", "/caseload")).json()["owners"]
    assert [tuple(line.values())[1:] for line in lines] == [
        ("ana", 2, 1, 1, 1, 1),
        ("bora", 1, 0, 0, 1, 0),
    ]
    lines = (await ana.ask("GET", "/caseload")).json()["owners"]
    assert [line["owner"] for line in lines] == ["ana"], "a counsellor sees the own ones"
    assert "Something overdue" in await page_of(quiet, boss, "/cases")


async def test_a_member_of_a_case_lets_no_others_in(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    bora = await quiet.add_counsellor("bora", shift=False, state=None)
    carol = await quiet.add_counsellor("carol", shift=False, state=None)
    contact = await completed(ana)
    code = (await ana.ask("GET", f"/contacts/{contact}")).json()["code"]
    case = (await ana.ask("POST", "/cases", {"contacts": [contact]})).json()["id"]
    await ana.ask("POST", f"/cases/{case}/members", {"name": "bora"})
    assert (await bora.ask("GET", f"/contacts/{contact}")).status_code == 200
    assert (await bora.ask("POST", "/cases", {"contacts": [contact]})).status_code == 404
    own = (await bora.ask("POST", "/cases", {})).json()["id"]
    attempts = (
        (f"/cases/{own}/contacts", {"code": code}, 404),
        (f"/cases/{case}/members", {"name": "carol"}, 403),
        (f"/cases/{case}/owner", {"name": "bora"}, 403),
    )
    for path, body, status in attempts:
        assert (await bora.ask("POST", path, body)).status_code == status, path
    mine = await new_contact(bora)
    body_ = {"same_as": code}
    assert (await bora.ask("POST", f"/contacts/{mine}/profile", body_)).status_code == 404
    assert (await carol.ask("GET", f"/contacts/{contact}")).status_code == 404
    # And what was given can be taken back.
    await ana.ask("POST", f"/cases/{case}/members/remove", {"name": "bora"})
    assert (await bora.ask("GET", f"/contacts/{contact}")).status_code == 404
    assert (await bora.ask("GET", f"/cases/{case}")).status_code == 404
