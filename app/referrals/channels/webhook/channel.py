"""Signed events to an agency's program: queued here in order, sent by `delivery.py`."""

from typing import Any
from uuid import uuid4

from sqlalchemy import func, select

from app.jobs.names import Task
from app.outbox.channels import ChannelKind
from app.referrals.channels.base import SystemChannel
from app.referrals.channels.models import Delivery
from app.referrals.directory.models import Agency
from app.referrals.models import Recipient, Referral
from app.referrals.states import AgencyEvent, DeliveryState, Purpose
from app.work import Work

_ENDS = {Purpose.RECALLED: AgencyEvent.RECALLED, Purpose.WITHDRAWN: AgencyEvent.WITHDRAWN}


class Webhook(SystemChannel):
    kind = ChannelKind.WEBHOOK

    def address_of(self, agency: Agency) -> str | None:
        return agency.webhook_url or None

    async def offer(
        self, work: Work, referral: Referral, agency: Agency, recipient: Recipient
    ) -> None:
        await self.announce(work, referral, agency, AgencyEvent.OFFERED, {})

    async def update(
        self, work: Work, referral: Referral, agency: Agency, recipient: Recipient
    ) -> None:
        await self.announce(work, referral, agency, AgencyEvent.UPDATED, {})

    async def take_back(
        self,
        work: Work,
        referral: Referral,
        agency: Agency,
        recipient: Recipient,
        purpose: Purpose,
        *,
        again: bool,
    ) -> bool:
        if again:
            return True
        fails = await _push_what_waits(work, referral, agency)
        await self.announce(work, referral, agency, _ENDS[purpose], {})
        return not fails

    async def announce(
        self,
        work: Work,
        referral: Referral,
        agency: Agency,
        event: AgencyEvent,
        detail: dict[str, Any],
    ) -> None:
        """Queue an event, after the earlier events of the referral."""
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
            kind=event.value,
            detail=detail,
            state=DeliveryState.WAITING.value,
            created_at=work.now,
            attempts=0,
            last_response="",
        )
        work.session.add(delivery)
        await work.session.flush()
        work.defer(Task.DELIVER, delivery_id=str(delivery.id))


async def _push_what_waits(work: Work, referral: Referral, agency: Agency) -> bool:
    """Return whether an agency's own system is failing to take events of this referral.

    An event that waits for another attempt is sent at once, so that later ones can follow.
    """
    first = await work.session.scalar(
        select(Delivery)
        .where(
            Delivery.agency_id == agency.id,
            Delivery.referral_id == referral.id,
            Delivery.state != DeliveryState.DELIVERED,
        )
        .order_by(Delivery.sequence)
        .limit(1)
    )
    if first is None or first.attempts == 0:
        return False
    if first.state == DeliveryState.WAITING:
        work.defer(Task.DELIVER, delivery_id=str(first.id))
    return True


CHANNEL = Webhook()
