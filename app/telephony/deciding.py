"""How a webhook of a caller's leg is decided: once, and a repeat gets the same answer."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from app.calls import lines, record
from app.calls.models import Call, RecordedEvent
from app.calls.record import Delivery
from app.calls.speech import LineScript
from app.calls.states import CallState, is_over, read_leg_status
from app.errors import NotAllowed
from app.referrals.library import protocols_of
from app.routing import offers
from app.telephony import dialling
from app.telephony.script import Answer, Scene
from app.telephony.signature import Signed
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
        if await dialling.is_stale(work, earlier.answer):
            call.entries += 1
            return go_back(call), scene
        scene = as_it_was(scene, earlier)
        return earlier.answer, await dialling.with_address(work, earlier.answer, scene)
    if scene is None:
        return {"kind": "trouble"}, None
    if await _has_outlived(work, call):
        return await _say_farewell(work, call, delivery_of(signed, key)), scene
    answer = await decision(work, call, delivery_of(signed, key), scene.line)
    return answer, await dialling.with_address(work, answer, await scene_of(work, call))


async def _has_outlived(work: Work, call: Call) -> bool:
    """Whether a caller is on the line for longer than a wait can be, outside a talk: a phone that
    was not put down, most likely."""
    longest = timedelta(seconds=work.settings.longest_wait_seconds)
    if work.now - call.opened_at < longest or CallState(call.state) not in _OUTSIDE:
        return False
    came_back: datetime | None = await work.session.scalar(
        select(func.max(RecordedEvent.at)).where(
            RecordedEvent.call_id == call.id, RecordedEvent.kind == "counsellor_lost"
        )
    )
    return work.now - (came_back or call.opened_at) >= longest


_OUTSIDE = (CallState.GREETING, CallState.QUEUED)


async def _say_farewell(work: Work, call: Call, delivery: Delivery) -> Answer:
    answer: Answer = {"kind": "farewell"}
    await offers.end_call(work, call, ended_by="program", delivery=delivery, answer=answer)
    return answer


def as_it_was(scene: Scene | None, event: RecordedEvent) -> Scene | None:
    """The scene in which an earlier answer was spoken: its language and its instant."""
    if scene is None:
        return None
    language = event.detail.get("language", scene.language)
    return Scene(scene.line, scene.call_id, language, event.at, scene.offer_id)


def go_back(call: Call) -> Answer:
    """Back to the waiting room, by the address of the call's present entry to it."""
    return {"kind": "go_to", "path": call_path(call.id, "returned", n=call.entries)}


def visit(call: Call) -> int:
    """A number that no earlier document of this call had, for the addresses that it hands out.

    A caller can come to the voice message more than once; each time is a new question.
    """
    return call.event_count + 1


def watch_danger(work: Work, call: Call) -> None:
    """If nobody takes the call in the protocol's time, it is referred."""
    patience = protocols_of(work.ground).current.danger_key.unanswered_after
    work.defer("referrals:danger_unanswered", delay=patience, call_id=str(call.id))
