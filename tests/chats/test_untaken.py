"""A message, spoken or written, that no person takes is an alarm; taken, it is over."""

from datetime import datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

from app.calls import messages
from app.calls.models import VoiceMessage
from app.chats.left import answering, left
from app.dashboard.rota.alarms import alarm_values
from app.routing.alarm_rows import AlarmKind
from app.routing.rota import unstaffed_alarms
from app.work import Work
from tests.support.calls.conversations import a_chat_line, a_child, a_key, a_writer, looked
from tests.support.verbs import a_supervisor, rings

BELGRADE = ZoneInfo("Europe/Belgrade")


async def test_a_written_message_is_owned_at_once_and_alarms_until_it_is_taken(
    work: Work,
) -> None:
    line = await a_chat_line(work)
    ana, nora = await a_writer(work, "ana"), await a_supervisor(work, "nora", "north")
    work.now = datetime(2030, 1, 14, 9, tzinfo=BELGRADE)
    call = await a_child(work, line)
    await left.leave_message(work, call.id, text="Javite se", client_key=a_key())
    for team in (ana.team, nora.team):
        (waits,) = await answering.waiting(work, team)
        assert waits.owner_id == nora.id, "a supervisor answers for it, and every team sees it"
    work.now += timedelta(hours=12)
    assert await looked(work) == []
    work.now += timedelta(minutes=1)
    for _ in range(2):
        assert await looked(work) == [AlarmKind.MESSAGE_NOT_TAKEN]
    assert [job.task for job in work.jobs].count("referrals:alarm_turn") == 1
    # It neither hides a caller who waits too long, nor is it ended by the look at the rota.
    assert await unstaffed_alarms.is_settled(work)
    ((_, name, reason),) = (await alarm_values(work))["untaken"]
    assert (name, reason) == (
        "Plavi telefon",
        "A message waits too long: no person has taken it.",
    )
    await answering.take(work, ana, call.id)
    assert await looked(work) == []


async def test_a_spoken_message_alarms_by_day_and_one_of_danger_by_night(work: Work) -> None:
    await a_chat_line(work)
    ana = await a_writer(work, "ana")
    work.now = datetime(2030, 1, 14, 15, tzinfo=BELGRADE)
    call, _ = await rings(work)
    message = VoiceMessage(
        id=uuid4(), call_id=call.id, recording_sid="RE1", state="imported", created_at=work.now
    )
    work.session.add(message)
    await work.session.flush()
    work.now += timedelta(hours=13)
    assert await looked(work) == [], "it is night"
    call.danger = True
    await work.session.flush()
    assert await looked(work) == [AlarmKind.MESSAGE_NOT_TAKEN]
    await messages.mark_heard(work, ana, message.id)
    assert await looked(work) == []
    message.heard_at, call.danger = None, False
    await work.session.flush()
    work.now += timedelta(hours=4)
    assert await looked(work) == [AlarmKind.MESSAGE_NOT_TAKEN]


async def test_words_of_danger_alarm_by_night_though_the_child_did_not_say_so(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    work.now = datetime(2030, 1, 14, 15, tzinfo=BELGRADE)
    first = await a_child(work, line)
    await left.leave_message(work, first.id, text="Imam pitanje", client_key=a_key())
    work.now += timedelta(minutes=5)
    second = await a_child(work, line)
    await left.leave_message(work, second.id, text="Necu da zivim", client_key=a_key())
    waits = await answering.waiting(work, ana.team)
    assert [(one.call_id, one.alarming) for one in waits] == [(second.id, True), (first.id, False)]
    assert not second.danger, "nothing is decided by it"
    work.now += timedelta(hours=13)
    assert await looked(work) == [AlarmKind.MESSAGE_NOT_TAKEN]
    await answering.take(work, ana, second.id)
    assert await looked(work) == []
