"""A person hangs up, or their line dies: told apart by what the provider says of the leg."""

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.legs import Leg
from app.practice.people import Phone
from tests.support.profile import nightly
from tests.support.talks import POLICE, a_talk, act, client, die, done, inside, rings_at, room, talk

VERA = "+38164999001"


async def _at_phone(stage: Stage, **how: object) -> tuple[Leg, Phone]:
    """A child talks with a counsellor who has nothing but a phone."""
    phone = Phone(picks_up=2, **how)  # type: ignore[arg-type]
    stage.exchange.phones[VERA] = phone
    await stage.add_counsellor("vera", endpoint=VERA)
    leg = stage.ring()
    await stage.advance(1)
    stage.exchange.press(leg, "1")
    await stage.advance(10)
    assert (await stage.call_of(leg))["state"] == "connected"
    return leg, phone


@nightly
async def test_a_phone_counsellor_who_hangs_up_ends_the_talk(stage: Stage) -> None:
    leg, _ = await _at_phone(stage, hangs_up_after=12)
    await stage.advance(15)
    assert leg.over
    call = await stage.call_of(leg)
    assert (call["outcome"], call["ended_by"], call["returned"]) == ("answered", "counsellor", 0)
    assert await broken_at_the_end(stage) == []


@nightly
async def test_the_end_of_the_leg_is_never_told_and_is_asked_for(stage: Stage) -> None:
    leg, _ = await _at_phone(stage, hangs_up_after=12)
    stage.exchange.knobs.turn("lose", "/legs/", times=None)
    await stage.advance(27)
    assert leg.over
    assert (await stage.call_of(leg))["ended_by"] == "counsellor"


async def test_a_phone_whose_line_died_is_rung_again_and_a_machine_does_not_get_the_child(
    stage: Stage,
) -> None:
    leg, phone = await _at_phone(stage, drops_after=12, drops=2)
    await stage.advance(4)
    await stage.until(lambda: leg.has_heard("Veza je slaba"), limit=20)
    participant = room(stage).participants[leg.sid]
    assert participant.held, "the child hears a word and soft sound meanwhile"
    await stage.until(lambda: not room(stage).participants[leg.sid].held, limit=12)
    assert phone.rung == 2
    call = await stage.call_of(leg)
    assert (call["state"], call["returned"]) == ("connected", 0)
    assert [o["state"] for o in await stage.rows("SELECT state FROM offers")] == ["connected"]
    # The line dies again. The first rings were taken by key; the mailbox presses none.
    phone.presses = None
    boris = await stage.add_counsellor("boris", state="off_duty")
    await stage.until(lambda: phone.rung == 3, limit=20)
    await stage.advance(40)
    call = await stage.call_of(leg)
    assert (call["state"], call["returned"]) == ("queued", 1)
    await boris.be("available")
    assert await rings_at(stage, boris) == ["boris"]
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_line_that_stays_dead_brings_the_child_back_to_the_front(stage: Stage) -> None:
    leg, phone = await _at_phone(stage, drops_after=12, drops=1)
    phone.picks_up = None
    boris = await stage.add_counsellor("boris", state="off_duty")
    await stage.advance(42)
    call = await stage.call_of(leg)
    assert (call["state"], call["returned"]) == ("queued", 1)
    assert leg.has_heard("Veza sa savetnikom je prekinuta")
    await boris.be("available")
    assert await rings_at(stage, boris) == ["boris"]
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


@nightly
async def test_the_caller_hangs_up_while_the_counsellor_is_rung_again(stage: Stage) -> None:
    leg, phone = await _at_phone(stage, drops_after=12, drops=1)
    phone.picks_up = 10
    await stage.until(lambda: phone.rung == 2, limit=20)
    await stage.exchange.hang_up(leg)
    await stage.advance(40)
    assert all(one.over for one in stage.exchange.legs.values())
    assert (await stage.call_of(leg))["outcome"] == "answered"
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_browser_that_is_gone_for_a_moment_comes_back_to_the_same_child(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    mine = next(p.leg for p in room(stage).participants.values() if p.leg.to == client(ana))
    await stage.exchange.end_leg(mine, "completed", "person")
    await stage.advance(6)
    assert inside(stage) == {"+381641234567", client(ana)}
    call = await stage.call_of(leg)
    assert (call["state"], call["returned"]) == ("connected", 0)
    await done(stage, leg)


# By day the verbs of it are tried (`tests/routing/test_lost_counsellor.py`).
@nightly
async def test_others_stay_with_the_child_and_a_colleague_is_fetched(stage: Stage) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    stage.exchange.phones[POLICE] = Phone(picks_up=1)
    await act(ana, call, "add", {"number": POLICE, "role": "interpreter"})
    await stage.advance(12)
    assert POLICE in inside(stage)
    await die(stage, ana, comes_back=False)
    assert inside(stage) == {"+381641234567", POLICE}, "the others are not hung up on"
    assert (await stage.call_of(leg))["state"] == "queued"
    # A colleague who does not answer is followed by the next.
    silent = await stage.add_counsellor("eva")
    assert await rings_at(stage, silent) == ["eva"]
    await stage.advance(25)
    assert inside(stage) == {"+381641234567", POLICE}
    boris = await stage.add_counsellor("boris")
    assert await rings_at(stage, boris) == ["boris"]
    await boris.accept()
    await stage.advance(5)
    assert inside(stage) == {"+381641234567", POLICE, client(boris)}
    assert (await stage.call_of(leg))["state"] == "connected"
    assert not leg.has_heard("Veza sa savetnikom je prekinuta"), "the child never left the talk"
    # It happens again, and the others leave, too: the child is in the queue.
    await ana.be("off_duty")
    await die(stage, boris, comes_back=False)
    assert inside(stage) == {"+381641234567", POLICE}
    others = next(p.leg for p in room(stage).participants.values() if p.leg.to == POLICE)
    await stage.exchange.hang_up(others)
    await stage.until(lambda: stage.exchange.conferences.of_leg(leg) is None, limit=25)
    await stage.advance(5)
    assert leg.has_heard("Veza sa savetnikom je prekinuta")
    assert (await stage.call_of(leg))["kept_room_id"] is None
    mira = await stage.add_counsellor("mira")
    await mira.accept()
    await stage.advance(4)
    assert (await stage.call_of(leg))["state"] == "connected"
    await done(stage, leg)


@nightly
async def test_an_outside_consult_is_not_hung_up_on_and_the_child_is_not_held(
    stage: Stage,
) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    stage.exchange.phones[POLICE] = Phone(picks_up=1)
    await act(ana, call, "transfer", {"number": POLICE})
    await stage.advance(12)
    assert room(stage).participants[leg.sid].held
    await die(stage, ana, comes_back=False)
    assert inside(stage) == {"+381641234567", POLICE}
    assert not room(stage).participants[leg.sid].held, "they hear each other"
    await done(stage, leg)
