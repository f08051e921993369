"""How many children a record tells of, and which of them is the one who asks.

A record tells of each child in an entry of its form; a case, also in its contacts. Names and years
of birth are compared by the hashes by which they are found: no record is opened for it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.contacts.cases.models import CaseContact, SameChild
from app.contacts.models import Case, Contact, Filled, MatchKey
from app.contacts.registry import sheet_of
from app.contacts.saving import number_keys
from app.contacts.sealed_answers import present
from app.contacts.states import KeyKind
from app.definitions.answers import Sheet
from app.errors import UnknownDefinition
from app.referrals.models import Referral
from app.retention.data_requests.kinds import ItemKind
from app.work import Work

# What a record counts as if it is not known of how many children it tells: its form is not known
# here, or their number is not kept.
UNKNOWN = 2


@dataclass
class Child:
    """A child in a record, with the hashes of the words of its name, and of its year of birth.

    `phones`: the hashes of its own numbers, in each form in which they are stored.
    """

    record: UUID
    entry: str | None
    names: set[bytes] = field(default_factory=set)
    born: set[bytes] = field(default_factory=set)
    phones: set[bytes] = field(default_factory=set)
    # For a child in a contact: which entry of a case it is, as a colleague has said; "": none of
    # it.
    in_cases: dict[UUID, str] = field(default_factory=dict)

    def is_same(self, other: "Child") -> bool:
        """Return whether it has the same name, as far as both are written down."""
        return bool(self.names and other.names) and not self.differs(other)

    def differs(self, other: "Child") -> bool:
        """Return whether it is another child. Nothing follows from what is not written down."""
        if self.record == other.record:
            return self.entry != other.entry
        for one, case in ((self, other), (other, self)):
            if case.record in one.in_cases:
                return one.in_cases[case.record] != case.entry
        if any(entry for _, entry in self.in_cases.items() & other.in_cases.items()):
            return False
        if (
            self.names
            and other.names
            and not (self.names <= other.names or other.names <= self.names)
        ):
            return True
        return bool(self.born and other.born) and not self.born & other.born


@dataclass
class Children:
    """The children in contacts and cases, by the record; None if its form is not known here."""

    of_record: dict[UUID, list[Child] | None] = field(default_factory=dict)
    # The records that tell of none because they are erased.
    erased: set[UUID] = field(default_factory=set)

    def add(self, child: Child) -> None:
        of_record = self.of_record.setdefault(child.record, [])
        assert of_record is not None
        of_record.append(child)

    def of(self, record: UUID) -> list[Child]:
        return self.of_record.get(record) or []

    def count(self, records: Iterable[UUID]) -> int:
        """Return how many children these records tell of together, at least."""
        read = [self.of_record.get(record, []) for record in records]
        # Those of whom most is written down come first: who the others are cannot be seen.
        every = [child for one in read for child in one or []]
        there = {(child.record, child.entry) for child in every}
        every = [child for child in every if there.isdisjoint(child.in_cases.items())]
        found: list[Child] = []
        for child in sorted(every, key=lambda one: (not one.names, not one.born)):
            if all(child.differs(one) for one in found):
                found.append(child)
        return max(len(found), *(UNKNOWN if one is None else len(one) for one in read), 0)


async def read_children(work: Work, records: Iterable[Filled]) -> Children:
    """Return the children that contacts and cases tell of; none for erased records."""
    found = Children()
    by_path: dict[tuple[UUID, str], Child] = {}
    for record in records:
        if record.erased_at is not None:
            found.erased.add(record.id)
            continue
        try:
            paths = who_is_in(work, record)
        except UnknownDefinition:
            found.of_record[record.id] = None
            continue
        for entry, of_child in paths.items():
            child = Child(record.id, entry)
            found.add(child)
            by_path |= {(record.id, path): child for path in of_child}
    if by_path:
        await _read_keys(work, by_path)
    if found.of_record:
        await _say_which(work, found)
    return found


async def _read_keys(work: Work, by_path: Mapping[tuple[UUID, str], Child]) -> None:
    """Add to each child the hashes of what tells who it is."""
    keys = await work.session.execute(
        select(MatchKey.subject_id, MatchKey.path, MatchKey.kind, MatchKey.key).where(
            MatchKey.subject_id.in_({record for record, _ in by_path}),
            MatchKey.kind.in_((KeyKind.NAME, KeyKind.BORN, KeyKind.NUMBER)),
        )
    )
    for record_id, path, kind, key in keys:
        if (one := by_path.get((record_id, path))) is not None:
            of_kind = {KeyKind.NAME: one.names, KeyKind.BORN: one.born, KeyKind.NUMBER: one.phones}
            of_kind[KeyKind(kind)].add(bytes(key))


async def _say_which(work: Work, children: Children) -> None:
    """Note which children of contacts a colleague has found in a case, whatever their names."""
    rows = await work.session.execute(
        select(
            SameChild.contact_id, SameChild.contact_entry, SameChild.case_id, SameChild.case_entry
        ).where(SameChild.contact_id.in_(children.of_record))
    )
    for contact_id, contact_entry, case_id, case_entry in rows:
        for child in children.of(contact_id):
            if child.entry == contact_entry:
                child.in_cases[case_id] = case_entry or ""


def who_is_in(work: Work, record: Filled) -> dict[str | None, list[str]]:
    """Return the entries of children in a record, each with the paths of what tells who it is.

    Raises UnknownDefinition.
    """
    sheet, answers = sheet_of(work, record), present(record)
    section = sheet.form.children
    entries: list[str | None] = [None]
    if section is not None:
        entries = [*sheet.entries(answers, section)]
    return {
        entry: [
            path
            for meaning in ("child_name", "child_age", "birth_date", "child_phone")
            for path in sheet.form.paths_of(meaning, entry)
        ]
        for entry in entries
    }


async def none_in_both(work: Work, links: Iterable[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Return of which cases and contacts a colleague has said that no child is in both."""
    joined = set(links)
    if not joined:
        return set()
    said = await work.session.execute(
        select(SameChild.case_id, SameChild.contact_id).where(
            SameChild.case_id.in_({case for case, _ in joined}), SameChild.case_entry.is_(None)
        )
    )
    asked = joined & {(case, contact) for case, contact in said}
    if not asked:
        return set()
    contacts = {contact for _, contact in asked}
    children = await read_children(work, await records_of(work, contacts))
    return {
        (case, contact)
        for case, contact in asked
        if (of := children.of(contact)) and all(one.in_cases.get(case) == "" for one in of)
    }


# -- how many ------------------------------------------------------------------------------------


Rows = Mapping[ItemKind, Collection[UUID]]


async def count_children(work: Work, rows: Rows) -> dict[UUID, int]:
    """Return how many children each of these rows tells of, at least: none for other kinds.

    A case tells of those in its contacts, too; a referral may tell of all of whom its contact does,
    or its case if it has no contact.
    """
    of_row, children = await children_of_rows(work, rows)
    return {id_: children.count(sorted(records)) for id_, records in of_row.items()}


async def children_of_rows(work: Work, rows: Rows) -> tuple[dict[UUID, set[UUID]], Children]:
    """Return from which contacts and cases it is known of whom each row tells, and their children.

    A row that is no record has none. The records of all rows are read at once.
    """
    of_row = {id_: {id_} for id_ in rows.get(ItemKind.CONTACT, ())}
    of_row |= await _of_cases(work, rows.get(ItemKind.CASE, ()))
    of_row |= await _of_referrals(work, rows.get(ItemKind.REFERRAL, ()))
    every = {one for records in of_row.values() for one in records}
    return of_row, await read_children(work, await records_of(work, every))


async def _of_cases(work: Work, ids: Iterable[UUID]) -> dict[UUID, set[UUID]]:
    found = {id_: {id_} for id_ in ids}
    if not found:
        return {}
    rows = await work.session.execute(
        select(CaseContact.case_id, CaseContact.contact_id).where(CaseContact.case_id.in_(found))
    )
    for case, contact in rows:
        found[case].add(contact)
    return found


async def _of_referrals(work: Work, ids: Iterable[UUID]) -> dict[UUID, set[UUID]]:
    asked = set(ids)
    if not asked:
        return {}
    rows = await work.session.execute(
        select(Referral.id, Referral.contact_id, Referral.case_id).where(Referral.id.in_(asked))
    )
    joined: dict[UUID, tuple[UUID | None, Any]] = {id_: (one, case) for id_, one, case in rows}
    of_cases = await _of_cases(work, {case for _, case in joined.values() if case})
    return {
        id_: {contact} if contact else of_cases.get(case, set())
        for id_, (contact, case) in joined.items()
    }


async def records_of(work: Work, ids: set[UUID]) -> list[Filled]:
    """Return the contacts and cases with these ids."""
    found: list[Filled] = []
    for model in (Contact, Case):
        if rest := ids - {one.id for one in found}:
            rows: Any = await work.session.scalars(select(model).where(model.id.in_(rest)))
            found += rows
    return found


# -- which of them asks --------------------------------------------------------------------------


async def entries_asked(
    work: Work, records: Iterable[Filled], numbers: list[str], codes: list[str]
) -> dict[str, list[str]]:
    """Return the entries of the child who asks, by the code of the record; none if not known.

    It is the one whose place was written after the code, or else whose own number was looked for. A
    number that several of them share tells of none.
    """
    known = []
    for record in records:
        try:
            known.append((record, sheet_of(work, record)))
        except UnknownDefinition:
            continue
    keys = [key for number in numbers for key in number_keys(work, number)]
    rows = await work.session.execute(
        select(MatchKey.subject_id, MatchKey.path).where(
            MatchKey.subject_id.in_({record.id for record, _ in known}),
            MatchKey.kind == KeyKind.NUMBER,
            MatchKey.key.in_(keys),
        )
    )
    paths: dict[UUID, set[str]] = {}
    for id_, path in rows:
        paths.setdefault(id_, set()).add(path)
    found = {}
    for record, sheet in known:
        entries = _entries_of(sheet, record)
        own = [
            one
            for one in entries
            if not paths.get(record.id, set()).isdisjoint(sheet.form.paths_of("child_phone", one))
        ]
        if places := places_of(record.code, codes):
            found[record.code] = [one for at, one in enumerate(entries, 1) if at in places]
        elif len(own) == 1:
            found[record.code] = own
    return found


async def entries_left(
    work: Work, record: Filled, asked: list[str], numbers: list[str], codes: list[str]
) -> set[str] | None:
    """Return which of the entries that were asked for are still the person's; None: none are there.

    `asked`: the entries when the person was looked for. Places may be other children's now; a
    number may have been put right since. Raises UnknownDefinition.
    """
    there = set(asked).intersection(_entries_of(sheet_of(work, record), record))
    if not there:
        return None
    if places_of(record.code, codes):
        return there
    now = await entries_asked(work, [record], numbers, [])
    return there.intersection(now.get(record.code, []))


def _entries_of(sheet: Sheet, record: Filled) -> list[str]:
    section = sheet.form.children
    return sheet.entries(present(record), section) if section is not None else []


def places_of(record: str, codes: list[str]) -> set[int]:
    """Return the places of children that were written after the code of a record."""
    return {int(place) for code, place in map(place_in, codes) if code == record and place}


async def has_child(work: Work, id_: UUID, place: str) -> bool:
    """Return whether a contact or case has a child at a place, as it was written after its code."""
    children = await read_children(work, await records_of(work, {id_}))
    return place.isdecimal() and 1 <= int(place) <= len(children.of(id_))


def place_in(code: str) -> tuple[str, str]:
    """Return a code and the place of a child that was written after it: `K-7F3-9QD-2XC/2`."""
    code, _, place = code.partition("/")
    return code, place
