"""Decide each webhook of a caller's leg once; a repeat gets the same answer."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from app.calls import record
from app.calls.delivery_keys import DeliveryKey
from app.calls.lines import finding_lines
from app.calls.models import Call, RecordedEvent
from app.calls.record import WebhookDelivery
from app.calls.speech import LineScript
from app.calls.states import CallEvent, CallState, EndedBy, is_over, read_leg_status
from app.errors import NotAllowed
from app.jobs.names import Task
from app.referrals.library import protocols_of
from app.routing import releasing
from app.telephony import answers
from app.telephony.answers import Answer, read_answer
from app.telephony.platforms.choose import platform_of
from app.telephony.provider.signature import Signed
from app.telephony.script import Scene
from app.work import Work


class NotThisCall(NotAllowed):
    default = "The call in the address is not the call in the request."


def delivery_of(signed: Signed, key: DeliveryKey) -> WebhookDelivery:
    return WebhookDelivery(key, signed.facts, signed.told_at)


def caller_is_gone(signed: Signed) -> bool:
    """Return whether the request itself says that the leg has ended."""
    status = read_leg_status(signed.fields.get("CallStatus"))
    return status is not None and is_over(status)


async def end_gone(work: Work, call: Call, delivery: WebhookDelivery) -> Answer:
    """End the call of a caller who has hung up. Return the answer: nothing is left to say."""
    nothing = answers.Nothing()
    await releasing.end_call(work, call, ended_by=EndedBy.CALLER, delivery=delivery, answer=nothing)
    return nothing


async def scene_of(work: Work, call: Call, offer_id: UUID | None = None) -> Scene | None:
    """Return the line and language of a call; None if there is no line at all to speak for it."""
    line = await finding_lines.line_or_any(work, call.line_id)
    return Scene(line, call.id, call.language, work.now, offer_id) if line else None


Decision = Callable[[Work, Call, WebhookDelivery, LineScript], Awaitable[Answer]]


async def decide(
    work: Work, call_id: UUID, signed: Signed, key: DeliveryKey, decision: Decision
) -> tuple[Answer, Scene | None]:
    """Answer a webhook of a caller's leg: from the log if it came before, else by deciding.

    Raises NotThisCall, NotFound.
    """
    call, earlier = await record.lock_for_delivery(work, key, call_id=call_id)
    if signed.call_sid != call.provider_sid:
        raise NotThisCall()
    scene, platform = await scene_of(work, call), platform_of(work.settings)
    if earlier is not None and earlier.answer is not None:
        answer = read_answer(earlier.answer)
        if await platform.is_stale(work, answer):
            call.entries += 1
            return go_back(call), scene
        scene = as_it_was(scene, earlier)
        return answer, await platform.with_address(work, answer, scene)
    if scene is None:
        return answers.Nothing(), None
    if await _has_outlived(work, call):
        return await _say_farewell(work, call, delivery_of(signed, key)), scene
    answer = await decision(work, call, delivery_of(signed, key), scene.line)
    return answer, await platform.with_address(work, answer, await scene_of(work, call))


async def _has_outlived(work: Work, call: Call) -> bool:
    """Return whether a caller outside a talk has been on the line for longer than a wait can be.

    Most likely the phone was not put down.
    """
    longest = timedelta(seconds=work.settings.longest_wait_seconds)
    if work.now - call.opened_at < longest or CallState(call.state) not in _OUTSIDE:
        return False
    came_back: datetime | None = await work.session.scalar(
        select(func.max(RecordedEvent.at)).where(
            RecordedEvent.call_id == call.id, RecordedEvent.kind == CallEvent.COUNSELLOR_LOST
        )
    )
    return work.now - (came_back or call.opened_at) >= longest


_OUTSIDE = (CallState.GREETING, CallState.QUEUED)


async def _say_farewell(work: Work, call: Call, delivery: WebhookDelivery) -> Answer:
    answer = answers.Farewell()
    await releasing.end_call(work, call, ended_by=EndedBy.PROGRAM, delivery=delivery, answer=answer)
    return answer


def as_it_was(scene: Scene | None, event: RecordedEvent) -> Scene | None:
    """Return the scene in which an earlier answer was spoken: its language and its instant."""
    if scene is None:
        return None
    language = event.detail.get("language", scene.language)
    return Scene(scene.line, scene.call_id, language, event.at, scene.offer_id)


def go_back(call: Call) -> Answer:
    """Return the answer that sends the caller to the waiting room, by its current entry."""
    return answers.GoBack(entry=call.entries)


def visit(call: Call) -> int:
    """Return a number for addresses that no earlier document of this call has used.

    A caller can come to the voice message more than once, and each time must be told apart.
    """
    return call.event_count + 1


def watch_danger(work: Work, call: Call) -> None:
    """Have the call referred if no counsellor takes it within the protocol's time."""
    patience = protocols_of(work.ground).current.danger_key.unanswered_after
    work.defer(Task.DANGER_UNANSWERED, delay=patience, call_id=str(call.id))
