"""What is written to a child reaches it as a text: single verbs, rolled back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.calls.sentences import Sentence
from app.calls.states import CallState
from app.chats import messages, reading, sendings, stopped_numbers
from app.chats.carrier_rows import Arrival, Sent
from app.chats.models import Failure, Message
from app.chats.sendings import DeliveryReport
from app.dialling.models import Dial
from app.errors import Invalid
from app.outbox.states import Sending
from app.staff.models import Staff
from app.telephony.messaging.answering import AnswerOnce
from app.work import Work
from tests.support.calls.conversations import a_writer, forget, matched, takes
from tests.support.calls.texts import CHILD, a_line_for_texts, calls, texts

pytestmark = pytest.mark.whole


class _Parts:
    """What the job works with; nothing is sent."""

    platform: Any = None


async def to_child(work: Work, message_id: Any) -> tuple[AnswerOnce, Sent]:
    out = AnswerOnce(_Parts(), str(message_id))  # type: ignore[arg-type]
    row = await out.lock(work)
    assert row is not None
    return out, row


async def talk(work: Work, *by: str, **rules: Any) -> tuple[Call, Staff]:
    """Let a child text and a counsellor take it."""
    await a_line_for_texts(work, *by, **rules)
    ana = await a_writer(work, "ana")
    prefix = "whatsapp:" if by == ("whatsapp",) else ""
    await texts(work, "Zdravo", from_=prefix + CHILD)
    (offer,) = await matched(work)
    call = await takes(work, offer)
    await work.session.execute(update(Sent).values(sending=Sending.SENT))
    return call, ana


async def test_answers_go_in_the_order_in_which_they_were_written(work: Work) -> None:
    call, ana = await talk(work)
    first = await messages.say_as_staff(work, ana, call.id, text="Jedan", client_key="k" * 8)
    second = await messages.say_as_staff(work, ana, call.id, text="Dva", client_key="l" * 8)
    later, row = await to_child(work, second.id)
    assert not await later.prepare(work, row)
    assert row.sending == Sending.WANTED
    assert work.jobs[-1].delay is not None
    now, sooner = await to_child(work, first.id)
    assert await now.prepare(work, sooner)
    assert now.out.text == "Jedan"
    sooner.sending = Sending.SENT.value
    await work.session.flush()
    assert await later.prepare(work, row)


async def test_a_text_is_counted_by_its_parts_and_only_where_it_may_go(work: Work) -> None:
    call, ana = await talk(work)
    long = await messages.say_as_staff(work, ana, call.id, text="ž" * 150, client_key="k" * 8)
    out, row = await to_child(work, long.id)
    for _ in range(2):
        assert await out.prepare(work, row)
        assert await out.may_go(work, row)
    count = await work.session.scalar(select(func.count()).where(Dial.way == "sms"))
    assert (row.parts, count) == (3, 3), "a job that runs twice counts once"
    await work.session.execute(update(Line).values(country="GB"))
    forget(work)
    assert await out.may_go(work, row), "the child wrote first, wherever its telephone is from"
    out.out = replace(out.out, to="+381900123456")
    assert not await out.may_go(work, row)


async def test_a_counsellor_writes_no_more_than_a_text_holds(work: Work) -> None:
    call, ana = await talk(work)
    with pytest.raises(Invalid, match="1600"):
        await messages.say_as_staff(work, ana, call.id, text="a" * 1601, client_key="k" * 8)


async def test_a_report_never_goes_back(work: Work) -> None:
    call, ana = await talk(work)
    message = await messages.say_as_staff(work, ana, call.id, text="Tu", client_key="k" * 8)
    sent = await sendings.lock_sent(work, message.id)

    async def report(word: DeliveryReport, why: Failure | None = None) -> Message:
        await sendings.note_report(work, call, sent, word, why, None)
        return await work.session.get_one(Message, message.id, populate_existing=True)

    assert (await report(DeliveryReport.ON_ITS_WAY)).delivered_at is None
    assert (await report(DeliveryReport.FAILED, Failure.UNREACHABLE)).failure == "unreachable"
    assert (await report(DeliveryReport.ON_ITS_WAY)).failure == "unreachable"
    # The network gave it up too early: it was delivered after all.
    assert (await report(DeliveryReport.DELIVERED)).failure is None
    assert (await report(DeliveryReport.SEEN)).seen_at is not None
    assert (await report(DeliveryReport.FAILED, Failure.UNREACHABLE)).failure is None


async def test_without_an_approved_text_nothing_is_sent_after_a_day(work: Work) -> None:
    call, ana = await talk(work, "whatsapp")
    work.now += timedelta(hours=24)
    message = await messages.say_as_staff(work, ana, call.id, text="Tu", client_key="k" * 8)
    out, row = await to_child(work, message.id)
    assert not await out.prepare(work, row)
    again = await work.session.get_one(Message, message.id, populate_existing=True)
    assert (row.sending, again.failure) == (Sending.FAILED, Failure.WINDOW)


async def test_what_is_held_fails_with_the_text_that_asks_for_a_word(work: Work) -> None:
    template = "sr=HX" + "0" * 32
    call, ana = await talk(work, "whatsapp", templates=(template,))
    work.now += timedelta(hours=24)
    message = await messages.say_as_staff(work, ana, call.id, text="Tu", client_key="k" * 8)
    out, row = await to_child(work, message.id)
    assert not await out.prepare(work, row)
    assert row.held_at is not None
    asks = await work.session.scalar(select(Sent).where(Sent.message_id.is_(None)))
    assert asks is not None
    asking, sent = await to_child(work, asks.id)
    assert await asking.prepare(work, sent)
    assert (asking.out.template, asking.out.text) == (template[3:], "")
    await sendings.note_report(
        work, call, sent, DeliveryReport.FAILED, Failure.UNKNOWN_NUMBER, 63024
    )
    again = await work.session.get_one(Message, message.id, populate_existing=True)
    held = await sendings.lock_sent(work, message.id)
    assert [held.sending, held.held_at, again.failure] == ["failed", None, "unknown_number"]


async def test_a_child_is_answered_from_the_number_that_it_wrote_to(work: Work) -> None:
    line = await a_line_for_texts(work)
    await a_writer(work, "ana")
    await texts(work, "imam")
    await texts(work, line.danger_digit)
    (call,) = await calls(work)
    assert not call.danger, "it may be an age"
    await work.session.execute(update(Arrival).values(ours="+381112223333"))
    waits = await work.session.scalar(select(Message.id).where(Message.sentence == Sentence.WAIT))
    out, row = await to_child(work, waits)
    assert await out.prepare(work, row)
    assert (out.out.to, out.out.line) == (CHILD, "+381112223333")


async def test_a_number_that_was_forgotten_cannot_be_answered(work: Work) -> None:
    call, ana = await talk(work)
    message = await messages.say_as_staff(work, ana, call.id, text="Tu", client_key="k" * 8)
    call.caller_number_sealed = None
    await work.session.flush()
    out, row = await to_child(work, message.id)
    assert not await out.prepare(work, row)
    again = await work.session.get_one(Message, message.id, populate_existing=True)
    assert again.failure == Failure.NO_ADDRESS


async def test_who_opted_out_gets_the_confirmation_and_nothing_else(work: Work) -> None:
    call, ana = await talk(work)
    message = await messages.say_as_staff(work, ana, call.id, text="Tu", client_key="k" * 8)
    await texts(work, "Stop")
    assert call.state == CallState.ENDED
    assert await stopped_numbers.is_out(work, call)
    out, row = await to_child(work, message.id)
    assert not await out.prepare(work, row)
    rows = await reading.all_of(work, call.id)
    confirmation = next(one for one in rows if one.sentence is Sentence.OPTED_OUT)
    found = await work.session.scalar(
        select(Message.id).where(Message.number == confirmation.number)
    )
    confirms, sent = await to_child(work, found)
    assert await confirms.prepare(work, sent)
    # The carrier that says so itself is not repeated.
    await texts(work, "Opet ja")
    await texts(work, "STOP", OptOutType="STOP")
    told = await work.session.scalar(
        select(func.count()).where(Message.sentence == Sentence.OPTED_OUT)
    )
    assert told == 1
