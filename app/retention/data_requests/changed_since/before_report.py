"""What a report leaves out, because it may be about another person since it was searched."""

from uuid import UUID

from sqlalchemy import select

from app.referrals.models import Referral
from app.retention.data_requests.changed_since.beside_contacts import (
    OF_CALLS,
    OF_NUMBERS,
    came_since,
    contacts_beside,
    of_their_numbers,
)
from app.retention.data_requests.changed_since.listed import RECORDS, Rows, by_kind, of_request
from app.retention.data_requests.changed_since.referrals_since import list_referrals
from app.retention.data_requests.changed_since.searched_again import (
    lost_rows,
    marked_anew,
    rang_from,
    search_again,
)
from app.retention.data_requests.children import UNKNOWN, count_children, records_of
from app.retention.data_requests.kinds import AskingPerson, ItemKind, Keep
from app.retention.data_requests.models import DataRequest, RequestItem
from app.retention.data_requests.same_children import Only, of_other_children
from app.retention.data_requests.searched import Sought, sought_of
from app.work import Work


async def leave_out(work: Work, request: DataRequest, sought: Sought, items: Rows) -> None:
    """Leave out of a report what may be about another person since it was searched.

    A referral that was opened since is listed, and counts as left out. Call it in the transaction
    that reads the report, which sees one state of the database.
    """
    for row in await _shown_of_others(work, request, sought, items):
        row.keep = Keep.ANOTHER_PERSON.value
    await list_referrals(work, request, by_kind(items))
    await work.session.flush()


async def shows_others(work: Work, request: DataRequest) -> bool:
    """Return whether a finished report has a row that would be left out if it were made now.

    A version that kept no list of what a report shows cannot be asked: its reports last on.
    """
    if request.sought_sealed is None:
        return False
    every = await of_request(work, request)
    items = [row for rows in every.values() for row in rows]
    return bool(await _shown_of_others(work, request, sought_of(work, request), items))


async def _shown_of_others(
    work: Work, request: DataRequest, sought: Sought, items: Rows
) -> list[RequestItem]:
    every = by_kind(items)
    trail = await search_again(work, request, sought, every)
    lost = await lost_rows(work, sought, every, trail)
    ids = [row.subject_id for row in every[ItemKind.CONTACT]]
    rang = await rang_from(work, sought, every)
    contacts = await of_other_children(work, ItemKind.CONTACT, ids, sought.children, rang)
    contacts |= lost[ItemKind.CONTACT]
    anew = await marked_anew(work, request, sought, every, trail)
    found: list[RequestItem] = []
    for kind, rows in every.items():
        if kind in RECORDS:
            only = await _entries_shown(work, request, sought, kind, rows)
            ids = [row.subject_id for row in rows]
            others = await of_other_children(work, kind, ids, sought.children, rang, only)
        elif kind in OF_NUMBERS:
            others = await of_their_numbers(work, kind, rows, every, lost)
        else:
            others = await _beside(work, kind, rows, every[ItemKind.CONTACT], contacts)
        others = others | lost[kind] | anew[kind]
        found += [row for row in rows if row.keep is None and row.subject_id in others]
    return found


async def _beside(
    work: Work, kind: ItemKind, rows: Rows, listed: Rows, changed: set[UUID]
) -> set[UUID]:
    """Return which rows belong to a changed contact, or to one that came to the call since."""
    beside = await contacts_beside(work, kind, {row.subject_id for row in rows})
    if kind in OF_CALLS:
        changed = changed | await came_since(work, beside, listed)
    return {id_ for id_, contact in beside if contact in changed}


async def _entries_shown(
    work: Work, request: DataRequest, sought: Sought, kind: ItemKind, rows: Rows
) -> Only:
    """Return of records about several children which entries the report may have.

    Another entry may change or go. All is compared that is about one child, and so is what was
    about one if it is not known in which entry that is.
    """
    if request.person == AskingPerson.CALLER:
        return {}
    told = {row.subject_id: UNKNOWN if row.children is None else row.children for row in rows}
    counts = await count_children(work, {kind: told})
    several = {id_ for id_, then in told.items() if max(counts[id_], then) > 1}
    found: dict[UUID, tuple[UUID, list[str]]] = {}
    if kind is not ItemKind.REFERRAL:
        for record in await records_of(work, several):
            asked = sought.entries.get(record.code, [])
            if asked or told[record.id] > 1:
                found[record.id] = record.id, asked
        return found
    for one in await work.session.scalars(select(Referral).where(Referral.id.in_(several))):
        if one.contact_id is not None and one.child_entry is not None:
            found[one.id] = one.contact_id, [one.child_entry]
    return found
