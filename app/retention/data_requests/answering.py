"""Carry out an approved request: erase, or make the report and keep it sealed for a few days."""

from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import select, text, update

from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.jobs.names import Task
from app.jobs.passing import PASSING
from app.jobs.transaction import transaction
from app.privacy.keys import Bound, told
from app.retention.data_requests import copies, ending, erasing, letters, reminding
from app.retention.data_requests.changed_since.before_report import shows_others
from app.retention.data_requests.kinds import RequestEnd, RequestKind, RequestState
from app.retention.data_requests.models import DataRequest, RequestFile
from app.retention.data_requests.reports.report import files_of, read_all
from app.retention.data_requests.requests import (
    check_officer,
    close,
    has_left,
    holds,
    items_of,
    lock_request,
    read_request,
)
from app.retention.data_requests.searched import sought_of
from app.staff.audit import write_entry, write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.words.pages import N_
from app.work import PROGRAM, Ground, Work

ONE_STATE = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
# How long the report can be opened.
LASTS = timedelta(days=7)
FORMATS = {"pdf": "application/pdf", "json": "application/json"}
_NOT_YOURS = N_("Only the person who asked for this report may open it.")
_SHOWS_OTHERS = N_(
    "Since this report was made, a record in it has changed and may be about another person. The "
    "report was deleted: begin a new request."
)
_NO_REPORT = N_("There is no report to open: it is not made yet, or its days are over.")


async def carry_out(ground: Ground, request_id: UUID) -> None:
    """Carry out an approved request. May be run any number of times. Raises KeptByNewerVersion."""
    async with transaction(ground, PROGRAM) as work:
        request = await work.session.get(DataRequest, request_id)
        if request is None or request.state != RequestState.APPROVED:
            return
        kind = request.kind
        # Before anything is done: what a newer version has kept is carried out by its worker.
        sought_of(work, request)
    if kind == RequestKind.ERASURE:
        await erasing.carry_out(ground, request_id)
        return
    try:
        async with transaction(ground, PROGRAM) as work:
            if await copies.must_be_asked(work, await read_request(work, request_id)):
                # When the provider has answered, that job has the report made.
                work.defer(Task.FIND_COPIES, request_id=str(request_id))
                return
        async with transaction(ground, PROGRAM) as work:
            # What is read is what was compared: no child takes the place of another meanwhile.
            await work.session.execute(ONE_STATE)
            request = await read_request(work, request_id)
            page = await read_all(work, request)
            shows = any(one.keep is None for one in await items_of(work, request))
        files = await files_of(page) if shows else {}
    except Exception as error:
        # The job runs again after an error that may pass; any other one is final and shown.
        if not isinstance(error, PASSING):
            async with transaction(ground, PROGRAM) as work:
                await fail(work, request_id)
        raise
    async with transaction(ground, PROGRAM) as work:
        if files:
            await keep_files(work, request_id, files)
        else:
            # All of it may be another person's since. A report of nothing would tell the person
            # that nothing is held about them: the officer has to look anew.
            await fail(work, request_id)


async def fail(work: Work, request_id: UUID) -> None:
    """Write down that the report could not be made, and forget whom it was about.

    The officer who asked for it is told: the person still waits.
    """
    request = await work.session.get(DataRequest, request_id, with_for_update=True)
    if request is not None and request.state == RequestState.APPROVED:
        await close(work, request, RequestState.FAILED)
        await letters.tell_of_end(work, [request_id], RequestEnd.FAILED)


async def keep_files(work: Work, request_id: UUID, files: dict[str, bytes]) -> None:
    """Keep the report sealed, and what it shows, to compare it when the report is opened."""
    request = await work.session.get(DataRequest, request_id, with_for_update=True)
    if request is None or request.state != RequestState.APPROVED:
        return
    for kind, content in files.items():
        file_id = uuid4()
        (sealed,) = await work.keys.seal_all([(_place(file_id), content)])
        work.session.add(
            RequestFile(
                id=file_id,
                request_id=request_id,
                format=kind,
                content_sealed=sealed,
                made_at=work.now,
            )
        )
    items = await items_of(work, request)
    request.counts = dict(Counter(one.kind for one in items if one.keep is None))
    request.kept = dict(Counter(one.keep for one in items if one.keep is not None))
    request.state, request.done_at = RequestState.DONE.value, work.now
    # Now it is to be opened.
    request.reminded_at = None
    await work.session.flush()
    write_entry(
        work,
        AuditLog.DATA_REPORT_MADE,
        f"data_request:{request_id}",
        rows=sum(request.counts.values()),
        left=sum(request.kept.values()),
    )
    await reminding.tell_of_report(work, request)
    work.announce(Topic.DATA_REQUESTS)


def can_open(work: Work, request: DataRequest) -> bool:
    """Return whether the report of a request is there."""
    return (
        request.kind == RequestKind.ACCESS
        and request.state == RequestState.DONE
        and request.done_at is not None
        and work.now < request.done_at + LASTS
    )


async def open_report(work: Work, staff: Staff | None, request_id: UUID, kind: str) -> bytes:
    """Return the report, for the officer who asked for it or has taken it over.

    The reading is logged first. When it was opened once, the person counts as answered. A report
    that may show another person since it was made is deleted.
    Raises Invalid, NotFound, NotAllowed, Conflict.
    """
    if kind not in FORMATS:
        raise Invalid("Choose one of these formats: %(formats)s.", formats=list(FORMATS))
    request = await read_request(work, request_id)
    # The role may have changed since.
    if staff is not None and not may(staff.role, Permission.ANSWER_DATA_REQUESTS):
        raise NotAllowed()
    if not holds(staff, request):
        raise NotAllowed(_NOT_YOURS)
    if not can_open(work, request):
        raise Conflict(_NO_REPORT)
    file = await work.session.scalar(
        select(RequestFile).where(RequestFile.request_id == request_id, RequestFile.format == kind)
    )
    if file is None:
        raise NotFound("There is no such report.")
    if await shows_others(work, request):
        async with transaction(work.ground, PROGRAM, aside=True) as own:
            await ending.drop_reports(own, DataRequest.id == request_id)
        raise Conflict(_SHOWS_OTHERS)
    await write_reading(
        work, AuditLog.DATA_REPORT_OPENED, f"data_request:{request_id}", format=kind
    )
    await _note_opened(work, request_id)
    (opened,) = await work.keys.open_all([(_place(file.id), file.content_sealed)])
    return told(opened)


def _place(file_id: UUID) -> Bound:
    return Bound("data_request_files", "content_sealed", file_id)


async def _note_opened(work: Work, request_id: UUID) -> None:
    first = await work.session.execute(
        update(DataRequest)
        .where(DataRequest.id == request_id, DataRequest.opened_at.is_(None))
        .values(opened_at=work.now)
        .returning(DataRequest.id)
        .execution_options(synchronize_session="fetch")
    )
    if first.scalar() is not None:
        work.announce(Topic.DATA_REQUESTS)


async def may_take_over(work: Work, staff: Staff | None, request: DataRequest) -> bool:
    """Return whether a person, or the command line (None), can take a report over.

    That is so when its officer has left, or is none any more. No person opens what they decided.
    """
    own_id = staff.id if staff is not None else None
    if request.holder is None or request.decided_by == own_id or not can_open(work, request):
        return False
    may_answer = staff is None or may(staff.role, Permission.ANSWER_DATA_REQUESTS)
    return may_answer and await has_left(work, request)


async def take_over(work: Work, staff: Staff | None, request_id: UUID) -> DataRequest:
    """Take over a report whose officer has left, so that the person is answered.

    Raises NotFound, NotAllowed, Conflict.
    """
    request = await lock_request(work, request_id)
    check_officer(staff)
    if not can_open(work, request):
        raise Conflict(_NO_REPORT)
    if not await may_take_over(work, staff, request):
        raise NotAllowed(_NOT_YOURS)
    before = request.holder
    request.taken_at, request.taken_by = work.now, staff.id if staff is not None else None
    await work.session.flush()
    write_entry(
        work,
        AuditLog.DATA_REQUEST_TAKEN_OVER,
        f"data_request:{request.id}",
        before={"staff_id": str(before)},
        after={"staff_id": str(request.taken_by) if request.taken_by else None},
    )
    work.announce(Topic.DATA_REQUESTS)
    return request


async def forget_reports(ground: Ground) -> int:
    """Delete reports whose days are over. Return how many requests had one."""
    async with transaction(ground, PROGRAM) as work:
        return await expire_files(work)


async def expire_files(work: Work) -> int:
    """Delete reports whose days are over; the requests stay. Return how many had one."""
    return await ending.drop_reports(work, DataRequest.done_at <= work.now - LASTS)
