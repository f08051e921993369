"""What the caller's webhooks mean: each decides once, and a repeat gets the same answer."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from app.calls import callers, lines, record
from app.calls.callers import FlagKind
from app.calls.models import Call, RecordedEvent, VoiceMessage
from app.calls.record import Delivery
from app.calls.speech import LineScript
from app.calls.states import CallEvent, CallState, LegStatus, is_over, read_leg_status
from app.errors import NotAllowed, NotFound
from app.referrals.library import protocols_of
from app.referrals.reading import has_open_urgent_referral
from app.routing import offers, own_phones, queue, roster
from app.routing.callbacks import Slot, Who, agree, can_be_called, window_of
from app.routing.models import OfferState
from app.routing.plan import (
    AT_RISK_PRIORITY,
    DANGER_PRIORITY,
    TEST_CALLER_PRIORITY,
    URGENT_REFERRAL_PRIORITY,
    read_plan,
)
from app.routing.queue import last_counsellor
from app.telephony import dialling
from app.telephony.script import (
    CALLBACK_DIGIT,
    LAST_DIGIT,
    MENU_ATTEMPTS,
    MESSAGE_DIGIT,
    TAKE_DIGIT,
    Answer,
    Scene,
)
from app.telephony.signature import Signed, read_number
from app.telephony.urls import call_path
from app.work import Work


class NotThisCall(NotAllowed):
    default = "The call of the address is not the call of the request."


def delivery_of(signed: Signed, key: str) -> Delivery:
    return Delivery(key, signed.facts, signed.told_at)


def caller_is_gone(signed: Signed) -> bool:
    """Whether the request itself says that the leg has ended."""
    status = read_leg_status(signed.fields.get("CallStatus"))
    return status is not None and is_over(status)


async def scene_of(work: Work, call: Call, offer_id: UUID | None = None) -> Scene | None:
    """The line and language of a call; None if there is no line at all to speak for it."""
    line = await lines.line_of_id(work, call.line_id) or await lines.any_line(work)
    return Scene(line, call.id, call.language, work.now, offer_id) if line else None


Decision = Callable[[Work, Call, Delivery, LineScript], Awaitable[Answer]]


async def decide(
    work: Work, call_id: UUID, signed: Signed, key: str, decision: Decision
) -> tuple[Answer, Scene | None]:
    """Answer a webhook of a caller's leg: from the log if it came before, else by deciding.

    Raises NotThisCall, NotFound.
    """
    call, earlier = await record.lock_for_delivery(work, key, call_id=call_id)
    if signed.call_sid != call.provider_sid:
        raise NotThisCall()
    scene = await scene_of(work, call)
    if earlier is not None and earlier.answer is not None:
        scene = _as_it_was(scene, earlier)
        return earlier.answer, await dialling.with_address(work, earlier.answer, scene)
    if scene is None:
        return {"kind": "trouble"}, None
    answer = await decision(work, call, delivery_of(signed, key), scene.line)
    return answer, await dialling.with_address(work, answer, await scene_of(work, call))


def _as_it_was(scene: Scene | None, event: RecordedEvent) -> Scene | None:
    """The scene in which an earlier answer was spoken: its language and its instant."""
    if scene is None:
        return None
    language = event.detail.get("language", scene.language)
    return Scene(scene.line, scene.call_id, language, event.at, scene.offer_id)


# -- the ring, and the menu --------------------------------------------------------------


async def ring(work: Work, signed: Signed) -> tuple[Answer, Scene | None]:
    """A call comes in: its row is made before anything else."""
    line = await lines.line_of_number(work, signed.fields.get("To"))
    call, fresh = await record.open_call(
        work,
        provider_sid=signed.call_sid,
        raw_from=signed.fields.get("From"),
        line_id=line.id if line else None,
        greeted=True,
    )
    key = f"voice:{call.provider_sid}"
    if not fresh:
        earlier = await record.earlier_answer(work, key)
        if earlier is not None and earlier.answer is not None:
            return earlier.answer, _as_it_was(await scene_of(work, call), earlier)
    speaks = line or await lines.any_line(work)
    scene = Scene(speaks, call.id, call.language, work.now) if speaks else None
    answer: Answer = {"kind": "menu", "attempt": 0} if scene else {"kind": "trouble"}
    if fresh and scene is not None:
        answer = await _welcome(work, call, signed, scene.line)
    if not call.greeted:
        # The end overtook the beginning.
        call.greeted = True
        await record.restate(work, call, "the ring was heard of late")
    await record.record(
        work,
        call,
        "opened",
        delivery=delivery_of(signed, key),
        answer=answer if scene else None,
        line_known=line is not None,
        language=None,
    )
    return answer, scene


async def _welcome(work: Work, call: Call, signed: Signed, line: LineScript) -> Answer:
    """What is known of whoever rings decides what they hear first, and where they stand."""
    staff_id = await own_phones.owner_of(work, signed.fields.get("From"))
    if staff_id is not None:
        # A counsellor: theirs is no call of a child, unless they stay on the line.
        return {"kind": "duty_menu", "n": 1}
    known = await callers.known(work, call)
    plan = read_plan(line.plan)
    call.priority = plan.priority
    if FlagKind.AT_RISK in known.flags:
        call.priority += AT_RISK_PRIORITY
    if FlagKind.TEST_CALLER in known.flags:
        call.priority += TEST_CALLER_PRIORITY
    if known.before and await has_open_urgent_referral(work, call):
        call.priority += URGENT_REFERRAL_PRIORITY
    call.preferred_id, call.excluded_ids = known.prefers, sorted(known.never)
    if FlagKind.BLOCKED in known.flags:
        call.blocked = True
        return {"kind": "blocked", "n": 1}
    return {"kind": "menu", "attempt": 0}


def blocked(digits: str | None) -> Decision:
    """A caller who was flagged pressed a key, or none: in danger everybody is let through."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        if digits == line.danger_digit:
            language = call.language or line.languages[0].language
            return await admit(work, call, delivery, line, language=language, danger=True)
        answer: Answer = {"kind": "goodbye"}
        await record.record(work, call, "blocked", delivery=delivery, answer=answer)
        return answer

    return decision


def menu(digits: str | None, attempt: int, *, asked_again: bool) -> Decision:
    """The digit of the menu; whatever it is, the caller gets on."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        if asked_again and digits is None:
            answer: Answer = {"kind": "menu", "attempt": attempt}
            await record.record(
                work, call, "menu_asked_again", delivery=delivery, answer=answer, language=None
            )
            return answer
        danger = digits == line.danger_digit
        chosen = next((s for s in line.languages if s.digit == digits), None)
        if not danger and chosen is None and digits and attempt < MENU_ATTEMPTS:
            answer = {"kind": "menu", "attempt": attempt}
            await record.record(
                work, call, "menu_not_understood", delivery=delivery, answer=answer, language=None
            )
            return answer
        language = (chosen or line.languages[0]).language
        return await admit(work, call, delivery, line, language=language, danger=danger)

    return decision


def _visit(call: Call) -> int:
    """A number that no earlier document of this call had, for the addresses that it hands out.

    A caller can come to the voice message more than once; each time is a new question.
    """
    return call.event_count + 1


async def admit(
    work: Work,
    call: Call,
    delivery: Delivery,
    line: LineScript,
    *,
    language: str,
    danger: bool,
) -> Answer:
    """Into the queue if somebody is on duty; else say so and offer a voice message."""
    call.language = call.language or language
    state = CallState(call.state)
    if state is not CallState.GREETING:
        return await _carry_on(work, call, delivery)
    found = await roster.staffing(
        work, line, language, danger=danger or call.danger, excluded=call.excluded_ids
    )
    if found.unstaffed is None:
        call.unstaffed = None
        if danger or call.danger:
            _watch_danger(work, call)
        answer: Answer = {"kind": "enqueue", "entry": call.entries + 1}
        await record.enter_queue(
            work,
            call,
            language=language,
            danger=danger,
            priority=DANGER_PRIORITY if danger or call.danger else call.priority,
            delivery=delivery,
            answer=answer,
        )
        return answer
    call.unstaffed = found.unstaffed.value
    call.danger = call.danger or danger
    if partner_is_due(work, call, line, at_once=True):
        answer = _on_to_partner(work, call)
        if call.danger:
            # If the partner does not take them, others are asked to act.
            _watch_danger(work, call)
        await record.record(
            work, call, "partner_rung", delivery=delivery, answer=answer, language=language
        )
        return answer
    if call.danger:
        # Nobody of us is there: others are asked to act at once.
        work.defer("referrals:danger_unanswered", call_id=str(call.id))
    answer = {"kind": "message", "n": _visit(call), "reason": found.unstaffed.value}
    if can_be_called(call) and not call.asked_back:
        answer["callback"] = True
    if found.resumes_at is not None:
        answer["resumes_at"] = found.resumes_at.isoformat()
    await record.record(
        work,
        call,
        "unstaffed",
        delivery=delivery,
        answer=answer,
        language=language,
        danger=call.danger,
    )
    return answer


# A partner who did not answer is not rung again for the same caller for so long.
_PARTNER_REST = timedelta(minutes=10)


def partner_is_due(work: Work, call: Call, line: LineScript, *, at_once: bool = False) -> bool:
    """Whether the caller is to go on to the line's partner, if they take them."""
    plan = read_plan(line.plan)
    if plan.partner_number is None:
        return False
    if call.partner_at is not None and work.now - call.partner_at < _PARTNER_REST:
        return False
    waited = (work.now - (call.queued_at or work.now)).total_seconds()
    return at_once or waited >= plan.partner_after


def _on_to_partner(work: Work, call: Call) -> Answer:
    call.partner_at = work.now
    if not work.settings.has_conferences:
        # Nobody screens their phone there, and nobody tells that it was lifted.
        work.defer("telephony:watch_partner", delay=dialling.LOOKS_EVERY, call_id=str(call.id))
    return {"kind": "partner", "n": _visit(call)}


def partner_left(signed: Signed) -> Decision:
    """The partner is out of it: they talked, or nobody took the caller, who is ours again."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        if not work.settings.has_conferences and call.transferred_at is None:
            dialling.note_partner(work, call, signed.fields)
        if caller_is_gone(signed):
            nothing: Answer = {"kind": "nothing"}
            await offers.end_call(work, call, ended_by="caller", delivery=delivery, answer=nothing)
            return nothing
        # Whether the partner has ended the talk, or their line broke, nobody can tell: whoever
        # stays on the line is ours again, and not hung up on.
        language = call.language or line.languages[0].language
        return await admit(work, call, delivery, line, language=language, danger=call.danger)

    return decision


async def partner_asked(
    work: Work, call_id: UUID, signed: Signed, attempt: int
) -> tuple[Answer, Scene | None]:
    """The partner's phone was lifted, by a person or by a machine: 1 takes the caller."""
    call = await record.lock_call(work, call_id)
    scene = await scene_of(work, call)
    key = f"partner:{call_id}:{signed.call_sid}:{attempt}"
    event = await record.earlier_answer(work, key)
    if event is not None and event.answer is not None:
        return event.answer, scene
    answer: Answer = {"kind": "hang_up"}
    if CallState(call.state) is CallState.GREETING:
        if attempt and signed.fields.get("Digits") == TAKE_DIGIT:
            call.transferred_at = work.now
            answer = {"kind": "nothing"}
        elif attempt < 2:
            answer = {"kind": "partner_ask", "attempt": attempt}
    await record.record(
        work, call, "partner_asked", delivery=delivery_of(signed, key), answer=answer,
        taken=call.transferred_at is not None,
    )  # fmt: skip
    return answer, scene


def _watch_danger(work: Work, call: Call) -> None:
    """If nobody takes the call in the protocol's time, it is referred."""
    patience = protocols_of(work.ground).current.danger_key.unanswered_after
    work.defer("referrals:danger_unanswered", delay=patience, call_id=str(call.id))


async def _carry_on(work: Work, call: Call, delivery: Delivery) -> Answer:
    """A webhook of a phase that is over: wherever the call is now, that is where it goes."""
    state = CallState(call.state)
    if state is CallState.ENDED:
        answer: Answer = {"kind": "goodbye"}
    else:
        call.entries += 1
        answer = {"kind": "enqueue", "entry": call.entries}
    await record.record(
        work,
        call,
        "carried_on",
        delivery=delivery,
        answer=answer,
        state=call.state,
        language=call.language,
    )
    return answer


# -- waiting -----------------------------------------------------------------------------


def wait(entry: int, step: int) -> Decision:
    """What a waiting caller hears next; asked for each time the last words have run out."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        state = CallState(call.state)
        answer: Answer = {"kind": "wait", "entry": entry, "step": step}
        if state is CallState.GREETING:
            answer = {"kind": "leave", "entry": entry}
        elif state is CallState.ENDED:
            answer = {"kind": "goodbye"}
        elif dial := await dialling.dial_now(work, call):
            await record.record(
                work, call, "dial", delivery=delivery, answer=dial, language=call.language,
                offer_id=dial["offer_id"],
            )  # fmt: skip
            return dial
        elif state is CallState.QUEUED:
            language = call.language or line.languages[0].language
            found = await roster.staffing(
                work, line, language, danger=call.danger, excluded=call.excluded_ids
            )
            if found.unstaffed is not None:
                call.unstaffed = found.unstaffed.value
                answer = {"kind": "leave", "entry": entry}
                await record.move(
                    work,
                    call,
                    CallEvent.LEAVE_QUEUE,
                    delivery=delivery,
                    answer=answer,
                    cause=found.unstaffed.value,
                    language=call.language,
                )
                return answer
            assert call.queued_at is not None
            if partner_is_due(work, call, line):
                answer = {"kind": "leave", "entry": entry}
                await record.move(
                    work, call, CallEvent.LEAVE_QUEUE, delivery=delivery, answer=answer,
                    cause="partner", language=call.language,
                )  # fmt: skip
                call.unstaffed = None
                return answer
            answer["ahead"] = await queue.callers_ahead(work, call)
            waited = work.now - call.queued_at
            if waited >= timedelta(seconds=work.settings.long_wait_seconds) and step % 2 == 0:
                answer["long"] = True
                answer["callback"] = can_be_called(call) and not call.asked_back
        waits = state in (CallState.QUEUED, CallState.OFFERED)
        if waits and step == 0 and call.preferred_id is None and await last_counsellor(work, call):
            answer["last"] = True
        await record.record(
            work, call, "wait", delivery=delivery, answer=answer, language=call.language
        )
        return answer

    return decision


def wait_choice(digits: str | None, entry: int, step: int) -> Decision:
    """A digit while waiting: to a voice message, or danger; anything else waits on."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        answer: Answer = {"kind": "wait", "entry": entry, "step": step + 1}
        if digits == MESSAGE_DIGIT and CallState(call.state) is CallState.QUEUED:
            answer = {"kind": "leave", "entry": entry}
            await record.move(
                work,
                call,
                CallEvent.LEAVE_QUEUE,
                delivery=delivery,
                answer=answer,
                cause="wants to leave a message",
                language=call.language,
            )
            return answer
        if digits == CALLBACK_DIGIT and can_be_called(call):
            answer = {"kind": "callback", "question": "safe", "n": f"{entry}.{step + 1}"}
            await record.record(
                work, call, "asks_for_callback", delivery=delivery, answer=answer,
                language=call.language,
            )  # fmt: skip
            return answer
        if digits == LAST_DIGIT and (last := await last_counsellor(work, call)):
            call.preferred_id = last
            answer["wish"] = True
            await record.record(
                work, call, "asked_for_last", delivery=delivery, answer=answer,
                counsellor_id=str(last), language=call.language,
            )  # fmt: skip
            return answer
        danger = digits == line.danger_digit
        if danger:
            call.danger = True
            _watch_danger(work, call)
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
    """Safe to call? Who may answer? When? Only with a yes to the first is anybody called back."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        entry, _, step = n.partition(".")
        onward: Answer = {"kind": "wait", "entry": int(entry or 0), "step": int(step or 0)}
        if CallState(call.state) is CallState.GREETING:
            onward = {"kind": "message", "n": _visit(call), "reason": None}
        elif CallState(call.state) is CallState.ENDED:
            onward = {"kind": "goodbye"}
        answer: Answer = {"kind": "callback", "n": n}
        match question:
            case "wanted" if digits == CALLBACK_DIGIT and can_be_called(call):
                answer["question"] = "safe"
            case "safe" if digits == "1":
                answer["question"] = "who"
            case "who":
                # Silence is taken for the narrower.
                answer |= {"question": "when", "who": "anyone" if digits == "2" else "caller"}
            case "when" if can_be_called(call):
                slot = {"2": Slot.EVENING, "3": Slot.TOMORROW}.get(digits or "", Slot.SOON)
                window = window_of(slot, work.now, line.timezone)
                chosen = Who.ANYONE if who == "anyone" else Who.CALLER
                await agree(work, call, chosen, window, safe=True)
                answer = {**onward, "said": "callback_kept", "from": window[0].isoformat(),
                          "until": window[1].isoformat()}  # fmt: skip
            case "wanted":
                answer = onward
            case _:
                answer = {**onward, "said": "callback_not"}
        await record.record(
            work, call, "callback_asked", delivery=delivery, answer=answer, question=question,
            language=call.language,
        )  # fmt: skip
        return answer

    return decision


def leave_queue(result: str, gone: bool, entry: int) -> Decision:
    """The waiting room was left: by hanging up, to a message, to a counsellor, or by a fault."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        if result == "hangup" or gone:
            nothing: Answer = {"kind": "nothing"}
            await offers.end_call(work, call, ended_by="caller", delivery=delivery, answer=nothing)
            return nothing
        state = CallState(call.state)
        if result in ("redirected", "redirected-from-bridged", "bridged", "bridging-in-process"):
            answer: Answer = {"kind": "nothing"}
        elif result == "leave" and state is CallState.GREETING and await _to_partner(work, call):
            answer = _on_to_partner(work, call)
        elif result == "leave" and state is CallState.GREETING:
            answer = {"kind": "message", "n": _visit(call), "reason": call.unstaffed}
            if call.unstaffed == "out_of_hours":
                language = call.language or line.languages[0].language
                found = await roster.staffing(work, line, language, danger=call.danger)
                if found.resumes_at is not None:
                    answer["resumes_at"] = found.resumes_at.isoformat()
        else:
            # The waiting room failed, or was left while a counsellor is on the way: back in.
            call.entries += 1
            answer = {
                "kind": "go_to",
                "path": call_path(call.id, "returned", n=call.entries),
            }
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
    """Whether the caller has left the waiting room for the partner."""
    detail = await work.session.scalar(
        select(RecordedEvent.detail)
        .where(RecordedEvent.call_id == call.id, RecordedEvent.kind == "leave_queue")
        .order_by(RecordedEvent.id.desc())
        .limit(1)
    )
    return bool(detail and detail.get("cause") == "partner")


def returned(entry: int) -> Decision:
    """Back to the waiting room, and told so."""

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
    """Whether the caller came back last because they were sent on, and not by a dropped line."""
    detail = await work.session.scalar(
        select(RecordedEvent.detail)
        .where(RecordedEvent.call_id == call.id, RecordedEvent.kind == "counsellor_lost")
        .order_by(RecordedEvent.id.desc())
        .limit(1)
    )
    return bool(detail and detail.get("transferred"))


# -- the talk ----------------------------------------------------------------------------


def bridge(offer_id: UUID) -> Decision:
    """The counsellor is in the conference; the caller asks where to go."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        _, offer = await offers.lock_offer(work, offer_id)
        if CallState(call.state) is CallState.ENDED:
            answer: Answer = {"kind": "goodbye"}
        elif (
            offer.call_id == call.id
            and offer.released_at is None
            and offer.state in (OfferState.ACCEPTED, OfferState.CONNECTED)
        ):
            answer = {"kind": "join", "offer_id": str(offer.room)}
        else:
            # The counsellor is gone again: back to the waiting room.
            call.entries += 1
            answer = {"kind": "enqueue", "entry": call.entries, "returned": True}
        await record.record(
            work,
            call,
            "bridge",
            delivery=delivery,
            answer=answer,
            offer_id=str(offer_id),
            language=call.language,
        )
        return answer

    return decision


def left_talk(offer_id: UUID, gone: bool) -> Decision:
    """The caller is out of the conference: hung up, sent off by the counsellor, or dropped."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        if gone:
            nothing: Answer = {"kind": "nothing"}
            await offers.end_call(work, call, ended_by="caller", delivery=delivery, answer=nothing)
            return nothing
        if CallState(call.state) is CallState.ENDED:
            answer: Answer = {"kind": "goodbye"}
        else:
            _, offer = await offers.lock_offer(work, offer_id)
            # Even if the counsellor has just pressed the star: then the caller would still be in
            # the conference. Who asks us from outside it was put out, and goes back to the front.
            entries = call.entries
            await offers.lose_counsellor(
                work, call, offer, "the conference ended", fetch_caller=False
            )
            if call.entries == entries:
                call.entries += 1
            answer = {
                "kind": "go_to",
                "path": call_path(call.id, "returned", n=call.entries),
            }
        await record.record(
            work,
            call,
            "left_conference",
            delivery=delivery,
            answer=answer,
            offer_id=str(offer_id),
            language=call.language,
        )
        return answer

    return decision


# -- the voice message -------------------------------------------------------------------


def message_left(signed: Signed) -> Decision:
    """A voice message was spoken; thanks, and room for more. We do not hang up."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        if _is_silence(work, signed):
            return await message_again()(work, call, delivery, line)
        await note_recording(work, call, signed)
        if caller_is_gone(signed) or signed.fields.get("Digits") == "hangup":
            nothing: Answer = {"kind": "nothing"}
            await record.record(work, call, "message_left", delivery=delivery, answer=nothing)
            await offers.end_call(work, call, ended_by="caller")
            return nothing
        answer: Answer = {"kind": "message", "n": _visit(call), "thanks": True}
        await record.record(
            work, call, "message_left", delivery=delivery, answer=answer, language=call.language
        )
        return answer

    return decision


def message_again() -> Decision:
    """Nothing was said: if somebody has come on duty meanwhile, to them; else ask again."""

    async def decision(work: Work, call: Call, delivery: Delivery, line: LineScript) -> Answer:
        language = call.language or line.languages[0].language
        return await admit(work, call, delivery, line, language=language, danger=call.danger)

    return decision


def _is_silence(work: Work, signed: Signed) -> bool:
    """Without a message: Somleng records silence, too."""
    nothing = signed.fields.get("RecordingDuration") == "0"
    return nothing and not work.settings.has_conferences


def recording_of(signed: Signed) -> str:
    """The id of a recording; where an action does not tell it, it ends the address."""
    sid = signed.fields.get("RecordingSid")
    if not sid:
        sid = signed.fields.get("RecordingUrl", "").rpartition("/")[2].partition(".")[0]
    return sid[:64]


async def note_recording(work: Work, call: Call, signed: Signed) -> None:
    """Keep that there is a recording, whichever of its webhooks comes first, and fetch it."""
    sid = recording_of(signed)
    status = signed.fields.get("RecordingStatus", "completed")
    if not sid or status not in ("completed", "absent"):
        return
    if _is_silence(work, signed):
        return
    seconds = signed.fields.get("RecordingDuration", "")
    message_id = await work.session.scalar(
        pg_insert(VoiceMessage)
        .values(
            id=uuid4(),
            call_id=call.id,
            recording_sid=sid,
            state="recorded" if status == "completed" else "absent",
            seconds=read_number(seconds),
            created_at=work.now,
        )
        .on_conflict_do_nothing(index_elements=[VoiceMessage.recording_sid])
        .returning(VoiceMessage.id)
    )
    if message_id is not None and status == "completed":
        call.messages += 1
        work.defer("telephony:import_message", message_id=str(message_id))
        await record.restate(work, call, "a voice message was heard of late")
        work.announce("messages")


# -- callbacks, which want no document ---------------------------------------------------


async def number_status(work: Work, signed: Signed) -> None:
    """The status callback of our number: how the caller's leg ended."""
    status = read_leg_status(signed.fields.get("CallStatus"))
    line = await lines.line_of_number(work, signed.fields.get("To"))
    word = status.value if status else "unknown"
    key = f"status:{signed.call_sid}:{word}:{signed.fields.get('SequenceNumber', '')[:12]}"
    delivery = delivery_of(signed, key)
    try:
        call, earlier = await record.lock_for_delivery(work, key, sid=signed.call_sid)
        if earlier is not None:
            return
    except NotFound:
        # A ring that never reached us: it is a record all the same.
        told_at = signed.told_at if signed.told_at and signed.told_at < work.now else None
        call, _ = await record.open_call(
            work,
            provider_sid=signed.call_sid,
            raw_from=signed.fields.get("From"),
            line_id=line.id if line else None,
            greeted=False,
            opened_at=told_at,
        )
    if status is None or not is_over(status):
        await record.record(work, call, "status", delivery=delivery)
        return
    at = delivery.happened_at(work.now, not_before=call.opened_at)
    by = "caller" if status in (LegStatus.COMPLETED, LegStatus.CANCELED) else "provider"
    await offers.end_call(work, call, ended_by=by, at=at, delivery=delivery)


async def recording_status(work: Work, call_id: UUID, signed: Signed) -> None:
    """The recording callback: the message is complete, or there is none."""
    call = await record.lock_call(work, call_id)
    sid = signed.fields.get("RecordingSid", "")
    key = f"recording:{sid}:{signed.fields.get('RecordingStatus', '')}"
    if await record.earlier_answer(work, key) is not None:
        return
    await record.record(work, call, "recording", delivery=delivery_of(signed, key))
    await note_recording(work, call, signed)


async def resume(work: Work, signed: Signed) -> str | None:
    """Where a caller goes on after the provider failed to get a document from us.

    None means from the beginning: there is no row yet, so the ring is delivered again.
    """
    call_id = await work.session.scalar(select(Call.id).where(Call.provider_sid == signed.call_sid))
    if call_id is None:
        return None
    call = await record.lock_call(work, call_id)
    code = signed.fields.get("ErrorCode", "")
    await record.record(work, call, "fallback", error_code=code[:10], state=call.state)
    call.heard_at = work.now
    if CallState(call.state) is CallState.GREETING and call.language is None:
        return None
    offer = await offers.live_offer_of_call(work, call.id)
    if offer is not None and offer.state != OfferState.OPEN and offer.move_wanted_at is not None:
        return call_path(call.id, "bridge", o=offer.id, n=call.entries)
    call.entries += 1
    return call_path(call.id, "returned", n=call.entries)
