"""By when a person has to be answered, what is near that day, and what is past it.

A person has to be answered within one month. Where it is necessary, two further months may be
taken, if the person is told of it and why within the first one (GDPR, art. 12(3)). The month of the
law begins when the person asks; the program knows when an officer began the request. Days are those
of the helpline: a period of the law ends with the last hour of its day.
"""

import calendar
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from app.contacts.registry import library_of
from app.retention.data_requests.kinds import UNANSWERED
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


def first_day(work: Work, request: DataRequest) -> date:
    """Return the last day of the month of the law: also by when an extension has to be told."""
    return months_after(day_of(work, request.began_at), 1)


def extended_day(work: Work, request: DataRequest) -> date | None:
    """Return the last day of the extension, told or not; None if there is none."""
    if request.extension_months is None:
        return None
    return months_after(day_of(work, request.began_at), 1 + request.extension_months)


def answer_by(work: Work, request: DataRequest) -> date | None:
    """Return the last day on which the person can be answered; None if the request is over.

    An extension counts when the person was told of it.
    """
    if request.state not in UNANSWERED:
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
    return work.now >= request.began_at + more + _until_near(work)


def near_since(work: Work) -> datetime:
    """Return since when a request that is near its day was begun, at the latest."""
    return work.now - _until_near(work)


def _until_near(work: Work) -> timedelta:
    return timedelta(days=work.settings.data_request_reminder_days)


def is_overdue(work: Work, request: DataRequest) -> bool:
    """Return whether the day by which the person had to be answered is over."""
    by = answer_by(work, request)
    return by is not None and day_of(work, work.now) > by


def must_be_told(request: DataRequest) -> bool:
    """Return whether the person still has to be told of an extension."""
    return (
        request.state in UNANSWERED
        and request.extension_months is not None
        and request.told_on is None
    )
