"""A talk is in the record, whichever of its callbacks was lost; what was no talk is not."""

import random
from itertools import product

from app.demo.counsellor import Counsellor
from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.legs import Leg
from app.practice.people import Phone
from tests.support.platforms import is_in
from tests.support.profile import WHOLE, nightly
from tests.support.talks import CHILD, waiting, waits

VERA = "+38164999001"


class Crew:
    """One counsellor at a browser and one at a phone, of whom one is available at a time."""

    def __init__(self, stage: Stage, ana: Counsellor, vera: Counsellor) -> None:
        self._stage, self._ana, self._vera = stage, ana, vera

    @classmethod
    async def on(cls, stage: Stage, picks_up: float = 2) -> "Crew":
        stage.exchange.phones[VERA] = Phone(picks_up=picks_up)
        ana = await stage.add_counsellor("ana", state="break")
        return cls(stage, ana, await stage.add_counsellor("vera", endpoint=VERA, state="break"))

    async def begins(self, how: str, from_: str = CHILD, after: float = 0) -> Leg:
        """A caller who is on the way to a counsellor at a browser, or at a phone."""
        for one, at in ((self._ana, "browser"), (self._vera, "phone")):
            await one.be("available" if at == how else "break")
        leg = await waits(self._stage, from_=from_)
        if after:
            await self._stage.advance(after)
        if how == "browser":
            await self._ana.accept()
        return leg


HOW = ("browser", "phone")


async def _is_a_talk(stage: Stage, leg: Leg) -> bool:
    """Whether the record says that it was a talk, and has a contact to write in."""
    call = await stage.call_of(leg)
    contact = await stage.rows("SELECT 1 FROM contacts WHERE call_id = %s", call["id"])
    return call["outcome"] == "answered" and len(contact) == 1


async def test_a_young_talk_is_seen_although_its_joining_was_not_told(stage: Stage) -> None:
    """Reports are lost: the counsellor's joining, the caller's, or the whole conference."""
    crew = await Crew.on(stage)
    lost_and_how = [*product(("participant-join", "participant", "/conference"), HOW)]
    # The first and all of the reports, and each way to a counsellor; with TESTS=whole every pair.
    for lost, how in lost_and_how if WHOLE else (lost_and_how[0], lost_and_how[-1]):
        stage.exchange.knobs.turn("lose", lost, times=None if lost == "/conference" else 2)
        leg = await crew.begins(how)
        await stage.until(lambda leg=leg: is_in(stage, leg, "connected"), limit=20, what=lost + how)
        call = await stage.call_of(leg)
        assert await stage.rows("SELECT 1 FROM contacts WHERE call_id = %s", call["id"])
        found = await stage.rows(
            "SELECT 1 FROM call_events WHERE kind = 'talk_found' AND call_id = %s", call["id"]
        )
        assert len(found) == 1, (lost, how)
        await stage.exchange.hang_up(leg)
        await stage.advance(8)
        stage.exchange.knobs.reset()
    await stage.advance(30)
    assert await broken_at_the_end(stage) == []


async def test_a_talk_of_two_seconds_is_found_when_it_is_over(stage: Stage) -> None:
    crew = await Crew.on(stage)
    for how in reversed(HOW) if WHOLE else HOW[1:]:
        leg = await crew.begins(how)
        stage.exchange.knobs.turn("lose", "/conference participant-join", times=None)
        stage.exchange.knobs.turn("lose", "/conference participant-leave", times=None)
        await stage.until(lambda leg=leg: _together(stage, leg), limit=20)
        await stage.advance(2)
        await stage.exchange.hang_up(leg)
        await stage.until(lambda leg=leg: _is_a_talk(stage, leg), limit=60, what=how)
        stage.exchange.knobs.reset()
    await stage.advance(30)
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_talk_of_a_moment_is_found_whatever_is_late_or_lost(stage: Stage) -> None:
    """Half of the reports of the conference come late, and a third never, in one talk or the other
    all of it; the child hangs up within two seconds.
    """
    knobs, dice = stage.exchange.knobs, random.Random(5)
    crew = await Crew.on(stage, picks_up=1)
    knobs.turn("delay", "/conference participant", times=None, probability=0.5, seconds=1.5)
    knobs.turn("lose", "/conference participant", times=None, probability=0.3)
    for number, how in product(range(16 if WHOLE else 2), HOW):
        leg = await crew.begins(how, f"+3816412345{number:02d}", dice.random())
        while not _together(stage, leg):
            due = stage.stepped.next_due()
            assert due is not None
            await stage.advance((due - stage.clock.now()).total_seconds())
        if lasts := dice.choice([0, 0, 0.05, 0.3, 0.8, 1.2, 2]):
            await stage.advance(lasts)
        await stage.exchange.hang_up(leg)
        await stage.advance(8)
    await stage.advance(30)
    assert await broken_at_the_end(stage) == []


# By day `tests/telephony/counsellor/test_conference.py` has the events in any order.
@nightly
async def test_a_talk_is_found_when_the_end_of_the_other_line_is_told_first(stage: Stage) -> None:
    """The conference ends both legs at once. Nothing was told of it, and of the two ends that of
    the counsellor's leg comes first: the child seems to be back in the queue, and then hangs up.
    """
    crew = await Crew.on(stage)
    for how in HOW:
        leg = await crew.begins(how)
        stage.exchange.knobs.turn("lose", "/conference", times=None)
        await stage.until(lambda leg=leg: _together(stage, leg), limit=20)
        await stage.advance(1)
        call = await stage.call_of(leg)
        stage.exchange.knobs.turn("disconnect", f"/calls/{call['id']}/left", times=None)
        stage.exchange.knobs.turn("delay", "/telephony/status", times=None, seconds=1)
        await stage.exchange.hang_up(leg)
        await stage.until(lambda leg=leg: _is_a_talk(stage, leg), limit=60, what=how)
        ends = await stage.rows(
            "SELECT 1 FROM call_events WHERE call_id = %s AND kind = 'offer_ended'", call["id"]
        )
        assert ends, "the counsellor's leg was told to be over before the caller's"
        stage.exchange.knobs.reset()
    await stage.advance(30)
    assert await broken_at_the_end(stage) == []


def _together(stage: Stage, leg: Leg) -> bool:
    found = stage.exchange.conferences.of_leg(leg)
    return found is not None and len(found[0].participants) == 2


@nightly
async def test_a_phone_that_was_added_and_not_answered_has_not_talked(stage: Stage) -> None:
    """The provider tells that it has left, though it never joined."""
    ana = await stage.add_counsellor("ana")
    stage.exchange.phones[f"client:{ana.staff.identity}"] = Phone(picks_up=None)
    leg = await waits(stage)
    await ana.accept()
    await stage.advance(35)
    left = [
        f
        for _, f in stage.exchange.sender.sent
        if f.get("ReasonParticipantLeft") == "participant_add_failed"
    ]
    assert left, "the exchange is as strict as the provider"
    call = await stage.call_of(leg)
    assert call["answered_at"] is None
    await stage.exchange.hang_up(leg)
    await stage.advance(10)
    assert (await stage.call_of(leg))["outcome"] != "answered"
    assert await stage.rows("SELECT 1 FROM contacts") == []


async def test_a_counsellor_who_is_still_being_rung_is_not_in_the_conference(stage: Stage) -> None:
    """Asked while the counsellor's phone rings, the provider lists it; that is no talk yet."""
    ana = await stage.add_counsellor("ana")
    stage.exchange.phones[f"client:{ana.staff.identity}"] = Phone(picks_up=12)
    leg = await waits(stage)
    await ana.accept()
    await stage.advance(10)
    call = await stage.call_of(leg)
    assert (call["state"], call["answered_at"]) == ("offered", None)
    await stage.advance(12)
    assert (await stage.call_of(leg))["state"] == "connected"
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_talk_whose_joins_were_lost_is_not_cut_off(stage: Stage) -> None:
    """The counsellor's join is never told, nor the caller's: the provider is asked."""
    stage.exchange.knobs.turn("lose", "participant-join", times=2)
    ana = await stage.add_counsellor("ana")
    leg = await waiting(stage)
    await ana.accept()
    await stage.advance(45)
    assert (await stage.call_of(leg))["state"] == "connected"
    assert await ana.presence() == "on_call"
    assert stage.exchange.conferences.of_leg(leg) is not None
    await stage.exchange.hang_up(leg)
    await stage.advance(3)
    assert (await stage.call_of(leg))["outcome"] == "answered"
    assert await broken_at_the_end(stage) == []


# By day `tests/telephony/counsellor/test_conference.py` has the events in any order.
@nightly
async def test_a_counsellor_whose_line_dies_before_we_hear_of_the_join(stage: Stage) -> None:
    """The caller was moved to an empty conference: fetched at once."""
    ana = await stage.add_counsellor("ana")
    leg = await waiting(stage)
    # The caller's join is held up: the second one that is told.
    stage.exchange.knobs.turn("delay", "participant-join", times=1, seconds=0.01)
    stage.exchange.knobs.turn("delay", "participant-join", times=1, seconds=8)
    await ana.ask("POST", f"/offers/{(await ana.offer() or {})['id']}/accept")
    await stage.until(lambda: stage.exchange.conferences.of_leg(leg) is not None, limit=20)
    counsellor = next(x for x in stage.exchange.legs.values() if x.direction != "inbound")
    await stage.exchange.end_leg(counsellor, "completed", "person")
    await stage.advance(4)
    assert (await stage.call_of(leg))["state"] == "queued"
    assert stage.exchange.conferences.of_leg(leg) is None
    # Heard of late, and kept: for a moment they were together.
    await stage.advance(6)
    assert (await stage.call_of(leg))["answered_at"] is not None
    await stage.exchange.hang_up(leg)
    await stage.advance(3)
    assert (await stage.call_of(leg))["outcome"] == "answered"
    assert await broken_at_the_end(stage) == []
