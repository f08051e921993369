"""Referrals of a case: its answers and its consent."""

from app.demo.stage import Stage
from tests.support.contacts import WHOLE, case_of, changes, new_case, new_contact, page_of
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import add_agency, referral_of


async def test_a_referral_from_a_case_takes_the_answers_of_the_case(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    await add_agency(quiet, "house", "shelter", email="house@example.org")
    case = await new_case(
        ana,
        {
            "case.story": "He has not been at school for two weeks.",
            "case.place": "RS-BG",
            "child.c1": 1,
            "child.c1.name": "Marko Ilić",
            "child.c1.age": 9,
            "child.c1.born_on": "2020-05-01",
            "child.c2": 2,
            "child.c2.name": "Mina Ilić",
            "child.c2.age": 5,
        },
    )
    body = {"urgency": "routine", "services": ["shelter"], "case_id": case["id"]}
    wrong = await ana.ask("POST", "/referrals", body | {"children": ["c9"]})
    assert wrong.status_code == 422
    made = (await ana.ask("POST", "/referrals", body)).json()["referrals"]
    assert len(made) == 2, "one for each child"
    found = [await referral_of(ana, one["id"]) for one in made]
    assert [one["answers"]["child.name"] for one in found] == ["Marko Ilić", "Mina Ilić"]
    assert found[0]["answers"]["child.birth_date"] == "2020-05-01"
    assert found[0]["answers"]["child.case_code"] == case["code"]
    # What the case knows is not what the caller said today: it is confirmed first.
    assert "reason.why" in found[0]["to_confirm"]
    assert found[0]["case_id"] == case["id"]
    again = await ana.ask("POST", "/referrals", body)
    assert (again.status_code, again.json()["error"]) == (409, "OpenForTheSameChild")
    assert (await ana.ask("POST", "/referrals", body | {"seen_open": True})).status_code == 201
    # Consent for one of the children counts for that child, and not for the other.
    agreed = {"given_by": "child", "scope": ["services"]}
    path = f"/referrals/{made[0]['id']}/consent"
    assert (await ana.ask("POST", path, agreed)).status_code == 200
    for one in made:
        # Where the case says the child lives need not be where it is.
        there = await ana.ask(
            "POST", f"/referrals/{one['id']}/confirm", {"paths": ["reason.place"]}
        )
        assert there.status_code == 200, there.text
    sent = [await ana.ask("POST", f"/referrals/{one['id']}/send", {}) for one in made]
    assert [answer.status_code for answer in sent] == [200, 409], sent[0].text + sent[1].text
    bora = await quiet.add_counsellor("bora", state=None)
    assert (await bora.ask("POST", "/referrals", body)).status_code == 404
    page = await page_of(quiet, ana, f"/cases/{case['id']}")
    assert made[0]["code"] in page


# By day `test_printing.py` and `test_consent_across_records.py` have the two ways.
@nightly
async def test_what_a_case_says_of_consent_reaches_its_referrals_and_its_paper(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    await add_agency(stage, "house", "shelter", email="house@example.org")
    agreed = {"child.c1.agrees_services": "yes", "child.c1.agreed_by": "child"}
    case = await new_case(ana, {"child.c1": 1, "child.c1.name": "Marko Ilić", **agreed})
    print_ = f"/cases/{case['id']}/print"
    paper = {"purpose": "conference", "recipient": "Conference", "sections": ["child"]}
    assert (await ana.ask("POST", print_, paper)).status_code == 200
    body = {"urgency": "routine", "services": ["shelter"], "case_id": case["id"], "send": True}
    made = (await ana.ask("POST", "/referrals", body)).json()
    assert (await referral_of(ana, made["id"]))["state"] == "sent", "the case says yes"
    # The child says no at the agency: no paper rests on its yes any more.
    path = f"/referrals/{made['id']}/withdraw-consent"
    assert (await ana.ask("POST", path, {"by": "child"})).status_code == 200
    found = await case_of(ana, case)
    assert found["answers"]["child.c1.agrees_services"] == "no"
    assert (await ana.ask("POST", print_, paper)).status_code == 409
    # And the other way: what is written in the case withdraws what rests on it.
    other = await new_case(ana, {"child.c1": 1, "child.c1.name": "Mina Ilić", **agreed})
    made = (await ana.ask("POST", "/referrals", body | {"case_id": other["id"]})).json()
    revision = (await case_of(ana, other))["revision"]
    no = changes({"child.c1.agrees_services": "no"}, base=revision)
    await ana.ask("PUT", f"/cases/{other['id']}/answers", no)
    await stage.advance(31)
    assert (await referral_of(ana, made["id"]))["state"] == "consent_withdrawn"


async def test_a_referral_of_a_contact_is_seen_from_its_case_and_the_other_way(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    contact = await new_contact(ana, WHOLE)
    case = (await ana.ask("POST", "/cases", {"contacts": [contact]})).json()["id"]
    wish = {"urgency": "routine", "services": ["shelter"]}
    made = await ana.ask("POST", "/referrals", wish | {"contact_id": contact})
    assert made.status_code == 201, made.text
    again = await ana.ask("POST", "/referrals", wish | {"case_id": case})
    assert (again.status_code, again.json()["error"]) == (409, "OpenForTheSameChild")
    wish = {"urgency": "routine", "services": ["legal_aid"]}
    assert (await ana.ask("POST", "/referrals", wish | {"case_id": case})).status_code == 201
    again = await ana.ask("POST", "/referrals", wish | {"contact_id": contact})
    assert (again.status_code, again.json()["error"]) == (409, "OpenForTheSameChild")


async def test_a_child_whom_no_contact_knows_is_not_printed_on_the_consent_of_another(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana")
    agreed = {"consent.services": "yes", "consent.authorities": "yes", "consent.given_by": "child"}
    contact = await new_contact(ana, WHOLE | agreed)
    case = (await ana.ask("POST", "/cases", {"contacts": [contact]})).json()
    path = f"/cases/{case['id']}/print"
    paper = {"purpose": "conference", "recipient": "Conference", "sections": ["child"]}
    assert (await ana.ask("POST", path, paper)).status_code == 200
    revision = (await case_of(ana, case))["revision"]
    brother = changes({"child.b9": 9, "child.b9.name": "Pavle"}, base=revision)
    await ana.ask("PUT", f"/cases/{case['id']}/answers", brother)
    assert (await ana.ask("POST", path, paper)).status_code == 409
