"""A case on paper obeys consent and purpose."""

from io import BytesIO

from pypdf import PdfReader

from app.demo.counsellor import Counsellor
from tests.support.contacts import WHOLE, completed, new_contact, printed
from tests.support.program.quiet import QuietStage


async def test_a_case_is_printed_with_the_chosen_sections(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
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


async def test_notes_are_printed_if_they_were_chosen_in_every_language(quiet: QuietStage) -> None:
    """The log of a case holds its notes, too: without them it says only that there was one."""
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    case = (await ana.ask("POST", "/cases", {"contacts": [await completed(ana)]})).json()["id"]
    await ana.ask("POST", f"/cases/{case}/notes", {"text": "Her aunt knows"})
    to = {"recipient": "Court", "ground": "court_order", "reason": "Order 12/30"}
    paper = {"purpose": "court", "sections": ["case"], "contacts": False, **to}
    for language in ("en", "sr"):
        status, words = await printed(ana, case, **paper, language=language, notes=True)
        assert status == 200, words
        assert "Her aunt knows" in words, language
        _, words = await printed(ana, case, **paper, language=language, timeline=True)
        assert "Her aunt knows" not in words, language


async def test_what_is_printed_obeys_consent_and_purpose(quiet: QuietStage) -> None:
    """A doctor has reported and does not want to be named; the father asks for the record."""
    ana = await quiet.add_counsellor("ana")
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
    await _is_refused_without_consent(ana, case)
    await _the_mother_reads_no_reporter(ana, case)
    await _a_conference_reads_no_reporter(ana, case)
    order = {"ground": "court_order", "reason": "Order 12/30"}
    status, words = await printed(ana, case, purpose="court", recipient="Court", **order)
    assert status == 200, words
    assert "Dr Vesna" in words
    # For whom and why is in the trail, sealed.
    found = await quiet.rows(
        "SELECT detail, words_sealed FROM record_events WHERE kind = 'printed' ORDER BY id"
    )
    assert [row["detail"]["ground"] for row in found] == [
        "vital_interests",
        "consent",
        "court_order",
    ]
    assert all(row["words_sealed"] for row in found)


async def _is_refused_without_consent(ana: Counsellor, case: str) -> None:
    status, said = await printed(ana, case, purpose="court", recipient="Court", ground="consent")
    assert status == 409
    assert "holds no consent" in said
    status, said = await printed(ana, case, purpose="family", recipient="Father")
    assert status == 409, "consent about the family was not asked for"
    for missing in ({"recipient": ""}, {"ground": "vital_interests"}, {"ground": "court_order"}):
        body = {"purpose": "family", "recipient": "Father", **missing}
        assert (await printed(ana, case, **body))[0] == 422


async def _the_mother_reads_no_reporter(ana: Counsellor, case: str) -> None:
    body = {
        "purpose": "family",
        "recipient": "Mother",
        "ground": "vital_interests",
        "reason": "She has to keep him away tonight.",
    }
    assert (await printed(ana, case, **body, timeline=True))[0] == 422
    status, words = await printed(ana, case, **body)
    assert status == 200, words
    for told in ("Јована Петровић", "for Mother only"):
        assert told in words
    # Not even where the child is: it may be hidden from one of them.
    for kept in ("Vesna", "Dom zdravlja", "Health worker", "bruises", "Petar", "Sigurna"):
        assert kept not in words


async def _a_conference_reads_no_reporter(ana: Counsellor, case: str) -> None:
    """What happened is told, and the doctor is not named against her wish."""
    status, words = await printed(ana, case, purpose="conference", recipient="Conference")
    assert status == 200, words
    assert "bruises" in words
    assert "Vesna" not in words
    # Notes are free words, in which she may be named.
    duty = {"ground": "legal_obligation", "reason": "General Protocol"}
    body = {"purpose": "conference", "recipient": "Conference", **duty}
    for free in ("notes", "timeline"):
        status, said = await printed(ana, case, **body, **{free: True})
        assert status == 422, said
        assert "has not agreed" in said


async def test_withdrawn_consent_is_withdrawn_for_paper_too(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    agreed = {"consent.services": "yes", "consent.authorities": "yes", "consent.given_by": "child"}
    contact_id = await completed(ana, **agreed)
    case = (await ana.ask("POST", "/cases", {"contacts": [contact_id]})).json()["id"]
    body = {"purpose": "conference", "recipient": "Conference"}
    assert (await printed(ana, case, **body))[0] == 200
    made = await ana.ask(
        "POST",
        "/referrals",
        {"urgency": "routine", "contact_id": contact_id, "services": ["shelter"]},
    )
    path = f"/referrals/{made.json()['id']}/withdraw-consent"
    assert (await ana.ask("POST", path, {"by": "child"})).status_code == 200
    status, said = await printed(ana, case, **body)
    assert status == 409
    assert "holds no consent" in said
