"""Call-backs: at the caller's own wish, where it is safe, in the time that the caller chose."""

from datetime import time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from app.demo.counsellor import Counsellor
from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.people import Phone
from app.routing.callbacks import callback_attempts
from app.routing.callbacks.choices import Slot
from tests.support.calls.callers import hangs_up_unheard, talks_unheard
from tests.support.contacts import until_later
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.talks import (
    CHILD,
    agreed_back,
    asked_back,
    asks,
    client,
    rings_at,
    room,
    talk,
    waits,
)


async def state(stage: Stage) -> Any:
    rows = await stage.rows("SELECT * FROM callbacks ORDER BY agreed_at")
    return rows[-1]


async def queue_due(stage: Stage) -> None:
    """Queue the call-backs that are due, and wait for the worker, too: after a jump of the clock it
    may have taken the same rows first, and these are left out here."""
    await callback_attempts.open_due(stage.ground)
    await stage.settle()


@pytest.mark.usefixtures("each_minute")
async def test_a_child_is_called_back_when_a_counsellor_is_there(stage: Stage) -> None:
    stage.exchange.phones[CHILD] = child = Phone(picks_up=4, presses=None)
    leg, ana = await asked_back(stage, "1", "1", "1")
    assert leg.has_heard("Pozvaćemo te između")
    call = await stage.call_of(leg)
    assert call["outcome"] == "callback_requested"
    agreed = await state(stage)
    assert (agreed["who"], agreed["attempts"]) == ("caller", 0)
    assert CHILD.encode()[1:] not in bytes(agreed["number_sealed"])
    assert child.rung == 0, "no phone rings before a counsellor is there to talk"
    await ana.be("available")
    await until_later(stage, lambda: rings_at(stage, ana), 64, "the call-back is offered", every=4)
    assert child.rung == 0
    # It has no id until the provider gives one.
    assert await ids(stage) == (None, "wanted")
    await ana.accept()
    await stage.advance(8)
    assert child.rung == 1
    theirs = next(leg for leg in stage.exchange.legs.values() if leg.to == CHILD)
    assert await ids(stage) == (theirs.sid, "sent")
    back = (await stage.rows("SELECT * FROM calls WHERE direction = 'outbound'"))[0]
    assert (back["state"], back["caller_key"]) == ("connected", call["caller_key"])
    # It is a talk like any: held, and written down.
    assert (await ana.do("hold")).status_code == 204
    await stage.advance(1)
    mine = next(x for x in stage.exchange.legs.values() if x.to == CHILD)
    found = stage.exchange.conferences.of_leg(mine)
    assert found is not None
    assert found[1].held
    contact = await stage.rows("SELECT 1 FROM contacts WHERE call_id = %s", back["id"])
    assert len(contact) == 1
    await stage.advance(5)
    await stage.exchange.hang_up(mine)
    await stage.advance(3)
    kept = await state(stage)
    assert (kept["state"], kept["attempts"]) == ("spoken", 1)
    await say(ana, kept, "reached")
    kept = await state(stage)
    assert (kept["state"], kept["number_sealed"]) == ("reached", None)
    assert await broken_at_the_end(stage) == []


async def on_desk(stage: Stage, ana: Counsellor, call_id: UUID, **form: str) -> str:
    """Send the desk's form; return the desk as it is drawn then."""
    stage.ground.memory.forget("presence")
    answer = await stage.client.post(
        f"{stage.settings.public_url}/board/calls/{call_id}/callback",
        data=form,
        headers={"Cookie": ana.cookie_header},
    )
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_a_counsellor_agrees_a_callback_on_the_desk_in_the_lines_own_time(
    quiet: QuietStage,
) -> None:
    stage = quiet
    ana, eva = await stage.add_counsellor("ana"), await stage.add_counsellor("eva")
    call = {"id": await talks_unheard(stage, ana)}
    day = (stage.clock.now() + timedelta(days=1)).date().isoformat()
    form = {"who": "caller", "day": day, "begins": "17:00", "ends": "18:30"}
    assert "Agree a call-back only after a yes" in await on_desk(stage, ana, call["id"], **form)
    wrong = form | {"safe": "true", "begins": "five"}
    assert "Choose the day and both times" in await on_desk(stage, ana, call["id"], **wrong)
    theirs = await on_desk(stage, eva, call["id"], **form, safe="true")
    assert "Call-back agreed" not in theirs, "a colleague's call is not hers to agree for"
    window = {"from": f"{day}T16:00:00+00:00", "until": f"{day}T17:30:00+00:00"}
    for who, safe, status in ((ana, False, 422), (eva, True, 404)):
        body = {**window, "safe": safe}
        refused = await who.ask("POST", f"/calls/{call['id']}/callback", body)
        assert refused.status_code == status
    assert await stage.rows("SELECT 1 FROM callbacks") == []
    drawn = await on_desk(stage, ana, call["id"], **form, safe="true")
    assert "Call-back agreed:" in drawn
    assert "17:00–18:30" in drawn
    kept = await state(stage)
    local = kept["window_from"].astimezone(ZoneInfo("Europe/Belgrade"))
    assert (local.date().isoformat(), f"{local:%H:%M}", kept["who"]) == (day, "17:00", "caller")
    # It stands beside the form in wrap-up, too, and the desk no longer offers another one.
    await hangs_up_unheard(stage, call["id"])
    desk = await stage.client.get(
        f"{stage.settings.public_url}/board/desk", headers={"Cookie": ana.cookie_header}
    )
    assert "Call-back agreed:" in desk.text
    assert "Agree a call-back" not in desk.text
    (ended,) = await stage.rows("SELECT outcome FROM calls")
    assert ended["outcome"] == "answered", "a talk beats everything"
    await agreed_by_the_api_it_is_listed_without_the_number(stage, ana)


async def agreed_by_the_api_it_is_listed_without_the_number(stage: Stage, ana: Counsellor) -> None:
    (row,) = await stage.rows("SELECT id FROM callbacks")
    assert (await ana.ask("POST", f"/callbacks/{row['id']}/cancel")).status_code == 204
    call = await talks_unheard(stage, ana)
    window = {"from": "2030-01-15T13:00:00+00:00", "until": "2030-01-15T15:00:00+00:00"}
    answer = await ana.ask("POST", f"/calls/{call}/callback", {**window, "safe": True})
    assert answer.status_code == 201
    boris = await stage.add_counsellor("boris", state=None)
    listed = (await boris.ask("GET", "/callbacks")).json()
    assert len(listed) == 1
    assert CHILD[1:] not in str(listed)


@nightly
async def test_without_a_yes_to_safety_or_without_a_number_nothing_is_agreed(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await talk(stage, ana, from_="+381649990000")
    unsafe, silent = await waits(stage, from_=CHILD), await waits(stage, from_="+381641110002")
    withheld = await waits(stage, from_="anonymous")
    await asks(stage, unsafe, "2")
    assert unsafe.has_heard("nećemo te zvati")
    await asks(stage, silent)
    await stage.until(lambda: silent.has_heard("nećemo te zvati"), limit=25, what="silence is no")
    assert (await stage.call_of(silent))["state"] == "queued", "and the place is kept"
    await stage.until(lambda: withheld.has_heard("da nam ostaviš poruku"), limit=120)
    assert not withheld.has_heard("kasnije pozovemo, pritisni 3")
    stage.exchange.press(withheld, "3")
    await stage.advance(10)
    assert await stage.rows("SELECT 1 FROM callbacks") == []


async def say(who: Counsellor, row: Any, said: str, status: int = 204) -> None:
    """A counsellor says who has answered a call-back."""
    answer = await who.ask("POST", f"/callbacks/{row['id']}/say", {"said": said})
    assert answer.status_code == status, answer.text


async def is_made(stage: Stage, ana: Counsellor) -> Any:
    """The call-back is due and made, and its phone is lifted; the talk is over."""
    await ana.sign_in()
    await ana.be("available")
    await queue_due(stage)
    await ana.accept()
    await stage.advance(6)
    child = next((x for x in stage.exchange.legs.values() if x.to == CHILD and not x.over), None)
    if child is not None:
        await stage.exchange.hang_up(child)
    await stage.advance(2)
    return await state(stage)


@nightly
async def test_the_counsellor_says_who_answered_and_nothing_is_forgotten_before(
    stage: Stage,
) -> None:
    stage.exchange.phones[CHILD] = child = Phone(picks_up=1, presses=None)
    ana = await agreed_back(stage)
    row = await is_made(stage, ana)
    assert (row["state"], row["talked_by"]) == ("spoken", ana.id)
    assert row["number_sealed"] is not None
    boris = await stage.add_counsellor("boris", state=None)
    await say(boris, row, "reached", 404)
    stage.stepped.move_to(stage.clock.now() + timedelta(hours=1))
    assert await callback_attempts.open_due(stage.ground) == 0
    await stage.settle()
    assert child.rung == 1, "no one may ring there until she has said it"
    await ana.sign_in()
    await say(ana, row, "not_reached")
    row = await state(stage)
    assert (row["state"], row["attempts"]) == ("agreed", 1)
    await say(ana, row, "reached", 409)
    # Another person answers the next attempt: the house is not rung again that day.
    stage.stepped.move_to(row["next_at"] + timedelta(seconds=1))
    row = await is_made(stage, ana)
    assert child.rung == 2
    await say(ana, row, "another_person")
    after = await state(stage)
    assert after["state"] == "agreed"
    assert after["next_at"].date() > stage.clock.now().date()


@nightly
async def test_a_callback_rung_after_the_counsellor_is_lost_is_hung_up(
    stage: Stage,
) -> None:
    stage.exchange.phones[CHILD] = child = Phone(picks_up=6, presses=None)
    ana = await agreed_back(stage)
    await ana.be("available")
    await queue_due(stage)
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


@nightly
async def test_a_counsellor_is_lost_before_the_phone_rings_and_the_next_one_makes_the_call_back(
    stage: Stage,
) -> None:
    stage.exchange.phones[CHILD] = child = Phone(picks_up=2, presses=None)
    ana = await agreed_back(stage)
    await ana.be("off_duty")
    number = "+38164999001"
    stage.exchange.phones[number] = phone = Phone(picks_up=1, presses="1")
    vera = await stage.add_counsellor("vera", endpoint=number)
    # The account is busy: the request that rings the child is put off again and again.
    stage.exchange.knobs.turn("refuse", "/Participants.json", times=None)
    await callback_attempts.open_due(stage.ground)
    await stage.until(lambda: phone.rung == 1, limit=20, what="the counsellor's phone")
    await stage.advance(6)
    phone.picks_up = None
    hers = next(leg for leg in stage.exchange.legs.values() if leg.to == number and not leg.over)
    await stage.exchange.let_die(hers)
    await stage.advance(2)
    await vera.be("off_duty")
    await stage.advance(4)
    assert await ids(stage) == (None, "wanted")
    assert await stage.rows("SELECT 1 FROM calls WHERE direction = 'outbound' AND ended_at IS NULL")
    stage.exchange.knobs.reset()
    await ana.sign_in()
    await ana.be("available")
    await stage.until(ana.offer, limit=40, what="the next counsellor is asked")
    await ana.accept()
    await stage.advance(8)
    assert child.rung == 1


async def ids(stage: Stage) -> tuple[str | None, str]:
    """The id of the leg to the child, and how far the request for it has come."""
    (row,) = await stage.rows(
        "SELECT provider_sid, sending FROM calls WHERE direction = 'outbound'"
    )
    return row["provider_sid"], row["sending"]


@nightly
async def test_soon_is_never_at_night_and_follows_the_rota(stage: Stage) -> None:
    """At eleven in the evening the next counsellor comes at eight: then, and not before."""
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
    # The rota has changed: no counsellor comes tomorrow morning.
    await stage.rows("UPDATE shifts SET starts_at = '12:00' RETURNING 1")
    stage.ground.memory.forget("everything")
    stage.stepped.move_to(row["next_at"] + timedelta(seconds=1))
    await queue_due(stage)
    assert (await state(stage))["next_at"].hour == 11, "it goes on to the next staffed time"


# By day it is no attempt in `tests/routing/test_callbacks.py`.
@nightly
async def test_no_counsellor_takes_it_and_it_is_made_the_next_day(stage: Stage) -> None:
    await agreed_back(stage)
    await queue_due(stage)
    assert (await state(stage))["state"] == "trying"
    stage.stepped.move_to(stage.clock.now() + timedelta(minutes=31))
    await queue_due(stage)
    row = await state(stage)
    assert (row["state"], row["attempts"]) == ("agreed", 0), "it was no attempt: no phone rang"
    stage.stepped.move_to(row["window_until"] + timedelta(minutes=1))
    await queue_due(stage)
    later = await state(stage)
    assert (later["passes"], later["attempts"]) == (row["passes"] + 1, 0)
    assert later["window_from"] >= row["window_until"], "it goes on to the next staffed time"


@nightly
async def test_a_call_back_that_no_counsellor_can_make_becomes_a_task_and_can_start_again(
    stage: Stage,
) -> None:
    ana = await agreed_back(stage, Slot.TOMORROW)
    for _ in range(3):
        row = await state(stage)
        stage.stepped.move_to(row["window_until"] + timedelta(minutes=1))
        await queue_due(stage)
    row = await state(stage)
    assert (row["state"], row["passes"]) == ("given_up", 3)
    assert row["number_sealed"] is not None
    await ana.sign_in()
    answer = await ana.ask("POST", f"/callbacks/{row['id']}/again")
    assert answer.status_code == 204, answer.text
    assert (await state(stage))["state"] == "agreed"


@nightly
async def test_after_three_attempts_a_person_looks_at_it(stage: Stage) -> None:
    # An answering machine counts as not reached, and hears nothing.
    stage.exchange.phones[CHILD] = child = Phone(picks_up=1, presses=None, machine=True)
    ana = await agreed_back(stage)
    # The second is like the first: here it was made already.
    for attempts, rung in ((1, 1), (3, 2)):
        await ana.sign_in()
        await ana.be("available")
        await queue_due(stage)
        assert await rings_at(stage, ana) == ["ana"], attempts
        await ana.accept()
        await stage.advance(50)
        assert child.rung == rung
        assert await ana.presence() == "available", "she is free again"
        row = await state(stage)
        assert row["attempts"] == attempts
        assert child.heard == []
        child.machine, child.picks_up = False, None
        if attempts < 3:
            assert row["state"] == "agreed"
            await stage.change_rows("UPDATE callbacks SET attempts = 2")
            stage.stepped.move_to(row["next_at"] + timedelta(seconds=1))
    assert row["state"] == "given_up"
    assert row["number_sealed"] is not None, "kept until a person has looked at it"
    listed = (await ana.ask("GET", "/callbacks")).json()
    assert [one["state"] for one in listed] == ["given_up"], "until a person has seen it"
    answer = await ana.ask("POST", f"/callbacks/{row['id']}/cancel")
    assert answer.status_code == 204
    assert (await state(stage))["number_sealed"] is None
    assert (await ana.ask("GET", "/callbacks")).json() == []
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_caller_who_rings_again_and_talks_is_not_called_back(stage: Stage) -> None:
    ana = await agreed_back(stage, Slot.TOMORROW)
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
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


async def test_in_the_night_a_child_asks_to_be_called_tomorrow(stage: Stage) -> None:
    """No counsellor is on duty: there is no queue, and still a way to be called back."""
    leg = await waits(stage, from_=CHILD)
    await asks(stage, leg, "1", "1", "3")
    assert leg.has_heard("Pozvaćemo te sutra između")
    row = await state(stage)
    assert row["window_from"].hour == 13, "two in the afternoon in Belgrade"
    assert not leg.over, "we do not hang up"
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    assert (await stage.call_of(leg))["outcome"] == "callback_requested"


@nightly
async def test_a_child_who_was_called_back_reaches_a_second_counsellor(stage: Stage) -> None:
    stage.exchange.phones[CHILD] = Phone(picks_up=2, presses=None)
    ana = await agreed_back(stage)
    await ana.be("available")
    await queue_due(stage)
    await ana.accept()
    await stage.advance(25)
    boris = await stage.add_counsellor("boris")
    mine = next(p.leg for p in room(stage).participants.values() if p.leg.to == client(ana))
    stage.exchange.phones[mine.to] = Phone(unreachable=True)
    await stage.exchange.let_die(mine)
    await stage.advance(6)
    assert await rings_at(stage, boris) == ["boris"]
    await boris.accept()
    await stage.advance(4)
    child = next(x for x in stage.exchange.legs.values() if x.to == CHILD and not x.over)
    found = stage.exchange.conferences.of_leg(child)
    assert found is not None
    assert client(boris) in {p.leg.to for p in found[0].participants.values()}
    await stage.exchange.hang_up(child)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_child_answers_after_the_counsellor_has_gone(stage: Stage) -> None:
    """It may be anyone at home who answers: they hear nothing of us, and it is tried again."""
    stage.exchange.phones[CHILD] = Phone(picks_up=8, presses=None)
    ana = await agreed_back(stage)
    await ana.be("available")
    await queue_due(stage)
    await ana.accept()
    await stage.advance(4)
    mine = next(x for x in stage.exchange.legs.values() if x.to == client(ana) and not x.over)
    asked = len(stage.exchange.asked)
    stage.exchange.phones[mine.to] = Phone(unreachable=True)
    await stage.exchange.let_die(mine)
    await stage.advance(35)
    child = next(x for x in stage.exchange.legs.values() if x.to == CHILD)
    assert child.over
    assert child.heard == []
    assert len(stage.exchange.asked) - asked < 15, "and the provider is not flooded"
    (back,) = await stage.rows("SELECT outcome, answered_at FROM calls WHERE direction='outbound'")
    assert (back["outcome"], back["answered_at"]) == ("failed", None), "there was no talk"
    rows = await stage.rows("SELECT state FROM callbacks")
    assert [row["state"] for row in rows] == ["agreed"]


@nightly
async def test_a_new_wish_while_a_callback_is_being_made(stage: Stage) -> None:
    await agreed_back(stage)
    await queue_due(stage)
    leg = await waits(stage, from_=CHILD)
    await asks(stage, leg, "1", "2", "3")
    assert leg.has_heard("Pozvaćemo te sutra između")
    rows = await stage.rows("SELECT who, state FROM callbacks")
    assert [(r["who"], r["state"]) for r in rows] == [("anyone", "trying")]
    await stage.exchange.hang_up(leg)


@nightly
async def test_a_child_who_talks_while_a_callback_waits_is_not_rung(stage: Stage) -> None:
    await agreed_back(stage)
    await queue_due(stage)
    boris = await stage.add_counsellor("boris")
    assert await rings_at(stage, boris) == ["boris"]
    await boris.decline()
    again = await waits(stage, "9", CHILD)
    await boris.accept()
    await stage.advance(4)
    assert (await stage.call_of(again))["state"] == "connected"
    rows = await stage.rows("SELECT state FROM callbacks")
    assert [r["state"] for r in rows] == ["spoken"], "until the counsellor says who it was"
    ours = await stage.rows("SELECT state FROM calls WHERE direction = 'outbound'")
    assert [r["state"] for r in ours] == ["ended"]
    await stage.exchange.hang_up(again)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []
