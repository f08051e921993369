"""A child who writes is rung: by the counsellor who agreed it, who may still write with it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.calls import callers
from app.calls.models import Call
from app.calls.speech import LineScript
from app.calls.states import CallState, Channel
from app.chats import carrying, ending, messages, opening, ringing
from app.chats.models import Author
from app.routing import callback_attempts, callbacks, offers, own_presence, queue, releasing
from app.routing.callbacks import Callback, Who
from app.routing.models import Offer, PresenceState
from app.staff import accounts
from app.staff.models import Staff
from app.work import Work
from tests.support.calls.conversations import (
    a_chat_line,
    a_child,
    a_key,
    a_writer,
    call_again,
    forget,
    matched,
    takes,
    writing,
)
from tests.support.verbs import presence_of

NUMBER = "+381641110001"


async def texts(
    work: Work, line: LineScript, channel: Channel = Channel.SMS, address: str = NUMBER
) -> Call:
    """Let a child write by a carrier, and a counsellor take the conversation."""
    forget(work)
    call = await carrying.begin(work, line, channel, address, language="sr", digit=False)
    await messages.add(work, call, Author.CHILD, text="Da, pozovi me", client_key=a_key())
    await opening.admit(work, call, line)
    await takes(work, next(one for one in await matched(work) if one.call_id == call.id))
    return await call_again(work, call.id)


async def agreed(work: Work, by: Staff, call: Call) -> Callback:
    """Let a counsellor agree a call-back for now, to the number of a conversation."""
    work.actor = accounts.actor_of(by)
    window = (work.now, work.now + timedelta(hours=1))
    return await callbacks.agree(work, call, Who.CALLER, window, safe=True)


async def due(work: Work) -> tuple[Call, list[Offer]]:
    """Put the call-back that is due into the queue and match it. Return its call, and the offers
    that ring."""
    await callback_attempts.queue_due(work)
    await work.session.flush()
    call = await work.session.scalar(select(Call).where(Call.callback_id.is_not(None)))
    assert call is not None
    return call, [one for one in await matched(work) if one.call_id == call.id]


async def test_who_agreed_a_call_back_rings_the_child_while_writing_with_it(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    chat = await texts(work, line)
    await a_writer(work, "vera")
    await agreed(work, ana, chat)
    call, (offer,) = await due(work)
    assert (call.preferred_id, offer.counsellor_id, offer.slot) == (ana.id, ana.id, None)
    assert (await presence_of(work, ana)).state == PresenceState.OFFERED
    await takes(work, offer)
    assert (await presence_of(work, ana)).state == PresenceState.ON_CALL
    told = [job for job in work.jobs if job.task == "chats:follow_conversation"]
    assert told == [], "the child whose call it is need not hear that she is busy"
    await offers.connect_offer(work, call, offer, at=work.now)
    await releasing.hang_up(work, call)
    assert (await presence_of(work, ana)).state == PresenceState.WRITING
    assert (await call_again(work, chat.id)).state == CallState.CONNECTED


async def test_a_child_with_whom_she_also_writes_is_not_left_for_a_call_back(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    chat = await texts(work, line)
    await writing(work, line)
    vera = await a_writer(work, "vera")
    await agreed(work, ana, chat)
    call, rung = await due(work)
    assert rung == [], "she is waited for"
    call.queued_at = work.now - timedelta(seconds=61)
    await work.session.flush()
    (offer,) = [one for one in await matched(work) if one.call_id == call.id]
    assert offer.counsellor_id == vera.id, "and then it is anybody"


async def test_a_conversation_that_is_offered_in_that_moment_keeps_the_call_back_away(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    await agreed(work, ana, await texts(work, line))
    await callback_attempts.queue_due(work)
    await work.session.flush()
    forget(work)
    pairs = await queue.pairs_now(work)
    assert [free.counsellor_id for _, free in pairs] == [ana.id]
    other = await a_child(work, line)
    await offers.open_offer(work, other, ana, await presence_of(work, ana), slot=2)
    await work.session.flush()

    async def read_before(_: Work) -> list[Any]:
        return pairs

    monkeypatch.setattr(queue, "pairs_now", read_before)
    assert await queue.match_once(work) == 0


async def test_a_number_that_the_child_wrote_by_a_messenger_is_rung_by_her_too(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    chat = await texts(work, line, Channel.TELEGRAM, "telegram:42")
    work.actor = accounts.actor_of(ana)
    window = (work.now, work.now + timedelta(hours=1))
    await ringing.agree(work, chat, NUMBER, Who.CALLER, window, safe=True)
    assert chat.caller_key != work.keys.match_key("caller", NUMBER)
    _, (offer,) = await due(work)
    assert offer.counsellor_id == ana.id


async def test_a_child_that_writes_again_is_rung_by_the_one_who_writes_with_it(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    first = await texts(work, line)
    await agreed(work, ana, first)
    await ending.end_as_staff(work, ana, first.id)
    await own_presence.choose_presence_by_name(work, ana, "available")
    await texts(work, line)
    _, (offer,) = await due(work)
    assert offer.counsellor_id == ana.id


async def test_a_counsellor_whom_the_child_refuses_does_not_ring_it(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = await a_chat_line(work)
    ana, vera = await a_writer(work, "ana"), await a_writer(work, "vera")
    chat = await texts(work, line)
    await agreed(work, ana, chat)

    async def wishes(_: Work, __: Call) -> callers.Known:
        return callers.Known(prefers=vera.id, never=frozenset({ana.id}))

    monkeypatch.setattr(callers, "known", wishes)
    await callback_attempts.queue_due(work)
    call = (await work.session.scalars(select(Call).where(Call.callback_id.is_not(None)))).one()
    assert (call.preferred_id, call.excluded_ids) == (vera.id, [ana.id])


async def test_who_agrees_another_time_for_a_call_back_answers_for_it(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    chat = await texts(work, line)
    row = await agreed(work, ana, chat)
    row.state = "spoken"
    vera = await a_writer(work, "vera")
    assert await agreed(work, vera, chat) is row
    assert row.made_by == vera.id
