"""Fourteen ways in which other call rooms have failed their callers, by what happened there."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import uuid4
from zoneinfo import ZoneInfo

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.parties import Phone
from app.routing.rota.on_duty import Rota, next_duty, stretches
from app.routing.rota.shifts import Shift
from tests.scenarios.test_main_job import talk
from tests.scenarios.test_matching import rings_at
from tests.scenarios.test_rota import waits


async def test_an_agent_stays_reserved_when_another_answered_first(stage: Stage) -> None:
    crew = [await stage.add_counsellor(name) for name in ("ana", "boris")]
    leg = await waits(stage, "9")
    ids = [(c, o["id"]) for c in crew if (o := await c.offer())]
    await asyncio.gather(*(c.ask("POST", f"/offers/{offer}/accept") for c, offer in ids))
    await stage.advance(4)
    assert sorted([await c.presence() for c in crew]) == ["available", "on_call"]
    assert (await stage.call_of(leg))["state"] == "connected"


async def test_a_member_is_answered_hours_after_hanging_up(stage: Stage) -> None:
    """The hang-up comes at the same instant as the acceptance, in either order."""
    ana = await stage.add_counsellor("ana")
    for first in ("hang_up", "accept"):
        leg = await waits(stage, from_=f"+38164111000{len(first)}")
        offer = await ana.offer()
        assert offer is not None
        accepting = ana.ask("POST", f"/offers/{offer['id']}/accept")
        leaving = stage.exchange.hang_up(leg)
        order = (leaving, accepting) if first == "hang_up" else (accepting, leaving)
        await asyncio.gather(*order)
        await stage.advance(40)
        call = await stage.call_of(leg)
        assert (call["state"], call["answered_at"]) == ("ended", None)
        assert await stage.rows("SELECT 1 FROM offers WHERE released_at IS NULL") == []
        assert await ana.presence() == "available"
    assert await broken_at_the_end(stage) == []


async def test_a_zombie_rings_on_after_the_caller_hung_up(stage: Stage) -> None:
    stage.exchange.phones["+38164999001"] = phone = Phone(picks_up=None)
    await stage.add_counsellor("vera", endpoint="+38164999001")
    leg = await waits(stage)
    assert phone.rung == 1
    await stage.exchange.hang_up(leg)
    await stage.advance(1)
    assert all(x.over for x in stage.exchange.legs.values())


async def test_an_unavailable_last_agent_halts_the_whole_queue(stage: Stage) -> None:
    """The first caller can be taken by nobody who is free; the second by her."""
    english = await stage.add_counsellor("english", languages="en")
    serbian = await stage.add_counsellor("serbian", languages="sr")
    await talk(stage, serbian, from_="+381641110000")
    first = await waits(stage, "1", "+381641110001")
    await waits(stage, "2", "+381641110002")
    assert (await stage.call_of(first))["state"] == "queued"
    assert await rings_at(stage, english) == ["english"]


async def test_a_call_is_answered_by_two_agents(stage: Stage) -> None:
    phones = {n: Phone(picks_up=2, press_after=1) for n in ("+38164999001", "+38164999002")}
    stage.exchange.phones |= phones
    for n in phones:
        await stage.add_counsellor(f"c{n[-1]}", endpoint=n)
    leg = await waits(stage, "9")
    await stage.advance(12)
    conference = stage.exchange.conferences.of_leg(leg)
    assert conference is not None
    assert len(conference[0].participants) == 2
    held = await stage.rows("SELECT state FROM offers WHERE released_at IS NULL")
    assert [row["state"] for row in held] == ["connected"]


async def test_one_answer_and_hang_up_drops_all_other_ringing_agents(stage: Stage) -> None:
    stage.exchange.phones |= {
        "+38164999001": Phone(picks_up=1, presses=None),
        "+38164999002": Phone(picks_up=8, press_after=1),
    }
    await stage.add_counsellor("quick", endpoint="+38164999001")
    await stage.add_counsellor("slow", endpoint="+38164999002")
    leg = await waits(stage, "9")
    quick = next(x for x in stage.exchange.legs.values() if x.to == "+38164999001")
    await stage.exchange.hang_up(quick)
    await stage.advance(14)
    assert (await stage.call_of(leg))["state"] == "connected", "the other rang on, and took it"


async def test_an_agent_is_locked_in_a_call_for_ever_after_a_missing_end(stage: Stage) -> None:
    """No callback about the end ever comes: neither the leg's, nor the conference's."""
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    stage.exchange.knobs.turn("lose", "", times=None)
    for one in list(stage.exchange.legs.values()):
        await stage.exchange.end_leg(one, "completed", "party")
    await stage.advance(200)
    assert (await stage.call_of(leg))["state"] == "ended"
    assert await ana.presence() in ("available", "away")


async def test_a_ring_failure_sets_somebody_away_who_is_there(stage: Stage) -> None:
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


async def test_calls_are_shown_in_progress_for_days(stage: Stage) -> None:
    await stage.add_counsellor("ana", state=None)
    boris = await stage.add_counsellor("boris")
    leg = await waits(stage)
    await boris.decline()
    await stage.advance(20)
    stage.exchange.knobs.turn("lose", "", times=None)
    await stage.exchange.hang_up(leg)
    await stage.advance(240)
    call = await stage.call_of(leg)
    assert call["state"] == "ended"
    assert call["outcome"] == "abandoned_in_queue", "the provider knew when; it is not lost"


async def test_a_reaper_of_stale_calls_kills_a_live_talk(stage: Stage) -> None:
    """Nothing is heard of a talk for long, since nothing happens in it."""
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    await stage.advance(900)
    assert not leg.over
    assert (await stage.call_of(leg))["state"] == "connected"
    asked = await stage.rows("SELECT 1 FROM call_events WHERE kind = 'asked_the_provider'")
    assert asked, "it was asked about"


async def test_the_backlog_is_ignored_when_somebody_becomes_free(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana", state=None)
    boris = await stage.add_counsellor("boris")
    await talk(stage, boris, from_="+381641110000")
    old = await waits(stage, from_="+381641110001")
    new = await waits(stage, from_="+381641110002")
    await ana.be("available")
    assert (await stage.call_of(old))["state"] == "offered", "the oldest first, and at once"
    assert (await stage.call_of(new))["state"] == "queued"


def test_a_schedule_shifts_by_an_hour_when_the_clocks_change() -> None:
    zone = ZoneInfo("Europe/Belgrade")
    night = Shift(uuid4(), "FREQ=DAILY", time(22), 480, zone.key, date(2026, 1, 1))
    day = Shift(uuid4(), "FREQ=DAILY", time(6), 960, zone.key, date(2026, 1, 1))
    since, until = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)
    found = stretches(Rota((night, day)), since, until)
    for duty in found:
        assert duty.start.astimezone(zone).time() in (time(22), time(6))
    for before, after in pairwise(found):
        assert before.end == after.start, "neither a gap nor two at once"


def test_nobody_knows_when_the_next_hand_off_is() -> None:
    """A fortnightly shift begins on a day that is written down; the next three are certain."""
    shift = Shift(
        uuid4(), "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", time(8), 480, "UTC", date(2026, 11, 23)
    )
    rota, at, told = Rota((shift,)), datetime(2026, 11, 25, tzinfo=UTC), []
    for _ in range(3):
        duty = next_duty(rota, at)
        assert duty is not None
        told.append(duty.start.date())
        at = duty.start
    assert told == [date(2026, 12, 7) + timedelta(days=14 * n) for n in range(3)]


async def test_calls_are_lost_at_a_restart(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    talking = await talk(stage, ana, from_="+381641110000")
    waiting = [await waits(stage, from_=f"+38164111000{n}") for n in (1, 2)]
    places = [(await stage.call_of(leg))["queued_at"] for leg in waiting]
    await stage.restart_server()
    await stage.advance(5)
    assert not any(leg.over for leg in [talking, *waiting])
    assert [(await stage.call_of(leg))["queued_at"] for leg in waiting] == places
    boris = await stage.add_counsellor("boris")
    assert await rings_at(stage, boris) == ["boris"], "and whoever waits is offered again"
