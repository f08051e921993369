"""What a child wrote while it waited is read by a person, also if the child goes before."""

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from app.calls import record
from app.calls.log_kinds import Cause
from app.calls.models import Call
from app.calls.states import CallState, EndedBy, Outcome
from app.chats import as_child, ended_without_counsellor, ending, messages, reading
from app.chats.left import answering, left, untaken
from app.chats.models import ReturnCode
from app.errors import Conflict, NotFound
from app.routing import lost_counsellor
from app.routing.alarm_rows import Alarm
from app.routing.models import PresenceState
from app.work import Work
from tests.support.calls.conversations import (
    a_chat_line,
    a_child,
    a_key,
    a_writer,
    call_again,
    matched,
    takes,
)

pytestmark = pytest.mark.whole


async def _say(work: Work, call: Call, text: str) -> None:
    await messages.say_as_child(work, call.id, text=text, client_key=a_key())


async def _is_away(work: Work, call: Call) -> None:
    """Let the page of a child be silent for as long as a waiting one may be."""
    work.now += timedelta(seconds=work.settings.chat_silence_seconds + 1)
    await ending.end_away(work, call.id)


async def _kept(work: Work, call: Call) -> ReturnCode | None:
    found: ReturnCode | None = await work.session.get(ReturnCode, call.id, populate_existing=True)
    return found


@pytest.mark.parametrize("offered", [False, True])
async def test_the_words_of_a_child_who_is_gone_wait_in_the_inbox(
    work: Work, offered: bool
) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = await a_child(work, line)
    await _say(work, call, "Ima li koga?")
    if offered:
        assert len(await matched(work)) == 1
    await _is_away(work, call)
    over = await call_again(work, call.id)
    assert (over.state, over.ended_by) == (CallState.ENDED, EndedBy.AWAY)
    assert over.outcome == Outcome.VOICEMAIL
    (waits,) = await answering.waiting(work, ana.team)
    assert (waits.call_id, waits.answerable) == (call.id, False)
    assert [one.words for one in await answering.read_left(work, ana, call.id)] == ["Ima li koga?"]
    with pytest.raises(Conflict, match="no way to answer"):
        await answering.answer(work, ana, call.id, text="Tu smo", client_key=a_key())
    await answering.mark_done(work, ana, call.id)
    with pytest.raises(Conflict):
        await left.tell_code(work, call.id)


async def test_a_child_that_is_back_is_given_its_code_and_can_be_answered(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = await a_child(work, line)
    await _say(work, call, "Ima li koga?")
    await _is_away(work, call)
    seen = await as_child.conversation(work, call.id)
    assert (seen.ended_by, seen.left, seen.by_code) == (EndedBy.AWAY, True, False)
    code = await left.tell_code(work, call.id)
    assert await left.tell_code(work, call.id) == code
    assert [one.answerable for one in await answering.waiting(work, ana.team)] == [True]
    await answering.answer(work, ana, call.id, text="Tu smo", client_key=a_key())
    call_id, _ = await left.return_by_code(work, code)
    seen = await as_child.conversation(work, call_id)
    assert seen.by_code
    assert [one.words for one in seen.words] == ["Ima li koga?", "Tu smo"]


async def test_a_child_that_ends_it_leaves_its_words_too(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    for _ in range(2):
        call = await a_child(work, line)
        await _say(work, call, "Moram da idem")
        for _ in range(2):
            await ending.end_as_child(work, call.id)
        assert (await call_again(work, call.id)).ended_by == EndedBy.CALLER
    assert len(await answering.waiting(work, ana.team)) == 2


async def test_nothing_is_kept_without_words_and_nothing_of_a_talk(work: Work) -> None:
    line = await a_chat_line(work)
    await a_writer(work, "ana")
    silent = await a_child(work, line)
    await _is_away(work, silent)
    assert (await call_again(work, silent.id)).outcome == Outcome.ABANDONED_IN_QUEUE
    call = await a_child(work, line)
    await _say(work, call, "Zdravo")
    await takes(work, (await matched(work))[0])
    await ending.end_as_child(work, call.id)
    for one in (silent, call):
        assert await _kept(work, one) is None
        with pytest.raises(NotFound):
            await left.tell_code(work, one.id)


async def test_words_of_danger_are_first_and_alarm_at_night(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    work.now = datetime(2030, 1, 14, 12, tzinfo=ZoneInfo("Europe/Belgrade"))
    kept: list[UUID] = []
    for text in ("Dosadno mi je", "Хоћу да се убијем", "Zdravo"):
        call = await a_child(work, line)
        await _say(work, call, text)
        await ending.end_as_child(work, call.id)
        kept.append(call.id)
        work.now += timedelta(minutes=1)
    rows = await answering.waiting(work, ana.team)
    assert [one.call_id for one in rows] == [kept[1], kept[0], kept[2]]
    assert [one.alarming for one in rows] == [True, False, False]
    work.now += timedelta(hours=14)
    await untaken.look_at_messages(work)
    await work.session.flush()
    assert len((await work.session.scalars(select(Alarm.id))).all()) == 1
    await answering.take(work, ana, kept[1])
    await untaken.look_at_messages(work)
    await work.session.flush()
    opened = select(Alarm.id).where(Alarm.ended_at.is_(None))
    assert (await work.session.scalars(opened)).all() == [], "the others wait until the morning"


async def test_words_that_come_after_the_message_was_kept_are_said_and_wait(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = await a_child(work, line)
    await _say(work, call, "Zdravo")
    await _is_away(work, call)
    await answering.take(work, ana, call.id)
    await answering.mark_done(work, ana, call.id)
    # Its page had no network, and leaves the message only now; the answer is lost, so it repeats.
    key = a_key()
    for _ in range(2):
        await left.leave_message(work, call.id, text="On se vraća", client_key=key)
    (waits,) = await answering.waiting(work, ana.team)
    assert (waits.call_id, waits.answerable) == (call.id, True)
    assert [one.words for one in await answering.read_left(work, ana, call.id)] == [
        "Zdravo",
        "On se vraća",
    ]


async def test_a_child_that_lost_its_counsellor_is_read_if_it_goes(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = await a_child(work, line)
    await _say(work, call, "Zdravo")
    offer = (await matched(work))[0]
    await takes(work, offer)
    await reading.see_as_staff(work, ana, call.id, 9)
    locked = await record.lock_call(work, call.id)
    await lost_counsellor.give_back(
        work, locked, offer, Cause.BROWSER_NOT_HEARD, PresenceState.AWAY
    )
    await _say(work, call, "Dolazi")
    await ending.end_as_child(work, call.id)
    assert [one.call_id for one in await answering.waiting(work, ana.team)] == [call.id]


async def test_last_words_after_the_end_of_a_talk_are_on_the_desk(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = await a_child(work, line)
    await _say(work, call, "Zdravo")
    await takes(work, (await matched(work))[0])
    await reading.see_as_staff(work, ana, call.id, 9)
    await ending.end_as_staff(work, ana, call.id)
    assert await ended_without_counsellor.conversations(work, ana) == []
    for _ in range(2):
        await ending.end_as_child(work, call.id, [("a-key-of-its-own", "Nemoj još")])
    (kept,) = await ended_without_counsellor.conversations(work, ana)
    assert (kept.call_id, kept.unread) == (call.id, 1)


@pytest.mark.parametrize("leaves_message", [False, True])
async def test_words_that_come_after_a_silent_end_are_kept_as_a_message(
    work: Work, leaves_message: bool
) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = await a_child(work, line)
    await _is_away(work, call)
    for _ in range(2):
        if leaves_message:
            await left.leave_message(
                work, call.id, text="Nisam mogao", client_key="a-key-of-its-own"
            )
        else:
            await ending.end_as_child(work, call.id, [("a-key-of-its-own", "Nisam mogao")])
    assert (await call_again(work, call.id)).outcome == Outcome.VOICEMAIL
    (waits,) = await answering.waiting(work, ana.team)
    assert (waits.call_id, waits.answerable) == (call.id, leaves_message)
    assert [one.words for one in await answering.read_left(work, ana, call.id)] == ["Nisam mogao"]


async def test_all_last_words_are_said_however_many_came_before(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fewer may be said in a minute and at the end, so that fewer are many.
    for name, most in (("MOST_A_MINUTE", 5), ("MOST_LAST", 6)):
        assert getattr(messages, name) > most
        monkeypatch.setattr(messages, name, most)
    line = await a_chat_line(work)
    call = await a_child(work, line)
    for number in range(5):
        await _say(work, call, f"{number}")
    last = [(f"last-word-{number}", f"{number}") for number in range(messages.MOST_LAST)]
    await ending.end_as_child(work, call.id, last)
    said = await reading.all_of(work, call.id)
    assert len([one for one in said if one.author == "child"]) == 5 + messages.MOST_LAST


async def test_what_came_after_the_page_was_drawn_is_not_put_away(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = await a_child(work, line)
    await _say(work, call, "Zdravo")
    await takes(work, (await matched(work))[0])
    await ending.end_as_child(work, call.id)
    (drawn,) = await ended_without_counsellor.conversations(work, ana)
    await ending.end_as_child(work, call.id, [("a-key-of-its-own", "Nemoj još")])
    await reading.see_as_staff(work, ana, call.id, drawn.last, away=True)
    (kept,) = await ended_without_counsellor.conversations(work, ana)
    assert (kept.unread, kept.last > drawn.last) == (1, True)
    with pytest.raises(NotFound):
        await reading.see_as_staff(work, ana, call.id, kept.last)
    for _ in range(2):
        await reading.see_as_staff(work, ana, call.id, kept.last, away=True)
    assert await ended_without_counsellor.conversations(work, ana) == []
