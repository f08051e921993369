"""A child calls and reaches a counsellor: told by phone."""

from datetime import time

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.people import Phone
from tests.support.profile import nightly
from tests.support.talks import talk


async def test_a_child_reaches_a_counsellor_and_everything_is_in_the_record(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    began = len(stage.exchange.asked)
    assert leg.has_heard("ovde Plavi telefon")
    assert await ana.presence() == "on_call"
    # Held and resumed from the desk, with soft sound meanwhile.
    assert (await ana.do("hold")).status_code == 204
    await stage.advance(20)
    assert leg.has_heard("Savetnik se vraća")
    assert leg.has_heard("/telephony/sounds/waiting.wav")
    conference = next(iter(stage.exchange.conferences.all.values()))
    assert conference.participants[leg.sid].held
    assert (await ana.do("resume")).status_code == 204
    await stage.advance(1)
    assert not conference.participants[leg.sid].held
    await stage.advance(40)
    await stage.exchange.hang_up(leg)
    await stage.advance(1)
    call = await stage.call_of(leg)
    assert (call["state"], call["outcome"], call["ended_by"]) == ("ended", "answered", "caller")
    assert call["language"] == "sr"
    assert await ana.presence() == "wrap_up"
    await stage.advance(31)
    assert await ana.presence() == "available"
    kinds = [e["kind"] for e in await stage.rows("SELECT kind FROM call_events ORDER BY id")]
    for kind in ("opened", "enter_queue", "offer", "offer_accepted", "connect", "end"):
        assert kind in kinds
    # All of it was reported, so the provider is not asked about it.
    asked = [path for how, path, *_ in stage.exchange.asked[began:] if how == "GET"]
    assert [path for path in asked if "Participants" in path or "/Calls/" in path] == []
    assert await broken_at_the_end(stage) == []


async def test_the_second_language_and_the_danger_digit(stage: Stage) -> None:
    await stage.add_counsellor("ana", languages="sr", state=None)
    english = stage.ring()
    danger = stage.ring("+381641110000")
    await stage.advance(2)
    stage.exchange.press(english, "2")
    stage.exchange.press(danger, "9")
    await stage.advance(2)
    # No counsellor on duty speaks English; in danger any counsellor would do, but none is signed
    # in.
    assert english.has_heard("No counsellor is here right now")
    assert danger.has_heard("odmah pozovi 1 9 2")
    assert (await stage.call_of(danger))["danger"]


@nightly
async def test_an_answering_machine_never_takes_a_child_and_a_counsellor_at_a_phone_presses_1(
    stage: Stage,
) -> None:
    stage.exchange.phones["+38164999004"] = Phone(picks_up=1, presses=None)
    machine = await stage.add_counsellor("machine", endpoint="+38164999004")
    leg = stage.ring()
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.advance(28)
    assert (await stage.call_of(leg))["state"] == "queued"
    assert [r["state"] for r in await stage.rows("SELECT state FROM offers")] == ["missed"]
    await machine.be("off_duty")
    stage.exchange.phones["+38164999001"] = phone = Phone(picks_up=3)
    vera = await stage.add_counsellor("vera", endpoint="+38164999001")
    await stage.advance(12)
    assert any("Da ga preuzmete, pritisnite 1" in heard.text for heard in phone.heard)
    assert (await stage.call_of(leg))["state"] == "connected"
    # The star ends the talk, and the child hears a goodbye.
    phone_leg = next(x for x in stage.exchange.legs.values() if x.to == "+38164999001")
    stage.exchange.press(phone_leg, "*")
    await stage.advance(3)
    call = await stage.call_of(leg)
    assert (call["outcome"], call["ended_by"]) == ("answered", "counsellor")
    assert await vera.presence() == "wrap_up"
    assert await broken_at_the_end(stage) == []


@nightly
async def test_only_a_counsellor_on_shift_and_available_is_offered_a_call(stage: Stage) -> None:
    off_shift = await stage.add_counsellor("off", shift=False)
    night = await stage.add_counsellor(
        "night", recurrence="FREQ=DAILY", timezone="Europe/Belgrade", minutes=60
    )
    on_break = await stage.add_counsellor("break", state="break")
    leg = stage.ring()
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.advance(2)
    for counsellor in (off_shift, night, on_break):
        assert await counsellor.offer() is None
    assert (await stage.call_of(leg))["state"] == "queued"
    await on_break.be("available")
    assert await on_break.offer() is not None


@nightly
async def test_place_and_comfort_while_no_counsellor_is_free(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await talk(stage, ana)
    first, second = stage.ring("+381641110001"), stage.ring("+381641110002")
    await stage.advance(2)
    stage.exchange.press(first, "1")
    await stage.advance(1)
    stage.exchange.press(second, "1")
    await stage.advance(25)
    assert first.has_heard("Sledeći poziv je tvoj")
    assert second.has_heard("Broj poziva pre tebe: 1")
    await stage.advance(90)
    # No counsellor is free for long: a voice message is offered, and the place kept.
    assert first.has_heard("Da nam ostaviš poruku, pritisni 1")
    assert (await stage.call_of(first))["state"] == "queued"


@nightly
async def test_with_no_counsellor_on_duty_the_caller_hears_when_one_will_be(stage: Stage) -> None:
    await stage.add_counsellor(
        "night",
        recurrence="FREQ=DAILY",
        timezone="Europe/Belgrade",
        minutes=480,
        state=None,
        starts_at=time(22, 0),
    )
    leg = stage.ring()
    leg.person.message_seconds = 9  # type: ignore[union-attr]
    await stage.advance(2)
    stage.exchange.press(leg, "2")
    await stage.advance(45)
    assert leg.has_heard("We are open again at 22:00")
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    assert (await stage.call_of(leg))["outcome"] == "voicemail"
    silent = stage.ring("+381641110009")
    await stage.advance(40)
    await stage.exchange.hang_up(silent)
    await stage.advance(1)
    assert (await stage.call_of(silent))["outcome"] == "out_of_hours"


@nightly
async def test_two_lines_with_counsellors_of_their_own(stage: Stage) -> None:
    await stage.add_line("+38111116000", languages="en", name="Missing children")
    other = await stage.add_counsellor("other", lines=["+38111116000"])
    ana = await stage.add_counsellor("ana", lines=["+38111116111"])
    leg = stage.ring(to="+38111116000")
    await stage.advance(25)
    assert await ana.offer() is None
    offered = (await stage.rows("SELECT counsellor_id FROM offers"))[0]["counsellor_id"]
    assert offered == other.id
    assert leg.has_heard("this is Missing children")
