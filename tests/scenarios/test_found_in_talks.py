"""What a review and an attack found in talks, call-backs and the rota; each was broken once."""

import asyncio
from typing import Any

import pytest

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.parties import Phone
from app.routing import callbacks
from app.staff.roles import Role
from tests.scenarios.test_callbacks import CHILD, asked_back, asks
from tests.scenarios.test_in_the_talk import POLICE, a_talk, act, client, done, inside, room
from tests.scenarios.test_main_job import talk
from tests.scenarios.test_matching import rings_at
from tests.scenarios.test_rota import send, waits


async def test_a_warm_transfer_outside_does_not_leave_the_child_on_hold(stage: Stage) -> None:
    stage.exchange.phones[POLICE] = Phone(picks_up=2)
    leg, call, (ana,) = await a_talk(stage, "ana")
    party = await act(ana, call, "transfer", {"number": POLICE})
    await stage.advance(12)
    assert room(stage).participants[leg.sid].held
    await act(ana, call, f"parties/{party['party_id']}/complete", status=204)
    assert not room(stage).participants[leg.sid].held
    await done(stage, leg)


async def test_who_helps_is_offered_no_call_whatever_they_choose(stage: Stage) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    await act(ana, call, "transfer", {"counsellor_id": str(boris.id)})
    await boris.be("available")
    other = await waits(stage, from_="+381641110009")
    assert await rings_at(stage, boris) == []
    mine = next(p.leg for p in room(stage).participants.values() if p.leg.to == client(ana))
    await stage.exchange.hang_up(mine)
    await stage.advance(3)
    assert await boris.presence() == "on_call"
    assert inside(stage) == {"+381641234567", client(boris)}
    await stage.exchange.hang_up(other)
    await done(stage, leg)


async def test_a_child_who_was_called_back_reaches_a_second_counsellor(stage: Stage) -> None:
    stage.exchange.phones[CHILD] = Phone(picks_up=2, presses=None)
    _, ana = await asked_back(stage, "1", "1", "1")
    await ana.be("available")
    await callbacks.open_due(stage.ground)
    await stage.settle()
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
    await stage.advance(40)
    assert await broken_at_the_end(stage) == []


async def test_a_child_answers_after_the_counsellor_has_gone(stage: Stage) -> None:
    """Whoever lifts hears nothing of us, since it may be anybody; it is tried again."""
    stage.exchange.phones[CHILD] = Phone(picks_up=8, presses=None)
    _, ana = await asked_back(stage, "1", "1", "1")
    await ana.be("available")
    await callbacks.open_due(stage.ground)
    await stage.settle()
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
    assert len(stage.exchange.asked) - asked < 15, "and nobody floods the provider"
    (back,) = await stage.rows("SELECT outcome, answered_at FROM calls WHERE direction='outbound'")
    assert (back["outcome"], back["answered_at"]) == ("failed", None), "nobody has talked"
    rows = await stage.rows("SELECT state FROM callbacks")
    assert [row["state"] for row in rows] == ["agreed"]


async def test_panic_is_heard_by_a_supervisor_who_listens_already(stage: Stage) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    await act(chief, call, "listen")
    assert (await act(ana, call, "panic", status=200)) == {"rings": True}
    part = next(p for p in room(stage).participants.values() if p.leg.to == client(chief))
    assert not part.muted
    await done(stage, leg)


async def test_panic_with_the_only_supervisor_in_another_talk_is_seen(stage: Stage) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    other = await talk(stage, boris, from_="+381641110009")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    await act(chief, await stage.call_of(other), "listen")
    assert (await act(ana, call, "panic", status=200)) == {"rings": False}
    talks = (await chief.ask("GET", "/talks")).json()
    assert [t["panic"] for t in talks] == [True, False]
    await stage.exchange.hang_up(other)
    await done(stage, leg)


async def test_a_second_cold_transfer_takes_nothing_from_whoever_was_first(stage: Stage) -> None:
    leg, call, (ana, boris, vera) = await a_talk(stage, "ana", "boris", "vera")
    stage.exchange.phones[client(boris)] = Phone(picks_up=3)
    stage.exchange.phones[client(vera)] = Phone(picks_up=4)
    for who in (boris, vera):
        await act(ana, call, "transfer", {"counsellor_id": str(who.id), "warm": False})
    await stage.advance(10)
    assert inside(stage) == {"+381641234567", client(boris)}
    assert (await boris.presence(), await vera.presence()) == ("on_call", "available")
    await done(stage, leg)


async def test_a_whisper_goes_to_whoever_has_the_talk_now(stage: Stage) -> None:
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    await act(chief, call, "whisper")
    await act(ana, call, "transfer", {"counsellor_id": str(boris.id), "warm": False})
    await stage.advance(4)
    parts = {p.leg.to: p for p in room(stage).participants.values()}
    assert parts[client(chief)].coaches == parts[client(boris)].leg.sid
    await done(stage, leg)


async def test_listen_chosen_while_it_rings_is_not_heard_by_the_child(stage: Stage) -> None:
    leg, call, (ana,) = await a_talk(stage, "ana")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    stage.exchange.phones[client(chief)] = Phone(picks_up=6)
    await act(chief, call, "barge")
    await act(chief, call, "listen")
    await stage.advance(8)
    part = next(p for p in room(stage).participants.values() if p.leg.to == client(chief))
    assert part.muted
    assert await ana.presence() == "on_call"
    await done(stage, leg)


async def test_a_new_wish_while_a_call_back_is_being_made(stage: Stage) -> None:
    _, ana = await asked_back(stage, "1", "1", "1")
    await ana.be("off_duty")
    await callbacks.open_due(stage.ground)
    await stage.settle()
    leg = await waits(stage, from_=CHILD)
    await asks(stage, leg, "1", "2", "3")
    assert leg.has_heard("Pozvaćemo te sutra između")
    rows = await stage.rows("SELECT who, state FROM callbacks")
    assert [(r["who"], r["state"]) for r in rows] == [("anyone", "trying")]
    await stage.exchange.hang_up(leg)


async def test_who_talks_while_a_call_back_waits_is_not_rung_besides(stage: Stage) -> None:
    _, ana = await asked_back(stage, "1", "1", "1")
    await ana.be("off_duty")
    await callbacks.open_due(stage.ground)
    await stage.settle()
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
    await stage.advance(40)
    assert await broken_at_the_end(stage) == []


async def test_who_has_handed_the_child_over_cannot_hang_up_on_them(stage: Stage) -> None:
    """Both at the same instant, from two windows."""
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    party = await act(ana, call, "transfer", {"counsellor_id": str(boris.id)})
    path = f"/calls/{call['id']}"
    answers = await asyncio.gather(
        ana.ask("POST", f"{path}/parties/{party['party_id']}/complete"),
        ana.ask("POST", f"{path}/hang-up"),
    )
    await stage.advance(3)
    row = await stage.call_of(leg)
    if answers[0].status_code == 204 and row["state"] == "connected":
        assert answers[1].status_code == 404
        assert await boris.presence() == "on_call"
    else:
        assert answers[1].status_code == 204, "or she was first, and it was hers to end"


BAD_RULES = [
    "FREQ=WEEKLY;INTERVAL=0;BYDAY=MO",
    "FREQ=DAILY;INTERVAL=-1",
    "FREQ=MONTHLY;BYDAY=+99MO",
    "FREQ=DAILY EXDATE:20300101T000000Z",
    "FREQ=DAILY;BYSETPOS=99",
    "FREQ=DAILY;COUNT=99999999",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;FREQ=WEEKLY",
    "BYDAY=MO",
    "",
    "FREQ=DAILY;UNTIL=99991231T000000",
    "FREQ=DAILY;COUNT=3;UNTIL=20300101",
]


@pytest.mark.parametrize("rule", BAD_RULES)
async def test_a_rule_that_would_stop_the_rota_is_refused(stage: Stage, rule: str) -> None:
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    body = {"staff_id": str(chief.id), "recurrence": rule, "begins": "08:00", "ends": "16:00"}
    assert (await chief.ask("POST", "/roster/shifts", body)).status_code == 422
    assert (await chief.ask("GET", "/roster")).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "changes",
            {
                "kind": "absence",
                "from_at": "9999-12-31T00:00:00-12:00",
                "until_at": "9999-12-31T23:00:00-12:00",
            },
        ),
        (
            "changes",
            {
                "kind": "absence",
                "from_at": "0001-01-01T00:00:00",
                "until_at": "2030-01-20T00:00:00",
            },
        ),
        (
            "changes",
            {
                "kind": "absence",
                "from_at": "2030-01-20T00:00:00Z",
                "until_at": "2050-01-20T00:00:00Z",
            },
        ),
        ("shifts", {"days": ["MO"], "begins": "08:00", "ends": "16:00", "first_on": "9999-12-31"}),
        ("shifts", {"days": ["MO"], "begins": "08:00", "ends": "16:00", "timezone": "Europe"}),
        ("shifts", {"days": ["MO"], "begins": "08:00", "ends": "16:00", "timezone": "A" * 299}),
        ("holidays", {"day": "9999-12-31", "name": "x"}),
    ],
)
async def test_a_time_that_cannot_be_is_refused_and_stops_nobody(
    stage: Stage, path: str, body: dict[str, Any]
) -> None:
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    body = {"staff_id": str(chief.id), **body}
    assert (await chief.ask("POST", f"/roster/{path}", body)).status_code == 422
    for query in ("", "?begins=0001-01-01", "?begins=9999-12-31"):
        status = (await chief.ask("GET", f"/roster{query}")).status_code
        assert status == (422 if query else 200)
    await waits(stage)
    assert await rings_at(stage, chief) == ["chief"], "the helpline goes on"


async def test_an_end_that_is_no_end_is_refused(stage: Stage) -> None:
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    (row,) = await stage.rows("SELECT id FROM shifts")
    answer = await chief.ask("POST", f"/roster/shifts/{row['id']}/end", {"last_on": "9999-12-31"})
    assert answer.status_code == 422
    event = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\nSUMMARY:chief\r\n"
        "DTSTART{0}\r\nDTEND{1}\r\n{2}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    for begins, ends, more in (
        (";VALUE=DATE:00010101", ";VALUE=DATE:00010102", "RRULE:FREQ=DAILY\r\n"),
        (":20300120T080000", ":20300120T160000", "RRULE:FREQ=DAILY;UNTIL=99991231T000000\r\n"),
        (";TZID=Mars/Olympus:20300120T080000", ";TZID=Mars/Olympus:20300120T090000", ""),
        (":20300120T080000", ":20990120T160000", ""),
        (";TZID=America/New_York:99991231T200000", ";TZID=America/New_York:99991231T230000", ""),
    ):
        answer = await send(stage, chief, event.format(begins, ends, more).encode())
        assert answer.status_code == 422, (begins, answer.text)
    assert (await chief.ask("GET", "/roster")).status_code == 200


async def test_a_calendar_that_is_taken_in_again_keeps_the_reasons(stage: Stage) -> None:
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR)
    ana = await stage.add_counsellor("ana")
    body = {
        "kind": "absence",
        "staff_id": str(ana.id),
        "from_at": "2030-01-20T08:00",
        "until_at": "2030-01-20T16:00",
        "reason": "surgery",
    }
    assert (await ana.ask("POST", "/roster/changes", body)).status_code == 201
    content = (await chief.ask("GET", "/roster.ics")).content
    assert (await send(stage, chief, content)).status_code == 200
    (row,) = await stage.rows("SELECT reason, made_by FROM rota_changes")
    assert (row["reason"], row["made_by"]) == ("surgery", ana.id)


async def test_whoever_takes_no_calls_any_more_covers_nothing_and_reads_no_rota(
    stage: Stage,
) -> None:
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, shift=False)
    ana = await stage.add_counsellor("ana")
    headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in ana._cookies.items())}
    base = stage.settings.public_url
    page = (await stage.client.post(base + "/roster/feed", headers=headers)).text
    address = page.split('class="address">')[1].split("<")[0]
    await stage.rows("UPDATE staff SET role = 'auditor' WHERE id = %s RETURNING 1", ana.id)
    stage.ground.memory.forget("everything")
    view = (await chief.ask("GET", "/roster?begins=2030-01-20&ends=2030-01-21")).json()
    assert view["duties"] == []
    assert [c["uncovered_minutes"] for c in view["coverage"]] == [1440, 1440]
    assert (await stage.client.get(address)).status_code == 404
    answer = await stage.client.post(base + "/roster/feed/revoke", headers=headers)
    assert answer.status_code == 200, "what is one's own can be taken back"
