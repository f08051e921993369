"""Cases: several contacts, dates, documents, a workflow, and paper."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import httpx2
from pypdf import PdfReader

from app.demo.stage import Counsellor, Stage
from app.staff.roles import Role
from tests.scenarios.helpline import Mail
from tests.scenarios.test_contacts import WHOLE, changes, completed, new_contact


async def test_a_case_of_two_contacts_with_a_follow_up_that_turns_overdue(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
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
    today = stage.clock.now().date()
    body = {"about": "check", "due_on": (today + timedelta(days=2)).isoformat(), "words": "ring"}
    assert (await ana.ask("POST", f"/cases/{case['id']}/follow-ups", body)).status_code == 201

    async def state() -> str:
        # A session lasts fourteen hours.
        await ana.sign_in()
        found = (await ana.ask("GET", f"/cases/{case['id']}")).json()
        return str(found["follow_ups"][0]["state"])

    assert await state() == "set"
    for hours, wanted in ((46, "set"), (2, "due"), (12, "due"), (4, "overdue")):
        await skip(stage, hours)
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
        "contact linked",
        "contact linked",
        "follow-up set",
        "follow-up due",
        "follow-up overdue",
        "follow-up done",
    ]


async def skip(stage: Stage, hours: float) -> None:
    """Time goes by at once, with the jobs that become due."""
    stage.stepped.move_to(stage.clock.now() + timedelta(hours=hours))
    await stage.settle()


async def test_a_child_at_risk_of_separation_is_looked_after(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
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


async def test_the_workflow_of_a_case_is_kept(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR)
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
    assert (await ana.ask("POST", decide, {"agree": True})).status_code == 404
    assert (await boss.ask("POST", decide, {"agree": True})).json()["status"] == "closed"
    save = f"/cases/{case['id']}/answers"
    assert (await ana.ask("PUT", save, changes({"case.headline": "x"}))).status_code == 409
    assert (await ana.ask("POST", at, {"to": "in_progress", "reason": "x"})).status_code == 409
    assert (await boss.ask("POST", at, {"to": "in_progress", "reason": "new"})).status_code == 200


PDF = b"%PDF-1.4\n" + b"x" * 2000


async def upload(
    who: Counsellor, stage: Stage, case_id: str, name: str, body: bytes, **h: str
) -> httpx2.Response:
    headers = {
        "Cookie": "; ".join(f"{k}={v}" for k, v in who._cookies.items()),
        "Content-Type": "application/octet-stream",
        "X-Document-Name": name,
        **h,
    }
    url = f"{stage.settings.public_url}/api/v1/cases/{case_id}/documents"
    return await stage.client.post(url, content=body, headers=headers)


async def test_documents_are_checked_and_sealed(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    added = await upload(ana, stage, case, "Jovana%20nalaz.pdf", PDF)
    assert added.status_code == 201, added.text
    for name, body, status in (
        ("a.exe", b"MZ" + b"x" * 100, 415),
        ("a.pdf", b"MZ" + b"x" * 100, 415),
        ("a.png", PDF, 415),
        ("a.pdf", b"", 422),
        ("%2e%2e%2fa.pdf", PDF, 422),
        ("a.pdf", PDF + b"x" * 11_000_000, 413),
    ):
        assert (await upload(ana, stage, case, name, body)).status_code == status, name
    cross = await upload(ana, stage, case, "a.pdf", PDF, **{"Content-Type": "text/plain"})
    assert cross.status_code in (403, 422)
    row = (await stage.rows("SELECT * FROM case_documents"))[0]
    assert PDF[:200] not in bytes(row["content_sealed"])
    assert b"Jovana" not in bytes(row["name_sealed"])
    url = f"/cases/{case}/documents/{added.json()['id']}"
    got = await ana.ask("GET", url)
    assert got.content == PDF
    assert got.headers["content-disposition"] == 'attachment; filename="document.pdf"'
    bora = await stage.add_counsellor("bora", state=None)
    assert (await bora.ask("GET", url)).status_code == 404


async def test_what_was_misfiled_is_taken_out_and_the_trail_stays(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    body = PDF + b"/OpenAction << /JS (x) >>"
    added = (await upload(ana, stage, case, "Marko.pdf", body)).json()["id"]
    url = f"/cases/{case}/documents/{added}"
    flags = await stage.rows("SELECT flags FROM case_documents")
    assert flags == [{"flags": ["scripts"]}]
    bora = await stage.add_counsellor("bora", state=None)
    why = {"reason": "It is about another child."}
    assert (await bora.ask("POST", f"{url}/remove", why)).status_code == 404
    assert (await ana.ask("POST", f"{url}/remove", {"reason": " "})).status_code == 422
    assert (await ana.ask("POST", f"{url}/remove", why)).status_code == 204
    assert (await ana.ask("POST", f"{url}/remove", why)).status_code == 409
    assert (await ana.ask("GET", url)).status_code == 404
    (row,) = await stage.rows("SELECT content_sealed, removed_by FROM case_documents")
    assert len(row["content_sealed"]) < 100, "the content itself is gone"
    assert row["removed_by"] == ana.id
    trail = await stage.rows("SELECT kind, words_sealed FROM record_events ORDER BY id")
    assert [t["kind"] for t in trail][-2:] == ["document added", "document removed"]
    assert trail[-1]["words_sealed"]


async def test_the_scanner_decides(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    case = (await ana.ask("POST", "/cases", {})).json()["id"]
    for command, status in (
        ("true", 201),
        ("false", 415),
        ("sh -c 'exit 2'", 503),
        ("/no/such", 503),
    ):
        object.__setattr__(stage.settings, "scan_command", command)
        assert (await upload(ana, stage, case, "a.pdf", PDF)).status_code == status, command
    assert await stage.rows("SELECT scan FROM case_documents") == [{"scan": "clean"}]


async def test_a_case_on_paper(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    contact_id = await completed(ana)
    case = (await ana.ask("POST", "/cases", {"contacts": [contact_id]})).json()["id"]
    await ana.ask("POST", f"/cases/{case}/notes", {"text": "#set page(fill: red) *note*"})
    to = {"recipient": "Court", "ground": "court_order", "reason": "Order 12/30"}
    body = {"purpose": "court", "sections": ["case", "child"], "notes": True, **to}
    made = await ana.ask("POST", f"/cases/{case}/print", body)
    assert made.headers["content-type"] == "application/pdf"
    words = " ".join(p.extract_text() for p in PdfReader(BytesIO(made.content)).pages)
    assert "Јована Петровић" in words
    assert "for Court only" in words
    assert "#set page(fill: red) *note*" in words
    assert "She was told whom to talk to" not in words
    to = {"recipient": "Them", "ground": "legal_obligation", "reason": "General Protocol"}
    body = {"purpose": "conference", "sections": [], "contacts": True, "timeline": True, **to}
    made = await ana.ask("POST", f"/cases/{case}/print", body)
    words = " ".join(p.extract_text() for p in PdfReader(BytesIO(made.content)).pages)
    assert "She was told whom to talk to" in words
    assert "printed" in words
    bad = await ana.ask("POST", f"/cases/{case}/print", {"purpose": "court", "sections": ["x"]})
    assert bad.status_code == 422


async def _printed(who: Counsellor, case: str, **body: Any) -> tuple[int, str]:
    made = await who.ask("POST", f"/cases/{case}/print", {"contacts": True, **body})
    if made.status_code != 200:
        return made.status_code, made.json()["detail"]
    return 200, " ".join(p.extract_text() for p in PdfReader(BytesIO(made.content)).pages)


async def test_what_is_printed_obeys_consent_and_purpose(stage: Stage) -> None:
    """A doctor has reported and does not want to be named; the father asks for the record."""
    ana = await stage.add_counsellor("ana")
    agreed = {"consent.services": "yes", "consent.authorities": "no", "consent.given_by": "child"}
    contact_id = await new_contact(
        ana,
        {
            **WHOLE,
            **agreed,
            "contact.kind": "professional",
            "caller.name": "Dr Vesna",
            "caller.role": "health_worker",
            "caller.duty_to_report": "yes",
            "caller.organisation": "Dom zdravlja",
            "caller.may_be_named": "no",
            "child.a1.found_at": "Sigurna kuca 5",
            "incident.who_name": "Petar",
            "incident.account": "She saw the bruises.",
        },
    )
    case = (await ana.ask("POST", "/cases", {"contacts": [contact_id]})).json()["id"]
    status, said = await _printed(ana, case, purpose="court", recipient="Court", ground="consent")
    assert status == 409
    assert "holds no consent" in said
    status, said = await _printed(ana, case, purpose="family", recipient="Father")
    assert status == 409, "nobody was asked about the family"
    for missing in ({"recipient": ""}, {"ground": "vital_interests"}, {"ground": "court_order"}):
        body = {"purpose": "family", "recipient": "Father", **missing}
        assert (await _printed(ana, case, **body))[0] == 422
    body = {
        "purpose": "family",
        "recipient": "Mother",
        "ground": "vital_interests",
        "reason": "She has to keep him away tonight.",
    }
    assert (await _printed(ana, case, **body, timeline=True))[0] == 422
    status, words = await _printed(ana, case, **body)
    assert status == 200, words
    for told in ("Јована Петровић", "for Mother only"):
        assert told in words
    # Not even where the child is: it may be hidden from one of them.
    for kept in ("Vesna", "Dom zdravlja", "Health worker", "bruises", "Petar", "Sigurna"):
        assert kept not in words
    # At a conference what happened is told, and the doctor is not named against her wish.
    status, words = await _printed(ana, case, purpose="conference", recipient="Conference")
    assert status == 200, words
    assert "bruises" in words
    assert "Vesna" not in words
    # Notes are free words, in which she may be named.
    duty = {"ground": "legal_obligation", "reason": "General Protocol"}
    body = {"purpose": "conference", "recipient": "Conference", **duty}
    for free in ("notes", "timeline"):
        status, said = await _printed(ana, case, **body, **{free: True})
        assert status == 422, said
        assert "has not agreed" in said
    order = {"ground": "court_order", "reason": "Order 12/30"}
    status, words = await _printed(ana, case, purpose="court", recipient="Court", **order)
    assert "Dr Vesna" in words
    # For whom and why is in the trail, sealed.
    found = await stage.rows(
        "SELECT detail, words_sealed FROM record_events WHERE kind = 'printed' ORDER BY id"
    )
    assert [row["detail"]["ground"] for row in found] == [
        "vital_interests",
        "consent",
        "court_order",
    ]
    assert all(row["words_sealed"] for row in found)


async def test_withdrawn_consent_is_withdrawn_for_paper_too(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    agreed = {"consent.services": "yes", "consent.authorities": "yes", "consent.given_by": "child"}
    contact_id = await completed(ana, **agreed)
    case = (await ana.ask("POST", "/cases", {"contacts": [contact_id]})).json()["id"]
    body = {"purpose": "conference", "recipient": "Conference"}
    assert (await _printed(ana, case, **body))[0] == 200
    made = await ana.ask(
        "POST",
        "/referrals",
        {"urgency": "routine", "contact_id": contact_id, "services": ["shelter"]},
    )
    path = f"/referrals/{made.json()['id']}/withdraw-consent"
    assert (await ana.ask("POST", path, {"by": "child"})).status_code == 200
    status, said = await _printed(ana, case, **body)
    assert status == 409
    assert "holds no consent" in said


async def test_a_task_for_a_colleague_reminds_by_mail_and_climbs(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    bora = await night.add_counsellor("bora", state=None)
    chief = await night.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    for who, address in ((bora, "bora@example.org"), (chief, "chief@example.org")):
        await night.rows("UPDATE staff SET email = %s WHERE id = %s RETURNING 1", address, who.id)
    case = (await ana.ask("POST", "/cases", {})).json()
    due = (night.clock.now() + timedelta(days=1)).date()
    body = {"about": "check", "due_on": due.isoformat(), "words": "Ring Zzorica.", "name": "bora"}
    path = f"/cases/{case['id']}/follow-ups"
    assert (await ana.ask("POST", path, body | {"name": "nobody"})).status_code == 422
    assert (await ana.ask("POST", path, body)).status_code == 201
    assert (await bora.ask("GET", f"/cases/{case['id']}")).status_code == 200, "bora works on it"
    # Who works on it with ana lets nobody else in by that.
    await night.add_counsellor("vera", state=None)
    assert (await bora.ask("POST", path, body | {"name": "vera"})).status_code == 403
    await skip(night, 40)
    (letter,) = post.to("bora@example.org")
    assert "is due today" in letter
    assert "Zzorica" not in letter
    assert post.to("chief@example.org") == []
    await skip(night, 30)
    assert "is overdue" in post.to("bora@example.org")[-1]
    await skip(night, 30)
    (letter,) = post.to("chief@example.org")
    assert f"{case['code']}: a follow-up is overdue" in letter
