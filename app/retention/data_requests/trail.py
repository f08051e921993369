"""What a search about a person has found so far, and why each row is taken to be about them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.retention.data_requests.kinds import Because, ItemKind, Keep


@dataclass(frozen=True)
class Item:
    """A row that was found: why, since when, and why it cannot be erased now, if it cannot."""

    kind: ItemKind
    id: UUID
    because: Because
    label: str
    at: datetime
    keep: Keep | None = None
    # It may be about another person, until the officer says otherwise.
    of_another: bool = False
    # How many children a record tells of; None: it is no record.
    children: int | None = None


@dataclass
class Trail:
    """What was found so far: rows by their kind, each with why; and the hashes of the numbers."""

    found: dict[ItemKind, dict[UUID, Because]] = field(
        default_factory=lambda: {kind: {} for kind in ItemKind}
    )
    keys: set[bytes] = field(default_factory=set)
    # Hashes and profiles that were looked for: not those to which a record has led.
    sought: set[bytes] = field(default_factory=set)
    profiles: set[UUID] = field(default_factory=set)
    # The questions of a record whose answer is a number that was looked for.
    paths: dict[UUID, set[str]] = field(default_factory=dict)
    # The profiles that may be followed; None: each.
    only_profiles: set[UUID] | None = None
    # Contacts that count as the person's own: what showed it was erased.
    stands: set[UUID] = field(default_factory=set)
    # Contacts of a case that another caller made.
    of_others: set[UUID] = field(default_factory=set)

    def add(self, kind: ItemKind, ids: Iterable[UUID], because: Because) -> set[UUID]:
        """Add rows; return those that are new."""
        new = set(ids) - self.found[kind].keys()
        if kind is ItemKind.PROFILE and self.only_profiles is not None:
            new &= self.only_profiles
        self.found[kind] |= dict.fromkeys(new, because)
        return new

    def ids(self, kind: ItemKind) -> list[UUID]:
        return list(self.found[kind])
