"""Figures of an agency count what it did; the reporter hears what became of it, by a deadline."""

from datetime import timedelta

import pytest

from app.demo.stage import Stage
from tests.scenarios.helpline import Mail, add_agency, agency_figures, phone, referral_of
from tests.scenarios.test_referrals import by_hand

CONSENT = {"given_by": "child", "scope": ["services"]}
FIRST, SECOND = "+381113000001", "+381113000002"


async def test_what_an_agency_never_heard_of_is_not_its_fault(night: Stage, post: Mail) -> None:
    """Sent on within the same moment: neither an unanswered offer nor a missed deadline."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "closed", "shelter", phones=((FIRST, "Mo-Fr 08:00-16:00"),))
    await add_agency(night, "open", "shelter", phones=(SECOND,))
    phone(night, SECOND, picks_up=None)
    made = await by_hand(ana, consent=CONSENT)
    await ana.ask("POST", f"/referrals/{made['id']}/send", {"agency": "closed"})
    await ana.ask("POST", f"/referrals/{made['id']}/send", {"agency": "open"})
    await night.advance(16 * 60)
    found = await agency_figures(night)
    assert (found["closed"]["offered"], found["closed"]["unanswered"]) == (1, 0)
    assert found["closed"]["breaches"] == 0
    assert found["open"]["breaches"] == 1


async def test_the_reporter_hears_of_it_in_time(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", email="a@house.example")
    wants = {"parties.wants_feedback": "yes"}
    made = await by_hand(ana, consent=CONSENT, send=True, answers=wants)
    path = f"/referrals/{made['id']}"
    done = {"agency": "house", "name": "Mira", "outcome": "family_supported"}
    assert (await ana.ask("POST", f"{path}/complete", done)).status_code == 200
    found = await referral_of(ana, made["id"])
    (clock,) = [c for c in found["deadlines"] if c["kind"] == "feedback"]
    assert clock["stopped_at"] is None
    refused = await ana.ask("POST", f"{path}/close", {})
    assert refused.status_code == 422
    assert "waits to hear" in refused.json()["detail"]
    night.stepped.move_to(night.clock.now() + timedelta(days=7, seconds=1))
    await night.settle()
    told = await night.rows("SELECT for_whom FROM notices WHERE detail->>'deadline' = 'feedback'")
    assert {n["for_whom"] for n in told} == {"owner", "supervisors"}
    await ana.sign_in()
    await ana.ask("POST", f"{path}/feedback", {"words": "The teacher was rung."})
    found = await referral_of(ana, made["id"])
    (clock,) = [c for c in found["deadlines"] if c["kind"] == "feedback"]
    assert clock["stopped_at"] is not None
    assert (await ana.ask("POST", f"{path}/close", {})).status_code == 200
    # It is ours to tell: the agency's figures say nothing of it.
    assert (await agency_figures(night))["house"]["breaches"] == 0


@pytest.mark.parametrize(
    ("outcome", "prevented", "separated"),
    [("with_kin", 1, 0), ("family_supported", 1, 0), ("placed_foster", 0, 1)],
)
async def test_with_relatives_a_child_is_not_separated(
    night: Stage, post: Mail, outcome: str, prevented: int, separated: int
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "team", "family_support", email="a@team.example")
    made = await by_hand(
        ana, services=["family_support"], consent=CONSENT, send=True, answers={"child.age": 1}
    )
    done = {"agency": "team", "name": "Mira", "outcome": outcome}
    answer = await ana.ask("POST", f"/referrals/{made['id']}/complete", done)
    assert answer.status_code == 200, answer.text
    row = (await agency_figures(night))["team"]
    assert row["separation_risk"] == 1
    assert (row["separation_prevented"], row["separated"]) == (prevented, separated)
