"""Reminding of a request before the day by which the person has to be answered, and after it.

No request ends because it has waited: the person who asked still does. One that is overdue is told
each day to all who answer and decide, until it is answered or withdrawn.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from uuid import UUID, uuid4

from sqlalchemy import exists, or_, select

from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.retention.data_requests import letters
from app.retention.data_requests.deadlines import (
    answer_by,
    day_of,
    is_near,
    is_overdue,
    must_be_told,
    perhaps_near,
    unanswered,
)
from app.retention.data_requests.kinds import OPEN, Reminder, RequestState
from app.retention.data_requests.models import DataRequest
from app.retention.data_requests.requests import has_left, why_not_decide
from app.safekeeping.models import AdministratorNoticeKind
from app.staff.roles import Permission
from app.work import PROGRAM, Ground, Work

# How often an overdue request is told.
EACH = timedelta(days=1)
# A request is carried out within minutes. One that waits, such as for the folder of the lists of
# what is erased, may miss the deadline of a law.
_CARRIED_OUT_WITHIN = timedelta(hours=1)
_Earliest = dict[tuple[UUID, Reminder], date]


async def remind_all(ground: Ground) -> None:
    """Remind of the requests that are near their day, or past it."""
    if ground.settings.smtp_url is None:
        return
    async with transaction(ground, PROGRAM) as work:
        await remind(work)


async def remind(work: Work) -> int:
    """Remind who can go on with a request that is near its day, once. Return how many requests
    were reminded of.

    When it is asked or extended after that, people are reminded in turn. A report whose officer has
    left is told each day while it can be opened.
    """
    rows = (
        await work.session.scalars(
            select(DataRequest)
            .where(unanswered(), or_(perhaps_near(work), DataRequest.state == RequestState.DONE))
            .order_by(DataRequest.id)
            # Another process that has one locked decides, extends or reminds of it.
            .with_for_update(skip_locked=True)
        )
    ).all()
    earliest: _Earliest = {}
    overdue = [request for request in rows if is_overdue(work, request)]
    told = await _tell_overdue(work, overdue, earliest)
    for request in rows:
        is_report = request.state == RequestState.DONE
        if is_report and request not in overdue and await has_left(work, request):
            told += await _tell_left(work, request, earliest)
            continue
        goes_on_by_itself = request.state == RequestState.APPROVED
        if request in overdue or request.reminded_at is not None or goes_on_by_itself:
            continue
        if is_near(work, request):
            if must_be_told(request):
                # Beside the other one: until then the day is that of the first month.
                teller = await letters.whose(work, [request.extended_by])
                _note(work, request, Reminder.UNTOLD, teller, earliest)
            reminder = Reminder(request.state) if request.state in OPEN else Reminder.UNOPENED
            _note(work, request, reminder, await _whom(work, request), earliest)
            told += 1
    _write(work, earliest)
    return told


async def late_requests(work: Work) -> set[AdministratorNoticeKind]:
    """Return what is late of requests: an approved one that waits, and one that is overdue."""
    found = set()
    waits = exists().where(
        DataRequest.state == RequestState.APPROVED,
        DataRequest.decided_at <= work.now - _CARRIED_OUT_WITHIN,
    )
    if await work.session.scalar(select(waits)):
        found.add(AdministratorNoticeKind.REQUEST_LATE)
    rows = await work.session.scalars(select(DataRequest).where(unanswered()))
    if any(is_overdue(work, request) for request in rows):
        found.add(AdministratorNoticeKind.REQUEST_OVERDUE)
    return found


async def tell_of_report(work: Work, request: DataRequest) -> None:
    """Tell who can take it over of a report whose own officer has left.

    It can be opened for a few days alone, so this does not wait for the day of the law.
    """
    earliest: _Earliest = {}
    if work.settings.smtp_url is not None and await has_left(work, request):
        await _tell_left(work, request, earliest)
        _write(work, earliest)


async def tell_of_nothing_erased(work: Work, request: DataRequest) -> None:
    """Tell whose request it is that it is theirs again: nothing was erased. They are reminded near
    the day, too."""
    earliest: _Earliest = {}
    if work.settings.smtp_url is not None:
        whose = await letters.whose(work, [request.holder])
        _note(work, request, Reminder.FOUND, whose, earliest)
        _write(work, earliest)
    request.reminded_at = None


async def _tell_left(work: Work, request: DataRequest, earliest: _Earliest) -> int:
    """Tell others, at most once a day, of a report whose officer has left. Return of how many."""
    if request.reminded_at is not None and request.reminded_at > work.now - EACH:
        return 0
    _note(work, request, Reminder.UNOPENED, await _who_opens(work, request), earliest)
    return 1


async def _who_opens(work: Work, request: DataRequest) -> set[UUID]:
    """Return who can open a report that is there, or take it over, and has an address."""
    officers = {one.id for one in await letters.reached(work, Permission.ANSWER_DATA_REQUESTS)}
    if await has_left(work, request):
        return officers - {request.decided_by}
    return officers & {request.holder}


def _write(work: Work, earliest: _Earliest) -> None:
    for (staff_id, reminder), by in sorted(earliest.items()):
        work.defer(
            Task.REMIND_OF_REQUESTS,
            letter_id=str(uuid4()),
            staff_id=str(staff_id),
            state=reminder.value,
            by=by.isoformat(),
        )


async def _tell_overdue(work: Work, overdue: list[DataRequest], earliest: _Earliest) -> int:
    """Tell all who have a part in it of what is overdue, in one letter a day."""
    if all(_was_told(work, request) for request in overdue):
        return 0
    role = await letters.reached(
        work, Permission.ANSWER_DATA_REQUESTS, Permission.DECIDE_DATA_REQUESTS
    )
    for request in overdue:
        _note(work, request, Reminder.OVERDUE, [one.id for one in role], earliest)
    return len(overdue)


def _was_told(work: Work, request: DataRequest) -> bool:
    """Return whether people were told today that a request is overdue."""
    at, by = request.reminded_at, answer_by(work, request)
    assert by is not None
    return at is not None and day_of(work, at) > by and at > work.now - EACH


def _note(
    work: Work,
    request: DataRequest,
    reminder: Reminder,
    whom: Iterable[UUID],
    earliest: _Earliest,
) -> None:
    request.reminded_at = work.now
    by = answer_by(work, request)
    assert by is not None
    for staff_id in whom:
        earliest[staff_id, reminder] = min(by, earliest.get((staff_id, reminder), by))


async def _whom(work: Work, request: DataRequest) -> Iterable[UUID]:
    """Return who can go on with a request: who asks for it or has its report, or who can decide it.

    If no person can decide it, all are told whose role decides: they see why on its page. So are
    all officers if no letter reaches who can open a report.
    """
    if request.state == RequestState.DONE and (told := await _who_opens(work, request)):
        return told
    if request.state != RequestState.ASKED:
        return await letters.whose(work, [request.holder])
    role = await letters.reached(work, Permission.DECIDE_DATA_REQUESTS)
    return [one.id for one in role if not await why_not_decide(work, one, request)] or [
        one.id for one in role
    ]
