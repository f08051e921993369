"""A child that leaves while it is typing, and the codes with which children come back: what the log
of a conversation keeps for the figures, and what stays when the code is forgotten."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.calls.log_kinds import CallLog
from app.calls.models import Call, RecordedEvent
from app.chats import ending, messages, typing
from app.chats.left import answering, left
from app.chats.models import ReturnCode
from app.work import Work
from tests.support.calls.conversations import a_chat_line, a_child, a_key, a_writer, writing
from tests.support.retention.erasing import facts


async def kinds_of(work: Work, call: Call) -> list[str]:
    await work.session.flush()
    rows = await work.session.scalars(
        select(RecordedEvent.kind).where(RecordedEvent.call_id == call.id)
    )
    return list(rows)


@pytest.mark.parametrize("seconds", [3, 20])
async def test_a_child_that_leaves_while_the_sign_is_on_left_typing(
    work: Work, seconds: int
) -> None:
    line = await a_chat_line(work)
    call = await a_child(work, line)
    await typing.type_as_child(work, call.id, None)
    work.now += timedelta(seconds=seconds)
    for _ in range(2):
        await ending.end_as_child(work, call.id)
    assert (await kinds_of(work, call)).count(CallLog.LEFT_TYPING) == (seconds < 8)


async def test_a_page_that_holds_words_says_so_and_not_which(work: Work) -> None:
    line = await a_chat_line(work)
    call = await a_child(work, line)
    await ending.end_as_child(work, call.id, typing_on=True)
    assert CallLog.LEFT_TYPING in await kinds_of(work, call)
    event = await work.session.scalar(
        select(RecordedEvent).where(RecordedEvent.kind == CallLog.LEFT_TYPING)
    )
    assert event is not None
    assert event.detail == {}


async def test_a_page_that_is_closed_while_its_child_types_left_typing(work: Work) -> None:
    line = await a_chat_line(work)
    call = await a_child(work, line)
    await typing.type_as_child(work, call.id, None)
    silent = work.now
    work.now += timedelta(seconds=work.settings.chat_silence_seconds + 5)
    await work.session.execute(update(Call).where(Call.id == call.id).values(heard_at=silent))
    await ending.end_away(work, call.id)
    assert CallLog.LEFT_TYPING in await kinds_of(work, call)


async def test_the_end_of_a_talk_is_no_abandonment(work: Work) -> None:
    line = await a_chat_line(work)
    await a_writer(work, "ana")
    call, _ = await writing(work, line)
    await ending.end_as_child(work, call.id, typing_on=True)
    assert CallLog.LEFT_TYPING not in await kinds_of(work, call)


async def test_codes_are_counted_after_they_were_forgotten(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana", at_once=0)
    calls = []
    for _ in range(3):
        call = await a_child(work, line)
        await messages.say_as_child(work, call.id, text="Halo", client_key=a_key())
        await ending.end_as_child(work, call.id)
        calls.append(call)
    _, given, used = calls
    await left.tell_code(work, given.id)
    code = await left.tell_code(work, used.id)
    for _ in range(2):
        await left.return_by_code(work, code)
    work.now += timedelta(minutes=10)
    await answering.answer(work, ana, used.id, text="Tu smo", client_key=a_key())
    for call in calls:
        await answering.mark_done(work, ana, call.id)
    before = await facts(work)
    assert before["outcome"][1] == ["message_left"]
    assert sorted(before["code"][3]) == [0, 1, 2]
    work.now += timedelta(days=work.settings.chat_code_days + 1)
    # If a number is known, it stays whose message it was; the code opens nothing any more.
    used.caller_key = bytes(32)
    await left.forget_codes(work)
    assert (await work.session.scalars(select(ReturnCode.call_id))).all() == [used.id]
    with pytest.raises(left.WrongCode):
        await left.return_by_code(work, code)
    used.caller_key = None
    await left.forget_codes(work)
    assert await work.session.scalar(select(ReturnCode.call_id)) is None
    assert await facts(work) == before
