"""Duty phones: ring them for a referral, detect answering machines, and handle the keys.

The spoken words hold no name and nothing about a child: only that there is a referral, its code,
and three keys. Key 1 must be confirmed with a second key. That key differs per attempt and makes
sense only to the agency, so that a stranger who presses 1 does not stop the escalation. If no key
is pressed, the attempt counts as unanswered.
"""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from procrastinate import JobContext

from app import words
from app.calls.labels import duty_label
from app.calls.lines.finding_lines import line_or_any
from app.calls.models import Call
from app.calls.states import LegStatus, is_over, read_leg_status
from app.definitions.risk import Urgency
from app.dialling.models import DialledFor
from app.errors import NotFound
from app.jobs.names import Task
from app.log import log
from app.outbox.channels import ChannelKind
from app.outbox.once import send_once
from app.outbox.responses import Refused
from app.outbox.states import Sending
from app.referrals.channels.attempts import keep_payload, payload_of
from app.referrals.channels.links import begin_code
from app.referrals.channels.models import Attempt
from app.referrals.channels.phone.channel import CHANNEL as PHONE
from app.referrals.channels.sending import ReferralAttemptOnce
from app.referrals.deadlines import tracking
from app.referrals.directory import leavers
from app.referrals.directory.models import Agency
from app.referrals.directory.phones import doubt_phone
from app.referrals.escalation.results import is_needed, note_result
from app.referrals.escalation.trying import LISTENING, wait_for
from app.referrals.models import Referral
from app.referrals.replies import replying
from app.referrals.replies.in_talk import live_talk
from app.referrals.scopes import lock_referral
from app.referrals.spoken import speak, spell
from app.referrals.states import AttemptResult, NoticeKind, Purpose
from app.referrals.trail import By, Via, add_notice
from app.routing import offers
from app.staff import phone_proofs
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.telephony.counsellor.pacing import LegUrgency
from app.telephony.duty_phones.attempts import ByTelephone
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.platforms.choose import platform_of
from app.telephony.provider.signature import Signed
from app.telephony.provider.urls import duty_path
from app.telephony.steps import Ask, HangUp, Pause, Say, Step
from app.words import pages
from app.words.without_codes import ONLY_A_PIN
from app.work import Work

ACKNOWLEDGE, CALL_BACK, WRONG = "1", "2", "3"
# In the address, the questions that confirm key 1 are numbered from here on.
_CONFIRMS = 10
# The results of a leg that ended without a key. A key that is reported later replaces them.
_HEARD_TOO_SOON = frozenset({AttemptResult.NO_KEY, AttemptResult.NO_ANSWER})
# How many times the keys are said if none is pressed.
_TIMES = 3
# How long a person whose phone is not proven has for their PIN before the next one is tried.
_FOR_PIN = timedelta(seconds=20)
# The provider reports the end of a leg sooner than this.
_A_WHILE = timedelta(seconds=10)


async def lock_attempt(work: Work, attempt_id: UUID) -> tuple[Referral, Attempt]:
    """Lock the referral, then the attempt (`Attempt`). Raises NotFound."""
    attempt = await work.session.get(Attempt, attempt_id)
    if attempt is None:
        raise NotFound("There is no such attempt.")
    referral = await lock_referral(work, attempt.referral_id)
    await work.session.refresh(attempt, with_for_update=True)
    return referral, attempt


async def _agency(work: Work, attempt: Attempt) -> Agency:
    agency = await work.session.get(Agency, attempt.agency_id)
    assert agency is not None
    return agency


# -- requests to the provider ------------------------------------------------------------------


class DutyCall(ByTelephone[Attempt], ReferralAttemptOnce):
    """An attempt by phone."""

    purpose = DialledFor.DUTY_PHONE

    def __init__(self, parts: Parts, attempt_id: str) -> None:
        ReferralAttemptOnce.__init__(self, attempt_id, PHONE.task)
        self.platform = parts.platform

    async def address(self, work: Work, row: Attempt) -> str:
        return row.target

    async def is_possible(self, work: Work, attempt: Attempt) -> bool:
        urgent = self.referral.urgency == Urgency.IMMEDIATE
        if not await self.has_its_turn(
            work, attempt, LegUrgency.DANGER if urgent else LegUrgency.OTHER
        ):
            return False
        referral = self.referral
        call = await work.session.get(Call, referral.call_id) if referral.call_id else None
        line = await line_or_any(work, call.line_id if call else None)
        if line is None:
            return await self.give_up(work, attempt, AttemptResult.UNREACHABLE)
        self.from_, self.seconds = line.shown_number, attempt.seconds
        return True

    async def send(self) -> str:
        return await self.platform.ring(
            to=self.to,
            from_=self.from_,
            document=duty_path(self.attempt_id, "lifted"),
            told=duty_path(self.attempt_id, "status"),
            seconds=self.seconds,
            tell_machines=True,
        )

    async def accepted(self, work: Work, row: Attempt) -> None:
        if row.ended_at is not None or not is_needed(self.referral, row):
            # The attempt was over while the request was under way: the phone must not ring on.
            work.defer(Task.END_DUTY_LEG, attempt_id=str(row.id))

    async def failed(self, work: Work, row: Attempt, error: Refused | None) -> None:
        if error is not None:
            log().warning("the provider refused a duty phone", area="referrals", code=error.code)
        await note_result(work, self.referral, row, AttemptResult.UNREACHABLE)


@task(Task.RING_DUTY_PHONE)
async def ring_duty_phone(context: JobContext, attempt_id: str) -> None:
    """Ring a duty phone."""
    parts = parts_of(context)
    await send_once(parts.ground, DutyCall(parts, attempt_id))


@task(Task.END_DUTY_LEG)
async def end_duty_leg(context: JobContext, attempt_id: str) -> None:
    """End the leg of a duty phone, so that it does not ring on."""
    parts = parts_of(context)
    async with parts.work() as work:
        _, attempt = await lock_attempt(work, UUID(attempt_id))
        sid = attempt.provider_sid
        if attempt.kind != ChannelKind.PHONE:
            return
    if sid is not None:
        await parts.platform.end(sid)
        async with parts.work() as work:
            work.defer(Task.ASK_DUTY_LEG, delay=_A_WHILE, attempt_id=attempt_id)


@task(Task.ASK_DUTY_LEG)
async def ask_duty_leg(context: JobContext, attempt_id: str) -> None:
    """Ask about a duty phone whose end was not reported, and end its leg if it still rings."""
    parts, key = parts_of(context), UUID(attempt_id)
    async with parts.work() as work:
        _, attempt = await lock_attempt(work, key)
        sid = attempt.provider_sid
        if attempt.result is not None or sid is None:
            return
    found = await parts.platform.fetch_call(sid)
    status = read_leg_status(found.status) if found is not None else LegStatus.FAILED
    if status is None or not is_over(status):
        await parts.platform.end(sid)
        status = LegStatus.NO_ANSWER
    async with parts.work() as work:
        referral, attempt = await lock_attempt(work, key)
        if attempt.result is None:
            await _note_end(work, referral, attempt, status)


async def _note_end(work: Work, referral: Referral, attempt: Attempt, status: LegStatus) -> None:
    """Record how the leg of an attempt ended; it was stopped if it is not needed any more."""
    needed = is_needed(referral, attempt)
    result = PHONE.result_of(status) if needed else AttemptResult.STOPPED
    assert result is not None
    await note_result(work, referral, attempt, result)


# -- what the phone hears ----------------------------------------------------------------------


def _say(attempt: Attempt, key: str, **values: str) -> Say:
    locale, voice = words.voice_for(attempt.language)
    return Say(speak(attempt.language, key, **values), locale, voice)


def _ask(referral: Referral, attempt: Attempt, agency: Agency, n: int) -> list[Step]:
    if attempt.purpose == Purpose.CODE:
        words = _say(attempt, "code_ask")
    elif n > _CONFIRMS:
        words = _say(attempt, "confirm", agency=agency.name, digit=_confirming(attempt))
    else:
        words = _say(
            attempt,
            "call_siblings" if attempt.children > 1 else "call",
            agency=agency.name,
            code=spell(referral.code),
            count=str(attempt.children),
        )
    return [Ask([words, Pause(1)], then=duty_path(attempt.id, "pressed", n=n), seconds=8)]


def _confirming(attempt: Attempt) -> str:
    """Return the key that confirms, 4 to 9: derived from the attempt, so it stays the same."""
    return str(4 + attempt.id.int % 6)


def _details(work: Work, attempt: Attempt) -> list[Step]:
    """Say the code by which the agency gets the details, if there is one."""
    digits = payload_of(work, attempt).get("code")
    if not digits or not work.settings.codes_by_telephone:
        return []
    return [_say(attempt, "code", digits=" ".join(digits))]


def _ending(work: Work, referral: Referral, attempt: Attempt) -> list[Step]:
    """Return what is said after a result, the same each time it is asked for."""
    code = spell(referral.code)
    match AttemptResult(attempt.result or AttemptResult.STOPPED):
        case AttemptResult.ACKNOWLEDGED:
            taken = _say(attempt, "taken", code=code)
            return [taken, *_details(work, attempt), _say(attempt, "bye"), HangUp()]
        case AttemptResult.CALL_BACK:
            return [_say(attempt, "call_back"), _say(attempt, "bye"), HangUp()]
        case AttemptResult.WRONG_NUMBER:
            return [_say(attempt, "wrong"), _say(attempt, "bye"), HangUp()]
        case AttemptResult.STOPPED:
            return [_say(attempt, "not_needed"), _say(attempt, "bye"), HangUp()]
    return [HangUp()]


async def lifted(work: Work, attempt_id: UUID, signed: Signed) -> list[Step]:
    """Return what the phone hears when a person or a machine has answered it."""
    referral, attempt = await lock_attempt(work, attempt_id)
    learn_sid(attempt, signed.call_sid)
    if attempt.result is not None:
        return _ending(work, referral, attempt)
    if signed.by_machine:
        await note_result(work, referral, attempt, AttemptResult.MACHINE)
        return [HangUp()]
    if not is_needed(referral, attempt):
        await note_result(work, referral, attempt, AttemptResult.STOPPED)
        return _ending(work, referral, attempt)
    attempt.answered_at = attempt.answered_at or work.now
    return _listened_to(work, referral, attempt, await _agency(work, attempt), 1)


def _listened_to(
    work: Work, referral: Referral, attempt: Attempt, agency: Agency, n: int
) -> list[Step]:
    """Say the keys. No other phone is rung while a person may be listening."""
    if (
        attempt.purpose == Purpose.ESCALATION
        and attempt.turn == referral.turn
        and referral.escalates_at
    ):
        wait_for(work, referral, LISTENING)
    return _ask(referral, attempt, agency, n)


def learn_sid(attempt: Attempt, sid: str) -> None:
    if attempt.provider_sid is None and sid:
        # The webhook came before the response to our own request.
        attempt.provider_sid, attempt.sending = sid, Sending.SENT.value


async def pressed(work: Work, attempt_id: UUID, signed: Signed, n: int) -> list[Step]:
    """Handle the key that was pressed, or none."""
    referral, attempt = await lock_attempt(work, attempt_id)
    agency = await _agency(work, attempt)
    digits = signed.fields.get("Digits", "")
    person = await _unproven(work, attempt)
    if person is not None and attempt.result is None and (digits == ACKNOWLEDGE or n > _CONFIRMS):
        return await _proves(work, referral, attempt, agency, person, digits, n)
    is_left = digits in (ACKNOWLEDGE, CALL_BACK) and await _is_a_leavers(work, attempt)
    if is_left and attempt.result is None:
        return await _takes_nothing(work, referral, attempt, agency)
    late = attempt.result in _HEARD_TOO_SOON and person is None and not is_left
    if late and _means(attempt, digits, n):
        # The end of the leg was reported before the key, but a person did press it.
        attempt.result = attempt.ended_at = None
    if attempt.result is not None:
        joined = await _join(work, referral, attempt)
        return joined or _ending(work, referral, attempt)
    if attempt.purpose == Purpose.CODE:
        return await _speak_code(work, referral, attempt, agency, digits, n)
    by = By(Via.PHONE, agency.code, phone=attempt.target)
    if _takes_it(attempt, digits, n):
        return await _acknowledge(work, referral, attempt, by)
    match digits:
        case _ if digits == ACKNOWLEDGE and n < _CONFIRMS:
            return _listened_to(work, referral, attempt, agency, _CONFIRMS + 1)
        case _ if digits == CALL_BACK:
            await note_result(work, referral, attempt, AttemptResult.CALL_BACK)
            await replying.call_me_back(work, referral, agency, by)
            if attempt.turn == referral.turn and referral.escalates_at is not None:
                wait = tracking.protocol_of(work, referral).call_back_wait
                wait_for(work, referral, timedelta(seconds=wait))
        case _ if digits == WRONG:
            await doubt_phone(work, attempt.agency_id, attempt.target)
            add_notice(work, referral, NoticeKind.WRONG_NUMBER, agency=agency.code)
            await note_result(work, referral, attempt, AttemptResult.WRONG_NUMBER)
        case _ if n % _CONFIRMS < _TIMES:
            return _listened_to(work, referral, attempt, agency, n + 1)
        case _ if n > _CONFIRMS:
            await note_result(work, referral, attempt, AttemptResult.NOT_CONFIRMED)
        case _:
            await note_result(work, referral, attempt, AttemptResult.NO_KEY)
    return _ending(work, referral, attempt)


async def _unproven(work: Work, attempt: Attempt) -> Staff | None:
    """Return the person of ours whose phone this is, if they never proved that."""
    if not _is_to_staff(attempt):
        return None
    return await phone_proofs.whose_unproven(work, attempt.target)


def _is_to_staff(attempt: Attempt) -> bool:
    return attempt.recipient_id is None and attempt.purpose == Purpose.ESCALATION


async def _is_a_leavers(work: Work, attempt: Attempt) -> bool:
    return _is_to_staff(attempt) and await leavers.is_a_leavers(work, attempt.target)


async def _takes_nothing(
    work: Work, referral: Referral, attempt: Attempt, agency: Agency
) -> list[Step]:
    """Write down a key at the phone of a person who has left, and try the next one."""
    write_entry(work, AuditLog.KEY_AT_UNPROVEN_PHONE, str(referral.id), agency=agency.code)
    await note_result(work, referral, attempt, AttemptResult.NOT_CONFIRMED)
    return [_say(attempt, "not_proven"), _say(attempt, "bye"), HangUp()]


async def _proves(
    work: Work,
    referral: Referral,
    attempt: Attempt,
    agency: Agency,
    person: Staff,
    digits: str,
    n: int,
) -> list[Step]:
    """Take the PIN of a person whose phone is not proven, after key 1: a stranger may have it.

    The key is written down. The next person is tried unless the PIN comes in a moment: that ends
    this leg.
    """
    if n < _CONFIRMS:
        write_entry(work, AuditLog.KEY_AT_UNPROVEN_PHONE, str(referral.id), staff_id=str(person.id))
        if await phone_proofs.only_a_pin(work, person):
            await note_result(work, referral, attempt, AttemptResult.NOT_CONFIRMED)
            said = [*_say_only_a_pin(attempt), _say(attempt, "not_proven")]
            return [*said, _say(attempt, "bye"), HangUp()]
        if attempt.turn == referral.turn and referral.escalates_at is not None:
            wait_for(work, referral, _FOR_PIN)
        return _ask_for_pin(attempt, _CONFIRMS + 1)
    if digits and await phone_proofs.prove_phone(work, person, digits):
        by = By(Via.PHONE, agency.code, phone=attempt.target)
        return await _acknowledge(work, referral, attempt, by)
    if digits and n - _CONFIRMS < _TIMES:
        return _ask_for_pin(attempt, n + 1)
    await note_result(work, referral, attempt, AttemptResult.NOT_CONFIRMED)
    return [_say(attempt, "not_proven"), _say(attempt, "bye"), HangUp()]


def _say_only_a_pin(attempt: Attempt) -> list[Say]:
    spoken = words.spoken_as(attempt.language)
    if spoken not in pages.page_languages():
        return []
    with pages.spoken_in(spoken):
        return [Say(pages.said(ONLY_A_PIN), *words.voice_for(spoken))]


def _ask_for_pin(attempt: Attempt, n: int) -> list[Step]:
    then = duty_path(attempt.id, "pressed", n=n)
    return [Ask([_say(attempt, "pin")], then=then, seconds=8, digits=phone_proofs.DIGITS)]


def _takes_it(attempt: Attempt, digits: str, n: int) -> bool:
    """Return whether the key acknowledges: the second one of an agency, key 1 of our own staff."""
    if attempt.recipient_id is None:
        return digits == ACKNOWLEDGE
    return n > _CONFIRMS and digits == _confirming(attempt)


def _means(attempt: Attempt, digits: str, n: int) -> bool:
    """Return whether a key has a meaning of its own, even if the leg is over by now."""
    return digits in (CALL_BACK, WRONG) or _takes_it(attempt, digits, n)


async def _acknowledge(work: Work, referral: Referral, attempt: Attempt, by: By) -> list[Step]:
    """Acknowledge the referral, and say so; or say that it is no longer needed."""
    talk = await live_talk(work, referral) if referral.warm else None
    if attempt.recipient_id is None:
        if not is_needed(referral, attempt):
            await note_result(work, referral, attempt, AttemptResult.STOPPED)
            return _ending(work, referral, attempt)
        await note_result(work, referral, attempt, AttemptResult.ACKNOWLEDGED)
        await replying.acknowledge_by_staff(work, referral, by)
        return _ending(work, referral, attempt)
    recipient = await replying.lock_recipient(work, referral, attempt.recipient_id)
    if replying.too_late(referral, recipient) is not None:
        await note_result(work, referral, attempt, AttemptResult.STOPPED)
        return _ending(work, referral, attempt)
    await note_result(work, referral, attempt, AttemptResult.ACKNOWLEDGED)
    code = await replying.acknowledge(work, referral, recipient, by)
    if code is not None:
        keep_payload(work, attempt, {"code": code})
    joined = await _join(work, referral, attempt) if talk is not None else None
    if joined is not None:
        await replying.note_joined(work, referral, recipient, by)
    return joined or _ending(work, referral, attempt)


async def _join(work: Work, referral: Referral, attempt: Attempt) -> list[Step] | None:
    """Return steps into the live talk, if the counsellor wanted that and the child is there."""
    if (
        attempt.result != AttemptResult.ACKNOWLEDGED
        or not referral.warm
        or attempt.recipient_id is None
    ):
        return None
    talk = await live_talk(work, referral)
    offer = await offers.live_offer_of_call(work, talk.id) if talk else None
    if offer is None:
        return None
    way_in = platform_of(work.settings).enter(
        offer.room, duty_label(attempt.id), duty_path(attempt.id, "left")
    )
    return [_say(attempt, "joined"), way_in] if way_in is not None else None


async def _speak_code(
    work: Work, referral: Referral, attempt: Attempt, agency: Agency, digits: str, n: int
) -> list[Step]:
    """Say a code that the agency asked for, but only to a person: key 1 comes first."""
    if not work.settings.codes_by_telephone:
        await note_result(work, referral, attempt, AttemptResult.FAILED)
        return [_say(attempt, "bye"), HangUp()]
    if digits == ACKNOWLEDGE:
        payload = payload_of(work, attempt)
        await begin_code(work, attempt, payload)
        code = " ".join(str(payload.get("code", "")))
        await note_result(work, referral, attempt, AttemptResult.DELIVERED)
        said = _say(attempt, "code", digits=code)
        # The reference comes first, as in a message: an agency may wait for two codes.
        said = replace(said, text=f"{spell(referral.code)}. {said.text}")
        return [said, _say(attempt, "bye"), HangUp()]
    if n < _TIMES:
        return _ask(referral, attempt, agency, n + 1)
    await note_result(work, referral, attempt, AttemptResult.NO_KEY)
    return [HangUp()]


# -- how it ended ------------------------------------------------------------------------------


async def leg_status(work: Work, attempt_id: UUID, signed: Signed) -> None:
    """Handle a status of a duty phone's leg, in any order, any number of times."""
    referral, attempt = await lock_attempt(work, attempt_id)
    learn_sid(attempt, signed.call_sid)
    status = read_leg_status(signed.fields.get("CallStatus"))
    if status is not None and is_over(status) and attempt.purpose == Purpose.ESCALATION:
        # A code that was spoken on this leg is not needed any more.
        attempt.payload_sealed = None
    if status is None or attempt.result is not None:
        return
    if not is_over(status):
        if not is_needed(referral, attempt):
            work.defer(Task.END_DUTY_LEG, attempt_id=str(attempt_id))
        return
    await _note_end(work, referral, attempt, status)
