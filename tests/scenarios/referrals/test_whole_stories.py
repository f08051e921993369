"""Referrals told whole: by phone, by link and on the page."""

from io import BytesIO
from typing import Any

from pypdf import PdfReader

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from tests.support.contacts import new_contact, write
from tests.support.mail import Mail, code_in, link_in
from tests.support.profile import nightly
from tests.support.referrals import add_agency, click, page, phone, referral_of, take_back
from tests.support.talks import talk

BELGRADE, NIS, POLICE, TEXTS = "+381113000001", "+381183000001", "+381113000003", "+381640000001"


async def opened(night: Stage, post: Mail, address: str, texts: Any) -> tuple[str, Any]:
    """The agency opens the link of its last message, with the code that came another way."""
    link = link_in(post.to(address)[-1])
    seen = None
    # A code does not name its referral, and of two that go out at once either is the last.
    for text in reversed(texts[-2:]):
        shown = await click(night, f"{link}/code", {"code": code_in(text.text)})
        seen = await click(night, link, as_=shown)
        if 'id="send-code"' not in seen.text:
            break
    return link, seen


async def refer(who: Counsellor, **body: Any) -> list[dict[str, Any]]:
    answer = await who.ask("POST", "/referrals", body)
    assert answer.status_code == 201, answer.text
    return [await referral_of(who, one["id"]) for one in answer.json()["referrals"]]


@nightly
async def test_a_runaway_who_is_found_elsewhere(night: Stage, post: Mail) -> None:
    """She lives in Belgrade, says that she is there, and is found in Niš: help follows her."""
    ana = await night.add_counsellor("ana")
    house = {"sector": "shelter", "sms": TEXTS}
    await add_agency(
        night,
        "belgrade",
        "shelter",
        phones=(BELGRADE,),
        areas=("RS-BG",),
        email="b@a.example",
        **house,
    )
    await add_agency(
        night, "nis", "shelter", phones=(NIS,), areas=("RS-20",), email="n@a.example", **house
    )
    first, second, texts = phone(night, BELGRADE), phone(night, NIS), phone(night, TEXTS).texts
    leg = await talk(night, ana)
    call = await night.call_of(leg)
    contact_id = (await ana.ask("GET", f"/calls/{call['id']}/contact")).json()["id"]
    girl = {
        "contact.kind": "child",
        "contact.headline": "Has run away",
        "contact.place": "RS-BG",
        "contact.there_now": "yes",
        "contact.categories": ["MS-RUNAWAY"],
        "child.a1": 1,
        "child.a1.name": "Mila",
        "child.a1.age": 14,
    }
    await write(ana, contact_id, girl)
    override = {"basis": "vital_interests", "reason": "A girl alone at night."}
    wish = {"urgency": "immediate", "services": ["shelter"], "contact_id": contact_id}
    (made,) = await refer(ana, **wish, override=override, send=True)
    await night.advance(60)
    assert (first.rung, second.rung) == (1, 0)
    link, seen = await opened(night, post, "b@a.example", texts)
    assert "Mila" in seen.text
    # She rings again: she is on a bench in Niš. Two of us take the first one back.
    await take_back(night, ana, made["id"])
    await night.advance(20)
    gone = await click(night, link)
    assert "Mila" not in gone.text, "the first house reads nothing any more"
    assert "taken back" in post.to("b@a.example")[-1]
    (again,) = await refer(ana, **wish, place="RS-20", override=override, send=True)
    await night.advance(60)
    found = await referral_of(ana, again["id"])
    assert (found["state"], second.rung, first.rung) == ("acknowledged", 1, 1)
    assert [a["agency"] for a in found["recipients"]] == ["nis"]
    link, seen = await opened(night, post, "n@a.example", texts)
    assert "Mila" in seen.text
    await click(night, f"{link}/step", {"kind": "accept", "name": "Nada"})
    shown = await page(night, ana, f"/referrals/{again['id']}")
    assert "accepted" in shown.text
    assert made["code"] in (await page(night, ana, f"/contacts/{contact_id}")).text


async def test_a_doctor_with_a_duty_to_report(night: Stage, post: Mail) -> None:
    """No consent is asked for; she is named to the service, hears what became of it, and the family
    never hears who she is.
    """
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(
        night,
        "centre",
        "child_protection",
        sector="social_welfare",
        phones=(BELGRADE,),
        email="c@a.example",
        sms=TEXTS,
    )
    duty, texts = phone(night, BELGRADE), phone(night, TEXTS).texts
    contact_id = await new_contact(ana, REPORTED_BY_A_DOCTOR)
    duty_ = {"basis": "legal_obligation", "reason": "Duty to report, family law."}
    (made,) = await refer(
        ana,
        urgency="urgent",
        services=["child_protection"],
        contact_id=contact_id,
        override=duty_,
        send=True,
    )
    await night.advance(60)
    assert duty.rung == 1
    link, seen = await opened(night, post, "c@a.example", texts)
    for told in ("Luka", "Vesna Ilić"):
        assert told in seen.text
    accepted = await click(night, f"{link}/step", {"kind": "accept", "name": "Mira"})
    assert accepted.is_redirect
    end = {"kind": "complete", "name": "Mira", "outcome": "child_safe_at_home_with_plan"}
    await click(night, accepted.headers["location"].partition("?")[0] + "/step", end)
    found = await referral_of(ana, made["id"])
    assert found["state"] == "completed"
    feedback = next(c for c in found["deadlines"] if c["kind"] == "feedback")
    assert feedback["stopped_at"] is None, "she waits to hear"
    refused = await ana.ask("POST", f"/referrals/{made['id']}/close", {})
    assert (refused.status_code, "waits to hear" in refused.text) == (422, True)
    told_ = {"words": "She was rung and thanked."}
    await ana.ask("POST", f"/referrals/{made['id']}/feedback", told_)
    found = await referral_of(ana, made["id"])
    assert next(c for c in found["deadlines"] if c["kind"] == "feedback")["stopped_at"]
    await the_mother_does_not_read_who_reported(ana, contact_id)


REPORTED_BY_A_DOCTOR = {
    "contact.kind": "professional",
    "contact.headline": "Bruises at a check-up",
    "contact.categories": ["V-PHYSICAL"],
    "contact.place": "RS-BG",
    "contact.there_now": "yes",
    "caller.name": "Dr Vesna Ilić",
    "caller.phone": "+381641112223",
    "caller.role": "health_worker",
    "caller.organisation": "Dom zdravlja",
    "caller.duty_to_report": "yes",
    "caller.wants_feedback": "yes",
    "caller.may_be_named": "yes",
    "child.a1": 1,
    "child.a1.name": "Luka",
    "child.a1.age": 4,
}


async def the_mother_does_not_read_who_reported(ana: Counsellor, contact_id: str) -> None:
    case = (await ana.ask("POST", "/cases", {"contacts": [contact_id]})).json()
    paper = {
        "purpose": "family",
        "recipient": "Mother",
        "ground": "vital_interests",
        "reason": "She keeps him away.",
        "contacts": True,
    }
    printed = await ana.ask("POST", f"/cases/{case['id']}/print", paper)
    assert printed.status_code == 200
    words = "".join(p.extract_text() for p in PdfReader(BytesIO(printed.content)).pages)
    assert "Luka" in words
    for kept in ("Vesna", "Dom zdravlja", "1112223"):
        assert kept not in words


@nightly
async def test_a_stranger_at_the_duty_phone_of_two_siblings(night: Stage, post: Mail) -> None:
    """A wrong number that presses everything stops no help for either child, and is marked."""
    ana = await night.add_counsellor("ana")
    await add_agency(
        night,
        "centre",
        "child_protection",
        sector="social_welfare",
        phones=(POLICE, BELGRADE),
        email="c@a.example",
        sms=TEXTS,
    )
    stranger = phone(night, POLICE, presses="3")
    duty, texts = phone(night, BELGRADE), phone(night, TEXTS).texts
    contact_id = await new_contact(
        ana,
        {
            "contact.kind": "child",
            "contact.headline": "Two sisters alone",
            "contact.categories": ["V-NEGLECT"],
            "contact.place": "RS-BG",
            "contact.there_now": "yes",
            "child.a1": 1,
            "child.a1.name": "Ema",
            "child.a1.age": 9,
            "child.b2": 2,
            "child.b2.name": "Lena",
            "child.b2.age": 6,
        },
    )
    agreed = {"given_by": "child", "scope": ["services", "authorities"]}
    made = await refer(
        ana,
        urgency="immediate",
        services=["child_protection"],
        contact_id=contact_id,
        consent=agreed,
        send=True,
    )
    await night.advance(240)
    assert stranger.rung >= 1
    assert duty.rung >= 1
    for one in made:
        found = await referral_of(ana, one["id"])
        assert found["state"] == "acknowledged", found["attempts"]
        assert [a["agency"] for a in found["recipients"]] == ["centre"], "never rejected"
    marked = await night.rows("SELECT number FROM duty_phones WHERE doubted_at IS NOT NULL")
    assert [row["number"] for row in marked] == [POLICE]
    _, seen = await opened(night, post, "c@a.example", texts)
    assert ("Ema" in seen.text) != ("Lena" in seen.text), "one child in each referral"
