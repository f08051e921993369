"""Alarms by telephone: ring the phones of staff on call; key 1 acknowledges the alarm.

Answering machines are detected, because a mailbox must not silence an alarm. A message is sent
once.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from procrastinate import JobContext

from app.calls.speech import LineScript
from app.calls.states import LegStatus, is_over, read_leg_status
from app.errors import NotFound
from app.referrals.escalation import alarms
from app.referrals.escalation.alarms import LISTENING, is_open, lock_alarm, note_result
from app.routing.models import Alarm, AlarmAttempt
from app.routing.rota import watch
from app.telephony.counsellor import pacing
from app.telephony.counsellor.leg_jobs import ASKS, known_sids
from app.telephony.counsellor.pacing import Urgency
from app.telephony.jobs import parts_of, task
from app.telephony.provider.client import Refused, TryAgain, Uncertain
from app.telephony.provider.signature import Signed
from app.telephony.provider.urls import alarm_path
from app.telephony.script import TAKE_DIGIT, Ask, HangUp, Pause, Scene, Step
from app.work import Work

# How many times the key is asked for.
_TIMES = 3
_ENDED = {
    LegStatus.BUSY: "busy",
    LegStatus.NO_ANSWER: "no_answer",
    LegStatus.FAILED: "failed",
    LegStatus.CANCELED: "stopped",
    LegStatus.COMPLETED: "no_key",
}


async def _lock(work: Work, attempt_id: UUID) -> tuple[Alarm, AlarmAttempt]:
    """Lock the alarm, then the attempt. Raises NotFound."""
    attempt = await work.session.get(AlarmAttempt, attempt_id)
    alarm = await lock_alarm(work, attempt.alarm_id) if attempt is not None else None
    if attempt is None or alarm is None:
        raise NotFound("There is no such attempt.")
    await work.session.refresh(attempt, with_for_update=True)
    return alarm, attempt


# -- requests to the provider ------------------------------------------------------------------


async def _prepare(work: Work, attempt_id: UUID, task_name: str) -> dict[str, Any] | None:
    """Commit that the request is about to be sent. Return None if it must not be, or not yet."""
    alarm, attempt = await _lock(work, attempt_id)
    if attempt.ended_at is not None or attempt.sending in ("sent", "failed"):
        return None
    if attempt.sending == "sending":
        attempt.asks += 1
        return {"settle": attempt.asks, "to": attempt.target, "since": attempt.sent_at}
    line = await watch.line_of(work, alarm)
    if not is_open(alarm) or line is None:
        attempt.sending = "failed"
        await note_result(work, alarm, attempt, "stopped")
        return None
    if attempt.kind == "phone":
        wait = await pacing.take_turn(work, attempt.id, Urgency.RESCUE)
        if wait is not None:
            work.defer(task_name, delay=wait, attempt_id=str(attempt.id))
            return None
    attempt.sending, attempt.sent_at = "sending", work.now
    body = await alarms.message_of(work, alarm)
    return {
        "to": attempt.target,
        "from_": line.shown_number,
        "seconds": attempt.seconds,
        "body": body,
    }


async def _send(context: JobContext, attempt_id: str, send: Any, find: Any) -> None:
    """Send once. Without a response, ask what became of the request, and never send it again."""
    parts, key = parts_of(context), UUID(attempt_id)
    async with parts.work() as work:
        what = await _prepare(work, key, context.job.task_name)
    if what is None:
        return
    if "settle" in what:
        since = what["since"] - timedelta(seconds=2)
        async with parts.work() as work:
            known = await known_sids(work, since)
        sid = await find(what["to"], since, known)
        if sid is None and what["settle"] < ASKS:
            raise Uncertain("no trace of it yet")
    else:
        try:
            sid = await send(what)
        except TryAgain:
            async with parts.work() as work:
                _, attempt = await _lock(work, key)
                attempt.sending = "wanted"
            raise
        except Refused:
            sid = None
    async with parts.work() as work:
        alarm, attempt = await _lock(work, key)
        if sid is None:
            attempt.sending = "failed"
            await note_result(work, alarm, attempt, "failed")
            return
        attempt.sending, attempt.provider_sid = "sent", attempt.provider_sid or sid
        if attempt.kind == "sms":
            await note_result(work, alarm, attempt, "delivered")
        elif not is_open(alarm):
            work.defer("telephony:end_alarm_leg", attempt_id=attempt_id)


@task("ring_alarm_phone")
async def ring_alarm_phone(context: JobContext, attempt_id: str) -> None:
    """Ring a person on call."""
    provider = parts_of(context).provider

    async def send(what: dict[str, Any]) -> str:
        return await provider.ring_leg(
            to=what["to"],
            from_=what["from_"],
            document=alarm_path(attempt_id, "lifted"),
            told=alarm_path(attempt_id, "status"),
            seconds=what["seconds"],
            tell_machines=True,
        )

    async def find(to: str, since: Any, known: set[str]) -> str | None:
        return await provider.find_leg(to=to, since=since, known=known)

    await _send(context, attempt_id, send, find)


@task("send_alarm_message")
async def send_alarm_message(context: JobContext, attempt_id: str) -> None:
    """Send an SMS to a person on call."""
    provider = parts_of(context).provider

    async def send(what: dict[str, Any]) -> str:
        return await provider.send_message(
            to=what["to"],
            from_=what["from_"],
            body=what["body"],
            told=alarm_path(attempt_id, "status"),
        )

    async def find(to: str, since: Any, known: set[str]) -> str | None:
        return await provider.find_message(to=to, since=since, known=known)

    await _send(context, attempt_id, send, find)


@task("end_alarm_leg")
async def end_alarm_leg(context: JobContext, attempt_id: str) -> None:
    """End the leg, so that no phone keeps ringing for an alarm that is over."""
    parts = parts_of(context)
    async with parts.work() as work:
        _, attempt = await _lock(work, UUID(attempt_id))
        sid = attempt.provider_sid if attempt.result is None else None
    if sid is not None:
        await parts.provider.end_leg(sid)


# -- what the phone hears ----------------------------------------------------------------------


async def _scene(work: Work, alarm: Alarm, attempt: AlarmAttempt) -> Scene | None:
    line: LineScript | None = await watch.line_of(work, alarm)
    if line is None:
        return None
    return Scene(line, alarm.id, attempt.language, work.now)


def _ask(scene: Scene, alarm: Alarm, attempt: AlarmAttempt, n: int) -> list[Step]:
    key = f"alarm_{alarm.kind}"
    reason = scene.line.prompt(scene.speaker.language, key).text
    said = scene.say("alarm", reason=reason or "", digit=TAKE_DIGIT)
    if reason is None:
        # The reason is a recording: it is played before the sentence that it cannot stand in.
        said = [*scene.say(key), *said]
    return [Ask([*said, Pause(1)], then=alarm_path(attempt.id, "pressed", n=n), seconds=4)]


async def lifted(work: Work, attempt_id: UUID, signed: Signed) -> list[Step]:
    """Return what the phone hears when a person or a machine has answered it."""
    return await _listened(work, attempt_id, signed, 0)


async def pressed(work: Work, attempt_id: UUID, signed: Signed, n: int) -> list[Step]:
    """Handle the key that was pressed, or none."""
    return await _listened(work, attempt_id, signed, n)


async def _listened(work: Work, attempt_id: UUID, signed: Signed, n: int) -> list[Step]:
    alarm, attempt = await _lock(work, attempt_id)
    scene = await _scene(work, alarm, attempt)
    attempt.provider_sid = attempt.provider_sid or signed.call_sid
    attempt.sending = "sent"
    who = signed.fields.get("AnsweredBy", "")
    if scene is None or who.startswith("machine") or who == "fax":
        await note_result(work, alarm, attempt, "machine")
        return [HangUp()]
    if attempt.result == "acknowledged":
        return [*scene.say("alarm_taken"), HangUp()]
    if not is_open(alarm):
        await note_result(work, alarm, attempt, "stopped")
        return [*scene.say("alarm_over"), HangUp()]
    if n and signed.fields.get("Digits") == TAKE_DIGIT:
        attempt.result, attempt.ended_at = "acknowledged", work.now
        await alarms.acknowledge(work, alarm.id, attempt.who)
        return [*scene.say("alarm_taken"), HangUp()]
    if n >= _TIMES:
        await note_result(work, alarm, attempt, "no_key")
        return [HangUp()]
    if n == 0 and attempt.turn == alarm.turn:
        # No other person is rung while this one is listening.
        alarms.wait_for(work, alarm, LISTENING)
        attempt.turn = alarm.turn
    return _ask(scene, alarm, attempt, n + 1)


async def leg_status(work: Work, attempt_id: UUID, signed: Signed) -> None:
    """Handle a status of the leg; only its end matters."""
    alarm, attempt = await _lock(work, attempt_id)
    status = read_leg_status(signed.fields.get("CallStatus"))
    if attempt.kind != "phone" or status is None or not is_over(status):
        return
    await note_result(work, alarm, attempt, _ENDED[status])
