"""The waiting room: comfort, place, keys, the wish for a call-back, and the ways out."""

from datetime import timedelta

from app.calls import record
from app.calls.models import Call
from app.calls.record import Delivery
from app.calls.speech import LineScript
from app.calls.states import CallEvent, CallState
from app.routing import offers, queue
from app.routing.callbacks import Slot, Who, agree, can_be_called, window_for
from app.routing.plan import DANGER_PRIORITY
from app.routing.queue import last_counsellor
from app.routing.rota import roster
from app.telephony.inbound.arriving import admit, on_to_partner, partner_is_due
from app.telephony.inbound.deciding import Decision, go_back, visit, watch_danger
from app.telephony.platforms import dialling
from app.telephony.script import CALLBACK_DIGIT, LAST_DIGIT, MESSAGE_DIGIT, Answer
from app.work import Work


def _waits(work: Work, entry: int, step: int) -> Answer:
    """Return the next words of a wait; short ones where a document cannot be interrupted."""
    answer: Answer = {"kind": "wait", "entry": entry, "step": step}
    return answer if work.settings.has_conferences else answer | {"short": True}


def wait(entry: int, step: int) -> Decision:
    """Decide what a waiting caller hears next, each time the last words have run out."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        state = CallState(call.state)
        answer = _waits(work, entry, step)
        if state is CallState.GREETING:
            answer = {"kind": "leave", "entry": entry}
        elif state is CallState.ENDED:
            answer = {"kind": "goodbye"}
        elif dial := await _dialled(work, call, delivery):
            return dial
        elif state is CallState.QUEUED:
            why = await _leaves(work, call, line)
            if why is not None:
                return await _leave(work, call, delivery, entry, why)
            answer |= await _place(work, call, line, step)
            answer |= _keys(call)
        elif state is CallState.OFFERED:
            answer |= _keys(call)
            if call.preferred_id is None and await last_counsellor(work, call):
                answer["last"] = True
        await record.record(
            work, call, "wait", delivery=delivery, answer=answer, language=call.language
        )
        return answer

    return decision


async def _leaves(work: Work, call: Call, line: LineScript) -> str | None:
    """Return why the caller leaves the queue now (no counsellor left, partner's turn), or None."""
    language = call.language or line.languages[0].language
    assert call.queued_at is not None
    found = await roster.staffing(
        work,
        line,
        language,
        danger=call.danger,
        excluded=call.excluded_ids,
        arrived_at=call.queued_at,
    )
    if found.unstaffed is not None:
        call.unstaffed = found.unstaffed.value
        return found.unstaffed.value
    if partner_is_due(work, call, line):
        call.unstaffed = None
        return "partner"
    return None


async def _leave(work: Work, call: Call, delivery: Delivery, entry: int, cause: str) -> Answer:
    answer: Answer = {"kind": "leave", "entry": entry}
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


async def _place(work: Work, call: Call, line: LineScript, step: int) -> Answer:
    """Return how many callers are ahead, and whether this caller has waited for long."""
    assert call.queued_at is not None
    ahead, last = await queue.place_of(work, call)
    answer: Answer = {"ahead": ahead}
    if last is not None and call.preferred_id is None:
        answer["last"] = True
    if await roster.is_draining(work, line, call.language or line.languages[0].language):
        answer["draining"] = True
    waited = work.now - call.queued_at
    if waited >= timedelta(seconds=work.settings.long_wait_seconds) and step % 2 == 0:
        answer["long"] = True
    return answer


def _keys(call: Call) -> Answer:
    """Return the keys that a caller has besides danger, message and last counsellor."""
    return {"callback": True} if can_be_called(call) and not call.asked_back else {}


async def _dialled(work: Work, call: Call, delivery: Delivery) -> Answer | None:
    """Where there is no conference, return the answer that dials a counsellor who is there."""
    dial = await dialling.dial_now(work, call)
    if dial is not None:
        await record.record(
            work,
            call,
            "dial",
            delivery=delivery,
            answer=dial,
            language=call.language,
            offer_id=dial["offer_id"],
        )
    return dial


def wait_choice(digits: str | None, entry: int, step: int) -> Decision:
    """Handle a digit while waiting: message, call-back, last counsellor or danger; else wait on."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        answer = _waits(work, entry, step + 1)
        wants_help = digits == line.danger_digit
        if not wants_help and (dial := await _dialled(work, call, delivery)):
            return dial
        if digits == MESSAGE_DIGIT and await offers.withdraw_open(work, call, "wants to speak"):
            return await _leave(work, call, delivery, entry, "wants to leave a message")
        if digits == CALLBACK_DIGIT and can_be_called(call):
            answer = {"kind": "callback", "question": "safe", "n": f"{entry}.{step + 1}"}
            await record.record(
                work,
                call,
                "asks_for_callback",
                delivery=delivery,
                answer=answer,
                language=call.language,
            )
            return answer
        if digits == LAST_DIGIT and (last := await last_counsellor(work, call)):
            call.preferred_id = last
            answer["wish"] = True
            await record.record(
                work,
                call,
                "asked_for_last",
                delivery=delivery,
                answer=answer,
                counsellor_id=str(last),
                language=call.language,
            )
            return answer
        danger = digits == line.danger_digit
        if danger:
            answer["danger"] = True
            call.danger = True
            watch_danger(work, call)
            call.priority = max(call.priority, DANGER_PRIORITY)
            work.announce("queue")
        await record.record(
            work,
            call,
            "danger" if danger else "waits_on",
            delivery=delivery,
            answer=answer,
            language=call.language,
        )
        return answer

    return decision


def callback(digits: str | None, n: str, question: str, who: str) -> Decision:
    """Ask whether a call-back is safe, who may answer, and when. It is made only if it is safe."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        entry, _, step = n.partition(".")
        onward = _waits(work, int(entry or 0), int(step or 0))
        if CallState(call.state) is CallState.GREETING:
            onward = {"kind": "message", "n": visit(call), "reason": None}
        elif CallState(call.state) is CallState.ENDED:
            onward = {"kind": "goodbye"}
        answer: Answer = {"kind": "callback", "n": n}
        if dial := await _dialled(work, call, delivery):
            # A counsellor is there, which is better than a call-back.
            return dial
        match question:
            case "wanted" if digits == CALLBACK_DIGIT and can_be_called(call):
                answer["question"] = "safe"
            case "safe" if digits == "1":
                answer["question"] = "who"
            case "who":
                # Silence counts as the narrower choice.
                answer |= {"question": "when", "who": "anyone" if digits == "2" else "caller"}
            case "when" if can_be_called(call):
                slot = {"2": Slot.EVENING, "3": Slot.TOMORROW}.get(digits or "", Slot.SOON)
                language = call.language or line.languages[0].language
                window = await window_for(work, slot, line, language)
                chosen = Who.ANYONE if who == "anyone" else Who.CALLER
                await agree(work, call, chosen, window, safe=True, slot=slot)
                answer = {
                    **onward,
                    "said": "callback_kept",
                    "from": window[0].isoformat(),
                    "until": window[1].isoformat(),
                }
            case "wanted":
                answer = onward
            case _:
                answer = {**onward, "said": "callback_not"}
        await record.record(
            work,
            call,
            "callback_asked",
            delivery=delivery,
            answer=answer,
            question=question,
            language=call.language,
        )
        return answer

    return decision


def leave_queue(result: str, gone: bool, entry: int) -> Decision:
    """Handle the exit from the waiting room: hung up, to a message or counsellor, or by a fault."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        if result == "hangup" or gone:
            nothing: Answer = {"kind": "nothing"}
            await offers.end_call(work, call, ended_by="caller", delivery=delivery, answer=nothing)
            return nothing
        state = CallState(call.state)
        if result == "queue-full" and state is not CallState.GREETING:
            # The provider's queue is full: the caller hears the same words outside it.
            answer: Answer = {"kind": "wait", "entry": entry, "step": 0}
        elif result in ("redirected", "redirected-from-bridged", "bridged", "bridging-in-process"):
            answer = {"kind": "nothing"}
        elif result == "leave" and state is CallState.GREETING and await _to_partner(work, call):
            answer = on_to_partner(work, call)
        elif result == "leave" and state is CallState.GREETING:
            answer = {"kind": "message", "n": visit(call), "reason": call.unstaffed}
            if call.unstaffed == "out_of_hours":
                language = call.language or line.languages[0].language
                found = await roster.staffing(work, line, language, danger=call.danger)
                if found.resumes_at is not None:
                    answer["resumes_at"] = found.resumes_at.isoformat()
        else:
            # The waiting room failed, or was left while a counsellor is on the way: back in.
            call.entries += 1
            answer = go_back(call)
        await record.record(
            work,
            call,
            "queue_left",
            delivery=delivery,
            answer=answer,
            result=result,
            language=call.language,
        )
        return answer

    return decision


async def _to_partner(work: Work, call: Call) -> bool:
    """Return whether the caller has left the waiting room for the partner."""
    return (await record.last_detail(work, call, "leave_queue")).get("cause") == "partner"


def returned(entry: int) -> Decision:
    """Send the caller back to the waiting room, and say so."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        if CallState(call.state) is CallState.ENDED:
            answer: Answer = {"kind": "goodbye"}
        elif CallState(call.state) is CallState.GREETING:
            language = call.language or line.languages[0].language
            return await admit(work, call, delivery, line, language=language, danger=call.danger)
        else:
            answer = {"kind": "enqueue", "entry": entry, "returned": call.returned > 0}
            if await was_transferred(work, call):
                answer = {"kind": "enqueue", "entry": entry, "transferred": True}
        await record.record(
            work,
            call,
            "returned",
            delivery=delivery,
            answer=answer,
            entry=entry,
            language=call.language,
        )
        return answer

    return decision


async def was_transferred(work: Work, call: Call) -> bool:
    """Return whether the caller last came back by a transfer, and not by a dropped line."""
    return bool((await record.last_detail(work, call, "counsellor_lost")).get("transferred"))
