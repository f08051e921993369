"""A talk is handed over: warm, cold, to a skill, to a number outside."""

import asyncio
from typing import Any

import pytest

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.practice.legs import Leg
from app.practice.people import Phone
from tests.support.contacts import page_of
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.program.quiet_talks import HER_PHONE, quiet_talk
from tests.support.referrals import page
from tests.support.talks import POLICE, a_talk, act, client, done, inside, rings_at, room


async def changes_nothing(
    stage: Stage, leg: Leg, call: Any, ana: Counsellor, boris: Counsellor
) -> None:
    """A colleague who is busy or does not answer."""
    await boris.be("off_duty")
    body = {"counsellor_id": str(boris.id)}
    answer = await ana.ask("POST", f"/calls/{call['id']}/transfer", body)
    assert (answer.status_code, answer.json()["error"]) == (409, "Busy")
    assert not room(stage).participants[leg.sid].held
    answer = await ana.ask("POST", f"/calls/{call['id']}/transfer", {})
    assert answer.status_code == 422
    await boris.sign_in()
    await boris.be("available")
    browser = stage.exchange.phones[client(boris)]
    stage.exchange.phones[client(boris)] = Phone(picks_up=None)
    await act(ana, call, "transfer", body)
    assert room(stage).participants[leg.sid].held
    await stage.advance(36)
    assert not room(stage).participants[leg.sid].held, "the child is not left on hold"
    assert (await ana.presence(), await boris.presence()) == ("on_call", "available")
    stage.exchange.phones[client(boris)] = browser


async def test_a_warm_transfer_is_held_then_together_then_theirs(stage: Stage) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    await changes_nothing(stage, leg, call, ana, boris)
    participant = await act(ana, call, "transfer", {"counsellor_id": str(boris.id)})
    conference = room(stage)
    assert inside(stage) == {"+381641234567", client(ana), client(boris)}
    assert conference.participants[leg.sid].held, "the child hears comfort meanwhile"
    assert leg.has_heard("Savetnik se vraća")
    assert await boris.presence() == "break", "no call is offered to a colleague who helps"
    frame = await page_of(stage, ana, "/board/frame")
    assert "data-muted" not in frame, "the microphone in her page is on: he hears her"
    await act(ana, call, f"participants/{participant['participant_id']}/together", status=204)
    assert not conference.participants[leg.sid].held
    await act(ana, call, f"participants/{participant['participant_id']}/complete", status=204)
    assert inside(stage) == {"+381641234567", client(boris)}
    assert (await ana.presence(), await boris.presence()) == ("wrap_up", "on_call")
    contact = await stage.rows("SELECT owner_id FROM contacts WHERE call_id = %s", call["id"])
    assert [c["owner_id"] for c in contact] == [boris.id], "the record follows the talk"
    # It is Boris's in every way: he holds, resumes, and ends it.
    assert (await boris.do("hold")).status_code == 204
    await stage.advance(1)
    assert room(stage).participants[leg.sid].held
    assert "data-muted" in await page_of(stage, boris, "/board/frame"), "here no one is to hear him"
    assert (await boris.do("resume")).status_code == 204
    mine = next(p for p in room(stage).participants.values() if p.leg.to == client(boris))
    await act(boris, call, "mute", status=204)
    assert mine.muted
    await act(boris, call, "unmute", status=204)
    assert not mine.muted
    assert (await ana.ask("POST", f"/calls/{call['id']}/hold")).status_code == 404
    assert (await boris.do("hang-up")).status_code == 204
    await stage.advance(3)
    assert leg.over
    row = await done(stage, leg)
    assert (row["outcome"], row["ended_by"], row["returned"]) == ("answered", "counsellor", 0)
    kinds = [
        e["kind"]
        for e in await stage.rows(
            "SELECT kind FROM call_events WHERE call_id = %s ORDER BY id", call["id"]
        )
    ]
    for kind in ("participant_asked", "hold", "participant_joined", "resume", "handed_over"):
        assert kind in kinds
    assert kinds.count("handed_over") == 1


@nightly
async def test_a_cold_transfer_goes_on_until_the_other_is_in(stage: Stage) -> None:
    leg, call, (ana, boris, vera) = await a_talk(stage, "ana", "boris", "vera")
    stage.exchange.phones[client(boris)] = Phone(picks_up=6)
    stage.exchange.phones[client(vera)] = Phone(picks_up=7)
    await act(ana, call, "transfer", {"counsellor_id": str(boris.id), "warm": False})
    assert not room(stage).participants[leg.sid].held
    assert await ana.presence() == "on_call"
    # A second one takes nothing from the first.
    await act(ana, call, "transfer", {"counsellor_id": str(vera.id), "warm": False})
    await stage.advance(10)
    assert inside(stage) == {"+381641234567", client(boris)}
    assert (await ana.presence(), await boris.presence()) == ("wrap_up", "on_call")
    assert await vera.presence() == "available"
    await vera.be("off_duty")
    # His line dies: no other counsellor is there, so the child is first in the queue.
    mine = next(p.leg for p in room(stage).participants.values() if p.leg.to == client(boris))
    stage.exchange.phones[mine.to] = Phone(unreachable=True)
    await stage.exchange.let_die(mine)
    await stage.advance(34)
    call = await stage.call_of(leg)
    assert (call["state"], call["returned"]) == ("offered", 1)
    assert leg.has_heard("Veza sa savetnikom je prekinuta")
    await done(stage, leg)


@pytest.mark.parametrize("on_the_page", [True, False])
async def test_a_counsellor_sends_a_caller_to_a_skill(quiet: QuietStage, on_the_page: bool) -> None:
    ana = await quiet.add_counsellor("ana", endpoint=HER_PHONE)
    call = await quiet_talk(quiet, ana)
    path = f"/calls/{call}/transfer"
    refused = await ana.ask("POST", path, {"skills": ["lgbt:2"], "number": POLICE})
    assert (refused.status_code, "exactly one" in refused.text) == (422, True)
    if on_the_page:
        asked = {"how": "skill", "skills": "lgbt", "level": "2"}
        assert (await page(quiet, ana, f"/board/calls/{call}/ask", **asked)).status_code == 200
    else:
        assert (await ana.ask("POST", path, {"skills": ["lgbt:2"]})).status_code == 202
    (row,) = await quiet.rows("SELECT state, wanted_skills FROM calls")
    assert row == {"state": "queued", "wanted_skills": ["lgbt:2"]}


# By day the verbs of it are tried (`tests/routing/test_handing_over.py`).
@nightly
async def test_a_skill_takes_over_from_the_front_of_the_queue(stage: Stage) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    skilled = await stage.add_counsellor("skilled", skills=["lgbt:2"])
    await act(ana, call, "transfer", {"skills": ["lgbt:2"]})
    await stage.advance(2)
    assert leg.has_heard("Povezujemo te s drugim savetnikom")
    assert await ana.presence() == "wrap_up"
    assert await rings_at(stage, skilled) == ["skilled"]
    await skilled.accept()
    await stage.advance(3)
    row = await done(stage, leg)
    assert (row["outcome"], row["returned"]) == ("answered", 0), "it was no dropped line"


# By day the verbs of it are tried (`tests/routing/test_handing_over.py`).
@nightly
async def test_to_a_number_outside_and_back_when_they_hang_up(stage: Stage) -> None:
    stage.exchange.phones[POLICE] = Phone(picks_up=2)
    leg, call, (ana,) = await a_talk(stage, "ana")
    participant = await act(ana, call, "transfer", {"number": POLICE})
    await stage.advance(12)
    assert room(stage).participants[leg.sid].held
    await act(ana, call, f"participants/{participant['participant_id']}/complete", status=204)
    assert not room(stage).participants[leg.sid].held, "the child is not left on hold"
    assert inside(stage) == {"+381641234567", POLICE}
    assert await ana.presence() == "wrap_up"
    assert (await stage.call_of(leg))["state"] == "connected"
    await ana.be("available")
    await stage.advance(3)
    mine = next(p.leg for p in room(stage).participants.values() if p.leg.to == POLICE)
    await stage.exchange.hang_up(mine)
    await stage.advance(6)
    assert (await stage.call_of(leg))["state"] == "offered"
    assert await rings_at(stage, ana) == ["ana"], "the child is ours again, and first"
    await ana.accept()
    await stage.advance(3)
    # At once this time.
    await act(ana, call, "transfer", {"number": POLICE, "warm": False})
    await stage.advance(12)
    assert inside(stage) == {"+381641234567", POLICE}
    row = await done(stage, leg)
    assert (row["outcome"], row["ended_by"]) == ("answered", "caller")
    assert all(x.over for x in stage.exchange.legs.values())


# By day the verbs of it are tried (`tests/routing/test_handing_over.py`).
@nightly
async def test_the_caller_leaves_while_a_colleague_is_being_rung(stage: Stage) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    stage.exchange.phones[client(boris)] = Phone(picks_up=10)
    await act(ana, call, "transfer", {"counsellor_id": str(boris.id)})
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    assert all(x.over for x in stage.exchange.legs.values()), "no phone keeps ringing"
    assert await boris.presence() == "available"
    await done(stage, leg)


@nightly
async def test_after_handing_over_there_is_no_hanging_up_and_after_hanging_up_no_handing_over(
    stage: Stage,
) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    participant = await act(ana, call, "transfer", {"counsellor_id": str(boris.id)})
    path = f"/calls/{call['id']}"
    hand_over = f"{path}/participants/{participant['participant_id']}/complete"
    assert (await ana.ask("POST", hand_over)).status_code == 204
    assert (await ana.ask("POST", f"{path}/hang-up")).status_code == 404
    await stage.advance(3)
    assert (await stage.call_of(leg))["state"] == "connected"
    assert await boris.presence() == "on_call"
    await ana.be("available")
    participant = await act(boris, call, "transfer", {"counsellor_id": str(ana.id)})
    hand_over = f"{path}/participants/{participant['participant_id']}/complete"
    assert (await boris.ask("POST", f"{path}/hang-up")).status_code == 204
    assert (await boris.ask("POST", hand_over)).status_code == 404
    await stage.advance(3)
    assert (await stage.call_of(leg))["state"] == "ended"
    assert await ana.presence() == "available"


async def test_handing_over_and_hanging_up_at_once_has_one_winner(stage: Stage) -> None:
    """Both at the same instant, from two windows."""
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    participant = await act(ana, call, "transfer", {"counsellor_id": str(boris.id)})
    path = f"/calls/{call['id']}"
    answers = await asyncio.gather(
        ana.ask("POST", f"{path}/participants/{participant['participant_id']}/complete"),
        ana.ask("POST", f"{path}/hang-up"),
    )
    await stage.advance(3)
    row = await stage.call_of(leg)
    if row["state"] == "connected":
        assert [answer.status_code for answer in answers] == [204, 404]
        assert await boris.presence() == "on_call"
    else:
        assert row["state"] == "ended"
        assert answers[1].status_code == 204, "she was first, and it was hers to end"
        assert await boris.presence() == "available"
