"""Reminding of a request about a person's data before its month is over.

A person has to be answered within one month (GDPR, art. 12(3)). The month of the law begins
when the person asks; the program knows when an officer began the request.
"""

import calendar
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select

from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.retention.data_requests import letters
from app.retention.data_requests.kinds import OPEN, RequestState
from app.retention.data_requests.models import DataRequest
from app.retention.data_requests.requests import why_not_decide
from app.staff.roles import Permission
from app.work import PROGRAM, Ground, Work


def a_month_after(at: datetime) -> datetime:
    """Return the same day of the next month, or its last one: as periods of the law are counted.

    Source: Regulation (EEC, Euratom) No 1182/71, art. 3(2)(c).
    """
    year, month = (at.year, at.month + 1) if at.month < 12 else (at.year + 1, 1)
    return at.replace(year=year, month=month, day=min(at.day, calendar.monthrange(year, month)[1]))


def answer_by(request: DataRequest) -> datetime | None:
    """Return when the month of a person is over; None if the request is not open any more."""
    return a_month_after(request.began_at) if request.state in OPEN else None


def is_near(work: Work, request: DataRequest) -> bool:
    """Return whether an open request is near the end of its month, or past it."""
    return request.state in OPEN and request.began_at <= _reminded_from(work)


def _reminded_from(work: Work) -> datetime:
    return work.now - timedelta(days=work.settings.data_request_reminder_days)


async def remind_all(ground: Ground) -> None:
    """Remind of the requests that are near their end."""
    if ground.settings.smtp_url is None:
        return
    async with transaction(ground, PROGRAM) as work:
        await remind(work)


async def remind(work: Work) -> int:
    """Remind, once, who can go on with a request that is near its end. Return of how many.

    When it is asked after that, who can decide it is reminded in turn.
    """
    rows = (
        await work.session.scalars(
            select(DataRequest)
            .where(
                DataRequest.state.in_(OPEN),
                DataRequest.reminded_at.is_(None),
                DataRequest.began_at <= _reminded_from(work),
            )
            .order_by(DataRequest.id)
            # Who holds one decides, ends or reminds of it.
            .with_for_update(skip_locked=True)
        )
    ).all()
    earliest: dict[tuple[UUID, RequestState], datetime] = {}
    for request in rows:
        request.reminded_at = work.now
        state, by = RequestState(request.state), a_month_after(request.began_at)
        for staff_id in await _whom(work, request):
            earliest[staff_id, state] = min(by, earliest.get((staff_id, state), by))
    for (staff_id, state), by in sorted(earliest.items()):
        work.defer(
            Task.REMIND_OF_REQUESTS,
            letter_id=str(uuid4()),
            staff_id=str(staff_id),
            state=state.value,
            by=by.astimezone(UTC).isoformat(),
        )
    return len(rows)


async def _whom(work: Work, request: DataRequest) -> Iterable[UUID]:
    """Return who can go on with a request: who asks for it, or who can decide it.

    If no person can decide it, all are told whose role decides: they see why on its page.
    """
    if request.state == RequestState.FOUND:
        return await letters.whose(work, [request.asked_by])
    role = await letters.reached(work, Permission.DECIDE_DATA_REQUESTS)
    return [one.id for one in role if not await why_not_decide(work, one, request)] or [
        one.id for one in role
    ]
