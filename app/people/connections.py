"""What the program is connected to: whether it is set up, and when it last worked.

Telephony, texts, mail, browsers of people on call, and the systems of agencies. What is shown is
read from the rows of what was sent, and of tests (`connection_tests.py`): this file sends nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select, union_all

from app.calls.models import Call, Reconciled
from app.calls.states import Direction
from app.outbox.push.models import PushMessage
from app.outbox.states import Sending
from app.people.connection_rows import RANG_IN_VAIN, WORKED, ConnectionTest, Means
from app.people.connection_test_rows import Tested, last_tests
from app.people.provider import keeping
from app.referrals.channels.models import AgencyCase, Attempt, Delivery
from app.referrals.directory.models import Agency
from app.referrals.states import AgencyCaseState, AttemptResult, DeliveryState
from app.routing.alarm_rows import AlarmAttempt
from app.work import Work

# Older rows say nothing about today.
_LOOKED_BACK = timedelta(days=30)


@dataclass(frozen=True)
class Connection:
    """How a connection does, within the last 30 days."""

    means: Means
    is_set_up: bool
    last_success: datetime | None = None
    last_failure: datetime | None = None
    # What waits to be sent.
    waiting: int = 0
    # The newest test, and the name of the agency whose system was asked.
    last_test: ConnectionTest | None = None
    tested_agency: str = ""

    @property
    def fails(self) -> bool:
        """Return whether what was tried last has failed."""
        if self.last_failure is None:
            return False
        return self.last_success is None or self.last_failure > self.last_success


async def all_connections(work: Work) -> list[Connection]:
    """Return every connection."""
    settings = work.settings
    has_account = settings.has_telephony
    found = [
        await _telephony(work, has_account),
        await _messages(work, Means.SMS, "sms", has_account),
        await _messages(work, Means.MAIL, "email", settings.smtp_url is not None),
        await _pushes(work),
        await _webhooks(work),
        await _case_systems(work),
        await _sign_in(work),
    ]
    tried, last = await _tried(work), await last_tests(work)
    return [_with_tests(one, tried.get(one.means, (None, None, 0)), last) for one in found]


_Tried = tuple[datetime | None, datetime | None, int]


async def _tried(work: Work) -> dict[Means, _Tried]:
    """Return when tests of each connection last worked and last failed, and how many wait."""
    worked = ConnectionTest.result.in_(WORKED)
    in_vain = and_(ConnectionTest.means == Means.TELEPHONY, ConnectionTest.result.in_(RANG_IN_VAIN))
    rows = await work.session.execute(
        select(
            ConnectionTest.means,
            func.max(ConnectionTest.ended_at).filter(worked),
            func.max(ConnectionTest.ended_at).filter(~worked, ~in_vain),
            func.count().filter(ConnectionTest.target.is_not(None)),
        )
        .where(ConnectionTest.wanted_at >= work.now - _LOOKED_BACK)
        .group_by(ConnectionTest.means)
    )
    return {Means(means): (success, failure, waits) for means, success, failure, waits in rows}


def _with_tests(one: Connection, tried: _Tried, last: dict[Means, Tested]) -> Connection:
    worked_at, failed_at, waits = tried
    test, name = last.get(one.means, (None, ""))
    return replace(
        one,
        last_success=_later(one.last_success, worked_at),
        last_failure=_later(one.last_failure, failed_at),
        waiting=one.waiting + waits,
        last_test=test,
        tested_agency=name,
    )


def _later(*moments: datetime | None) -> datetime | None:
    return max((at for at in moments if at is not None), default=None)


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
        and_(Delivery.state == DeliveryState.WAITING, Delivery.attempts > 0),
    )
    row = await work.session.execute(
        select(
            func.max(Delivery.ended_at).filter(Delivery.state == DeliveryState.DELIVERED),
            func.max(Delivery.last_attempt_at).filter(tried),
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


async def _sign_in(work: Work) -> Connection:
    row = await keeping.provider(work)
    if row is None:
        return Connection(Means.SIGN_IN, False)
    return Connection(Means.SIGN_IN, True, row.last_success_at, row.last_failure_at)


async def _is_any(work: Work, column: Any) -> bool:
    return bool(await work.session.scalar(select(func.count()).where(column.is_not(None))))
