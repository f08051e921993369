"""Supervisors who listen, whisper and join, and the call for help."""

from typing import Any

from app.demo.stage import Stage
from app.practice.people import Phone
from app.staff.roles import Role
from tests.support.profile import WHOLE, nightly
from tests.support.talks import a_talk, act, client, die, done, inside, room, talk


@nightly
async def test_a_call_for_help_with_the_only_supervisor_in_another_talk_is_seen(
    stage: Stage,
) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    other = await talk(stage, boris, from_="+381641110009")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    await act(chief, await stage.call_of(other), "listen")
    assert (await act(ana, call, "call-for-help", status=200)) == {"rings": False}
    talks = (await chief.ask("GET", "/talks")).json()
    assert [t["calls_for_help"] for t in talks] == [True, False]
    await stage.exchange.hang_up(other)
    await done(stage, leg)


async def test_listen_whisper_barge_and_a_call_for_help(stage: Stage) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    assert (await act(ana, call, "call-for-help", status=200)) == {"rings": False}, (
        "no supervisor is there"
    )
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    boris = await stage.add_counsellor("boris")
    assert (await boris.ask("POST", f"/calls/{call['id']}/listen")).status_code == 403
    away = await stage.add_counsellor("away", role=Role.SUPERVISOR, shift=False, state=None)
    without = await away.ask("POST", f"/calls/{call['id']}/listen")
    assert (without.status_code, without.json()["error"]) == (409, "TelephoneNotReady")
    talks = (await chief.ask("GET", "/talks")).json()
    assert [(t["counsellor"], t["calls_for_help"]) for t in talks] == [("ana", True)]
    participant = await act(chief, call, "listen")

    def part() -> Any:
        return next(p for p in room(stage).participants.values() if p.leg.to == client(chief))

    assert (part().muted, part().coaches) == (True, None)
    again = await act(chief, call, "whisper")
    assert again == participant, "a supervisor who is in changes the mode, and is not rung twice"
    ana_leg = next(p.leg for p in room(stage).participants.values() if p.leg.to == client(ana))
    assert (part().muted, part().coaches) == (False, ana_leg.sid)
    await act(chief, call, "barge")
    assert (part().muted, part().coaches) == (False, None)
    assert await chief.presence() == "break"
    await act(chief, call, "listen")
    assert (await act(ana, call, "call-for-help", status=200)) == {"rings": True}
    assert not part().muted, "the call for help is heard by one who listens already"
    # The counsellor cannot put a supervisor out, who leaves by herself.
    refused = await ana.ask(
        "POST", f"/calls/{call['id']}/participants/{participant['participant_id']}/drop"
    )
    assert refused.status_code == 403
    await act(chief, call, f"participants/{participant['participant_id']}/drop", status=204)
    assert inside(stage) == {"+381641234567", client(ana)}
    assert await chief.presence() == "available"
    assert (await done(stage, leg))["outcome"] == "answered"


@nightly
async def test_a_whisper_from_the_first_moment_follows_the_talk_to_the_next_counsellor(
    stage: Stage,
) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    stage.exchange.phones["+38164999005"] = Phone(picks_up=1)
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, endpoint="+38164999005")
    await act(chief, call, "whisper")
    await stage.advance(10)
    parts = {p.leg.to: p for p in room(stage).participants.values()}
    assert parts["+38164999005"].coaches == parts[client(ana)].leg.sid
    await act(ana, call, "transfer", {"counsellor_id": str(boris.id), "warm": False})
    await stage.advance(4)
    parts = {p.leg.to: p for p in room(stage).participants.values()}
    assert parts["+38164999005"].coaches == parts[client(boris)].leg.sid
    await done(stage, leg)


async def test_a_supervisor_moves_a_talk_to_a_colleague_and_takes_it_over(stage: Stage) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    boris = await stage.add_counsellor("boris")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    move = f"/calls/{call['id']}/move"
    assert (await chief.ask("POST", move, {"counsellor_id": str(ana.id)})).status_code == 409
    if WHOLE:
        # A colleague who does not answer changes nothing.
        stage.exchange.phones[client(boris)] = Phone(picks_up=None)
        await chief.ask("POST", move, {"counsellor_id": str(boris.id)})
        await stage.advance(45)
        assert inside(stage) == {"+381641234567", client(ana)}
        assert await ana.presence() == "on_call"
    stage.exchange.phones[client(boris)] = Phone(picks_up=0.3, presses=None)
    moved = await chief.ask("POST", move, {"counsellor_id": str(boris.id)})
    assert moved.status_code == 202, moved.text
    await stage.advance(10)
    assert inside(stage) == {"+381641234567", client(boris)}
    assert (await boris.presence(), await ana.presence()) == ("on_call", "wrap_up")
    logged = await stage.rows("SELECT detail FROM audit_entries WHERE action = 'talk_moved'")
    assert [one["detail"] for one in logged] == [{"to": str(boris.id)}] * (2 if WHOLE else 1)
    early = await chief.ask("POST", f"/calls/{call['id']}/take-over")
    assert early.status_code == 409, "she is not in it yet"
    await act(chief, call, "listen")
    await act(chief, call, "take-over", status=204)
    assert inside(stage) == {"+381641234567", client(chief)}
    part = next(p for p in room(stage).participants.values() if p.leg.to == client(chief))
    assert (part.muted, part.coaches) == (False, None), "the child hears her"
    assert (await chief.presence(), await boris.presence()) == ("on_call", "wrap_up")
    # It is her own talk now, with everything that one does in it.
    await chief.do("hang-up")
    row = await stage.call_of(leg)
    assert (row["state"], row["outcome"]) == ("ended", "answered")


@nightly
async def test_listen_chosen_while_it_rings_is_not_heard_and_who_talks_along_takes_over(
    stage: Stage,
) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    stage.exchange.phones[client(chief)] = Phone(picks_up=6)
    await act(chief, call, "barge")
    await act(chief, call, "listen")
    await stage.advance(8)
    part = next(p for p in room(stage).participants.values() if p.leg.to == client(chief))
    assert part.muted
    assert await ana.presence() == "on_call"
    # She talks along when the counsellor drops.
    await act(chief, call, "barge")
    await die(stage, ana)
    part = next(p for p in room(stage).participants.values() if p.leg.to == client(chief))
    assert not part.muted, "the child is not alone in silence"
    assert await chief.presence() == "on_call"
    await done(stage, leg)


@nightly
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


# By day the verbs of it are tried (`tests/routing/test_team.py`).
@nightly
async def test_a_call_for_help_rings_one_supervisor_after_the_other(stage: Stage) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    first = await stage.add_counsellor("chief 1", role=Role.SUPERVISOR)
    second = await stage.add_counsellor("chief 2", role=Role.SUPERVISOR)
    stage.exchange.phones[client(first)] = Phone(picks_up=None)
    assert (await act(ana, call, "call-for-help", status=200)) == {"rings": True}
    talks = (await second.ask("GET", "/talks")).json()
    assert talks[0]["calls_for_help"], "all who supervise see it"
    await stage.advance(40)
    assert inside(stage) == {"+381641234567", client(ana), client(second)}
    assert await first.presence() == "available"
    await done(stage, leg)


@nightly
async def test_a_program_of_a_supervisor_sees_the_team_takes_a_call_for_help_and_ends_the_talk(
    stage: Stage,
) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    (seen,) = [one for one in (await chief.ask("GET", "/team")).json() if one["name"] == "ana"]
    assert (seen["id"], seen["state"], seen["on_shift"]) == (str(ana.id), "on_call", True)
    assert seen["line"] == (await chief.ask("GET", "/talks")).json()[0]["line"]
    state = f"/team/{ana.id}/state"
    wanted = {"state": "off_duty", "reason": "shift_over"}
    refused = await chief.ask("PUT", state, wanted)
    assert (refused.status_code, refused.json()["error"]) == (409, "PersonInTalk")
    assert (await chief.ask("PUT", state, {**wanted, "after_call": True})).status_code == 204
    (seen,) = [one for one in (await chief.ask("GET", "/team")).json() if one["name"] == "ana"]
    assert (seen["state"], seen["after_call"]) == ("on_call", "off_duty")
    assert (await chief.ask("GET", "/calls-for-help")).json() == []
    taking = f"/calls/{call['id']}/call-for-help/take"
    assert (await chief.ask("POST", taking)).status_code == 409, "there is none to take"
    stage.exchange.phones[client(chief)] = Phone(picks_up=3)
    await act(ana, call, "call-for-help", status=200)
    (asked,) = (await chief.ask("GET", "/calls-for-help")).json()
    assert (asked["call_id"], asked["calls_for_help"]) == (str(call["id"]), True)
    taken = await chief.ask("POST", taking)
    assert (taken.status_code, taken.json()) == (200, {"joins": True})
    assert (await chief.ask("GET", "/calls-for-help")).json() == []
    await stage.advance(4)
    assert inside(stage) == {"+381641234567", client(ana), client(chief)}
    await act(chief, call, "end", status=204)
    row = await stage.call_of(leg)
    assert (row["state"], row["outcome"], await ana.presence()) == ("ended", "answered", "wrap_up")
    logged = await stage.rows(
        "SELECT action FROM audit_entries WHERE action LIKE %s ORDER BY id", "%by_supervisor"
    )
    assert [one["action"] for one in logged] == [
        "state_set_by_supervisor",
        "talk_ended_by_supervisor",
    ]
