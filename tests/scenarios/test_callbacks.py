"""Call-backs: on the caller's own wish, where it is safe, in the time that they chose."""

from datetime import time, timedelta
from typing import Any

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Counsellor, Stage
from app.practice.legs import Leg
from app.practice.parties import Phone
from app.routing import callbacks
from tests.scenarios.test_main_job import talk
from tests.scenarios.test_matching import rings_at
from tests.scenarios.test_rota import waits

CHILD = "+381641234567"


async def asks(stage: Stage, leg: Leg, *keys: str) -> None:
    """Press 3 when it is offered, then these keys at each question."""
    await stage.until(
        lambda: leg.has_heard("kasnije pozovemo, pritisni 3"), limit=120, what="the offer"
    )
    await stage.advance(1)
    stage.exchange.press(leg, "3")
    for words, key in zip(("bezbedno", "niko drugi ne sme", "Što pre možemo"), keys, strict=False):
        await stage.until(lambda words=words: leg.has_heard(words), limit=30, what=words)
        await stage.advance(1)
        stage.exchange.press(leg, key)
    await stage.advance(6)


async def asked_back(stage: Stage, *keys: str, from_: str = CHILD) -> tuple[Leg, Counsellor]:
    """Everybody talks; a child waits, wants to be called back, and hangs up."""
    ana = await stage.add_counsellor("ana")
    other = await talk(stage, ana, from_="+381649990000")
    leg = await waits(stage, from_=from_)
    await asks(stage, leg, *keys)
    await stage.exchange.hang_up(leg)
    await stage.advance(1)
    await stage.exchange.hang_up(other)
    await stage.advance(33)
    return leg, ana


async def state(stage: Stage) -> Any:
    rows = await stage.rows("SELECT * FROM callbacks ORDER BY agreed_at")
    return rows[-1]


async def test_a_child_is_called_back_when_a_counsellor_is_there(stage: Stage) -> None:
    stage.exchange.phones[CHILD] = child = Phone(picks_up=4, presses=None)
    leg, ana = await asked_back(stage, "1", "1", "1")
    assert leg.has_heard("Pozvaćemo te između")
    call = await stage.call_of(leg)
    assert call["outcome"] == "callback_requested"
    promised = await state(stage)
    assert (promised["who"], promised["tries"]) == ("caller", 0)
    assert CHILD.encode()[1:] not in bytes(promised["number_sealed"])
    assert child.rung == 0, "nobody's phone rings before somebody is there to talk"
    await ana.be("available")
    await stage.until(lambda: rings_at(stage, ana), limit=61, what="the call-back is offered")
    assert child.rung == 0
    await ana.accept()
    await stage.advance(8)
    assert child.rung == 1
    back = (await stage.rows("SELECT * FROM calls WHERE direction = 'outbound'"))[0]
    assert (back["state"], back["caller_key"]) == ("connected", call["caller_key"])
    # It is a talk like any: held, resumed, written down.
    assert (await ana.do("hold")).status_code == 204
    await stage.advance(1)
    mine = next(x for x in stage.exchange.legs.values() if x.to == CHILD)
    found = stage.exchange.conferences.of_leg(mine)
    assert found is not None
    assert found[1].held
    assert (await ana.do("resume")).status_code == 204
    contact = await stage.rows("SELECT 1 FROM contacts WHERE call_id = %s", back["id"])
    assert len(contact) == 1
    await stage.advance(30)
    await stage.exchange.hang_up(mine)
    await stage.advance(35)
    kept = await state(stage)
    assert (kept["state"], kept["tries"]) == ("spoken", 1)
    await say(ana, kept, "reached")
    kept = await state(stage)
    assert (kept["state"], kept["number_sealed"]) == ("reached", None)
    assert await broken_at_the_end(stage) == []


async def test_not_safe_means_never(stage: Stage) -> None:
    leg, _ = await asked_back(stage, "2")
    assert leg.has_heard("nećemo te zvati")
    assert await stage.rows("SELECT 1 FROM callbacks") == []


async def test_silence_about_safety_is_no_yes(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await talk(stage, ana, from_="+381649990000")
    leg = await waits(stage, from_=CHILD)
    await asks(stage, leg)
    await stage.advance(25)
    assert leg.has_heard("nećemo te zvati")
    assert await stage.rows("SELECT 1 FROM callbacks") == []
    assert (await stage.call_of(leg))["state"] == "queued", "and the place is kept"


async def say(who: Counsellor, row: Any, said: str, status: int = 204) -> None:
    """A counsellor says who has answered a call-back."""
    answer = await who.ask("POST", f"/callbacks/{row['id']}/say", {"said": said})
    assert answer.status_code == status, answer.text


async def answered(stage: Stage, *keys: str) -> tuple[Counsellor, Any]:
    """A call-back whose phone was lifted; the talk is over."""
    _, ana = await asked_back(stage, *keys)
    await ana.be("available")
    await callbacks.open_due(stage.ground)
    await stage.settle()
    await ana.accept()
    await stage.advance(8)
    child = next((x for x in stage.exchange.legs.values() if x.to == CHILD and not x.over), None)
    if child is not None:
        await stage.exchange.hang_up(child)
    await stage.advance(2)
    return ana, await state(stage)


async def test_the_counsellor_says_who_answered_and_nothing_is_forgotten_before(
    stage: Stage,
) -> None:
    stage.exchange.phones[CHILD] = child = Phone(picks_up=1, presses=None)
    ana, row = await answered(stage, "1", "1", "1")
    assert (row["state"], row["talked_by"]) == ("spoken", ana.id)
    assert row["number_sealed"] is not None
    boris = await stage.add_counsellor("boris", state=None)
    await say(boris, row, "reached", 404)
    await stage.advance(3600)
    assert child.rung == 1, "nobody rings there until she has said it"
    await say(ana, row, "not_reached")
    row = await state(stage)
    assert (row["state"], row["tries"]) == ("agreed", 1)
    await say(ana, row, "reached", 409)


async def test_somebody_else_answered_and_the_house_is_left_alone_for_the_day(
    stage: Stage,
) -> None:
    stage.exchange.phones[CHILD] = Phone(picks_up=1, presses=None)
    ana, row = await answered(stage, "1", "1", "1")
    await say(ana, row, "somebody_else")
    after = await state(stage)
    assert after["state"] == "agreed"
    assert after["next_at"].date() > stage.clock.now().date()


async def test_an_answering_machine_is_nobody_and_hears_nothing(stage: Stage) -> None:
    stage.exchange.phones[CHILD] = machine = Phone(picks_up=1, presses=None, machine=True)
    _, row = await answered(stage, "1", "1", "1")
    assert (row["state"], row["tries"]) == ("agreed", 1)
    assert row["number_sealed"] is not None
    assert machine.heard == []


async def test_a_house_that_lifts_when_the_counsellor_is_gone_hears_nothing_of_us(
    stage: Stage,
) -> None:
    stage.exchange.phones[CHILD] = child = Phone(picks_up=6, presses=None)
    _, ana = await asked_back(stage, "1", "1", "1")
    await ana.be("available")
    await callbacks.open_due(stage.ground)
    await stage.settle()
    await ana.accept()
    await stage.advance(3)
    legs = stage.exchange.legs.values()
    mine = next(x for x in legs if x.to.startswith("client:") and not x.over)
    stage.exchange.phones[mine.to] = Phone(unreachable=True)
    await stage.exchange.let_die(mine)
    await stage.advance(20)
    theirs = next(x for x in legs if x.to == CHILD)
    assert theirs.over
    assert child.heard == []
    assert (await state(stage))["state"] == "agreed"


async def test_soon_is_never_at_night_and_follows_the_rota(stage: Stage) -> None:
    """At eleven in the evening somebody is on the rota from eight: then, and not before."""
    stage.stepped.move_to(stage.clock.now().replace(hour=22))
    await stage.add_counsellor(
        "ana",
        state=None,
        recurrence="FREQ=DAILY",
        starts_at=time(8),
        minutes=480,
        timezone="Europe/Belgrade",
    )
    leg = await waits(stage, from_=CHILD)
    await asks(stage, leg, "1", "1", "1")
    assert leg.has_heard("Pozvaćemo te sutra između 8:00")
    row = await state(stage)
    assert row["next_at"].hour == 7, "eight in Belgrade"
    await stage.exchange.hang_up(leg)
    # The rota has changed: nobody comes tomorrow morning.
    await stage.rows("UPDATE shifts SET starts_at = '12:00' RETURNING 1")
    stage.ground.memory.forget("everything")
    stage.stepped.move_to(row["next_at"] + timedelta(seconds=1))
    await callbacks.open_due(stage.ground)
    assert (await state(stage))["next_at"].hour == 11, "it goes on to the next staffed time"


async def test_a_call_back_that_nobody_can_make_becomes_a_task_and_can_start_again(
    stage: Stage,
) -> None:
    _, ana = await asked_back(stage, "1", "1", "3")
    await ana.be("off_duty")
    for _ in range(3):
        row = await state(stage)
        stage.stepped.move_to(row["window_until"] + timedelta(minutes=1))
        await callbacks.open_due(stage.ground)
    row = await state(stage)
    assert (row["state"], row["passes"]) == ("given_up", 3)
    assert row["number_sealed"] is not None
    await ana.sign_in()
    answer = await ana.ask("POST", f"/callbacks/{row['id']}/again")
    assert answer.status_code == 204, answer.text
    assert (await state(stage))["state"] == "agreed"


async def test_withheld_callers_are_not_asked(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await talk(stage, ana, from_="+381649990000")
    leg = await waits(stage, from_="anonymous")
    await stage.advance(120)
    assert leg.has_heard("da nam ostaviš poruku")
    assert not leg.has_heard("kasnije pozovemo, pritisni 3")
    stage.exchange.press(leg, "3")
    await stage.advance(10)
    assert await stage.rows("SELECT 1 FROM callbacks") == []


async def test_three_tries_and_somebody_looks_at_it(stage: Stage) -> None:
    stage.exchange.phones[CHILD] = child = Phone(picks_up=None)
    _, ana = await asked_back(stage, "1", "2", "1")
    for tries in (1, 2, 3):
        await ana.sign_in()
        await ana.be("available")
        await callbacks.open_due(stage.ground)
        await stage.settle()
        assert await rings_at(stage, ana) == ["ana"], tries
        await ana.accept()
        await stage.advance(50)
        assert child.rung == tries
        assert await ana.presence() in ("available", "wrap_up"), "she is free again"
        await stage.advance(31)
        row = await state(stage)
        assert row["tries"] == tries
        if tries < 3:
            assert row["state"] == "agreed"
            stage.stepped.move_to(row["next_at"] + timedelta(seconds=1))
    assert row["state"] == "given_up"
    assert row["number_sealed"] is not None, "kept until a person has looked at it"
    listed = (await ana.ask("GET", "/callbacks")).json()
    assert [one["state"] for one in listed] == ["given_up"], "until a person has seen it"
    answer = await ana.ask("POST", f"/callbacks/{row['id']}/cancel")
    assert answer.status_code == 204
    assert (await state(stage))["number_sealed"] is None
    assert (await ana.ask("GET", "/callbacks")).json() == []
    await stage.advance(60)
    assert await broken_at_the_end(stage) == []


async def test_nobody_takes_it_and_it_is_made_the_next_day(stage: Stage) -> None:
    _, ana = await asked_back(stage, "1", "1", "1")
    await ana.be("off_duty")
    await callbacks.open_due(stage.ground)
    await stage.settle()
    assert (await state(stage))["state"] == "trying"
    stage.stepped.move_to(stage.clock.now() + timedelta(minutes=31))
    await callbacks.open_due(stage.ground)
    await stage.settle()
    row = await state(stage)
    assert (row["state"], row["tries"]) == ("agreed", 0), "it was no try: nobody's phone rang"
    stage.stepped.move_to(row["window_until"] + timedelta(minutes=1))
    await callbacks.open_due(stage.ground)
    later = await state(stage)
    assert later["state"] == "agreed"
    assert later["window_from"] >= row["window_until"], "it goes on to the next staffed time"


async def test_who_rings_again_and_talks_is_not_called_back(stage: Stage) -> None:
    _, ana = await asked_back(stage, "1", "1", "3")
    row = await state(stage)
    assert row["next_at"] - stage.clock.now() > timedelta(hours=12)
    await ana.be("available")
    again = await talk(stage, ana, from_=CHILD)
    row = await state(stage)
    assert (row["state"], row["talked_by"]) == ("spoken", ana.id)
    assert row["number_sealed"] is not None, "perhaps it was not the child who rang"
    await say(ana, row, "reached")
    assert (await state(stage))["number_sealed"] is None
    await stage.exchange.hang_up(again)
    await stage.advance(40)
    assert await broken_at_the_end(stage) == []


async def test_in_the_night_a_child_asks_to_be_called_tomorrow(stage: Stage) -> None:
    """Nobody is on duty: no queue, and a way out all the same."""
    leg = await waits(stage, from_=CHILD)
    await asks(stage, leg, "1", "1", "3")
    assert leg.has_heard("Pozvaćemo te sutra između")
    row = await state(stage)
    assert row["window_from"].hour == 13, "two in the afternoon in Belgrade"
    assert not leg.over, "we do not hang up"
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    assert (await stage.call_of(leg))["outcome"] == "callback_requested"


async def test_a_counsellor_agrees_one_in_the_talk(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana, from_=CHILD)
    call = (await stage.call_of(leg))["id"]
    window = {"from": "2030-01-15T13:00:00+00:00", "until": "2030-01-15T15:00:00+00:00"}
    answer = await ana.ask("POST", f"/calls/{call}/callback", {**window, "safe": False})
    assert answer.status_code == 422
    answer = await ana.ask("POST", f"/calls/{call}/callback", {**window, "safe": True})
    assert answer.status_code == 201
    boris = await stage.add_counsellor("boris")
    answer = await boris.ask("POST", f"/calls/{call}/callback", {**window, "safe": True})
    assert answer.status_code == 404
    listed = (await boris.ask("GET", "/callbacks")).json()
    assert len(listed) == 1
    assert CHILD[1:] not in str(listed)
    await stage.exchange.hang_up(leg)
    await stage.advance(35)
    assert (await stage.call_of(leg))["outcome"] == "answered", "a talk beats everything"
