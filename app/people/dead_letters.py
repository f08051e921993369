"""What did not arrive: events, cases, mails and texts, for those who manage connections.

The list says to whom, when and why, and nothing of a child or a referral.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select

from app.outbox.states import Sending
from app.people.connection_rows import Means
from app.privacy import ends
from app.referrals.channels.models import AgencyCase, Attempt, Delivery
from app.referrals.channels.webhook import delivery
from app.referrals.directory.models import Agency
from app.referrals.models import Recipient
from app.referrals.states import AgencyCaseState, AttemptResult, DeliveryState
from app.routing.alarm_rows import AlarmAttempt
from app.work import Work

# Older letters say nothing about today; a dead event stays until it is sent again.
_LOOKED_BACK = timedelta(days=30)
_MOST = 100
_MESSAGES = {"sms": Means.SMS, "email": Means.MAIL}


@dataclass(frozen=True)
class DeadLetter:
    """What did not arrive. `to` is the agency, or the entry of people on call; `target` only the
    ends of a number or an address."""

    id: UUID
    means: Means
    at: datetime
    to: str
    target: str
    # The kind of event, or what a message was for.
    what: str
    problem: str
    # Whether it can be sent again as it is.
    again: bool = False


async def dead_letters(work: Work) -> list[DeadLetter]:
    """Return what did not arrive, the newest first."""
    found = [
        *await _events(work),
        *await _cases(work),
        *await _messages(work),
        *await _alarms(work),
    ]
    return sorted(found, key=lambda one: one.at, reverse=True)[:_MOST]


async def send_again(work: Work, delivery_id: UUID) -> None:
    """Try a dead event again, once its cause is mended. Raises NotFound, Conflict."""
    await delivery.send_again(work, None, delivery_id)


async def _events(work: Work) -> list[DeadLetter]:
    rows = await work.session.execute(
        select(Delivery, Agency.name, Agency.webhook_url)
        .join(Agency, Agency.id == Delivery.agency_id)
        .where(Delivery.state == DeliveryState.DEAD)
        .order_by(Delivery.ended_at.desc())
        .limit(_MOST)
    )
    return [
        DeadLetter(
            row.id,
            Means.WEBHOOKS,
            row.ended_at or row.created_at,
            name,
            ends.of_url(url),
            row.kind,
            row.last_response,
            again=True,
        )
        for row, name, url in rows
    ]


async def _cases(work: Work) -> list[DeadLetter]:
    at = func.coalesce(AgencyCase.asked_at, Recipient.offered_at)
    rows = await work.session.execute(
        select(AgencyCase, Agency.name, Agency.primero, at)
        .join(Recipient, Recipient.id == AgencyCase.recipient_id)
        .join(Agency, Agency.id == Recipient.agency_id)
        .where(
            AgencyCase.state == AgencyCaseState.REFUSED,
            at >= work.now - _LOOKED_BACK,
        )
        .order_by(at.desc())
        .limit(_MOST)
    )
    return [
        DeadLetter(
            row.case_id,
            Means.CASE_SYSTEMS,
            asked_at,
            name,
            ends.of_url(str((primero or {}).get("url", ""))),
            "case",
            row.problem,
        )
        for row, name, primero, asked_at in rows
    ]


def _failed(table: Any, since: datetime) -> Any:
    """Return the condition for a message that was refused, or reported as not delivered."""
    result = func.coalesce(table.result, "")
    return and_(
        table.kind.in_(_MESSAGES),
        table.wanted_at >= since,
        or_(
            and_(table.sending == Sending.FAILED, result != AttemptResult.STOPPED.value),
            result.in_((AttemptResult.FAILED.value, AttemptResult.UNREACHABLE.value)),
        ),
    )


async def _messages(work: Work) -> list[DeadLetter]:
    rows = await work.session.execute(
        select(Attempt, Agency.name)
        .join(Agency, Agency.id == Attempt.agency_id)
        .where(_failed(Attempt, work.now - _LOOKED_BACK))
        .order_by(Attempt.wanted_at.desc())
        .limit(_MOST)
    )
    return [_message(row, name, row.purpose) for row, name in rows]


async def _alarms(work: Work) -> list[DeadLetter]:
    rows = await work.session.execute(
        select(AlarmAttempt, Agency.name)
        .outerjoin(Agency, Agency.code == AlarmAttempt.who)
        .where(_failed(AlarmAttempt, work.now - _LOOKED_BACK))
        .order_by(AlarmAttempt.wanted_at.desc())
        .limit(_MOST)
    )
    return [_message(row, name or row.who, "alarm") for row, name in rows]


def _message(row: Attempt | AlarmAttempt, to: str, what: str) -> DeadLetter:
    means = _MESSAGES[row.kind]
    target = ends.of_email(row.target) if means is Means.MAIL else ends.of_number(row.target)
    at = row.ended_at or row.wanted_at
    return DeadLetter(row.id, means, at, to, target, what, row.result or row.sending)
