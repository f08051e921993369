"""Events that an agency's program sends us: checked, each once, in order."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from sqlalchemy import func, select

from app import strict_json
from app.errors import Conflict, Invalid, Message, NotFound
from app.referrals.channels.models import ReceivedEvent
from app.referrals.channels.webhook.delivery import sign_for
from app.referrals.channels.webhook.signing import BadEvent, check
from app.referrals.directory.agencies import agency_of_code
from app.referrals.directory.models import Agency
from app.referrals.models import Recipient, Referral
from app.referrals.replies import replying
from app.referrals.scopes import lock_referral
from app.referrals.states import AgencyEvent, ReferralOutcome, RejectionReason
from app.referrals.trail import By, Via
from app.work import Work


class EventData(BaseModel):
    referral: str = Field(max_length=40)
    sequence: int = Field(ge=1, lt=2**31)
    by: str = Field(default="", max_length=200)
    words: str = Field(default="", max_length=4000)
    reason: RejectionReason | None = None
    outcome: ReferralOutcome | None = None
    seen_at: datetime | None = None


class Event(BaseModel):
    type: str = Field(max_length=60)
    data: EventData


class OutOfOrder(Conflict):
    default = "An earlier event has not arrived yet. Send that one first, then send this one again."


async def sender_of(
    work: Work, code: str, event_id: str, timestamp: str, signature: str, body: bytes
) -> Agency:
    """Return the agency whose system signed an event. Raises BadEvent, StaleEvent."""
    if not 1 <= len(event_id) <= 100 or not event_id.isprintable():
        raise BadEvent()
    agency = await _sender(work, code)
    check(sign_for(work, agency), event_id, timestamp, signature, body, work.now)
    return agency


async def receive(work: Work, agency: Agency, event_id: str, body: bytes) -> dict[str, Any]:
    """Apply an event that an agency's system signed: once, in order. Return what it did.

    Raises Invalid, NotFound, OutOfOrder, Over, TakenByAnother.
    """
    known = await work.session.get(ReceivedEvent, (agency.id, event_id))
    if known is not None:
        return known.response
    try:
        event = Event.model_validate_json(body)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise Invalid(
            "The event cannot be read at %(where)s.", where=where or Message("its beginning")
        ) from None
    try:
        # Whatever content type it says.
        strict_json.read(body)
    except (ValueError, RecursionError):
        raise Invalid("The body cannot be read. Send valid JSON.") from None
    return await _apply(work, agency, event_id, event)


async def _sender(work: Work, code: str) -> Agency:
    try:
        agency = await agency_of_code(work, code)
    except NotFound:
        raise BadEvent() from None
    if agency.webhook_secret_sealed is None:
        raise BadEvent()
    return agency


async def _apply(work: Work, agency: Agency, event_id: str, event: Event) -> dict[str, Any]:
    data = event.data
    found = await work.session.scalar(
        select(Referral.id)
        .join(Recipient, Recipient.referral_id == Referral.id)
        .where(Referral.code == data.referral, Recipient.agency_id == agency.id)
        .limit(1)
    )
    if found is None:
        raise NotFound("There is no such referral for this agency.")
    referral = await lock_referral(work, found)
    known = await work.session.get(ReceivedEvent, (agency.id, event_id))
    if known is not None:
        return known.response
    last: int | None = await work.session.scalar(
        select(func.max(ReceivedEvent.sequence)).where(
            ReceivedEvent.agency_id == agency.id, ReceivedEvent.referral_id == referral.id
        )
    )
    if data.sequence != (last or 0) + 1:
        raise OutOfOrder(
            "Event %(number)s of this referral is expected next.", number=(last or 0) + 1
        )
    recipient = await work.session.scalar(
        select(Recipient)
        .where(Recipient.referral_id == referral.id, Recipient.agency_id == agency.id)
        .order_by(Recipient.number.desc())
        .limit(1)
    )
    assert recipient is not None
    await _do(work, referral, recipient, event, By(Via.SYSTEM, agency.code, data.by))
    done = {"referral": referral.code, "state": referral.state, "sequence": data.sequence}
    work.session.add(
        ReceivedEvent(
            agency_id=agency.id,
            event_id=event_id,
            referral_id=referral.id,
            at=work.now,
            sequence=data.sequence,
            kind=event.type,
            response=done,
        )
    )
    return done


async def _do(work: Work, referral: Referral, recipient: Recipient, event: Event, by: By) -> None:
    data = event.data
    if not data.by.strip() and event.type != AgencyEvent.REJECTED:
        raise Invalid("Name the person in `by`: an automatic reply does not count.")
    match event.type:
        case AgencyEvent.ACKNOWLEDGED:
            await replying.acknowledge(work, referral, recipient, by, words=data.words)
        case AgencyEvent.ACCEPTED:
            await replying.accept(work, referral, recipient, by)
        case AgencyEvent.REJECTED:
            if data.reason is None:
                raise Invalid(
                    "A rejection needs a reason, one of: %(reasons)s.",
                    reasons=list(RejectionReason),
                )
            await replying.reject(work, referral, recipient, data.reason, by, words=data.words)
        case AgencyEvent.PROGRESS:
            if data.seen_at is not None and data.seen_at.tzinfo is None:
                raise Invalid("Give seen_at with its time zone.")
            await replying.progress(
                work, referral, recipient, by, seen_at=data.seen_at, words=data.words
            )
        case AgencyEvent.COMPLETED:
            await replying.complete(work, referral, recipient, data.outcome, by, words=data.words)
        case AgencyEvent.QUESTION:
            await replying.ask(work, referral, recipient, data.words, by)
        case _:
            raise Invalid(
                "The types are referral.acknowledged, accepted, rejected, progress, completed, "
                "question."
            )
