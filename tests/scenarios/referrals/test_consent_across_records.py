"""A child is written about in contacts and cases: what is said about consent counts in each."""

import asyncio
from typing import Any

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.contacts import new_contact, page_of
from tests.support.profile import WHOLE
from tests.support.program.quiet import QuietStage
from tests.support.referrals import AGREED, BROTHERS, CENTRE, a_centre, phone, referral_of

YES = {
    f"child.{child}.agrees_{what}": "yes"
    for child in ("a1", "b2")
    for what in ("services", "authorities", "family")
}


async def _answers(who: Counsellor, kind: str, record_id: str) -> dict[str, Any]:
    found = (await who.ask("GET", f"/{kind}/{record_id}")).json()
    return dict(found["answers"])


async def _say(who: Counsellor, kind: str, record_id: str, answers: dict[str, Any]) -> None:
    revision = (await who.ask("GET", f"/{kind}/{record_id}")).json()["revision"]
    body = {"changes": [{"path": p, "value": v, "base": revision} for p, v in answers.items()]}
    saved = await who.ask("PUT", f"/{kind}/{record_id}/answers", body)
    assert saved.json()["refused"] == {}, saved.text


async def _case_of(who: Counsellor, *contacts: str) -> str:
    made = await who.ask("POST", "/cases", {"contacts": list(contacts)})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def _refer(who: Counsellor, **more: Any) -> str:
    body = {
        "urgency": "urgent",
        "consent": AGREED,
        "services": ["child_protection"],
        "send": True,
        "seen_open": True,
        **more,
    }
    answer = await who.ask("POST", "/referrals", body)
    assert answer.status_code == 201, answer.text
    (one,) = answer.json()["referrals"]
    return str(one["id"])


async def _centre(night: Stage) -> None:
    await a_centre(night)
    phone(night, CENTRE, picks_up=None)


async def test_a_no_in_the_contact_reaches_the_referral_of_the_case(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await _centre(night)
    contact_id = await new_contact(ana, BROTHERS | YES)
    case_id = await _case_of(ana, contact_id)
    marko = await _refer(ana, case_id=case_id, children=["k1"])
    pavle = await _refer(ana, case_id=case_id, children=["k2"])
    await night.settle()
    await _say(
        ana,
        "contacts",
        contact_id,
        {"child.a1.agrees_services": "no", "child.a1.agrees_authorities": "no"},
    )
    await night.advance(40)
    assert (await referral_of(ana, marko))["state"] == "consent_withdrawn"
    assert (await referral_of(ana, pavle))["state"] == "delivered", "not his brother's"
    answers = await _answers(ana, "cases", case_id)
    assert answers["child.k1.agrees_services"] == "no", "prints of the case go by it"
    assert "child.k2.agrees_services" not in answers


async def test_a_withdrawal_in_the_case_reaches_the_referral_of_the_contact(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await a_centre(quiet)
    contact_id = await new_contact(ana, BROTHERS | YES)
    of_contact = await _refer(ana, contact_id=contact_id, children=["a1"])
    case_id = await _case_of(ana, contact_id)
    # Consent that was given once counts for the same service in the other record as well.
    of_case = await _refer(ana, case_id=case_id, children=["k1"], consent=None)
    assert (await referral_of(ana, of_case))["state"] == "sent"
    said = {"by": "child", "how": "in_person"}
    answer = await ana.ask("POST", f"/referrals/{of_case}/withdraw-consent", said)
    assert answer.status_code == 200, answer.text
    for one in (of_case, of_contact):
        assert (await referral_of(ana, one))["state"] == "consent_withdrawn"
    answers = await _answers(ana, "contacts", contact_id)
    assert answers["child.a1.agrees_family"] == "no"
    assert answers["child.b2.agrees_family"] == "yes"
    if WHOLE:
        await two_colleagues_withdraw_consent_at_once(quiet, ana, contact_id, case_id)


async def two_colleagues_withdraw_consent_at_once(
    quiet: QuietStage, ana: Counsellor, contact_id: str, case_id: str
) -> None:
    """One in the contact's referral, one in the case's: neither waits for the other for ever."""
    chief = await quiet.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    first = await _refer(ana, contact_id=contact_id, children=["b2"])
    second = await _refer(ana, case_id=case_id, children=["k2"])
    said = {"by": "child", "how": "in_person"}
    answers = await asyncio.gather(
        *(
            who.ask("POST", f"/referrals/{one}/withdraw-consent", said)
            for who, one in ((ana, first), (chief, second))
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert "has no consent" in refused.text, "it was withdrawn in both a moment before"
    for one in (first, second):
        assert (await referral_of(ana, one))["state"] == "consent_withdrawn"


async def test_what_only_a_person_can_know_is_asked_on_the_page(night: Stage) -> None:
    """The child rings a second time: the program does not guess which of the brothers it is."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await _centre(night)
    first = await new_contact(ana, BROTHERS | YES)
    case_id = await _case_of(ana, first)
    of_case = await _refer(ana, case_id=case_id, children=["k1"])
    second = await new_contact(
        ana,
        {"contact.kind": "child", "child.z9": 1, "child.z9.age": 11, "child.z9.gender": "boy"},
    )
    code = (await ana.ask("GET", f"/contacts/{second}")).json()["code"]
    linked = await ana.ask("POST", f"/cases/{case_id}/contacts", {"code": code})
    assert linked.status_code < 300, linked.text
    refusal = {"child.z9.agrees_services": "no", "child.z9.agrees_authorities": "no"}
    await _say(ana, "contacts", second, refusal)
    await night.advance(40)
    assert (await referral_of(ana, of_case))["state"] == "delivered"
    page = await page_of(night, ana, f"/cases/{case_id}")
    assert "Which child is it?" in page
    path = f"/cases/{case_id}/contacts/{second}/children"
    for wrong in ({"child": "k7"}, {}):
        assert (await ana.ask("POST", f"{path}/z9", wrong)).status_code == 422, wrong
    assert (await ana.ask("POST", f"{path}/zz", {"child": "k1"})).status_code == 422
    stranger = await night.add_counsellor("stranger", shift=False, state=None)
    assert (await stranger.ask("POST", f"{path}/z9", {"child": "k1"})).status_code == 404
    assert (await ana.ask("POST", f"{path}/z9", {"child": "k1"})).status_code == 204
    await night.advance(5)
    assert (await referral_of(ana, of_case))["state"] == "consent_withdrawn"
    # The first contact is about the same child, over the case.
    answers = await _answers(ana, "contacts", first)
    assert answers["child.a1.agrees_services"] == "no"
    assert answers["child.b2.agrees_services"] == "yes"
    assert "Which child is it?" not in await page_of(night, ana, f"/cases/{case_id}")
    found = (await ana.ask("GET", f"/cases/{case_id}/children")).json()["children"]
    assert {(c["contact_id"], c["entry"]): c["case_entry"] for c in found} == {
        (first, "a1"): "k1",
        (first, "b2"): "k2",
        (second, "z9"): "k1",
    }


async def test_said_wrongly_it_is_put_right_and_taken_out_it_ends(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    first = await new_contact(ana, BROTHERS | YES)
    case_id = await _case_of(ana, first)
    path = f"/cases/{case_id}/contacts/{first}/children"
    assert (await ana.ask("POST", f"{path}/a1", {"child": ""})).status_code == 204
    await _say(ana, "contacts", first, {"child.a1.agrees_services": "no"})
    await night.advance(40)
    assert "child.k1.agrees_services" not in await _answers(ana, "cases", case_id)
    unlinked = await ana.ask("POST", f"/cases/{case_id}/contacts/{first}/unlink")
    assert unlinked.status_code < 300, unlinked.text
    await _say(ana, "contacts", first, {"child.b2.agrees_services": "no"})
    await night.advance(40)
    assert "child.k2.agrees_services" not in await _answers(ana, "cases", case_id)
    assert await night.rows("SELECT * FROM same_children") == []


async def test_a_later_word_about_something_else_brings_no_old_refusal_back(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    contact_id = await new_contact(ana, BROTHERS | {"child.a1.agrees_services": "no"})
    case_id = await _case_of(ana, contact_id)
    await night.advance(5)
    assert (await _answers(ana, "cases", case_id))["child.k1.agrees_services"] == "no"
    # The child has changed its mind since: the case says so. The family is asked about then.
    await _say(ana, "cases", case_id, {"child.k1.agrees_services": "yes"})
    await night.advance(40)
    await _say(ana, "contacts", contact_id, {"child.a1.agrees_family": "yes"})
    await night.advance(40)
    assert (await _answers(ana, "cases", case_id))["child.k1.agrees_services"] == "yes"
