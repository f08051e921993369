"""A visit of the child's page that is blocked, and danger that is written again and again: a child
in danger is never kept out."""

from datetime import timedelta

import pytest

from app.calls import callers
from app.calls.caller_rows import FlagKind
from app.calls.models import Call
from app.calls.speech import LineScript
from app.calls.states import CallState, EndedBy, Outcome
from app.chats import as_child, ending, left, messages, opening
from app.chats.as_child import Phase
from app.errors import Conflict, Invalid
from app.referrals.opening.from_call import refer_unanswered
from app.routing.plan import NEAR_BLOCKED_PRIORITY
from app.work import Work
from tests.support.calls.conversations import (
    a_chat_line,
    a_key,
    a_writer,
    call_again,
    forget,
    matched,
    takes,
)

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
        await messages.say_as_child(work, call.id, text="Хоћу да се убијем", client_key=a_key())
    assert await _phase(work, call) is Phase.WAITING
    assert not (await call_again(work, call.id)).blocked


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


async def test_danger_again_comes_first_and_asks_no_agency_by_itself(work: Work) -> None:
    line = await a_chat_line(work)
    await a_writer(work, "ana")
    call = (await _opens(work, line, "v1")).call
    await opening.say_danger(work, call, line, again=True)
    assert (call.state, call.danger, call.danger_again) == (CallState.QUEUED, True, True)
    assert await refer_unanswered(work, call) is None
