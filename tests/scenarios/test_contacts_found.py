"""What a review and an attack found in contacts and cases, each once more."""

import asyncio
import base64
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from app.calls.models import Call
from app.contacts.records import register
from app.demo.stage import Counsellor, Stage
from app.jobs.transaction import transaction
from app.staff.audit import verify_chains
from app.staff.roles import Role
from app.web.access import COOKIE
from app.work import PROGRAM
from tests.scenarios.test_cases import skip
from tests.scenarios.test_contacts import WHOLE, changes, completed, new_contact, write
from tests.scenarios.test_main_job import talk


async def desk(stage: Stage, who: Counsellor) -> str:
    headers = {"Cookie": f"{COOKIE}={who._cookies[COOKIE]}"}
    return (await stage.client.get(f"{stage.settings.public_url}/board/desk", headers=headers)).text


async def press(stage: Stage, who: Counsellor, contact: str, reason: str) -> str:
    headers = {"Cookie": f"{COOKIE}={who._cookies[COOKIE]}", "Origin": stage.settings.public_url}
    url = f"{stage.settings.public_url}/board/contacts/{contact}/close/{reason}"
    return (await stage.client.post(url, headers=headers)).text


async def contact_of(who: Counsellor, stage: Stage, leg: Any) -> dict[str, Any]:
    call = await stage.call_of(leg)
    return dict((await who.ask("GET", f"/calls/{call['id']}/contact")).json())


async def chains_are_whole(stage: Stage) -> bool:
    async with transaction(stage.ground, PROGRAM) as work:
        return all(not report.broken for report in await verify_chains(work.session))


async def test_a_key_never_closes_the_record_of_an_earlier_child(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    first = await talk(stage, ana)
    earlier = await contact_of(ana, stage, first)
    await stage.exchange.hang_up(first)
    await stage.advance(40)
    second = await talk(stage, ana)
    later = await contact_of(ana, stage, second)
    await write(ana, later["id"], WHOLE)
    (await ana.ask("POST", f"/contacts/{later['id']}/complete")).raise_for_status()
    await stage.exchange.hang_up(second)
    await stage.settle()
    assert await ana.presence() == "wrap_up"
    page = await desk(stage, ana)
    assert earlier["code"] not in page
    assert "no longer belongs to your call" in await press(stage, ana, earlier["id"], "silent")
    assert (await ana.ask("GET", f"/contacts/{earlier['id']}")).json()["state"] == "draft"


async def test_a_child_in_danger_is_not_put_aside_with_one_key(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana, digit="9")
    contact = await contact_of(ana, stage, leg)
    assert "decide the urgency on the form" in await desk(stage, ana)
    assert "signs of danger" in await press(stage, ana, contact["id"], "silent")
    assert stage.exchange.conferences.of_leg(leg) is not None
    body = {"closed_as": "silent"}
    refused = await ana.ask("POST", f"/contacts/{contact['id']}/close", body)
    assert refused.json()["error"] == "SignsOfDanger"
    decided = {"urgency": "routine", "reason": "pressed by mistake, and said so"}
    await ana.ask("POST", f"/contacts/{contact['id']}/urgency", decided)
    refused = await ana.ask("POST", f"/contacts/{contact['id']}/close", body)
    assert refused.json()["error"] == "SilentNotAsked"
    call = await stage.call_of(leg)
    asked = await ana.ask("POST", f"/calls/{call['id']}/questions", {"question": "alone"})
    assert asked.status_code in (200, 201, 202), asked.text
    await stage.advance(60)
    assert (await ana.ask("POST", f"/contacts/{contact['id']}/close", body)).status_code == 200


async def test_profiles_are_put_together_by_many_at_once(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    contacts = [await new_contact(ana) for _ in range(6)]
    codes = [(await ana.ask("GET", f"/contacts/{c}")).json()["code"] for c in contacts]
    wishes = []
    for n, contact in enumerate(contacts):
        for other in (codes[(n + 1) % 6], codes[(n + 3) % 6]):
            wishes += [ana.ask("POST", f"/contacts/{contact}/profile", {"same_as": other})]
        wishes.append(ana.ask("POST", f"/contacts/{contact}/profile", {}))
    answers = await asyncio.gather(*wishes)
    assert {answer.status_code for answer in answers} <= {204, 404}
    assert await chains_are_whole(stage)


async def test_giving_away_a_complete_contact_does_not_open_it(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    bora = await stage.add_counsellor("bora", state=None)
    contact = await completed(ana)
    given = await ana.ask("POST", f"/contacts/{contact}/assign", {"staff_id": str(bora.id)})
    assert given.json()["state"] == "complete"


async def test_closed_by_mistake_is_counted_as_what_it_was(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    contact = await new_contact(ana, WHOLE)
    await ana.ask("POST", f"/contacts/{contact}/close", {"closed_as": "silent"})
    again = await ana.ask("POST", f"/contacts/{contact}/reopen", {"reason": "wrong key"})
    assert (again.json()["closed_as"], again.json()["categories"]) == (
        None,
        ["V", "V-BULLYING", "EO", "EO-SCHOOL"],
    )
    (await ana.ask("POST", f"/contacts/{contact}/complete")).raise_for_status()
    found = (await ana.ask("POST", "/contacts/search", {"category": "V-BULLYING"})).json()
    assert [c["id"] for c in found["contacts"]] == [contact]


async def test_a_later_sign_of_danger_asks_again(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    contact = await new_contact(ana, WHOLE)
    await ana.ask("POST", f"/contacts/{contact}/urgency", {"urgency": "routine"})
    await write(ana, contact, {"danger.signs": ["weapon"]}, base=0)
    refused = await ana.ask("POST", f"/contacts/{contact}/complete")
    assert "immediate is suggested: a weapon" in refused.json()["detail"]
    await ana.ask("POST", f"/contacts/{contact}/urgency", {"urgency": "priority"})
    assert (await ana.ask("POST", f"/contacts/{contact}/complete")).status_code == 200


async def test_risk_of_separation_is_seen_whenever_it_comes(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
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


async def test_what_is_written_over_is_kept_and_who_wrote_is_said(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
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
    assert len(await stage.rows("SELECT id FROM earlier_answers")) == 1
    headers = {"Cookie": f"{COOKIE}={ana._cookies[COOKIE]}"}
    url = f"{stage.settings.public_url}/cases/{case}"
    assert "first, better" in (await stage.client.get(url, headers=headers)).text
    rows = await stage.rows("SELECT answer, sealed FROM earlier_answers")
    assert rows[0]["answer"] is None
    assert b"first" not in base64.b64decode(rows[0]["sealed"])


async def test_a_closed_case_rests(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    bora = await stage.add_counsellor("bora", state=None)
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
    (await boss.ask("POST", decide, {"agree": True})).raise_for_status()
    assert (await bora.ask("POST", f"/cases/{case}/follow-ups", new)).status_code == 409
    await skip(stage, 60)
    rung = "SELECT reminded_at IS NOT NULL AS rung, overdue_at IS NOT NULL AS late FROM follow_ups"
    assert await stage.rows(rung) == [{"rung": False, "late": False}]
    await boss.sign_in()
    await boss.ask("POST", status, {"to": "in_progress", "reason": "she rang again"})
    await stage.settle()
    assert await stage.rows(rung) == [{"rung": True, "late": True}]


async def test_paper_is_found_by_its_day_and_a_caller_by_the_number_as_dialled(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana, from_="+381641112223")
    call = await contact_of(ana, stage, leg)
    day = stage.clock.now() - timedelta(days=5)
    paper = await new_contact(ana, channel="call", source="paper", taken_at=day.isoformat())

    async def ids(**body: str) -> list[str]:
        return [
            c["id"] for c in (await ana.ask("POST", "/contacts/search", body)).json()["contacts"]
        ]

    until = (day + timedelta(hours=1)).isoformat()
    assert await ids(to=until) == [paper]
    assert await ids(number="064 111 2223") == await ids(number="+381641112223") == [call["id"]]


async def test_slow_uploads_hold_no_connection(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    port = int(stage.settings.public_url.rpartition(":")[2])
    writers = []
    for _ in range(25):
        stage.ground.memory.forget("staff")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST /api/v1/cases/{case}/documents HTTP/1.1\r\nHost: x\r\n"
            f"Cookie: {COOKIE}={ana._cookies[COOKIE]}\r\nX-Document-Name: a.pdf\r\n"
            "Content-Type: application/octet-stream\r\nContent-Length: 100000\r\n\r\nabcd".encode()
        )
        writers.append(writer)
    await asyncio.sleep(0.5)
    rows = await stage.rows(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'idle in transaction'"
    )
    assert rows == [{"n": 0}]
    assert (await ana.ask("GET", f"/cases/{case}")).status_code == 200
    for writer in writers:
        writer.close()
    await asyncio.sleep(0.2)
    assert await stage.rows("SELECT id FROM case_documents") == []


async def test_several_processes_register_their_definitions_at_once(stage: Stage) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        await work.session.execute(text("ALTER TABLE definitions DISABLE TRIGGER append_only"))
        await work.session.execute(text("DELETE FROM definitions"))

    async def one() -> None:
        async with transaction(stage.ground, PROGRAM) as work:
            await register(work)

    await asyncio.gather(*(one() for _ in range(5)))
    assert len(await stage.rows("SELECT name FROM definitions")) >= 8


async def test_paths_that_are_none_are_refused_even_to_clear(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    contact = await new_contact(ana, WHOLE)
    body = {
        "changes": [
            {"path": "actions.summary", "value": "kept", "base": 1},
            {"path": "contact.Xenija", "value": None, "base": 1},
            {"path": "contact.a\x00", "value": None, "base": 1},
            {"path": "child", "value": None, "base": 1},
            {"path": "contact.place", "value": "RS-06", "base": 10**6},
            {"path": "child.123456", "value": 2, "base": 0},
        ]
    }
    saved = (await ana.ask("PUT", f"/contacts/{contact}/answers", body)).json()
    assert set(saved["saved"]) == {"actions.summary", "child.123456"}
    assert len(saved["refused"]) == 4
    row = (await stage.rows("SELECT versions FROM contacts"))[0]
    assert not [path for path in row["versions"] if "Xenija" in path]
    assert (await ana.ask("GET", f"/contacts/{contact}")).json()["answers"]["child.a1.age"] == 11


async def test_every_child_is_taken_over_into_a_case(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
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


async def test_who_was_let_in_does_not_let_others_in(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    bora = await stage.add_counsellor("bora", state=None)
    carol = await stage.add_counsellor("carol", state=None)
    contact = await completed(ana)
    code = (await ana.ask("GET", f"/contacts/{contact}")).json()["code"]
    case = (await ana.ask("POST", "/cases", {"contacts": [contact]})).json()["id"]
    await ana.ask("POST", f"/cases/{case}/members", {"name": "bora"})
    assert (await bora.ask("GET", f"/contacts/{contact}")).status_code == 200
    assert (await bora.ask("POST", "/cases", {"contacts": [contact]})).status_code == 404
    own = (await bora.ask("POST", "/cases", {})).json()["id"]
    tries = (
        (f"/cases/{own}/contacts", {"code": code}, 404),
        (f"/cases/{case}/members", {"name": "carol"}, 403),
        (f"/cases/{case}/owner", {"name": "bora"}, 403),
    )
    for path, body, status in tries:
        assert (await bora.ask("POST", path, body)).status_code == status, path
    mine = await new_contact(bora)
    body_ = {"same_as": code}
    assert (await bora.ask("POST", f"/contacts/{mine}/profile", body_)).status_code == 404
    assert (await carol.ask("GET", f"/contacts/{contact}")).status_code == 404
    # And what was given can be taken back.
    await ana.ask("POST", f"/cases/{case}/members/remove", {"name": "bora"})
    assert (await bora.ask("GET", f"/contacts/{contact}")).status_code == 404
    assert (await bora.ask("GET", f"/cases/{case}")).status_code == 404


async def test_one_voice_message_has_one_contact(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = stage.ring()
    await stage.advance(1)
    call = await stage.call_of(leg)
    async with transaction(stage.ground, PROGRAM) as work:
        assert await work.session.get(Call, call["id"]) is not None
        await work.session.execute(
            text(
                "INSERT INTO voice_messages (id, call_id, recording_sid, created_at)"
                " VALUES (gen_random_uuid(), :call, 'RE1', now())"
            ),
            {"call": call["id"]},
        )
    body = {"channel": "voice_message", "call_id": str(call["id"])}
    answers = await asyncio.gather(*(ana.ask("POST", "/contacts", body) for _ in range(6)))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 5
    headers = {"Cookie": f"{COOKIE}={ana._cookies[COOKIE]}", "Content-Type": "application/json"}
    url = f"{stage.settings.public_url}/api/v1/contacts/search"
    odd = await stage.client.post(url, content=b'{"code": "\\ud800"}', headers=headers)
    assert odd.status_code == 422
