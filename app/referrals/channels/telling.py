"""Messages to the people of an agency: each is a row first, and a job sends it."""

import json
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select, update

from app.calls.hours import is_open
from app.errors import TooMany
from app.referrals.models import (
    Agency,
    Attempt,
    Delivery,
    Dispatch,
    DutyPhone,
    Link,
    Recipient,
    Referral,
)
from app.referrals.spoken import language_for
from app.referrals.states import (
    LIVE_RECIPIENT,
    AttemptKind,
    AttemptResult,
    DispatchState,
    NoticeKind,
    Purpose,
    RecipientState,
)
from app.referrals.trail import PROGRAM_ITSELF, note, tell_house
from app.work import Work

CODE_DIGITS = 6
# How many codes, and how many new links, an agency may ask for per day and referral.
_A_DAY = 10
_APART = timedelta(seconds=60)


async def _next_number(work: Work, referral: Referral) -> int:
    await work.session.flush()
    found: int | None = await work.session.scalar(
        select(func.max(Attempt.number)).where(Attempt.referral_id == referral.id)
    )
    return (found or 0) + 1


async def add_attempt(
    work: Work,
    referral: Referral,
    agency: Agency,
    kind: AttemptKind,
    target: str,
    *,
    purpose: Purpose = Purpose.ESCALATION,
    recipient_id: UUID | None = None,
    seconds: int = 30,
    payload: dict[str, Any] | None = None,
) -> Attempt:
    """Add one attempt to reach a person; a job sends it after the commit."""
    attempt_id = uuid4()
    sealed = _sealed(work, attempt_id, payload) if payload is not None else None
    attempt = Attempt(
        id=attempt_id,
        referral_id=referral.id,
        recipient_id=recipient_id,
        agency_id=agency.id,
        number=await _next_number(work, referral),
        turn=referral.turn,
        round=referral.escalation_round,
        purpose=purpose.value,
        kind=kind.value,
        payload_sealed=sealed,
        target=target,
        language=language_for(agency.languages),
        seconds=seconds,
        sending="wanted",
        wanted_at=work.now,
        asks=0,
        tries=0,
    )
    work.session.add(attempt)
    await work.session.flush()
    task = {
        AttemptKind.PHONE: "telephony:ring_duty_phone",
        AttemptKind.SMS: "telephony:send_message",
        AttemptKind.EMAIL: "referrals:send_mail",
    }[kind]
    work.defer(task, attempt_id=str(attempt.id))
    work.announce("referrals")
    return attempt


def _sealed(work: Work, attempt_id: UUID, payload: dict[str, Any]) -> bytes:
    return work.keys.seal(
        json.dumps(payload).encode(), table="attempts", column="payload_sealed", row=attempt_id
    )


def keep_payload(work: Work, attempt: Attempt, payload: dict[str, Any]) -> None:
    """Keep, sealed, what only the message may hold; its document can be requested again."""
    attempt.payload_sealed = _sealed(work, attempt.id, payload)


def payload_of(work: Work, attempt: Attempt) -> dict[str, Any]:
    """Return what only the message may hold."""
    if attempt.payload_sealed is None:
        return {}
    body = work.keys.open(
        attempt.payload_sealed, table="attempts", column="payload_sealed", row=attempt.id
    )
    found: dict[str, Any] = json.loads(body)
    return found


# -- links and codes ---------------------------------------------------------------------------


def new_token() -> str:
    """Return 160 random bits, encoded for a URL."""
    return secrets.token_urlsafe(20)


def new_code() -> str:
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"


def code_key(work: Work, link_id: UUID, code: str) -> bytes:
    return work.keys.match_key("link code", f"{link_id}:{code}")


def add_link(
    work: Work,
    referral: Referral,
    agency_id: UUID,
    recipient_id: UUID | None,
    channel: str,
    *,
    lives: timedelta,
    code: str | None = None,
    code_channel: str | None = None,
) -> tuple[Link, str]:
    """Add a link for one step; return it with its token, which is kept nowhere."""
    token, link_id = new_token(), uuid4()
    link = Link(
        token_key=work.keys.match_key("link", token),
        id=link_id,
        code_of=link_id,
        referral_id=referral.id,
        recipient_id=recipient_id,
        agency_id=agency_id,
        channel=channel,
        created_at=work.now,
        expires_at=work.now + lives,
        code_key=code_key(work, link_id, code) if code else None,
        code_channel=code_channel,
        code_tries=0,
    )
    work.session.add(link)
    return link, token


async def send_links(
    work: Work,
    referral: Referral,
    agency: Agency,
    recipient_id: UUID | None,
    *,
    lives: timedelta,
    purpose: Purpose = Purpose.ESCALATION,
) -> int:
    """Send an SMS and an e-mail, each with its own link and the code for the other's link.

    Return how many are sent.
    """
    ways = {}
    if agency.email:
        ways[AttemptKind.EMAIL] = agency.email
    if agency.sms:
        ways[AttemptKind.SMS] = agency.sms
    codes = {kind: new_code() for kind in ways} if len(ways) == 2 else {}
    other = {AttemptKind.SMS: AttemptKind.EMAIL, AttemptKind.EMAIL: AttemptKind.SMS}
    for kind, target in ways.items():
        code = codes.get(kind)
        _, token = add_link(
            work,
            referral,
            agency.id,
            recipient_id,
            kind.value,
            lives=lives,
            code=code,
            code_channel=other[kind].value if code else None,
        )
        payload = {"token": token, "code": codes.get(other[kind])}
        await add_attempt(
            work,
            referral,
            agency,
            kind,
            target,
            purpose=purpose,
            recipient_id=recipient_id,
            payload=payload,
        )
    return len(ways)


async def send_links_with_code(
    work: Work, referral: Referral, agency: Agency, recipient_id: UUID, *, lives: timedelta
) -> str:
    """Send a link by the agency's only written channel; return its code, to be read out."""
    kind, target = (
        (AttemptKind.EMAIL, agency.email) if agency.email else (AttemptKind.SMS, agency.sms)
    )
    code = new_code()
    _, token = add_link(
        work,
        referral,
        agency.id,
        recipient_id,
        kind.value,
        lives=lives,
        code=code,
        code_channel=AttemptKind.PHONE.value,
    )
    await add_attempt(
        work,
        referral,
        agency,
        kind,
        target or "",
        purpose=Purpose.LINK,
        recipient_id=recipient_id,
        payload={"token": token, "code": None},
    )
    return code


async def _sent_lately(work: Work, referral: Referral, agency_id: UUID, purpose: Purpose) -> int:
    """Return how many messages of a purpose went to an agency for this referral within a day."""
    return (
        await work.session.scalar(
            select(func.count(func.distinct(Attempt.wanted_at))).where(
                Attempt.referral_id == referral.id,
                Attempt.agency_id == agency_id,
                Attempt.purpose == purpose,
                Attempt.wanted_at > work.now - timedelta(days=1),
            )
        )
        or 0
    )


async def check_not_too_many(
    work: Work, referral: Referral, agency_id: UUID, purpose: Purpose
) -> None:
    """Limit how many messages the holder of a link can cause, and how many codes they can guess.

    Raises TooMany.
    """
    await work.session.flush()
    last = await work.session.scalar(
        select(func.max(Attempt.wanted_at)).where(
            Attempt.referral_id == referral.id,
            Attempt.agency_id == agency_id,
            Attempt.purpose == purpose,
        )
    )
    if last is not None and work.now - last < _APART:
        raise TooMany("A message is on its way already. Wait a minute before you ask again.")
    if await _sent_lately(work, referral, agency_id, purpose) >= _A_DAY:
        raise TooMany("You have asked too often today. Ring the helpline instead.")


async def send_code(work: Work, referral: Referral, agency: Agency, link: Link) -> str | None:
    """Send a code for a link by another channel; return which, or None if there is no other.

    Raises TooMany.
    """
    await check_not_too_many(work, referral, agency.id, Purpose.CODE)
    phone = await phone_on_duty(work, agency)
    came_to = agency.sms if link.channel == AttemptKind.SMS else agency.email
    ways = [
        (AttemptKind.SMS, agency.sms),
        (AttemptKind.EMAIL, agency.email),
        (AttemptKind.PHONE, phone),
    ]
    # SMS and calls to the same number are one channel.
    way = next(((kind, target) for kind, target in ways if target and target != came_to), None)
    if way is None:
        return None
    code = new_code()
    link.code_key, link.code_channel = code_key(work, link.code_of, code), way[0].value
    link.code_tries = 0
    await add_attempt(
        work,
        referral,
        agency,
        way[0],
        way[1] or "",
        purpose=Purpose.CODE,
        recipient_id=link.recipient_id,
        payload={"code": code},
    )
    return way[0].value


async def tried_in_this_round(work: Work, referral: Referral, agency: Agency) -> set[str]:
    """Return the phones of an agency that were tried in this round of the escalation."""
    await work.session.flush()
    return set(
        await work.session.scalars(
            select(Attempt.target).where(
                Attempt.referral_id == referral.id,
                Attempt.agency_id == agency.id,
                Attempt.round == referral.escalation_round,
                Attempt.kind == AttemptKind.PHONE,
                Attempt.purpose == Purpose.ESCALATION,
            )
        )
    )


async def phones_on_duty(work: Work, agency: Agency) -> list[str]:
    """Return the duty phones of an agency that are on duty now, in order; doubted ones last."""
    await work.session.flush()
    rows = await work.session.scalars(
        select(DutyPhone)
        .where(DutyPhone.agency_id == agency.id, DutyPhone.gone_at.is_(None))
        .order_by(DutyPhone.doubted_at.is_not(None), DutyPhone.position)
    )
    return [
        row.number
        for row in rows
        if is_open(row.hours or agency.hours, agency.timezone, agency.country, work.now)
    ]


async def phone_on_duty(work: Work, agency: Agency) -> str | None:
    found = await phones_on_duty(work, agency)
    return found[0] if found else None


# -- telling the agencies that were told before --------------------------------------------------


async def end_attempts(work: Work, referral: Referral, *, besides: UUID | None = None) -> None:
    """End all open attempts of this referral's escalation, except `besides`."""
    await work.session.flush()
    rows = await work.session.scalars(
        select(Attempt).where(
            Attempt.referral_id == referral.id,
            Attempt.ended_at.is_(None),
            Attempt.purpose == Purpose.ESCALATION,
        )
    )
    for attempt in rows.all():
        if attempt.id == besides:
            continue
        if attempt.kind == AttemptKind.PHONE and attempt.sending in ("sending", "sent"):
            work.defer("telephony:end_duty_leg", attempt_id=str(attempt.id))
        if attempt.sending == "wanted":
            attempt.sending, attempt.payload_sealed = "failed", None
            attempt.result, attempt.ended_at = AttemptResult.STOPPED.value, work.now


async def recipients_of(work: Work, referral_id: UUID) -> list[Recipient]:
    """Return the recipients of a referral, in order."""
    await work.session.flush()
    rows = await work.session.scalars(
        select(Recipient).where(Recipient.referral_id == referral_id).order_by(Recipient.number)
    )
    return list(rows)


async def tell_recipients(work: Work, referral: Referral, what: str) -> None:
    """Tell every agency that heard of a referral that it was recalled, or consent withdrawn."""
    await end_attempts(work, referral)
    purpose = Purpose.WITHDRAWN if what == "withdrawn" else Purpose.RECALLED
    told: set[UUID] = set()
    for recipient in await recipients_of(work, referral.id):
        if RecipientState(recipient.state) in LIVE_RECIPIENT:
            recipient.state, recipient.ended_at = RecipientState.WITHDRAWN.value, work.now
        await tell_agency(work, referral, recipient, purpose, again=recipient.agency_id in told)
        told.add(recipient.agency_id)
    # Links must not show the details any more.
    await work.session.execute(
        update(Link)
        .where(Link.referral_id == referral.id)
        .values(proven_until=None, proof_key=None)
        .execution_options(synchronize_session="fetch")
    )


async def call_off_teams(work: Work, referral: Referral) -> None:
    """Call off the teams of a referral that is over."""
    await work.session.flush()
    rows = await work.session.scalars(
        select(Dispatch).where(Dispatch.referral_id == referral.id, Dispatch.ended_at.is_(None))
    )
    for team in rows.all():
        team.state, team.ended_at = DispatchState.CALLED_OFF.value, work.now
        note(work, referral, "team called off", PROGRAM_ITSELF, team=team.team)


async def tell_agency(
    work: Work, referral: Referral, recipient: Recipient, purpose: Purpose, *, again: bool = False
) -> None:
    """Tell an agency, by each of its channels, that it is no longer asked.

    With `again` its people were told before, and only its own system is left to tell.
    """
    agency = await work.session.get(Agency, recipient.agency_id)
    assert agency is not None
    if agency.primero:
        work.defer("referrals:end_counterpart", recipient_id=str(recipient.id))
    if again:
        return
    ways = [(AttemptKind.EMAIL, agency.email), (AttemptKind.SMS, agency.sms)]
    for kind, target in ways:
        if target:
            await add_attempt(
                work, referral, agency, kind, target, purpose=purpose, recipient_id=recipient.id
            )
    heard = bool(agency.primero)
    if agency.webhook_url:
        heard = heard or not await _push_what_waits(work, referral, agency)
    await announce_event(work, referral, agency, f"referral.{purpose.value}", {})
    if not (agency.email or agency.sms or heard):
        tell_house(
            work,
            referral,
            NoticeKind.RING_THEM,
            for_whom="owner",
            agency=agency.code,
            purpose=purpose.value,
        )


async def _push_what_waits(work: Work, referral: Referral, agency: Agency) -> bool:
    """Return whether an agency's own system is failing to take events of this referral.

    An event that waits for another attempt is sent at once, so that later ones can follow.
    """
    first = await work.session.scalar(
        select(Delivery)
        .where(
            Delivery.agency_id == agency.id,
            Delivery.referral_id == referral.id,
            Delivery.state != "delivered",
        )
        .order_by(Delivery.sequence)
        .limit(1)
    )
    if first is None or first.tries == 0:
        return False
    if first.state == "waiting":
        work.defer("referrals:deliver", delivery_id=str(first.id))
    return True


async def announce_event(
    work: Work, referral: Referral, agency: Agency, kind: str, detail: dict[str, Any]
) -> None:
    """Queue an event for an agency's own system, after the earlier events of the referral."""
    if not agency.webhook_url or agency.webhook_secret_sealed is None:
        return
    await work.session.flush()
    last: int | None = await work.session.scalar(
        select(func.max(Delivery.sequence)).where(
            Delivery.agency_id == agency.id, Delivery.referral_id == referral.id
        )
    )
    delivery = Delivery(
        id=uuid4(),
        agency_id=agency.id,
        referral_id=referral.id,
        sequence=(last or 0) + 1,
        kind=kind,
        detail=detail,
        state="waiting",
        created_at=work.now,
        tries=0,
        last_answer="",
    )
    work.session.add(delivery)
    await work.session.flush()
    work.defer("referrals:deliver", delivery_id=str(delivery.id))
