"""Duty phones: ring them for a referral, detect answering machines, and handle the keys.

The spoken words hold no name and nothing about a child: only that there is a referral, its code,
and three keys. Key 1 must be confirmed with a second key. That key differs per attempt and makes
sense only to the agency, so that a stranger who presses 1 does not stop the escalation. If no key
is pressed, the attempt counts as unanswered.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from procrastinate import JobContext

from app.calls.lines import SPOKEN, any_line, line_of_id
from app.calls.models import Call
from app.calls.states import LegStatus, is_over, read_leg_status
from app.definitions.risk import Urgency as ContactUrgency
from app.errors import NotFound
from app.log import log
from app.referrals.channels.telling import keep_payload, payload_of
from app.referrals.deadlines import tracking
from app.referrals.directory.agencies import doubt_phone
from app.referrals.escalation.trying import LISTENING, is_needed, live_talk, note_result, wait_for
from app.referrals.jobs import words_of
from app.referrals.models import Agency, Referral, Rung
from app.referrals.replies import answering
from app.referrals.replies.in_talk import duty_label
from app.referrals.scopes import lock_referral
from app.referrals.spoken import known, speak, spell
from app.referrals.states import NoticeKind, Purpose, RungKind, RungResult
from app.referrals.trail import By, tell_house
from app.routing import offers
from app.telephony.counsellor import pacing
from app.telephony.counsellor.leg_jobs import ASKS, known_sids
from app.telephony.counsellor.pacing import Urgency
from app.telephony.jobs import parts_of, task
from app.telephony.provider.client import Refused, TryAgain, Uncertain
from app.telephony.provider.signature import Signed
from app.telephony.provider.urls import duty_path, message_path
from app.telephony.script import Ask, HangUp, Join, Pause, Say, Step
from app.work import Work

ACKNOWLEDGE, CALL_BACK, WRONG = "1", "2", "3"
# In the address, the questions that confirm key 1 are numbered from here on.
_CONFIRMS = 10
# The results of a leg that ended without a key. A key that is reported later replaces them.
_HEARD_TOO_SOON = frozenset({RungResult.NO_KEY, RungResult.NO_ANSWER})
# How many times the keys are said if none is pressed.
_TIMES = 3
# The provider reports the end of a leg sooner than this.
_A_WHILE = timedelta(seconds=10)


async def _lock(work: Work, rung_id: UUID) -> tuple[Referral, Rung]:
    """Lock the referral, then the attempt (`Rung`). Raises NotFound."""
    rung = await work.session.get(Rung, rung_id)
    if rung is None:
        raise NotFound("There is no such attempt.")
    referral = await lock_referral(work, rung.referral_id)
    await work.session.refresh(rung, with_for_update=True)
    return referral, rung


async def _agency(work: Work, rung: Rung) -> Agency:
    agency = await work.session.get(Agency, rung.agency_id)
    assert agency is not None
    return agency


# -- requests to the provider ------------------------------------------------------------------


async def _prepare(work: Work, rung_id: UUID) -> dict[str, Any] | None:
    """Commit that the request is about to be sent. Return None if it must not be, or not yet."""
    referral, rung = await _lock(work, rung_id)
    if rung.ended_at is not None or rung.sending in ("sent", "failed"):
        return None
    if rung.sending == "sending":
        rung.asks += 1
        return {"settle": rung.asks, "to": rung.target, "since": rung.sent_at, "kind": rung.kind}
    stale = rung.purpose == Purpose.LADDER and rung.turn != referral.turn
    if stale or not is_needed(referral, rung):
        rung.sending = "failed"
        await note_result(work, referral, rung, RungResult.STOPPED)
        return None
    if rung.kind == RungKind.PHONE:
        urgent = referral.urgency == ContactUrgency.IMMEDIATE
        turn = Urgency.DANGER if urgent else Urgency.OTHER
        wait = await pacing.take_turn(work, rung.id, turn)
        if wait is not None:
            work.defer("telephony:ring_duty_phone", delay=wait, rung_id=str(rung.id))
            return None
    call = await work.session.get(Call, referral.call_id) if referral.call_id else None
    line = await line_of_id(work, call.line_id if call else None) or await any_line(work)
    if line is None:
        rung.sending = "failed"
        await note_result(work, referral, rung, RungResult.UNREACHABLE)
        return None
    rung.sending, rung.sent_at = "sending", work.now
    rung.tries += 1
    _, body = await words_of(work, referral, rung)
    return {"to": rung.target, "from_": line.shown_number, "seconds": rung.seconds, "body": body}


async def _note_sid(work: Work, rung_id: UUID, sid: str) -> None:
    referral, rung = await _lock(work, rung_id)
    rung.sending, rung.provider_sid = "sent", rung.provider_sid or sid
    if rung.kind == RungKind.SMS:
        # The provider has the message, so its payload is not needed any more, delivered or not.
        rung.payload_sealed = None
    if rung.ended_at is not None or not is_needed(referral, rung):
        # The attempt was over while the request was under way: the phone must not ring on.
        work.defer("telephony:end_duty_leg", rung_id=str(rung_id))


async def _note_refused(work: Work, rung_id: UUID) -> None:
    referral, rung = await _lock(work, rung_id)
    if rung.provider_sid is None:
        rung.sending = "failed"
        await note_result(work, referral, rung, RungResult.UNREACHABLE)


async def _request(context: JobContext, rung_id: str, send: Any, find: Any) -> None:
    """Send once. Without a response, ask what became of the request, and never send it again."""
    parts, key = parts_of(context), UUID(rung_id)
    async with parts.work() as work:
        what = await _prepare(work, key)
    if what is None:
        return
    if "settle" in what:
        await _settle(context, key, what, find)
        return
    try:
        sid = await send(what)
    except TryAgain:
        async with parts.work() as work:
            _, rung = await _lock(work, key)
            if rung.provider_sid is None:
                rung.sending = "wanted"
        raise
    except Refused as error:
        log().warning("the provider refused a duty phone", area="referrals", code=error.code)
        async with parts.work() as work:
            await _note_refused(work, key)
        return
    async with parts.work() as work:
        await _note_sid(work, key, sid)


async def _settle(context: JobContext, key: UUID, what: dict[str, Any], find: Any) -> None:
    parts = parts_of(context)
    since = what["since"] - timedelta(seconds=2)
    async with parts.work() as work:
        known = await known_sids(work, since)
    sid = await find(what["to"], since, known)
    if sid is not None:
        async with parts.work() as work:
            await _note_sid(work, key, sid)
    elif what["settle"] < ASKS:
        raise Uncertain("no trace of it yet")
    else:
        async with parts.work() as work:
            await _note_refused(work, key)


@task("ring_duty_phone")
async def ring_duty_phone(context: JobContext, rung_id: str) -> None:
    """Ring a duty phone."""
    provider = parts_of(context).provider

    async def send(what: dict[str, Any]) -> str:
        return await provider.ring_leg(
            to=what["to"],
            from_=what["from_"],
            document=duty_path(rung_id, "lifted"),
            told=duty_path(rung_id, "status"),
            seconds=what["seconds"],
            tell_machines=True,
        )

    async def find(to: str, since: Any, known: set[str]) -> str | None:
        return await provider.find_leg(to=to, since=since, known=known)

    await _request(context, rung_id, send, find)


@task("send_message")
async def send_message(context: JobContext, rung_id: str) -> None:
    """Send an SMS."""
    provider = parts_of(context).provider

    async def send(what: dict[str, Any]) -> str:
        return await provider.send_message(
            to=what["to"], from_=what["from_"], body=what["body"], told=message_path(rung_id)
        )

    async def find(to: str, since: Any, known: set[str]) -> str | None:
        return await provider.find_message(to=to, since=since, known=known)

    await _request(context, rung_id, send, find)


@task("end_duty_leg")
async def end_duty_leg(context: JobContext, rung_id: str) -> None:
    """End the leg of a duty phone, so that it does not ring on."""
    parts = parts_of(context)
    async with parts.work() as work:
        _, rung = await _lock(work, UUID(rung_id))
        sid = rung.provider_sid
        if rung.kind != RungKind.PHONE:
            return
    if sid is not None:
        await parts.provider.end_leg(sid)
        async with parts.work() as work:
            work.defer("telephony:ask_duty_leg", delay=_A_WHILE, rung_id=rung_id)


@task("ask_duty_leg")
async def ask_duty_leg(context: JobContext, rung_id: str) -> None:
    """Ask about a duty phone whose end was not reported, and end its leg if it still rings."""
    parts, key = parts_of(context), UUID(rung_id)
    async with parts.work() as work:
        _, rung = await _lock(work, key)
        sid = rung.provider_sid
        if rung.result is not None or sid is None:
            return
    found = await parts.provider.fetch_call(sid)
    status = read_leg_status(found.status) if found is not None else LegStatus.FAILED
    if status is None or not is_over(status):
        await parts.provider.end_leg(sid)
        status = LegStatus.NO_ANSWER
    async with parts.work() as work:
        referral, rung = await _lock(work, key)
        if rung.result is None:
            needed = is_needed(referral, rung)
            result = _RESULT_OF[status] if needed else RungResult.STOPPED
            await note_result(work, referral, rung, result)


# -- what the phone hears ----------------------------------------------------------------------


def _say(rung: Rung, key: str, **values: str) -> Say:
    locale, voice = SPOKEN[known(rung.language)]
    return Say(speak(rung.language, key, **values), locale, voice)


def _ask(referral: Referral, rung: Rung, agency: Agency, n: int) -> list[Step]:
    if rung.purpose == Purpose.CODE:
        words = _say(rung, "code_ask")
    elif n > _CONFIRMS:
        words = _say(rung, "confirm", agency=agency.name, digit=_confirming(rung))
    else:
        words = _say(
            rung,
            "call_siblings" if rung.children > 1 else "call",
            agency=agency.name,
            code=spell(referral.code),
            count=str(rung.children),
        )
    return [Ask([words, Pause(1)], then=duty_path(rung.id, "pressed", n=n), seconds=8)]


def _confirming(rung: Rung) -> str:
    """Return the key that confirms, 4 to 9: derived from the attempt, so it stays the same."""
    return str(4 + rung.id.int % 6)


def _details(work: Work, rung: Rung) -> list[Step]:
    """Say the code by which the agency gets the details, if there is one."""
    digits = payload_of(work, rung).get("code")
    if not digits:
        return []
    return [_say(rung, "code", digits=" ".join(digits))]


def _ending(work: Work, referral: Referral, rung: Rung) -> list[Step]:
    """Return what is said after a result, the same each time it is asked for."""
    code = spell(referral.code)
    match RungResult(rung.result or RungResult.STOPPED):
        case RungResult.ACKNOWLEDGED:
            taken = _say(rung, "taken", code=code)
            return [taken, *_details(work, rung), _say(rung, "bye"), HangUp()]
        case RungResult.CALL_BACK:
            return [_say(rung, "call_back"), _say(rung, "bye"), HangUp()]
        case RungResult.WRONG_NUMBER:
            return [_say(rung, "wrong"), _say(rung, "bye"), HangUp()]
        case RungResult.STOPPED:
            return [_say(rung, "not_needed"), _say(rung, "bye"), HangUp()]
    return [HangUp()]


async def lifted(work: Work, rung_id: UUID, signed: Signed) -> list[Step]:
    """Return what the phone hears when a person or a machine has answered it."""
    referral, rung = await _lock(work, rung_id)
    _learn_sid(rung, signed.call_sid)
    if rung.result is not None:
        return _ending(work, referral, rung)
    who = signed.fields.get("AnsweredBy", "")
    if who.startswith("machine") or who == "fax":
        await note_result(work, referral, rung, RungResult.MACHINE)
        return [HangUp()]
    if not is_needed(referral, rung):
        await note_result(work, referral, rung, RungResult.STOPPED)
        return _ending(work, referral, rung)
    rung.answered_at = rung.answered_at or work.now
    return _listened_to(work, referral, rung, await _agency(work, rung), 1)


def _listened_to(work: Work, referral: Referral, rung: Rung, agency: Agency, n: int) -> list[Step]:
    """Say the keys. No other phone is rung while a person may be listening."""
    if rung.purpose == Purpose.LADDER and rung.turn == referral.turn and referral.climbs_at:
        wait_for(work, referral, LISTENING)
    return _ask(referral, rung, agency, n)


def _learn_sid(rung: Rung, sid: str) -> None:
    if rung.provider_sid is None and sid:
        # The webhook came before the response to our own request.
        rung.provider_sid, rung.sending = sid, "sent"


async def pressed(work: Work, rung_id: UUID, signed: Signed, n: int) -> list[Step]:
    """Handle the key that was pressed, or none."""
    referral, rung = await _lock(work, rung_id)
    agency = await _agency(work, rung)
    digits = signed.fields.get("Digits", "")
    if rung.result in _HEARD_TOO_SOON and _means(rung, digits, n):
        # The end of the leg was reported before the key, but a person did press it.
        rung.result = rung.ended_at = None
    if rung.result is not None:
        joined = await _join(work, referral, rung)
        return joined or _ending(work, referral, rung)
    if rung.purpose == Purpose.CODE:
        return await _speak_code(work, referral, rung, agency, digits, n)
    by = By("phone", agency.code)
    if _takes_it(rung, digits, n):
        return await _acknowledge(work, referral, rung, by)
    match digits:
        case _ if digits == ACKNOWLEDGE and n < _CONFIRMS:
            return _listened_to(work, referral, rung, agency, _CONFIRMS + 1)
        case _ if digits == CALL_BACK:
            await note_result(work, referral, rung, RungResult.CALL_BACK)
            await answering.call_me_back(work, referral, agency, by)
            if rung.turn == referral.turn and referral.climbs_at is not None:
                wait = tracking.protocol_of(work, referral).call_back_wait
                wait_for(work, referral, timedelta(seconds=wait))
        case _ if digits == WRONG:
            await doubt_phone(work, rung.agency_id, rung.target)
            tell_house(work, referral, NoticeKind.WRONG_NUMBER, agency=agency.code)
            await note_result(work, referral, rung, RungResult.WRONG_NUMBER)
        case _ if n % _CONFIRMS < _TIMES:
            return _listened_to(work, referral, rung, agency, n + 1)
        case _ if n > _CONFIRMS:
            await note_result(work, referral, rung, RungResult.NOT_CONFIRMED)
        case _:
            await note_result(work, referral, rung, RungResult.NO_KEY)
    return _ending(work, referral, rung)


def _takes_it(rung: Rung, digits: str, n: int) -> bool:
    """Return whether the key acknowledges: the second one of an agency, key 1 of our own staff."""
    if rung.approach_id is None:
        return digits == ACKNOWLEDGE
    return n > _CONFIRMS and digits == _confirming(rung)


def _means(rung: Rung, digits: str, n: int) -> bool:
    """Return whether a key has a meaning of its own, even if the leg is over by now."""
    return digits in (CALL_BACK, WRONG) or _takes_it(rung, digits, n)


async def _acknowledge(work: Work, referral: Referral, rung: Rung, by: By) -> list[Step]:
    """Acknowledge the referral, and say so; or say that it is no longer needed."""
    talk = await live_talk(work, referral) if referral.warm else None
    if rung.approach_id is None:
        if not is_needed(referral, rung):
            await note_result(work, referral, rung, RungResult.STOPPED)
            return _ending(work, referral, rung)
        await note_result(work, referral, rung, RungResult.ACKNOWLEDGED)
        await answering.acknowledge_in_house(work, referral, by)
        return _ending(work, referral, rung)
    approach = await answering.lock_approach(work, referral, rung.approach_id)
    if answering.too_late(referral, approach) is not None:
        await note_result(work, referral, rung, RungResult.STOPPED)
        return _ending(work, referral, rung)
    await note_result(work, referral, rung, RungResult.ACKNOWLEDGED)
    code = await answering.acknowledge(work, referral, approach, by)
    if code is not None:
        keep_payload(work, rung, {"code": code})
    joined = await _join(work, referral, rung) if talk is not None else None
    if joined is not None:
        await answering.note_joined(work, referral, approach, by)
    return joined or _ending(work, referral, rung)


async def _join(work: Work, referral: Referral, rung: Rung) -> list[Step] | None:
    """Return steps into the live talk, if the counsellor wanted that and the child is there."""
    if rung.result != RungResult.ACKNOWLEDGED or not referral.warm or rung.approach_id is None:
        return None
    if not work.settings.has_conferences:
        return None
    talk = await live_talk(work, referral)
    offer = await offers.live_offer_of_call(work, talk.id) if talk else None
    if offer is None:
        return None
    return [
        _say(rung, "joined"),
        Join(
            offer.room,
            duty_label(rung.id),
            duty_path(rung.id, "left"),
            ends_for_all=False,
            star_ends=False,
        ),
    ]


async def _speak_code(
    work: Work, referral: Referral, rung: Rung, agency: Agency, digits: str, n: int
) -> list[Step]:
    """Say a code that the agency asked for, but only to a person: key 1 comes first."""
    if digits == ACKNOWLEDGE:
        code = " ".join(str(payload_of(work, rung).get("code", "")))
        await note_result(work, referral, rung, RungResult.DELIVERED)
        return [_say(rung, "code", digits=code), _say(rung, "bye"), HangUp()]
    if n < _TIMES:
        return _ask(referral, rung, agency, n + 1)
    await note_result(work, referral, rung, RungResult.NO_KEY)
    return [HangUp()]


# -- how it ended ------------------------------------------------------------------------------

_RESULT_OF = {
    LegStatus.NO_ANSWER: RungResult.NO_ANSWER,
    LegStatus.BUSY: RungResult.BUSY,
    LegStatus.FAILED: RungResult.UNREACHABLE,
    LegStatus.CANCELED: RungResult.NO_ANSWER,
    LegStatus.COMPLETED: RungResult.NO_KEY,
}


async def leg_status(work: Work, rung_id: UUID, signed: Signed) -> None:
    """Handle a status of a duty phone's leg, in any order, any number of times."""
    referral, rung = await _lock(work, rung_id)
    _learn_sid(rung, signed.call_sid)
    status = read_leg_status(signed.fields.get("CallStatus"))
    if status is not None and is_over(status) and rung.purpose == Purpose.LADDER:
        # A code that was spoken on this leg is not needed any more.
        rung.payload_sealed = None
    if status is None or rung.result is not None:
        return
    if not is_over(status):
        if not is_needed(referral, rung):
            work.defer("telephony:end_duty_leg", rung_id=str(rung_id))
        return
    needed = is_needed(referral, rung)
    await note_result(work, referral, rung, _RESULT_OF[status] if needed else RungResult.STOPPED)


_MESSAGE_RESULTS = {
    "delivered": RungResult.DELIVERED,
    "read": RungResult.DELIVERED,
    "undelivered": RungResult.FAILED,
    "failed": RungResult.FAILED,
    "canceled": RungResult.FAILED,
}


async def message_status(work: Work, rung_id: UUID, signed: Signed) -> None:
    """Handle the delivery status of an SMS."""
    referral, rung = await _lock(work, rung_id)
    _learn_sid(rung, signed.fields.get("MessageSid", "")[:64])
    result = _MESSAGE_RESULTS.get(signed.fields.get("MessageStatus", ""))
    if result is not None and rung.result is None:
        await note_result(work, referral, rung, result)
