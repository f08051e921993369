"""What was said: from the answered call to the completed contact."""

import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from app.demo.stage import Stage
from app.practice.people import Phone
from tests.support.contacts import WHOLE, changes, completed, new_contact, page_of, write
from tests.support.program.quiet import QuietStage
from tests.support.talks import talk


async def test_a_contact_opens_when_the_call_is_answered_and_follows_a_transfer(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    call = await stage.call_of(leg)
    found = (await ana.ask("GET", f"/calls/{call['id']}/contact")).json()
    assert (found["state"], found["owner_id"], found["channel"]) == ("draft", str(ana.id), "call")
    saved = await ana.ask(
        "PUT", f"/calls/{call['id']}/contact", changes({"actions.summary": "She whispers."})
    )
    assert saved.json()["saved"] == {"actions.summary": 1}
    # Ana's line drops; the caller returns to the front and Bora takes over, words and all.
    bora = await stage.add_counsellor("bora")
    await ana.be("break")
    await drop_counsellor(stage, leg)
    await stage.settle()
    await stage.until(bora.offer, what="the caller is offered to bora")
    await bora.accept()
    await stage.advance(2)
    found = (await bora.ask("GET", f"/calls/{call['id']}/contact")).json()
    assert found["owner_id"] == str(bora.id)
    assert found["answers"]["actions.summary"] == "She whispers."
    # The counsellor who had it may still read it, and no longer write in it.
    assert (await ana.ask("GET", f"/contacts/{found['id']}")).status_code == 200
    refused = await ana.ask(
        "PUT", f"/contacts/{found['id']}/answers", changes({"contact.kind": "child"})
    )
    assert refused.status_code == 404
    assert len(await stage.rows("SELECT id FROM contacts")) == 1


async def drop_counsellor(stage: Stage, caller: Any) -> None:
    """The counsellor's connection dies in mid-talk."""
    inside = stage.exchange.conferences.of_leg(caller)
    assert inside is not None
    other = next(p.leg for p in inside[0].participants.values() if p.leg is not caller)
    stage.exchange.phones[other.to] = Phone(unreachable=True)
    await stage.exchange.let_die(other)


async def test_completing_says_exactly_what_is_missing(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    contact_id = await new_contact(ana, {"contact.kind": "professional"})
    refused = await ana.ask("POST", f"/contacts/{contact_id}/complete")
    assert refused.status_code == 422
    assert refused.json() == {
        "error": "Incomplete",
        "detail": "Headline: not answered yet; What it is about: not answered yet; "
        "Where the child lives: not answered yet; Profession: not answered yet; "
        "Reports under a duty to report: not answered yet; "
        "Is it safe to call back: not answered yet; To tell services: not answered yet; "
        "To tell authorities: not answered yet; Actions taken: not answered yet; "
        "Summary: not answered yet",
    }
    await write(ana, contact_id, {**WHOLE, "contact.kind": "child"}, base=1)
    done = await ana.ask("POST", f"/contacts/{contact_id}/complete")
    assert done.json()["state"] == "complete"
    # Complete is closed: a change needs a reason first.
    late = await ana.ask(
        "PUT", f"/contacts/{contact_id}/answers", changes({"contact.kind": "child"}, 2)
    )
    assert late.json()["error"] == "NotOpenForWriting"
    assert (await ana.ask("POST", f"/contacts/{contact_id}/reopen", {"reason": " "})).json()[
        "detail"
    ] == "Write why you reopen the contact."
    again = await ana.ask("POST", f"/contacts/{contact_id}/reopen", {"reason": "wrong age"})
    assert again.json()["state"] == "reopened"
    await write(ana, contact_id, {"child.a1.age": 12}, base=2)
    (await ana.ask("POST", f"/contacts/{contact_id}/complete")).raise_for_status()
    versions = await quiet.rows("SELECT number, answers FROM completed_versions ORDER BY number")
    assert [v["answers"]["child.a1.age"] for v in versions] == [11, 12]


async def test_two_windows_merge_by_question_and_a_conflict_is_shown(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    contact_id = await new_contact(ana)
    first = await write(ana, contact_id, {"contact.kind": "child", "actions.summary": "one"})
    assert first["saved"] == {"contact.kind": 1, "actions.summary": 1}
    # The second window saw nothing of it: another question merges, the same one does not.
    second = await write(ana, contact_id, {"contact.place": "RS-BG", "actions.summary": "two"})
    assert second["saved"] == {"contact.place": 2}
    assert second["conflicts"] == {"actions.summary": {"value": "one", "version": 1}}
    # A repeated delivery of the same save is no conflict.
    again = await write(ana, contact_id, {"actions.summary": "one"})
    assert (again["saved"], again["conflicts"]) == ({"actions.summary": 1}, {})
    mine = await write(ana, contact_id, {"actions.summary": "two"}, base=1)
    assert mine["conflicts"] == {}
    found = (await ana.ask("GET", f"/contacts/{contact_id}")).json()
    assert found["answers"]["actions.summary"] == "two"
    # A child that one window removes and the other describes: nothing typed is lost unseen.
    await write(ana, contact_id, {"child.k1": 1, "child.k1.age": 9})
    gone = await write(ana, contact_id, {"child.k1": None}, base=1)
    assert gone["conflicts"]
    gone = await write(ana, contact_id, {"child.k1": None}, base=4)
    assert gone["conflicts"] == {}
    found = (await ana.ask("GET", f"/contacts/{contact_id}")).json()
    assert not [path for path in found["answers"] if path.startswith("child.")]


async def test_rubbish_is_refused_question_by_question_and_the_rest_is_kept(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana")
    contact_id = await new_contact(ana)
    rubbish = {
        "contact.kind": "alien",
        "child.x1.age": "eleven",
        "child.x2.age": 199,
        "contact.categories": ["V-BULLYING", "V-BULLYING"],
        "nowhere.at_all": "x",
        "child.UPPER.age": 3,
        "actions.summary": "a\x00b",
        "incident.on": "yesterday",
        "contact.headline": "x" * 500,
        "contact.place": "RS-BG",
        "child": 3,
        "child.x3": -1,
    }
    saved = await write(ana, contact_id, rubbish)
    assert saved["saved"] == {"contact.place": 1}
    assert set(saved["refused"]) == set(rubbish) - {"contact.place"}
    assert saved["refused"]["child.x2.age"] == "Write a number from 0 to 99."
    many = changes({f"child.c{n}.age": 3 for n in range(40)})
    answer = (await ana.ask("PUT", f"/contacts/{contact_id}/answers", many)).json()
    assert len(answer["saved"]) == 12
    assert set(answer["refused"].values()) == {"The form has room for at most 12."}
    nothing: list[Any] = [{}, {"changes": 3}, {"changes": [{"value": 1}]}, []]
    for body in nothing:
        bad = await ana.ask("PUT", f"/contacts/{contact_id}/answers", body)
        assert bad.status_code == 422


async def test_the_signs_suggest_and_the_counsellor_decides(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    answers = {**WHOLE, "contact.categories": ["MH-SUICIDE"], "child.a1.age": 2}
    contact_id = await new_contact(ana, answers)
    state = (await ana.ask("GET", f"/contacts/{contact_id}/state")).json()
    assert state["suggestion"]["urgency"] == "immediate"
    assert state["suggestion"]["cues"] == ["suicide", "under_three"]
    refused = (await ana.ask("POST", f"/contacts/{contact_id}/complete")).json()
    assert "Urgency: decide it (immediate is suggested: speaks of suicide" in refused["detail"]
    for urgency in ("urgent", "priority"):
        body = {"urgency": urgency, "reason": "the mother is with her"}
        (await ana.ask("POST", f"/contacts/{contact_id}/urgency", body)).raise_for_status()
        quiet.stepped.move_to(quiet.clock.now() + timedelta(seconds=1))
    rows = await quiet.rows("SELECT * FROM urgency_decisions ORDER BY at")
    assert [(r["urgency"], r["suggested"]) for r in rows] == [
        ("urgent", "immediate"),
        ("priority", "immediate"),
    ]
    # Why it was decided is sealed: the signs tell of health, and the words of whatever was said.
    place = {"table": "urgency_decisions", "column": "reason_sealed", "row": rows[0]["id"]}
    why = json.loads(quiet.ground.keys.open(bytes(rows[0]["reason_sealed"]), **place))
    assert why == {"signs": ["suicide", "under_three"], "words": "the mother is with her"}
    assert "suicide" not in str(rows)
    page = await page_of(quiet, ana, f"/contacts/{contact_id}")
    assert "suicide" in page
    assert "the mother is with her" in page
    with pytest.raises(psycopg.errors.RestrictViolation):
        await quiet.rows("UPDATE urgency_decisions SET urgency = 'routine'")


async def test_contacts_without_a_call(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    bora = await quiet.add_counsellor("bora")
    yesterday = (quiet.clock.now() - timedelta(days=1)).isoformat()
    paper = await new_contact(ana, channel="other", source="paper", taken_at=yesterday)
    row = (await quiet.rows("SELECT * FROM contacts WHERE id = %s", paper))[0]
    assert row["opened_at"] - row["taken_at"] == timedelta(days=1)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"source": "paper"}, "Give the time at which the contact took place"),
        ({"taken_at": "2031-01-01T00:00:00Z"}, "is in the future"),
        ({"taken_at": "2030-01-01T00:00:00"}, "with its zone"),
        ({"source": "on_behalf"}, "Give on_behalf_of"),
        ({"channel": "voice_message"}, "Give the call"),
    ]
    for body, words in wrong:
        refused = await ana.ask("POST", "/contacts", {"channel": "walk_in", **body})
        assert refused.status_code == 422
        assert words in refused.json()["detail"]
    lent = await new_contact(ana, source="on_behalf", on_behalf_of=str(bora.id))
    assert (await bora.ask("GET", f"/contacts/{lent}")).status_code == 200
    assert (await bora.ask("GET", f"/contacts/{paper}")).status_code == 404


async def test_a_complete_contact_stays_complete_when_it_is_assigned(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    bora = await quiet.add_counsellor("bora", state=None)
    contact = await completed(ana)
    given = await ana.ask("POST", f"/contacts/{contact}/assign", {"staff_id": str(bora.id)})
    assert given.json()["state"] == "complete"


async def test_a_later_sign_of_danger_asks_again(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    contact = await new_contact(ana, WHOLE)
    await ana.ask("POST", f"/contacts/{contact}/urgency", {"urgency": "routine"})
    await write(ana, contact, {"danger.signs": ["weapon"]}, base=0)
    refused = await ana.ask("POST", f"/contacts/{contact}/complete")
    assert "immediate is suggested: a weapon" in refused.json()["detail"]
    await ana.ask("POST", f"/contacts/{contact}/urgency", {"urgency": "priority"})
    assert (await ana.ask("POST", f"/contacts/{contact}/complete")).status_code == 200


async def test_unknown_paths_are_refused_even_to_clear(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    contact = await new_contact(ana, WHOLE)
    body = {
        "changes": [
            {"path": "actions.summary", "value": "kept", "base": 1},
            {"path": "contact.Xenija", "value": None, "base": 1},
            {"path": "contact.a\x00", "value": None, "base": 1},
            {"path": "child", "value": None, "base": 1},
            {"path": "contact.place", "value": "RS-06", "base": 10**6},
            {"path": "child.123456", "value": 2, "base": 0},
            # The page of a record keeps what is typed by its path: no path is one of JavaScript's.
            *({"path": path, "value": "x", "base": 0} for path in ("__proto__", "constructor")),
        ]
    }
    saved = (await ana.ask("PUT", f"/contacts/{contact}/answers", body)).json()
    assert set(saved["saved"]) == {"actions.summary", "child.123456"}
    assert len(saved["refused"]) == 6
    row = (await quiet.rows("SELECT versions FROM contacts"))[0]
    assert not [path for path in row["versions"] if "Xenija" in path]
    assert (await ana.ask("GET", f"/contacts/{contact}")).json()["answers"]["child.a1.age"] == 11
