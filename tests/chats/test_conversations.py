"""A child writes, counsellors have several conversations at once, and no word is lost."""

import dataclasses
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from app.calls import record
from app.calls.log_kinds import Cause
from app.calls.models import Leg, RecordedEvent
from app.calls.sentences import Sentence
from app.calls.states import CallState, EndedBy, Outcome
from app.chats import as_child, at_desk, ending, messages, opening, reading, typing
from app.chats.left import answering, left
from app.chats.models import Author, Message, ReaderKind
from app.contacts.models import Contact
from app.errors import Conflict, Invalid, NotFound
from app.privacy.keys import Keys
from app.retention.kinds import DataKind
from app.retention.rules import set_rules
from app.retention.running import erase_some
from app.routing import (
    in_hand,
    lost_counsellor,
    offers,
    own_presence,
    releasing,
    sound,
    sweep,
)
from app.routing.models import Presence, PresenceState
from app.routing.participants import inviting, moving
from app.routing.sweep import Due
from app.routing.waiting import places_in_queue
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
from tests.support.verbs import a_supervisor, presence_of, rings

pytestmark = pytest.mark.whole

_SWEPT = sweep.verbs_of(ending.end_away)


def later(work: Work, seconds: int) -> Work:
    """Let time pass for this unit of work."""
    work.now += timedelta(seconds=seconds)
    return work


async def test_a_conversation_is_a_call_that_no_telephone_rings_for(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = await a_child(work, line)
    assert (call.channel, call.state, call.provider_sid) == ("web", CallState.QUEUED, None)
    (offer,) = await matched(work)
    assert (offer.slot, (await presence_of(work, ana)).state) == (1, PresenceState.OFFERED)
    await takes(work, offer)
    assert (call.state, offer.state) == (CallState.CONNECTED, "connected")
    assert (await presence_of(work, ana)).state == PresenceState.WRITING
    assert await work.session.scalar(select(Leg.id)) is None
    contact = await work.session.scalar(select(Contact).where(Contact.call_id == call.id))
    assert contact is not None
    assert (contact.channel, contact.owner_id) == ("chat", ana.id)
    assert call.first_word_at is None
    await messages.say_as_staff(work, ana, call.id, text="Zdravo", client_key=a_key())
    assert call.first_word_at == work.now
    await ending.end_as_staff(work, ana, call.id)
    assert (call.state, call.outcome) == (CallState.ENDED, Outcome.ANSWERED)
    assert (await presence_of(work, ana)).state == PresenceState.WRAP_UP
    assert not [job for job in work.jobs if job.task.startswith("telephony")]


async def test_a_counsellor_has_as_many_conversations_as_they_can(work: Work) -> None:
    line = await a_chat_line(work, at_once=2)
    ana = await a_writer(work, "ana", at_once=3)
    calls = []
    for slot in (1, 2):
        call, offer = await writing(work, line)
        calls.append(call)
        assert offer.slot == slot
    third = await a_child(work, line)
    assert await matched(work) == [], "the line allows two"
    found = await in_hand.conversations_of(work, ana)
    assert [one.call.id for one in found] == [one.id for one in calls]
    assert (await in_hand.read_in_hand(work, ana)).offer is None
    await ending.end_as_child(work, calls[0].id)
    assert (await presence_of(work, ana)).state == PresenceState.WRITING
    (offer,) = await matched(work)
    assert (offer.call_id, offer.slot) == (third.id, 1)
    assert (await presence_of(work, ana)).state == PresenceState.WRITING


async def test_a_child_in_danger_comes_on_top(work: Work) -> None:
    line = await a_chat_line(work, at_once=1)
    await a_writer(work, "ana", at_once=1)
    await writing(work, line)
    await a_child(work, line)
    assert await matched(work) == []
    danger = await a_child(work, line, danger=True)
    (offer,) = await matched(work)
    assert (offer.call_id, offer.slot) == (danger.id, 2)


async def test_a_call_in_danger_rings_at_a_counsellor_who_writes(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    written, _ = await writing(work, line)
    plain, _ = await rings(work, "CA1")
    await record.enter_queue(work, plain, language="sr", danger=False, priority=0)
    assert await matched(work) == [], "an ordinary call waits"
    call, _ = await rings(work, "CA2")
    await record.enter_queue(work, call, language="sr", danger=True, priority=3600)
    (offer,) = await matched(work)
    assert (offer.call_id, offer.slot) == (call.id, None)
    assert (await presence_of(work, ana)).state == PresenceState.OFFERED
    await a_child(work, line)
    await takes(work, offer)
    assert (await presence_of(work, ana)).state == PresenceState.ON_CALL
    assert written.state == CallState.CONNECTED
    told = [job.arguments for job in work.jobs if job.task == "chats:follow_conversation"]
    assert [one["sentence"] for one in told] == ["busy_a_moment"]
    assert await matched(work) == [], "no new conversation during the call"
    await offers.connect_offer(work, call, offer, at=work.now)
    await releasing.hang_up(work, call)
    assert (await presence_of(work, ana)).state == PresenceState.WRITING
    (offer,) = await matched(work)
    assert offer.slot == 2


async def test_a_declined_or_missed_conversation_leaves_the_others(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    await writing(work, line)
    call = await a_child(work, line)
    (offer,) = await matched(work)
    locked, offer = await offers.lock_offer(work, offer.id)
    await offers.decline_offer(work, locked, offer)
    assert call.state == CallState.QUEUED
    assert (await presence_of(work, ana)).state == PresenceState.WRITING
    later(work, 31)
    (offer,) = await matched(work)
    locked, offer = await offers.lock_offer(work, offer.id)
    await offers.miss_offer(work, locked, offer, Cause.NOT_TAKEN_IN_TIME)
    presence = await presence_of(work, ana)
    assert presence.state == PresenceState.WRITING, "they write, so they are there"


async def test_what_is_sent_twice_is_said_once_and_the_order_is_one(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call, _ = await writing(work, line)
    key = a_key()
    first = await messages.say_as_child(work, call.id, text=" Bojim se ", client_key=key)
    again = await messages.say_as_child(work, call.id, text="Bojim se", client_key=key)
    assert first.id == again.id
    with pytest.raises(Conflict):
        await messages.say_as_staff(work, ana, call.id, text="Tu sam", client_key=key)
    await messages.say_as_staff(work, ana, call.id, text="Tu sam", client_key=a_key())
    read = (await as_child.conversation(work, call.id)).words
    assert [(one.number, one.words, one.sentence) for one in read] == [
        (1, None, Sentence.COUNSELLOR_HERE),
        (2, "Bojim se", None),
        (3, "Tu sam", None),
    ]
    assert first.text_sealed is not None
    assert b"Bojim" not in first.text_sealed
    assert [one.number for one in (await as_child.conversation(work, call.id, after=2)).words] == [
        3
    ]
    await ending.end_as_staff(work, ana, call.id)
    same = await messages.say_as_child(work, call.id, text="Bojim se", client_key=key)
    assert same.id == first.id, "the answer was lost, and the conversation ended meanwhile"
    with pytest.raises(messages.ConversationOver):
        await messages.say_as_child(work, call.id, text="Hej", client_key=a_key())


async def test_each_message_is_in_the_log_without_its_words(work: Work) -> None:
    line = await a_chat_line(work)
    call = await a_child(work, line)
    await messages.say_as_child(work, call.id, text="Zovem se Zzorica", client_key=a_key())
    events = await work.session.scalars(
        select(RecordedEvent).where(RecordedEvent.kind == "message_written")
    )
    (event,) = events.all()
    assert event.detail == {"number": 1, "author": "child", "whisper": None}


@pytest.mark.parametrize(
    ("text", "key"), [("", "k" * 8), ("  ", "k" * 8), ("a" * 4001, "k" * 8), ("a", "short")]
)
async def test_what_cannot_be_said_is_refused_with_a_reason(
    work: Work, text: str, key: str
) -> None:
    line = await a_chat_line(work)
    call = await a_child(work, line)
    with pytest.raises(Invalid):
        await messages.say_as_child(work, call.id, text=text, client_key=key)


async def test_delivered_and_seen_are_what_the_other_side_did(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call, _ = await writing(work, line)
    said = await messages.say_as_child(work, call.id, text="Hej", client_key=a_key())
    await as_child.conversation(work, call.id)
    await work.session.refresh(said)
    assert (said.delivered_at, said.seen_at) == (None, None)
    await reading.read_as_staff(work, ana, call.id)
    await work.session.refresh(said)
    assert (said.delivered_at, said.seen_at) == (work.now, None)
    await reading.see_as_staff(later(work, 5), ana, call.id, said.number)
    await work.session.refresh(said)
    assert said.seen_at == work.now
    answer = await messages.say_as_staff(work, ana, call.id, text="Da?", client_key=a_key())
    await reading.see_as_child(work, call.id, answer.number)
    await work.session.refresh(answer)
    assert answer.delivered_at == answer.seen_at == work.now


async def test_a_whisper_is_for_staff_alone(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    vera = await a_supervisor(work)
    call, _ = await writing(work, line)
    whisper = await messages.say_as_staff(
        work, vera, call.id, text="Pitaj gde je", client_key=a_key(), kind=ReaderKind.WHISPER
    )
    assert whisper.author == Author.SUPERVISOR
    assert "Pitaj gde je" not in [
        m.words for m in (await as_child.conversation(work, call.id)).words
    ]
    assert "Pitaj gde je" in [m.words for m in await reading.read_as_staff(work, ana, call.id)]
    with pytest.raises(NotFound):
        await messages.say_as_staff(work, vera, call.id, text="Hej", client_key=a_key())
    boris = await a_writer(work, "boris")
    for verb in (
        reading.read_as_staff(work, boris, call.id),
        reading.see_as_staff(work, boris, call.id, 1),
        typing.type_as_staff(work, boris, call.id, None),
        ending.end_as_staff(work, boris, call.id),
    ):
        with pytest.raises(NotFound):
            await verb


async def typed_at_desk(work: Work, counsellor: Staff) -> tuple[bool, str | None]:
    (one,) = await at_desk.conversations(work, counsellor)
    return one.types, one.typed


async def test_typing_is_a_sign_that_fades_and_is_gone_with_the_message(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call, _ = await writing(work, line)
    await typing.type_as_child(work, call.id, None)
    assert await typed_at_desk(work, ana) == (True, None)
    await typing.type_as_child(work, call.id, "Bojim s")
    assert await typed_at_desk(work, ana) == (True, "Bojim s")
    assert not (await as_child.conversation(work, call.id)).types
    await messages.say_as_child(work, call.id, text="Bojim se", client_key=a_key())
    assert await typed_at_desk(work, ana) == (False, None)
    await typing.type_as_staff(work, ana, call.id, None)
    assert (await as_child.conversation(work, call.id)).types
    assert not (await as_child.conversation(later(work, 10), call.id)).types


async def test_the_children_of_a_counsellor_who_is_gone_keep_their_place(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    boris = await a_writer(work, "boris", at_once=0)
    call, offer = await writing(work, line)
    arrived = call.queued_at
    assert offer.counsellor_id == ana.id
    await _SWEPT[Due.PAGE_LOST](later(work, 100), offer.id)
    assert (call.state, call.returned, call.queued_at) == (CallState.QUEUED, 1, arrived)
    assert (await presence_of(work, ana)).state == PresenceState.AWAY
    boris.chats_at_once = 2
    await work.session.execute(update(Presence).values(heartbeat_at=work.now))
    (offer,) = await matched(work)
    assert offer.counsellor_id == boris.id
    await takes(work, offer)
    contact = await work.session.scalar(select(Contact).where(Contact.call_id == call.id))
    assert contact is not None
    assert contact.owner_id == boris.id
    await ending.follow(work, call.id, Sentence.COUNSELLOR_LOST, str(offer.id))
    await ending.follow(work, call.id, Sentence.COUNSELLOR_LOST, str(offer.id))
    told = (await as_child.conversation(work, call.id)).words
    assert [one.sentence for one in told].count(Sentence.COUNSELLOR_LOST) == 1


async def test_signing_out_gives_the_children_to_colleagues_at_once(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    calls = [(await writing(work, line))[0] for _ in range(2)]
    await own_presence.sign_out(work, ana, "no such session")
    assert [call.state for call in calls] == [CallState.QUEUED] * 2
    assert (await presence_of(work, ana)).state == PresenceState.OFF_DUTY


async def test_a_break_begins_when_the_last_conversation_is_over(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call, _ = await writing(work, line)
    await own_presence.choose_presence(work, ana, PresenceState.BREAK)
    assert (await presence_of(work, ana)).state == PresenceState.WRITING
    await a_child(work, line)
    assert await matched(work) == [], "they want no more"
    await ending.end_as_staff(work, ana, call.id)
    await _SWEPT[Due.WRAP_UP](later(work, 3600), ana.id)
    assert (await presence_of(work, ana)).state == PresenceState.BREAK


async def test_a_closed_tab_is_not_waited_for_and_a_talk_only_for_a_while(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call, secret = await opening.open_conversation(
        work, line, language="sr", danger=False, client_key=a_key()
    )
    await takes(work, (await matched(work))[0])
    waiting = await a_child(work, line)
    later(work, 80)
    for one in (call, waiting):
        await ending.end_away(work, one.id)
    assert (waiting.state, waiting.outcome) == (CallState.ENDED, Outcome.ABANDONED_IN_QUEUE)
    assert call.state == CallState.CONNECTED
    assert (await opening.conversation_of(work, secret)).call_id == call.id
    assert (await call_again(work, call.id)).heard_at == work.now
    await ending.end_away(later(work, 700), call.id)
    over = await call_again(work, call.id)
    assert (over.state, over.ended_by) == (CallState.ENDED, EndedBy.AWAY)
    assert (await presence_of(work, ana)).state == PresenceState.WRAP_UP


async def test_the_same_request_opens_one_conversation(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        Keys, "keep_session_key", lambda _, secret, *, of_chat=False: kept.append((secret, of_chat))
    )
    line = await a_chat_line(work)
    key = a_key()
    first = await opening.open_conversation(work, line, language="sr", danger=False, client_key=key)
    again = await opening.open_conversation(work, line, language="sr", danger=False, client_key=key)
    assert (first.call.id, first.secret) == (again.call.id, again.secret)
    assert (await opening.conversation_of(work, first.secret)).call_id == first.call.id
    with pytest.raises(NotFound):
        await opening.conversation_of(work, first.secret[:-1])
    assert kept == [(first.secret, True)], "what is made up pushes it out of no memory of hashes"
    with pytest.raises(opening.KeyUsed):
        await opening.open_conversation(
            later(work, 301), line, language="sr", danger=False, client_key=key
        )
    left = await opening.open_conversation(
        later(work, 301), line, language="sr", danger=False, client_key=key, leaves=True
    )
    assert left.call.id == first.call.id, "the words of a child that leaves are never too late"
    for wrong in ({"language": "hu"}, {"client_key": "short"}):
        values: dict[str, Any] = {"language": "sr", "client_key": a_key()} | wrong
        with pytest.raises(Invalid):
            await opening.open_conversation(work, line, danger=False, **values)


async def test_without_a_counsellor_who_writes_the_child_is_told_so(work: Work) -> None:
    line = await a_chat_line(work)
    await a_writer(work, "ana", at_once=0)
    call = await a_child(work, line)
    assert (call.state, call.unstaffed) == (CallState.GREETING, "out_of_hours")
    off = dataclasses.replace(line, chat={})
    with pytest.raises(opening.NotWritten):
        await a_child(work, off)


async def test_danger_that_is_said_later_goes_before_all_others(work: Work) -> None:
    line = await a_chat_line(work)
    await a_writer(work, "ana", at_once=0)
    call = await a_child(work, line)
    await opening.say_danger(work, call, line)
    assert (call.danger, call.state) == (True, CallState.GREETING)
    assert "referrals:danger_unanswered" in [job.task for job in work.jobs]
    await a_writer(work, "boris")
    other = await a_child(work, line)
    await opening.say_danger(work, other, line)
    assert other.priority >= 3600
    assert [w.danger for w in await places_in_queue.waiting_calls(work)] == [True]


async def test_a_conversation_goes_to_a_colleague_or_a_skill_and_a_supervisor_takes_it(
    work: Work,
) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call, offer = await writing(work, line)
    boris = await a_writer(work, "boris")
    vera = await a_supervisor(work)
    with pytest.raises(Conflict):
        await inviting.consult(work, ana, call, staff_id=boris.id)
    with pytest.raises(Conflict):
        await sound.set_hold(work, call, True)
    await inviting.transfer(work, ana, call, staff_id=boris.id)
    assert (call.state, call.preferred_id) == (CallState.QUEUED, boris.id)
    (offer,) = await matched(work)
    assert offer.counsellor_id == boris.id
    await takes(work, offer)
    await moving.take_over(work, vera, call.id)
    assert (await presence_of(work, boris)).state == PresenceState.WRAP_UP
    assert (await presence_of(work, vera)).state == PresenceState.WRITING
    talk = await offers.live_offer_of_call(work, call.id)
    assert talk is not None
    assert talk.counsellor_id == vera.id
    await ending.follow(work, call.id, Sentence.COUNSELLOR_HERE, str(talk.id))
    contact = await work.session.scalar(select(Contact).where(Contact.call_id == call.id))
    assert contact is not None
    assert contact.owner_id == vera.id
    await lost_counsellor.give_back_conversations(work, vera.id, Cause.OWN_CHOICE)
    assert call.state == CallState.QUEUED


async def test_counsellors_are_kept_for_calls_for_a_while(work: Work) -> None:
    line = await a_chat_line(work, reserve=1, reserve_seconds=60)
    await a_writer(work, "ana")
    await a_child(work, line)
    assert await matched(work) == []
    later(work, 61)
    await work.session.execute(update(Presence).values(heartbeat_at=work.now))
    (offer,) = await matched(work)
    assert offer.slot == 1


async def test_without_an_open_page_nothing_is_offered(work: Work) -> None:
    line = await a_chat_line(work)
    await a_writer(work, "ana")
    await a_child(work, line)
    later(work, 120)
    assert await matched(work) == []


async def test_words_are_erased_and_who_wrote_when_stays(work: Work) -> None:
    line = await a_chat_line(work)
    call = await a_child(work, line)
    said = await messages.say_as_child(work, call.id, text="Hej", client_key=a_key())
    await ending.end_as_child(work, call.id)
    ana = await a_writer(work, "ana")
    await answering.take(work, ana, call.id)
    await answering.mark_done(work, ana, call.id)
    await set_rules(work, {DataKind.CHAT_MESSAGES: 30}, at_once=True)
    assert await erase_some(work, DataKind.CHAT_MESSAGES, uuid4(), set()) == 0
    assert await erase_some(later(work, 31 * 86400), DataKind.CHAT_MESSAGES, uuid4(), set()) == 1
    await work.session.refresh(said)
    assert (said.text_sealed, said.number) == (None, 1)
    (read,) = (await as_child.conversation(work, call.id)).words
    assert (read.words, read.erased) == (None, True)
    assert isinstance(said, Message)
    forget(work)


async def test_a_secret_opens_nothing_some_hours_after_the_conversation(work: Work) -> None:
    line = await a_chat_line(work)
    await a_writer(work, "ana")
    opened = await opening.open_conversation(
        work, line, language="sr", danger=False, client_key=a_key()
    )
    call_id = opened.call.id
    later(work, 24 * 3600)
    assert (await opening.conversation_of(work, opened.secret)).call_id == call_id, "it goes on"
    await ending.end_as_child(work, call_id)
    later(work, 3 * 3600)
    assert (await opening.conversation_of(work, opened.secret)).call_id == call_id
    later(work, 1)
    with pytest.raises(opening.WrongSecret):
        await opening.conversation_of(work, opened.secret)


async def test_a_code_opens_an_answer_for_days_and_its_secret_for_hours(work: Work) -> None:
    line = await a_chat_line(work)
    opened = await opening.open_conversation(
        work, line, language="sr", danger=False, client_key=a_key()
    )
    code = await left.leave_message(work, opened.call.id, text="Javite se", client_key=a_key())
    for _ in range(2):
        later(work, 24 * 3600)
        with pytest.raises(opening.WrongSecret):
            await opening.conversation_of(work, opened.secret)
        call_id, secret = await left.return_by_code(work, code)
        later(work, 3 * 3600)
        assert (await opening.conversation_of(work, secret)).call_id == call_id == opened.call.id
        later(work, 1)
        with pytest.raises(opening.WrongSecret):
            await opening.conversation_of(work, secret)
