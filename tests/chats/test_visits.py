"""A visit of the child's page that is blocked, and danger that is written again and again: a child
in danger is never kept out."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.calls import callers, record
from app.calls.caller_rows import FlagKind
from app.calls.models import Call
from app.calls.speech import LineScript
from app.calls.states import CallState, EndedBy, Outcome
from app.chats import as_child, ended_without_counsellor, ending, messages, opening, reading
from app.chats.as_child import Phase
from app.chats.left import answering, left
from app.contacts.models import Contact
from app.errors import Conflict, Invalid
from app.jobs.names import Task
from app.referrals.models import Notice
from app.referrals.opening.from_call import refer_unanswered
from app.referrals.states import NoticeKind
from app.routing.alarm_rows import AlarmKind
from app.routing.plan import NEAR_BLOCKED_PRIORITY
from app.staff import accounts
from app.staff.models import Staff
from app.work import Work
from tests.support.calls.conversations import (
    a_chat_line,
    a_key,
    a_writer,
    call_again,
    forget,
    looked,
    matched,
    takes,
)

pytestmark = pytest.mark.whole

_HOUR = timedelta(hours=1)


async def _opens(
    work: Work, line: LineScript, visit: str, *, danger: bool = False, near: bool = False
) -> opening.Opened:
    forget(work)
    return await opening.open_conversation(
        work,
        line,
        language="sr",
        danger=danger,
        client_key=a_key(),
        origin=opening.Origin(opening.visit_key(work, visit), near),
    )


async def _blocked(work: Work, line: LineScript) -> Call:
    """Let a child write, its counsellor block it and end the talk, and let it write once more."""
    ana = await a_writer(work, "ana")
    first = (await _opens(work, line, "v1")).call
    await takes(work, (await matched(work))[0])
    await callers.flag_caller(work, ana, first, FlagKind.BLOCKED, "Preti i psuje", _HOUR)
    await ending.end_as_staff(work, ana, first.id)
    return (await _opens(work, line, "v1")).call


async def _phase(work: Work, call: Call) -> Phase:
    forget(work)
    return (await as_child.conversation(work, call.id)).phase


async def test_a_blocked_visit_is_told_so_and_no_other_one_is(work: Work) -> None:
    line = await a_chat_line(work)
    call = await _blocked(work, line)
    assert (call.blocked, call.state) == (True, CallState.GREETING)
    assert await _phase(work, call) is Phase.BLOCKED
    await messages.say_as_child(work, call.id, text="Zdravo", client_key=a_key())
    assert await _phase(work, call) is Phase.BLOCKED
    with pytest.raises(Conflict):
        await left.leave_message(work, call.id, text="Zdravo", client_key=a_key())
    await ending.end_as_child(work, call.id)
    over = await call_again(work, call.id)
    assert (over.outcome, over.ended_by, over.messages) == (Outcome.BLOCKED, EndedBy.CALLER, 0)
    other = (await _opens(work, line, "v2")).call
    assert other.state == CallState.QUEUED
    school = (await _opens(work, line, "v3", near=True)).call
    assert (school.state, school.priority) == (CallState.QUEUED, NEAR_BLOCKED_PRIORITY)
    work.now += _HOUR + timedelta(minutes=1)
    assert not (await _opens(work, line, "v1")).call.blocked, "it is over by itself"


@pytest.mark.parametrize("how", ["from the start", "button", "words"])
async def test_danger_opens_a_blocked_visit(work: Work, how: str) -> None:
    line = await a_chat_line(work)
    call = await _blocked(work, line)
    if how == "from the start":
        call = (await _opens(work, line, "v1", danger=True)).call
    elif how == "button":
        await opening.say_danger(work, call, line)
    else:
        work.topics.clear()
        await messages.say_as_child(work, call.id, text="Хоћу да се убијем", client_key=a_key())
        assert f"chats:{call.id}.child" in {str(topic) for topic in work.topics}
    # It waits at once, and not only when its page looks again.
    assert (await call_again(work, call.id)).state == CallState.QUEUED
    assert await _phase(work, call) is Phase.WAITING
    assert not (await call_again(work, call.id)).blocked


async def test_words_of_danger_alarm_at_once_where_no_counsellor_is(work: Work) -> None:
    line = await a_chat_line(work)
    call = await _blocked(work, line)
    await work.session.execute(update(Staff).values(chats_at_once=0))
    forget(work)
    await messages.say_as_child(work, call.id, text="Zdravo", client_key=a_key())
    assert await looked(work) == []
    await messages.say_as_child(work, call.id, text="Хоћу да се убијем", client_key=a_key())
    assert (await call_again(work, call.id)).unstaffed is not None
    assert await looked(work) == [AlarmKind.MESSAGE_NOT_TAKEN]


async def test_words_of_a_blocked_visit_are_read_when_it_says_danger_after_its_end(
    work: Work,
) -> None:
    line = await a_chat_line(work)
    call = await _blocked(work, line)
    await messages.say_as_child(work, call.id, text="Otac me bije", client_key=a_key())
    await ending.end_as_child(work, call.id)
    ana = await accounts.find_by_name(work.session, "ana")
    assert ana is not None
    assert await answering.waiting(work, ana.team) == []
    for _ in range(2):
        await ending.say_danger(work, await record.lock_call(work, call.id), line)
    (waits,) = await answering.waiting(work, ana.team)
    assert (waits.call_id, waits.danger) == (call.id, True)


async def test_words_of_danger_get_through_after_the_end_of_a_blocked_visit(work: Work) -> None:
    line = await a_chat_line(work)
    call = await _blocked(work, line)
    await ending.end_as_child(work, call.id)
    await ending.end_as_child(work, call.id, [(a_key(), "Zdravo"), (a_key(), "Ubiću se")])
    over = await call_again(work, call.id)
    assert (over.alarming, over.messages, over.blocked) == (True, 1, False)
    said = await reading.all_of(work, call.id)
    assert [one.words for one in said] == ["Ubiću se"]


@pytest.mark.parametrize("talked", [False, True])
async def test_danger_that_is_said_after_the_end_is_acted_on(work: Work, talked: bool) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = (await _opens(work, line, "v1")).call
    if talked:
        await takes(work, (await matched(work))[0])
        await ending.end_as_staff(work, ana, call.id)
    else:
        await ending.end_as_child(work, call.id)
    for _ in range(2):
        await opening.say_danger(work, await call_again(work, call.id), line)
    await work.session.flush()
    over = await call_again(work, call.id)
    assert (over.state, over.danger) == (CallState.ENDED, True)
    waits = [job.task for job in work.jobs].count(Task.DANGER_UNANSWERED)
    at = await work.session.scalar(select(Contact.danger_at).where(Contact.call_id == call.id))
    desk = [
        (one.call_id, one.danger) for one in await ended_without_counsellor.conversations(work, ana)
    ]
    if talked:
        assert (waits, at, desk) == (0, work.now, [(call.id, True)])
    else:
        assert (waits, at, desk) == (1, None, [])


async def test_a_repeated_opening_says_danger_that_the_first_one_did_not(work: Work) -> None:
    line = await a_chat_line(work)
    key = a_key()
    opened = [
        await opening.open_conversation(work, line, language="sr", danger=one, client_key=key)
        for one in (False, True)
    ]
    assert opened[0].call is opened[1].call
    assert opened[0].call.danger


async def test_of_a_visit_only_the_block_is_kept_and_for_a_day(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = (await _opens(work, line, "v1")).call
    for kind, lasts in ((FlagKind.AT_RISK, _HOUR), (FlagKind.BLOCKED, 25 * _HOUR)):
        with pytest.raises(Invalid, match="this visit"):
            await callers.flag_caller(work, ana, call, kind, "Preti i psuje", lasts)
    flag = await callers.flag_caller(work, ana, call, FlagKind.BLOCKED, "Preti i psuje", _HOUR)
    assert [one.id for one in await callers.flags_of(work, call)] == [flag]
    assert (await _opens(work, line, "v1")).call.blocked
    await callers.lift_flag(work, ana, call, flag)
    assert not (await _opens(work, line, "v1")).call.blocked
    await ending.end_as_child(work, call.id)
    for hours, known in ((23, True), (2, False)):
        work.now += hours * _HOUR
        await opening.forget_visits(work)
        assert ((await call_again(work, call.id)).visit_key is not None) is known


async def test_the_page_of_a_blocked_visit_is_known_at_its_next_request(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    opened = await _opens(work, line, "v1")
    await work.session.flush()
    assert not (await opening.conversation_of(work, opened.secret)).blocked
    await callers.flag_caller(work, ana, opened.call, FlagKind.BLOCKED, "Preti i psuje", _HOUR)
    work.now += timedelta(seconds=20)
    assert (await opening.conversation_of(work, opened.secret)).blocked


async def test_danger_again_asks_no_agency_while_one_acts_and_always_tells_our_staff(
    work: Work,
) -> None:
    line = await a_chat_line(work)
    await a_writer(work, "ana")

    async def says_danger(visit: str) -> Call:
        call = (await _opens(work, line, visit)).call
        await opening.say_danger(work, call, line, again=True)
        assert (call.state, call.danger, call.danger_again) == (CallState.QUEUED, True, True)
        return call

    async def told() -> list[Any]:
        await work.session.flush()
        rows = await work.session.execute(
            select(Notice.referral_id, Notice.detail["call"].astext)
            .where(Notice.kind == NoticeKind.DANGER_UNANSWERED)
            .order_by(Notice.detail["call"].astext.nulls_first())
        )
        return [tuple(row) for row in rows]

    first = await refer_unanswered(work, await says_danger("v1"))
    assert first is not None, "no one acts on an earlier one"
    assert await told() == [(first.id, None)]
    again = await says_danger("v1")
    for _ in range(2):
        assert await refer_unanswered(work, again) is None
        assert await told() == [(first.id, None), (first.id, str(again.id))]
    other = await refer_unanswered(work, await says_danger("v2"))
    assert other is not None, "a network is not one child"
    first.closed_at = work.now
    await work.session.flush()
    assert await refer_unanswered(work, await says_danger("v1")) is not None
