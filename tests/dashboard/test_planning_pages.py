"""Pages and interface of planning: working times, proposed rotas, templates, later days."""

import re

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import page
from tests.support.rota import add

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


async def a_planner_and_ana(stage: Stage) -> tuple[Counsellor, Counsellor]:
    chief = await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    return chief, await stage.add_counsellor("ana", shift=False, state=None)


async def test_a_rota_is_proposed_looked_at_and_accepted_by_forms(stage: Stage) -> None:
    chief, ana = await a_planner_and_ana(stage)
    times = f"/roster/working-times/{ana.id}"
    typed = {**dict.fromkeys(DAYS, ""), "hours": "16", "MO": "08:00-16:00", "TU": "8 or 16"}
    wrong = (await page(stage, chief, times, **typed)).text
    assert "is not a time. Write it like 08:00-16:00." in wrong
    assert 'value="8 or 16"' in wrong, "what was typed stays"
    done = await page(stage, chief, times, **{**typed, "TU": "8.00 – 16"})
    assert "Tuesday 08:00-16:00" in (await page(stage, chief, done.headers["location"])).text
    assert 'value="16"' in (await page(stage, chief, times)).text
    asked = {"first_on": "2030-01-22", "weeks": "1"}
    assert (await page(stage, chief, "/roster/proposal", **asked)).status_code == 303
    second = await page(stage, chief, "/roster/proposal", **asked)
    assert second.status_code == 409
    await stage.settle()
    shown = (await page(stage, chief, "/roster/proposal")).text
    assert "Proposed and not decided: 2 duties." in shown
    assert "It is for 1 person." in shown
    assert "16 of 16 h" in shown
    left = (await page(stage, chief, "/roster/proposal/part")).text
    assert "; 2 too few" in left
    assert "cannot work then: ana" in left
    week = (await page(stage, chief, "/roster?week=2030-01-21")).text
    assert "nothing of it is in force" in week
    assert week.count('class="duty" href="/roster/proposal" data-kind="proposed"') == 2
    assert "/roster/proposal" not in (await page(stage, ana, "/roster?week=2030-01-21")).text
    (one, two) = (await chief.ask("GET", "/roster/proposals")).json()[0]["duties"]
    away = {"kind": "absence", "staff_id": str(ana.id)}
    away |= {"from_at": "2030-01-21T00:00", "until_at": "2030-01-22T00:00"}
    assert (await ana.ask("POST", "/roster/changes", away)).status_code == 201
    address = re.findall(r'action="(/roster/proposal/[^"]+)"', shown)[0]
    told = (await page(stage, chief, address, accept="all")).text
    assert "1 duty is in the rota now." in told
    assert "ana is absent" in told
    wrong = await page(stage, chief, address, accept="staff:x")
    assert "Choose which part of the proposal you mean." in wrong.text
    done = await page(stage, chief, address, discard=f"duty:{one['id']}")
    told = (await page(stage, chief, done.headers["location"])).text
    assert "1 proposed duty was discarded." in told
    assert "Everything is decided: 1 of 2 duties were accepted." in told
    view = (await chief.ask("GET", "/roster?begins=2030-01-21&ends=2030-01-28")).json()
    assert [duty["begins_at"] for duty in view["duties"]] == [two["begins_at"]]


async def test_programs_write_down_working_times_and_decide_a_proposal(stage: Stage) -> None:
    chief, ana = await a_planner_and_ana(stage)
    times = {"hours": 8, "available": {"MO": ["08:00-16:00"]}}
    path = f"/roster/working-times/{ana.id}"
    assert (await chief.ask("PUT", path, times)).json()["available"]["MO"] == ["08:00-16:00"]
    wrong = await chief.ask("PUT", path, {**times, "available": {"XX": ["08:00-16:00"]}})
    assert (wrong.status_code, wrong.json()["error"]) == (422, "Invalid")
    (row,) = (await chief.ask("GET", "/roster/working-times")).json()
    assert (row["staff_id"], row["hours"]) == (str(ana.id), 8)
    made = await chief.ask("POST", "/roster/proposals", {"first_on": "2030-01-22", "weeks": 2})
    assert made.status_code == 202
    again = await chief.ask("POST", "/roster/proposals", {})
    assert (again.status_code, again.json()["error"]) == (409, "ProposalOpen")
    await stage.settle()
    address = f"/roster/proposals/{made.json()['id']}"
    view = (await chief.ask("GET", address)).json()
    assert (view["state"], len(view["duties"])) == ("ready", 2)
    assert {one["why"] for one in view["uncovered"][0]["why"]} == {"unavailable", "not_planned"}
    done = await chief.ask("POST", f"{address}/accept", {"day": "2030-01-28"})
    assert done.json() == {"made": 1, "left_out": []}
    done = await chief.ask("POST", f"{address}/discard", {"staff_id": str(ana.id)})
    assert done.json() == {"discarded": 1}
    late = await chief.ask("POST", f"{address}/accept", {})
    assert (late.status_code, late.json()["error"]) == (409, "ProposalDecided")


@nightly
async def test_a_week_is_kept_as_a_template_and_put_on_another(stage: Stage) -> None:
    """By day the verbs of it are tried (tests/routing/rota)."""
    chief, ana = await a_planner_and_ana(stage)
    duty = {"counsellor_id": str(ana.id), "begins_at": "2030-01-16T08:00"}
    await chief.ask("POST", "/roster/duties", {**duty, "ends_at": "2030-01-16T16:00"})
    kept = {"week": "2030-01-16", "name": "Usual"}
    done = await page(stage, chief, "/roster/templates", **kept)
    told = (await page(stage, chief, done.headers["location"])).text
    assert "kept as a template of 1 duty" in told
    twice = await page(stage, chief, "/roster/templates", **kept)
    assert (twice.status_code, "of this name already" in twice.text) == (409, True)
    (one,) = (await chief.ask("GET", "/roster/templates")).json()
    assert f'<option value="{one["id"]}">Usual (1)</option>' in told
    put = {"week": "2030-01-23", "template_id": one["id"]}
    done = await page(stage, chief, "/roster/templates/put", **put)
    assert (
        "1 added, 0 were already there" in (await page(stage, chief, done.headers["location"])).text
    )
    copied = await chief.ask("POST", f"/roster/templates/{one['id']}/put", {"to_on": "2030-01-23"})
    assert copied.json() == {"made": 0, "there": 1, "left_out": []}
    done = await page(stage, chief, "/roster/templates/delete", **put)
    assert "template is deleted" in (await page(stage, chief, done.headers["location"])).text
    body = {"name": "Again", "from_on": "2030-01-16"}
    made = (await chief.ask("POST", "/roster/templates", body)).json()
    assert made["duties"] == 1
    gone = await chief.ask("DELETE", f"/roster/templates/{made['id']}")
    assert (gone.status_code, (await chief.ask("GET", "/roster/templates")).json()) == (204, [])


async def test_a_form_changes_a_duty_on_this_day_and_all_later_ones(quiet: QuietStage) -> None:
    chief, ana = await a_planner_and_ana(quiet)
    await add(chief, ana, "08:00", "16:00")
    was = f"{ana.id}~2030-01-16T07:00:00+00:00~2030-01-16T15:00:00+00:00~primary"
    shown = (await page(quiet, chief, f"/roster/duty?at={was.replace('+', '%2B')}")).text
    assert "this day and all later ones" in shown
    typed = {"was": was, "staff_id": str(ana.id), "layer": "primary", "days": "later"}
    typed |= {"from_at": "2030-01-16T09:00", "until_at": "2030-01-16T17:00", "act": "save"}
    wrong = (
        await page(quiet, chief, "/roster/duty", **{**typed, "from_at": "2030-01-15T09:00"})
    ).text
    assert "keeps its days" in wrong
    done = await page(quiet, chief, "/roster/duty", **typed)
    told = (await page(quiet, chief, done.headers["location"])).text
    assert "Changed on this day and all later ones: ana" in told
    assert 'id="undo-move"' not in told
    view = (await chief.ask("GET", "/roster?begins=2030-01-15&ends=2030-01-18")).json()
    begins = [one["begins_at"][11:16] for one in view["duties"]]
    assert begins == ["07:00", "08:00", "08:00"]
    body = {"was": {**view["duties"][2], "layer": "primary"}, "later": True}
    assert (await chief.ask("POST", "/roster/duties/remove", body)).status_code == 204
    view = (await chief.ask("GET", "/roster?begins=2030-01-15&ends=2030-01-25")).json()
    assert len(view["duties"]) == 2
