"""Whether what is to be erased still tells of the children of whom it told when it was searched.

While an erasure waits an entry can be replaced, or put right because it was another child's: then
the officer has to decide anew. The hashes by which names, years of birth and numbers are found are
compared; no record is opened for it.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from app.retention.data_requests.children import Child, Children, children_of_rows
from app.retention.data_requests.kinds import ItemKind
from app.retention.data_requests.trail import Item
from app.work import Work

# By the id of a contact, case or referral, and by that of each record that tells of its children:
# these children; None if the form was not known. It is sealed with what was looked for.
Written = dict[str, dict[str, list[dict[str, Any]] | None]]
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

    A record that is erased meanwhile tells of none, and is left aside. Of a row of which nothing
    was written down, nothing is known: an earlier version has searched it, or it is erased again.
    """
    of_row, children = await children_of_rows(work, kind, ids)
    gone = {str(record) for record in children.erased}
    found = set()
    for row, records in of_row.items():
        then, now = written.get(str(row)), _of_records(children, records)
        if then is not None and (
            then.keys() - gone != now.keys()
            or any(not _are_same(then[record], now[record]) for record in now)
        ):
            found.add(row)
    return found


def _of_records(
    children: Children, records: Iterable[UUID]
) -> dict[str, list[dict[str, Any]] | None]:
    there = [record for record in records if record not in children.erased]
    found: dict[str, list[dict[str, Any]] | None] = {}
    for record in there:
        of_record = children.of_record.get(record, [])
        found[str(record)] = None if of_record is None else [_written(one) for one in of_record]
    return found


def _written(child: Child) -> dict[str, Any]:
    return {
        "entry": child.entry,
        **{
            what: sorted(key.hex() for key in keys)
            for what, keys in (
                ("names", child.names),
                ("born", child.born),
                ("phones", child.phones),
            )
        },
    }


def _are_same(then: list[dict[str, Any]] | None, now: list[dict[str, Any]] | None) -> bool:
    if then is None or now is None:
        return then is now
    by_entry = {one["entry"]: one for one in now}
    return {one["entry"] for one in then} == by_entry.keys() and all(
        _is_same(one, by_entry[one["entry"]]) for one in then
    )


def _is_same(then: dict[str, Any], now: dict[str, Any]) -> bool:
    """Return whether what was written of a child still is. More may be written since.

    A name may be given in full, or shortened; it is another one if a word of it was replaced.
    """
    names, named = set(then["names"]), set(now["names"])
    return (names <= named or (named != set() and named <= names)) and all(
        not then[what] or set(then[what]) & set(now[what]) for what in ("born", "phones")
    )
