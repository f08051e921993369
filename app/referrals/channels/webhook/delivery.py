"""Events to an agency's own program: signed, in order, until they arrive."""

import asyncio
import contextlib
import json
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import func, select, true

from app.database.topics import Topic
from app.errors import Conflict, NotFound
from app.jobs.names import Task
from app.outbox.once import Outgoing
from app.outbox.outside import client_for_outside
from app.outbox.responses import RequestFailed, TryAgain, Uncertain
from app.outbox.states import Sending
from app.referrals.channels.models import Delivery
from app.referrals.channels.webhook.signing import Sign, headers_for
from app.referrals.consent.rules import NotConsented
from app.referrals.deadlines import tracking
from app.referrals.directory.models import Agency
from app.referrals.disclosures import disclose
from app.referrals.log_kinds import LogKind
from app.referrals.models import Disclosure, Recipient, Referral
from app.referrals.replies import details, replying
from app.referrals.scopes import lock_referral, reads_referral
from app.referrals.services import asked_by
from app.referrals.states import AgencyEvent, DeliveryState, NoticeKind, ToldHow
from app.referrals.trail import By, Via, add_notice, note
from app.settings import Settings
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Ground, Work

# Seconds to wait after the n-th attempt. After six days in all the event is dead.
WAITS = (5, 30, 120, 600, 1800, 3600, *(3600 * 6,) * 23)
TIMEOUT = 10.0
# Events that hold the child's details, if consent holds when they are sent.
_WITH_DETAILS = (AgencyEvent.OFFERED, AgencyEvent.UPDATED)


def wait_after(attempts: int) -> timedelta | None:
    """Return how long to wait after a failed attempt; None if it was the last."""
    return timedelta(seconds=WAITS[attempts - 1]) if attempts <= len(WAITS) else None


class _Row:
    """A delivery as the row of what is sent once. Its receiver knows a repeat by its id.

    It keeps no *sending*: after a crash it is simply sent again.
    """

    asks, provider_sid = 0, None

    def __init__(self, delivery: Delivery, *, begun: bool) -> None:
        self.delivery, self.sent_at = delivery, delivery.last_attempt_at
        waiting = Sending.SENDING if begun else Sending.WANTED
        self._sending = _SENDING_OF.get(DeliveryState(delivery.state), waiting)

    @property
    def sending(self) -> str:
        return self._sending

    @sending.setter
    def sending(self, value: str) -> None:
        self._sending = Sending(value)


_SENDING_OF = {DeliveryState.DELIVERED: Sending.SENT, DeliveryState.DEAD: Sending.FAILED}


class EventOnce(Outgoing[_Row]):
    """An event for an agency's program: one at a time for each referral, until it arrives."""

    repeat_after = timedelta(0)
    referral: Referral
    agency: Agency

    def __init__(self, ground: Ground, delivery_id: str) -> None:
        super().__init__(Task.DELIVER, delivery_id=delivery_id)
        self._ground, self._id = ground, UUID(delivery_id)
        self._begun = False

    async def lock(self, work: Work) -> _Row | None:
        row = await work.session.get(Delivery, self._id)
        if row is None:
            return None
        self.referral = await lock_referral(work, row.referral_id)
        await work.session.refresh(row)
        agency = await work.session.get(Agency, row.agency_id)
        assert agency is not None
        self.agency = agency
        return _Row(row, begun=self._begun)

    async def prepare(self, work: Work, row: _Row) -> bool:
        delivery, agency = row.delivery, self.agency
        if await _first_waiting(work, delivery) != delivery.id:
            return False
        if not agency.webhook_url or agency.webhook_secret_sealed is None:
            await _bury(work, delivery, self.referral, agency, "no address any more")
            return False
        self._url = agency.webhook_url
        delivery.attempts += 1
        delivery.last_attempt_at = work.now
        body = await _body(work, delivery, self.referral, agency)
        self._body = json.dumps(body, ensure_ascii=False).encode()
        now = self._ground.clock.now()
        self._headers = headers_for(sign_for(work, agency), str(self._id), now, self._body)
        self._begun = True
        return True

    async def send(self) -> None:
        await post(self._ground.settings, self._url, self._headers, self._body)

    async def accepted(self, work: Work, row: _Row) -> None:
        """Record that an event has arrived, and send the referral's next one."""
        delivery = row.delivery
        if delivery.state == DeliveryState.DELIVERED:
            return
        delivery.state, delivery.ended_at = DeliveryState.DELIVERED.value, work.now
        delivery.last_response = ""
        await _details_delivered(work, delivery, self.referral)
        note(
            work,
            self.referral,
            LogKind.EVENT_DELIVERED,
            By(Via.SYSTEM, self.agency.code),
            event=delivery.kind,
            sequence=delivery.sequence,
        )
        await work.session.flush()
        following = await _first_waiting(work, delivery)
        if following is not None:
            work.defer(Task.DELIVER, delivery_id=str(following))
        work.announce(Topic.DELIVERIES)

    async def put_off(self, work: Work, row: _Row, error: RequestFailed) -> bool:
        """Plan the next attempt, or give the event up after the last one."""
        row.delivery.last_response = error.what
        wait = wait_after(row.delivery.attempts)
        if wait is not None:
            self.later(work, wait)
        else:
            await _bury(work, row.delivery, self.referral, self.agency, error.what)
        return True


def sign_for(work: Work, agency: Agency) -> Sign:
    """Return what signs the events between us and an agency that has a secret."""
    assert agency.webhook_secret_sealed is not None
    return partial(
        work.keys.sign_event,
        agency.webhook_secret_sealed,
        table="agencies",
        column="webhook_secret_sealed",
        row=agency.id,
    )


async def post(settings: Settings, url: str, headers: dict[str, str], body: bytes) -> None:
    """Send an event. Raises TryAgain and Uncertain, without the response's text.

    Only a 2xx is a delivery: a redirect to a sign-in page is not.
    """
    try:
        # The time limit covers a response that comes slowly; only its status is read.
        async with (
            asyncio.timeout(TIMEOUT),
            client_for_outside(settings) as client,
            client.stream("POST", url, content=body, headers=headers) as response,
        ):
            status = response.status_code
    except httpx2.ConnectError as error:
        raise TryAgain(type(error).__name__) from None
    except (httpx2.HTTPError, TimeoutError) as error:
        raise Uncertain(type(error).__name__) from None
    if not 200 <= status < 300:
        raise Uncertain(f"status {status}", status=status)


async def _first_waiting(work: Work, row: Delivery) -> UUID | None:
    found: UUID | None = await work.session.scalar(
        select(Delivery.id)
        .where(
            Delivery.agency_id == row.agency_id,
            Delivery.referral_id == row.referral_id,
            # A dead event holds up the later ones, so that the order is kept.
            Delivery.state != DeliveryState.DELIVERED,
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
        "service": asked_by(work, referral).service,
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
        if recipient is not None and replying.too_late(referral, recipient) is None:
            with contextlib.suppress(NotConsented):
                data["fields"] = await disclose(work, referral, agency, recipient, ToldHow.MACHINE)
    return {"type": row.kind, "timestamp": row.created_at.isoformat(), "data": data}


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
            Disclosure.how == ToldHow.MACHINE,
        )
        .order_by(Recipient.number.desc())
        .limit(1)
    )
    if recipient is not None and replying.too_late(referral, recipient) is None:
        await details.note_opened(work, referral, recipient, ToldHow.THEIR_SYSTEM)


async def _bury(
    work: Work, row: Delivery, referral: Referral, agency: Agency, problem: str
) -> None:
    """Mark an event as dead: a person has to look at it and send it again."""
    row.state, row.ended_at, row.last_response = DeliveryState.DEAD.value, work.now, problem
    note(
        work,
        referral,
        LogKind.EVENT_UNDELIVERABLE,
        By(Via.SYSTEM, agency.code),
        event=row.kind,
        sequence=row.sequence,
        problem=problem,
    )
    add_notice(work, referral, NoticeKind.UNDELIVERED, agency=agency.code, event=row.kind)
    work.announce(Topic.DELIVERIES)


async def dead_letters(work: Work, staff: Staff) -> list[tuple[Delivery, Referral, Agency]]:
    """Return the dead events of the referrals that a person may see, the newest first."""
    rows = await work.session.execute(
        select(Delivery, Referral, Agency)
        .join(Referral, Referral.id == Delivery.referral_id)
        .join(Agency, Agency.id == Delivery.agency_id)
        .where(Delivery.state == DeliveryState.DEAD, reads_referral(staff))
        .order_by(Delivery.ended_at.desc())
        .limit(100)
    )
    return [(d, r, a) for d, r, a in rows]


async def count_dead(work: Work, staff: Staff) -> int:
    """Count the dead events of the referrals that a person may see."""
    return (
        await work.session.scalar(
            select(func.count())
            .select_from(Delivery)
            .join(Referral, Referral.id == Delivery.referral_id)
            .where(Delivery.state == DeliveryState.DEAD, reads_referral(staff))
        )
        or 0
    )


async def send_again(work: Work, staff: Staff | None, delivery_id: UUID) -> None:
    """Try a dead event again from the beginning; None is for one who manages connections.

    Raises NotFound, Conflict.
    """
    may_read = reads_referral(staff) if staff is not None else true()
    row = await work.session.scalar(
        select(Delivery)
        .join(Referral, Referral.id == Delivery.referral_id)
        .where(Delivery.id == delivery_id, may_read)
        .with_for_update(of=Delivery)
    )
    if row is None:
        raise NotFound("Not found, or you do not have access.")
    if row.state != DeliveryState.DEAD:
        raise Conflict("This event is on its way or has arrived. It needs no other attempt.")
    row.state, row.attempts, row.ended_at = DeliveryState.WAITING.value, 0, None
    write_entry(
        work,
        AuditLog.EVENT_SENT_AGAIN,
        f"referral:{row.referral_id}",
        before=DeliveryState.DEAD.value,
        after=DeliveryState.WAITING.value,
        agency=str(row.agency_id),
        what=row.kind,
    )
    work.defer(Task.DELIVER, delivery_id=str(row.id))
    work.announce(Topic.DELIVERIES)
