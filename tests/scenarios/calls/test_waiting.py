"""What a child hears while waiting, and that every key works at every moment of it."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

from app.calls.prompts import set_prompt
from app.demo.counsellor import Counsellor
from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.legs import Leg
from app.practice.people import Phone
from app.telephony.inbound.sounds import waiting_sound
from app.work import PROGRAM
from tests.support.calls.callers import talks_unheard
from tests.support.profile import WHOLE, nightly
from tests.support.talks import CHILD, talk, waits

SOUND = "/telephony/sounds/waiting.wav"


async def test_every_key_works_at_every_moment_of_a_long_wait_without_silence(
    stage: Stage,
) -> None:
    """Danger, message, call-back, the counsellor of last time: at once, soon, and after minutes."""
    ana = await stage.add_counsellor("ana")
    await talks_unheard(stage, ana, over=True)
    await ana.be("break")
    keys = {0: "9132", 7: "9132", 301: "9132"} if WHOLE else {0: "9", 61: "132"}
    waiting = {(after, key): stage.ring(CHILD) for after in keys for key in keys[after]}
    silent = stage.ring("+381641110002")
    await stage.advance(2)
    for leg in (*waiting.values(), silent):
        stage.exchange.press(leg, "1")
    await stage.advance(2)
    began = stage.clock.now()
    for after in keys:
        await stage.advance((began - stage.clock.now()).total_seconds() + after)
        pressed = {key: leg for (at, key), leg in waiting.items() if at == after}
        for key, leg in pressed.items():
            assert (await stage.call_of(leg))["state"] == "queued", (key, after)
            stage.exchange.press(leg, key)
        await stage.advance(7)
        for key, leg in pressed.items():
            assert await _is_obeyed(stage, key, leg, ana), (key, after)
            assert leg.silences(stage.clock.now(), 4.0) == [], (key, after)
            await stage.exchange.hang_up(leg)
    await stage.advance((began - stage.clock.now()).total_seconds() + (600 if WHOLE else 80))
    assert silent.silences(stage.clock.now(), 4.0) == []
    assert silent.has_heard(SOUND)
    assert silent.has_heard("Da nam ostaviš poruku, pritisni 1"), "after a minute"


async def _is_obeyed(stage: Stage, key: str, leg: Leg, last: Counsellor) -> bool:
    call = await stage.call_of(leg)
    match key:
        case "9":
            return bool(call["danger"]) and leg.has_heard("Razumeli smo da si u opasnosti")
        case "1":
            return leg.has_heard("Posle zvučnog signala")
        case "3":
            return leg.has_heard("bezbedno")
        case _:
            return bool(call["preferred_id"] == last.id)


async def test_the_sound_is_small_and_loops_without_a_click() -> None:
    sound = waiting_sound()
    assert len(sound) < 70_000
    samples = memoryview(sound[44:]).cast("h")
    assert max(samples) < 8000, "soft"
    step = max(abs(a - b) for a, b in pairwise(samples))
    assert abs(samples[0] - samples[-1]) <= step


# By day `tests/telephony/test_documents.py` plays a recorded prompt.
@nightly
async def test_a_line_may_bring_its_own_sound(stage: Stage) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        await set_prompt(
            work,
            line=None,
            language="sr",
            key="waiting_sound",
            audio=waiting_sound(),
            audio_type="audio/wav",
        )
    stage.ground.memory.forget("everything")
    await stage.add_counsellor("ana", state="break")
    leg = await waits(stage)
    await stage.advance(20)
    assert leg.has_heard("/telephony/prompts/")
    assert not leg.has_heard(SOUND)


async def test_a_silent_caller_is_in_the_queue_within_twelve_seconds(stage: Stage) -> None:
    await stage.add_counsellor("ana", state="break")
    leg = stage.ring()
    await stage.advance(4)
    assert leg.has_heard("Pritisni 9"), "the danger key comes in the first seconds"
    await stage.advance(8)
    assert (await stage.call_of(leg))["state"] == "queued"


async def test_a_message_is_left_while_a_counsellor_is_being_rung(stage: Stage) -> None:
    stage.exchange.phones["+38164999001"] = phone = Phone(picks_up=None)
    vera = await stage.add_counsellor("vera", endpoint="+38164999001")
    leg = await waits(stage)
    await stage.advance(3)
    assert (await stage.call_of(leg))["state"] == "offered"
    stage.exchange.press(leg, "1")
    await stage.advance(3)
    assert leg.has_heard("Posle zvučnog signala")
    assert phone.rung == 1
    assert await vera.presence() == "available", "no counsellor has missed an offer"
    assert [o["state"] for o in await stage.rows("SELECT state FROM offers")] == ["withdrawn"]
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


# By day the verbs of it are tried (`tests/telephony/inbound/test_waiting.py`).
@nightly
async def test_a_full_queue_at_the_provider_is_not_heard_and_has_its_ways_out(stage: Stage) -> None:
    await stage.add_counsellor("ana", state="break")
    first = await waits(stage, "1", "+381641110002")
    stage.exchange.rooms["waiting"].size = 1
    second = await waits(stage, "1", "+381641110003")
    await stage.advance(60)
    assert second.silences(stage.clock.now(), 4.0) == []
    assert second.has_heard("Broj poziva pre tebe: 1")
    assert first.has_heard("Sledeći poziv je tvoj")
    stage.exchange.press(second, "9")
    await stage.advance(2)
    assert (await stage.call_of(second))["danger"]
    boris = await stage.add_counsellor("boris")
    await boris.accept()
    await stage.advance(4)
    assert (await stage.call_of(second))["state"] == "connected"
    # No caller fits in any more, and the way to a message is open.
    stage.exchange.rooms["waiting"].size = 0
    third = await waits(stage, "1", "+381641110004")
    await stage.advance(5)
    stage.exchange.press(third, "1")
    await stage.advance(5)
    assert third.has_heard("Posle zvučnog signala")
    for leg in (first, second, third):
        await stage.exchange.hang_up(leg)
    await stage.advance(5)


@nightly
async def test_the_place_counts_those_who_are_really_served_before(stage: Stage) -> None:
    """Other counsellors serve callers of another language; a child in danger comes first."""
    ana = await stage.add_counsellor("ana", languages="sr,en")
    await talk(stage, ana, from_="+381641110001")
    await waits(stage, "2", "+381641110002")
    await waits(stage, "1", "+381641110003")
    leg = await waits(stage, "1", "+381641110004")
    await stage.advance(20)
    assert leg.has_heard("Broj poziva pre tebe: 1")
    assert not leg.has_heard("Broj poziva pre tebe: 2")
    await waits(stage, "9", "+381641110005")
    await stage.advance(40)
    assert leg.has_heard("Broj poziva pre tebe: 2")


async def test_a_phone_that_was_not_put_down_does_not_loop_for_ever(stage: Stage) -> None:
    leg = await waits(stage)
    stage.settings.longest_wait_seconds = 90
    await stage.advance(80)
    assert not leg.over
    await stage.advance(60)
    assert leg.over
    assert leg.heard[-1].text.endswith("Hvala na pozivu.")
    assert (await stage.call_of(leg))["ended_by"] == "program"


# By day the verbs of it are tried (`tests/telephony/inbound/test_waiting.py`).
@nightly
async def test_at_the_end_of_a_shift_no_waiting_caller_is_sent_away(stage: Stage) -> None:
    """The line drains: a counsellor in wrap-up is asked first; when the last one has gone home,
    a message is offered.
    """
    ana = await _until_ten(stage)
    first = await talk(stage, ana, from_="+381641110001")
    leg = await waits(stage, "1", "+381641110002")
    last = await waits(stage, "1", "+381641110004")
    await stage.advance(120)
    assert (await stage.call_of(leg))["state"] == "queued"
    assert leg.has_heard("Naša smena se završava")
    late = await waits(stage, "1", "+381641110003")
    assert (await stage.call_of(late))["state"] == "greeting", (
        "new callers hear when we are open again"
    )
    await stage.exchange.hang_up(first)
    await stage.advance(35)
    assert (await stage.call_of(leg))["state"] == "offered", "she is asked after her wrap-up"
    await ana.be("off_duty")
    for one in (leg, last):
        await stage.until(lambda one=one: one.has_heard("Posle zvučnog signala"), limit=60)
        assert not one.over


async def _until_ten(stage: Stage) -> Any:
    """A counsellor whose shift ends in a minute."""
    from datetime import time

    stage.stepped.move_to(stage.clock.now() + timedelta(minutes=58))
    return await stage.add_counsellor(
        "ana", recurrence="FREQ=DAILY", starts_at=time(3), minutes=480, timezone="Europe/Belgrade"
    )
