"""What can go wrong between the provider and us, situation by situation, and what we do."""

import asyncio
from urllib.parse import urlsplit

import pytest

from app.demo.invariants import broken_at_the_end, broken_on_the_phone
from app.demo.stage import MONDAY, Stage
from app.practice.legs import Leg
from app.practice.people import Phone
from app.practice.rooms import Recording
from app.telephony import replying
from tests.support.contacts import skip
from tests.support.profile import WHOLE, by_day, nightly
from tests.support.talks import talk, waiting

VERA = "+38164999001"


@nightly
async def test_everything_delivered_twice_is_one_record_and_the_same_document(
    stage: Stage,
) -> None:
    stage.exchange.knobs.turn("duplicate", times=None)
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    assert len(await stage.rows("SELECT 1 FROM calls")) == 1
    assert (await stage.call_of(leg))["outcome"] == "answered"
    assert await broken_at_the_end(stage) == []


@nightly
async def test_late_and_overtaking_callbacks_lead_to_the_same_record(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    kinds = ("/conference", "/legs/", "/telephony/status", "queue-exit")
    # All of them in one talk; in the nightly run each in a talk of its own, too.
    for late in (kinds, *((one,) for one in kinds if WHOLE)):
        for one in late:
            stage.exchange.knobs.turn("delay", one, times=None, probability=0.6, seconds=2.5)
        await ana.be("available")
        leg = await waiting(stage)
        await ana.accept()
        await stage.advance(12)
        answered = (await stage.call_of(leg))["answered_at"]
        await stage.exchange.hang_up(leg)
        await stage.advance(10)
        call = await stage.call_of(leg)
        assert (call["outcome"], call["answered_at"]) == ("answered", answered), late
        stage.exchange.knobs.reset()
    assert await broken_at_the_end(stage) == []


@nightly
async def test_callbacks_in_the_wrong_order_lead_to_the_same_record(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    kinds = ("participant-join", "participant-leave", "/legs/", "completed")
    # As above.
    for event in (kinds, *((one,) for one in kinds if WHOLE)):
        for one in event:
            stage.exchange.knobs.turn("reorder", one, times=3)
        await ana.be("available")
        leg = await waiting(stage)
        await ana.accept()
        await stage.advance(10)
        await stage.exchange.hang_up(leg)
        # Callbacks that are still held are overtaken by those of another call.
        other = stage.ring("+381641110009")
        await stage.advance(2)
        await stage.exchange.hang_up(other)
        await stage.advance(20)
        assert (await stage.call_of(leg))["outcome"] == "answered", event
        stage.exchange.knobs.reset()
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_talk_that_we_hear_of_only_after_its_end(stage: Stage) -> None:
    stage.exchange.knobs.turn("delay", "participant-join", times=2, seconds=12)
    ana = await stage.add_counsellor("ana")
    leg = await waiting(stage)
    await ana.accept()
    # The caller is never moved, since we do not know that the counsellor is there; then both
    # joins come, late and in whichever order.
    await stage.advance(16)
    await stage.exchange.hang_up(leg)
    await stage.advance(20)
    assert await broken_at_the_end(stage) == []


async def test_the_end_overtakes_the_beginning(stage: Stage) -> None:
    """A completed status for a ring that never reached us, and then the ring itself."""
    fields = [
        ("CallSid", "CAlate"),
        ("From", "+381641234567"),
        ("To", "+38111116111"),
        ("AccountSid", stage.exchange.account_sid),
        ("Direction", "inbound"),
    ]
    base = stage.settings.public_url
    over = [*fields, ("CallStatus", "completed"), ("SequenceNumber", "0")]
    assert await stage.exchange.sender.call_back(f"{base}/telephony/status", over)
    row = (await stage.rows("SELECT * FROM calls"))[0]
    assert (row["state"], row["outcome"]) == ("ended", "unreachable")
    ring = [*fields, ("CallStatus", "ringing")]
    await stage.exchange.sender.fetch(f"{base}/telephony/voice", ring, {})
    row = (await stage.rows("SELECT * FROM calls"))[0]
    assert (row["state"], row["outcome"]) == ("ended", "abandoned_in_greeting")


async def test_a_callback_that_beats_the_answer_to_our_own_request(stage: Stage) -> None:
    """The leg's id is learnt from whichever comes first."""
    stage.exchange.knobs.turn("accept_and_time_out", "Participants", seconds=0.3)
    ana = await stage.add_counsellor("ana")
    leg = await waiting(stage)
    await ana.accept()
    await stage.advance(3)
    assert (await stage.call_of(leg))["state"] == "connected"
    assert len(await stage.rows("SELECT 1 FROM legs WHERE provider_sid IS NOT NULL")) == 1


async def test_accepted_but_timed_out_never_rings_twice(stage: Stage) -> None:
    stage.exchange.phones[VERA] = Phone(picks_up=4)
    for name, endpoint in by_day((("vera", VERA), ("ana", "browser"))):
        who = await stage.add_counsellor(name, endpoint=endpoint)
        stage.exchange.knobs.turn("accept_and_time_out", "POST", seconds=2)
        stage.exchange.knobs.turn("lose", "/legs/", times=2)
        leg = await waiting(stage)
        if endpoint == "browser":
            await who.accept()
        await stage.advance(20)
        theirs = [x for x in stage.exchange.legs.values() if x.to in (who.address, endpoint)]
        assert len(theirs) == 1, name
        assert (await stage.call_of(leg))["state"] == "connected", name
        await stage.exchange.hang_up(leg)
        await stage.advance(5)
        await who.be("off_duty")
        stage.exchange.knobs.reset()
    assert await broken_at_the_end(stage) == []


@nightly
async def test_when_the_caller_leaves_nothing_rings_on(stage: Stage) -> None:
    stage.exchange.phones[VERA] = Phone(picks_up=15)
    for name, endpoint in (("ana", "browser"), ("vera", VERA)):
        who = await stage.add_counsellor(name, endpoint=endpoint)
        leg = await waiting(stage)
        await stage.advance(3)
        assert await who.offer() is not None
        await stage.exchange.hang_up(leg)
        await stage.advance(1)
        assert await who.offer() is None
        assert await who.presence() == "available"
        assert all(x.over for x in stage.exchange.legs.values())
        assert (await stage.call_of(leg))["outcome"] == "short_abandon"
        await who.be("off_duty")
    assert await broken_at_the_end(stage) == []


# By day `tests/outbox` asks, and in `tests/routing/test_offers.py` our fault is no miss.
@nightly
async def test_a_500_is_settled_by_asking_and_the_caller_goes_on(stage: Stage) -> None:
    stage.exchange.knobs.turn("fail", "Participants.json", times=1)
    ana = await stage.add_counsellor("ana")
    boris = await stage.add_counsellor("boris", state="break")
    leg = await waiting(stage)
    await ana.accept()
    await stage.advance(3)
    # She is the last one on duty, and it was no fault of hers: she is asked again.
    assert await ana.presence() == "available"
    assert await boris.presence() == "break"
    await stage.until(ana.offer, limit=30, what="the caller is offered again")
    await ana.accept()
    await stage.advance(3)
    assert (await stage.call_of(leg))["state"] == "connected"
    assert broken_on_the_phone(stage) == []


@nightly
async def test_two_counsellors_answer_within_a_millisecond(stage: Stage) -> None:
    """The offer went on to Boris; Ana's late click and his race, and one wins."""
    ana = await stage.add_counsellor("ana")
    leg = await waiting(stage)
    old = await ana.offer()
    assert old is not None
    boris = await stage.add_counsellor("boris")
    await stage.advance(20)
    new = await boris.offer()
    assert new is not None
    assert new["call_id"] == old["call_id"]
    first, *others = await asyncio.gather(
        ana.ask("POST", f"/offers/{old['id']}/accept"),
        boris.ask("POST", f"/offers/{new['id']}/accept"),
        boris.ask("POST", f"/offers/{new['id']}/accept"),
    )
    assert first.status_code == 409
    assert first.json()["error"] == "OfferNoLongerOpen"
    assert [answer.status_code for answer in others] == [200, 200]
    # Nor can a counsellor take an offer that was made to another.
    assert (await ana.ask("POST", f"/offers/{new['id']}/accept")).status_code == 404
    await stage.advance(3)
    assert len(await stage.rows("SELECT 1 FROM offers WHERE accepted_at IS NOT NULL")) == 1
    assert (await stage.call_of(leg))["state"] == "connected"


@nightly
async def test_a_dead_counsellors_leg_sends_the_caller_back_to_the_front(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    arrived = (await stage.call_of(leg))["queued_at"]
    other = await waiting(stage, "+381641110002")
    counsellors = next(x for x in stage.exchange.legs.values() if x.direction != "inbound")
    stage.exchange.phones[counsellors.to] = Phone(unreachable=True)
    await stage.exchange.let_die(counsellors)
    await stage.advance(5)
    assert leg.has_heard("Veza sa savetnikom je prekinuta")
    call = await stage.call_of(leg)
    assert (call["state"], call["queued_at"], call["returned"]) == ("queued", arrived, 1)
    boris = await stage.add_counsellor("boris")
    offer = await boris.offer()
    assert offer is not None
    assert offer["call_id"] == str(call["id"])
    await boris.accept()
    await stage.advance(2)
    assert (await stage.call_of(leg))["state"] == "connected"
    assert (await stage.call_of(other))["state"] == "queued"
    await stage.exchange.hang_up(leg)
    await stage.exchange.hang_up(other)
    await stage.advance(2)
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_restart_with_three_waiting_and_two_talking(stage: Stage) -> None:
    counsellors = [await stage.add_counsellor(name) for name in ("ana", "boris")]
    talks = []
    for number in range(2):
        leg = await waiting(stage, f"+38164111000{number}")
        talks.append(leg)
        for counsellor in counsellors:
            offer = await counsellor.offer()
            if offer is not None and offer["state"] == "open":
                await counsellor.accept()
        await stage.advance(2)
        assert (await stage.call_of(leg))["state"] == "connected"
    waits = [await waiting(stage, f"+38164111010{i}") for i in range(3)]
    before = {leg.sid: await stage.call_of(leg) for leg in talks + waits}
    await stage.restart_server()
    await stage.advance(8)
    for leg in talks + waits:
        call = await stage.call_of(leg)
        assert not leg.over
        assert call["state"] == before[leg.sid]["state"]
        assert call["queued_at"] == before[leg.sid]["queued_at"]
    await stage.exchange.hang_up(talks[0])
    await stage.advance(1)
    for counsellor in counsellors:
        await counsellor.be("available")
    assert (await stage.call_of(waits[0]))["state"] == "offered"
    for leg in talks + waits:
        if not leg.over:
            await stage.exchange.hang_up(leg)
    await stage.advance(2)
    assert await broken_at_the_end(stage) == []


async def test_without_a_database_the_caller_hears_us_and_goes_on(stage: Stage) -> None:
    """Half a minute without: the ring, a waiting caller, and a talk."""
    ana = await stage.add_counsellor("ana")
    talking = await talk(stage, ana)
    waits = await waiting(stage, "+381641110001")
    real = stage.ground.database.sessions

    class Unreachable:
        def __call__(self) -> object:
            raise OSError("no database")

    object.__setattr__(stage.ground.database, "sessions", Unreachable())
    rings = stage.ring("+381641110002")
    for _ in range(20):
        due = stage.stepped.next_due()
        if due is not None and (due - stage.clock.now()).total_seconds() < 3:
            stage.stepped.move_to(due)
        await asyncio.sleep(0.02)
    assert rings.has_heard("Please stay on the line")
    assert not rings.over
    object.__setattr__(stage.ground.database, "sessions", real)
    await stage.advance(20)
    assert (await stage.call_of(rings))["state"] == "queued"
    assert not waits.over
    assert not talking.over
    assert rings.has_heard("ovde Plavi telefon")


@nightly
async def test_a_replay_an_hour_later_changes_nothing(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    await stage.exchange.hang_up(leg)
    await stage.advance(60)
    before = await stage.rows("SELECT state, outcome, ended_at, event_count FROM calls")
    events = await stage.rows("SELECT count(*) FROM call_events")
    sent = [(url, fields) for url, fields in stage.exchange.sender.sent if "/hold" not in url]
    await skip(stage, 1)
    for url, fields in sent:
        await stage.exchange.sender.call_back(url, list(fields.items()))
    await stage.settle()
    assert await stage.rows("SELECT state, outcome, ended_at, event_count FROM calls") == before
    assert await stage.rows("SELECT count(*) FROM call_events") == events
    assert len(await stage.rows("SELECT 1 FROM offers")) == 1


@nightly
async def test_a_storm_of_429_while_callers_hear_the_wait_document(stage: Stage) -> None:
    stage.exchange.knobs.turn("refuse", "", times=5)
    ana = await stage.add_counsellor("ana")
    leg = await waiting(stage)
    await ana.accept()
    await stage.until(
        lambda: stage.exchange.conferences.of_leg(leg) is not None, limit=20, what="bridged"
    )
    assert (await stage.call_of(leg))["state"] == "connected"
    assert sum(x.direction == "outbound-api" for x in stage.exchange.legs.values()) == 1


async def test_a_withheld_number_is_never_linked_and_a_known_one_is_matched_and_stands_nowhere(
    stage: Stage,
) -> None:
    withheld = ("", "anonymous", "+266696687", "Restricted", "+8656696")
    unknown = [stage.ring(raw) for raw in withheld for _ in range(2)]
    one, two = stage.ring("+381641234567"), stage.ring("+381641234567")
    await stage.advance(2)
    for leg in unknown:
        call = await stage.call_of(leg)
        assert call["caller_kind"] == "withheld", leg.from_
        assert call["caller_key"] is None, leg.from_
        assert call["caller_number_sealed"] is None, leg.from_
    first, second = await stage.call_of(one), await stage.call_of(two)
    assert first["caller_key"] == second["caller_key"] is not None
    assert first["caller_number_sealed"] != second["caller_number_sealed"]
    opened = stage.ground.keys.open(
        first["caller_number_sealed"],
        table="calls",
        column="caller_number_sealed",
        row=first["id"],
    )
    assert opened == b"+381641234567"
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_shift_ends_during_a_talk(stage: Stage) -> None:
    ends = MONDAY.time()
    ana = await stage.add_counsellor(
        "ana",
        recurrence="FREQ=DAILY",
        timezone="Europe/Belgrade",
        starts_at=ends.replace(hour=9, minute=1),
        minutes=60,
        first_on=MONDAY.date(),
    )
    leg = await talk(stage, ana)
    await stage.advance(70)
    assert (await stage.call_of(leg))["state"] == "connected"
    await stage.exchange.hang_up(leg)
    await stage.advance(3)
    await ana.be("available")
    next_one = stage.ring("+381641110003")
    await stage.advance(2)
    stage.exchange.press(next_one, "1")
    await stage.advance(2)
    assert await ana.offer() is None


# By day `tests/telephony/inbound/test_message_flow.py` has the one that never comes.
@nightly
async def test_a_recording_that_is_not_there_yet_and_one_that_never_comes(
    stage: Stage,
) -> None:
    missing = {stage.ring(f"+38164111000{n}").sid: n for n in (2, 99)}
    keep = stage.exchange.keep_recording

    def late(leg: Leg, seconds: int) -> Recording:
        recording = keep(leg, seconds)
        recording.missing = missing[leg.sid]
        return recording

    stage.exchange.keep_recording = late  # type: ignore[method-assign]
    legs = [stage.exchange.legs[sid] for sid in missing]
    for leg in legs:
        leg.person.message_seconds = 5  # type: ignore[union-attr]
    await stage.advance(90)
    for leg in legs:
        await stage.exchange.hang_up(leg)
    await stage.advance(60)
    for leg, state in zip(legs, ("imported", "absent"), strict=True):
        call = await stage.call_of(leg)
        kept = await stage.rows("SELECT state FROM voice_messages WHERE call_id = %s", call["id"])
        assert [row["state"] for row in kept] == [state]
        assert call["state"] == "ended"


async def test_a_lost_end_is_found_by_asking_and_what_the_provider_does_not_know_is_lost(
    stage: Stage,
) -> None:
    """Neither status nor queue exit nor conference event: the provider is asked."""
    stage.exchange.knobs.turn("lose", "/telephony/status", times=None)
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    unknown = await waiting(stage, "+381641110002")
    stage.exchange.knobs.turn("lose", "/conference", times=None)
    stage.exchange.knobs.turn("lose", "/legs/", times=None)
    leg.on_hang_up.pop(0)  # the Dial's action is not requested either
    stage.exchange.conferences.leave(leg, "participant_hung_up")
    await stage.exchange.hang_up(leg)
    stage.exchange.knobs.turn("lose", "", times=None)
    unknown.on_hang_up.clear()
    await stage.exchange.hang_up(unknown)
    del stage.exchange.legs[unknown.sid]
    await stage.advance(10)
    assert (await stage.call_of(leg))["state"] == "connected"
    await stage.advance(260)
    forgotten = await stage.call_of(unknown)
    assert (forgotten["state"], forgotten["lost"]) == ("ended", True)
    call = await stage.call_of(leg)
    assert (call["state"], call["outcome"]) == ("ended", "answered")
    assert call["ended_at"] == leg.ended_at.replace(microsecond=0)  # type: ignore[union-attr]
    assert await ana.presence() == "away", "no heartbeat for minutes"


async def test_an_unknown_number_of_ours_is_still_a_record(stage: Stage) -> None:
    stage.exchange.numbers["+38111999999"] = stage.exchange.numbers["+38111116111"]
    leg = stage.ring(to="+38111999999")
    await stage.advance(3)
    call = await stage.call_of(leg)
    assert call["line_id"] is None
    assert leg.has_heard("Plavi telefon")


@nightly
async def test_no_address_carries_more_than_opaque_ids(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    await stage.exchange.hang_up(leg)
    await stage.advance(1)
    for url, _ in stage.exchange.sender.sent:
        parts = urlsplit(url)
        # Ids are of hexadecimal digits: so much of a number is in none by chance.
        assert "81641234" not in parts.query
        assert "ana" not in parts.path


async def test_a_refused_connection_is_tried_again_and_then_the_fallback_speaks(
    stage: Stage,
) -> None:
    stage.exchange.knobs.turn("disconnect", "/voice", times=1)
    first = stage.ring("+381641110001")
    await stage.advance(1)
    assert first.has_heard("ovde Plavi telefon")
    # Twice refused: the fallback comforts the caller, and the ring is delivered again.
    stage.exchange.knobs.turn("disconnect", "/telephony/voice", times=2)
    second = stage.ring("+381641110002")
    await stage.advance(1)
    assert second.has_heard("Ostani na vezi")
    await stage.advance(20)
    assert second.has_heard("ovde Plavi telefon")
    assert len(await stage.rows("SELECT 1 FROM calls")) == 2


# By day `tests/telephony/inbound/test_talking.py` has the one who is still there.
@nightly
async def test_a_conference_that_ends_under_both_does_not_end_the_call(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    offer = (await stage.rows("SELECT id, call_id FROM offers"))[0]
    counsellor = next(x for x in stage.exchange.legs.values() if x.direction != "inbound")
    base = stage.settings.public_url
    stage.exchange.knobs.turn("refuse", "Participants", times=8)
    for path, who in (
        (f"/telephony/offers/{offer['id']}/left", counsellor),
        (f"/telephony/calls/{offer['call_id']}/left?o={offer['id']}", leg),
    ):
        fields = stage.exchange.leg_fields(who)
        document = await stage.exchange.sender.fetch(base + path, fields, {})
    assert document.verbs[-1].name == "Redirect"
    assert (await stage.call_of(leg))["state"] == "queued"


async def test_a_database_that_hangs_does_not_outlast_the_providers_patience(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replying, "PATIENCE", 0.3)
    # Another transaction holds the table: every statement waits, as on a stopped server.
    await stage.watch.execute("BEGIN")
    await stage.watch.execute("LOCK TABLE calls IN ACCESS EXCLUSIVE MODE")
    leg = stage.ring()
    for _ in range(60):
        if leg.heard:
            break
        await asyncio.sleep(0.05)
    assert leg.has_heard("Ostani na vezi")
    await stage.watch.execute("ROLLBACK")
    await stage.advance(15)
    assert leg.has_heard("ovde Plavi telefon")
    assert not leg.over


async def test_an_end_that_the_provider_does_not_take_for_long_is_tried_until_it_does(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    stage.exchange.knobs.turn("refuse", "Calls", times=25)
    await ana.do("hang-up")
    await stage.advance(5)
    assert leg.over
