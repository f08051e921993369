"""What a child texts becomes a conversation: single verbs, rolled back."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from app.calls import callers, record
from app.calls.caller_rows import FlagKind
from app.calls.lines import finding_lines, line_use, lines
from app.calls.models import Call, RecordedEvent
from app.calls.sentences import Sentence
from app.calls.states import CallState, Channel, Outcome
from app.chats import at_desk, by_carrier, ending, messages, opening
from app.chats.left import answering
from app.chats.models import Author, Message
from app.demo.stage import LINE
from app.jobs.names import Task
from app.staff.models import Staff
from app.work import Work
from tests.support.calls.conversations import a_chat_line, a_writer, forget, matched, takes
from tests.support.calls.texts import CHILD, a_line_for_texts, calls, said, sends, texts
from tests.support.profile import by_day

pytestmark = pytest.mark.whole


async def test_a_line_that_takes_no_texts_asks_to_be_rung(work: Work) -> None:
    await a_chat_line(work)
    assert "116111" in (await texts(work, "Zdravo")).replace(" ", "")
    assert await calls(work) == []


async def test_the_same_text_is_received_once_and_others_go_on(work: Work) -> None:
    await a_line_for_texts(work)
    await a_writer(work, "ana")
    for _ in range(3):
        assert await texts(work, "Zdravo", sid="SM1") == ""
    await texts(work, "Tu sam", sid="SM2")
    (call,) = await calls(work)
    assert (call.channel, call.state, call.caller_kind) == ("sms", CallState.QUEUED, "e164")
    assert call.provider_sid is None
    assert by_carrier.address_of(work, call) == CHILD
    assert await said(work, call) == [
        ("child", "Zdravo"),
        ("program", "wait"),
        ("child", "Tu sam"),
    ]
    assert len(sends(work)) == 1
    kept = [vars(event) for event in await work.session.scalars(select(RecordedEvent))]
    assert kept
    assert not [event for event in kept if "Zdravo" in str(event) or CHILD in str(event)]


async def test_a_late_repeat_opens_no_new_conversation(work: Work) -> None:
    await a_line_for_texts(work)
    ana = await a_writer(work, "ana")
    await texts(work, "Zdravo", sid="SM1")
    (offer,) = await matched(work)
    call = await takes(work, offer)
    await ending.end_as_staff(work, ana, call.id)
    await texts(work, "Zdravo", sid="SM1")
    assert len(await calls(work)) == 1
    await texts(work, "Opet ja", sid="SM2")
    first, second = await calls(work)
    assert first.caller_key == second.caller_key


@pytest.mark.parametrize("prefix", by_day(["whatsapp:", ""]))
async def test_a_conversation_goes_on_when_its_line_is_retired_and_another_has_its_number(
    work: Work, prefix: str
) -> None:
    line = await a_line_for_texts(work, "sms", "whatsapp")
    other = "+381113334444"
    await lines.add_line(
        work,
        number=other,
        name="Druga linija",
        country="RS",
        languages=["sr"],
        timezone="Europe/Belgrade",
    )
    second = await finding_lines.line_of_number(work, other)
    assert second is not None
    ana = await a_writer(work, "ana")
    await texts(work, "Zdravo", from_=prefix + CHILD)
    (offer,) = await matched(work)
    call = await takes(work, offer)
    await line_use.retire(work, line.id)
    await texts(work, "Tu sam", from_=prefix + CHILD)
    await lines.change_numbers(work, second, leads_here=[LINE], shown_number=None)
    await texts(work, "Jesi li tu?", from_=prefix + CHILD)
    found = await said(work, call)
    assert [words for who, words in found if who == "child"] == ["Zdravo", "Tu sam", "Jesi li tu?"]
    # What begins after it is written to the line that has the number now, if it takes texts.
    await ending.end_as_staff(work, ana, call.id)
    await texts(work, "Opet ja", from_=prefix + CHILD)
    assert [one.line_id for one in await calls(work)] == [line.id]


async def test_by_whatsapp_and_by_voice_a_number_is_the_same_caller(work: Work) -> None:
    line = await a_line_for_texts(work, "sms", "whatsapp")
    await a_writer(work, "ana")
    rung, _ = await record.open_call(
        work, provider_sid="CA1", raw_from=CHILD, line_id=line.id, greeted=True
    )
    await texts(work, "Zdravo")
    await texts(work, "Zdravo", from_=f"whatsapp:{CHILD}", ProfileName="Milica", WaId="38164")
    found = await calls(work)
    assert {call.channel for call in found} == {"voice", "sms", "whatsapp"}
    assert {call.caller_key for call in found} == {rung.caller_key}


async def test_a_conversation_by_text_has_no_page_that_could_be_away(work: Work) -> None:
    await a_line_for_texts(work)
    ana = await a_writer(work, "ana")
    await texts(work, "Zdravo")
    (offer,) = await matched(work)
    await takes(work, offer)
    work.now += timedelta(hours=2)
    (one,) = await at_desk.conversations(work, ana)
    assert (one.channel, one.away_since, one.unread) == (Channel.SMS, None, 1)


def _block_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every number known as blocked: what is known is read beside this transaction."""

    async def blocked_one(work: Work, call: Call) -> callers.KnownCaller:
        return callers.KnownCaller(frozenset({FlagKind.BLOCKED}))

    monkeypatch.setattr(callers, "known", blocked_one)


async def test_a_blocked_number_is_told_once_and_gets_through_with_the_danger_digit(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = await a_line_for_texts(work)
    await a_writer(work, "ana")
    _block_all(monkeypatch)
    for n in range(3):
        await texts(work, f"Smetnja {n}")
    blocked = [one for one in await calls(work) if one.blocked]
    assert [one.outcome for one in blocked] == [Outcome.BLOCKED] * 3
    told = await work.session.scalar(
        select(func.count()).where(Message.sentence == Sentence.BLOCKED)
    )
    assert told == 1
    await texts(work, line.danger_digit)
    last = next(one for one in await calls(work) if one.state != CallState.ENDED)
    assert (last.danger, last.blocked, last.state) == (True, False, CallState.QUEUED)


async def _a_message_that_was_answered(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> tuple[Call, Staff]:
    """Let a number leave a message, get its answer, and be blocked."""
    await a_line_for_texts(work)
    ana = await a_writer(work, "ana", at_once=0)
    await texts(work, "Zdravo")
    (call,) = await calls(work)
    await answering.answer(work, ana, call.id, text="Pisi nam sutra", client_key=uuid4().hex)
    lasts = timedelta(hours=1)
    await callers.flag_caller(work, ana, call, FlagKind.BLOCKED, "vređa druge", lasts)
    _block_all(monkeypatch)
    return call, ana


async def test_a_blocked_number_adds_nothing_to_what_it_left_before(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, ana = await _a_message_that_was_answered(work, monkeypatch)
    for words in ("Glupi ste", "Hoću da se ubijem"):
        await texts(work, words)
    assert "Glupi ste" not in str(await said(work, call))
    assert sorted(one.blocked for one in await calls(work)) == [False, False, True]
    assert [one.alarming for one in await answering.waiting(work, ana.team)] == [True, False]


@pytest.mark.parametrize("digit", by_day(["٩", " 9. ", "9"]))
async def test_a_blocked_number_is_received_with_the_danger_digit_also_while_a_message_waits(
    work: Work, monkeypatch: pytest.MonkeyPatch, digit: str
) -> None:
    call, ana = await _a_message_that_was_answered(work, monkeypatch)
    monkeypatch.setattr(callers, "is_blocked", _always)
    for _ in range(opening.MOST_DANGER_CALLS + 2):
        await texts(work, digit)
    first, second = await answering.waiting(work, ana.team)
    assert (first.danger, second.danger, second.call_id) == (True, False, call.id)
    unanswered = [job for job in work.jobs if job.task == Task.DANGER_UNANSWERED]
    assert [job.arguments["call_id"] for job in unanswered] == [str(first.call_id)], "one task"
    # Once a person has taken it, the next danger is for every team again.
    await answering.take(work, ana, first.call_id)
    assert first.call_id not in [one.call_id for one in await answering.waiting(work, "other")]
    await texts(work, digit)
    assert first.call_id in [one.call_id for one in await answering.waiting(work, "other")]
    # Danger in another hour, or after the first was dealt with: people are told anew.
    work.now += timedelta(minutes=61)
    for _ in range(opening.MOST_DANGER_CALLS + 2):
        await texts(work, digit)
    assert len([job for job in work.jobs if job.task == Task.DANGER_UNANSWERED]) == 2
    assert len(await answering.waiting(work, ana.team)) == 3


@pytest.mark.parametrize("danger", ["9", "Hoću da se ubijem"])
async def test_a_blocked_number_is_received_after_it_says_danger(
    work: Work, monkeypatch: pytest.MonkeyPatch, danger: str
) -> None:
    """Where the child is, and what it answers to a question, reaches a person."""
    await a_line_for_texts(work)
    ana = await a_writer(work, "ana", at_once=0)
    _block_all(monkeypatch)
    monkeypatch.setattr(callers, "is_blocked", _always)
    await texts(work, "Glupi ste")
    await texts(work, danger)
    await texts(work, "Njegoševa 5, treći sprat")
    (waits,) = await answering.waiting(work, ana.team)
    call = next(one for one in await calls(work) if one.id == waits.call_id)
    assert "Njegoševa 5" in str(await said(work, call))
    await answering.answer(work, ana, call.id, text="Gde si sada?", client_key=uuid4().hex)
    await texts(work, "U podrumu")
    assert "U podrumu" in str(await said(work, call))
    (waits,) = await answering.waiting(work, ana.team)
    assert not waits.answered
    # Also after the message was done, and once a counsellor who writes is there.
    await answering.mark_done(work, ana, call.id)
    await texts(work, "Još sam tu")
    (waits,) = await answering.waiting(work, ana.team)
    assert waits.call_id != call.id
    await answering.mark_done(work, ana, waits.call_id)
    await a_writer(work, "vera")
    await texts(work, "Dođite")
    (queued,) = [one for one in await calls(work) if one.state != CallState.ENDED]
    assert (queued.blocked, queued.state) == (False, CallState.QUEUED)
    # After a day without a word the block counts again.
    await ending.end_as_child(work, queued.id)
    work.now += timedelta(hours=49)
    await texts(work, "Glupi ste")
    assert [one.blocked for one in await calls(work) if one.opened_at == work.now] == [True]


async def _always(work: Work, key: bytes) -> bool:
    return True


async def test_a_blocked_number_that_had_a_danger_talk_is_queued_again(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = await a_line_for_texts(work)
    await a_writer(work, "ana")
    _block_all(monkeypatch)
    monkeypatch.setattr(callers, "is_blocked", _always)
    await texts(work, line.danger_digit)
    (call,) = [one for one in await calls(work) if one.state != CallState.ENDED]
    await takes(work, next(one for one in await matched(work) if one.call_id == call.id))
    await ending.end_as_child(work, call.id)
    await texts(work, "Opet je ovde")
    (again,) = [one for one in await calls(work) if one.state != CallState.ENDED]
    assert (again.blocked, again.state) == (False, CallState.QUEUED)


async def test_danger_is_for_a_counsellor_without_the_language_though_a_message_waits(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = await a_line_for_texts(work)
    await texts(work, line.danger_digit)
    _block_all(monkeypatch)
    monkeypatch.setattr(callers, "is_blocked", _always)
    await texts(work, line.danger_digit)
    vera = await a_writer(work, "vera")
    vera.languages = ["hu"]
    await work.session.flush()
    forget(work)
    await texts(work, line.danger_digit)
    (waits,) = [one for one in await calls(work) if one.state != CallState.ENDED]
    assert (waits.danger, waits.state) == (True, CallState.QUEUED)


async def test_a_number_that_was_told_the_digit_is_in_danger_with_it_while_it_waits(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = await a_line_for_texts(work)
    ana = await a_writer(work, "ana")
    await texts(work, "Zdravo", from_="+381641111111")
    (call,) = await calls(work)
    await ending.end_as_child(work, call.id)
    lasts = timedelta(hours=1)
    await callers.flag_caller(work, ana, call, FlagKind.BLOCKED, "vređa druge", lasts)
    _block_all(monkeypatch)
    for words in ("Glupi ste", "Hoću da se ubijem", line.danger_digit):
        await texts(work, words, from_="+381641111111")
    (waits,) = [one for one in await calls(work) if one.state != CallState.ENDED]
    assert (waits.danger, waits.alarming, waits.state) == (True, True, CallState.QUEUED)


async def carrying_over(work: Work, call: Call) -> None:
    """End a conversation as its child would."""
    await ending.end_as_child(work, call.id)


@pytest.fixture
def most(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many conversations a number opens in an hour: fewer, so that fewer texts are a flood."""
    assert by_carrier.MOST_AN_HOUR == 10
    monkeypatch.setattr(by_carrier, "MOST_AN_HOUR", 4)
    return 4


async def test_a_flood_opens_no_more_conversations(work: Work, most: int) -> None:
    await a_line_for_texts(work)
    await a_writer(work, "ana")
    for _ in range(most + 3):
        await texts(work, "Zdravo")
        for call in await calls(work):
            if call.state != CallState.ENDED:
                await carrying_over(work, call)
    assert len(await calls(work)) == most
    told = await work.session.scalar(
        select(func.count()).where(Message.sentence == Sentence.TOO_MANY)
    )
    assert told == 1, "it is told so, once"
    await texts(work, "Zdravo", from_="+381649999999")
    assert len(await calls(work)) == most + 1, "another number"


@pytest.mark.parametrize("digit", [False, True])
async def test_danger_is_received_in_a_flood(work: Work, digit: bool, most: int) -> None:
    line = await a_line_for_texts(work)
    await a_writer(work, "ana")
    for _ in range(most + 1):
        await texts(work, "Zdravo")
        for call in await calls(work):
            if call.state != CallState.ENDED:
                await carrying_over(work, call)
    await texts(work, line.danger_digit if digit else "Хоћу да се убијем")
    (last,) = [one for one in await calls(work) if one.state != CallState.ENDED]
    assert (last.state, last.danger, last.alarming) == (CallState.QUEUED, digit, not digit)
    if digit:
        for _ in range(opening.MOST_DANGER_CALLS):
            await carrying_over(work, last)
            await texts(work, line.danger_digit)
            (last,) = [one for one in await calls(work) if one.state != CallState.ENDED]
        again = [one.danger_again for one in await calls(work) if one.danger]
        assert sorted(again) == [False] * opening.MOST_DANGER_CALLS + [True]


async def test_more_than_a_person_types_in_one_conversation_is_not_kept(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MOST_A_MINUTE", 5)
    await a_line_for_texts(work)
    await a_writer(work, "ana")
    for n in range(8):
        assert await texts(work, f"Zdravo {n}") == ""
    count = select(func.count()).where(Message.author == Author.CHILD)
    assert await work.session.scalar(count) == 5
    (call,) = await calls(work)
    found = await said(work, call)
    assert [who for who in found if who[1] == "too_fast"] == [("program", "too_fast")], "once"
    await texts(work, "Hoću da se ubijem")
    (call,) = await calls(work)
    assert (await work.session.scalar(count), call.alarming) == (6, True)


async def test_a_child_who_waits_in_vain_is_told_and_answered_later(work: Work) -> None:
    await a_line_for_texts(work)
    ana = await a_writer(work, "ana")
    await texts(work, "Zdravo")
    (call,) = await calls(work)
    await by_carrier.watch(work, call.id)
    assert call.state == CallState.QUEUED
    assert [job.task for job in work.jobs].count(Task.WATCH_CARRIED) == 2
    ana.chats_at_once = 0
    await work.session.flush()
    forget(work)
    await by_carrier.watch(work, call.id)
    assert (call.state, call.outcome) == (CallState.ENDED, Outcome.VOICEMAIL)
    assert (await said(work, call))[-1] == ("program", "closed")
    (waits,) = await answering.waiting(work, ana.team)
    assert waits.call_id == call.id
    await by_carrier.watch(work, call.id)
    assert len(await answering.waiting(work, ana.team)) == 1


async def test_the_language_is_that_of_the_last_call(work: Work) -> None:
    line = await a_line_for_texts(work)
    await a_writer(work, "ana")
    rung, _ = await record.open_call(
        work, provider_sid="CA1", raw_from=CHILD, line_id=line.id, greeted=True
    )
    rung.language = "en"
    await work.session.flush()
    await texts(work, "Hello")
    assert [one.language for one in await calls(work) if one.channel == "sms"] == ["en"]


@pytest.mark.parametrize("from_", ["INFO", "12345", "anonymous", ""])
async def test_a_sender_that_cannot_be_answered_is_ignored(work: Work, from_: str) -> None:
    await a_line_for_texts(work)
    assert await texts(work, "Osvojili ste nagradu", from_=from_) == ""
    assert await calls(work) == []


async def test_places_and_pictures_are_refused_with_a_sentence(work: Work) -> None:
    await a_line_for_texts(work, "whatsapp")
    await a_writer(work, "ana")
    from_ = f"whatsapp:{CHILD}"
    await texts(work, "", from_=from_, Latitude="44.8", Longitude="20.4")
    await texts(work, "evo me", from_=from_, NumMedia="1", MediaUrl0="https://x/1")
    (call,) = await calls(work)
    found = await said(work, call)
    assert [who for who in found if who[1] == "no_media"] == [("program", "no_media")] * 2
    assert ("child", "evo me") in found
    assert "44.8" not in str(found)
