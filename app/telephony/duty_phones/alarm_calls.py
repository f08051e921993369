"""Alarms by phone: ring the phones of staff on call; key 1 acknowledges the alarm.

Answering machines are detected, because a mailbox must not silence an alarm. A message is sent
once.
"""

from uuid import UUID

from procrastinate import JobContext

from app.calls.speech import LineScript
from app.calls.states import LegStatus, is_over, read_leg_status
from app.dialling.models import DialledFor
from app.errors import NotFound
from app.jobs.names import Task
from app.outbox.channels import ChannelKind
from app.outbox.once import send_once
from app.outbox.states import Sending
from app.referrals.directory import leavers
from app.referrals.directory.agencies import names_of_codes
from app.referrals.escalation import alarms
from app.referrals.escalation.alarm_attempts import AlarmAttemptOnce
from app.referrals.escalation.alarms import LISTENING, is_open, lock_alarm, note_result
from app.referrals.states import AttemptResult
from app.routing.alarm_rows import Alarm, AlarmAttempt
from app.routing.rota import unstaffed_alarms
from app.staff import phone_proofs
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.telephony.counsellor.pacing import LegUrgency
from app.telephony.duty_phones.attempts import BySms, ByTelephone
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.provider.signature import Signed
from app.telephony.provider.urls import alarm_path
from app.telephony.script import TAKE_DIGIT, Scene, say_only_a_pin
from app.telephony.steps import Ask, HangUp, Pause, Step
from app.words.keys import PromptKey
from app.work import Work

# How many times the key is asked for.
_TIMES = 3
# In the address, the questions for a PIN are numbered from here on.
_PROVES = 10
_ENDED = {
    LegStatus.BUSY: AttemptResult.BUSY,
    LegStatus.NO_ANSWER: AttemptResult.NO_ANSWER,
    LegStatus.FAILED: AttemptResult.FAILED,
    LegStatus.CANCELED: AttemptResult.STOPPED,
    LegStatus.COMPLETED: AttemptResult.NO_KEY,
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


class _AlarmPhone(ByTelephone[AlarmAttempt], AlarmAttemptOnce):
    """An alarm by phone."""

    purpose = DialledFor.ALARM

    def __init__(self, parts: Parts, attempt_id: str) -> None:
        AlarmAttemptOnce.__init__(self, attempt_id, Task.RING_ALARM_PHONE)
        self.platform = parts.platform

    async def address(self, work: Work, row: AlarmAttempt) -> str:
        return row.target

    async def is_possible(self, work: Work, attempt: AlarmAttempt) -> bool:
        line = await unstaffed_alarms.line_of(work, self.alarm)
        if line is None:
            return await self.give_up(work, attempt, AttemptResult.STOPPED)
        self.from_, self.seconds = line.shown_number, attempt.seconds
        return await self.has_its_turn(work, attempt, LegUrgency.RESCUE)

    async def send(self) -> str:
        return await self.platform.ring(
            to=self.to,
            from_=self.from_,
            document=alarm_path(self.attempt_id, "lifted"),
            told=alarm_path(self.attempt_id, "status"),
            seconds=self.seconds,
            tell_machines=True,
        )

    async def accepted(self, work: Work, row: AlarmAttempt) -> None:
        if not is_open(self.alarm):
            work.defer(Task.END_ALARM_LEG, attempt_id=str(row.id))


class _AlarmSms(BySms, _AlarmPhone):
    """An alarm by SMS."""

    def __init__(self, parts: Parts, attempt_id: str) -> None:
        AlarmAttemptOnce.__init__(self, attempt_id, Task.SEND_ALARM_MESSAGE)
        self.platform = parts.platform

    def told(self) -> str:
        return alarm_path(self.attempt_id, "status")

    async def accepted(self, work: Work, row: AlarmAttempt) -> None:
        await note_result(work, self.alarm, row, AttemptResult.DELIVERED)


@task(Task.RING_ALARM_PHONE)
async def ring_alarm_phone(context: JobContext, attempt_id: str) -> None:
    """Ring a person on call."""
    parts = parts_of(context)
    await send_once(parts.ground, _AlarmPhone(parts, attempt_id))


@task(Task.SEND_ALARM_MESSAGE)
async def send_alarm_message(context: JobContext, attempt_id: str) -> None:
    """Send an SMS to a person on call."""
    parts = parts_of(context)
    await send_once(parts.ground, _AlarmSms(parts, attempt_id))


@task(Task.END_ALARM_LEG)
async def end_alarm_leg(context: JobContext, attempt_id: str) -> None:
    """End the leg, so that no phone keeps ringing for an alarm that is over."""
    parts = parts_of(context)
    async with parts.work() as work:
        _, attempt = await _lock(work, UUID(attempt_id))
        sid = attempt.provider_sid if attempt.result is None else None
    if sid is not None:
        await parts.platform.end(sid)


# -- what the phone hears ----------------------------------------------------------------------


async def _scene(work: Work, alarm: Alarm, attempt: AlarmAttempt) -> Scene | None:
    line: LineScript | None = await unstaffed_alarms.line_of(work, alarm)
    if line is None:
        return None
    return Scene(line, alarm.id, attempt.language, work.now)


def _ask(scene: Scene, alarm: Alarm, attempt: AlarmAttempt, n: int) -> list[Step]:
    key = PromptKey(f"alarm_{alarm.kind}")
    reason = scene.line.prompt(scene.speaker.language, key).text
    said = scene.say(PromptKey.ALARM, reason=reason or "", digit=TAKE_DIGIT)
    if reason is None:
        # The reason is a recording, which no text can contain: it is played first.
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
    attempt.sending = Sending.SENT.value
    if scene is None or signed.by_machine:
        await note_result(work, alarm, attempt, AttemptResult.MACHINE)
        return [HangUp()]
    if attempt.result == AttemptResult.ACKNOWLEDGED:
        return [*scene.say(PromptKey.ALARM_TAKEN), HangUp()]
    if not is_open(alarm):
        await note_result(work, alarm, attempt, AttemptResult.STOPPED)
        return [*scene.say(PromptKey.ALARM_OVER), HangUp()]
    digits = signed.fields.get("Digits", "") if n else ""
    person = await phone_proofs.whose_unproven(work, attempt.target)
    if n > _PROVES and person is not None:
        return await _proves(work, alarm, attempt, scene, person, digits, n)
    if digits == TAKE_DIGIT and person is not None:
        return await _ask_for_proof(work, alarm, attempt, scene, person)
    if digits == TAKE_DIGIT and await leavers.is_a_leavers(work, attempt.target):
        write_entry(work, AuditLog.KEY_AT_UNPROVEN_PHONE, str(alarm.id), agency=attempt.who)
        await note_result(work, alarm, attempt, AttemptResult.NOT_CONFIRMED)
        return [*scene.say(PromptKey.ALARM_NOT_PROVEN), HangUp()]
    if digits == TAKE_DIGIT:
        return await _take(work, alarm, attempt, scene)
    if n >= _TIMES:
        await note_result(work, alarm, attempt, AttemptResult.NO_KEY)
        return [HangUp()]
    if n == 0 and attempt.turn == alarm.turn:
        # No other person is rung while this one is listening.
        alarms.wait_for(work, alarm, LISTENING)
        attempt.turn = alarm.turn
    return _ask(scene, alarm, attempt, n + 1)


async def _take(work: Work, alarm: Alarm, attempt: AlarmAttempt, scene: Scene) -> list[Step]:
    attempt.result, attempt.ended_at = AttemptResult.ACKNOWLEDGED.value, work.now
    # The owner of a record is no entry of the directory, so it is the name already.
    names = await names_of_codes(work, [attempt.who])
    await alarms.acknowledge(work, alarm.id, names.get(attempt.who, attempt.who))
    return [*scene.say(PromptKey.ALARM_TAKEN), HangUp()]


async def _ask_for_proof(
    work: Work, alarm: Alarm, attempt: AlarmAttempt, scene: Scene, person: Staff
) -> list[Step]:
    """Write down key 1 of a phone that is not proven: a stranger may have it. The next person is
    tried at once, and this one can still prove it by their PIN."""
    write_entry(work, AuditLog.KEY_AT_UNPROVEN_PHONE, str(alarm.id), staff_id=str(person.id))
    if attempt.turn == alarm.turn:
        await alarms.escalate(work, alarm)
    if await phone_proofs.only_a_pin(work, person):
        await note_result(work, alarm, attempt, AttemptResult.NOT_CONFIRMED)
        return [*say_only_a_pin(scene), *scene.say(PromptKey.ALARM_NOT_PROVEN), HangUp()]
    return _ask_for_pin(attempt, scene, _PROVES + 1)


def _ask_for_pin(attempt: AlarmAttempt, scene: Scene, n: int) -> list[Step]:
    then = alarm_path(attempt.id, "pressed", n=n)
    said = scene.say(PromptKey.ALARM_PROOF)
    return [Ask(said, then=then, seconds=8, digits=phone_proofs.DIGITS)]


async def _proves(
    work: Work,
    alarm: Alarm,
    attempt: AlarmAttempt,
    scene: Scene,
    person: Staff,
    digits: str,
    n: int,
) -> list[Step]:
    """Take the PIN of a person: it proves the phone, and takes the alarm."""
    if digits and await phone_proofs.prove_phone(work, person, digits):
        return await _take(work, alarm, attempt, scene)
    if digits and n - _PROVES < _TIMES:
        return _ask_for_pin(attempt, scene, n + 1)
    await note_result(work, alarm, attempt, AttemptResult.NOT_CONFIRMED)
    return [*scene.say(PromptKey.ALARM_NOT_PROVEN), HangUp()]


async def leg_status(work: Work, attempt_id: UUID, signed: Signed) -> None:
    """Handle a status of the leg; only its end matters."""
    alarm, attempt = await _lock(work, attempt_id)
    status = read_leg_status(signed.fields.get("CallStatus"))
    if attempt.kind != ChannelKind.PHONE or status is None or not is_over(status):
        return
    await note_result(work, alarm, attempt, _ENDED[status])
