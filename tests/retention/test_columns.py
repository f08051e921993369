"""No column that may hold something of a person is without a rule, or a reason."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import ARRAY, CheckConstraint, Column, LargeBinary, String, Table
from sqlalchemy.dialects.postgresql import JSON

from app import tables
from app.calls.models import Call
from app.database.base import CARRIED, SEALED
from app.retention.kinds import DataKind, default_days, least_days
from app.settings import Settings
from tests.support.retention import columns

_CODE = re.compile(r"^(\w+) IN \(")
_RULE = re.compile(r"^\| `(\w+)` \| ([^|]+) \| (\d+) \|", re.MULTILINE)
# How a reason begins for which something sealed or hashed may stay without a rule.
_GOES_OR_OF_NO_CHILD = (
    *(columns.SYSTEM, columns.AGENCY, columns.ACCOUNT, columns.SOON, columns.SEALED_CODES),
    *("deleted with the message", "deleted when the call-back is closed"),
    "the hash of a number that wants no messages",
    "keyed hashes by which a leaver is found; as long as the account",
    "the hash of a key that a page made by chance; goes a day after",
)


def may_hold(table: Table) -> Iterator[Column[object]]:
    """The columns that hold text, bytes or JSON, and no code of a fixed few."""
    codes = {
        found[1]
        for check in table.constraints
        if isinstance(check, CheckConstraint) and (found := _CODE.match(str(check.sqltext)))
    }
    for column in table.columns:
        kinds = (String, LargeBinary, JSON, ARRAY)
        if isinstance(column.type, kinds) and column.name not in codes and not column.foreign_keys:
            yield column


def listed() -> dict[str, str]:
    """Return every listed name with the rule or the reason."""
    named = {name: kind.value for kind, names in columns.BY_RULE.items() for name in names}
    return {**named, **columns.WITHOUT_RULE}


def is_listed(column: Column[object]) -> bool:
    names = listed()
    return f"{column.table.name}.{column.name}" in names or f"{column.table.name}.*" in names


def test_every_column_that_may_hold_something_of_a_person_is_listed() -> None:
    found = [one for table in tables.metadata.sorted_tables for one in may_hold(table)]
    assert len(found) > 250
    missing = [f"{one.table.name}.{one.name}" for one in found if not is_listed(one)]
    assert missing == [], "say in tests/support/retention/columns.py why, or by which rule it goes"


def test_a_new_column_would_be_missed() -> None:
    for kind in (String(), LargeBinary(), JSON(), ARRAY(String())):
        table = Table("calls_of_tomorrow", Call.metadata.__class__(), Column("told", kind))
        assert [one.name for one in may_hold(table)] == ["told"]
        assert not is_listed(table.c.told)


def test_nothing_is_listed_that_is_not_there_or_twice() -> None:
    there = {
        name
        for table in tables.metadata.sorted_tables
        for name in (f"{table.name}.*", *(f"{table.name}.{one.name}" for one in table.columns))
    }
    names = [name for some in columns.BY_RULE.values() for name in some]
    names += columns.WITHOUT_RULE
    assert set(names) <= there
    assert [name for name, times in Counter(names).items() if times > 1] == []


def test_what_is_sealed_or_hashed_of_a_person_has_a_rule_or_goes_by_itself() -> None:
    """A reason that says only "codes" or that figures need it is none for what is sealed."""
    names = listed()
    rules = {kind.value for kind in DataKind}
    for table in tables.metadata.sorted_tables:
        for column in table.columns:
            if SEALED in column.info or CARRIED in column.info:
                name = f"{table.name}.{column.name}"
                reason = names.get(name, names.get(f"{table.name}.*", ""))
                assert reason in rules or reason.startswith(_GOES_OR_OF_NO_CHILD), (name, reason)


def test_each_kind_names_what_it_erases() -> None:
    # A draft is a contact.
    assert set(columns.BY_RULE) == set(DataKind) - {DataKind.DRAFTS}


def test_the_guide_says_of_each_kind_for_how_long_it_is_kept_at_first_and_at_least() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "administrators.md").read_text()
    told = {kind: (first, least) for kind, first, least in _RULE.findall(guide)}
    number_days = Settings.model_fields["number_retention_days"].default
    assert told.keys() == {kind.value for kind in DataKind}
    for kind in DataKind:
        days = default_days(kind, number_days)
        first, least = told[kind]
        as_numbers = kind is DataKind.THIRD_PARTY_NUMBERS and first == "as callers' numbers"
        if not as_numbers:
            assert first.partition(" (")[0] == (f"{days} days" if days else "for ever"), kind
        assert least == str(least_days(kind)), kind
