"""A child who writes is rung: by the counsellor who agreed it, who may still write with it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.calls import callers
from app.calls.models import Call
from app.calls.speech import LineScript
from app.calls.states import CallState, Channel
from app.chats import (
    at_desk,
    by_carrier,
    ending,
    messages,
    opening,
    reading,
    ringing,
    stopped_numbers,
)
from app.chats.models import Author
from app.contacts import reading_contacts
from app.contacts.cases import case_flags, cases
from app.contacts.cases.models import CaseContact
from app.contacts.states import FlagAbout
from app.dialling import outward
from app.errors import Conflict, Invalid, NotFound
from app.privacy.hash_kinds import HashOf
from app.routing import offers, own_presence, queue, releasing
from app.routing.callbacks import callback_attempts
from app.routing.callbacks.callback_rows import Callback
from app.routing.callbacks.choices import Who
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
from tests.support.profile import by_day
from tests.support.verbs import logged, presence_of

pytestmark = pytest.mark.whole

NUMBER = "+381641110001"


async def texts(
    work: Work, line: LineScript, channel: Channel = Channel.SMS, address: str = NUMBER
) -> Call:
    """Let a child write by a carrier, and a counsellor take the conversation."""
    forget(work)
    call = await by_carrier.begin(work, line, channel, address, language="sr", says_danger=False)
    await messages.add(work, call, Author.CHILD, text="Da, pozovi me", client_key=a_key())
    await opening.admit(work, call, line)
    await takes(work, next(one for one in await matched(work) if one.call_id == call.id))
    return await call_again(work, call.id)


def from_now(work: Work) -> tuple[datetime, datetime]:
    return work.now, work.now + timedelta(hours=1)


async def agreed(work: Work, by: Staff, call: Call) -> Callback:
    """Let a counsellor agree a call-back for now, to the number of a conversation."""
    work.actor = accounts.actor_of(by)
    return await ringing.agree_known(work, call, Who.CALLER, from_now(work), safe=True)


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
    assert (await queue.match_once(work))[queue.Claimed.OFFERED] == 0


async def test_a_number_that_the_child_wrote_by_a_messenger_is_rung_by_her_too(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    chat = await texts(work, line, Channel.TELEGRAM, "telegram:42")
    work.actor = accounts.actor_of(ana)
    await ringing.agree(work, chat, NUMBER, Who.CALLER, from_now(work), safe=True)
    assert chat.caller_key != work.keys.match_key(HashOf.CALLER, NUMBER)
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

    async def wishes(_: Work, __: Call) -> callers.KnownCaller:
        return callers.KnownCaller(prefers=vera.id, never=frozenset({ana.id}))

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


@pytest.mark.parametrize("channel", by_day([Channel.SMS, Channel.WHATSAPP, Channel.SIGNAL]))
async def test_a_child_is_rung_at_the_number_from_which_it_writes(
    work: Work, channel: Channel
) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    chat = await texts(work, line, channel)
    assert (await at_desk.conversations(work, ana))[0].has_number
    found = await ringing.own_number(work, ana, chat.id)
    row = await agreed(work, ana, found)
    assert (row.call_id, row.caller_key) == (chat.id, chat.caller_key)
    vera = await a_writer(work, "vera")
    with pytest.raises(reading.NotYours):
        await ringing.own_number(work, vera, chat.id)


@pytest.mark.parametrize(
    ("channel", "address"),
    by_day([(Channel.TELEGRAM, "telegram:42"), (Channel.SIGNAL, f"signal:{UUID(int=7)}")]),
)
async def test_a_child_whose_messenger_keeps_its_number_is_rung_at_none_of_its_own(
    work: Work, channel: Channel, address: str
) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    chat = await texts(work, line, channel, address)
    assert not (await at_desk.conversations(work, ana))[0].has_number
    with pytest.raises(NotFound):
        await ringing.own_number(work, ana, chat.id)
    with pytest.raises(Conflict):
        await agreed(work, ana, chat)


async def test_a_number_that_a_child_wrote_on_the_page_is_not_one_from_which_it_writes(
    work: Work,
) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    chat, _ = await writing(work, line)
    await ringing.agree(work, chat, NUMBER, Who.CALLER, from_now(work), safe=True)
    assert not (await at_desk.conversations(work, ana))[0].has_number
    with pytest.raises(NotFound):
        await ringing.own_number(work, ana, chat.id)


async def test_the_rules_of_a_call_back_hold_for_the_number_from_which_a_child_writes(
    work: Work,
) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    chat = await texts(work, line)
    with pytest.raises(Invalid):
        await ringing.agree_known(work, chat, Who.CALLER, from_now(work), safe=False)
    await stopped_numbers.opt_out(work, chat)
    with pytest.raises(ringing.WantsNoMore):
        await agreed(work, ana, chat)
    with pytest.raises(ringing.WantsNoMore):
        await ringing.agree(work, chat, NUMBER, Who.CALLER, from_now(work), safe=True)
    assert chat.line_id is not None
    assert chat.caller_key is not None
    await stopped_numbers.opt_in(work, chat.line_id, chat.channel, chat.caller_key)
    await agreed(work, ana, chat)
    abroad = await texts(work, line, address="+12125550123")
    with pytest.raises(outward.NotDialled):
        await agreed(work, ana, abroad)


async def test_a_flag_against_ringing_is_told_to_those_who_may_read_its_case(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    chat = await texts(work, line)
    vera = await a_writer(work, "vera")
    contact = (await reading_contacts.at_hand_of_each(work, ana, [chat.id]))[chat.id]
    case = await cases.open_case(work, ana, [])
    work.session.add(CaseContact(case_id=case.id, contact_id=contact.id, linked_at=work.now))
    await work.session.flush()
    key = chat.caller_key
    assert not await case_flags.forbids_ringing(work, ana, key)
    await case_flags.raise_flag(work, ana, case.id, FlagAbout.DO_NOT_RING, "Otac se javlja", None)
    await work.session.flush()
    assert await case_flags.forbids_ringing(work, ana, key)
    assert ("records_listed", {"by": ["caller"], "ids": [str(case.id)]}) in logged(work)
    assert not await case_flags.forbids_ringing(work, vera, key)
    other = work.keys.match_key(HashOf.CALLER, "+381641119999")
    assert not await case_flags.forbids_ringing(work, ana, other)
