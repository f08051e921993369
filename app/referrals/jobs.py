"""The jobs of referrals: timers, and what is sent. Every job may be run twice."""

import functools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from procrastinate import Blueprint, JobContext
from sqlalchemy import select

from app.calls import record
from app.calls.models import Call
from app.errors import NotFound
from app.jobs.names import Task
from app.jobs.transaction import run_verb, transaction
from app.log import fault, log
from app.outbox.mail import write_to_staff
from app.outbox.once import send_once
from app.outbox.responses import TryAgain
from app.referrals.channels.email.sending import EmailOnce
from app.referrals.channels.primero.jobs import (
    ask_agency_case,
    end_agency_case,
    make_agency_case,
    update_agency_case,
)
from app.referrals.channels.webhook.delivery import EventOnce
from app.referrals.consent import withdrawing
from app.referrals.deadlines import tracking
from app.referrals.directory import telling
from app.referrals.directory.address_rows import AddressChange
from app.referrals.directory.models import Agency
from app.referrals.directory.on_call import on_call_address
from app.referrals.escalation.alarm_attempts import AlarmEmailOnce
from app.referrals.escalation.alarms import alarm_tasks
from app.referrals.escalation.breaches import breached
from app.referrals.escalation.trying import escalate_on
from app.referrals.library import protocols_of
from app.referrals.models import Deadline, Notice, Referral
from app.referrals.opening.from_call import refer_unanswered
from app.referrals.replies import details, replying
from app.referrals.running import Persist, ground_of, run_later
from app.referrals.scopes import lock_referral
from app.referrals.spoken import notice_words
from app.referrals.states import DeadlineKind, ForWhom, NoticeKind, Service
from app.referrals.trail import By, Via, add_notice
from app.routing import offers
from app.routing.models import OfferState
from app.words.pages import said, spoken_in
from app.work import PROGRAM, Ground, Work

# The attempts at the letter about a notice.
_ATTEMPTS = 300
# The longest time from accepting an offer to being connected.
_CONNECTING = timedelta(seconds=25)
_AFTER_THE_END = (NoticeKind.RING_THEM, NoticeKind.UNDELIVERED)


_RETRY = Persist()


def referrals_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()
    alarm_tasks(tasks, Persist())
    for name, function in (
        (Task.DEADLINE, deadline),
        (Task.AFTER_BREACH, after_breach),
        (Task.ESCALATE, escalate),
        (Task.WATCH_DANGER, watch_danger),
        (Task.DANGER_UNANSWERED, danger_unanswered),
        (Task.ESCALATE_NOTICE, escalate_notice),
        (Task.SEND_MAIL, send_mail_attempt),
        (Task.MAIL_STAFFING_ALARM, mail_staffing_alarm),
        (Task.MAIL_NOTICE, mail_notice),
        (Task.TELL_OF_NEW_ADDRESS, tell_of_new_address),
        (Task.DELIVER, deliver),
        (Task.MAKE_AGENCY_CASE, make_agency_case),
        (Task.ASK_AGENCY_CASE, ask_agency_case),
        (Task.END_AGENCY_CASE, end_agency_case),
        (Task.UPDATE_AGENCY_CASE, update_agency_case),
        (Task.ANNOUNCE_UPDATE, announce_update),
        (Task.TAKE_SIBLINGS, take_siblings),
        (Task.RECORD_SAYS_NO, record_says_no),
    ):
        tasks.task(name=name.in_area, retry=_RETRY, pass_context=True)(function)
    return tasks


# -- time --------------------------------------------------------------------------------------


async def deadline(context: JobContext, deadline_id: str) -> None:
    """Check a deadline that may be due."""
    await run_verb(
        ground_of(context), PROGRAM, lambda work: check_deadline(work, UUID(deadline_id))
    )


async def check_deadline(work: Work, deadline_id: UUID) -> None:
    """Record a missed deadline; act on it after all other deadlines of the same moment."""
    if await tracking.ring(work, deadline_id) is not None:
        work.defer(Task.AFTER_BREACH, deadline_id=str(deadline_id))


async def after_breach(context: JobContext, deadline_id: str) -> None:
    """Act on a missed deadline, unless it was stopped in the meantime."""

    async def verb(work: Work) -> None:
        found = await work.session.get(Deadline, UUID(deadline_id))
        assert found is not None
        referral = await lock_referral(work, found.referral_id)
        await work.session.refresh(found)
        if found.breached_at is not None and found.stopped_at is None:
            await breached(work, referral, DeadlineKind(found.kind))

    await run_verb(ground_of(context), PROGRAM, verb)


async def escalate(context: JobContext, referral_id: str, turn: int) -> None:
    """Continue the escalation: the wait of a turn is over."""
    await run_verb(
        ground_of(context), PROGRAM, lambda work: escalate_if_due(work, UUID(referral_id), turn)
    )


async def escalate_if_due(work: Work, referral_id: UUID, turn: int) -> None:
    """Take the next turn, unless something has happened since `turn`."""
    referral = await lock_referral(work, referral_id)
    if referral.turn != turn or referral.escalates_at is None:
        return
    if referral.escalates_at > work.now:
        # A person is listening: the wait was extended and has a timer of its own.
        return
    await escalate_on(work, referral)


async def watch_danger(context: JobContext, call_id: str) -> None:
    """Watch a waiting caller who pressed the danger key, in case no counsellor answers in time."""
    ground = ground_of(context)
    patience = protocols_of(ground).current.danger_key.unanswered_after
    await run_later(ground, Task.DANGER_UNANSWERED, patience.total_seconds(), call_id=call_id)


async def danger_unanswered(context: JobContext, call_id: str) -> None:
    """Refer a caller who pressed the danger key, if no counsellor has taken the call."""

    async def verb(work: Work) -> None:
        call: Call = await record.lock_call(work, UUID(call_id))
        offer = await offers.live_offer_of_call(work, call.id)
        if offer is not None and offer.state == OfferState.ACCEPTED:
            # A counsellor has just accepted: check again once they are connected, or are not.
            work.defer(Task.DANGER_UNANSWERED, delay=_CONNECTING, call_id=call_id)
            return
        await refer_unanswered(work, call)

    try:
        await run_verb(ground_of(context), PROGRAM, verb)
    except NotFound as refusal:
        log().error(
            "no agency could be asked for a child in danger",
            area="referrals",
            detail=refusal.detail,
        )


async def announce_update(context: JobContext, referral_id: str) -> None:
    """Tell the agency that more was written than it has read."""
    await run_verb(
        ground_of(context), PROGRAM, lambda work: details.announce_update(work, UUID(referral_id))
    )


async def take_siblings(
    context: JobContext, referral_id: str, agency_id: str, how: str, agency: str
) -> None:
    """Acknowledge the brothers and sisters of a child that an agency has taken."""
    by = By(Via(how), agency)
    await run_verb(
        ground_of(context),
        PROGRAM,
        lambda work: replying.take_siblings(work, UUID(referral_id), UUID(agency_id), by),
    )


async def record_says_no(context: JobContext, record_id: str, paths: list[str]) -> None:
    """Withdraw consent where a contact or case now says "no"."""
    await run_verb(
        ground_of(context),
        PROGRAM,
        lambda work: withdrawing.record_says_no(work, UUID(record_id), paths),
    )


# -- mail --------------------------------------------------------------------------------------


async def send_mail_attempt(context: JobContext, attempt_id: str) -> None:
    """Send the e-mail of an attempt."""
    ground = ground_of(context)
    await send_once(ground, EmailOnce(ground, attempt_id))


async def mail_staffing_alarm(context: JobContext, attempt_id: str) -> None:
    """Send the e-mail of an alarm."""
    ground = ground_of(context)
    await send_once(ground, AlarmEmailOnce(ground, attempt_id))


async def mail_notice(context: JobContext, notice_id: str, attempts: int = 0) -> None:
    """Mail our own people on call that a notice waits for them, without details."""
    ground = ground_of(context)
    async with transaction(ground, PROGRAM) as work:
        notice = await work.session.get(Notice, UUID(notice_id))
        if notice is None or notice.seen_at is not None or notice.for_whom != ForWhom.SUPERVISORS:
            return
        referral = await work.session.get(Referral, notice.referral_id)
        to = await on_call_address(work, Service.SUPERVISOR_ON_CALL)
    if to is None or referral is None:
        return
    base = ground.settings.public_url.rstrip("/")
    with spoken_in(to.language):
        words = said(notice_words(notice.kind))
    subject = f"{referral.code}: {words}"
    body = f"{words}.\n\n{base}/referrals/{referral.id}\n"
    try:
        await write_to_staff(
            ground, to.email, subject, body, message_id=notice.id, area="referrals", what="a notice"
        )
    except TryAgain:
        if attempts < _ATTEMPTS:
            await run_later(
                ground, Task.MAIL_NOTICE, 60, notice_id=notice_id, attempts=attempts + 1
            )


async def tell_of_new_address(context: JobContext, change_id: str, attempts: int = 0) -> None:
    """Write to an agency, where it was reached before, that its address is to change."""
    ground = ground_of(context)
    async with transaction(ground, PROGRAM) as work:
        change = await work.session.get(AddressChange, UUID(change_id))
        agency = await work.session.get(Agency, change.agency_id) if change is not None else None
        if change is None or agency is None or change.former_email is None:
            return
        told = await telling.of_new_address(work, agency)
    try:
        await write_to_staff(
            ground,
            change.former_email,
            told.subject,
            told.body,
            message_id=change.id,
            area="referrals",
            what="a changed address",
        )
    except TryAgain:
        if attempts < _ATTEMPTS:
            task = Task.TELL_OF_NEW_ADDRESS
            await run_later(ground, task, 60, change_id=change_id, attempts=attempts + 1)


async def escalate_notice(context: JobContext, notice_id: str) -> None:
    """Pass a notice on to the supervisors, if the owner has not seen it in time."""

    async def verb(work: Work) -> None:
        notice = await work.session.get(Notice, UUID(notice_id))
        if notice is None or notice.seen_at is not None or notice.for_whom != ForWhom.OWNER:
            return
        referral = await lock_referral(work, notice.referral_id)
        told = select(Notice.id).where(
            Notice.referral_id == referral.id,
            Notice.kind == notice.kind,
            Notice.at == notice.at,
            Notice.for_whom == ForWhom.SUPERVISORS,
        )
        kind = NoticeKind(notice.kind)
        # Notices that an agency still has to hear of the end outlive the referral.
        wanted = referral.closed_at is None or kind in _AFTER_THE_END
        if wanted and await work.session.scalar(told.limit(1)) is None:
            add_notice(work, referral, kind, for_whom=ForWhom.SUPERVISORS, **notice.detail)

    await run_verb(ground_of(context), PROGRAM, verb)


# -- agencies' own systems ---------------------------------------------------------------------


async def deliver(context: JobContext, delivery_id: str) -> None:
    """Send an event to an agency's own system, if it is the next one."""
    ground = ground_of(context)
    await send_once(ground, EventOnce(ground, delivery_id))


# -- the net -----------------------------------------------------------------------------------


async def catch_forgotten(ground: Ground) -> int:
    """Do what lost jobs should have done; return how many there were."""
    due, escalations = await tracking.forgotten(ground)
    verbs: list[Callable[[Work], Awaitable[None]]] = [
        *(functools.partial(check_deadline, deadline_id=deadline_id) for deadline_id in due),
        *(functools.partial(escalate_if_due, referral_id=r, turn=turn) for r, turn in escalations),
    ]
    for verb in verbs:
        try:
            await run_verb(ground, PROGRAM, verb)
        except Exception as error:  # one that fails must not hold up the others
            log().error(
                "the work of a lost job failed",
                area="referrals",
                **fault(error),
            )
    return len(verbs)
