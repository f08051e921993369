"""What the program is connected to: whether it is set up, and when it last worked.

Telephony, texts, mail, browsers of people on call, and the systems of agencies. What is shown is
read from the rows of what was sent: nothing is sent to find it out. A test letter can be sent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import and_, func, or_, select, union_all

from app.calls.models import Call, Reconciled
from app.calls.states import Direction
from app.errors import Conflict, Invalid
from app.outbox.mail import send_mail
from app.outbox.push.models import PushMessage
from app.outbox.responses import RequestFailed
from app.outbox.states import Sending
from app.referrals.channels.models import AgencyCase, Attempt, Delivery
from app.referrals.directory.models import Agency
from app.referrals.states import AgencyCaseState, AttemptResult, DeliveryState
from app.routing.alarm_rows import AlarmAttempt
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.words.pages import _
from app.work import Work

# Older rows say nothing about today.
_LOOKED_BACK = timedelta(days=30)


class Means(StrEnum):
    """What the program is connected to."""

    TELEPHONY = "telephony"
    SMS = "sms"
    MAIL = "mail"
    PUSH = "push"
    WEBHOOKS = "webhooks"
    CASE_SYSTEMS = "case_systems"


@dataclass(frozen=True)
class Connection:
    """How a connection does, within the last 30 days."""

    means: Means
    is_set_up: bool
    last_success: datetime | None = None
    last_failure: datetime | None = None
    # What waits to be sent.
    waiting: int = 0

    @property
    def fails(self) -> bool:
        """Return whether what was tried last has failed."""
        if self.last_failure is None:
            return False
        return self.last_success is None or self.last_failure > self.last_success


async def all_connections(work: Work) -> list[Connection]:
    """Return every connection."""
    settings = work.settings
    has_account = settings.twilio_account_sid is not None
    return [
        await _telephony(work, has_account),
        await _messages(work, Means.SMS, "sms", has_account),
        await _messages(work, Means.MAIL, "email", settings.smtp_url is not None),
        await _pushes(work),
        await _webhooks(work),
        await _case_systems(work),
    ]


async def _telephony(work: Work, has_account: bool) -> Connection:
    """The provider has worked when a call came, and when it last answered our comparison."""
    since = work.now - _LOOKED_BACK
    rung = await work.session.scalar(
        select(func.max(Call.opened_at)).where(
            Call.opened_at >= since, Call.direction == Direction.INBOUND
        )
    )
    compared = await work.session.scalar(select(Reconciled.until_at))
    found = max((at for at in (rung, compared) if at is not None), default=None)
    return Connection(Means.TELEPHONY, has_account, found)


async def _messages(work: Work, means: Means, kind: str, is_set_up: bool) -> Connection:
    """Messages to agencies and to people on call are rows of two tables."""
    since = work.now - _LOOKED_BACK
    rows = union_all(
        *(
            select(table.sending, table.sent_at, table.wanted_at, table.ended_at, table.result)
            .where(table.kind == kind, table.wanted_at >= since)
            .correlate(None)
            for table in (Attempt, AlarmAttempt)
        )
    ).subquery()
    failed = and_(
        rows.c.sending == Sending.FAILED,
        func.coalesce(rows.c.result, "") != AttemptResult.STOPPED.value,
    )
    open_ = and_(rows.c.ended_at.is_(None), rows.c.sending.in_((Sending.WANTED, Sending.SENDING)))
    row = await work.session.execute(
        select(
            func.max(rows.c.sent_at).filter(rows.c.sending == Sending.SENT),
            func.max(rows.c.wanted_at).filter(failed),
            func.count().filter(open_),
        ).select_from(rows)
    )
    return Connection(means, is_set_up, *row.one())


async def _pushes(work: Work) -> Connection:
    row = await work.session.execute(
        select(
            func.max(PushMessage.sent_at).filter(PushMessage.sending == Sending.SENT),
            func.max(PushMessage.wanted_at).filter(PushMessage.sending == Sending.FAILED),
            func.count().filter(PushMessage.sending.in_((Sending.WANTED, Sending.SENDING))),
        ).where(PushMessage.wanted_at >= work.now - _LOOKED_BACK)
    )
    return Connection(Means.PUSH, bool(work.settings.push_services), *row.one())


async def _webhooks(work: Work) -> Connection:
    tried = or_(
        Delivery.state == DeliveryState.DEAD,
        and_(Delivery.state == DeliveryState.WAITING, Delivery.tries > 0),
    )
    row = await work.session.execute(
        select(
            func.max(Delivery.ended_at).filter(Delivery.state == DeliveryState.DELIVERED),
            func.max(Delivery.last_try_at).filter(tried),
            func.count().filter(Delivery.state == DeliveryState.WAITING),
        ).where(Delivery.created_at >= work.now - _LOOKED_BACK)
    )
    return Connection(Means.WEBHOOKS, await _is_any(work, Agency.webhook_url), *row.one())


async def _case_systems(work: Work) -> Connection:
    since = work.now - _LOOKED_BACK
    answered = AgencyCase.state.in_((AgencyCaseState.REFERRED, AgencyCaseState.ENDED))
    waits = AgencyCase.state.in_((AgencyCaseState.WANTED, AgencyCaseState.CASE_MADE))
    row = await work.session.execute(
        select(
            func.max(AgencyCase.asked_at).filter(answered),
            func.max(AgencyCase.asked_at).filter(AgencyCase.state == AgencyCaseState.REFUSED),
            func.count().filter(waits),
        ).where(or_(AgencyCase.asked_at.is_(None), AgencyCase.asked_at >= since))
    )
    return Connection(Means.CASE_SYSTEMS, await _is_any(work, Agency.primero), *row.one())


async def _is_any(work: Work, column: Any) -> bool:
    return bool(await work.session.scalar(select(func.count()).where(column.is_not(None))))


async def send_test_letter(work: Work, staff: Staff) -> str:
    """Send a letter to the person's own address, now; return where it went.

    Raises Invalid if no mail server or address is set, and Conflict if the server did not take it.
    """
    if work.settings.smtp_url is None:
        raise Invalid(
            "No mail server is set up. The operator of the server enters it in the settings of "
            "the server."
        )
    if not staff.email:
        raise Invalid("Your account has no e-mail address. Enter one first.")
    to, ground = staff.email, work.ground
    subject, body = _("A test of the helpline"), _("The mail of the helpline works.")
    # The mail server takes seconds; no connection to the database is held meanwhile.
    await work.let_go()
    try:
        await send_mail(ground, to, subject, f"{body}\n", message_id=uuid4())
    except RequestFailed as error:
        raise Conflict(
            "The mail server did not take the letter: %(why)s. The operator of the server can "
            "check the address and the password of the mail server.",
            why=str(error)[:60],
        ) from None
    write_entry(work, AuditLog.CONNECTION_TESTED, Means.MAIL.value)
    return to
