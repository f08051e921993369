"""What an erasure keeps, because it may be about another person since it was searched."""

from uuid import UUID

from sqlalchemy import select

from app.retention.data_requests.changed_since.beside_contacts import (
    OF_NUMBERS,
    came_since,
    contacts_beside,
    of_their_numbers,
)
from app.retention.data_requests.changed_since.listed import RECORDS, Listed, Rows, of_request
from app.retention.data_requests.changed_since.referrals_since import list_referrals
from app.retention.data_requests.changed_since.searched_again import (
    lost_rows,
    marked_anew,
    rang_from,
    search_again,
)
from app.retention.data_requests.children import count_children
from app.retention.data_requests.held_or_open import that_stay_with
from app.retention.data_requests.kinds import Because, ItemKind, Keep
from app.retention.data_requests.models import DataRequest, RequestItem
from app.retention.data_requests.same_children import RangFrom, of_other_children
from app.retention.data_requests.searched import Sought, sought_of
from app.work import Work


async def keep_others(work: Work, request: DataRequest) -> set[UUID]:
    """Keep what is about other people than the officer was told, before anything is erased.

    Later less is known: what is erased tells no more where it led to. Records are locked. Return
    what was to be erased and is kept now.
    """
    kept: set[UUID] = set()
    every = await of_request(work, request)
    for kind in RECORDS:
        await _lock(work, kind, every[kind])
    sought = sought_of(work, request)
    trail = await search_again(work, request, sought, every)
    lost = await lost_rows(work, sought, every, trail)
    await _keep_for_referrals(work, request, every, lost)
    anew = await marked_anew(work, request, sought, every, trail)
    for kind, rows in every.items():
        others = anew[kind] | await _others(work, request, kind, rows, every, lost)
        for row in rows:
            if row.keep is None and row.subject_id in others:
                row.keep = Keep.ANOTHER_PERSON.value
                kept.add(row.subject_id)
    await work.session.flush()
    return kept


async def _keep_for_referrals(
    work: Work, request: DataRequest, every: Listed, lost: dict[ItemKind, set[UUID]]
) -> None:
    """Take what a referral that was opened and closed since belongs to as lost.

    Without it the referral could not be found again. One that is open keeps it as all open work.
    """
    since = await list_referrals(work, request, every)
    closed = {one.id for one in since if one.closed_at is not None}
    if not closed:
        return
    found = {
        kind: {row.subject_id: Because(row.because) for row in rows} for kind, rows in every.items()
    }
    for kind, ids in (await that_stay_with(work, closed, found)).items():
        lost[kind] |= ids


async def of_others(
    work: Work, request: DataRequest, kind: ItemKind, rows: list[RequestItem]
) -> set[UUID]:
    """Return which rows are about other people than the officer was told. Records are locked."""
    every = await of_request(work, request)
    locked = kind if kind in RECORDS else ItemKind.CONTACT
    await _lock(work, locked, every[locked])
    sought = sought_of(work, request)
    trail = await search_again(work, request, sought, every)
    lost = await lost_rows(work, sought, every, trail)
    await _keep_for_referrals(work, request, every, lost)
    return await _others(work, request, kind, rows, every, lost)


async def _others(
    work: Work,
    request: DataRequest,
    kind: ItemKind,
    rows: list[RequestItem],
    every: Listed,
    lost: dict[ItemKind, set[UUID]],
) -> set[UUID]:
    sought = sought_of(work, request)
    if not rows:
        return set()
    rang = await rang_from(work, sought, every)
    if kind in RECORDS:
        return lost[kind] | await _changed(work, sought, kind, rows, rang)
    if kind in OF_NUMBERS:
        return lost[kind] | await of_their_numbers(work, kind, rows, every, lost)
    beside = await contacts_beside(work, kind, {row.subject_id for row in rows})
    contacts = {contact for _, contact in beside}
    listed = [row for row in every[ItemKind.CONTACT] if row.subject_id in contacts]
    changed = lost[ItemKind.CONTACT] | await _changed(work, sought, ItemKind.CONTACT, listed, rang)
    # A call that was named, or what is erased again, was decided with the contacts that it has:
    # neither has a label.
    searched = {row.subject_id for row in rows if row.because != Because.CODE or row.label}
    came = await came_since(work, beside, every[ItemKind.CONTACT])
    others = {id_ for id_, contact in beside if contact in came and id_ in searched}
    return lost[kind] | others | {id_ for id_, contact in beside if contact in changed}


async def _lock(work: Work, kind: ItemKind, rows: Rows) -> None:
    model, ids = RECORDS[kind], [row.subject_id for row in rows]
    await work.session.execute(
        select(model.id).where(model.id.in_(ids)).order_by(model.id).with_for_update(of=model)
    )


async def _changed(
    work: Work, sought: Sought, kind: ItemKind, rows: list[RequestItem], rang: RangFrom
) -> set[UUID]:
    """Return which records tell of more or other children than the officer was told."""
    # If it is not known what the officer was told, they did not hear of several.
    told = {row.subject_id: max(row.children or 1, 1) for row in rows}
    counts = await count_children(work, {kind: told})
    others = await of_other_children(work, kind, told, sought.children, rang)
    return others | {id_ for id_, known in told.items() if counts[id_] > known}
