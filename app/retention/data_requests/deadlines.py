"""By when a person has to be answered, what is near that day, and what is past it.

A person has to be answered within one month. Where it is necessary, two further months may be
taken, if the person is told of it and why within the first one (GDPR, art. 12(3)). The month of the
law begins on the day on which the person asks. It is over for who asked to see their data when the
report was opened, and for others when the request is done. Days are those of the helpline: a period
of the law ends with the last hour of its day.
"""

import calendar
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, func, or_

from app.contacts.registry import library_of
from app.errors import Invalid
from app.retention.data_requests.kinds import (
    CARRIED_OUT,
    UNDER_WAY,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.models import DataRequest
from app.work import Work


def day_of(work: Work, at: datetime) -> date:
    """Return the day of an instant at the helpline."""
    return at.astimezone(ZoneInfo(library_of(work.ground).country.timezone)).date()


def months_after(day: date, months: int) -> date:
    """Return the same day some months later, or the last one of that month.

    Source: Regulation (EEC, Euratom) No 1182/71, art. 3(2)(c).
    """
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return day.replace(
        year=year, month=month, day=min(day.day, calendar.monthrange(year, month)[1])
    )


def asked_day(work: Work, request: DataRequest) -> date:
    """Return the day on which the person asked."""
    return request.asked_on or day_of(work, request.began_at)


def earliest_asked(work: Work) -> date:
    """Return the earliest day that can be given as the one on which a person asked."""
    return months_after(day_of(work, work.now), -12)


def day_asked(work: Work, on: date | None, replaced: DataRequest | None) -> date:
    """Return on which day the person asked whose request is begun now, or begun again.

    `on` None: the day of the request that it replaces, or today. Raises Invalid.
    """
    today = day_of(work, work.now)
    before = asked_day(work, replaced) if replaced is not None else today
    if on is None or on == before:
        return before
    if not earliest_asked(work) <= on <= today:
        raise Invalid("Write a day within the last year.")
    return on


def take_extension_over(work: Work, request: DataRequest, replaced: DataRequest) -> None:
    """Let a request that is begun again have the extension of the one before.

    It is that of a month: a request for which the person asked on another day has none.
    """
    if replaced.extended_at is None or asked_day(work, request) != asked_day(work, replaced):
        return
    request.extended_at, request.extended_by = replaced.extended_at, replaced.extended_by
    request.extension_months = replaced.extension_months
    request.extension_because, request.told_on = replaced.extension_because, replaced.told_on
    if replaced.extension_sealed is not None:
        where = {"table": "data_requests", "column": "extension_sealed"}
        words = work.keys.open(replaced.extension_sealed, **where, row=replaced.id)
        request.extension_sealed = work.keys.seal(words, **where, row=request.id)


def is_unanswered(request: DataRequest) -> bool:
    """Return whether the person still waits.

    A report answers them when it was opened. One that failed, or that is gone and was not opened,
    does not: the person waits until the request is begun again or withdrawn.
    """
    if request.state in UNDER_WAY:
        return True
    return (
        request.kind == RequestKind.ACCESS
        and request.state in CARRIED_OUT
        and request.opened_at is None
        and request.replaced_by is None
    )


def unanswered() -> ColumnElement[bool]:
    """Return the condition of `is_unanswered`."""
    return or_(
        DataRequest.state.in_(UNDER_WAY),
        and_(
            DataRequest.kind == RequestKind.ACCESS,
            DataRequest.state.in_(CARRIED_OUT),
            DataRequest.opened_at.is_(None),
            DataRequest.replaced_by.is_(None),
        ),
    )


def has_no_report(request: DataRequest) -> bool:
    """Return whether the person waits for a report that is gone or could not be made."""
    return is_unanswered(request) and request.state in (RequestState.FAILED, RequestState.EXPIRED)


def can_be_replaced(request: DataRequest) -> bool:
    """Return whether a request has ended without an answer, and was not begun again yet."""
    ended = request.state in (RequestState.REFUSED, RequestState.WITHDRAWN, RequestState.LAPSED)
    return (ended and request.replaced_by is None) or has_no_report(request)


def first_day(work: Work, request: DataRequest) -> date:
    """Return the last day of the month of the law: also by when an extension has to be told."""
    return months_after(asked_day(work, request), 1)


def extended_day(work: Work, request: DataRequest) -> date | None:
    """Return the last day of the extension, told or not; None if there is none."""
    if request.extension_months is None:
        return None
    return months_after(asked_day(work, request), 1 + request.extension_months)


def answer_by(work: Work, request: DataRequest) -> date | None:
    """Return the last day on which the person can be answered; None if the request is over.

    An extension counts when the person was told of it.
    """
    if not is_unanswered(request):
        return None
    extended = extended_day(work, request) if request.told_on is not None else None
    return extended or first_day(work, request)


def is_near(work: Work, request: DataRequest) -> bool:
    """Return whether a request that is not answered is near its day, or past it.

    An extension leaves as many days for it as the first month does.
    """
    by = answer_by(work, request)
    if by is None:
        return False
    more = by - first_day(work, request)
    before = day_of(work, request.began_at) - asked_day(work, request)
    return work.now >= request.began_at - before + more + _until_near(work)


def perhaps_near(work: Work) -> ColumnElement[bool]:
    """Return the condition of requests that may be near their day, or past it."""
    since = work.now - _until_near(work)
    asked = DataRequest.asked_on <= day_of(work, since) + timedelta(days=1)
    return func.coalesce(asked, DataRequest.began_at <= since)


def _until_near(work: Work) -> timedelta:
    return timedelta(days=work.settings.data_request_reminder_days)


def is_overdue(work: Work, request: DataRequest) -> bool:
    """Return whether the day by which the person had to be answered is over."""
    by = answer_by(work, request)
    return by is not None and day_of(work, work.now) > by


def must_be_told(request: DataRequest) -> bool:
    """Return whether the person still has to be told of an extension."""
    return (
        is_unanswered(request) and request.extension_months is not None and request.told_on is None
    )
