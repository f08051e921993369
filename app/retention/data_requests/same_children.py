"""Whether what is to be erased still tells of the children of whom it told when it was searched.

While an erasure waits an entry can be replaced, or put right because it was another child's: then
the officer has to decide anew. The hashes by which names, years of birth and numbers are found are
compared; no record is opened for it.

A request that an earlier version has searched has no such hashes. Of its records that were written
in since, it is not known whether they tell of another child.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.contacts.cases.models import CaseContact, SameChild
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case, Contact, RecordEvent
from app.retention.data_requests.children import Child, Children, children_of_rows
from app.retention.data_requests.kinds import ItemKind
from app.work import Work

# By the id of a contact, case or referral, and by that of each record that tells of its children:
# these children; None if the form was not known. It is sealed with what was looked for.
OfRecords = dict[str, list[dict[str, Any]] | None]
Written = dict[str, OfRecords]
_HASHES = ("names", "born", "phones")
_RECORDS = (ItemKind.REFERRAL, ItemKind.CASE, ItemKind.CONTACT)


async def write_children(work: Work, rows: Mapping[ItemKind, Iterable[UUID]]) -> Written:
    """Return of which children each of these rows tells now."""
    found: Written = {}
    for kind in _RECORDS:
        of_row, children = await children_of_rows(work, kind, rows.get(kind, []))
        found |= {str(row): _of_records(children, records) for row, records in of_row.items()}
    return found


async def of_other_children(
    work: Work, kind: ItemKind, ids: Iterable[UUID], written: Written, since: datetime
) -> set[UUID]:
    """Return which of these rows tell of other children than then, or of fewer.

    A contact that was linked to a case since is left aside if each child in it is known to be one
    of before.

    A record that is erased meanwhile tells of none, and is left aside. Of a row of which nothing
    was written down, nothing is known: it counts as one of them if it was written in `since` the
    search.
    """
    of_row, children = await children_of_rows(work, kind, ids)
    now = {str(row): _of_records(children, records) for row, records in of_row.items()}
    then = {row: written[row] for row in now if row in written}
    for row in then:
        for record in _of_the_same(children, then[row], now[row]):
            del now[row][record]
    gone = {str(record) for record in children.erased}
    hashes = _carried(work, then, now)
    unknown = {row: records for row, records in of_row.items() if str(row) not in then}
    return await _written_in(work, unknown, since) | {
        row
        for row in of_row
        if (before := then.get(str(row))) is not None
        and not _are_same(hashes, before, now[str(row)], gone)
    }


async def _written_in(
    work: Work, of_row: Mapping[UUID, Collection[UUID]], since: datetime
) -> set[UUID]:
    """Return which of these rows may tell of other children since an instant: a record was written
    in, or a contact came to a case or left it, or it was said which child it is about."""
    if not of_row:
        return set()
    ids = {record for records in of_row.values() for record in records}
    left = RecordEvent.kind == RecordLog.CONTACT_UNLINKED
    written: set[UUID] = set()
    for statement in (
        select(Contact.id).where(Contact.id.in_(ids), Contact.edited_at >= since),
        select(Case.id).where(Case.id.in_(ids), Case.edited_at >= since),
        select(CaseContact.case_id).where(
            CaseContact.case_id.in_(ids), CaseContact.linked_at >= since
        ),
        select(SameChild.case_id).where(SameChild.case_id.in_(ids), SameChild.said_at >= since),
        select(RecordEvent.subject_id).where(
            RecordEvent.subject_id.in_(ids), left, RecordEvent.at >= since
        ),
    ):
        written |= set(await work.session.scalars(statement))
    return {row for row, records in of_row.items() if not written.isdisjoint(records)}


def _of_the_same(children: Children, then: OfRecords, now: OfRecords) -> list[str]:
    """Return which records that came since tell of children, and of none but those of before."""
    before = [child for record in then for child in children.of(UUID(record))]
    of_new = {record: children.of(UUID(record)) for record in now.keys() - then.keys()}
    return [
        record
        for record, new in of_new.items()
        if new and all(_is_known(one, before) for one in new)
    ]


def _is_known(child: Child, before: list[Child]) -> bool:
    """Return whether a child is one of these: what a colleague has said stands before its name."""
    said = [one for one in before if one.record in child.in_cases]
    if said:
        return any(child.in_cases[one.record] == one.entry for one in said)
    return any(child.is_same(one) for one in before)


def _of_records(children: Children, records: Iterable[UUID]) -> OfRecords:
    found: OfRecords = {}
    for record in set(records) - children.erased:
        of_record = children.of_record.get(record, [])
        found[str(record)] = None if of_record is None else [_written(one) for one in of_record]
    return found


def _written(child: Child) -> dict[str, Any]:
    keys = (child.names, child.born, child.phones)
    hashes = {what: sorted(key.hex() for key in of) for what, of in zip(_HASHES, keys, strict=True)}
    return {"entry": child.entry, **hashes}


def _carried(work: Work, *written: Written) -> dict[str, str]:
    """Return each of these hashes as it is stored now: their key may be rotated meanwhile."""
    stored = {
        key
        for one in written
        for of_records in one.values()
        for of_record in of_records.values()
        for child in of_record or []
        for what in _HASHES
        for key in child[what]
    }
    as_now = work.keys.carried([bytes.fromhex(key) for key in stored], work.keys.generation)
    return dict(zip(stored, (key.hex() for key in as_now), strict=True))


def _are_same(
    hashes: dict[str, str], then: OfRecords, now: OfRecords, gone: Collection[str]
) -> bool:
    if then.keys() - gone != now.keys():
        return False
    for record, of_record in now.items():
        before = then[record]
        if before is None or of_record is None:
            if before is not of_record:
                return False
            continue
        by_entry = {one["entry"]: one for one in of_record}
        if {one["entry"] for one in before} != by_entry.keys():
            return False
        if not all(_is_same(hashes, one, by_entry[one["entry"]]) for one in before):
            return False
    return True


def _is_same(hashes: dict[str, str], then: dict[str, Any], now: dict[str, Any]) -> bool:
    """Return whether what was written of a child still is. More may be written since.

    A name may be given in full, or shortened; it is another one if a word of it was replaced.
    """
    names, born, phones = (
        tuple({hashes[key] for key in child[what]} for child in (then, now)) for what in _HASHES
    )
    is_named = names[0] <= names[1] or (bool(names[1]) and names[1] <= names[0])
    return is_named and all(not was or bool(was & is_) for was, is_ in (born, phones))
