"""What was said: from the answered call to the completed contact, the case and its dates."""

import base64
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from app.demo.stage import Counsellor, Stage
from app.jobs.transaction import transaction
from app.practice.parties import Phone
from app.staff.audit import verify_chains
from app.staff.roles import Role
from app.work import PROGRAM
from tests.scenarios.legible import legible, tables_with
from tests.scenarios.test_main_job import talk

WHOLE: dict[str, Any] = {
    "contact.kind": "child",
    "contact.headline": "Girl is bullied at school",
    "contact.categories": ["V-BULLYING", "EO-SCHOOL"],
    "contact.place": "RS-BG",
    "child.a1": 1,
    "child.a1.name": "Јована Петровић",
    "child.a1.age": 11,
    "child.a1.age_is": "told",
    "child.a1.gender": "girl",
    "wishes.safe_to_contact": "no",
    "consent.not_asked_because": "She is twelve and asked only to be heard.",
    "actions.taken": ["listening"],
    "actions.summary": "She was told whom to talk to.",
}


def changes(answers: dict[str, Any], base: int = 0) -> dict[str, Any]:
    return {"changes": [{"path": p, "value": v, "base": base} for p, v in answers.items()]}


async def write(
    who: Counsellor, contact_id: str, answers: dict[str, Any], base: int = 0
) -> dict[str, Any]:
    answer = await who.ask("PUT", f"/contacts/{contact_id}/answers", changes(answers, base))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def new_contact(who: Counsellor, answers: dict[str, Any] | None = None, **more: Any) -> str:
    body = {"channel": "email", "answers": answers or {}, **more}
    answer = await who.ask("POST", "/contacts", body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["refused"] == {}
    return str(answer.json()["id"])


async def completed(who: Counsellor, **more: Any) -> str:
    contact_id = await new_contact(who, {**WHOLE, **more})
    (await who.ask("POST", f"/contacts/{contact_id}/complete")).raise_for_status()
    return contact_id


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
    # Whoever had it may still read it, and no longer write in it.
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


async def test_completing_says_exactly_what_is_missing(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
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
    versions = await stage.rows("SELECT number, answers FROM completed_versions ORDER BY number")
    assert [v["answers"]["child.a1.age"] for v in versions] == [11, 12]


async def test_two_windows_merge_by_question_and_a_conflict_is_shown(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
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


async def test_rubbish_is_refused_question_by_question_and_the_rest_is_kept(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
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


async def test_the_signs_suggest_and_the_counsellor_decides(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
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
        stage.stepped.move_to(stage.clock.now() + timedelta(seconds=1))
    rows = await stage.rows("SELECT * FROM urgency_decisions ORDER BY at")
    assert [(r["urgency"], r["suggested"]) for r in rows] == [
        ("urgent", "immediate"),
        ("priority", "immediate"),
    ]
    assert rows[0]["cues"] == ["suicide", "under_three"]
    assert b"mother" not in bytes(rows[0]["reason_sealed"])
    with pytest.raises(psycopg.errors.RestrictViolation):
        await stage.rows("UPDATE urgency_decisions SET urgency = 'routine'")


async def test_the_danger_key_is_a_sign_too(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana, digit="9")
    call = await stage.call_of(leg)
    found = (await ana.ask("GET", f"/calls/{call['id']}/contact")).json()
    state = (await ana.ask("GET", f"/contacts/{found['id']}/state")).json()
    assert state["suggestion"]["cues"] == ["danger_key"]


async def test_contacts_without_a_call(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    bora = await stage.add_counsellor("bora")
    yesterday = (stage.clock.now() - timedelta(days=1)).isoformat()
    paper = await new_contact(ana, channel="other", source="paper", taken_at=yesterday)
    row = (await stage.rows("SELECT * FROM contacts WHERE id = %s", paper))[0]
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


async def test_two_callers_behind_one_number_are_told_apart_and_put_together(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    contacts = []
    for _ in range(3):
        leg = await talk(stage, ana)
        call = await stage.call_of(leg)
        contacts.append((await ana.ask("GET", f"/calls/{call['id']}/contact")).json())
        await stage.exchange.hang_up(leg)
        await stage.settle()
        await ana.be("available")
    first, second, third = contacts
    assert first["profile_id"] == second["profile_id"] == third["profile_id"] is not None
    apart = await ana.ask("POST", f"/contacts/{second['id']}/profile", {})
    assert apart.status_code == 204
    other = (await ana.ask("GET", f"/contacts/{second['id']}")).json()["profile_id"]
    assert other != first["profile_id"]
    # From now on the program does not choose between the two.
    leg = await talk(stage, ana)
    call = await stage.call_of(leg)
    fourth = (await ana.ask("GET", f"/calls/{call['id']}/contact")).json()
    assert fourth["profile_id"] is None
    chosen = await ana.ask("POST", f"/contacts/{fourth['id']}/profile", {"profile_id": other})
    assert chosen.status_code == 204
    merged = await ana.ask(
        "POST", f"/profiles/{other}/merge", {"into": first["profile_id"], "reason": "her voice"}
    )
    assert merged.status_code == 204
    rows = await stage.rows("SELECT DISTINCT profile_id FROM contacts")
    assert [str(r["profile_id"]) for r in rows] == [first["profile_id"]]
    body = {"contacts": [second["id"], fourth["id"]], "reason": "it was her brother"}
    split = await ana.ask("POST", f"/profiles/{first['profile_id']}/split", body)
    assert split.status_code == 201
    rows = await stage.rows(
        "SELECT count(*) AS n FROM contacts WHERE profile_id = %s", split.json()["profile_id"]
    )
    assert rows == [{"n": 2}]
    trail = await stage.rows("SELECT kind FROM record_events WHERE subject_kind = 'profile'")
    assert {"made", "merged", "merged into", "split", "split from"} <= {r["kind"] for r in trail}
    # A stranger to these contacts may do none of it.
    bora = await stage.add_counsellor("bora", state=None)
    for path, given in (
        (f"/profiles/{first['profile_id']}/split", body),
        (f"/profiles/{first['profile_id']}/merge", {"into": other, "reason": "x"}),
        (f"/contacts/{second['id']}/profile", {}),
    ):
        assert (await bora.ask("POST", path, given)).status_code == 404


async def test_withheld_callers_are_nobody(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    for _ in range(2):
        leg = await talk(stage, ana, from_="anonymous")
        await stage.exchange.hang_up(leg)
        await stage.settle()
        await ana.be("available")
    assert await stage.rows("SELECT DISTINCT profile_id FROM contacts") == [{"profile_id": None}]
    assert await stage.rows("SELECT id FROM profiles") == []


async def test_search_finds_over_scripts_and_misspellings_and_only_what_one_may_see(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    bora = await stage.add_counsellor("bora", state=None)
    jovana = await completed(ana)
    djordje = await completed(
        ana,
        **{
            "child.a1.name": "Đorđe Živković",
            "child.a1.phone": "064/123-45-67",
            "contact.headline": "Dečak beži od kuće",
            "contact.categories": ["MS-OTHER"],
            "contact.place": "RS-06",
        },
    )
    await completed(bora, **{"child.a1.name": "Jovana Petrović"})

    async def ids(who: Counsellor = ana, **body: str) -> set[str]:
        answer = await who.ask("POST", "/contacts/search", body)
        assert answer.status_code == 200, answer.text
        return {c["id"] for c in answer.json()["contacts"]}

    assert await ids(name="Jovana") == await ids(name="јована ПЕТРОВИЋ") == {jovana}
    assert await ids(name="Yovana Petrovich") == {jovana}
    assert await ids(name="Djordje Zivkovic") == await ids(name="Ђорђе") == {djordje}
    assert await ids(name="Marko") == set()
    assert await ids(number="+381 64 123 45 67") == {djordje}
    assert await ids(number="0641234567") == {djordje}
    assert await ids(headline="bežanje") == set()
    assert await ids(headline="dečak kuć") == await ids(headline="дечак") == {djordje}
    assert await ids(headline="bullied:* | !x '") == set()
    assert await ids(category="V") == await ids(category="V-BULLYING") == {jovana}
    assert await ids(place="RS-VO") == {djordje}
    assert await ids(status="complete", counsellor="ana") == {jovana, djordje}
    code = (await ana.ask("GET", f"/contacts/{jovana}")).json()["code"]
    assert await ids(code=code.lower()) == {jovana}
    assert await ids(bora, code=code) == set()
    for bad in ({"name": "!!"}, {"number": "12"}, {"headline": "—"}, {"name": "x" * 400}):
        assert (await ana.ask("POST", "/contacts/search", bad)).status_code == 422


async def test_nothing_sealed_is_readable_in_the_database(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    secrets = {
        "child.a1.name": "Zzname Zzsurname",
        "child.a1.found_at": "Zzstreet 5",
        "child.a1.phone": "+381649998877",
        "incident.account": "Zzstory",
        "actions.summary": "Zzsummary",
        "wishes.child_wants": "Zzwish",
    }
    contact_id = await completed(ana, **secrets)
    case = (await ana.ask("POST", "/cases", {"contacts": [contact_id]})).json()["id"]
    await ana.ask("POST", f"/cases/{case}/notes", {"text": "Zznote"})
    await ana.ask("POST", f"/contacts/{contact_id}/reopen", {"reason": "Zzreason"})
    await ana.ask("POST", "/contacts/search", {"name": "Zzname"})
    words = (
        "zzname",
        "zzsur",
        "zzstre",
        "zzstor",
        "zzsumm",
        "zzwish",
        "zznote",
        "zzreas",
        "9998877",
    )
    assert await tables_with(stage, *words) == []
    # The look itself sees through hex and base64.
    assert "zzname" in legible("x " + base64.b64encode(b'"Zzname here"').decode())
    assert "zzname" in legible("(1," + "\\" * 2 + "x" + b"Zzname".hex() + ")")


async def test_every_reading_is_in_the_log_and_the_log_is_whole(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR)
    contact_id = await completed(ana)
    before = len(await stage.rows("SELECT id FROM audit_entries"))
    for _ in range(3):
        (await boss.ask("GET", f"/contacts/{contact_id}")).raise_for_status()
    (await boss.ask("POST", "/contacts/search", {"name": "Jovana"})).raise_for_status()
    rows = (await stage.rows("SELECT * FROM audit_entries ORDER BY id"))[before:]
    assert [(r["action"], r["actor"]) for r in rows] == [
        ("contact read", str(boss.id)),
        ("contact read", str(boss.id)),
        ("contact read", str(boss.id)),
        ("records searched", str(boss.id)),
    ]
    assert rows[0]["subject"] == f"contact:{contact_id}"
    assert rows[3]["detail"] == {"by": ["name"], "ids": [contact_id]}
    async with transaction(stage.ground, PROGRAM) as work:
        reports = await verify_chains(work.session)
    assert [r.broken for r in reports] == [[]] * len(reports)
    assert next(r for r in reports if r.table == "record_events").rows >= 2
    # What is sealed stays sealed when it is moved to another row.
    other = await completed(ana)
    await stage.rows(
        "UPDATE contacts c SET sealed = o.sealed FROM contacts o "
        "WHERE c.id = %s AND o.id = %s RETURNING c.id",
        other,
        contact_id,
    )
    moved = await ana.ask("GET", f"/contacts/{other}")
    assert (moved.status_code, moved.json()["error"]) == (500, "CannotOpen")


async def test_scopes_of_every_role(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    contact_id = await completed(ana)
    case = (await ana.ask("POST", "/cases", {"contacts": [contact_id]})).json()["id"]
    officer = await stage.add_counsellor("officer", role=Role.REFERRAL_OFFICER, state=None)
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR, state=None)
    other_boss = await stage.add_counsellor("far", role=Role.SUPERVISOR, state=None)
    await stage.rows("UPDATE staff SET team = 'south' WHERE name = 'far' RETURNING id")
    admin = await stage.add_counsellor("admin", role=Role.ADMINISTRATOR, state=None)
    auditor = await stage.add_counsellor("auditor", role=Role.AUDITOR, state=None)

    async def sees(who: Counsellor) -> list[int]:
        paths = (f"/contacts/{contact_id}", f"/cases/{case}")
        return [(await who.ask("GET", path)).status_code for path in paths]

    assert await sees(boss) == [200, 200]
    assert await sees(other_boss) == [404, 404]
    assert await sees(officer) == [404, 404]
    assert await sees(admin) == [403, 403]
    assert await sees(auditor) == [403, 403]
    added = await ana.ask("POST", f"/cases/{case}/members", {"name": "officer"})
    assert added.status_code == 200
    assert await sees(officer) == [200, 200]
    assert (await officer.ask("POST", f"/cases/{case}/notes", {"text": "seen"})).status_code == 204
    write_ = await officer.ask(
        "PUT", f"/contacts/{contact_id}/answers", changes({"contact.kind": "child"})
    )
    assert write_.status_code == 403
    for who, status in ((admin, 200), (boss, 200), (ana, 403), (auditor, 403)):
        assert (await who.ask("GET", "/definitions/unmapped")).status_code == status


async def test_lists_and_states_are_readings_of_a_list(stage: Stage) -> None:
    """One row for a list, with the ids of what was on it; an empty list says nothing of a child."""
    ana = await stage.add_counsellor("ana")
    (await ana.ask("POST", "/contacts/search", {})).raise_for_status()
    first = await completed(ana)
    second = await new_contact(ana, WHOLE)
    made = await ana.ask("POST", "/referrals", {"urgency": "routine", "services": ["shelter"]})
    before = len(await stage.rows("SELECT id FROM audit_entries"))
    for method, path, body in (
        ("POST", "/contacts/search", {}),
        ("GET", f"/contacts/{first}/state", None),
        ("GET", "/referrals", None),
        ("GET", f"/referrals/{made.json()['id']}/state", None),
    ):
        (await ana.ask(method, path, body)).raise_for_status()
    rows = (await stage.rows("SELECT * FROM audit_entries ORDER BY id"))[before:]
    assert {r["action"] for r in rows} == {"records listed"}
    assert [(r["subject"], sorted(r["detail"]["ids"])) for r in rows] == [
        ("contacts", sorted([first, second])),
        ("contacts", [first]),
        ("referrals", [made.json()["id"]]),
        ("referrals", [made.json()["id"]]),
    ]
