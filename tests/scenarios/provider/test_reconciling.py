"""Our record is compared with the provider's list every minute, and put right after asking."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from app.clock import SystemClock
from app.demo.invariants import broken_at_the_end
from app.demo.stage import LINE, Stage, stage_on
from app.practice.knobs import Trouble
from app.practice.legs import Leg
from app.practice.people import Phone
from app.telephony.platforms.conference import ConferencePlatform
from tests.support.contacts import skip_minutes
from tests.support.profile import WHOLE, nightly
from tests.support.talks import leg_of, rings_at, talk, waiting, waits
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("each_minute")


async def test_a_call_that_we_never_heard_of_is_opened_and_greeted_and_no_other(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    number = stage.exchange.numbers[LINE]
    others = _legs_of_others(stage)
    leg = leg_of(stage, status_callback=number.status_callback)
    await stage.advance(63)
    assert leg.has_heard("ovde Plavi telefon")
    call = await stage.call_of(leg)
    assert call["opened_at"] == leg.created_at.replace(microsecond=0), "as of when it rang"
    stage.exchange.press(leg, "1")
    await stage.advance(2)
    assert await rings_at(stage, ana) == ["ana"]
    await ana.accept()
    await stage.advance(3)
    await stage.exchange.hang_up(leg)
    await stage.advance(130)
    assert (await stage.call_of(leg))["outcome"] == "answered"
    assert len(await stage.rows("SELECT 1 FROM calls")) == 1
    assert [one.over for one in others] == [False] * 3


def _legs_of_others(stage: Stage) -> list[Leg]:
    """Legs of other numbers and of other programs of the account, which are left alone."""
    leg = leg_of(stage, to="+38111999999")
    theirs = leg_of(stage, direction="outbound-api", from_="+38111999999", to="+381641110000")
    # It shows the line's own number, and no row of ours says that we asked for it.
    another = leg_of(
        stage,
        direction="outbound-api",
        from_=LINE,
        to="+38164999001",
        person=Phone(),
        status="ringing",
        answered_at=None,
    )
    return [leg, theirs, another]


@nightly
async def test_a_ghost_is_asked_about_before_it_is_lost(stage: Stage) -> None:
    await stage.add_counsellor("ana", state=None)
    boris = await stage.add_counsellor("boris")
    leg = await waits(stage)
    await boris.decline()
    del stage.exchange.legs[leg.sid]
    assert leg.program is not None
    leg.program.cancel()
    await stage.advance(115)
    (row,) = await stage.rows("SELECT outcome, ended_by FROM calls")
    assert row == {"outcome": "lost", "ended_by": "program"}
    assert await boris.presence() == "away"


async def test_a_leg_whose_answer_never_came_does_not_ring_on(stage: Stage) -> None:
    """The provider carried the request out, and its list does not show it for a while."""
    stage.settings.offer_seconds = 60
    stage.exchange.phones["+38164999001"] = Phone(picks_up=None)
    await stage.add_counsellor("vera", endpoint="+38164999001")
    stage.exchange.knobs.turn("accept_and_time_out", "POST /2010-04-01", times=1)
    stage.exchange.knobs.turn("lose", "/legs/", times=None)
    hidden: dict[str, Leg] = {}
    leg = await waits(stage)
    for sid in [sid for sid, one in stage.exchange.legs.items() if one.direction != "inbound"]:
        hidden[sid] = stage.exchange.legs.pop(sid)
    await stage.advance(12)
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    (orphan,) = hidden.values()
    assert not orphan.over
    stage.exchange.legs |= hidden
    await stage.advance(46)
    assert orphan.ending == "api"


async def test_no_counsellor_stays_busy_with_a_call_that_is_not_there(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    boris = await stage.add_counsellor("boris")
    await stage.rows(
        "UPDATE presences SET state = 'on_call' WHERE counsellor_id = %s RETURNING 1", ana.id
    )
    await stage.rows(
        "UPDATE presences SET state = 'break', cause = 'helps'"
        " WHERE counsellor_id = %s RETURNING 1",
        boris.id,
    )
    await stage.advance(110)
    # Nothing was heard of their browsers meanwhile.
    assert await ana.presence() == "away"
    assert await boris.presence() == "away"


async def test_an_offer_during_an_outage_of_ours_is_no_miss(stage: Stage) -> None:
    """The server was away for a minute: the counsellor was there, and is asked again at once."""
    ana = await stage.add_counsellor("ana")
    leg = await waits(stage)
    assert await rings_at(stage, ana) == ["ana"]
    await stage.stop_server()
    # A minute in which no worker of ours runs; the caller hears what they last heard.
    stage.stepped.leap(timedelta(seconds=60))
    await stage.start_server()
    await stage.settle()
    await stage.advance(2)
    assert await rings_at(stage, ana) == ["ana"]
    states = [
        row["state"] for row in await stage.rows("SELECT state FROM offers ORDER BY opened_at")
    ]
    assert states == ["withdrawn", "open"]
    call = await stage.call_of(leg)
    assert call["queued_at"] is not None
    await ana.accept()
    await stage.advance(3)
    assert (await stage.call_of(leg))["state"] == "connected"


@pytest.fixture
async def real(database: str, anyio_backend: str) -> AsyncIterator[Stage]:
    """The helpline on the real clock, with short limits."""
    async with stage_on(
        database, clock=SystemClock(), wrap_up_seconds=0, offer_seconds=5, connect_seconds=5
    ) as made:
        await made.add_line()
        yield made


# 429, 500, or the one after the other.
TROUBLES = [["refuse", "refuse"], ["fail", "fail"]] if WHOLE else [["refuse", "fail"]]


@nightly
@pytest.mark.parametrize("troubles", TROUBLES, ids="-".join)
async def test_a_provider_that_refuses_everything_for_a_while(
    real: Stage, troubles: list[Trouble]
) -> None:
    """For longer than an offer lives: no counsellor is set away, and all go on."""
    stage = real
    stage.exchange.phones["+38164999001"] = Phone(picks_up=0.2, press_after=0.2)
    vera = await stage.add_counsellor("vera", endpoint="+38164999001")
    ana = await stage.add_counsellor("ana")
    talking = stage.ring("+381641110000")
    await until(lambda: bool(talking.heard))
    stage.exchange.press(talking, "1")
    first = await offered(stage, ana, vera)
    if first is ana:
        await ana.accept()
    await until(lambda: stage.exchange.conferences.of_leg(talking) is not None)

    stage.exchange.knobs.turn(troubles[0], "", times=None)
    waiting = stage.ring("+381641110001")
    await until(lambda: bool(waiting.heard))
    stage.exchange.press(waiting, "1")
    for second in range(13):
        if second == 6:
            stage.exchange.knobs.reset()
            stage.exchange.knobs.turn(troubles[1], "", times=None)
        await asyncio.sleep(1)
        for who in (ana, vera):
            if (offer := await who.offer()) and offer["state"] == "open" and who is ana:
                await who.ask("POST", f"/offers/{offer['id']}/accept")
    before = (await stage.call_of(waiting))["queued_at"]
    stage.exchange.knobs.reset()

    async def connected() -> bool:
        for who in (ana, vera):
            if (offer := await who.offer()) and offer["state"] == "open" and who is ana:
                await who.ask("POST", f"/offers/{offer['id']}/accept")
        return stage.exchange.conferences.of_leg(waiting) is not None

    for _ in range(300):
        if await connected():
            break
        await asyncio.sleep(0.1)
    assert stage.exchange.conferences.of_leg(waiting) is not None
    assert stage.exchange.conferences.of_leg(talking) is not None, "the talk goes on"
    assert (await stage.call_of(waiting))["queued_at"] == before
    presences = await stage.rows("SELECT state, missed FROM presences")
    assert all(row["state"] == "on_call" and row["missed"] == 0 for row in presences), presences


async def offered(stage: Stage, *crew: object) -> object:
    for _ in range(200):
        for who in crew:
            if await who.offer() is not None:  # type: ignore[attr-defined]
                return who
        await asyncio.sleep(0.05)
    raise AssertionError("nothing was offered")


@nightly
async def test_a_talk_whose_end_was_never_reported_releases_the_counsellor(stage: Stage) -> None:
    """No callback about the end ever comes: neither the leg's, nor the conference's."""
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    stage.exchange.knobs.turn("lose", "", times=None)
    for one in list(stage.exchange.legs.values()):
        await stage.exchange.end_leg(one, "completed", "person")
    await stage.advance(200)
    assert (await stage.call_of(leg))["state"] == "ended"
    assert await ana.presence() == "away"


@nightly
async def test_a_waiting_caller_whose_end_was_never_reported_is_ended(stage: Stage) -> None:
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


class _Unlisted(dict[str, Leg]):
    """Legs that the provider finds by their id, and leaves out of its list."""

    def values(self) -> Any:
        return {}.values()


# By day a talk that the list leaves out goes on in `tests/scenarios/without_conferences`.
@nightly
async def test_a_long_quiet_talk_is_asked_about_and_goes_on(stage: Stage) -> None:
    """No report of a talk comes for long, since nothing happens in it; a list leaves it out."""
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    page = stage.exchange.legs
    stage.exchange.legs = _Unlisted(page)
    await skip_minutes(stage, 2, every=0.5)
    stage.exchange.legs = page
    await skip_minutes(stage, 15, every=1)
    assert not leg.over
    assert (await stage.call_of(leg))["state"] == "connected"
    asked = await stage.rows("SELECT 1 FROM call_events WHERE kind = 'asked_the_provider'")
    assert asked, "it was asked about"
    await stage.exchange.hang_up(leg)
    await stage.advance(40)
    assert await broken_at_the_end(stage) == []


@nightly
@pytest.mark.parametrize("endpoint", ["browser", "+38164999001"] if WHOLE else ["+38164999001"])
async def test_a_leg_that_was_given_up_and_lives_is_ended(
    stage: Stage, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object, **__: object) -> None:
        return None

    monkeypatch.setattr(ConferencePlatform, "find_leg", nothing)
    stage.exchange.knobs.turn("accept_and_time_out", "POST", seconds=2)
    stage.exchange.knobs.turn("delay", "/legs/", times=3, seconds=12)
    stage.exchange.phones["+38164999001"] = Phone(picks_up=18)
    ana = await stage.add_counsellor("ana", endpoint=endpoint)
    leg = await waiting(stage)
    if endpoint == "browser":
        await ana.accept()
    await stage.advance(9)
    await stage.exchange.hang_up(leg)
    await stage.advance(12)
    outbound = [x for x in stage.exchange.legs.values() if x.direction != "inbound"]
    assert len(outbound) == 1
    assert outbound[0].over
