"""Cases: several contacts, dates, and a workflow."""

import base64
from datetime import timedelta
from typing import Any

from app.contacts.cases import follow_ups
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.web.access import COOKIE
from app.work import PROGRAM
from tests.support.contacts import WHOLE, changes, completed, new_contact, skip
from tests.support.mail import Mail
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage


async def test_a_case_of_two_contacts_with_a_follow_up_that_turns_overdue(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    first = await completed(ana)
    second = await completed(ana)
    case = (await ana.ask("POST", "/cases", {"contacts": [first]})).json()
    code = (await ana.ask("GET", f"/contacts/{second}")).json()["code"]
    linked = await ana.ask("POST", f"/cases/{case['id']}/contacts", {"code": code.lower()})
    assert linked.status_code == 200
    found = (await ana.ask("GET", f"/cases/{case['id']}")).json()
    assert len(found["contacts"]) == 2
    # What is known of the child came along.
    assert "Јована Петровић" in found["answers"].values()
    assert found["headline"] == "Girl is bullied at school"
    today = quiet.clock.now().date()
    body = {"about": "check", "due_on": (today + timedelta(days=2)).isoformat(), "words": "ring"}
    assert (await ana.ask("POST", f"/cases/{case['id']}/follow-ups", body)).status_code == 201

    async def state() -> str:
        found = (await ana.ask("GET", f"/cases/{case['id']}")).json()
        return str(found["follow_ups"][0]["state"])

    assert await state() == "set"
    # The jobs of its morning, and of the end of its day.
    (row,) = await quiet.rows("SELECT id FROM follow_ups")
    for overdue, wanted in ((False, "due"), (True, "overdue")):
        async with transaction(quiet.ground, PROGRAM) as work:
            await follow_ups.ring_bell(work, row["id"], overdue=overdue)
        assert await state() == wanted
    found = (await ana.ask("GET", f"/cases/{case['id']}")).json()
    done = f"/follow-ups/{found['follow_ups'][0]['id']}/done"
    assert (await ana.ask("POST", done, {"result": "with_family"})).status_code == 422
    assert (await ana.ask("POST", done, {"result": "done", "words": "well"})).status_code == 204
    assert (await ana.ask("POST", done, {"result": "done"})).status_code == 409
    assert await state() == "done"
    kinds = [e["kind"] for e in (await ana.ask("GET", f"/cases/{case['id']}")).json()["events"]]
    assert kinds == [
        "opened",
        "contact_linked",
        "contact_linked",
        "follow_up_set",
        "follow_up_due",
        "follow_up_overdue",
        "follow_up_done",
    ]


async def test_a_child_at_risk_of_separation_is_looked_after(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    answers = {**WHOLE, "child.a1.age": 1, "danger.family": ["relinquishment"]}
    contact_id = await new_contact(ana, answers)
    state = (await ana.ask("GET", f"/contacts/{contact_id}/state")).json()
    # Support for the family comes first, and what was offered must be said.
    assert state["support"][:3] == ["outreach_worker", "mobile_team", "maternity_counselling"]
    assert "separation.offered" in state["required"]
    case = (await ana.ask("POST", "/cases", {"contacts": [contact_id]})).json()
    assert case["separation_risk"] is True
    found = (await ana.ask("GET", f"/cases/{case['id']}")).json()
    follow_up = found["follow_ups"][0]
    assert follow_up["about"] == "separation"
    body = {"result": "with_family", "words": "an outreach worker comes twice a week"}
    await ana.ask("POST", f"/follow-ups/{follow_up['id']}/done", body)
    found = (await ana.ask("GET", f"/cases/{case['id']}")).json()
    assert found["separation_outcome"] == "with_family"
    await _what_is_missing_is_read_as_the_form_is(quiet, ana)


async def _what_is_missing_is_read_as_the_form_is(stage: Stage, ana: Counsellor) -> None:
    """It is in the language of the account's pages, until another is chosen in this browser."""
    contact_id = await new_contact(ana, {})
    url = f"{stage.settings.public_url}/api/v1/contacts/{contact_id}/state"

    async def headline(chosen: str = "") -> str:
        headers = {"Cookie": f"{ana.cookie_header}; helpline_language={chosen}"}
        missing = (await stage.client.get(url, headers=headers)).json()["missing"]
        return str(next(one["words"] for one in missing if one["path"] == "contact.headline"))

    assert "Headline" in await headline()
    changed = await ana.ask("PUT", "/me/page-language", {"language": "ar"})
    assert changed.is_success, changed.text
    assert "العنوان" in await headline()
    assert "Naslov" in await headline("sr")


async def test_the_workflow_of_a_case_is_kept(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    boss = await quiet.add_counsellor("boss", role=Role.SUPERVISOR)
    case = (await ana.ask("POST", "/cases", {})).json()
    at = f"/cases/{case['id']}/status"
    assert (await ana.ask("POST", at, {"to": "closed", "reason": "x"})).status_code == 409
    assert (await ana.ask("POST", at, {"to": "in_progress"})).status_code == 200
    assert (await ana.ask("POST", at, {"to": "closed"})).status_code == 422
    child = changes({"child.c1": 1, "child.c1.age": 9})
    await ana.ask("PUT", f"/cases/{case['id']}/answers", child)
    refused = await ana.ask("POST", at, {"to": "closed", "reason": "done"})
    assert refused.status_code == 409, "what became of it is written for each child"
    assert "for child 1" in refused.json()["detail"]
    found = (await ana.ask("GET", f"/cases/{case['id']}")).json()
    outcome = changes({"child.c1.outcome": "home"}, base=found["revision"])
    await ana.ask("PUT", f"/cases/{case['id']}/answers", outcome)
    asked = await ana.ask("POST", at, {"to": "closed", "reason": "done"})
    assert (asked.status_code, asked.json()["status"]) == (202, "in_progress")
    assert (await ana.ask("POST", at, {"to": "closed", "reason": "done"})).status_code == 409
    request = (await boss.ask("GET", "/case-requests")).json()["requests"][0]["id"]
    decide = f"/case-requests/{request}/decide"
    assert (await ana.ask("POST", decide, {"approve": True})).status_code == 404
    assert (await boss.ask("POST", decide, {"approve": True})).json()["status"] == "closed"
    save = f"/cases/{case['id']}/answers"
    assert (await ana.ask("PUT", save, changes({"case.headline": "x"}))).status_code == 409
    assert (await ana.ask("POST", at, {"to": "in_progress", "reason": "x"})).status_code == 409
    assert (await boss.ask("POST", at, {"to": "in_progress", "reason": "new"})).status_code == 200


@nightly
async def test_a_task_for_a_colleague_reminds_by_mail_and_goes_to_a_supervisor(
    night: Stage, post: Mail
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    bora = await night.add_counsellor("bora", shift=False, state=None)
    chief = await night.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    for who, address in ((bora, "bora@example.org"), (chief, "chief@example.org")):
        await night.rows("UPDATE staff SET email = %s WHERE id = %s RETURNING 1", address, who.id)
    await night.rows("UPDATE staff SET page_language = 'sr' WHERE id = %s RETURNING 1", bora.id)
    case = (await ana.ask("POST", "/cases", {})).json()
    due = (night.clock.now() + timedelta(days=1)).date()
    body = {"about": "check", "due_on": due.isoformat(), "words": "Ring Zzorica.", "name": "bora"}
    path = f"/cases/{case['id']}/follow-ups"
    assert (await ana.ask("POST", path, body | {"name": "nobody"})).status_code == 422
    assert (await ana.ask("POST", path, body)).status_code == 201
    assert (await bora.ask("GET", f"/cases/{case['id']}")).status_code == 200, "bora works on it"
    # A colleague who works on it with ana lets no third person in by that.
    await night.add_counsellor("vera", shift=False, state=None)
    assert (await bora.ask("POST", path, body | {"name": "vera"})).status_code == 403
    await skip(night, 40)
    (letter,) = post.to("bora@example.org")
    assert f"{case['code']}: danas je rok za praćenje" in letter
    assert "Zzorica" not in letter
    assert post.to("chief@example.org") == []
    await skip(night, 30)
    assert "Kasni praćenje" in post.to("bora@example.org")[-1]
    await skip(night, 30)
    (letter,) = post.to("chief@example.org")
    assert f"{case['code']}: a follow-up is overdue" in letter


async def test_risk_of_separation_is_seen_whenever_it_comes(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    at_risk = await completed(
        ana, **{"danger.family": ["poverty"], "separation.offered": ["money"]}
    )
    code = (await ana.ask("GET", f"/contacts/{at_risk}")).json()["code"]
    first = (await ana.ask("POST", "/cases", {})).json()["id"]
    linked = await ana.ask("POST", f"/cases/{first}/contacts", {"code": code})
    assert linked.json()["separation_risk"] is True
    second = (await ana.ask("POST", "/cases", {})).json()["id"]
    save = changes({"separation.drivers": ["placement"]})
    (await ana.ask("PUT", f"/cases/{second}/answers", save)).raise_for_status()
    for case in (first, second):
        found = (await ana.ask("GET", f"/cases/{case}")).json()
        assert [f["about"] for f in found["follow_ups"]] == ["separation"]


async def test_what_is_written_over_is_kept_with_its_author(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    boss = await quiet.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    path = f"/cases/{case}/answers"
    await ana.ask("PUT", path, changes({"plan.goals": "first"}))
    # The same stretch of writing is one event, and its own words are not kept twice.
    await ana.ask("PUT", path, changes({"plan.goals": "first, better"}, 1))
    await boss.ask("PUT", path, changes({"plan.goals": "second"}, 2))
    found = (await ana.ask("GET", f"/cases/{case}")).json()
    edited = [e for e in found["events"] if e["kind"] == "edited"]
    assert [e["staff_id"] for e in edited] == [str(ana.id), str(boss.id)]
    assert edited[1]["detail"] == {"questions": ["plan.goals"]}
    assert len(await quiet.rows("SELECT id FROM earlier_answers")) == 1
    headers = {"Cookie": f"{COOKIE}={ana.cookies[COOKIE]}"}
    url = f"{quiet.settings.public_url}/cases/{case}"
    assert "first, better" in (await quiet.client.get(url, headers=headers)).text
    rows = await quiet.rows("SELECT answer, sealed FROM earlier_answers")
    assert rows[0]["answer"] is None
    assert b"first" not in base64.b64decode(rows[0]["sealed"])


# By day the verb of it is tried (`tests/contacts/cases/test_letters.py`).
@nightly
async def test_a_closed_case_reminds_of_nothing(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    bora = await stage.add_counsellor("bora", shift=False, state=None)
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    due = (stage.clock.now().date() + timedelta(days=1)).isoformat()
    new = {"about": "check", "due_on": due}
    (await ana.ask("POST", f"/cases/{case}/follow-ups", new)).raise_for_status()
    (await boss.ask("POST", f"/cases/{case}/owner", {"name": "bora"})).raise_for_status()
    rows = await stage.rows("SELECT owner_id FROM follow_ups")
    assert rows == [{"owner_id": bora.id}]
    status = f"/cases/{case}/status"
    await bora.ask("POST", status, {"to": "in_progress"})
    await bora.ask("POST", status, {"to": "closed", "reason": "done"})
    (request,) = (await boss.ask("GET", "/case-requests")).json()["requests"]
    decide = f"/case-requests/{request['id']}/decide"
    (await boss.ask("POST", decide, {"approve": True})).raise_for_status()
    assert (await bora.ask("POST", f"/cases/{case}/follow-ups", new)).status_code == 409
    await skip(stage, 60)
    rung = "SELECT reminded_at IS NOT NULL AS rung, overdue_at IS NOT NULL AS late FROM follow_ups"
    assert await stage.rows(rung) == [{"rung": False, "late": False}]
    await boss.sign_in()
    await boss.ask("POST", status, {"to": "in_progress", "reason": "she rang again"})
    await stage.settle()
    assert await stage.rows(rung) == [{"rung": True, "late": True}]


async def test_every_child_is_taken_over_into_a_case(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    contacts = []
    for n in range(3):
        answers: dict[str, Any] = {"contact.kind": "child"}
        for m in range(10):
            # Long codes that begin alike must not become one child.
            answers[f"child.abcdefghij{m}"] = m + 1
            answers[f"child.abcdefghij{m}.name"] = f"Dete {n} {m}"
        contacts.append(await new_contact(ana, answers))
    case = (await ana.ask("POST", "/cases", {"contacts": contacts})).json()["id"]
    found = (await ana.ask("GET", f"/cases/{case}")).json()["answers"]
    names = {value for path, value in found.items() if path.endswith(".name")}
    assert names == {f"Dete {n} {m}" for n in range(3) for m in range(10)}
