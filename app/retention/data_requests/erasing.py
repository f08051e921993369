"""Erase what was found about a person: kind by kind, in batches that may be run again.

The rows stay with what is counted, as when their time is over; what tells of the person goes, and
so does all by which their rows are joined: hashes of numbers, profiles, the list of the request.
"""

from collections import Counter
from uuid import UUID

from sqlalchemy import Select, delete, exists, func, select
from sqlalchemy.orm import aliased

from app.database.topics import Topic
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.privacy.hash_kinds import HashOf
from app.retention.data_requests import ending, reminding, requests, wanted_copies
from app.retention.data_requests.changed_since.before_erasure import keep_others, of_others
from app.retention.data_requests.erasing_kinds import ERASERS
from app.retention.data_requests.held_or_open import seen_by_program
from app.retention.data_requests.kinds import Because, ItemKind, Keep, RequestState
from app.retention.data_requests.lists import keep_list
from app.retention.data_requests.models import DataRequest, RequestItem
from app.retention.data_requests.searched import seal_sought, sought_of
from app.retention.forgotten_numbers import forget_numbers, leave_profiles
from app.retention.rules import beside_others
from app.retention.running import ERASING, NOT_ERASING, drop_files
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.statistics.models import Export, ExportState
from app.work import PROGRAM, Ground, Work

_AT_ONCE = 50
# Brothers and sisters ask about the same rows: of two erasures the second one sees what the first
# has done, and neither waits for a row of the other without end.
_LOCK = 116_125
_BESIDE_RECORDS = frozenset({ItemKind.FLAG, ItemKind.WISH, ItemKind.PROFILE})


async def carry_out(
    ground: Ground, request_id: UUID, *, listed: bool = False
) -> dict[tuple[ItemKind, UUID], Keep]:
    """Erase everything of an approved request that is not kept. May be run any number of times.

    `listed`: the list outside the database, from which it is erased again, stays as it is.
    Return why rows stayed; nothing if the request was over already.
    """
    if not listed:
        async with transaction(ground, PROGRAM) as work:
            if changed := await keep_first(work, request_id):
                await give_back_changed(work, request_id, changed)
                return {}
            await keep_list(work, request_id, whole=False)
    for kind in ItemKind:
        while await one_batch(ground, request_id, kind):
            pass
    async with transaction(ground, PROGRAM) as work:
        await _one_after_another(work)
        if not listed:
            await keep_list(work, request_id, whole=True)
        rows = await work.session.execute(
            select(RequestItem.kind, RequestItem.subject_id, RequestItem.keep).where(
                RequestItem.request_id == request_id, RequestItem.keep.is_not(None)
            )
        )
        keeps = {(ItemKind(kind), id_): Keep(keep) for kind, id_, keep in rows if keep}
        await finish(work, request_id, listed=listed)
    return keeps


async def keep_first(work: Work, request_id: UUID) -> set[UUID]:
    """Keep what is another person's, held or in work before it is listed: a restore erases by the
    list alone. Return what may be another person's only since it was searched."""
    changed: set[UUID] = set()
    await _one_after_another(work)
    request = await work.session.get(DataRequest, request_id, with_for_update=True)
    is_approved = request is not None and request.state == RequestState.APPROVED
    if request is not None and is_approved and not await _has_begun(work, request_id):
        changed = await keep_others(work, request)
        was_open = RequestItem.keep == Keep.STILL_OPEN.value
        open_then = exists().where(RequestItem.request_id == request_id, was_open)
        waits = bool(await work.session.scalar(select(open_then)))
        await _keep_in_work(work, request_id, waits=waits)
    return changed


async def _one_after_another(work: Work) -> None:
    """Wait until no other erasure has a part under way. Take it before a request is locked."""
    await work.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def one_batch(ground: Ground, request_id: UUID, kind: ItemKind) -> bool:
    """Erase some rows of a kind in a transaction of its own. Return whether there may be more."""
    async with transaction(ground, PROGRAM, long=True) as work:
        return await erase_some(work, request_id, kind)


async def erase_some(work: Work, request_id: UUID, kind: ItemKind) -> bool:
    """Erase the next rows of a kind. Return whether there were any.

    A row that was held or came into work again since it was approved is kept now, with what belongs
    to it. So is a record that tells of more or other children since. One that another request has
    erased is left to its receipt.
    """
    await _one_after_another(work)
    await beside_others(work)
    request = await work.session.get(DataRequest, request_id, with_for_update=True)
    if request is None or request.state != RequestState.APPROVED:
        return False
    rows = await _next_rows(work, request_id, kind)
    if not rows:
        return False
    first = not await _has_begun(work, request_id)
    if first:
        await keep_others(work, request)
        rows = await _next_rows(work, request_id, kind)
        if not rows:
            return False
    rows = await _without_erased(work, kind, rows)
    if not rows:
        return True
    if not first:
        others = await of_others(work, request, kind, rows)
        for row in rows:
            if row.subject_id in others:
                row.keep = Keep.ANOTHER_PERSON.value
    # The records are locked: a counsellor who has just opened one is seen, and one who comes now
    # reads that it is erased.
    await _keep_in_work(work, request_id)
    rows = [row for row in rows if row.keep is None]
    free = [row.subject_id for row in rows]
    await work.session.execute(ERASING)
    erased = set(await ERASERS[kind](work, request, free)) if free else set()
    await work.session.execute(NOT_ERASING)
    await wanted_copies.of_alarms(work, request.id, erased)
    for row in rows:
        if row.subject_id in erased:
            row.erased_at = work.now
        else:
            # A record whose form this server has not read is left as it is.
            row.keep = Keep.STILL_OPEN.value
    await work.session.flush()
    return True


async def _keep_in_work(work: Work, request_id: UUID, *, waits: bool = False) -> None:
    """Keep what is held or in work now. What belongs to it stays also if the work ends before its
    turn comes: a record that is kept has its call. If no record is left to erase until work on one
    ends, flags and wishes stay, too: the request would be done, and the person would still wait.
    `waits`: a record was open when it was searched.
    """
    erased = aliased(RequestItem)
    by_another = exists().where(
        erased.kind == RequestItem.kind,
        erased.subject_id == RequestItem.subject_id,
        erased.erased_at.is_not(None),
    )
    rows = await work.session.scalars(_left_of(request_id).where(~by_another))
    left = {(ItemKind(row.kind), row.subject_id): row for row in rows}
    found: dict[ItemKind, dict[UUID, Because]] = {}
    for kind, id_ in left:
        found.setdefault(kind, {})[id_] = Because.CODE
    seen = await seen_by_program(work, found)
    for one, keep in seen.items():
        left[one].keep = keep.value
    free = left.keys() - seen.keys()
    alone = {kind for kind, _ in free} <= _BESIDE_RECORDS
    waits = waits or Keep.STILL_OPEN in seen.values()
    if alone and waits and not await _has_begun(work, request_id):
        for one in free:
            left[one].keep = Keep.STILL_OPEN.value
    await work.session.flush()


async def _has_begun(work: Work, request_id: UUID) -> bool:
    erased = RequestItem.request_id == request_id, RequestItem.erased_at.is_not(None)
    return bool(await work.session.scalar(select(exists().where(*erased))))


async def _next_rows(work: Work, request_id: UUID, kind: ItemKind) -> list[RequestItem]:
    of_kind = _left_of(request_id).where(RequestItem.kind == kind.value)
    rows = await work.session.scalars(of_kind.order_by(RequestItem.subject_id).limit(_AT_ONCE))
    return list(rows)


def _left_of(request_id: UUID) -> Select[RequestItem]:
    """Return the rows of a request that are still to be erased."""
    return select(RequestItem).where(
        RequestItem.request_id == request_id,
        RequestItem.keep.is_(None),
        RequestItem.erased_at.is_(None),
    )


async def _without_erased(work: Work, kind: ItemKind, rows: list[RequestItem]) -> list[RequestItem]:
    """Take rows out that another erasure, which is not finished yet, has erased."""
    gone = set(
        await work.session.scalars(
            select(RequestItem.subject_id).where(
                RequestItem.kind == kind.value,
                RequestItem.subject_id.in_([row.subject_id for row in rows]),
                RequestItem.erased_at.is_not(None),
            )
        )
    )
    for row in rows:
        if row.subject_id in gone:
            await work.session.delete(row)
    await work.session.flush()
    return [row for row in rows if row.subject_id not in gone]


async def finish(work: Work, request_id: UUID, *, listed: bool = False) -> None:
    """Write the receipt, forget which rows they were, and have the provider's copies deleted.

    If all of it had to be kept, nothing is done: the officer has it again, with the reasons. What
    is erased again from a list was erased before, and is done whatever stays.
    """
    request = await work.session.get(DataRequest, request_id, with_for_update=True)
    if request is None or request.state != RequestState.APPROVED:
        return
    if await _has_begun(work, request_id):
        await _forget_sought(work, request)
    items = await requests.items_of(work, request)
    # If a request is carried out again after a restore, what was erased before still counts.
    erased = Counter(item.kind for item in items if item.erased_at is not None)
    request.counts = dict(Counter(request.counts) + erased)
    request.kept = requests.kept_of(items)
    if not listed and not request.counts and request.kept:
        await _give_back(work, request)
        return
    request.state, request.done_at = RequestState.DONE.value, work.now
    if request.counts:
        await ending.end_others(work, request_id)
    await work.session.execute(delete(RequestItem).where(RequestItem.request_id == request_id))
    if request.counts:
        await _drop_files(work)
    await work.session.flush()
    write_entry(
        work,
        AuditLog.DATA_REQUEST_ERASED,
        f"data_request:{request_id}",
        before=dict(sorted(request.counts.items())),
        after=dict.fromkeys(sorted(request.counts), 0),
        left=sum(request.kept.values()),
    )
    work.announce(Topic.DATA_REQUESTS, Topic.RECORDS, Topic.CALLS, Topic.MESSAGES)
    work.defer(Task.FIND_COPIES, request_id=str(request_id))


async def _forget_sought(work: Work, request: DataRequest) -> None:
    """Forget the numbers that were looked for, as far as no call has them any more, and what joins
    erased contacts with another person's."""
    numbers = sought_of(work, request).numbers
    keys = {key for one in numbers for key in work.keys.match_keys(HashOf.CALLER, one)}
    await work.session.execute(ERASING)
    await forget_numbers(work, request, keys)
    await leave_profiles(work, request)
    await work.session.execute(NOT_ERASING)


async def give_back_changed(work: Work, request_id: UUID, changed: set[UUID]) -> None:
    """Give a request back before anything is erased: its officer sees which rows have changed.

    A record whose number was put right may be the person's all the same: a new search says so. If
    the officer asks once more instead, the rest is erased, and these rows are kept.
    """
    request = await requests.lock_request(work, request_id)
    sought = sought_of(work, request)
    rows = sorted({*sought.changed, *(str(one) for one in changed)})
    request.sought_sealed = seal_sought(work, request.id, sought._replace(changed=rows))
    items = await requests.items_of(work, request)
    request.kept = requests.kept_of(items)
    await _give_back(work, request)
    if requests.is_any_free(items):
        # No receipt yet.
        request.kept = {}


async def _give_back(work: Work, request: DataRequest) -> None:
    """Give a request of which nothing was erased back to its officer: the person still waits.

    The officer has it refused, with the grounds, or begins it again.
    """
    request.state, request.asked_at = RequestState.FOUND.value, None
    request.decided_by = request.decided_role = request.decided_at = None
    await work.session.flush()
    write_entry(
        work,
        AuditLog.DATA_REQUEST_KEPT,
        f"data_request:{request.id}",
        before={},
        after=dict(sorted(request.kept.items())),
    )
    await reminding.tell_of_nothing_erased(work, request)
    work.announce(Topic.DATA_REQUESTS)


async def _drop_files(work: Work) -> None:
    """Delete the files of single records: the person may be in each of them, also in one that is
    being made. They can be asked for again."""
    states = (ExportState.READY, ExportState.IN_PROGRESS)
    of_records = (Export.personal, Export.state.in_(states))
    ids = list(await work.session.scalars(select(Export.id).where(*of_records).with_for_update()))
    if ids:
        await drop_files(work, ids)
