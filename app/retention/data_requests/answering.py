"""Carry out an approved request: erase, or make the report and keep it sealed for a few days."""

from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, select, text

from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.jobs.passing import PASSING
from app.jobs.transaction import transaction
from app.retention.data_requests import ending, erasing, letters
from app.retention.data_requests.kinds import RequestEnd, RequestKind, RequestState
from app.retention.data_requests.models import DataRequest, RequestFile, RequestItem
from app.retention.data_requests.report import files_of, read_all
from app.retention.data_requests.requests import close, is_own, items_of, read_request
from app.retention.data_requests.sought import sought_of
from app.staff.audit import write_entry, write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import PROGRAM, Ground, Work

ONE_STATE = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
# How long the report can be opened.
LASTS = timedelta(days=7)
FORMATS = {"pdf": "application/pdf", "json": "application/json"}


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
            # What is read is what was compared: no child takes the place of another meanwhile.
            await work.session.execute(ONE_STATE)
            page = await read_all(work, await read_request(work, request_id))
        files = await files_of(page)
    except Exception as error:
        # The job runs again after an error that may pass; any other one is final and shown.
        if not isinstance(error, PASSING):
            async with transaction(ground, PROGRAM) as work:
                await fail(work, request_id)
        raise
    async with transaction(ground, PROGRAM) as work:
        await keep_files(work, request_id, files)


async def fail(work: Work, request_id: UUID) -> None:
    """Write down that the report could not be made, and forget whom it was about.

    Who asked for it is told: the person still waits.
    """
    request = await work.session.get(DataRequest, request_id, with_for_update=True)
    if request is not None and request.state == RequestState.APPROVED:
        await close(work, request, RequestState.FAILED)
        await letters.tell_of_end(work, [request_id], RequestEnd.FAILED)


async def keep_files(work: Work, request_id: UUID, files: dict[str, bytes]) -> None:
    """Keep the report sealed, and forget whom it is about besides."""
    request = await work.session.get(DataRequest, request_id, with_for_update=True)
    if request is None or request.state != RequestState.APPROVED:
        return
    for kind, content in files.items():
        file_id = uuid4()
        sealed = work.keys.seal(
            content, table="data_request_files", column="content_sealed", row=file_id
        )
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
    request.sought_sealed = None
    await work.session.execute(delete(RequestItem).where(RequestItem.request_id == request_id))
    await work.session.flush()
    write_entry(
        work,
        AuditLog.DATA_REPORT_MADE,
        f"data_request:{request_id}",
        rows=sum(request.counts.values()),
        left=sum(request.kept.values()),
    )
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
    """Return the report, for the officer who asked for it. The reading is logged first.

    Raises Invalid, NotFound, NotAllowed, Conflict.
    """
    if kind not in FORMATS:
        raise Invalid("Choose one of these formats: %(formats)s.", formats=list(FORMATS))
    request = await read_request(work, request_id)
    # The role may have changed since.
    if staff is not None and not may(staff.role, Permission.ANSWER_DATA_REQUESTS):
        raise NotAllowed()
    if not is_own(staff, request):
        raise NotAllowed("Only the person who asked for this report may open it.")
    if not can_open(work, request):
        raise Conflict("There is no report to open: it is not made yet, or its days are over.")
    file = await work.session.scalar(
        select(RequestFile).where(RequestFile.request_id == request_id, RequestFile.format == kind)
    )
    if file is None:
        raise NotFound("There is no such report.")
    await write_reading(
        work, AuditLog.DATA_REPORT_OPENED, f"data_request:{request_id}", format=kind
    )
    return work.keys.open(
        file.content_sealed, table="data_request_files", column="content_sealed", row=file.id
    )


async def forget_reports(ground: Ground) -> int:
    """Delete reports whose days are over. Return of how many requests."""
    async with transaction(ground, PROGRAM) as work:
        return await expire_files(work)


async def expire_files(work: Work) -> int:
    """Delete reports whose days are over; the requests stay. Return of how many requests."""
    return await ending.drop_reports(work, DataRequest.done_at <= work.now - LASTS)
