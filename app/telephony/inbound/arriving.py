"""An incoming call: greeting and menu, then the queue, a partner or a voice message."""

from datetime import timedelta
from uuid import uuid5

from app.calls import callers, delivery_keys, record
from app.calls.caller_rows import FlagKind
from app.calls.lines import finding_lines
from app.calls.log_kinds import CallLog, Cause
from app.calls.menu import MENU_ATTEMPTS
from app.calls.models import Call
from app.calls.record import WebhookDelivery
from app.calls.speech import LineScript
from app.calls.states import CallState, LegStatus, read_leg_status
from app.dialling import outward
from app.dialling.models import DialledFor
from app.jobs.names import Task
from app.privacy.numbers import caller_of
from app.referrals.reading import has_open_urgent_referral
from app.routing import staff_phones
from app.routing.callbacks.callbacks import can_be_called
from app.routing.plan import (
    AT_RISK_PRIORITY,
    DANGER_PRIORITY,
    TEST_CALLER_PRIORITY,
    URGENT_REFERRAL_PRIORITY,
    read_plan,
)
from app.routing.rota import staffing
from app.telephony import answers, practice_calls
from app.telephony.answers import Answer, read_answer
from app.telephony.inbound.deciding import (
    Decision,
    as_it_was,
    delivery_of,
    go_back,
    scene_of,
    visit,
    watch_danger,
)
from app.telephony.platforms.choose import platform_of
from app.telephony.provider.signature import Signed
from app.telephony.script import Scene
from app.training import practices
from app.work import Work


async def ring(work: Work, signed: Signed) -> tuple[Answer, Scene | None]:
    """Answer an incoming call. Its row is created before anything else."""
    practice_id = practices.practice_in(signed.fields.get("From"))
    if practice_id is not None and work.settings.practice_exchange is not None:
        return await practice_calls.ring(work, signed, practice_id)
    line = await finding_lines.line_of_number(work, signed.fields.get("To"))
    call, fresh = await record.open_call(
        work,
        provider_sid=signed.call_sid,
        raw_from=caller_of(signed.fields),
        line_id=line.id if line else None,
        greeted=True,
    )
    key = delivery_keys.voice(signed.call_sid)
    if not fresh and _begins_again(call, signed):
        return await _go_on(work, call), await scene_of(work, call)
    if not fresh:
        earlier = await record.earlier_answer(work, key)
        if earlier is not None and earlier.answer is not None:
            return read_answer(earlier.answer), as_it_was(await scene_of(work, call), earlier)
    speaks = line or await finding_lines.any_line(work)
    scene = Scene(speaks, call.id, call.language, work.now) if speaks else None
    answer: Answer = answers.Menu() if scene else answers.Nothing()
    if fresh and scene is not None:
        answer = await _welcome(work, call, signed, scene.line)
    if not call.greeted:
        # The webhook of the end came before the webhook of the beginning.
        call.greeted = True
        await record.restate(work, call, Cause.RING_HEARD_LATE)
    await record.record(
        work,
        call,
        CallLog.OPENED,
        delivery=delivery_of(signed, key),
        answer=answer if scene else None,
        line_known=line is not None,
        language=None,
    )
    return answer, scene


def _begins_again(call: Call, signed: Signed) -> bool:
    """Return whether an answered call whose caller has chosen a language starts over.

    A proxy that answered for us, or an error of ours, sends a caller back to the start.
    """
    talks = read_leg_status(signed.fields.get("CallStatus")) is LegStatus.IN_PROGRESS
    return talks and call.language is not None and CallState(call.state) is not CallState.ENDED


async def _go_on(work: Work, call: Call) -> Answer:
    """Send the caller back to where they were, with their place in the queue."""
    call = await record.lock_call(work, call.id)
    await platform_of(work.settings).has_begun_again(work, call)
    call.entries += 1
    answer: Answer = go_back(call)
    await record.record(work, call, CallLog.BEGUN_AGAIN, answer=answer, state=call.state)
    return answer


async def _welcome(work: Work, call: Call, signed: Signed, line: LineScript) -> Answer:
    """Choose what the caller hears first, and their priority, from what is known of the number."""
    staff_id = await staff_phones.owner_of(work, signed.fields.get("From"))
    if staff_id is not None:
        # A counsellor rings. It is not a caller's call, unless the counsellor stays on the line.
        return answers.DutyMenu(n=1)
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
        return answers.Blocked(n=1)
    return answers.Menu()


def blocked(digits: str | None) -> Decision:
    """Handle the key of a blocked caller, or none. The danger digit lets every caller through."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        if digits == line.danger_digit:
            language = call.language or line.languages[0].language
            return await admit(work, call, delivery, line, language=language, danger=True)
        answer = answers.Goodbye()
        await record.record(work, call, CallLog.BLOCKED, delivery=delivery, answer=answer)
        return answer

    return decision


def menu(digits: str | None, attempt: int, *, asked_again: bool) -> Decision:
    """Handle the digit of the menu, or none. No digit ends the call."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        if asked_again and digits is None:
            answer = answers.Menu(attempt=attempt)
            await record.record(
                work,
                call,
                CallLog.MENU_ASKED_AGAIN,
                delivery=delivery,
                answer=answer,
                language=None,
            )
            return answer
        danger = digits == line.danger_digit
        chosen = next((s for s in line.languages if s.digit == digits), None)
        if not danger and chosen is None and digits and attempt < MENU_ATTEMPTS:
            answer = answers.Menu(attempt=attempt)
            await record.record(
                work,
                call,
                CallLog.MENU_NOT_UNDERSTOOD,
                delivery=delivery,
                answer=answer,
                language=None,
            )
            return answer
        language = (chosen or line.languages[0]).language
        return await admit(work, call, delivery, line, language=language, danger=danger)

    return decision


async def admit_again(
    work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
) -> Answer:
    """Admit a caller who was in already: in the language of the call, with the danger it has."""
    language = call.language or line.languages[0].language
    return await admit(work, call, delivery, line, language=language, danger=call.danger)


async def admit(
    work: Work,
    call: Call,
    delivery: WebhookDelivery,
    line: LineScript,
    *,
    language: str,
    danger: bool,
) -> Answer:
    """Queue the caller if a counsellor is on duty; else ring the partner or offer a message."""
    call.language = call.language or language
    state = CallState(call.state)
    if state is not CallState.GREETING:
        return await _carry_on(work, call, delivery)
    found = await staffing.staffing(
        work, line, language, danger=danger or call.danger, excluded=call.excluded_ids
    )
    if found.unstaffed is None:
        call.unstaffed = None
        if danger or call.danger:
            watch_danger(work, call)
        answer = answers.Enqueue(entry=call.entries + 1)
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
    call.danger = call.danger or danger
    return await _no_counsellor(work, call, delivery, line, found)


async def _no_counsellor(
    work: Work, call: Call, delivery: WebhookDelivery, line: LineScript, found: staffing.Staffing
) -> Answer:
    """Ring the partner if there is one, or ask for a voice message."""
    assert found.unstaffed is not None
    call.unstaffed = found.unstaffed.value
    language = call.language
    if await partner_is_due(work, call, line, at_once=True):
        answer: Answer = on_to_partner(work, call, line)
        if call.danger:
            # If the partner does not take the caller either, the call is referred.
            watch_danger(work, call)
        await record.record(
            work, call, CallLog.PARTNER_RUNG, delivery=delivery, answer=answer, language=language
        )
        return answer
    if call.danger:
        # No counsellor is there: the call is referred at once.
        work.defer(Task.DANGER_UNANSWERED, call_id=str(call.id))
    answer = answers.Message(
        n=visit(call),
        reason=found.unstaffed,
        callback=await can_be_called(work, call) and not call.asked_back,
        resumes_at=found.resumes_at,
    )
    await record.record(
        work,
        call,
        CallLog.UNSTAFFED,
        delivery=delivery,
        answer=answer,
        language=language,
        danger=call.danger,
    )
    return answer


# A partner who did not answer is not rung again for the same caller within this time; another one
# in its place is.
_PARTNER_REST = timedelta(minutes=10)


async def partner_is_due(
    work: Work, call: Call, line: LineScript, *, at_once: bool = False
) -> bool:
    """Return whether it is time to ring the line's partner for this caller."""
    plan = read_plan(line.plan)
    if plan.partner_number is None:
        return False
    rests = call.partner_at is not None and work.now - call.partner_at < _PARTNER_REST
    if rests and call.partner_rung in (None, uuid5(call.id, plan.partner_number)):
        return False
    waited = (work.now - (call.queued_at or work.now)).total_seconds()
    if not at_once and waited < plan.partner_after:
        return False
    # It is asked again and again while the caller waits, and counted once.
    once = uuid5(call.id, f"partner:{plan.partner_number}:{call.partner_at}")
    return await outward.may_dial(work, plan.partner_number, once, DialledFor.PARTNER)


def on_to_partner(work: Work, call: Call, line: LineScript) -> Answer:
    number = read_plan(line.plan).partner_number
    call.partner_at = work.now
    call.partner_rung = uuid5(call.id, number) if number is not None else None
    platform_of(work.settings).rings_partner(work, call)
    return answers.Partner(n=visit(call))


async def _carry_on(work: Work, call: Call, delivery: WebhookDelivery) -> Answer:
    """Answer a webhook of a phase that is over: send the call to where it is now."""
    state = CallState(call.state)
    if state is CallState.ENDED:
        answer: Answer = answers.Goodbye()
    else:
        call.entries += 1
        answer = answers.Enqueue(entry=call.entries)
    await record.record(
        work,
        call,
        CallLog.CARRIED_ON,
        delivery=delivery,
        answer=answer,
        state=call.state,
        language=call.language,
    )
    return answer
