"""Practice calls at the practice exchange: begin one, send the child's next words, ask how it was.

Each request may be sent twice: the exchange knows the practice and the number of each reply.
"""

from typing import Any
from uuid import UUID

from httpx2 import HTTPError, HTTPStatusError
from procrastinate import JobContext

from app.calls import delivery_keys, record
from app.calls.log_kinds import CallLog
from app.calls.record import WebhookDelivery
from app.jobs.names import Task
from app.log import fault, log
from app.outbox import practice_exchange
from app.outbox.responses import TryAgain
from app.settings import Settings
from app.telephony import answers
from app.telephony.answers import Answer
from app.telephony.inbound.deciding import delivery_of, scene_of
from app.telephony.jobs import parts_of, task
from app.telephony.provider.signature import Signed
from app.telephony.provider.urls import public
from app.telephony.script import Scene
from app.training import practices, writing
from app.training.models import Practice
from app.training.scenarios import Scenario, common
from app.training.script import Ended, Turn, play
from app.work import Work

# How often the exchange is asked what it measured: with the waits between, for about a minute.
_ASKED_FOR_SOUND = 8


async def ring(work: Work, signed: Signed, practice_id: UUID) -> tuple[Answer, Scene | None]:
    """Answer the call of a scripted child: straight into the queue, and offered to its trainee."""
    line_id = await practices.line_of_practice(work)
    call, fresh = await record.open_call(
        work, provider_sid=signed.call_sid, raw_from=None, line_id=line_id, greeted=True
    )
    key = delivery_keys.voice(signed.call_sid)
    if not fresh:
        call.entries += 1
        return answers.GoBack(entry=call.entries), await scene_of(work, call)
    await record.record(work, call, CallLog.OPENED, line_known=True)
    delivery: WebhookDelivery = delivery_of(signed, key)
    answer = answers.Enqueue(entry=call.entries + 1)
    if not await practices.ring_trainee(work, practice_id, call, delivery, answer):
        return answers.Goodbye(), await scene_of(work, call)
    return answer, await scene_of(work, call)


@task(Task.RING_PRACTICE)
async def ring_practice(context: JobContext, practice_id: str) -> None:
    """Ask the exchange to ring us as a scripted child. If it cannot be reached, nothing rings."""
    parts = parts_of(context)
    async with parts.work() as work:
        practice = await work.session.get(Practice, UUID(practice_id))
        if practice is None or practice.ended_at is not None or practice.call_id is not None:
            return
        body = _request(work.settings, practice)
    try:
        await _ask(parts.ground.settings, "POST", UUID(practice_id), "", body)
    except (HTTPError, TimeoutError) as error:
        log().warning(
            "the practice exchange does not answer",
            area="telephony",
            **fault(error),
        )
        async with parts.work() as work:
            await practices.end_without_call(work, UUID(practice_id))


def _request(settings: Settings, practice: Practice) -> dict[str, Any]:
    scenario = practices.script_of(practice)
    return {
        "from": practices.caller_of(practice.id),
        "to": practices.LINE,
        "voice_url": public(settings, "/telephony/voice"),
        "status_callback": public(settings, "/telephony/status"),
        "script": _script(scenario, practice.language),
    }


def _script(scenario: Scenario, language: str) -> dict[str, Any]:
    silence = scenario.silence or common().silence
    unclear = scenario.unclear or common().unclear
    return {
        "language": language,
        "opens": [one.in_(language) for one in scenario.opens],
        "unclear": [one.in_(language) for one in unclear],
        "asks": [one.in_(language) for one in silence.asks],
        "asks_after": silence.asks_after,
        "hangs_up_after": silence.hangs_up_after,
    }


@task(Task.SAY_IN_PRACTICE)
async def say_in_practice(context: JobContext, practice_id: str, number: int) -> None:
    """Send the child's answers up to one act of the counsellor.

    The answers before it go along, so that none is said too late or twice when a request is lost.
    """
    parts = parts_of(context)
    async with parts.work() as work:
        practice = await work.session.get(Practice, UUID(practice_id))
        if practice is None or practice.ended_at is not None:
            return
        moves = [move for move, _ in await practices.acts_of(work, practice)]
        _, turns = play(practices.script_of(practice), moves[:number])
        if practice.written:
            await writing.answer(work, practice, turns)
            return
        body = {"turns": [_turn(*one, practice.language) for one in enumerate(turns, 1)]}
    try:
        await _ask(parts.ground.settings, "POST", UUID(practice_id), "/say", body)
    except HTTPError as error:
        if _passes(error):
            raise TryAgain("the practice exchange does not answer") from None
        # The exchange was started afresh, and knows nothing of the call.
        log().warning("the practice exchange does not know a practice", area="telephony")


def _turn(number: int, turn: Turn, language: str) -> dict[str, Any]:
    return {
        "number": number,
        "lines": [one.in_(language) for one in turn.says],
        "leaves": turn.ends is not None,
    }


@task(Task.WATCH_WRITTEN_PRACTICE)
async def watch_written_practice(context: JobContext, practice_id: str) -> None:
    """Let a scripted child who is not answered ask, and leave in the end."""
    async with parts_of(context).work() as work:
        practice = await work.session.get(Practice, UUID(practice_id))
        if practice is None or practice.ended_at is not None or practice.call_id is None:
            return
        if await writing.watch(work, practice, practices.script_of(practice)):
            await practices.end(work, practice.call_id, {"left": Ended.SILENCE.value})


@task(Task.PRACTICE_ENDED)
async def practice_ended(context: JobContext, call_id: str) -> None:
    """Keep what the exchange measured, and how the practice ended.

    An exchange that does not answer is asked again; after a minute the end is kept without.
    """
    parts = parts_of(context)
    async with parts.work() as work:
        practice = await practices.practice_of_call(work, UUID(call_id))
        if practice is None or practice.ended_at is not None:
            return
        if practice.written:
            await practices.end(work, UUID(call_id), None)
            return
        practice_id = practice.id
    told: dict[str, Any] | None
    try:
        told = await _ask(parts.ground.settings, "GET", practice_id, "", None)
    except HTTPError as error:
        if _passes(error) and context.job.attempts < _ASKED_FOR_SOUND:
            raise TryAgain("the practice exchange does not answer") from None
        told = None
    async with parts.work() as work:
        await practices.end(work, UUID(call_id), told)


def _passes(error: HTTPError) -> bool:
    """Return whether the same request may be answered later."""
    if isinstance(error, HTTPStatusError):
        return error.response.status_code >= 500 or error.response.status_code == 429
    return True


async def _ask(
    settings: Settings, method: str, practice_id: UUID, path: str, body: dict[str, Any] | None
) -> dict[str, Any]:
    """Send one request about a practice. Raises HTTPError."""
    path = f"/practice/calls/{practice_id.hex}{path}"
    found: dict[str, Any] = await practice_exchange.ask(settings, method, path, body)
    return found
