"""A caller whose document is asked for from the beginning loses nothing."""

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from tests.support.platforms import MIRA, VERA, at_phone, reach, said, talks, wait_in_queue
from tests.support.profile import nightly


# By day `tests/telephony/inbound/test_resuming.py` says where a caller goes on.
@nightly
async def test_after_a_proxys_answer_no_earlier_counsellor_is_dialled_again(stage: Stage) -> None:
    """As the README has it: we are away for a moment, and the proxy sends to /telephony/voice."""
    vera, phone = await at_phone(stage, "vera", VERA, drops_after=10, drops=1)
    mira, _ = await at_phone(stage, "mira", MIRA, state="off_duty")
    leg = await reach(stage, stage.ring())
    await stage.advance(14)
    await mira.be("available")
    await vera.be("off_duty")
    await stage.until(lambda: talks(stage, leg), limit=60)
    await stage.advance(10)
    rung = phone.rung
    # The talk with Mira breaks off while we are away.
    await stage.exchange.redirect(leg, f"{stage.settings.public_url}/telephony/voice")
    await stage.advance(3)
    stage.exchange.press(leg, "1")
    await stage.advance(30)
    assert phone.rung == rung, "a counsellor who is off duty is rung at home, and no key is asked"


@nightly
async def test_after_a_proxys_answer_a_long_wait_is_not_heard_again(stage: Stage) -> None:
    vera, _ = await at_phone(stage, "vera", VERA)
    other = await reach(stage, stage.ring("+381641110001"))
    leg = await wait_in_queue(stage, "+381641110002")
    await stage.advance(120)
    await stage.exchange.redirect(leg, f"{stage.settings.public_url}/telephony/voice")
    await stage.advance(3)
    stage.exchange.press(leg, "1")
    await stage.exchange.hang_up(other)
    await stage.advance(2)
    await vera.be("available")
    await stage.until(lambda: said(stage, "accepted"), limit=30)
    await stage.until(lambda: talks(stage, leg), limit=25, what="she has pressed 1, and waits")


async def test_a_dial_whose_answer_was_lost_is_not_dialled_twice(stage: Stage) -> None:
    """We took the word that the talk is over; our answer is lost, and the proxy's is heard."""
    vera, phone = await at_phone(stage, "vera", VERA)
    leg = await reach(stage, stage.ring())
    theirs = leg.talks_with
    assert theirs is not None
    await stage.exchange.hang_up(theirs)
    await stage.advance(0.5)
    assert await vera.presence() == "wrap_up"
    rung = phone.rung
    await stage.exchange.redirect(leg, f"{stage.settings.public_url}/telephony/voice")
    await stage.advance(3)
    stage.exchange.press(leg, "1")
    await stage.advance(20)
    call = await stage.call_of(leg)
    assert phone.rung == rung, f"rung in her wrap-up; talks: {talks(stage, leg)}, {call['state']}"


@nightly
async def test_a_proxy_that_sends_a_caller_to_the_beginning_costs_no_place(somleng: Stage) -> None:
    """What the proxy answers while we are away: a sentence, and back to our first address."""
    stage = somleng
    vera, _ = await at_phone(stage, "vera", VERA)
    other = await reach(stage, stage.ring("+381641110001"))
    leg = stage.ring("+381641110002")
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.advance(8)
    place = (await stage.call_of(leg))["queued_at"]
    await stage.exchange.redirect(leg, f"{stage.settings.public_url}/telephony/voice")
    await stage.advance(5)
    stage.exchange.press(leg, "1")
    await stage.advance(25)
    call = await stage.call_of(leg)
    assert (call["state"], call["queued_at"]) == ("queued", place)
    await stage.exchange.hang_up(other)
    await stage.advance(3)
    await vera.be("available")
    await stage.until(lambda: talks(stage, leg), limit=40)
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []
