"""Check that entries to be erased or shown concern the same children as when they were found.

While a request waits an entry can be replaced, or put right because it was another child's: then
the officer has to decide anew. The hashes by which names, years of birth and numbers are found are
compared; no record is opened for it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from app.errors import UnknownDefinition
from app.referrals.models import Referral
from app.retention.data_requests.children import Child, Children, Rows, children_of_rows, who_is_in
from app.retention.data_requests.kinds import ItemKind
from app.work import Work

# By the id of a contact, case or referral, and by that of each record that tells of its children:
# these children; None if the form was not known. It is sealed with what was looked for.
OfRecords = dict[str, list[dict[str, Any]] | None]
Written = dict[str, OfRecords]
# By the id of a row: the record and the entries in it that alone matter.
Only = Mapping[UUID, tuple[UUID, Collection[str]]]
_HASHES = ("names", "born", "phones")


class RangFrom(NamedTuple):
    """Contacts whose child rang from numbers that were looked for, and the hashes of these."""

    contacts: Collection[UUID]
    numbers: Collection[bytes]


async def write_children(work: Work, rows: Rows) -> Written:
    """Return of which children each of these rows tells now."""
    _, _, told = await _told_by(work, rows)
    return told


async def _told_by(work: Work, rows: Rows) -> tuple[list[UUID], Children, Written]:
    """Return the records among rows, the children of whom they tell, and what is written of it."""
    of_row, children = await children_of_rows(work, rows)
    told = {str(row): _of_records(children, records) for row, records in of_row.items()}
    for one in await _referrals(work, of_row.keys() & set(rows.get(ItemKind.REFERRAL, ()))):
        if one.erased_at is None:
            told[str(one.id)][str(one.id)] = _own_of(work, one)
        else:
            children.erased.add(one.id)
    return list(of_row), children, told


async def _referrals(work: Work, ids: Collection[UUID]) -> Iterable[Referral]:
    if not ids:
        return ()
    return await work.session.scalars(select(Referral).where(Referral.id.in_(ids)))


def _own_of(work: Work, referral: Referral) -> list[dict[str, Any]] | None:
    """Return when it was last written in a referral itself who its child is: it has no hashes."""
    try:
        paths = who_is_in(work, referral)
    except UnknownDefinition:
        return None
    return [
        _written(Child(referral.id, entry))
        | {"version": max((referral.versions.get(path, 0) for path in of_entry), default=0)}
        for entry, of_entry in paths.items()
    ]


async def of_other_children(
    work: Work,
    kind: ItemKind,
    ids: Collection[UUID],
    written: Written,
    rang: RangFrom,
    only: Only | None = None,
) -> set[UUID]:
    """Return which of these rows tell of other children than then, or of fewer.

    A contact that was linked to a case since is left aside if each child in it is known to be one
    of before.

    `rang`: these children are known by their calls: that the number of one was taken out of its
    record, put right or added since does not make it another child.

    A record that is erased meanwhile tells of none, and is left aside. A row of which nothing was
    written down cannot be compared, and may tell of others.
    Raises UnknownDefinition if the server that searched knew a form that this one has not read yet.
    """
    rows, children, now = await _told_by(work, {kind: ids})
    then = {row: written[row] for row in now if row in written}
    for row in then:
        for record in _of_the_same(children, then[row], now[row]):
            del now[row][record]
    for id_, (record_id, entries) in (only or {}).items():
        for told in (then, now):
            if (row := str(id_)) in told:
                told[row] = _entries_in(told[row], row, str(record_id), entries)
    gone = {str(record) for record in children.erased}
    hashes = _carried(work, then, now)
    same = {
        row
        for row, before in then.items()
        if _are_same(hashes, *_without_numbers(hashes, before, now[row], rang), gone)
    }
    return {row for row in rows if str(row) not in same}


def _entries_in(
    of_records: OfRecords, row: str, record: str, entries: Collection[str]
) -> OfRecords:
    """Return what is written of these entries of a record, and of the row itself."""
    found = {one: of_records[one] for one in {row, record} if one in of_records}
    if (there := found.get(record)) is not None:
        found[record] = [one for one in there if one["entry"] in entries]
    return found


def _without_numbers(
    hashes: dict[str, str], then: OfRecords, now: OfRecords, rang: RangFrom
) -> tuple[OfRecords, OfRecords]:
    """Leave a number from which the only child of a contact rang out if it came or went since.

    A number that stayed is compared: it is the same child, unless a name or the years of birth were
    replaced. A record that had only this number is often completed after the call. That the name
    which is added is a sister's is possible: `changed_since/` looks whether another record of the
    request says so. To take each for hers would keep back the child's own record.
    """
    then, now = dict(then), dict(now)
    numbers = {key.hex() for key in rang.numbers}
    for record in {str(one) for one in rang.contacts} & then.keys() & now.keys():
        sides = [of[record] or [] for of in (then, now)]
        if any(len(side) != 1 for side in sides):
            continue
        children = [side[0] for side in sides]
        before, since = ({hashes[one] for one in child["phones"]} for child in children)
        left_out = (before ^ since) & numbers
        then[record], now[record] = (
            [child | {"phones": [one for one in child["phones"] if hashes[one] not in left_out]}]
            for child in children
        )
    return then, now


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
        if before is not None and of_record is None:
            raise UnknownDefinition
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

    A name may be given in full, or shortened; it is another one if a word of it was replaced. If
    nothing was written of a child, what is written since may be another's.
    """
    if then.get("version") != now.get("version"):
        return False
    if not any(then[what] for what in _HASHES):
        return not any(now[what] for what in _HASHES)
    names, born, phones = (
        tuple({hashes[key] for key in child[what]} for child in (then, now)) for what in _HASHES
    )
    is_named = names[0] <= names[1] or (bool(names[1]) and names[1] <= names[0])
    return is_named and all(not was or bool(was & is_) for was, is_ in (born, phones))
