"""Events between us and an agency's own system: signed, in order, until they arrive."""

import asyncio
import contextlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy import func, select

from app.errors import Conflict, Invalid, NotFound
from app.referrals.channels.webhook.signing import BadEvent, check, headers_for, key_of
from app.referrals.consent.rules import NotConsented
from app.referrals.deadlines import tracking
from app.referrals.directory.agencies import agency_of_code
from app.referrals.disclosures import disclose
from app.referrals.models import (
    Agency,
    Delivery,
    Disclosure,
    ReceivedEvent,
    Recipient,
    Referral,
)
from app.referrals.replies import answering, details
from app.referrals.scopes import lock_referral, reads_referral
from app.referrals.states import NoticeKind, ReferralOutcome, RejectionReason
from app.referrals.trail import By, note, tell_house
from app.staff.models import Staff
from app.work import Work

# Seconds to wait after the n-th attempt. After six days in all the event is dead.
_WAITS = (5, 30, 120, 600, 1800, 3600, *(3600 * 6,) * 23)
_TIMEOUT = 10.0
# Events that hold the child's details, if consent holds when they are sent.
_WITH_DETAILS = ("referral.offered", "referral.updated")


def wait_after(tries: int) -> timedelta | None:
    """Return how long to wait after a failed attempt; None if it was the last."""
    return timedelta(seconds=_WAITS[tries - 1]) if tries <= len(_WAITS) else None


# -- out ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parcel:
    """An event ready to be sent."""

    delivery_id: UUID
    url: str
    key: bytes
    body: bytes


async def pack(work: Work, delivery_id: UUID) -> Parcel | None:
    """Return the event to send now; None if it is done, or earlier events come first."""
    row = await work.session.get(Delivery, delivery_id)
    if row is None:
        return None
    referral = await lock_referral(work, row.referral_id)
    await work.session.refresh(row)
    if row.state != "waiting" or await _first_waiting(work, row) != row.id:
        return None
    agency = await work.session.get(Agency, row.agency_id)
    assert agency is not None
    if not agency.webhook_url or agency.webhook_secret_sealed is None:
        await _bury(work, row, referral, agency, "no address any more")
        return None
    secret = work.keys.open(
        agency.webhook_secret_sealed,
        table="agencies",
        column="webhook_secret_sealed",
        row=agency.id,
    )
    row.tries += 1
    row.last_try_at = work.now
    body = await _body(work, row, referral, agency)
    return Parcel(
        row.id,
        agency.webhook_url,
        key_of(secret.decode()),
        json.dumps(body, ensure_ascii=False).encode(),
    )


async def _first_waiting(work: Work, row: Delivery) -> UUID | None:
    found: UUID | None = await work.session.scalar(
        select(Delivery.id)
        .where(
            Delivery.agency_id == row.agency_id,
            Delivery.referral_id == row.referral_id,
            # A dead event holds up the later ones, so that the order is kept.
            Delivery.state != "delivered",
        )
        .order_by(Delivery.sequence)
        .limit(1)
    )
    return found


async def _body(work: Work, row: Delivery, referral: Referral, agency: Agency) -> dict[str, Any]:
    """Return the body of the event. It holds the child's details only if consent holds now."""
    due = (await tracking.deadlines_of(work, [referral.id])).get(referral.id, [])
    data: dict[str, Any] = {
        "referral": referral.code,
        "sequence": row.sequence,
        "state": referral.state,
        "urgency": referral.urgency,
        "service": referral.service,
        "due": {c.kind: c.due_at.isoformat() for c in due if c.stopped_at is None},
        **row.detail,
    }
    if row.kind in _WITH_DETAILS:
        recipient = await work.session.scalar(
            select(Recipient)
            .where(Recipient.referral_id == referral.id, Recipient.agency_id == agency.id)
            .order_by(Recipient.number.desc())
            .limit(1)
        )
        # The event may have waited for days: disclose what this agency may be told now.
        data["fields"] = None
        if recipient is not None and answering.too_late(referral, recipient) is None:
            with contextlib.suppress(NotConsented):
                data["fields"] = await disclose(work, referral, agency, recipient, "machine")
    return {"type": row.kind, "timestamp": row.created_at.isoformat(), "data": data}


async def post(client: httpx2.AsyncClient, parcel: Parcel, now: datetime) -> str | None:
    """Send an event. Return None if it was taken, else why not, without the response's text."""
    headers = headers_for(parcel.key, str(parcel.delivery_id), now, parcel.body)
    try:
        # The time limit covers a response that comes slowly; only its status is read.
        async with (
            asyncio.timeout(_TIMEOUT),
            client.stream("POST", parcel.url, content=parcel.body, headers=headers) as answer,
        ):
            status = answer.status_code
    except (httpx2.HTTPError, TimeoutError) as error:
        return type(error).__name__
    # Only a 2xx is a delivery: a redirect to a sign-in page is not.
    return None if 200 <= status < 300 else f"status {status}"


async def note_delivery(work: Work, delivery_id: UUID, problem: str | None) -> None:
    """Record the result of an attempt; once delivered, send the referral's next event."""
    row = await work.session.get(Delivery, delivery_id)
    assert row is not None
    referral = await lock_referral(work, row.referral_id)
    await work.session.refresh(row)
    agency = await work.session.get(Agency, row.agency_id)
    assert agency is not None
    if row.state != "waiting":
        return
    row.last_answer = problem or ""
    if problem is None:
        row.state, row.ended_at = "delivered", work.now
        await _details_delivered(work, row, referral)
        note(
            work,
            referral,
            "event delivered",
            By("machine", agency.code),
            event=row.kind,
            sequence=row.sequence,
        )
    else:
        wait = wait_after(row.tries)
        if wait is not None:
            work.defer("referrals:deliver", delay=wait, delivery_id=str(row.id))
            return
        await _bury(work, row, referral, agency, problem)
        return
    await work.session.flush()
    following = await _first_waiting(work, row)
    if following is not None:
        work.defer("referrals:deliver", delivery_id=str(following))
    work.announce("deliveries")


async def _details_delivered(work: Work, row: Delivery, referral: Referral) -> None:
    """Record that the agency's own system has the details, if the event held them."""
    if row.kind not in _WITH_DETAILS:
        return
    recipient = await work.session.scalar(
        select(Recipient)
        .join(Disclosure, Disclosure.recipient_id == Recipient.id)
        .where(
            Recipient.referral_id == referral.id,
            Recipient.agency_id == row.agency_id,
            Disclosure.how == "machine",
        )
        .order_by(Recipient.number.desc())
        .limit(1)
    )
    if recipient is not None and answering.too_late(referral, recipient) is None:
        await details.note_opened(work, referral, recipient, "their system")


async def _bury(
    work: Work, row: Delivery, referral: Referral, agency: Agency, problem: str
) -> None:
    """Mark an event as dead: a person has to look at it and send it again."""
    row.state, row.ended_at, row.last_answer = "dead", work.now, problem
    note(
        work,
        referral,
        "event undeliverable",
        By("machine", agency.code),
        event=row.kind,
        sequence=row.sequence,
        problem=problem,
    )
    tell_house(work, referral, NoticeKind.UNDELIVERED, agency=agency.code, event=row.kind)
    work.announce("deliveries")


async def dead_letters(work: Work, staff: Staff) -> list[tuple[Delivery, Referral, Agency]]:
    """Return the dead events of the referrals that a person may see, the newest first."""
    rows = await work.session.execute(
        select(Delivery, Referral, Agency)
        .join(Referral, Referral.id == Delivery.referral_id)
        .join(Agency, Agency.id == Delivery.agency_id)
        .where(Delivery.state == "dead", reads_referral(staff))
        .order_by(Delivery.ended_at.desc())
        .limit(100)
    )
    return [(d, r, a) for d, r, a in rows]


async def send_again(work: Work, staff: Staff, delivery_id: UUID) -> None:
    """Try a dead event again from the beginning. Raises NotFound, Conflict."""
    row = await work.session.scalar(
        select(Delivery)
        .join(Referral, Referral.id == Delivery.referral_id)
        .where(Delivery.id == delivery_id, reads_referral(staff))
        .with_for_update(of=Delivery)
    )
    if row is None:
        raise NotFound("Not found, or you do not have access.")
    if row.state != "dead":
        raise Conflict("This event is on its way or has arrived. It needs no other attempt.")
    row.state, row.tries, row.ended_at = "waiting", 0, None
    work.defer("referrals:deliver", delivery_id=str(row.id))
    work.announce("deliveries")


# -- in ----------------------------------------------------------------------------------------


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


async def receive(
    work: Work, code: str, event_id: str, timestamp: str, signature: str, body: bytes
) -> dict[str, Any]:
    """Apply an event of an agency's system: checked, once, in order. Return what it did.

    Raises BadEvent, StaleEvent, Invalid, NotFound, OutOfOrder, Over, TakenByAnother.
    """
    if not 1 <= len(event_id) <= 100 or not event_id.isprintable():
        raise BadEvent()
    agency = await _sender(work, code)
    assert agency.webhook_secret_sealed is not None
    secret = work.keys.open(
        agency.webhook_secret_sealed,
        table="agencies",
        column="webhook_secret_sealed",
        row=agency.id,
    )
    check(key_of(secret.decode()), event_id, timestamp, signature, body, work.now)
    known = await work.session.get(ReceivedEvent, (agency.id, event_id))
    if known is not None:
        return known.answer
    try:
        event = Event.model_validate_json(body)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise Invalid(f"The event cannot be read at {where or 'its beginning'}.") from None
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
        return known.answer
    last: int | None = await work.session.scalar(
        select(func.max(ReceivedEvent.sequence)).where(
            ReceivedEvent.agency_id == agency.id, ReceivedEvent.referral_id == referral.id
        )
    )
    if data.sequence != (last or 0) + 1:
        raise OutOfOrder(f"Event {(last or 0) + 1} of this referral is expected next.")
    recipient = await work.session.scalar(
        select(Recipient)
        .where(Recipient.referral_id == referral.id, Recipient.agency_id == agency.id)
        .order_by(Recipient.number.desc())
        .limit(1)
    )
    assert recipient is not None
    await _do(work, referral, recipient, event, By("machine", agency.code, data.by))
    answer = {"referral": referral.code, "state": referral.state, "sequence": data.sequence}
    work.session.add(
        ReceivedEvent(
            agency_id=agency.id,
            event_id=event_id,
            referral_id=referral.id,
            at=work.now,
            sequence=data.sequence,
            kind=event.type,
            answer=answer,
        )
    )
    return answer


async def _do(work: Work, referral: Referral, recipient: Recipient, event: Event, by: By) -> None:
    data = event.data
    if not data.by.strip() and event.type != "referral.rejected":
        raise Invalid("Name the person in `by`: an automatic reply does not count.")
    match event.type.removeprefix("referral."):
        case "acknowledged":
            await answering.acknowledge(work, referral, recipient, by, words=data.words)
        case "accepted":
            await answering.accept(work, referral, recipient, by)
        case "rejected":
            if data.reason is None:
                raise Invalid(f"A rejection needs a reason, one of: {', '.join(RejectionReason)}.")
            await answering.reject(work, referral, recipient, data.reason, by, words=data.words)
        case "progress":
            if data.seen_at is not None and data.seen_at.tzinfo is None:
                raise Invalid("Give seen_at with its time zone.")
            await answering.progress(
                work, referral, recipient, by, seen_at=data.seen_at, words=data.words
            )
        case "completed":
            await answering.complete(work, referral, recipient, data.outcome, by, words=data.words)
        case "question":
            await answering.ask(work, referral, recipient, data.words, by)
        case _:
            raise Invalid(
                "The types are referral.acknowledged, accepted, rejected, progress, completed, "
                "question."
            )
