"""In a talk: colleagues, third parties, supervisors; and what happens when one of them drops."""

from typing import Any

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Counsellor, Stage
from app.practice.legs import Leg
from app.practice.parties import Phone
from app.practice.rooms import Conference
from app.staff.roles import Role
from tests.scenarios.test_main_job import talk
from tests.scenarios.test_matching import rings_at

POLICE = "+381112345678"


async def act(who: Counsellor, call: Any, what: str, body: Any = None, status: int = 202) -> Any:
    answer = await who.ask("POST", f"/calls/{call['id']}/{what}", body or {})
    assert answer.status_code == status, answer.text
    await who._stage.advance(2)
    return answer.json() if answer.content else {}


def room(stage: Stage) -> Conference:
    """The conference that goes on."""
    return next(c for c in stage.exchange.conferences.all.values() if c.status != "completed")


def inside(stage: Stage) -> set[str]:
    """Where the legs in the conference are: the caller, clients and phones."""
    return {
        p.leg.from_ if p.leg.direction == "inbound" else p.leg.to
        for p in room(stage).participants.values()
    }


def client(who: Counsellor) -> str:
    return f"client:{who.staff.identity}"


async def a_talk(stage: Stage, *names: str) -> tuple[Leg, Any, list[Counsellor]]:
    """The first of them talks with a child."""
    crew = [await stage.add_counsellor(names[0])]
    leg = await talk(stage, crew[0])
    crew += [await stage.add_counsellor(name) for name in names[1:]]
    return leg, await stage.call_of(leg), crew


async def done(stage: Stage, leg: Leg) -> Any:
    """Everybody is gone; nothing is left over. The call's row."""
    await stage.exchange.hang_up(leg)
    await stage.advance(45)
    assert await broken_at_the_end(stage) == []
    live = await stage.rows("SELECT state FROM parties WHERE state IN ('ringing', 'in')")
    assert live == []
    return await stage.call_of(leg)


async def test_a_warm_transfer_is_held_then_together_then_theirs(stage: Stage) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    party = await act(ana, call, "transfer", {"counsellor_id": str(boris.id)})
    conference = room(stage)
    assert inside(stage) == {"+381641234567", client(ana), client(boris)}
    assert conference.participants[leg.sid].held, "the child hears comfort meanwhile"
    assert leg.has_heard("Savetnik se vraća")
    assert await boris.presence() == "break", "no call is offered to who helps"
    await act(ana, call, f"parties/{party['party_id']}/together", status=204)
    assert not conference.participants[leg.sid].held
    await act(ana, call, f"parties/{party['party_id']}/complete", status=204)
    assert inside(stage) == {"+381641234567", client(boris)}
    assert (await ana.presence(), await boris.presence()) == ("wrap_up", "on_call")
    contact = await stage.rows("SELECT owner_id FROM contacts WHERE call_id = %s", call["id"])
    assert [c["owner_id"] for c in contact] == [boris.id], "the record follows the talk"
    # It is Boris's in every way: he holds, resumes, and ends it.
    assert (await boris.do("hold")).status_code == 204
    await stage.advance(1)
    assert room(stage).participants[leg.sid].held
    assert (await boris.do("resume")).status_code == 204
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
    for kind in ("party_asked", "hold", "party_joined", "resume", "handed_over"):
        assert kind in kinds
    assert kinds.count("handed_over") == 1


async def test_a_colleague_who_does_not_answer_changes_nothing(stage: Stage) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    stage.exchange.phones[client(boris)] = Phone(picks_up=None)
    await act(ana, call, "transfer", {"counsellor_id": str(boris.id)})
    assert room(stage).participants[leg.sid].held
    await stage.advance(40)
    assert not room(stage).participants[leg.sid].held, "the child is not left on hold"
    assert (await ana.presence(), await boris.presence()) == ("on_call", "available")
    assert (await done(stage, leg))["outcome"] == "answered"


async def test_a_cold_transfer_goes_on_until_the_other_is_in(stage: Stage) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    stage.exchange.phones[client(boris)] = Phone(picks_up=6)
    await act(ana, call, "transfer", {"counsellor_id": str(boris.id), "warm": False})
    assert not room(stage).participants[leg.sid].held
    assert await ana.presence() == "on_call"
    await stage.advance(8)
    assert inside(stage) == {"+381641234567", client(boris)}
    assert (await ana.presence(), await boris.presence()) == ("wrap_up", "on_call")
    # His line dies: nobody else is there, so the child is first in the queue.
    mine = next(p.leg for p in room(stage).participants.values() if p.leg.to == client(boris))
    stage.exchange.phones[mine.to] = Phone(unreachable=True)
    await stage.exchange.let_die(mine)
    await stage.advance(40)
    call = await stage.call_of(leg)
    assert (call["state"], call["returned"]) == ("offered", 1)
    assert leg.has_heard("Veza sa savetnikom je prekinuta")
    await done(stage, leg)


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


async def test_a_phone_presses_1_to_join_and_a_machine_never_does(stage: Stage) -> None:
    stage.exchange.phones["+38164999001"] = vera_phone = Phone(picks_up=2, presses=None)
    leg, call, (ana,) = await a_talk(stage, "ana")
    vera = await stage.add_counsellor("vera", endpoint="+38164999001")
    await act(ana, call, "transfer", {"counsellor_id": str(vera.id), "warm": False})
    await stage.advance(30)
    assert inside(stage) == {"+381641234567", client(ana)}
    assert await vera.presence() == "available"
    vera_phone.presses = "1"
    await act(ana, call, "transfer", {"counsellor_id": str(vera.id), "warm": False})
    await stage.advance(12)
    assert inside(stage) == {"+381641234567", "+38164999001"}
    # The star ends it, as it does for whoever took the call.
    mine = next(p.leg for p in room(stage).participants.values() if p.leg.to == "+38164999001")
    stage.exchange.press(mine, "*")
    await stage.advance(3)
    assert leg.over
    row = await done(stage, leg)
    assert row["ended_by"] == "counsellor"


async def test_a_third_party_by_phone_stays_beside_us_and_can_be_dropped(stage: Stage) -> None:
    stage.exchange.phones[POLICE] = Phone(picks_up=2)
    leg, call, (ana,) = await a_talk(stage, "ana")
    body = {"number": POLICE, "role": "police"}
    assert (
        await ana.ask("POST", f"/calls/{call['id']}/add", {**body, "role": "x"})
    ).status_code == 422
    assert (await ana.ask("POST", f"/calls/{call['id']}/add", {"number": "5"})).status_code == 422
    party = await act(ana, call, "add", body)
    await stage.advance(12)
    assert inside(stage) == {"+381641234567", client(ana), POLICE}
    listed = (await ana.ask("GET", f"/calls/{call['id']}/parties")).json()
    assert [(p["who"], p["state"]) for p in listed] == [("police", "in")]
    assert POLICE not in (await ana.ask("GET", f"/calls/{call['id']}/events")).text
    stored = await stage.rows("SELECT p::text AS words FROM parties p")
    assert POLICE[1:] not in stored[0]["words"]
    refused = await ana.ask("POST", f"/calls/{call['id']}/parties/{party['party_id']}/complete")
    assert refused.status_code == 409, "a child is not left with a third party by a slip"
    await act(ana, call, f"parties/{party['party_id']}/drop", status=204)
    assert inside(stage) == {"+381641234567", client(ana)}
    assert (await done(stage, leg))["outcome"] == "answered"


async def test_to_somebody_outside_and_back_when_they_hang_up(stage: Stage) -> None:
    stage.exchange.phones[POLICE] = Phone(picks_up=2)
    leg, call, (ana,) = await a_talk(stage, "ana")
    party = await act(ana, call, "transfer", {"number": POLICE})
    await stage.advance(12)
    await act(ana, call, f"parties/{party['party_id']}/complete", status=204)
    assert inside(stage) == {"+381641234567", POLICE}
    assert await ana.presence() == "wrap_up"
    assert (await stage.call_of(leg))["state"] == "connected"
    await stage.advance(40)
    mine = next(p.leg for p in room(stage).participants.values() if p.leg.to == POLICE)
    await stage.exchange.hang_up(mine)
    await stage.advance(6)
    assert (await stage.call_of(leg))["state"] in ("queued", "offered")
    assert await rings_at(stage, ana) == ["ana"], "the child is ours again, and first"
    await ana.accept()
    await stage.advance(3)
    assert (await done(stage, leg))["outcome"] == "answered"


async def test_the_caller_hangs_up_on_somebody_outside(stage: Stage) -> None:
    stage.exchange.phones[POLICE] = Phone(picks_up=2)
    leg, call, (ana,) = await a_talk(stage, "ana")
    await act(ana, call, "transfer", {"number": POLICE, "warm": False})
    await stage.advance(12)
    assert inside(stage) == {"+381641234567", POLICE}
    row = await done(stage, leg)
    assert (row["outcome"], row["ended_by"]) == ("answered", "caller")
    assert all(x.over for x in stage.exchange.legs.values())


async def test_listen_whisper_barge(stage: Stage) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    boris = await stage.add_counsellor("boris")
    assert (await boris.ask("POST", f"/calls/{call['id']}/listen")).status_code == 403
    talks = (await chief.ask("GET", "/talks")).json()
    assert [(t["counsellor"], t["panic"]) for t in talks] == [("ana", False)]
    party = await act(chief, call, "listen")

    def part() -> Any:
        return next(p for p in room(stage).participants.values() if p.leg.to == client(chief))

    assert (part().muted, part().coaches) == (True, None)
    again = await act(chief, call, "whisper")
    assert again == party, "who is in changes how, and is not rung twice"
    ana_leg = next(p.leg for p in room(stage).participants.values() if p.leg.to == client(ana))
    assert (part().muted, part().coaches) == (False, ana_leg.sid)
    await act(chief, call, "barge")
    assert (part().muted, part().coaches) == (False, None)
    assert await chief.presence() == "break"
    # The counsellor cannot put a supervisor out, who leaves by herself.
    refused = await ana.ask("POST", f"/calls/{call['id']}/parties/{party['party_id']}/drop")
    assert refused.status_code == 403
    await act(chief, call, f"parties/{party['party_id']}/drop", status=204)
    assert inside(stage) == {"+381641234567", client(ana)}
    assert await chief.presence() == "available"
    assert (await done(stage, leg))["outcome"] == "answered"


async def test_whispering_from_the_first_moment(stage: Stage) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    stage.exchange.phones["+38164999005"] = Phone(picks_up=1)
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, endpoint="+38164999005")
    await act(chief, call, "whisper")
    await stage.advance(10)
    ana_leg = next(p.leg for p in room(stage).participants.values() if p.leg.to == client(ana))
    part = next(p for p in room(stage).participants.values() if p.leg.to == "+38164999005")
    assert part.coaches == ana_leg.sid
    await done(stage, leg)


async def test_a_counsellor_drops_out_and_who_is_there_goes_on(stage: Stage) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    await act(ana, call, "transfer", {"counsellor_id": str(boris.id)})
    assert room(stage).participants[leg.sid].held
    mine = next(p.leg for p in room(stage).participants.values() if p.leg.to == client(ana))
    await stage.exchange.hang_up(mine)
    await stage.advance(3)
    assert inside(stage) == {"+381641234567", client(boris)}
    assert not room(stage).participants[leg.sid].held, "and the child is not left on hold"
    assert (await ana.presence(), await boris.presence()) == ("wrap_up", "on_call")
    row = await done(stage, leg)
    assert (row["outcome"], row["returned"]) == ("answered", 0)


async def test_a_supervisor_who_talks_along_takes_over_when_the_counsellor_drops(
    stage: Stage,
) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    await act(chief, call, "listen")
    await act(chief, call, "barge")
    await die(stage, ana)
    part = next(p for p in room(stage).participants.values() if p.leg.to == client(chief))
    assert not part.muted, "the child is not alone in silence"
    assert await chief.presence() == "on_call"
    await done(stage, leg)


async def test_a_supervisor_who_only_listens_does_not_become_the_owner(stage: Stage) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    await act(chief, call, "listen")
    await die(stage, ana, comes_back=False)
    await stage.advance(3)
    assert await chief.presence() != "on_call"
    row = await stage.call_of(leg)
    assert (row["state"], row["returned"]) == ("offered", 1), "offered to the supervisor like any"
    await done(stage, leg)


async def die(stage: Stage, who: Counsellor, *, comes_back: bool = True) -> None:
    """The line of a counsellor at a browser breaks."""
    mine = next(p.leg for p in room(stage).participants.values() if p.leg.to == client(who))
    if not comes_back:
        stage.exchange.phones[client(who)] = Phone(unreachable=True)
    await stage.exchange.let_die(mine)
    await stage.advance(3)


async def test_the_panic_button_rings_one_supervisor_after_the_other(stage: Stage) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    first = await stage.add_counsellor("chief 1", role=Role.SUPERVISOR)
    second = await stage.add_counsellor("chief 2", role=Role.SUPERVISOR)
    stage.exchange.phones[client(first)] = Phone(picks_up=None)
    assert (await act(ana, call, "panic", status=200)) == {"rings": True}
    talks = (await second.ask("GET", "/talks")).json()
    assert talks[0]["panic"], "all who supervise see it"
    await stage.advance(40)
    assert inside(stage) == {"+381641234567", client(ana), client(second)}
    assert await first.presence() == "available"
    await done(stage, leg)


async def test_panic_with_nobody_there_says_so(stage: Stage) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    assert (await act(ana, call, "panic", status=200)) == {"rings": False}
    await done(stage, leg)


async def test_mute(stage: Stage) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    await act(ana, call, "mute", status=204)
    mine = next(p for p in room(stage).participants.values() if p.leg.to == client(ana))
    assert mine.muted
    await act(ana, call, "unmute", status=204)
    assert not mine.muted
    await done(stage, leg)


async def test_the_caller_leaves_while_a_colleague_is_being_rung(stage: Stage) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    stage.exchange.phones[client(boris)] = Phone(picks_up=10)
    await act(ana, call, "transfer", {"counsellor_id": str(boris.id)})
    await stage.exchange.hang_up(leg)
    await stage.advance(2)
    assert all(x.over for x in stage.exchange.legs.values()), "no phone keeps ringing"
    assert await boris.presence() == "available"
    await done(stage, leg)


async def test_who_is_busy_is_not_asked(stage: Stage) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    await boris.be("off_duty")
    body = {"counsellor_id": str(boris.id)}
    answer = await ana.ask("POST", f"/calls/{call['id']}/transfer", body)
    assert (answer.status_code, answer.json()["error"]) == (409, "Busy")
    assert not room(stage).participants[leg.sid].held
    answer = await ana.ask("POST", f"/calls/{call['id']}/transfer", {})
    assert answer.status_code == 422
    await done(stage, leg)
