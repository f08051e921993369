"""A duty phone in the talk with the child."""

from app.demo.stage import Stage
from tests.support.profile import nightly
from tests.support.referrals import add_agency, phone, referral_of, story
from tests.support.talks import talk


async def test_a_duty_phone_that_acknowledges_is_brought_into_the_live_call_and_dropped_from_it(
    night: Stage,
) -> None:
    ana = await night.add_counsellor("ana")
    boris = await night.add_counsellor("boris", state=None)
    numbers = ("+381113000001", "+381113000002")
    for number, code in zip(numbers, ("police", "shelter"), strict=True):
        await add_agency(night, code, code, sector=code, phones=(number,))
        phone(night, number, presses="1")
    leg = await talk(night, ana)
    call = await night.call_of(leg)
    made = []
    for service in ("police", "shelter"):
        body = {"service": service, "warm": True}
        made.append((await ana.ask("POST", f"/calls/{call['id']}/urgent", body)).json()["id"])
    await night.advance(40)
    path = f"/calls/{call['id']}/participants"
    there = (await ana.ask("GET", path)).json()
    assert sorted((p["purpose"], p["state"], p["who"]) for p in there) == [
        ("duty", "in", "Police"),
        ("duty", "in", "Shelter"),
    ]
    inside = night.exchange.conferences.of_leg(leg)
    assert inside is not None
    labels = {p.label for p in inside[0].participants.values()}
    assert sum(label.startswith("duty-") for label in labels) == 2
    assert len(labels) == 4
    for one in made:
        assert "joined_the_live_call" in story(await referral_of(ana, one))
    police = next(p["id"] for p in there if p["who"] == "Police")
    refused = await boris.ask("POST", f"{path}/{police}/drop")
    assert refused.status_code == 404, "not the talk of another counsellor"
    assert (await ana.ask("POST", f"{path}/{police}/drop")).status_code == 204
    await night.advance(5)
    assert [p["who"] for p in (await ana.ask("GET", path)).json()] == ["Shelter"]
    assert next(x for x in night.exchange.legs.values() if x.to == numbers[0]).over
    inside = night.exchange.conferences.of_leg(leg)
    assert inside is not None
    assert len(inside[0].participants) == 3
    found = await referral_of(ana, made[0])
    assert found["state"] == "acknowledged", "they have it all the same"
    assert "taken_out_of_the_live_call" in story(found)
    assert (await ana.ask("POST", f"{path}/{police}/drop")).status_code == 404
    # The other one hangs up: the talk goes on.
    duty = next(p.leg for p in inside[0].participants.values() if p.label.startswith("duty-"))
    await night.exchange.hang_up(duty)
    await night.advance(5)
    assert (await night.call_of(leg))["state"] == "connected"


@nightly
async def test_the_counsellors_line_drops_while_a_third_party_is_there(night: Stage) -> None:
    """The child is not left alone with them, and not hung up on."""
    ana = await night.add_counsellor("ana")
    bora = await night.add_counsellor("bora", state=None)
    await add_agency(night, "police", "police", sector="police", phones=("+381113000001",))
    phone(night, "+381113000001", presses="1")
    leg = await talk(night, ana)
    call = await night.call_of(leg)
    await ana.ask("POST", f"/calls/{call['id']}/urgent", {"service": "police", "warm": True})
    await night.advance(40)
    inside = night.exchange.conferences.of_leg(leg)
    assert inside is not None
    assert len(inside[0].participants) == 3
    mine = next(
        p.leg
        for p in inside[0].participants.values()
        if p.leg is not leg and not p.label.startswith("duty-")
    )
    await ana.be("break")
    await night.exchange.hang_up(mine)
    await night.advance(5)
    assert (await night.call_of(leg))["state"] == "queued"
    await bora.be("available")
    await night.until(bora.offer, what="the child is offered to the next counsellor")
    assert not leg.over
