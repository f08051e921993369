"""What sets a counsellor away, and what does not."""

from app.demo.stage import Stage
from app.practice.people import Phone
from tests.support.profile import nightly
from tests.support.talks import talk, waits


@nightly
async def test_one_failed_ring_does_not_set_a_phone_away(stage: Stage) -> None:
    """One phone call that failed is no absence: only three in a row are."""
    stage.exchange.phones["+38164999001"] = phone = Phone(busy=True)
    vera = await stage.add_counsellor("vera", endpoint="+38164999001")
    leg = await waits(stage)
    await stage.advance(5)
    assert await vera.presence() == "available"
    phone.busy = False
    await stage.advance(45)
    assert (await stage.call_of(leg))["state"] == "connected"
    missed = await stage.rows("SELECT missed FROM presences")
    assert missed[0]["missed"] == 0, "and taking a call forgets it"


@nightly
async def test_a_missed_offer_passes_to_the_next_and_sets_away(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = stage.ring()
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.advance(1)
    assert await ana.offer() is not None
    boris = await stage.add_counsellor("boris")
    await stage.advance(20)
    assert await ana.presence() == "away"
    assert (await boris.accept()).status_code == 200
    await stage.advance(2)
    assert (await stage.call_of(leg))["state"] == "connected"


# By day `test_offers.py` keeps the break, and `tests/routing` has the rest by its verbs.
@nightly
async def test_own_choice_beats_every_automatic_change_and_a_silent_browser_goes_stale(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    await ana.be("break")
    assert await ana.presence() == "on_call"
    await stage.exchange.hang_up(leg)
    await stage.advance(1)
    assert await ana.presence() == "wrap_up"
    await stage.advance(31)
    assert await ana.presence() == "break"
    # Choosing a break while it rings declines the offer.
    await ana.be("available")
    ringing = stage.ring()
    await stage.advance(2)
    stage.exchange.press(ringing, "1")
    await stage.advance(1)
    await ana.be("break")
    assert await ana.offer() is None
    assert await ana.presence() == "break"
    await stage.exchange.hang_up(ringing)
    await ana.be("available")
    await stage.advance(100)
    rows = await stage.rows("SELECT state FROM presences")
    assert rows[0]["state"] == "away"
    await ana.be("available")
    assert await ana.presence() == "available"
