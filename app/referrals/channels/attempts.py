"""Attempts to reach a person of an agency: each is a row first, and a job sends it."""

import json
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select

from app.calls.hours import is_open
from app.database.topics import Topic
from app.outbox.channels import ChannelKind
from app.outbox.states import Sending
from app.referrals.channels.models import Attempt
from app.referrals.channels.registry import message_channel
from app.referrals.directory.models import Agency, DutyPhone
from app.referrals.models import Referral
from app.referrals.spoken import language_for
from app.referrals.states import AttemptResult, Purpose
from app.work import Work


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
    kind: ChannelKind,
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
        sending=Sending.WANTED.value,
        wanted_at=work.now,
        asks=0,
        sends=0,
    )
    work.session.add(attempt)
    await work.session.flush()
    work.defer(message_channel(kind).task, attempt_id=str(attempt.id))
    work.announce(Topic.REFERRALS)
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


async def tried_in_this_round(work: Work, referral: Referral, agency: Agency) -> set[str]:
    """Return the phones of an agency that were tried in this round of the escalation."""
    await work.session.flush()
    return set(
        await work.session.scalars(
            select(Attempt.target).where(
                Attempt.referral_id == referral.id,
                Attempt.agency_id == agency.id,
                Attempt.round == referral.escalation_round,
                Attempt.kind == ChannelKind.PHONE,
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
    """Return the first duty phone that is on duty now, and not that of a person who has left."""
    found = [one for one in await phones_on_duty(work, agency) if one not in agency.of_leavers]
    return found[0] if found else None


async def has_phone_at_all_hours(work: Work, agency: Agency, *, besides: str) -> bool:
    """Return whether a code can be read out at any hour at a phone besides an address.

    It is read out at the first phone on duty, so none may be that address.
    """
    rows = await work.session.scalars(
        select(DutyPhone).where(DutyPhone.agency_id == agency.id, DutyPhone.gone_at.is_(None))
    )
    left = [row for row in rows if row.number not in agency.of_leavers]
    return all(row.number != besides for row in left) and any(
        not (row.hours or agency.hours).strip() for row in left
    )


async def phones_of(work: Work, agency: Agency) -> set[str]:
    """Return the duty phones of an agency at any hour, without those of people who have left."""
    found = await work.session.scalars(
        select(DutyPhone.number).where(
            DutyPhone.agency_id == agency.id, DutyPhone.gone_at.is_(None)
        )
    )
    return set(found) - set(agency.of_leavers)


async def end_attempts(work: Work, referral: Referral, *, but_on_call: bool = False) -> None:
    """End all open attempts of this referral's escalation, or all but those to our own people."""
    await work.session.flush()
    of_agencies = [Attempt.recipient_id.is_not(None)] if but_on_call else []
    rows = await work.session.scalars(
        select(Attempt).where(
            Attempt.referral_id == referral.id,
            Attempt.ended_at.is_(None),
            Attempt.purpose == Purpose.ESCALATION,
            *of_agencies,
        )
    )
    for attempt in rows.all():
        if attempt.sending in (Sending.SENDING, Sending.SENT):
            message_channel(attempt.kind).stop(work, attempt)
        if attempt.sending == Sending.WANTED:
            attempt.sending, attempt.payload_sealed = Sending.FAILED.value, None
            attempt.result, attempt.ended_at = AttemptResult.STOPPED.value, work.now
