"""The main stories, told by phone on both platforms: with conferences, and without.

With conferences each of them has a story of its own elsewhere; there only what has none is told
here by default, and everything with `TESTS=whole`.
"""

import contextlib
from collections.abc import AsyncIterator
from datetime import time
from typing import Any

import pytest

from app.abilities import Ability
from app.demo.counsellor import Counsellor
from app.demo.invariants import broken_at_the_end
from app.demo.stage import LINE, MONDAY, Stage, stage_on
from app.demo.stepped_clock import SteppedClock
from app.practice.people import Caller, Phone
from app.routing.callbacks import callback_attempts
from tests.support.platforms import (
    EVA,
    MIRA,
    PLATFORMS,
    VERA,
    at_phone,
    is_in,
    others,
    reach,
    talks,
)
from tests.support.profile import WHOLE, nightly
from tests.support.referrals import add_agency, phone, referral_of, story
from tests.support.talks import CHILD, PARTNER, agrees, asks, plan

_MAIN = PLATFORMS if WHOLE else ["somleng"]


@contextlib.asynccontextmanager
async def _on(database: str, platform: Any, **settings: Any) -> AsyncIterator[Stage]:
    async with stage_on(
        database, platform=platform, wrap_up_seconds=30, long_wait_seconds=60, **settings
    ) as made:
        await made.add_line()
        yield made
        assert made.exchange.faults == []


@pytest.fixture(params=_MAIN)
async def anywhere(
    request: pytest.FixtureRequest, database: str, anyio_backend: str
) -> AsyncIterator[Stage]:
    """The helpline on a platform."""
    async with _on(database, request.param) as made:
        yield made


@pytest.fixture(params=PLATFORMS if WHOLE else ["twilio"])
async def with_conferences(
    request: pytest.FixtureRequest, database: str, anyio_backend: str
) -> AsyncIterator[Stage]:
    """The helpline on a platform; what has no other story of one with conferences."""
    async with _on(database, request.param) as made:
        yield made


@nightly
async def test_a_child_reaches_a_counsellor_and_either_of_them_ends_the_talk(
    anywhere: Stage,
) -> None:
    stage = anywhere
    vera, phone = await at_phone(stage, "vera", VERA)
    leg = await reach(stage, stage.ring())
    assert leg.has_heard("ovde Plavi telefon")
    assert any("Da ga preuzmete, pritisnite 1" in heard.text for heard in phone.heard)
    assert await vera.presence() == "on_call"
    await stage.advance(60)
    await stage.exchange.hang_up(leg)
    await stage.advance(3)
    call = await stage.call_of(leg)
    assert (call["state"], call["outcome"], call["ended_by"]) == ("ended", "answered", "caller")
    assert 58 <= (call["ended_at"] - call["answered_at"]).total_seconds() <= 64
    assert await vera.presence() == "wrap_up"
    await stage.advance(32)
    assert await vera.presence() == "available"
    # The end of the ring is never told, and the talk comes about all the same.
    stage.exchange.knobs.turn("lose", "/telephony/legs/", times=None)
    leg = await reach(stage, stage.ring())
    stage.exchange.knobs.reset()
    assert (await vera.do("hang-up")).status_code == 204
    await stage.advance(5)
    call = await stage.call_of(leg)
    assert (call["outcome"], call["ended_by"]) == ("answered", "counsellor")
    assert all(one.over for one in stage.exchange.legs.values())
    assert await broken_at_the_end(stage) == []


# By day `tests/telephony/counsellor` says nothing to a machine.
@nightly
async def test_neither_a_machine_nor_silence_takes_a_child_and_the_next_counsellor_does(
    anywhere: Stage,
) -> None:
    stage = anywhere
    _, machine = await at_phone(stage, "machine", VERA, picks_up=1, presses=None)
    await stage.advance(1)
    await at_phone(stage, "eva", EVA, picks_up=None)
    await stage.advance(1)
    mira, _ = await at_phone(stage, "mira", MIRA)
    leg = await reach(stage, stage.ring())
    assert machine.heard, "a machine has picked up"
    assert await mira.presence() == "on_call"
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    rows = await stage.rows("SELECT state FROM offers ORDER BY opened_at")
    assert [row["state"] for row in rows] == ["missed", "missed", "connected"]
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_counsellors_line_drops_and_the_child_is_first_again(anywhere: Stage) -> None:
    stage = anywhere
    # The phone in which 1 is pressed is put down by us; the talk drops after ten seconds.
    vera, vera_phone = await at_phone(stage, "vera", VERA, drops_after=10, drops=1)
    mira, _ = await at_phone(stage, "mira", MIRA, state="off_duty")
    leg = await reach(stage, stage.ring())
    arrived = (await stage.call_of(leg))["queued_at"]
    # Where there is a conference her phone is rung again for a while, and she does not hear it.
    vera_phone.picks_up = None
    await stage.until(lambda: leg.has_heard("Veza sa savetnikom je prekinuta"), limit=60)
    call = await stage.call_of(leg)
    assert (call["state"], call["returned"], call["queued_at"]) == ("queued", 1, arrived)
    assert await vera.presence() == "wrap_up"
    await mira.be("available")
    await stage.until(lambda: talks(stage, leg), limit=60)
    await stage.until(lambda: is_in(stage, leg, "connected"), limit=5)
    assert await mira.presence() == "on_call"
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


# After how many seconds: in the greeting, while the phone rings, and in the talk.
STEPS = (0, 1, 3, 5, 7, 9, 11, 14, 18) if WHOLE else (0, 3, 18)


# By day the verbs of each step are tried (`tests/telephony/inbound/test_endings.py`).
@nightly
async def test_a_caller_hangs_up_at_every_step_and_no_counsellor_stays_busy(
    anywhere: Stage,
) -> None:
    stage = anywhere
    vera, _ = await at_phone(stage, "vera", VERA, picks_up=3)
    steps = set()
    for n, seconds in enumerate(STEPS):
        leg = stage.ring(f"+38164111000{n}")
        await stage.advance(1)
        if seconds:
            stage.exchange.press(leg, "1")
            await stage.advance(seconds)
        steps.add((await stage.call_of(leg))["state"])
        await stage.exchange.hang_up(leg)
        await stage.advance(4)
        assert (await stage.call_of(leg))["state"] == "ended"
        assert all(leg.over for leg in stage.exchange.legs.values())
        assert await vera.presence() not in ("offered", "on_call"), seconds
        await vera.be("available")
    assert steps == {"greeting", "offered", "connected"}
    assert await broken_at_the_end(stage) == []


# By day two phones do in `tests/scenarios/calls/test_matching.py`.
@nightly
async def test_the_danger_digit_rings_several_and_one_wins(anywhere: Stage) -> None:
    stage = anywhere
    vera, _ = await at_phone(stage, "vera", VERA, picks_up=2)
    mira, _ = await at_phone(stage, "mira", MIRA, picks_up=2)
    leg = await reach(stage, stage.ring(), "9")
    await stage.advance(3)
    assert sorted([await vera.presence(), await mira.presence()]) == ["available", "on_call"]
    assert (await stage.call_of(leg))["danger"]
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


@nightly
async def test_silence_and_wrong_digits_lead_to_a_person(with_conferences: Stage) -> None:
    stage = with_conferences
    await at_phone(stage, "vera", VERA)
    await at_phone(stage, "mira", MIRA)
    silent, wrong = stage.ring("+381641110001"), stage.ring("+381641110002")
    for _ in range(4):
        await stage.advance(8)
        stage.exchange.press(wrong, "7")
    await stage.until(lambda: talks(stage, silent) and talks(stage, wrong), limit=90)
    for leg in (silent, wrong):
        assert (await stage.call_of(leg))["language"] == "sr"
        await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


@pytest.fixture(params=_MAIN)
async def by_night(
    request: pytest.FixtureRequest, database: str, anyio_backend: str
) -> AsyncIterator[Stage]:
    """A platform, at night: no counsellor is on shift before eight."""
    clock = SteppedClock(MONDAY.replace(hour=1))
    async with stage_on(database, clock=clock, platform=request.param) as made:
        await made.add_line()
        yield made
        assert made.exchange.faults == []


# By day `tests/scenarios/calls/test_voice_messages.py` has one, and the contract the recordings.
@nightly
async def test_at_night_a_message_is_left_fetched_and_heard_and_silence_is_none(
    by_night: Stage,
) -> None:
    stage = by_night
    ana = await stage.add_counsellor(
        "ana",
        endpoint=VERA,
        state=None,
        recurrence="FREQ=DAILY",
        starts_at=time(8),
        minutes=480,
        timezone="Europe/Belgrade",
    )
    leg = stage.ring(caller=Caller(message_seconds=20))
    silent = stage.ring("+381641110002", caller=Caller(message_seconds=0))
    await stage.advance(2)
    for one in (leg, silent):
        stage.exchange.press(one, "1")
    await stage.advance(60)
    assert not silent.over
    assert leg.has_heard("u 8:00")
    assert leg.has_heard("Savetnik će poslušati tvoju poruku")
    for one in (leg, silent):
        await stage.exchange.hang_up(one)
    await stage.advance(10)
    assert (await stage.call_of(silent))["outcome"] == "out_of_hours"
    call = await stage.call_of(leg)
    assert (call["outcome"], call["messages"]) == ("voicemail", 1)
    messages = await stage.rows("SELECT * FROM voice_messages")
    assert [(m["state"], m["seconds"]) for m in messages] == [("imported", 20)]
    heard = await ana.ask("GET", f"/voice-messages/{messages[0]['id']}")
    # Each platform sends a sound of its own kind, and both are kept whole.
    kinds = {"audio/mpeg": b"\xff\xfb", "audio/wav": b"RIFF"}
    assert heard.content.startswith(kinds[heard.headers["content-type"]])
    # Where the platform can, it is deleted there; where not, nothing says that it was.
    deletes = stage.settings.abilities.can(Ability.DELETE_RECORDINGS)
    assert (messages[0]["provider_deleted_at"] is not None) == deletes
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_counsellor_hands_the_child_on_to_a_skill(anywhere: Stage) -> None:
    stage = anywhere
    vera, _ = await at_phone(stage, "vera", VERA)
    leg = await reach(stage, stage.ring())
    mira, _ = await at_phone(stage, "mira", MIRA, skills=["violence"])
    call = await stage.call_of(leg)
    answer = await vera.ask("POST", f"/calls/{call['id']}/transfer", {"skills": ["violence"]})
    assert answer.status_code == 202, answer.text
    await stage.until(lambda: leg.has_heard("Povezujemo te s drugim savetnikom"), limit=15)
    await stage.until(lambda: talks(stage, leg), limit=60)
    await stage.advance(4)
    assert (await mira.presence(), await vera.presence()) == ("on_call", "wrap_up")
    assert sum(1 for one in others(stage, "inbound") if not one.over) == 1
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


def not_rung(stage: Stage) -> bool:
    """Whether no phone of the partner rings or talks."""
    return all(leg.over for leg in stage.exchange.legs.values() if leg.to == PARTNER)


@nightly
async def test_a_partner_who_does_not_answer_costs_no_place_and_one_who_does_takes_the_caller(
    anywhere: Stage,
) -> None:
    stage = anywhere
    stage.exchange.phones[PARTNER] = partner = Phone(picks_up=None)
    await plan(stage, partner_after=20, partner_number=PARTNER)
    vera, _ = await at_phone(stage, "vera", VERA)
    other = await reach(stage, stage.ring("+381641110001"))
    first = stage.ring("+381641110003")
    await stage.advance(2)
    stage.exchange.press(first, "1")
    await stage.advance(5)
    place = (await stage.call_of(first))["queued_at"]
    await stage.until(lambda: partner.rung == 1, limit=60, what="the partner's phone rings")
    partner.picks_up = 3
    await stage.until(lambda: not_rung(stage), limit=60, what="the ring at the partner is over")
    await stage.advance(5)
    call = await stage.call_of(first)
    assert (call["state"], call["queued_at"]) == ("queued", place)
    leg = stage.ring("+381641110002")
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.until(lambda: leg.talks_with is not None, limit=80, what="the partner talks")
    assert leg.talks_with is not None
    assert leg.talks_with.from_ == LINE, "the partner sees our number, not the child's"
    await stage.advance(10)
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert (await stage.call_of(leg))["outcome"] == "transferred_out"
    assert all(x.over for x in stage.exchange.legs.values() if x.to == PARTNER)
    for one in (first, other):
        await stage.exchange.hang_up(one)
    await stage.advance(5)
    assert await vera.presence() == "wrap_up"
    assert await broken_at_the_end(stage) == []


async def says_reached(stage: Stage, who: Counsellor) -> None:
    """Say, as the counsellor, that it was the child; until then nothing is forgotten."""
    (row,) = await stage.rows("SELECT id, state, number_sealed FROM callbacks")
    assert row["state"] == "spoken"
    assert row["number_sealed"] is not None
    answer = await who.ask("POST", f"/callbacks/{row['id']}/say", {"said": "reached"})
    assert answer.status_code == 204, answer.text


async def is_due(stage: Stage, who: Counsellor) -> None:
    """The call-back is due, and the counsellor is there to make it."""
    (row,) = await stage.rows("SELECT next_at FROM callbacks")
    stage.stepped.move_to(row["next_at"])
    await who.sign_in()
    await who.be("available")
    await callback_attempts.open_due(stage.ground)


async def is_tried_again(stage: Stage) -> bool:
    """Whether the first attempt is over and counted, and the next one agreed."""
    (row,) = await stage.rows("SELECT state, attempts FROM callbacks")
    return row == {"state": "agreed", "attempts": 1}


@nightly
async def test_a_child_is_called_back_until_the_phone_is_answered(anywhere: Stage) -> None:
    stage = anywhere
    stage.exchange.phones[CHILD] = child = Phone(picks_up=None, presses=None)
    vera, _ = await at_phone(stage, "vera", VERA)
    other = await reach(stage, stage.ring("+381649990000"))
    leg = stage.ring(CHILD)
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await asks(stage, leg, "1", "1", "1")
    for one in (leg, other):
        await stage.exchange.hang_up(one)
    await stage.advance(3)
    assert (await stage.call_of(leg))["outcome"] == "callback_requested"
    assert child.rung == 0
    await is_due(stage, vera)
    await stage.until(lambda: child.rung == 1, limit=20, what="the child's phone rings")
    await stage.until(lambda: is_tried_again(stage), limit=60, what="it is tried again")
    assert await vera.presence() == "available"
    assert all(one.over for one in stage.exchange.legs.values())
    child.picks_up = 4
    await is_due(stage, vera)
    await stage.until(lambda: child.rung == 2, limit=20, what="the child's phone rings again")
    await stage.advance(12)
    (back,) = await stage.rows(
        "SELECT * FROM calls WHERE direction = 'outbound' AND state != 'ended'"
    )
    assert back["state"] == "connected"
    mine = next(x for x in stage.exchange.legs.values() if x.to == CHILD and not x.over)
    assert mine.from_ == LINE
    assert back["provider_sid"] == mine.sid
    await stage.exchange.hang_up(mine)
    await stage.advance(5)
    await says_reached(stage, vera)
    kept = await stage.rows("SELECT state, attempts, number_sealed FROM callbacks")
    assert kept == [{"state": "reached", "attempts": 2, "number_sealed": None}]
    assert await broken_at_the_end(stage) == []


@pytest.mark.parametrize("platform", _MAIN)
async def test_a_gateway_of_our_own_shows_no_number(
    database: str, anyio_backend: str, platform: Any
) -> None:
    """The phone shows no one at home who has called."""
    gateway = "gateway.example.org;transport=tls"
    async with _on(database, platform, callback_gateway=gateway) as stage:
        address = f"sip:{CHILD}@gateway.example.org;transport=tls"
        stage.exchange.phones[address] = child = Phone(picks_up=4, presses=None)
        vera, _ = await at_phone(stage, "vera", VERA, state="break")
        await agrees(stage)
        await is_due(stage, vera)
        await stage.until(lambda: child.rung == 1, limit=20, what="the child's phone rings")
        await stage.advance(12)
        (back,) = await stage.rows("SELECT * FROM calls WHERE direction = 'outbound'")
        assert back["state"] == "connected"
        mine = next(x for x in stage.exchange.legs.values() if x.to == address)
        assert mine.from_ == "anonymous"
        await stage.exchange.hang_up(mine)
        await stage.advance(5)
        await says_reached(stage, vera)
        assert await stage.rows("SELECT state FROM callbacks") == [{"state": "reached"}]
        assert await broken_at_the_end(stage) == []


@nightly
async def test_doubled_late_and_lost_callbacks_change_nothing(anywhere: Stage) -> None:
    stage = anywhere
    crew = [(await at_phone(stage, *who))[0] for who in (("vera", VERA), ("mira", MIRA))]
    knobs = stage.exchange.knobs
    knobs.turn("duplicate", "/telephony/", times=None, probability=0.5)
    knobs.turn("delay", "/telephony/", times=None, probability=0.4, seconds=3)
    knobs.turn("lose", "/telephony/", times=None, probability=0.2)
    for n in range(4 if WHOLE else 2):
        leg = await reach(stage, stage.ring(f"+38164111000{n}"), told_within=15)
        await stage.advance(10)
        await stage.exchange.hang_up(leg)
        await stage.advance(8)
        for who in crew:
            await who.be("available")
    assert knobs.fired.keys() == {"duplicate", "delay", "lose"}
    knobs.reset()
    # The provider tells of an end that was lost when it is asked.
    await stage.advance(130)
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_minute_of_refusals_and_the_callers_keep_their_place(anywhere: Stage) -> None:
    stage = anywhere
    await at_phone(stage, "vera", VERA)
    # On a stepped clock a job that is put off is due at once: this many refusals are an outage.
    stage.exchange.knobs.turn("refuse", "/Calls.json", times=15)
    leg = stage.ring()
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.advance(3)
    place = (await stage.call_of(leg))["queued_at"]
    await stage.advance(57)
    assert not leg.over
    stage.exchange.knobs.reset()
    await stage.until(lambda: talks(stage, leg), limit=40, what="a talk after the outage")
    await stage.advance(5)
    call = await stage.call_of(leg)
    assert (call["state"], call["queued_at"]) == ("connected", place)
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


# By day the processes are killed (`tests/scenarios/robustness/test_killed_processes.py`).
@nightly
async def test_a_restart_loses_no_caller_and_cuts_no_talk(anywhere: Stage) -> None:
    stage = anywhere
    vera, _ = await at_phone(stage, "vera", VERA)
    talking = await reach(stage, stage.ring("+381641110001"))
    waiting = stage.ring("+381641110002")
    await stage.advance(2)
    stage.exchange.press(waiting, "1")
    await stage.advance(4)
    await stage.restart_server()
    assert talks(stage, talking)
    await stage.advance(5)
    assert not waiting.over
    assert await is_in(stage, talking, "connected")
    await stage.exchange.hang_up(talking)
    await stage.advance(3)
    await vera.be("available")
    await stage.until(lambda: talks(stage, waiting), limit=60)
    await stage.exchange.hang_up(waiting)
    await stage.advance(8)
    assert await broken_at_the_end(stage) == []


async def acknowledged(stage: Stage, who: Counsellor, referral_id: str) -> Any:
    """The referral, once the agency has acknowledged it and its phone has done what it does."""

    async def is_so() -> bool:
        return bool((await referral_of(who, referral_id))["state"] == "acknowledged")

    await stage.until(is_so, limit=30, what="acknowledged")
    await stage.advance(8)
    return await referral_of(who, referral_id)


# By day one does in a talk (`tests/scenarios/referrals/test_duty_phones_in_talks.py`).
@nightly
async def test_an_agency_acknowledges_by_phone(anywhere: Stage) -> None:
    stage = anywhere
    vera, _ = await at_phone(stage, "vera", VERA)
    number = "+381113000001"
    await add_agency(stage, "police", "police", sector="police", phones=(number,))
    theirs = phone(stage, number, presses="1")
    leg = await reach(stage, stage.ring())
    call = await stage.call_of(leg)
    body = {"service": "police", "warm": True}
    made = await vera.ask("POST", f"/calls/{call['id']}/urgent", body)
    assert made.status_code == 201, made.text
    found = await acknowledged(stage, vera, made.json()["id"])
    assert theirs.rung == 1
    # Where three can talk together they do; elsewhere the counsellor and the child talk on.
    assert ("joined_the_live_call" in story(found)) == stage.settings.abilities.can(Ability.ADD)
    assert await is_in(stage, leg, "connected")
    await stage.exchange.hang_up(leg)
    await stage.advance(8)
