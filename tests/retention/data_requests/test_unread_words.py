"""Words of a child that no person has read or heard outlast every rule and every erasure."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from app.calls.models import Call, VoiceMessage
from app.calls.speech import LineScript
from app.chats import ending, messages, reading
from app.chats.left import answering, left
from app.contacts.models import Contact
from app.jobs.transaction import flush
from app.privacy.hash_kinds import HashOf
from app.retention.data_requests import requests
from app.retention.data_requests.kinds import AskingPerson, Keep, RequestKind
from app.retention.data_requests.models import RequestItem
from app.retention.kinds import DataKind
from app.work import Work
from tests.support import planted
from tests.support.calls.conversations import a_chat_line, a_child, a_key, a_writer, matched, takes
from tests.support.planted import as_person
from tests.support.profile import by_day
from tests.support.retention.erasing import due_rows, rule
from tests.support.verbs import a_line, a_supervisor

NUMBER = "+381641234567"

Read = Callable[[], Awaitable[object]]


async def _by_number(work: Work, line: LineScript) -> Call:
    call = await a_child(work, line)
    call.caller_number_sealed = work.keys.seal(
        NUMBER.encode(), table="calls", column="caller_number_sealed", row=call.id
    )
    call.caller_key = work.keys.match_key(HashOf.CALLER, NUMBER)
    await flush(work)
    return call


async def _in_the_inbox(work: Work) -> tuple[Call, Read]:
    """Let a child leave a message when no counsellor is there."""
    call = await _by_number(work, await a_chat_line(work))
    ana = await a_writer(work, "ana")
    await left.leave_message(work, call.id, text="Udario me opet", client_key=a_key())
    await flush(work)

    async def read() -> None:
        await answering.take(work, ana, call.id)
        await answering.mark_done(work, ana, call.id)

    return call, read


async def _on_a_desk(work: Work) -> tuple[Call, Read]:
    """Let a child write its last words when its counsellor has ended the talk."""
    line = await a_chat_line(work)
    ana = await a_writer(work, "ana")
    call = await _by_number(work, line)
    await messages.say_as_child(work, call.id, text="Zdravo", client_key=a_key())
    await takes(work, (await matched(work))[0])
    await reading.see_as_staff(work, ana, call.id, 9)
    await ending.end_as_staff(work, ana, call.id)
    await ending.end_as_child(work, call.id, [(a_key(), "Udario me opet")])
    await flush(work)
    return call, lambda: reading.see_as_staff(work, ana, call.id, 99, away=True)


@pytest.mark.parametrize("waits", by_day([_on_a_desk, _in_the_inbox]))
async def test_a_rule_erases_no_words_that_no_person_has_read(
    work: Work, waits: Callable[[Work], Awaitable[tuple[Call, Read]]]
) -> None:
    _, read = await waits(work)
    for kind in (DataKind.CHAT_MESSAGES, DataKind.CALLER_NUMBERS):
        await rule(work, kind, 30)
    work.now += timedelta(days=31)
    assert await due_rows(work, DataKind.CHAT_MESSAGES) == 0
    assert await due_rows(work, DataKind.CALLER_NUMBERS) == 0, "the answer would go there"
    await read()
    await flush(work)
    assert await due_rows(work, DataKind.CHAT_MESSAGES) > 0
    assert await due_rows(work, DataKind.CALLER_NUMBERS) == 1


async def test_the_number_stays_while_a_voice_message_was_not_heard(work: Work) -> None:
    """The child is rung back at it."""
    await a_line(work)
    call = await planted.a_call(work)
    message = await work.session.scalar(select(VoiceMessage))
    assert message is not None
    message.heard_at = None
    await flush(work)
    for kind in (DataKind.CALLER_NUMBERS, DataKind.CALLER_HASHES):
        await rule(work, kind, 90)
    work.now += timedelta(days=91)
    assert await due_rows(work, DataKind.CALLER_NUMBERS) == 0
    call.caller_number_sealed = None
    await flush(work)
    assert await due_rows(work, DataKind.CALLER_HASHES) == 0, "flags of the number are known by it"
    message.heard_at = work.now
    await flush(work)
    assert await due_rows(work, DataKind.CALLER_HASHES) == 1


@pytest.mark.parametrize(
    ("waits", "then"),
    by_day(
        [
            # No contact says that it was another person who wrote.
            (_in_the_inbox, None),
            # The contact of the talk does not say yet who wrote: that the officer decides.
            (_on_a_desk, Keep.ANOTHER_PERSON),
        ]
    ),
)
async def test_an_erasure_takes_no_words_that_no_person_has_read(
    work: Work, waits: Callable[[Work], Awaitable[tuple[Call, Read]]], then: Keep | None
) -> None:
    call, read = await waits(work)
    boss = await a_supervisor(work)
    as_person(work, boss)

    async def keep() -> str | None:
        request = await requests.find(work, boss, RequestKind.ERASURE, AskingPerson.CHILD, NUMBER)
        await flush(work)
        of_call = (RequestItem.request_id == request.id, RequestItem.subject_id == call.id)
        return (await work.session.scalars(select(RequestItem.keep).where(*of_call))).one()

    assert await keep() == Keep.STILL_OPEN
    await read()
    await flush(work)
    of_talk = await work.session.scalar(select(Contact.id).where(Contact.call_id == call.id))
    assert await keep() == (then if of_talk is None else Keep.STILL_OPEN), "it is written in"
    await work.session.execute(
        text("UPDATE contacts SET state = 'complete', completed_at = now()"),
    )
    assert await keep() == then
