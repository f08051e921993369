"""Whether what is to be erased still tells of the children of whom it told when it was searched.

While an erasure waits an entry can be replaced, or put right because it was another child's: then
the officer has to decide anew. The hashes by which names, years of birth and numbers are found are
compared; no record is opened for it.
"""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from app.retention.data_requests.children import Child, Children, children_of_rows
from app.retention.data_requests.kinds import ItemKind
from app.retention.data_requests.trail import Item
from app.work import Work

# By the id of a contact, case or referral, and by that of each record that tells of its children:
# these children; None if the form was not known. It is sealed with what was looked for.
OfRecords = dict[str, list[dict[str, Any]] | None]
Written = dict[str, OfRecords]
_HASHES = ("names", "born", "phones")
_RECORDS = (ItemKind.REFERRAL, ItemKind.CASE, ItemKind.CONTACT)


async def write_children(work: Work, items: Iterable[Item]) -> Written:
    """Return of which children each of these rows tells now."""
    by_kind: dict[ItemKind, list[UUID]] = {}
    for item in items:
        by_kind.setdefault(item.kind, []).append(item.id)
    found: Written = {}
    for kind in _RECORDS:
        of_row, children = await children_of_rows(work, kind, by_kind.get(kind, []))
        found |= {str(row): _of_records(children, records) for row, records in of_row.items()}
    return found


async def of_other_children(
    work: Work, kind: ItemKind, ids: Iterable[UUID], written: Written
) -> set[UUID]:
    """Return which of these rows tell of other children than then, or of fewer.

    A contact that was linked to a case since is left aside if each child in it is known to be one
    of before.

    A record that is erased meanwhile tells of none, and is left aside. Of a row of which nothing
    was written down, nothing is known: an earlier version has searched it, or it is erased again.
    """
    of_row, children = await children_of_rows(work, kind, ids)
    now = {str(row): _of_records(children, records) for row, records in of_row.items()}
    then = {row: written[row] for row in now if row in written}
    for row in then:
        for record in _of_the_same(children, then[row], now[row]):
            del now[row][record]
    gone = {str(record) for record in children.erased}
    hashes = _carried(work, then, now)
    return {
        row
        for row in of_row
        if (before := then.get(str(row))) is not None
        and not _are_same(hashes, before, now[str(row)], gone)
    }


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
