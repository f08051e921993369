"""Words of a waiting child that speak of danger are shown, with the word, where it waits and where
it is offered: a suggestion that moves nothing."""

import contextlib
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.api.calls import queue
from app.calls import danger_words, record
from app.calls.log_kinds import Cause
from app.calls.models import Call
from app.calls.sentences import Sentence
from app.chats import at_desk, ending, messages, reading
from app.chats.left import answering
from app.dashboard import desk, desk_values
from app.dashboard.chats import values, views
from app.database.topics import Topic
from app.jobs.transaction import send_rows
from app.retention.data_requests import erasing_kinds
from app.routing import lost_counsellor
from app.routing.models import PresenceState
from app.routing.waiting import places_in_queue
from app.words import pages
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
from tests.support.verbs import a_supervisor, an_administrator

WORDS, WORD = "Hoću da se ubijem", "da se ubijem"


async def _say(work: Work, call: Call, words: str) -> None:
    await messages.say_as_child(work, call.id, text=words, client_key=a_key())
    await work.session.flush()


def _told(work: Work) -> set[str]:
    return {str(topic) for topic in work.topics}


async def test_the_queue_shows_the_words_to_who_may_read_them_and_keeps_its_order(
    work: Work,
) -> None:
    line = await a_chat_line(work)
    await a_writer(work, "ana")
    first = await a_child(work, line)
    work.now += timedelta(seconds=1)
    call = await a_child(work, line)
    work.topics.clear()
    await _say(work, first, "Zdravo")
    assert Topic.QUEUE not in _told(work)
    await _say(work, call, WORDS)
    assert Topic.QUEUE in _told(work)
    await _say(work, call, "umreću")
    rows = await places_in_queue.waiting_calls(work)
    assert [(one.id, one.alarming) for one in rows] == [(first.id, False), (call.id, True)]
    assert (rows[1].priority, rows[1].danger) == (rows[0].priority, False)
    pages.speak("en")
    shown = await desk.queue_part(work, True)
    assert shown.count("words of danger") == 1
    assert f'<q dir="auto">{WORD}</q>' in shown, "the first ones, as they were written"
    for_others = await desk.queue_part(work, False)
    assert "words of danger" in for_others
    assert WORD not in for_others
    pages.speak("sr")
    assert "words of danger" not in await desk.queue_part(work, True)
    for who, told in ((await a_supervisor(work), WORD), (await an_administrator(work), "")):
        api = (await queue.get_queue(work, who))[1]
        assert (api.alarming, api.danger_words) == (True, told)
        assert desk.reads_words(who) == bool(told)


async def test_the_offer_shows_the_words_also_those_written_while_it_rings(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = await a_child(work, line)
    assert len(await matched(work)) == 1
    pages.speak("en")
    assert "words of danger" not in await desk_values.frame_part(work, ana)
    work.topics.clear()
    await _say(work, call, WORDS)
    assert Topic.OFFERS.of(ana.id) in _told(work)
    bar = await desk_values.frame_part(work, ana)
    assert "words of danger" in bar
    assert WORD in bar
    assert "A child in danger" not in bar
    (ring,) = await queue.my_offers(work, ana)
    assert (ring.alarming, ring.danger_words, ring.danger) == (True, WORD, False)


async def test_a_child_that_lost_its_counsellor_waits_with_what_it_wrote_in_the_talk(
    work: Work,
) -> None:
    line = await a_chat_line(work)
    await a_writer(work, "ana")
    call = await a_child(work, line)
    offer = (await matched(work))[0]
    await takes(work, offer)
    await _say(work, call, WORDS)
    locked = await record.lock_call(work, call.id)
    await lost_counsellor.give_back(
        work, locked, offer, Cause.BROWSER_NOT_HEARD, PresenceState.AWAY
    )
    await send_rows(work)
    for _ in range(2):
        await ending.follow(work, call.id, Sentence.COUNSELLOR_LOST, "k")
    (waits,) = await places_in_queue.waiting_calls(work)
    assert waits.alarming
    assert danger_words.opened(work, waits.id, waits.danger_words_sealed) == WORD


async def test_words_of_a_talk_stay_before_its_counsellor_however_much_follows(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "SHOWN", 2)
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = await a_child(work, line)
    await takes(work, (await matched(work))[0])
    for words in (WORDS, "Ne znam", "Ništa", "Kako si ti"):
        await _say(work, call, words)
    (card,) = (await values.chats_values(work, ana))["chats"]
    assert [part.text for one in card.bubbles for part in one.parts] == ["Ništa", "Kako si ti"]
    assert card.alarming == WORD
    (api,) = await at_desk.conversations(work, ana)
    assert (api.alarming, api.danger_words) == (True, WORD)
    news = await values.news_values(work, ana, call.id, api.last_number)
    assert news["c"].alarming is None, "what stands there is not said again"
    await ending.end_as_child(work, call.id)
    (over,) = (await values.chats_values(work, ana))["gone"]
    assert (over.alarming, over.danger_words) == (True, WORD)


async def test_words_of_danger_are_heard_from_a_child_who_writes_too_fast(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MOST_A_MINUTE", 2)
    call = await a_child(work, await a_chat_line(work))
    for _ in range(2):
        await _say(work, call, "Halo")
    for words, heard in (("Halo", False), (WORDS, True), (WORDS, True), (WORDS, False)):
        with contextlib.nullcontext() if heard else pytest.raises(messages.TooFast):
            await _say(work, call, words)
    assert (await call_again(work, call.id)).alarming
    said = [one.words for one in await reading.all_of(work, call.id)]
    assert said == ["Halo", "Halo", WORDS, WORDS]


async def test_the_words_are_sealed_and_go_with_the_messages(work: Work) -> None:
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = await a_child(work, line)
    await _say(work, call, WORDS)
    await ending.end_as_child(work, call.id)
    (waits,) = await answering.waiting(work, ana.team)
    assert waits.danger_words == WORD
    stored = text("SELECT danger_words_sealed FROM calls WHERE id = :id")
    sealed = await work.session.scalar(stored, {"id": call.id})
    assert WORD.encode() not in bytes(sealed)
    await erasing_kinds.erase_words(work, [call.id])
    assert await work.session.scalar(stored, {"id": call.id}) is None
    (waits,) = await answering.waiting(work, ana.team)
    assert (waits.alarming, waits.danger_words) == (False, "")
