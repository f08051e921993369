"""What a waiting caller hears, what each key does, and how the waiting room is left."""

from datetime import timedelta

from sqlalchemy import delete, select

from app.calls.menu import CALLBACK_DIGIT, MESSAGE_DIGIT
from app.calls.models import Call
from app.calls.states import CallState, EndedBy, Unstaffed
from app.database.topics import Topic
from app.jobs.names import Task
from app.privacy.numbers import CallerKind
from app.routing import own_presence
from app.routing.callbacks.callback_rows import Callback
from app.routing.callbacks.choices import Who
from app.routing.models import OfferState, PresenceState
from app.routing.plan import DANGER_PRIORITY
from app.routing.rota.models import ShiftRow
from app.routing.rota.roster import add_shift
from app.routing.waiting.places_in_queue import waiting_calls
from app.telephony import answers
from app.telephony.answers import Answer, CallbackQuestion, Leave, Wait
from app.telephony.inbound import arriving, waiting
from app.words.keys import PromptKey
from app.work import Work
from tests.support.calls.legs import deferred, told
from tests.support.verbs import a_counsellor, a_waiting_call, offered, presence_of, rings


async def another(work: Work) -> Call:
    """Let a second caller of the line wait, who rings a second later."""
    work.now += timedelta(seconds=1)
    call, _ = await rings(work, "CA2", From="+381641110002")
    await told(work, call, arriving.menu("1", 1, asked_again=False))
    assert call.state == CallState.QUEUED
    return call


async def presses(work: Work, call: Call, digits: str | None) -> Answer:
    return await told(work, call, waiting.wait_choice(digits, 1, 0))


async def asked(
    work: Work, call: Call, question: CallbackQuestion, digits: str, who: Who = Who.CALLER
) -> Answer:
    return await told(work, call, waiting.callback(digits, "1.1", question, who))


async def test_a_child_in_danger_goes_ahead_of_a_caller_who_was_first(work: Work) -> None:
    await a_counsellor(work, "ana")
    first = await a_waiting_call(work)
    second = await another(work)
    assert [one.id for one in await waiting_calls(work)] == [first.id, second.id]
    heard = await presses(work, second, "9")
    assert isinstance(heard, Wait)
    assert heard.danger
    assert (second.danger, second.priority) == (True, DANGER_PRIORITY)
    assert deferred(work, Task.DANGER_UNANSWERED) == 1
    assert [one.id for one in await waiting_calls(work)] == [second.id, first.id]


async def test_a_caller_leaves_when_no_counsellor_is_left_and_hears_why(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    call = await a_waiting_call(work)
    assert isinstance(await told(work, call, waiting.wait(1, 0)), Wait)
    await own_presence.choose_presence_by_name(work, ana, "off_duty")
    await work.session.flush()
    work.ground.memory.forget(Topic.PRESENCE)
    assert await told(work, call, waiting.wait(1, 1)) == Leave(entry=1)
    assert call.state == CallState.GREETING
    left = await told(work, call, waiting.leave_queue("leave", gone=False, entry=1))
    assert isinstance(left, answers.Message)
    assert left.reason is Unstaffed.NO_COUNSELLOR_ON_DUTY


async def test_who_waits_when_the_last_shift_ends_waits_on_and_hears_so(work: Work) -> None:
    """For the counsellor who is still there; who rings then is not queued for her."""
    ana = await a_counsellor(work, "ana")
    call = await a_waiting_call(work)
    begins, ends = work.now - timedelta(hours=1), work.now + timedelta(minutes=1)
    await work.session.execute(delete(ShiftRow))
    await add_shift(
        work,
        ana,
        recurrence="FREQ=DAILY",
        starts_at=begins.time(),
        minutes=int((ends - begins).total_seconds() / 60),
    )
    work.now += timedelta(minutes=2)
    await work.session.flush()
    work.ground.memory.forget("everything")
    heard = await told(work, call, waiting.wait(1, 0))
    assert isinstance(heard, Wait)
    assert heard.draining
    assert call.state == CallState.QUEUED
    late, _ = await rings(work, "CA2", From="+381641110002")
    await told(work, late, arriving.menu("1", 1, asked_again=False))
    assert late.state == CallState.GREETING


async def test_a_caller_who_wants_to_speak_frees_the_counsellor_who_is_rung(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    call = await a_waiting_call(work)
    (offer,) = await offered(work, call, ana)
    assert await presses(work, call, MESSAGE_DIGIT) == Leave(entry=1)
    assert (call.state, offer.state) == (CallState.GREETING, OfferState.WITHDRAWN)
    assert (await presence_of(work, ana)).state == PresenceState.AVAILABLE


async def test_a_call_back_is_agreed_only_after_a_yes_and_silence_is_the_narrower_choice(
    work: Work,
) -> None:
    await a_counsellor(work, "ana")
    call = await a_waiting_call(work)
    safe = await presses(work, call, CALLBACK_DIGIT)
    assert safe == answers.AskCallback(question=CallbackQuestion.SAFE, n="1.1")
    refused = await asked(work, call, CallbackQuestion.SAFE, "")
    assert isinstance(refused, Wait)
    assert refused.said == answers.CallbackWord(key=PromptKey.CALLBACK_NOT)
    who = await asked(work, call, CallbackQuestion.SAFE, "1")
    assert who == answers.AskCallback(question=CallbackQuestion.WHO, n="1.1")
    when = await asked(work, call, CallbackQuestion.WHO, "")
    assert when == answers.AskCallback(question=CallbackQuestion.WHEN, n="1.1", who=Who.CALLER)
    assert await work.session.scalar(select(Callback.id)) is None
    kept = await asked(work, call, CallbackQuestion.WHEN, "3")
    assert isinstance(kept, Wait)
    assert kept.said is not None
    assert kept.said.key is PromptKey.CALLBACK_KEPT
    made = (await work.session.scalars(select(Callback))).one()
    assert (made.who, made.window_from) == (Who.CALLER, kept.said.begins)
    assert call.state == CallState.QUEUED, "who waits on may still be answered"


async def test_a_caller_whose_number_is_withheld_is_offered_no_call_back(work: Work) -> None:
    await a_counsellor(work, "ana")
    call = await a_waiting_call(work)
    heard = await told(work, call, waiting.wait(1, 0))
    assert isinstance(heard, Wait)
    assert heard.callback
    call.caller_kind = CallerKind.WITHHELD.value
    call.caller_key = call.caller_number_sealed = None
    for answer in (await told(work, call, waiting.wait(1, 1)), await presses(work, call, "3")):
        assert isinstance(answer, Wait)
        assert not answer.callback
    assert await work.session.scalar(select(Callback.id)) is None
    assert call.state == CallState.QUEUED, "and the place is kept"


async def test_only_a_caller_who_hangs_up_is_out_of_the_queue(work: Work) -> None:
    await a_counsellor(work, "ana")
    call = await a_waiting_call(work)
    full, failed, gone = (
        waiting.leave_queue(result, gone=False, entry=1)
        for result in ("queue-full", "error", "hangup")
    )
    assert await told(work, call, full) == Wait(entry=1, step=0)
    entries = call.entries
    assert await told(work, call, failed) == answers.GoBack(entry=entries + 1)
    assert call.state == CallState.QUEUED
    await told(work, call, gone)
    assert (call.state, call.ended_by) == (CallState.ENDED, EndedBy.CALLER)
