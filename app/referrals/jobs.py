"""The jobs of referrals: timers, and what is sent. Every job may be run twice."""

import functools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
from procrastinate import BaseRetryStrategy, Blueprint, JobContext, RetryDecision
from procrastinate.jobs import Job
from sqlalchemy import select

from app.calls import record
from app.calls.lines import any_line
from app.calls.models import Call
from app.errors import NotFound
from app.jobs.transaction import run_verb, transaction
from app.log import log
from app.mail import (
    MailRefused,
    MailUncertain,
    NotMailed,
    read_smtp_url,
    send_mail,
)
from app.referrals.channels.primero import counterparts
from app.referrals.channels.primero.primero import (
    Primero,
    PrimeroDown,
    PrimeroRefused,
    case_body,
    misfits,
    outcome_in_words,
    referral_notes,
)
from app.referrals.channels.telling import payload_of
from app.referrals.channels.webhook import delivery
from app.referrals.consent import withdrawing
from app.referrals.deadlines import tracking
from app.referrals.directory.agencies import house_address
from app.referrals.escalation.alarms import alarm_tasks
from app.referrals.escalation.trying import breached, escalate_on, is_needed, note_result
from app.referrals.library import protocols_of
from app.referrals.models import Attempt, Deadline, Notice, Referral
from app.referrals.opening.opening import refer_unanswered
from app.referrals.replies import answering, details
from app.referrals.scopes import lock_referral
from app.referrals.spoken import house_words, write
from app.referrals.states import AttemptResult, NoticeKind, Purpose, Service
from app.referrals.trail import By, Channel, tell_house
from app.routing import offers
from app.routing.models import OfferState
from app.work import PROGRAM, Ground, Work

# After this many failed sends of one attempt the escalation goes on without it.
_ESCALATION_TRIES = 3
_TRIES = 300
# The longest time from accepting an offer to being connected.
_CONNECTING = timedelta(seconds=25)
# A message that may have arrived is not sent again sooner than this.
_UNCERTAIN = timedelta(seconds=60)
_AFTER_THE_END = (NoticeKind.RING_THEM, NoticeKind.UNDELIVERED)
# When another system refuses to take a referral back: seconds between attempts, and how many.
_REFUSED_EVERY, _REFUSED_TRIES = 3600, 24 * 7


class Persist(BaseRetryStrategy):
    """Retry after 2, 4, 8 ... at most 300 seconds, whatever the error, without end.

    A job that is given up here could leave a child without help. Repeated failures are logged.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        if job.attempts > 2:
            log().error(
                "a job keeps failing",
                area="referrals",
                task=job.task_name,
                exception_type=type(exception).__name__,
            )
        return RetryDecision(retry_in={"seconds": int(min(2 ** min(job.attempts + 1, 9), 300))})


_RETRY = Persist()


async def _later(ground: Ground, task: str, seconds: float, **arguments: Any) -> None:
    """Run a job again after some seconds, by the program's own clock."""
    async with transaction(ground, PROGRAM) as work:
        work.defer(f"referrals:{task}", delay=timedelta(seconds=seconds), **arguments)


def _ground(context: JobContext) -> Ground:
    ground: Ground = (context.additional_context or {})["ground"]
    return ground


def referrals_tasks() -> Blueprint:
    """Return the tasks of this area, for one job app."""
    tasks = Blueprint()
    alarm_tasks(tasks, Persist())
    for function in (
        deadline,
        after_breach,
        escalate,
        watch_danger,
        danger_unanswered,
        escalate_notice,
        send_mail_attempt,
        mail_notice,
        deliver,
        make_counterpart,
        ask_counterpart,
        end_counterpart,
        update_counterpart,
        announce_update,
        take_siblings,
        record_says_no,
    ):
        name = _NAMES.get(function.__name__, function.__name__)
        tasks.task(name=name, retry=_RETRY, pass_context=True)(function)
    return tasks


_NAMES = {"send_mail_attempt": "send_mail"}


# -- time --------------------------------------------------------------------------------------


async def deadline(context: JobContext, deadline_id: str) -> None:
    """Check a deadline that may be due."""
    await run_verb(_ground(context), PROGRAM, lambda work: check_deadline(work, UUID(deadline_id)))


async def check_deadline(work: Work, deadline_id: UUID) -> None:
    """Record a missed deadline; act on it after all other deadlines of the same moment."""
    if await tracking.ring(work, deadline_id) is not None:
        work.defer("referrals:after_breach", deadline_id=str(deadline_id))


async def after_breach(context: JobContext, deadline_id: str) -> None:
    """Act on a missed deadline, unless it was stopped in the meantime."""

    async def verb(work: Work) -> None:
        found = await work.session.get(Deadline, UUID(deadline_id))
        assert found is not None
        referral = await lock_referral(work, found.referral_id)
        await work.session.refresh(found)
        if found.breached_at is not None and found.stopped_at is None:
            await breached(work, referral, found.kind)

    await run_verb(_ground(context), PROGRAM, verb)


async def escalate(context: JobContext, referral_id: str, turn: int) -> None:
    """Continue the escalation: the wait of a turn is over."""
    await run_verb(
        _ground(context), PROGRAM, lambda work: escalate_if_due(work, UUID(referral_id), turn)
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
    ground = _ground(context)
    patience = protocols_of(ground).current.danger_key.unanswered_after
    await _later(ground, "danger_unanswered", patience.total_seconds(), call_id=call_id)


async def danger_unanswered(context: JobContext, call_id: str) -> None:
    """Refer a caller who pressed the danger key, if no counsellor has taken the call."""

    async def verb(work: Work) -> None:
        call: Call = await record.lock_call(work, UUID(call_id))
        offer = await offers.live_offer_of_call(work, call.id)
        if offer is not None and offer.state == OfferState.ACCEPTED:
            # A counsellor has just accepted: check again once they are connected, or are not.
            work.defer("referrals:danger_unanswered", delay=_CONNECTING, call_id=call_id)
            return
        await refer_unanswered(work, call)

    try:
        await run_verb(_ground(context), PROGRAM, verb)
    except NotFound as refusal:
        log().error(
            "no agency could be asked for a child in danger",
            area="referrals",
            detail=refusal.detail,
        )


async def announce_update(context: JobContext, referral_id: str) -> None:
    """Tell the agency that more was written than it has read."""
    await run_verb(
        _ground(context), PROGRAM, lambda work: details.announce_update(work, UUID(referral_id))
    )


async def take_siblings(
    context: JobContext, referral_id: str, agency_id: str, how: Channel, agency: str
) -> None:
    """Acknowledge the brothers and sisters of a child that an agency has taken."""
    by = By(how, agency)
    await run_verb(
        _ground(context),
        PROGRAM,
        lambda work: answering.take_siblings(work, UUID(referral_id), UUID(agency_id), by),
    )


async def record_says_no(context: JobContext, record_id: str, paths: list[str]) -> None:
    """Withdraw consent where a contact or case now says "no"."""
    await run_verb(
        _ground(context),
        PROGRAM,
        lambda work: withdrawing.record_says_no(work, UUID(record_id), paths),
    )


# -- mail --------------------------------------------------------------------------------------


async def send_mail_attempt(context: JobContext, attempt_id: str) -> None:
    """Send the e-mail of an attempt: committed as *sending* before it is sent."""
    ground = _ground(context)
    async with transaction(ground, PROGRAM) as work:
        prepared = await _prepare(work, UUID(attempt_id))
    if prepared is None:
        return
    to, subject, body = prepared
    if ground.settings.smtp_url is None:
        log().error("HELPLINE_SMTP_URL is not set: no e-mail is sent", area="referrals")
        await _note_mail(ground, attempt_id, AttemptResult.UNREACHABLE)
        return
    box = read_smtp_url(ground.settings.smtp_url)
    try:
        await send_mail(box, to, subject, body, message_id=UUID(attempt_id), at=ground.clock.now())
    except MailRefused as error:
        log().warning("an e-mail was refused", area="referrals", cause=str(error)[:60])
        await _note_mail(ground, attempt_id, AttemptResult.FAILED)
    except NotMailed:
        await _not_sent(ground, attempt_id)
    except MailUncertain:
        await _not_sent(ground, attempt_id, uncertain=True)
    else:
        await _note_mail(ground, attempt_id, AttemptResult.DELIVERED)


async def _prepare(work: Work, attempt_id: UUID) -> tuple[str, str, str] | None:
    """Mark the e-mail as *sending* and return it; None if it must not be sent, or not yet."""
    attempt = await work.session.get(Attempt, attempt_id)
    if attempt is None:
        return None
    referral = await lock_referral(work, attempt.referral_id)
    await work.session.refresh(attempt)
    if attempt.ended_at is not None or attempt.sending in ("sent", "failed"):
        return None
    stale = attempt.purpose == Purpose.ESCALATION and attempt.turn != referral.turn
    if stale or not is_needed(referral, attempt):
        attempt.sending, attempt.payload_sealed = "failed", None
        await note_result(work, referral, attempt, AttemptResult.STOPPED)
        return None
    if attempt.sending == "sending" and attempt.sent_at is not None:
        left = (attempt.sent_at + _UNCERTAIN - work.now).total_seconds()
        if left > 0:
            # The process was killed while sending: the e-mail may have arrived.
            work.defer(
                "referrals:send_mail", delay=timedelta(seconds=left), attempt_id=str(attempt.id)
            )
            return None
    attempt.sending, attempt.sent_at = "sending", work.now
    attempt.tries += 1
    subject, body = await words_of(work, referral, attempt)
    return attempt.target, subject, body


async def words_of(work: Work, referral: Referral, attempt: Attempt) -> tuple[str, str]:
    """Return subject and body of a message: a code, a link, and nothing about a child."""
    payload = payload_of(work, attempt)
    line = await any_line(work)
    token = payload.get("token", "")
    base = work.settings.public_url.rstrip("/")
    return write(
        attempt.language,
        attempt.purpose,
        code=referral.code,
        urgency=referral.urgency,
        link=f"{base}/r/{token}" if token else "",
        way=attempt.kind,
        payload=payload,
        phone=line.number if line else "",
    )


async def _note_mail(ground: Ground, attempt_id: str, result: AttemptResult) -> None:
    async def verb(work: Work) -> None:
        attempt = await work.session.get(Attempt, UUID(attempt_id))
        assert attempt is not None
        referral = await lock_referral(work, attempt.referral_id)
        await work.session.refresh(attempt)
        attempt.sending = "sent" if result is AttemptResult.DELIVERED else "failed"
        await note_result(work, referral, attempt, result)

    await run_verb(ground, PROGRAM, verb)


async def _not_sent(ground: Ground, attempt_id: str, *, uncertain: bool = False) -> None:
    """Retry an e-mail that was not sent, or may not have been.

    After a few failures the escalation goes on without it. Other messages, such as a withdrawal of
    consent, are retried for days.
    """

    async def verb(work: Work) -> None:
        attempt = await work.session.get(Attempt, UUID(attempt_id))
        assert attempt is not None
        referral = await lock_referral(work, attempt.referral_id)
        await work.session.refresh(attempt)
        if attempt.ended_at is not None:
            return
        attempt.sending = "wanted"
        if not uncertain:
            attempt.sent_at = None
        if attempt.tries >= (
            _ESCALATION_TRIES if attempt.purpose == Purpose.ESCALATION else _TRIES
        ):
            attempt.sending = "failed"
            await note_result(work, referral, attempt, AttemptResult.UNREACHABLE)
            return
        least = _UNCERTAIN.total_seconds() if uncertain else 0
        wait = timedelta(seconds=max(least, min(5 * 2 ** min(attempt.tries, 10), 1800)))
        work.defer("referrals:send_mail", delay=wait, attempt_id=attempt_id)

    await run_verb(ground, PROGRAM, verb)


async def mail_notice(context: JobContext, notice_id: str, tries: int = 0) -> None:
    """Mail our own people on call that a notice waits for them, without details."""
    ground = _ground(context)
    if ground.settings.smtp_url is None:
        return
    async with transaction(ground, PROGRAM) as work:
        notice = await work.session.get(Notice, UUID(notice_id))
        if notice is None or notice.seen_at is not None or notice.for_whom != "supervisors":
            return
        referral = await work.session.get(Referral, notice.referral_id)
        to = await house_address(work, Service.SUPERVISOR_ON_CALL)
    if to is None or referral is None:
        return
    base = ground.settings.public_url.rstrip("/")
    body = f"{house_words(notice.kind)}.\n\n{base}/referrals/{referral.id}\n"
    try:
        await send_mail(
            read_smtp_url(ground.settings.smtp_url),
            to,
            f"{referral.code}: {house_words(notice.kind)}",
            body,
            message_id=notice.id,
            at=ground.clock.now(),
        )
    except MailRefused as error:
        log().warning("a notice was refused", area="referrals", cause=str(error)[:60])
    except (NotMailed, MailUncertain):
        if tries < _TRIES:
            await _later(ground, "mail_notice", 60, notice_id=notice_id, tries=tries + 1)


async def escalate_notice(context: JobContext, notice_id: str) -> None:
    """Pass a notice on to the supervisors, if the owner has not seen it in time."""

    async def verb(work: Work) -> None:
        notice = await work.session.get(Notice, UUID(notice_id))
        if notice is None or notice.seen_at is not None or notice.for_whom != "owner":
            return
        referral = await lock_referral(work, notice.referral_id)
        told = select(Notice.id).where(
            Notice.referral_id == referral.id,
            Notice.kind == notice.kind,
            Notice.at == notice.at,
            Notice.for_whom == "supervisors",
        )
        kind = NoticeKind(notice.kind)
        # Notices that an agency still has to hear of the end outlive the referral.
        wanted = referral.closed_at is None or kind in _AFTER_THE_END
        if wanted and await work.session.scalar(told.limit(1)) is None:
            tell_house(work, referral, kind, for_whom="supervisors", **notice.detail)

    await run_verb(_ground(context), PROGRAM, verb)


# -- agencies' own systems ---------------------------------------------------------------------


async def deliver(context: JobContext, delivery_id: str) -> None:
    """Send an event to an agency's own system, if it is the next one."""
    ground = _ground(context)
    async with transaction(ground, PROGRAM) as work:
        parcel = await delivery.pack(work, UUID(delivery_id))
    if parcel is None:
        return
    async with httpx2.AsyncClient(trust_env=False, follow_redirects=False) as client:
        problem = await delivery.post(client, parcel, ground.clock.now())
    await run_verb(
        ground, PROGRAM, lambda work: delivery.note_delivery(work, parcel.delivery_id, problem)
    )


async def make_counterpart(context: JobContext, recipient_id: str, tries: int = 0) -> None:
    """Create the case at the other system and refer it there; refuse if a value is unmapped."""
    ground, key = _ground(context), UUID(recipient_id)
    async with transaction(ground, PROGRAM) as work:
        errand = await counterparts.errand(work, key, with_facts=True)
    if errand is None:
        return

    async def note_state(state: str, **values: object) -> bool:
        return await run_verb(
            ground, PROGRAM, lambda work: counterparts.note_state(work, key, state, **values)
        )

    said = case_body(errand.mapping, errand.known, errand.service_id, errand.owned_by)
    async with httpx2.AsyncClient(trust_env=False, follow_redirects=False) as client:
        primero = Primero(client, errand.account)
        try:
            if errand.state == "wanted":
                wrong = said.unmapped + misfits(
                    said.body, await primero.forms(errand.mapping.module), errand.mapping
                )
                if wrong:
                    await note_state("refused", problem="; ".join(wrong)[:2000])
                    return
                await primero.make_case(errand.case_id, said.body)
                if not await note_state("case_made", left_out=said.left_out):
                    return
            service = said.body[errand.mapping.service_form][0].get("service_type")
            body = {
                "service": service,
                "service_record_id": str(errand.service_id),
                "consent_overridden": errand.known.facts.get("basis") != "consent",
                "notes": referral_notes(errand.known),
            }
            if errand.refer_to:
                body["transitioned_to"] = errand.refer_to
            else:
                body |= {"remote": True, "transitioned_to_agency": errand.agency}
            there = [r for r in await primero.referrals(errand.case_id) if r.get("id")]
            # The response to an earlier attempt may have been lost.
            theirs = str(there[0]["id"]) if there else await primero.refer(errand.case_id, body)
        except PrimeroDown as error:
            wait = max(error.after, float(min(5 * 2 ** min(tries, 8), 600)))
            await _later(
                ground, "make_counterpart", wait, recipient_id=recipient_id, tries=tries + 1
            )
            return
        except PrimeroRefused as error:
            await note_state("refused", problem=str(error)[:2000])
            return
    await note_state("referred", their_referral=theirs)


async def ask_counterpart(context: JobContext, recipient_id: str, times: int = 0) -> None:
    """Ask for the status of the referral at the other system."""
    ground, key = _ground(context), UUID(recipient_id)
    async with transaction(ground, PROGRAM) as work:
        errand = await counterparts.errand(work, key, with_facts=False)
    if errand is None or errand.their_referral is None:
        return
    async with httpx2.AsyncClient(trust_env=False, follow_redirects=False) as client:
        try:
            rows = await Primero(client, errand.account).referrals(errand.case_id)
        except PrimeroDown:
            rows = []
        except PrimeroRefused as error:
            log().warning("the other system refused", area="referrals", cause=str(error)[:80])
            rows = []
    found = next((r for r in rows if str(r.get("id")) == errand.their_referral), None)

    async def verb(work: Work) -> None:
        goes_on = True
        if found is not None:
            words = _clean(outcome_in_words(found))
            goes_on = await counterparts.note_status(work, key, str(found.get("status")), words)
        if goes_on:
            counterparts.ask_again(work, key, times + 1)

    await run_verb(ground, PROGRAM, verb)


def _clean(text: str) -> str:
    """Return their words without the characters that the database cannot hold."""
    kept = (c for c in text[:2000] if (c >= " " or c == "\n") and not "\ud800" <= c <= "\udfff")
    return "".join(kept)


async def update_counterpart(context: JobContext, recipient_id: str, tries: int = 0) -> None:
    """Update the case at the other system with what was written here since."""
    ground, key = _ground(context), UUID(recipient_id)
    async with transaction(ground, PROGRAM) as work:
        errand = await counterparts.errand(work, key, with_facts=True, again=True)
    if errand is None:
        return
    said = case_body(errand.mapping, errand.known, errand.service_id, errand.owned_by)
    async with httpx2.AsyncClient(trust_env=False, follow_redirects=False) as client:
        primero = Primero(client, errand.account)
        problem = "; ".join(said.unmapped)
        try:
            wrong = said.unmapped + misfits(
                said.body, await primero.forms(errand.mapping.module), errand.mapping
            )
            problem = "; ".join(wrong)
            if not wrong:
                await primero.update_case(errand.case_id, said.body)
        except PrimeroDown as error:
            wait = max(error.after, float(min(5 * 2 ** min(tries, 8), 600)))
            await _later(
                ground, "update_counterpart", wait, recipient_id=recipient_id, tries=tries + 1
            )
            return
        except PrimeroRefused as error:
            problem = str(error)
    await run_verb(
        ground,
        PROGRAM,
        lambda work: counterparts.note_updated(work, key, problem[:2000], said.left_out),
    )


async def end_counterpart(context: JobContext, recipient_id: str, refused: int = 0) -> None:
    """Take the referral back at the other system; if it refuses, our staff have to ring them."""
    ground, key = _ground(context), UUID(recipient_id)
    async with transaction(ground, PROGRAM) as work:
        errand = await counterparts.errand(work, key, with_facts=False, to_end=True)
        if errand is None:
            await counterparts.note_not_taken_back(work, key, "no access to it any more")
            return
    if errand.their_referral is not None:
        async with httpx2.AsyncClient(trust_env=False, follow_redirects=False) as client:
            try:
                await Primero(client, errand.account).revoke(errand.case_id, errand.their_referral)
            except PrimeroDown as error:
                wait = max(error.after, 300)
                await _later(
                    ground, "end_counterpart", wait, recipient_id=recipient_id, refused=refused
                )
                return
            except PrimeroRefused as error:
                why = str(error)[:80]
                log().warning("taking back was refused", area="referrals", cause=why)
                if not refused:
                    await run_verb(
                        ground, PROGRAM, lambda w: counterparts.note_not_taken_back(w, key, why)
                    )
                if refused < _REFUSED_TRIES:
                    await _later(
                        ground,
                        "end_counterpart",
                        _REFUSED_EVERY,
                        recipient_id=recipient_id,
                        refused=refused + 1,
                    )
                return
    await run_verb(ground, PROGRAM, lambda work: counterparts.note_ended(work, key))


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
                exception_type=type(error).__name__,
            )
    return len(verbs)
