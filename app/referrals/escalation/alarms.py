"""Escalating an alarm: our own people on call, one after the other, until one acknowledges.

The steps are those of an urgent case (`next_step.py`): the supervisor's phones, then messages, then
the director's, and around again. An alarm about danger goes to the owner of the record first, and
is escalated until a person decides.
"""

from datetime import timedelta
from uuid import UUID, uuid4

from procrastinate import BaseRetryStrategy, Blueprint, JobContext
from sqlalchemy import func, select

from app.abilities import EndpointKind
from app.database.topics import Topic
from app.jobs.names import Task
from app.jobs.transaction import run_verb
from app.log import log
from app.outbox.channels import ChannelKind
from app.outbox.states import Sending
from app.referrals.channels.attempts import phones_on_duty
from app.referrals.channels.registry import message_channel, writing_to
from app.referrals.directory.models import Agency
from app.referrals.directory.on_call import people_on_call
from app.referrals.escalation import dangers
from app.referrals.escalation.next_step import Act, Around, Position, Step, StepKind, next_turn
from app.referrals.library import protocols_of
from app.referrals.spoken import language_for
from app.referrals.states import AttemptResult, Service
from app.routing import waking
from app.routing.alarm_rows import Alarm, AlarmAttempt, AlarmKind
from app.routing.rota import unstaffed_alarms
from app.staff.models import Staff
from app.words.pages import N_, _, language_name, said, spoken_in
from app.work import PROGRAM, Work

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
    AlarmKind.NO_COUNSELLOR_SIGNED_IN: N_("A shift has begun and no counsellor has signed in."),
    AlarmKind.ALL_AWAY: N_("No counsellor is left: those on shift are away."),
    AlarmKind.LAST_ONE_MISSES: N_("The last counsellor on duty does not answer calls."),
    AlarmKind.LONG_WAIT: N_("A caller has waited longer than the line allows."),
    AlarmKind.MESSAGE_NOT_TAKEN: N_("A message waits too long: no person has taken it."),
    AlarmKind.CALLBACK_NOT_MADE: N_("A call-back is overdue: it was agreed and not made."),
    AlarmKind.DIALLING_HOUR: N_("More was dialled or sent within an hour than usual."),
    AlarmKind.DIALLING_DAY: N_("More was dialled or sent within a day than usual."),
}


# After these no other person is tried at once.
_ENOUGH = (AttemptResult.DELIVERED, AttemptResult.ACKNOWLEDGED, AttemptResult.STOPPED)


def alarm_tasks(tasks: Blueprint, retry: BaseRetryStrategy) -> None:
    """Register the jobs of alarms."""

    @tasks.task(name=Task.ALARM_TURN.in_area, retry=retry, pass_context=True)
    async def alarm_turn(context: JobContext, alarm_id: str, turn: int) -> None:
        ground = context.additional_context["ground"]
        await run_verb(ground, PROGRAM, lambda work: take_turn(work, UUID(alarm_id), turn))

    @tasks.task(name=Task.ALARM_OVER.in_area, retry=retry, pass_context=True)
    async def alarm_over(context: JobContext, alarm_id: str) -> None:
        ground = context.additional_context["ground"]
        await run_verb(ground, PROGRAM, lambda work: stop_attempts(work, UUID(alarm_id)))


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
    first = await unstaffed_alarms.acknowledge(work, alarm_id, by, staff)
    alarm = await lock_alarm(work, alarm_id)
    if first and alarm is not None and alarm.subject_id is not None:
        wait_for(work, alarm, protocols_of(work.ground).current.alarms.decide)
        work.announce(Topic.NOTICES)
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
        supervisor_messages=bool(writing_to(supervisor[0])),
        director_phones=len(director[1]),
        director_messages=bool(writing_to(director[0])),
    )
    found = next_turn(STEPS, Position(alarm.round, alarm.step, alarm.phone), around)
    alarm.round, alarm.step = found.position.round, found.position.step
    alarm.phone = found.position.phone
    agency, phones = director if found.act in (Act.RING_DIRECTOR, Act.SEND_DIRECTOR) else supervisor
    wait = timedelta(seconds=found.wait)
    if found.act in _RING:
        assert agency is not None
        await _attempt(work, alarm, agency, ChannelKind.PHONE, phones[0], found.wait)
        wait += _MARGIN
    elif found.act in _SEND:
        assert agency is not None
        if found.act == Act.SEND_SUPERVISOR:
            await waking.wake_supervisors(work)
        for channel, address in writing_to(agency):
            await _attempt(work, alarm, agency, channel.kind, address, found.wait)
    elif alarm.round == 1:
        log().warning("no person on call could be reached for an alarm", area="routing")
    wait_for(work, alarm, wait)


async def _ask_owner(work: Work, alarm: Alarm) -> None:
    """Ring the owner of the record, or leave it to the page that they have open."""
    alarm.owner_asked_at = work.now
    assert alarm.owner_id is not None
    await waking.wake_absent(work, [alarm.owner_id])
    owner = await work.session.get(Staff, alarm.owner_id)
    assert owner is not None
    if owner.endpoint_kind != EndpointKind.PHONE or not owner.endpoint or not owner.active:
        wait_for(work, alarm, _OWNER_HAS)
        return
    language = language_for(list(owner.languages))
    await _attempt_at(work, alarm, owner.name, language, ChannelKind.PHONE, owner.endpoint, 30)
    wait_for(work, alarm, timedelta(seconds=30) + _MARGIN)


def wait_for(work: Work, alarm: Alarm, wait: timedelta) -> None:
    """Try the next person after `wait`, unless something happens first."""
    alarm.turn += 1
    alarm.next_at = work.now + wait
    work.defer(Task.ALARM_TURN, delay=wait or None, alarm_id=str(alarm.id), turn=alarm.turn)


async def _on_call(work: Work, alarm: Alarm, service: Service) -> tuple[Agency | None, list[str]]:
    """Return our people on call for a service, and their phones not yet tried in this round."""
    agency = await people_on_call(work, service)
    if agency is None:
        return None, []
    tried = set(
        await work.session.scalars(
            select(AlarmAttempt.target).where(
                AlarmAttempt.alarm_id == alarm.id,
                AlarmAttempt.round == alarm.round,
                AlarmAttempt.kind == ChannelKind.PHONE,
            )
        )
    )
    return agency, [one for one in await phones_on_duty(work, agency) if one not in tried]


async def _attempt(
    work: Work, alarm: Alarm, agency: Agency, kind: ChannelKind, target: str, seconds: int
) -> None:
    language = language_for(list(agency.languages))
    await _attempt_at(work, alarm, agency.code, language, kind, target, seconds)


async def _attempt_at(
    work: Work, alarm: Alarm, who: str, language: str, kind: ChannelKind, target: str, seconds: int
) -> None:
    number = await work.session.scalar(
        select(func.count()).where(AlarmAttempt.alarm_id == alarm.id)
    )
    attempt = AlarmAttempt(
        id=uuid4(),
        alarm_id=alarm.id,
        number=(number or 0) + 1,
        round=alarm.round,
        kind=kind.value,
        who=who,
        target=target,
        language=language,
        seconds=seconds,
        wanted_at=work.now,
        turn=alarm.turn + 1,
    )
    work.session.add(attempt)
    await work.session.flush()
    if kind == ChannelKind.PHONE:
        await waking.wake_who_is_rung(work, target)
    work.defer(message_channel(kind).alarm_task, attempt_id=str(attempt.id))


async def stop_attempts(work: Work, alarm_id: UUID) -> None:
    """Stop ringing: the alarm was acknowledged, or a counsellor is available."""
    rows = await work.session.scalars(
        select(AlarmAttempt).where(
            AlarmAttempt.alarm_id == alarm_id, AlarmAttempt.ended_at.is_(None)
        )
    )
    for attempt in rows.all():
        if attempt.sending in (Sending.SENDING, Sending.SENT):
            message_channel(attempt.kind).stop_alarm(work, str(attempt.id))
        elif attempt.sending == Sending.WANTED:
            attempt.sending, attempt.ended_at = Sending.FAILED.value, work.now
            attempt.result = AttemptResult.STOPPED.value


async def note_result(
    work: Work, alarm: Alarm, attempt: AlarmAttempt, result: AttemptResult
) -> None:
    """Record the result of an attempt. If no person was reached, try the next one at once."""
    if attempt.result is not None:
        return
    attempt.result, attempt.ended_at = result.value, work.now
    if result in _ENOUGH or not is_open(alarm):
        return
    if attempt.kind == ChannelKind.PHONE and attempt.turn == alarm.turn:
        await escalate(work, alarm)


def reason_of(alarm: Alarm) -> str:
    """Return what an alarm is about, in words."""
    return WORDS[AlarmKind(alarm.kind)]


# Stands for the address of a page while the sentence is translated.
_PAGE = "{page}"


async def message_of(work: Work, alarm: Alarm, language: str) -> tuple[str, str]:
    """Return subject and text of a message: what is wrong, where, and what to do. Nothing about a
    child."""
    line = await unstaffed_alarms.line_of(work, alarm)
    # The page of the rota shows a line without a counsellor, that of the supervisors danger.
    page = "supervisor" if alarm.subject_id is not None else "roster"
    with spoken_in(language):
        subject, name = _("Helpline: alarm"), _("Helpline")
        if line is not None and alarm.language:
            name = f"{line.name} ({language_name(alarm.language)})"
        text = _(
            "%(name)s: %(reason)s See %(page)s",
            name=name,
            reason=said(reason_of(alarm)),
            page=_PAGE,
        )
    # Signs of direction beside an address would become a part of it in programs that read mail.
    return subject, text.replace(_PAGE, f"{work.settings.public_url}/{page}")
