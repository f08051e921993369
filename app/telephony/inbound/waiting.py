"""The waiting room: comfort, place, keys, the wish for a call-back, and the ways out."""

from dataclasses import replace
from datetime import datetime, timedelta

from app.calls import record
from app.calls.log_kinds import CallLog, Cause, LeavesBecause
from app.calls.menu import CALLBACK_DIGIT, LAST_DIGIT, MESSAGE_DIGIT
from app.calls.models import Call
from app.calls.record import WebhookDelivery
from app.calls.speech import LineScript
from app.calls.states import CallEvent, CallState, Unstaffed
from app.database.topics import Topic
from app.routing import offers
from app.routing.callbacks.callbacks import agree, can_be_called, window_for
from app.routing.callbacks.choices import Slot, Who
from app.routing.plan import DANGER_PRIORITY
from app.routing.rota import staffing
from app.routing.waiting import places_in_queue
from app.routing.waiting.last_counsellor import last_counsellor
from app.telephony import answers
from app.telephony.answers import Answer, CallbackQuestion, CallbackWord, Wait
from app.telephony.inbound.arriving import admit_again, on_to_partner, partner_is_due
from app.telephony.inbound.deciding import Decision, end_gone, go_back, visit, watch_danger
from app.telephony.platforms.choose import platform_of
from app.words.keys import PromptKey
from app.work import Work


def wait(entry: int, step: int) -> Decision:
    """Decide what a waiting caller hears next, each time the last words have run out."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        state = CallState(call.state)
        words = platform_of(work.settings).wait(entry=entry, step=step)
        answer: Answer = words
        if state is CallState.GREETING:
            answer = answers.Leave(entry=entry)
        elif state is CallState.ENDED:
            answer = answers.Goodbye()
        elif dial := await _dialled(work, call, delivery):
            return dial
        elif state is CallState.QUEUED:
            why = await _leaves(work, call, line)
            if why is not None:
                return await _leave(work, call, delivery, entry, why)
            answer = await _place(work, call, line, words)
        elif state is CallState.OFFERED:
            last = call.preferred_id is None and await last_counsellor(work, call) is not None
            answer = replace(words, callback=await _may_ask(work, call), last=last)
        await record.record(
            work, call, CallLog.WAIT, delivery=delivery, answer=answer, language=call.language
        )
        return answer

    return decision


async def _leaves(work: Work, call: Call, line: LineScript) -> LeavesBecause | None:
    """Return why the caller leaves the queue now (no counsellor left, partner's turn), or None."""
    language = call.language or line.languages[0].language
    assert call.queued_at is not None
    found = await staffing.staffing(
        work,
        line,
        language,
        danger=call.danger,
        excluded=call.excluded_ids,
        arrived_at=call.queued_at,
    )
    if found.unstaffed is not None:
        call.unstaffed = found.unstaffed.value
        due = await partner_is_due(work, call, line, at_once=True)
        return Cause.PARTNERS_TURN if due else found.unstaffed
    if await partner_is_due(work, call, line):
        call.unstaffed = None
        return Cause.PARTNERS_TURN
    return None


async def _leave(
    work: Work, call: Call, delivery: WebhookDelivery, entry: int, cause: LeavesBecause
) -> Answer:
    answer = answers.Leave(entry=entry)
    await record.move(
        work,
        call,
        CallEvent.LEAVE_QUEUE,
        delivery=delivery,
        answer=answer,
        cause=cause,
        language=call.language,
    )
    return answer


async def _place(work: Work, call: Call, line: LineScript, words: Wait) -> Wait:
    """Add how many callers are ahead, and whether this caller has waited for long."""
    assert call.queued_at is not None
    ahead, last = await places_in_queue.place_of(work, call)
    waited = work.now - call.queued_at
    long = timedelta(seconds=work.settings.long_wait_seconds)
    language = call.language or line.languages[0].language
    return replace(
        words,
        ahead=ahead,
        last=last is not None and call.preferred_id is None,
        draining=await staffing.is_draining(work, line, language),
        long=waited >= long and words.step % 2 == 0,
        callback=await _may_ask(work, call),
    )


async def _may_ask(work: Work, call: Call) -> bool:
    """Return whether the caller can still ask to be called back."""
    return await can_be_called(work, call) and not call.asked_back


async def _dialled(work: Work, call: Call, delivery: WebhookDelivery) -> answers.Dial | None:
    """Return the answer that dials a counsellor who is there; None if nothing is to be dialled."""
    dial = await platform_of(work.settings).reach(work, call)
    if dial is not None:
        await record.record(
            work,
            call,
            CallLog.DIAL,
            delivery=delivery,
            answer=dial,
            language=call.language,
            offer_id=str(dial.offer_id),
        )
    return dial


def wait_choice(digits: str | None, entry: int, step: int) -> Decision:
    """Handle a digit while waiting: message, call-back, last counsellor or danger; else wait on."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        answer = platform_of(work.settings).wait(entry=entry, step=step + 1)
        wants_help = digits == line.danger_digit
        if not wants_help and (dial := await _dialled(work, call, delivery)):
            return dial
        if digits == MESSAGE_DIGIT and await offers.withdraw_open(work, call, Cause.WANTS_TO_SPEAK):
            return await _leave(work, call, delivery, entry, Cause.WANTS_TO_SPEAK)
        if digits == CALLBACK_DIGIT and await can_be_called(work, call):
            asked = answers.AskCallback(question=CallbackQuestion.SAFE, n=f"{entry}.{step + 1}")
            await record.record(
                work,
                call,
                CallLog.ASKS_FOR_CALLBACK,
                delivery=delivery,
                answer=asked,
                language=call.language,
            )
            return asked
        if digits == LAST_DIGIT and (last := await last_counsellor(work, call)):
            call.preferred_id = last
            answer = replace(answer, wish=True)
            await record.record(
                work,
                call,
                CallLog.ASKED_FOR_LAST,
                delivery=delivery,
                answer=answer,
                counsellor_id=str(last),
                language=call.language,
            )
            return answer
        danger = digits == line.danger_digit
        if danger:
            answer = replace(answer, danger=True)
            call.danger = True
            watch_danger(work, call)
            call.priority = max(call.priority, DANGER_PRIORITY)
            work.announce(Topic.QUEUE)
        await record.record(
            work,
            call,
            CallLog.DANGER if danger else CallLog.WAITS_ON,
            delivery=delivery,
            answer=answer,
            language=call.language,
        )
        return answer

    return decision


def callback(digits: str | None, n: str, question: CallbackQuestion, who: Who) -> Decision:
    """Ask whether a call-back is safe, who may answer, and when. It is made only if it is safe."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        onward = _after_questions(work, call, n)
        if dial := await _dialled(work, call, delivery):
            # A counsellor is there, which is better than a call-back.
            return dial
        answer: Answer
        match question:
            case CallbackQuestion.WANTED if digits == CALLBACK_DIGIT and await can_be_called(
                work, call
            ):
                answer = answers.AskCallback(question=CallbackQuestion.SAFE, n=n)
            case CallbackQuestion.SAFE if digits == "1":
                answer = answers.AskCallback(question=CallbackQuestion.WHO, n=n)
            case CallbackQuestion.WHO:
                # Silence counts as the narrower choice.
                answer = answers.AskCallback(
                    question=CallbackQuestion.WHEN,
                    n=n,
                    who=Who.ANYONE if digits == "2" else Who.CALLER,
                )
            case CallbackQuestion.WHEN if await can_be_called(work, call):
                begins, ends = await _agree(work, call, line, who, digits)
                kept = CallbackWord(key=PromptKey.CALLBACK_KEPT, begins=begins, ends=ends)
                answer = _with_word(onward, kept)
            case CallbackQuestion.WANTED:
                answer = onward
            case _:
                answer = _with_word(onward, CallbackWord(key=PromptKey.CALLBACK_NOT))
        await record.record(
            work,
            call,
            CallLog.CALLBACK_ASKED,
            delivery=delivery,
            answer=answer,
            question=question.value,
            language=call.language,
        )
        return answer

    return decision


def _after_questions(work: Work, call: Call, n: str) -> Wait | answers.Message | answers.Goodbye:
    """Return what comes after the questions: the wait, the voice message, or the end."""
    if CallState(call.state) is CallState.GREETING:
        return answers.Message(n=visit(call))
    if CallState(call.state) is CallState.ENDED:
        return answers.Goodbye()
    entry, _, step = n.partition(".")
    return platform_of(work.settings).wait(entry=int(entry or 0), step=int(step or 0))


def _with_word(onward: Wait | answers.Message | answers.Goodbye, word: CallbackWord) -> Answer:
    return onward if isinstance(onward, answers.Goodbye) else replace(onward, said=word)


async def _agree(
    work: Work, call: Call, line: LineScript, who: Who, digits: str | None
) -> tuple[datetime, datetime]:
    """Agree on the call-back and return its window."""
    slot = {"2": Slot.EVENING, "3": Slot.TOMORROW}.get(digits or "", Slot.SOON)
    language = call.language or line.languages[0].language
    window = await window_for(work, slot, line, language)
    await agree(work, call, who, window, safe=True, slot=slot)
    return window


def leave_queue(result: str, gone: bool, entry: int) -> Decision:
    """Handle the exit from the waiting room: hung up, to a message or counsellor, or by a fault."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        if result == "hangup" or gone:
            return await end_gone(work, call, delivery)
        state = CallState(call.state)
        if result == "queue-full" and state is not CallState.GREETING:
            # The provider's queue is full: the caller hears the same words outside it.
            answer: Answer = Wait(entry=entry, step=0)
        elif result in ("redirected", "redirected-from-bridged", "bridged", "bridging-in-process"):
            answer = answers.Nothing()
        elif (
            result == "leave" and state is CallState.GREETING and await left_for_partner(work, call)
        ):
            if not await partner_is_due(work, call, line, at_once=True):
                # The partner was taken out a moment ago.
                return await admit_again(work, call, delivery, line)
            answer = on_to_partner(work, call, line)
        elif result == "leave" and state is CallState.GREETING:
            answer = await _message(work, call, line)
        else:
            # The waiting room failed, or was left while a counsellor is on the way: back in.
            call.entries += 1
            answer = go_back(call)
        await record.record(
            work,
            call,
            CallLog.QUEUE_LEFT,
            delivery=delivery,
            answer=answer,
            result=result,
            language=call.language,
        )
        return answer

    return decision


async def _message(work: Work, call: Call, line: LineScript) -> answers.Message:
    """Return the voice message of a caller for whom no counsellor is left, with the reason."""
    reason = Unstaffed(call.unstaffed) if call.unstaffed else None
    resumes_at = None
    if reason is Unstaffed.OUT_OF_HOURS:
        language = call.language or line.languages[0].language
        found = await staffing.staffing(work, line, language, danger=call.danger)
        resumes_at = found.resumes_at
    return answers.Message(n=visit(call), reason=reason, resumes_at=resumes_at)


async def left_for_partner(work: Work, call: Call) -> bool:
    """Return whether the caller has left the waiting room for the partner."""
    left = await record.last_detail(work, call, CallEvent.LEAVE_QUEUE)
    return left.get("cause") == Cause.PARTNERS_TURN


def returned(entry: int) -> Decision:
    """Send the caller back to the waiting room, and say so."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        if CallState(call.state) is CallState.ENDED:
            answer: Answer = answers.Goodbye()
        elif CallState(call.state) is CallState.GREETING:
            return await admit_again(work, call, delivery, line)
        else:
            transferred = await was_transferred(work, call)
            answer = answers.Enqueue(
                entry=entry,
                returned=call.returned > 0 and not transferred,
                transferred=transferred,
            )
        await record.record(
            work,
            call,
            CallLog.RETURNED,
            delivery=delivery,
            answer=answer,
            entry=entry,
            language=call.language,
        )
        return answer

    return decision


async def was_transferred(work: Work, call: Call) -> bool:
    """Return whether the caller last came back by a transfer, and not by a dropped line."""
    lost = await record.last_detail(work, call, CallEvent.COUNSELLOR_LOST)
    return bool(lost.get("transferred"))
