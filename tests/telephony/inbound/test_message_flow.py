"""A voice message is kept once, and its caller is thanked and not hung up on."""

from sqlalchemy import select

from app.calls.models import Call, VoiceMessage
from app.calls.states import CallState, MessageState, Outcome
from app.database.topics import Topic
from app.jobs.names import Task
from app.telephony.answers import Enqueue, Message, Nothing
from app.telephony.inbound import arriving, message_flow
from app.work import Work
from tests.support.calls.legs import deferred, told
from tests.support.verbs import a_counsellor, a_line, a_webhook, rings

RECORDED = {"RecordingSid": "RE1", "RecordingDuration": "7"}


async def a_caller_at_the_tone(work: Work) -> Call:
    await a_line(work)
    call, _ = await rings(work)
    answer = await told(work, call, arriving.menu("1", 1, asked_again=False))
    assert isinstance(answer, Message)
    return call


async def messages(work: Work) -> list[VoiceMessage]:
    return list(await work.session.scalars(select(VoiceMessage)))


async def test_a_recording_is_one_message_however_often_it_is_told(work: Work) -> None:
    call = await a_caller_at_the_tone(work)
    status = a_webhook(RecordingStatus="completed", **RECORDED)
    heard = await told(work, call, message_flow.message_left(a_webhook(**RECORDED)))
    assert isinstance(heard, Message)
    assert heard.thanks
    for _ in range(2):
        await message_flow.recording_status(work, call.id, status)
    (kept,) = await messages(work)
    assert (kept.recording_sid, kept.seconds, kept.state) == ("RE1", 7, MessageState.RECORDED)
    assert (call.messages, call.state) == (1, CallState.GREETING)
    assert deferred(work, Task.IMPORT_MESSAGE) == 1


async def test_a_caller_who_hangs_up_after_the_tone_has_left_a_message(work: Work) -> None:
    call = await a_caller_at_the_tone(work)
    left = message_flow.message_left(a_webhook(Digits="hangup", **RECORDED))
    assert await told(work, call, left) == Nothing()
    assert (call.state, call.outcome) == (CallState.ENDED, Outcome.VOICEMAIL)


async def test_a_recording_that_the_provider_does_not_have_is_no_message(work: Work) -> None:
    call = await a_caller_at_the_tone(work)
    for status in ("in-progress", "absent"):
        signed = a_webhook(RecordingStatus=status, **RECORDED)
        await message_flow.recording_status(work, call.id, signed)
    assert [one.state for one in await messages(work)] == [MessageState.ABSENT]
    assert (call.messages, deferred(work, Task.IMPORT_MESSAGE)) == (0, 0)


async def test_silence_at_the_tone_leads_to_a_counsellor_who_came_meanwhile(work: Work) -> None:
    call = await a_caller_at_the_tone(work)
    assert isinstance(await told(work, call, message_flow.message_again()), Message)
    await a_counsellor(work, "ana")
    for topic in (Topic.PRESENCE, Topic.ROSTER):
        work.ground.memory.forget(topic)
    assert isinstance(await told(work, call, message_flow.message_again()), Enqueue)
    assert call.state == CallState.QUEUED
