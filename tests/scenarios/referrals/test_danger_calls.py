"""A caller in danger whom no counsellor answers."""

from app.demo.stage import Stage
from app.practice.people import Phone
from app.staff.roles import Role
from tests.support.contacts import skip_minutes
from tests.support.profile import nightly
from tests.support.referrals import add_agency, phone, referral_of
from tests.support.talks import talk


async def test_a_practice_call_rings_no_real_help(night: Stage) -> None:
    """A trainee plays a child in danger: neither the danger key nor the urgent button refers."""
    await add_agency(night, "police", "police", sector="police", phones=("+381113000002",))
    rings = phone(night, "+381113000002", presses="1")
    ana = await night.add_counsellor("ana", state=None)
    await night.rows("UPDATE lines SET practice = true RETURNING 1")
    night.ground.memory.forget("everything")
    leg = night.ring()
    await night.advance(2)
    night.exchange.press(leg, "9")
    await skip_minutes(night, 4, every=1 / 3)
    assert (await night.call_of(leg))["danger"]
    assert await night.rows("SELECT 1 FROM referrals") == []
    await night.exchange.hang_up(leg)
    await night.advance(5)
    await ana.sign_in()
    await ana.be("available")
    leg = await talk(night, ana)
    call = await night.call_of(leg)
    refused = await ana.ask("POST", f"/calls/{call['id']}/urgent", {"service": "police"})
    assert (refused.status_code, "practice call" in refused.text) == (409, True)
    contact = (await ana.ask("GET", f"/calls/{call['id']}/contact")).json()["id"]
    body = {"urgency": "immediate", "services": ["police"], "contact_id": contact, "send": True}
    assert (await ana.ask("POST", "/referrals", body)).status_code == 409
    await night.advance(60)
    assert rings.rung == 0


# By day one is watched again in `tests/scenarios/without_conferences/test_dialling.py`.
@nightly
async def test_a_danger_caller_who_was_cut_off_opens_a_referral(night: Stage) -> None:
    """They were answered once; now they wait again, and no counsellor is there."""
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await night.add_counsellor("ana")
    await add_agency(night, "police", "police", sector="police", phones=("+381113000001",))
    phone(night, "+381113000001", presses="1")
    leg = await talk(night, ana, digit="9")
    await night.advance(100)
    assert await night.rows("SELECT 1 FROM referrals") == []
    inside = night.exchange.conferences.of_leg(leg)
    assert inside is not None
    mine = next(p.leg for p in inside[0].participants.values() if p.leg is not leg)
    await ana.be("break")
    night.exchange.phones[mine.to] = Phone(unreachable=True)
    await night.exchange.let_die(mine)
    await night.advance(140)
    rows = await night.rows("SELECT owner_id, state FROM referrals")
    assert [(r["owner_id"], r["state"]) for r in rows] == [(vera.id, "acknowledged")]


async def test_a_danger_call_that_no_counsellor_answers_opens_a_referral(night: Stage) -> None:
    """No counsellor is free: after a minute the police are asked, and the number goes along. The
    counsellor who then talks with the child owns the referral.
    """
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await night.add_counsellor("ana", state="break")
    bora = await night.add_counsellor("bora")
    await talk(night, bora, from_="+381641111111")
    await add_agency(night, "police", "police", sector="police", phones=("+381113000001",))
    phone(night, "+381113000001", presses="1")
    leg = night.ring("+381642222222")
    await night.advance(2)
    night.exchange.press(leg, "9")
    await night.advance(30)
    assert await night.rows("SELECT id FROM referrals") == []
    await night.advance(60)
    (row,) = await night.rows("SELECT id, owner_id, opened_how FROM referrals")
    assert row["opened_how"] == "danger_key"
    assert row["owner_id"] == vera.id, "it has an owner"
    referral_id = str(row["id"])
    found = await referral_of(vera, referral_id)
    assert found["state"] == "acknowledged"
    assert found["answers"]["child.phone"] == "+381642222222"
    assert found["consents"][0]["basis"] == "vital_interests"
    # The child still waits with us; the counsellor who takes the call changes nothing of that.
    call = await night.call_of(leg)
    assert call["state"] == "queued"
    await ana.be("available")
    await night.until(ana.offer)
    await ana.accept()
    await night.advance(2)
    assert (await ana.ask("GET", f"/referrals/{referral_id}")).status_code == 200
    pressed = await ana.ask("POST", f"/calls/{call['id']}/urgent", {"service": "police"})
    assert pressed.json()["id"] == referral_id
    found = await referral_of(ana, referral_id)
    assert found["owner_id"] == str(ana.id)
    assert found["contact_id"] is not None
    assert (await vera.ask("GET", f"/referrals/{referral_id}")).status_code == 200
