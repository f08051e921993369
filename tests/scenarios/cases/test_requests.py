"""What needs a second person: closing a case and taking it over."""

import asyncio

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.contacts import case_of, changes, new_case, page_of, skip
from tests.support.mail import Mail
from tests.support.profile import WHOLE
from tests.support.program.quiet import QuietStage


async def test_a_closure_needs_the_word_of_a_second_person(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    bora = await night.add_counsellor("bora", shift=False, state=None)
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
        assert (await who.ask("POST", decide, {"approve": True})).status_code == 404
    assert (await chief.ask("POST", decide, {"approve": False})).status_code == 422
    why = {"approve": False, "reason": "Ring the school first."}
    assert (await chief.ask("POST", decide, why)).status_code == 200
    assert (await case_of(ana, case))["status"] == "in_progress"
    await ana.ask("POST", status, {"to": "closed", "reason": "The school was rung."})
    if WHOLE:
        # Asked again, it is not decided for a day: the supervisors hear of that. In the morning: at
        # night what is due is erased, which is no part of this.
        await skip(night, 31)
        assert "been undecided for a day" in post.to("chief@example.org")[-1]
        for who in (ana, chief):
            await who.sign_in()
    (request,) = (await chief.ask("GET", "/case-requests")).json()["requests"]
    decide = f"/case-requests/{request['id']}/decide"
    # Two who decide in the same moment: one wins, the other is told so.
    both = await asyncio.gather(
        chief.ask("POST", decide, {"approve": True}), chief.ask("POST", decide, {"approve": True})
    )
    assert sorted(answer.status_code for answer in both) == [200, 409]
    found = await case_of(ana, case)
    assert found["status"] == "closed"
    assert [e["kind"] for e in found["events"]][-2:] == ["move_approved", "status_changed"]


async def test_a_supervisor_who_owns_a_case_cannot_approve_alone(quiet: QuietStage) -> None:
    boss = await quiet.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    second = await quiet.add_counsellor("second", role=Role.SUPERVISOR, state=None)
    case = await new_case(boss)
    status = f"/cases/{case['id']}/status"
    await boss.ask("POST", status, {"to": "in_progress"})
    assert (await boss.ask("POST", status, {"to": "closed", "reason": "x"})).status_code == 202
    # What became of each child is looked at again when it is decided, not only when it is asked.
    child = changes({"child.c1": 1, "child.c1.age": 9})
    await boss.ask("PUT", f"/cases/{case['id']}/answers", child)
    (request,) = (await second.ask("GET", "/case-requests")).json()["requests"]
    decide = f"/case-requests/{request['id']}/decide"
    assert (await second.ask("POST", decide, {"approve": True})).status_code == 409
    revision = (await case_of(boss, case))["revision"]
    outcome = changes({"child.c1.outcome": "kin"}, base=revision)
    await boss.ask("PUT", f"/cases/{case['id']}/answers", outcome)
    # Another supervisor closes it at once, and the request is over with that.
    closed = await second.ask("POST", status, {"to": "closed", "reason": "read through"})
    assert (closed.status_code, closed.json()["status"]) == (200, "closed")
    assert (await second.ask("GET", "/case-requests")).json()["requests"] == []


async def test_a_case_is_taken_over_when_the_colleague_approves(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    bora = await quiet.add_counsellor("bora", shift=False, state=None)
    vera = await quiet.add_counsellor("vera", shift=False, state=None)
    case = await new_case(ana)
    path = f"/cases/{case['id']}/transfer"
    assert (await ana.ask("POST", path, {"name": "bora", "reason": " "})).status_code == 422
    assert (await ana.ask("POST", path, {"name": "ana", "reason": "x"})).status_code == 422
    assert (await ana.ask("POST", path, {"team": "Nowhere", "reason": "x"})).status_code == 422
    assert (await bora.ask("POST", path, {"name": "bora", "reason": "x"})).status_code == 404
    asked = await ana.ask("POST", path, {"name": "bora", "reason": "I am on leave from Monday."})
    assert asked.status_code == 201
    # Until bora approves, she may read the case as little as before.
    assert (await bora.ask("GET", f"/cases/{case['id']}")).status_code == 404
    page = await page_of(quiet, bora, "/cases")
    assert "I am on leave from Monday." in page
    decide = f"/case-requests/{asked.json()['id']}/decide"
    assert (await vera.ask("POST", decide, {"approve": True})).status_code == 404
    assert (await ana.ask("POST", decide, {"approve": True})).status_code == 404
    assert (await bora.ask("POST", decide, {"approve": True})).json()["owner_id"] == str(bora.id)
    assert (await ana.ask("GET", f"/cases/{case['id']}")).status_code == 200, "still a member"
    # What was asked for can be taken back, and then it is no longer there to be decided.
    again = await bora.ask("POST", path, {"name": "vera", "reason": "Her family is in my street."})
    back = f"/case-requests/{again.json()['id']}/take-back"
    assert (await ana.ask("POST", back)).status_code == 404
    assert (await bora.ask("POST", back)).status_code == 204
    decide = f"/case-requests/{again.json()['id']}/decide"
    assert (await vera.ask("POST", decide, {"approve": True})).status_code == 409
    assert (await vera.ask("GET", f"/cases/{case['id']}")).status_code == 404


async def test_another_team_takes_a_case_over_by_its_supervisor(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    boss = await quiet.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    chief = await quiet.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    nina = await quiet.add_counsellor("nina", shift=False, state=None)
    for who in (chief, nina):
        await quiet.rows("UPDATE staff SET team = 'nis' WHERE id = %s RETURNING 1", who.id)
    case = await new_case(ana)
    body = {"team": "nis", "reason": "The family has moved to Niš."}
    asked = await ana.ask("POST", f"/cases/{case['id']}/transfer", body)
    assert asked.status_code == 201, asked.text
    decide = f"/case-requests/{asked.json()['id']}/decide"
    assert (await nina.ask("POST", decide, {"approve": True})).status_code == 404
    outside = {"approve": True, "name": "boss"}
    assert (await chief.ask("POST", decide, outside)).status_code == 422
    taken = await chief.ask("POST", decide, {"approve": True, "name": "nina"})
    assert taken.json()["owner_id"] == str(nina.id)
    assert (await chief.ask("GET", f"/cases/{case['id']}")).status_code == 200
    assert (await boss.ask("GET", f"/cases/{case['id']}")).status_code == 404, "another team's now"


async def test_a_request_ends_with_what_it_was_asked_for(quiet: QuietStage) -> None:
    """Assigned to a third colleague, a case is not taken over by the one who was asked before."""
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    bora = await quiet.add_counsellor("bora", shift=False, state=None)
    vera = await quiet.add_counsellor("vera", shift=False, state=None)
    boss = await quiet.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    nina = await quiet.add_counsellor("nina", shift=False, state=None)
    await quiet.rows("UPDATE staff SET team = 'nis' WHERE id = %s RETURNING 1", nina.id)
    case = await new_case(ana)
    body = {"name": "bora", "reason": "I am on leave."}
    asked = (await ana.ask("POST", f"/cases/{case['id']}/transfer", body)).json()["id"]
    owner = f"/cases/{case['id']}/owner"
    assert (await boss.ask("POST", owner, {"name": "nina"})).status_code == 403, "another team"
    assert (await boss.ask("POST", owner, {"name": "vera"})).status_code == 200
    decide = f"/case-requests/{asked}/decide"
    assert (await bora.ask("POST", decide, {"approve": True})).status_code == 409
    assert (await case_of(vera, case))["owner_id"] == str(vera.id)
    # A recipient who has left leaves a request that a supervisor of the case's team can end.
    asked = (await vera.ask("POST", f"/cases/{case['id']}/transfer", body)).json()["id"]
    await quiet.rows("UPDATE staff SET active = false WHERE id = %s RETURNING 1", bora.id)
    assert (await boss.ask("POST", f"/case-requests/{asked}/take-back")).status_code == 204
    # The reasons are sealed: a reader of them is in the log first; a reader of a list without them
    # is not.
    read = "SELECT count(*) AS n FROM audit_entries WHERE action = 'requests_read'"
    before = (await quiet.rows(read))[0]["n"]
    await quiet.rows("UPDATE staff SET role = 'supervisor' WHERE id = %s RETURNING 1", nina.id)
    moved = {"team": "nis", "reason": "They have moved."}
    assert (await vera.ask("POST", f"/cases/{case['id']}/transfer", moved)).status_code == 201
    assert (await quiet.rows(read))[0]["n"] == before
    assert len((await vera.ask("GET", "/case-requests")).json()["requests"]) == 1
    assert (await quiet.rows(read))[0]["n"] == before + 1


async def test_a_former_owner_of_a_case_is_no_second_person_for_it(quiet: QuietStage) -> None:
    boss = await quiet.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    case = await new_case(boss)
    status = f"/cases/{case['id']}/status"
    await boss.ask("POST", status, {"to": "in_progress"})
    close = {"to": "closed", "reason": "done"}
    alone = await boss.ask("POST", status, close)
    assert (alone.status_code, alone.json()["error"]) == (409, "Conflict"), "no one could decide"
    await boss.ask("POST", f"/cases/{case['id']}/owner", {"name": "ana"})
    second = await quiet.add_counsellor("second", role=Role.SUPERVISOR, state=None)
    assert (await boss.ask("POST", status, close)).status_code == 202, "it was the boss's own"
    assert (await second.ask("POST", status, close)).status_code == 200
    assert (await case_of(ana, case))["status"] == "closed"
