"""A child calls and reaches a counsellor: told by phone."""

from datetime import time

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Counsellor, Stage
from app.practice.legs import Leg
from app.practice.parties import Phone
from app.staff.roles import Role


async def talk(
    stage: Stage,
    counsellor: Counsellor,
    leg: Leg | None = None,
    *,
    digit: str = "1",
    from_: str = "+381641234567",
) -> Leg:
    """Ring, choose the first language, be accepted, talk."""
    leg = leg or stage.ring(from_)
    await stage.advance(2)
    stage.exchange.press(leg, digit)
    await stage.advance(1)
    assert (await counsellor.accept()).status_code == 200
    await stage.advance(2)
    assert stage.exchange.conferences.of_leg(leg) is not None
    return leg


async def test_a_child_reaches_a_counsellor_and_everything_is_in_the_record(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    assert leg.has_heard("ovde Plavi telefon")
    assert await ana.presence() == "on_call"
    await stage.advance(60)
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
    assert await broken_at_the_end(stage) == []


async def test_the_second_language_and_the_danger_digit(stage: Stage) -> None:
    await stage.add_counsellor("ana", languages="sr", state=None)
    english = stage.ring()
    danger = stage.ring("+381641110000")
    await stage.advance(2)
    stage.exchange.press(english, "2")
    stage.exchange.press(danger, "9")
    await stage.advance(2)
    # Nobody on duty speaks English; in danger anybody would do, and is not signed in.
    assert english.has_heard("No counsellor is here right now")
    assert danger.has_heard("odmah pozovi 1 9 2")
    assert (await stage.call_of(danger))["danger"]


async def test_a_counsellor_with_nothing_but_a_phone_presses_1(stage: Stage) -> None:
    stage.exchange.phones["+38164999001"] = phone = Phone(picks_up=3)
    vera = await stage.add_counsellor("vera", endpoint="+38164999001")
    leg = stage.ring()
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.advance(12)
    assert any("Za preuzimanje pritisni 1" in heard.text for heard in phone.heard)
    assert (await stage.call_of(leg))["state"] == "connected"
    # The star ends the talk, and the child hears a goodbye.
    phone_leg = next(x for x in stage.exchange.legs.values() if x.direction == "outbound-api")
    stage.exchange.press(phone_leg, "*")
    await stage.advance(3)
    call = await stage.call_of(leg)
    assert (call["outcome"], call["ended_by"]) == ("answered", "counsellor")
    assert await vera.presence() == "wrap_up"
    assert await broken_at_the_end(stage) == []


async def test_an_answering_machine_never_takes_a_child(stage: Stage) -> None:
    stage.exchange.phones["+38164999004"] = Phone(picks_up=1, presses=None)
    await stage.add_counsellor("machine", endpoint="+38164999004")
    leg = stage.ring()
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.advance(28)
    assert (await stage.call_of(leg))["state"] in ("queued", "offered")
    assert next(r["state"] for r in await stage.rows("SELECT state FROM offers")) == "missed"
    await stage.exchange.hang_up(leg)
    await stage.advance(30)
    assert (await stage.call_of(leg))["outcome"] == "abandoned_in_queue"
    assert await broken_at_the_end(stage) == []


async def test_hold_resume_and_hang_up_from_the_board(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    assert (await ana.do("hold")).status_code == 204
    await stage.advance(2)
    assert leg.has_heard("Savetnik se vraća")
    conference = next(iter(stage.exchange.conferences.all.values()))
    assert conference.participants[leg.sid].held
    assert (await ana.do("resume")).status_code == 204
    await stage.advance(1)
    assert not conference.participants[leg.sid].held
    assert (await ana.do("hang-up")).status_code == 204
    await stage.advance(1)
    assert leg.over
    assert (await stage.call_of(leg))["ended_by"] == "counsellor"
    assert await broken_at_the_end(stage) == []


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


async def test_a_declined_call_goes_to_the_next_and_comes_back_later(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = stage.ring()
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.advance(1)
    await ana.decline()
    assert await ana.presence() == "available"
    assert await ana.offer() is None
    await stage.advance(31)
    assert await ana.offer() is not None


async def test_own_choice_beats_every_automatic_change(stage: Stage) -> None:
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


async def test_only_who_is_on_shift_and_available_is_offered_a_call(stage: Stage) -> None:
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


async def test_a_silent_browser_goes_stale(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await stage.advance(100)
    rows = await stage.rows("SELECT state FROM presences")
    assert rows[0]["state"] == "away"
    await ana.be("available")
    assert await ana.presence() == "available"


async def test_place_and_comfort_while_nobody_is_free(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await talk(stage, ana)
    first, second = stage.ring("+381641110001"), stage.ring("+381641110002")
    await stage.advance(2)
    stage.exchange.press(first, "1")
    await stage.advance(1)
    stage.exchange.press(second, "1")
    await stage.advance(25)
    assert first.has_heard("Pre tebe nema nikoga")
    assert second.has_heard("Broj poziva pre tebe: 1")
    await stage.advance(90)
    # Nobody free for long: a voice message is offered, and the place kept.
    assert first.has_heard("Da nam ostaviš poruku, pritisni 1")
    assert (await stage.call_of(first))["state"] == "queued"


async def test_a_voice_message_is_fetched_sealed_heard_and_deleted_at_the_provider(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    await talk(stage, ana)
    leg = stage.ring("+381641110001")
    leg.party.message_seconds = 12  # type: ignore[union-attr]
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.until(lambda: leg.has_heard("Da nam ostaviš poruku"), limit=120)
    await stage.advance(1)
    stage.exchange.press(leg, "1")
    await stage.advance(40)
    assert leg.has_heard("Posle zvučnog signala")
    assert leg.has_heard("Savetnik će poslušati tvoju poruku")
    assert not leg.over
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    assert (await stage.call_of(leg))["outcome"] == "voicemail"
    message = (await stage.rows("SELECT * FROM voice_messages"))[0]
    assert (message["state"], message["seconds"]) == ("imported", 12)
    assert message["provider_deleted_at"] is not None
    assert all(recording.deleted for recording in stage.exchange.recordings.values())
    audio = await ana.ask("GET", f"/voice-messages/{message['id']}")
    assert audio.headers["content-type"] == "audio/mpeg"
    assert audio.content[:2] == b"\xff\xfb"
    assert audio.content not in message["audio_sealed"]
    log = await stage.rows("SELECT action FROM audit_entries")
    assert "voice message opened" in [row["action"] for row in log]


async def test_nobody_on_duty_says_when_somebody_will_be(stage: Stage) -> None:
    await stage.add_counsellor(
        "night",
        recurrence="FREQ=DAILY",
        timezone="Europe/Belgrade",
        minutes=480,
        state=None,
        starts_at=time(22, 0),
    )
    leg = stage.ring()
    leg.party.message_seconds = 9  # type: ignore[union-attr]
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


async def test_somebody_comes_on_duty_while_the_caller_is_asked_for_a_message(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana", state=None)
    leg = stage.ring()
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.advance(10)
    assert leg.has_heard("U ovom trenutku niko ne može")
    await ana.be("available")
    await stage.advance(40)
    assert await stage.rows("SELECT 1 FROM offers WHERE counsellor_id = %s", ana.id) != []
    assert (await stage.call_of(leg))["queued_at"] is not None


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


async def test_a_voice_message_is_a_task_with_an_owner_until_it_is_done(stage: Stage) -> None:
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    leg = stage.ring("+381641110001")
    leg.party.message_seconds = 9  # type: ignore[union-attr]
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.advance(40)
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    (message,) = await stage.rows("SELECT id, owner_id FROM voice_messages")
    assert message["owner_id"] == chief.id, "somebody answers for it from the first moment"
    ana = await stage.add_counsellor("ana")
    assert (await ana.ask("POST", f"/voice-messages/{message['id']}/take")).status_code == 204
    (message,) = await stage.rows("SELECT id, owner_id, heard_at FROM voice_messages")
    assert (message["owner_id"], message["heard_at"]) == (ana.id, None)
    assert (await ana.ask("POST", f"/voice-messages/{message['id']}/done")).status_code == 204
    assert (await chief.ask("POST", f"/voice-messages/{message['id']}/take")).status_code == 409
