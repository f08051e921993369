"""How requests and reports end because another request erases their rows. The officers who
began them are told.

No request ends because it has waited: the person who asked does, too (`reminding.py`).
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, tuple_, update
from sqlalchemy.orm import aliased

from app.database.topics import Topic
from app.retention.data_requests import letters
from app.retention.data_requests.kinds import OPEN, RequestEnd, RequestKind, RequestState
from app.retention.data_requests.models import DataRequest, RequestFile, RequestItem
from app.retention.data_requests.requests import close, is_any_free, items_of
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import Work

_S = RequestState


async def end_others(work: Work, request_id: UUID) -> None:
    """End what would outlast an erasure: requests of which no row is left, and all reports.

    An open request of which other rows are left loses those that are erased, and goes on. A report
    that is being made ends, too: what it has read is not kept. A finished report says more than the
    rows that it shows, so each of them may be about the person. Other erasures that are approved go
    on without these rows: each is erased, or kept, in one receipt. Call it while the erased rows
    are still listed, and not beside another erasure.
    """
    own, other = aliased(RequestItem), aliased(RequestItem)
    shared = exists().where(
        other.request_id == DataRequest.id,
        own.kind == other.kind,
        own.subject_id == other.subject_id,
        own.request_id == request_id,
        own.erased_at.is_not(None),
    )
    report = and_(DataRequest.kind == RequestKind.ACCESS, DataRequest.state == _S.APPROVED)
    found = await _lock(
        work, DataRequest.id != request_id, shared, or_(DataRequest.state.in_(OPEN), report)
    )
    erased = (
        select(own.kind, own.subject_id)
        .where(own.request_id == request_id, own.erased_at.is_not(None))
        .subquery()
    )
    await _take_from_erasures(work, request_id, erased)
    over = [one for one in found if one.state not in OPEN or not await _lose(work, one, erased)]
    await _end(work, over)
    # After that: one that was finished meanwhile is a report now.
    await letters.tell_of_end(work, await _drop(work), RequestEnd.REPORT_GONE)


async def _take_from_erasures(work: Work, request_id: UUID, erased: Any) -> None:
    """Take erased rows out of other erasures that are being carried out."""
    others = select(DataRequest.id).where(
        DataRequest.id != request_id,
        DataRequest.kind == RequestKind.ERASURE,
        DataRequest.state == _S.APPROVED,
    )
    await work.session.execute(
        delete(RequestItem)
        .where(
            RequestItem.request_id.in_(others),
            RequestItem.erased_at.is_(None),
            tuple_(RequestItem.kind, RequestItem.subject_id).in_(select(erased)),
        )
        .execution_options(synchronize_session="fetch")
    )


async def _lose(work: Work, request: DataRequest, erased: Any) -> bool:
    """Take erased rows out of an open request. Return whether it has others to go on with."""
    before = Counter(one.kind for one in await items_of(work, request))
    await work.session.execute(
        delete(RequestItem)
        .where(
            RequestItem.request_id == request.id,
            tuple_(RequestItem.kind, RequestItem.subject_id).in_(select(erased)),
        )
        .execution_options(synchronize_session="fetch")
    )
    left = await items_of(work, request)
    is_report = request.kind == RequestKind.ACCESS
    if not left or (is_report and request.state == _S.ASKED and not is_any_free(left)):
        return False
    write_entry(
        work,
        AuditLog.DATA_REQUEST_KEPT,
        f"data_request:{request.id}",
        before=dict(sorted(before.items())),
        after=dict(sorted(Counter(one.kind for one in left).items())),
    )
    work.announce(Topic.DATA_REQUESTS)
    return True


async def _lock(work: Work, *which: ColumnElement[bool]) -> Sequence[DataRequest]:
    rows = await work.session.scalars(
        select(DataRequest)
        .where(*which)
        .order_by(DataRequest.id)
        .with_for_update(of=DataRequest)
        .execution_options(populate_existing=True)
    )
    return rows.all()


async def _end(work: Work, requests: Sequence[DataRequest]) -> None:
    for request in requests:
        await close(work, request, _S.LAPSED)
        write_entry(
            work, AuditLog.DATA_REQUEST_LAPSED, f"data_request:{request.id}", kind=request.kind
        )
    await letters.tell_of_end(work, [one.id for one in requests], RequestEnd.OVERTAKEN)


async def drop_reports(work: Work, *which: Any) -> int:
    """Delete the files of finished reports; the requests stay. Return how many had one."""
    return len(await _drop(work, *which))


async def _drop(work: Work, *which: Any) -> list[UUID]:
    there = exists().where(RequestFile.request_id == DataRequest.id)
    ids = list(
        await work.session.scalars(
            select(DataRequest.id)
            .where(DataRequest.state == _S.DONE, there, *which)
            .order_by(DataRequest.id)
            .with_for_update()
        )
    )
    if ids:
        for of_report in (RequestFile, RequestItem):
            await work.session.execute(delete(of_report).where(of_report.request_id.in_(ids)))
        await work.session.execute(
            update(DataRequest)
            .where(DataRequest.id.in_(ids))
            # Now it is to be begun again.
            .values(state=_S.EXPIRED.value, reminded_at=None, sought_sealed=None)
            .execution_options(synchronize_session="fetch")
        )
        work.announce(Topic.DATA_REQUESTS)
    return ids
