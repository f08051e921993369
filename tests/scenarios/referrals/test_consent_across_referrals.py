"""Consent belongs to the child: given or withdrawn once, it counts in every referral."""

import asyncio
from typing import Any

import pytest

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.contacts import new_contact, skip, skip_minutes, write
from tests.support.mail import Mail
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import (
    AGREED,
    BROTHERS,
    CENTRE,
    a_centre,
    add_agency,
    phone,
    referral_of,
)

OVERRIDE = {"basis": "vital_interests", "reason": "They are alone with him tonight."}


# Whether the telephone or the mail was taken by then is another story.
_ON_THE_WAY = {"sent", "delivered"}


async def _brothers(night: Stage, who: Counsellor, **more: Any) -> dict[str, dict[str, Any]]:
    """Two brothers at two services, by child and service."""
    await a_centre(night)
    await add_agency(night, "school", "education", sector="education", email="school@example.org")
    contact_id = await new_contact(who, BROTHERS)
    body = {
        "urgency": "urgent",
        "contact_id": contact_id,
        "consent": AGREED,
        "services": ["child_protection", "education"],
        "send": True,
        **more,
    }
    answer = await who.ask("POST", "/referrals", body)
    assert answer.status_code == 201, answer.text
    found = [await referral_of(who, one["id"]) for one in answer.json()["referrals"]]
    return {f"{one['answers']['child.name']} {one['service']}": one for one in found}


async def _states(night: Stage, made: dict[str, dict[str, Any]]) -> dict[str, str]:
    rows = await night.rows("SELECT id, state FROM referrals")
    states = {str(row["id"]): row["state"] for row in rows}
    return {name: states[one["id"]] for name, one in made.items()}


async def test_a_withdrawal_reaches_every_referral_of_that_child_and_none_of_its_brother(
    night: Stage, post: Mail
) -> None:
    """What the form asks once for all children is not written over for one of them."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    phone(night, CENTRE, picks_up=None)
    made = await _brothers(night, ana)
    await night.settle()
    contact_id = made["Marko education"]["contact_id"]
    revision = (await ana.ask("GET", f"/contacts/{contact_id}")).json()["revision"]
    both = {"consent.services": "yes", "consent.authorities": "yes", "consent.family": "yes"}
    await write(ana, contact_id, both, base=revision)
    path = f"/referrals/{made['Marko education']['id']}/withdraw-consent"
    assert (await ana.ask("POST", path, {})).status_code == 422, "the page asks who withdraws it"
    said = {"by": "child", "how": "in_person", "words": "Not the school."}
    assert (await ana.ask("POST", path, said)).status_code == 200
    await night.settle()
    states = await _states(night, made)
    for service in ("education", "child_protection"):
        assert states.pop(f"Marko {service}") == "consent_withdrawn"
    assert states
    assert set(states.values()) == {"sent"}, "his brother's stand"
    told = await night.rows(
        "SELECT detail FROM record_events WHERE kind = 'withdraw_consent' ORDER BY id"
    )
    assert [(t["detail"]["withdrawn_by"], t["detail"]["by_way"]) for t in told] == [
        ("child", "in_person")
    ] * 2
    assert any("withdrawn" in body for body in post.to("school@example.org"))
    await skip(night, 60 / 3600)
    answers = (await ana.ask("GET", f"/contacts/{contact_id}")).json()["answers"]
    assert {p: v for p, v in answers.items() if p.startswith("consent.")} == both
    assert answers["child.a1.agrees_services"] == "no"
    states = await _states(night, made)
    assert {states["Pavle education"], states["Pavle child_protection"]} <= _ON_THE_WAY


async def test_consent_counts_for_the_same_service_and_child_only(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    phone(quiet, CENTRE, picks_up=None)
    made = await _brothers(quiet, ana, send=False)
    first = made["Marko child_protection"]
    again = {
        "urgency": "urgent",
        "contact_id": first["contact_id"],
        "seen_open": True,
        "services": ["child_protection", "health"],
        "children": ["a1"],
    }
    answer = (await ana.ask("POST", "/referrals", again)).json()["referrals"]
    sent = [await ana.ask("POST", f"/referrals/{one['id']}/send", {}) for one in answer]
    assert [one.status_code for one in sent] == [200, 409], "nothing was said about health"


async def test_an_immediate_case_is_decided_by_a_supervisor(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    chief = await night.add_counsellor("chief", role=Role.SUPERVISOR)
    rings = phone(night, CENTRE, picks_up=None)
    made = await _brothers(night, ana, urgency="immediate", services=["child_protection"])
    marko, pavle = (made[f"{name} child_protection"]["id"] for name in ("Marko", "Pavle"))
    await night.advance(5)
    for one in (marko, pavle):
        said = {"by": "caregiver", "words": "Let us alone."}
        await ana.ask("POST", f"/referrals/{one}/withdraw-consent", said)
    await night.settle()
    before = rings.rung
    await skip_minutes(night, 3, every=1 / 2)
    assert rings.rung == before, "no phone is rung about it any more"
    notices = await night.rows("SELECT for_whom FROM notices WHERE kind = 'withdrawn'")
    assert [row["for_whom"] for row in notices] == ["supervisors"] * 2
    assert await _undecided(chief) == 2
    refused = await ana.ask("POST", f"/referrals/{marko}/override", OVERRIDE)
    assert refused.status_code == 403
    assert (await ana.ask("POST", f"/referrals/{marko}/confirm-withdrawal", {})).status_code == 403
    # One goes on without consent; the other ends, and the agency is told so.
    assert (await chief.ask("POST", f"/referrals/{marko}/override", OVERRIDE)).status_code == 200
    ended = await chief.ask("POST", f"/referrals/{pavle}/confirm-withdrawal", {"words": "Safe."})
    assert ended.json()["state"] == "consent_withdrawn"
    await night.advance(100)
    assert rings.rung > before
    assert any("withdrawn" in body for body in post.to("centre@example.org"))
    assert await _undecided(chief) == 0


async def _undecided(who: Counsellor) -> int:
    alarms = (await who.ask("GET", "/danger-alarms")).json()
    return [alarm["kind"] for alarm in alarms].count("withdrawal_undecided")


# By day a no in the contact does so in `test_consent_across_records.py`.
@nightly
async def test_a_contact_that_says_no_afterwards_withdraws_it(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    made = await _brothers(night, ana, urgency="priority")
    contact_id = made["Marko education"]["contact_id"]
    revision = (await ana.ask("GET", f"/contacts/{contact_id}")).json()["revision"]
    # A slip of the hand that is put right withdraws nothing.
    await write(ana, contact_id, {"child.b2.agrees_services": "no"}, base=revision)
    await write(ana, contact_id, {"child.b2.agrees_services": "yes"}, base=revision + 1)
    await skip(night, 40 / 3600)
    states = await _states(night, made)
    assert states
    assert set(states.values()) <= _ON_THE_WAY
    await write(ana, contact_id, {"child.a1.agrees_services": "no"}, base=revision + 2)
    await skip(night, 40 / 3600)
    states = await _states(night, made)
    # To authorities, among them the centre, he still agrees.
    assert states["Marko education"] == "redirected"
    rows = await night.rows(
        "SELECT scope FROM consents WHERE referral_id = %s ORDER BY number DESC LIMIT 1",
        made["Marko education"]["id"],
    )
    assert rows[0]["scope"] == ["authorities"]
    revision = (await ana.ask("GET", f"/contacts/{contact_id}")).json()["revision"]
    await write(ana, contact_id, {"child.a1.agrees_authorities": "no"}, base=revision)
    await skip(night, 40 / 3600)
    states = await _states(night, made)
    assert states["Marko child_protection"] == "consent_withdrawn"
    assert states["Pavle child_protection"] in _ON_THE_WAY


async def test_not_to_this_agency_takes_it_away_for_the_brother_too(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    phone(quiet, CENTRE, picks_up=None)
    made = await _brothers(quiet, ana, services=["child_protection"])
    marko, pavle = (made[f"{name} child_protection"]["id"] for name in ("Marko", "Pavle"))
    said = AGREED | {"withheld_from": ["centre"]}
    assert (await ana.ask("POST", f"/referrals/{marko}/consent", said)).status_code == 200
    for one in (marko, pavle):
        found = await referral_of(ana, one)
        assert [a["state"] for a in found["recipients"]] == ["withdrawn"], one


async def test_an_immediate_referral_is_taken_back_by_two_and_no_withdrawal_is_to_decide(
    night: Stage,
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    chief = await night.add_counsellor("chief", role=Role.SUPERVISOR)
    phone(night, CENTRE, picks_up=None)
    made = await _brothers(night, ana, urgency="immediate", services=["child_protection"])
    path = f"/referrals/{made['Marko child_protection']['id']}"
    await ana.ask("POST", f"{path}/withdraw-consent", {"by": "child"})
    await night.advance(10)
    assert await _undecided(chief) == 1
    for who in (ana, chief):
        await who.ask("POST", f"{path}/recall", {"words": "He is at home."})
    await night.advance(10)
    assert await _undecided(chief) == 0
    path = f"/referrals/{made['Pavle child_protection']['id']}/recall"
    first = await ana.ask("POST", path, {"words": "He was found."})
    assert first.json()["state"] == "sent", "it goes on until a second person agrees"
    assert (await ana.ask("POST", path, {"words": "He was found."})).status_code == 409
    second = await chief.ask("POST", path, {"words": "I have rung them: he is at home."})
    assert second.json()["state"] == "recalled"


# By day supervisors decide one after the other, above; phones that ring on are told there, too.
@nightly
@pytest.mark.parametrize("first", ["override", "confirm-withdrawal"])
async def test_two_supervisors_decide_differently_in_one_moment(
    quiet: QuietStage, first: str
) -> None:
    """One word counts, and the other supervisor hears that theirs does not."""
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    chiefs = [await quiet.add_counsellor(n, role=Role.SUPERVISOR) for n in ("chief", "second")]
    made = await _brothers(quiet, ana, urgency="immediate", services=["child_protection"])
    marko = made["Marko child_protection"]["id"]
    for one in made.values():
        path = f"/referrals/{one['id']}/withdraw-consent"
        assert (await ana.ask("POST", path, {"by": "child"})).status_code == 200
    words = {"override": OVERRIDE, "confirm-withdrawal": {"words": "Safe."}}
    ways = sorted(words, key=lambda way: way != first)
    answers = await asyncio.gather(
        *(
            chief.ask("POST", f"/referrals/{marko}/{way}", words[way])
            for chief, way in zip(chiefs, ways, strict=True)
        )
    )
    codes = dict(zip(ways, (answer.status_code for answer in answers), strict=True))
    assert sorted(codes.values()) == [200, 409]
    state = (await referral_of(ana, marko))["state"]
    assert (state == "consent_withdrawn") == (codes["override"] != 200)
    pavle = f"/referrals/{made['Pavle child_protection']['id']}/confirm-withdrawal"
    ended = await chiefs[0].ask("POST", pavle, {"words": "Safe."})
    assert ended.json()["state"] == "consent_withdrawn", "his brother's was still to be decided"
