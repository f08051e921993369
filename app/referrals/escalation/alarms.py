"""Escalating an alarm: our own people on call, one after the other, until one acknowledges.

The steps are those of an urgent case (`next_step.py`): the supervisor's phones, then messages, then
the director's, and around again. An alarm about danger goes to the owner of the record first, and
is escalated until a person decides.
"""

from datetime import timedelta
from uuid import UUID, uuid4

from procrastinate import BaseRetryStrategy, Blueprint, JobContext
from sqlalchemy import func, select

from app.jobs.transaction import run_verb, transaction
from app.log import log
from app.mail import MailRefused, MailUncertain, read_smtp_url, send_mail
from app.referrals.channels.telling import phones_on_duty
from app.referrals.directory.agencies import house
from app.referrals.escalation import dangers
from app.referrals.escalation.next_step import Act, Around, Position, Step, StepKind, next_turn
from app.referrals.library import protocols_of
from app.referrals.models import Agency
from app.referrals.spoken import language_for
from app.referrals.states import Service
from app.routing.models import Alarm, AlarmAttempt, AlarmKind
from app.routing.rota import watch
from app.staff.models import Staff
from app.work import PROGRAM, Ground, Work

# How long a phone rings, and messages are waited for, in seconds.
STEPS = [Step(StepKind.SUPERVISOR, 30), Step(StepKind.DIRECTOR, 30)]
# The provider rings a little longer than asked.
_MARGIN = timedelta(seconds=15)
_SUPERVISOR, _DIRECTOR = Service.SUPERVISOR_ON_CALL, Service.DIRECTOR_ON_CALL
_RING = {Act.RING_SUPERVISOR: _SUPERVISOR, Act.RING_DIRECTOR: _DIRECTOR}
_SEND = {Act.SEND_SUPERVISOR: _SUPERVISOR, Act.SEND_DIRECTOR: _DIRECTOR}
# How long a person who has lifted the phone has to press a key.
LISTENING = timedelta(seconds=60)

# How long an owner at a browser, who sees the alarm on every page, has to act.
_OWNER_HAS = timedelta(seconds=60)

WORDS = {
    **dangers.WORDS,
    AlarmKind.NOBODY_SIGNED_IN: "A shift has begun and no counsellor has signed in.",
    AlarmKind.EVERYBODY_AWAY: "No counsellor is left: those on shift are away.",
    AlarmKind.LAST_ONE_MISSES: "The last counsellor on duty does not answer calls.",
    AlarmKind.LONG_WAIT: "A caller has waited longer than the line allows.",
}


def alarm_tasks(tasks: Blueprint, retry: BaseRetryStrategy) -> None:
    """Register the jobs of alarms."""

    @tasks.task(name="alarm_turn", retry=retry, pass_context=True)
    async def alarm_turn(context: JobContext, alarm_id: str, turn: int) -> None:
        ground = context.additional_context["ground"]
        await run_verb(ground, PROGRAM, lambda work: take_turn(work, UUID(alarm_id), turn))

    @tasks.task(name="alarm_over", retry=retry, pass_context=True)
    async def alarm_over(context: JobContext, alarm_id: str) -> None:
        ground = context.additional_context["ground"]
        await run_verb(ground, PROGRAM, lambda work: stop_attempts(work, UUID(alarm_id)))

    @tasks.task(name="mail_staffing_alarm", retry=retry, pass_context=True)
    async def mail_staffing_alarm(context: JobContext, attempt_id: str) -> None:
        await _mail(context.additional_context["ground"], UUID(attempt_id))


async def lock_alarm(work: Work, alarm_id: UUID) -> Alarm | None:
    """Return the alarm, locked, or None if there is none."""
    found: Alarm | None = await work.session.get(
        Alarm, alarm_id, with_for_update=True, populate_existing=True
    )
    return found


def is_open(alarm: Alarm) -> bool:
    """Return whether a person still has to be reached."""
    return alarm.ended_at is None and alarm.acknowledged_at is None


async def take_turn(work: Work, alarm_id: UUID, turn: int) -> None:
    """Take the next step of the escalation, unless something has happened meanwhile."""
    alarm = await lock_alarm(work, alarm_id)
    if alarm is None or alarm.turn != turn or alarm.ended_at is not None:
        return
    if alarm.subject_id is not None and alarm.acknowledged_at is not None:
        # The person who acknowledged it has not decided.
        alarm.acknowledged_at = alarm.acknowledged_by = None
    if is_open(alarm):
        await escalate(work, alarm)


async def acknowledge(work: Work, alarm_id: UUID, by: str, staff: Staff | None = None) -> bool:
    """Record that a person acknowledged the alarm; return whether they are the first.

    An alarm about danger then needs a decision, or the escalation resumes. Raises NotFound.
    """
    first = await watch.acknowledge(work, alarm_id, by, staff)
    alarm = await lock_alarm(work, alarm_id)
    if first and alarm is not None and alarm.subject_id is not None:
        wait_for(work, alarm, protocols_of(work.ground).current.alarms.decide)
        work.announce("notices")
    return first


async def escalate(work: Work, alarm: Alarm) -> None:
    """Try the next person of a locked alarm that is not acknowledged."""
    if alarm.owner_id is not None and alarm.owner_asked_at is None:
        await _ask_owner(work, alarm)
        return
    supervisor = await _on_call(work, alarm, Service.SUPERVISOR_ON_CALL)
    director = await _on_call(work, alarm, Service.DIRECTOR_ON_CALL)
    around = Around(
        phones=0,
        messages=False,
        more_agencies=False,
        supervisor_phones=len(supervisor[1]),
        supervisor_messages=_has_messages(supervisor[0]),
        director_phones=len(director[1]),
        director_messages=_has_messages(director[0]),
    )
    found = next_turn(STEPS, Position(alarm.round, alarm.step, alarm.phone), around)
    alarm.round, alarm.step = found.position.round, found.position.step
    alarm.phone = found.position.phone
    agency, phones = director if found.act in (Act.RING_DIRECTOR, Act.SEND_DIRECTOR) else supervisor
    wait = timedelta(seconds=found.wait)
    if found.act in _RING:
        assert agency is not None
        await _attempt(work, alarm, agency, "phone", phones[0], found.wait)
        wait += _MARGIN
    elif found.act in _SEND:
        assert agency is not None
        for kind, target in (("sms", agency.sms), ("email", agency.email)):
            if target:
                await _attempt(work, alarm, agency, kind, target, found.wait)
    elif alarm.round == 1:
        log().warning("no person on call could be reached for an alarm", area="routing")
    wait_for(work, alarm, wait)


async def _ask_owner(work: Work, alarm: Alarm) -> None:
    """Ring the owner of the record, or leave it to the page that they have open."""
    alarm.owner_asked_at = work.now
    owner = await work.session.get(Staff, alarm.owner_id)
    assert owner is not None
    if owner.endpoint_kind != "phone" or not owner.endpoint or not owner.active:
        wait_for(work, alarm, _OWNER_HAS)
        return
    await _attempt_at(
        work, alarm, owner.name, language_for(list(owner.languages)), "phone", owner.endpoint, 30
    )
    wait_for(work, alarm, timedelta(seconds=30) + _MARGIN)


def wait_for(work: Work, alarm: Alarm, wait: timedelta) -> None:
    """Try the next person after `wait`, unless something happens first."""
    alarm.turn += 1
    alarm.next_at = work.now + wait
    work.defer("referrals:alarm_turn", delay=wait or None, alarm_id=str(alarm.id), turn=alarm.turn)


def _has_messages(agency: Agency | None) -> bool:
    return agency is not None and bool(agency.email or agency.sms)


async def _on_call(work: Work, alarm: Alarm, service: Service) -> tuple[Agency | None, list[str]]:
    """Return our people on call for a service, and their phones not yet tried in this round."""
    found = await house(work, service)
    if not found:
        return None, []
    agency = await work.session.get(Agency, found[0].id)
    assert agency is not None
    tried = set(
        await work.session.scalars(
            select(AlarmAttempt.target).where(
                AlarmAttempt.alarm_id == alarm.id,
                AlarmAttempt.round == alarm.round,
                AlarmAttempt.kind == "phone",
            )
        )
    )
    return agency, [one for one in await phones_on_duty(work, agency) if one not in tried]


async def _attempt(
    work: Work, alarm: Alarm, agency: Agency, kind: str, target: str, seconds: int
) -> None:
    language = language_for(list(agency.languages))
    await _attempt_at(work, alarm, agency.code, language, kind, target, seconds)


async def _attempt_at(
    work: Work, alarm: Alarm, who: str, language: str, kind: str, target: str, seconds: int
) -> None:
    number = await work.session.scalar(
        select(func.count()).where(AlarmAttempt.alarm_id == alarm.id)
    )
    attempt = AlarmAttempt(
        id=uuid4(),
        alarm_id=alarm.id,
        number=(number or 0) + 1,
        round=alarm.round,
        kind=kind,
        who=who,
        target=target,
        language=language,
        seconds=seconds,
        wanted_at=work.now,
        turn=alarm.turn + 1,
    )
    work.session.add(attempt)
    await work.session.flush()
    task = {
        "phone": "telephony:ring_alarm_phone",
        "sms": "telephony:send_alarm_message",
        "email": "referrals:mail_staffing_alarm",
    }
    work.defer(task[kind], attempt_id=str(attempt.id))


async def stop_attempts(work: Work, alarm_id: UUID) -> None:
    """Stop ringing: the alarm was acknowledged, or a counsellor is available."""
    rows = await work.session.scalars(
        select(AlarmAttempt).where(
            AlarmAttempt.alarm_id == alarm_id, AlarmAttempt.ended_at.is_(None)
        )
    )
    for attempt in rows.all():
        if attempt.kind == "phone" and attempt.sending in ("sending", "sent"):
            work.defer("telephony:end_alarm_leg", attempt_id=str(attempt.id))
        elif attempt.sending == "wanted":
            attempt.sending, attempt.ended_at, attempt.result = "failed", work.now, "stopped"


async def note_result(work: Work, alarm: Alarm, attempt: AlarmAttempt, result: str) -> None:
    """Record the result of an attempt. If no person was reached, try the next one at once."""
    if attempt.result is not None:
        return
    attempt.result, attempt.ended_at = result, work.now
    if result in ("delivered", "acknowledged", "stopped") or not is_open(alarm):
        return
    if attempt.kind == "phone" and attempt.turn == alarm.turn:
        await escalate(work, alarm)


def reason_of(alarm: Alarm) -> str:
    """Return what an alarm is about, in words."""
    return WORDS[AlarmKind(alarm.kind)]


async def message_of(work: Work, alarm: Alarm) -> str:
    """Return the text of a message: what is wrong, where, and what to do. Nothing about a child."""
    line = await watch.line_of(work, alarm)
    name = f"{line.name} ({alarm.language})" if line is not None and alarm.language else "Helpline"
    # A line without a counsellor stands on the rota's page, danger on the supervisors'.
    page = "supervisor" if line is None else "roster"
    return f"{name}: {reason_of(alarm)} See {work.settings.public_url}/{page}"


async def _mail(ground: Ground, attempt_id: UUID) -> None:
    async with transaction(ground, PROGRAM) as work:
        attempt = await work.session.get(AlarmAttempt, attempt_id)
        alarm = await lock_alarm(work, attempt.alarm_id) if attempt is not None else None
        if attempt is None or alarm is None or not is_open(alarm) or attempt.result is not None:
            return
        words, to, now = await message_of(work, alarm), attempt.target, work.now
    result = "delivered"
    if ground.settings.smtp_url is None:
        log().warning("an alarm is not mailed: HELPLINE_SMTP_URL is not set", area="routing")
        result = "failed"
    else:
        try:
            await send_mail(
                read_smtp_url(ground.settings.smtp_url),
                to,
                "Helpline: alarm",
                words,
                message_id=attempt_id,
                at=now,
            )
        except (MailRefused, MailUncertain) as error:
            log().warning("an alarm was not mailed", area="routing", why=type(error).__name__)
            result = "failed"
    async with transaction(ground, PROGRAM) as work:
        attempt = await work.session.get(AlarmAttempt, attempt_id)
        assert attempt is not None
        alarm = await lock_alarm(work, attempt.alarm_id)
        assert alarm is not None
        await note_result(work, alarm, attempt, result)
