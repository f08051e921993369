"""What a row of the log of people's acts says of how something was found or done, and of what.

The codes and names are stored. What a reader sees is their words, in the reader's language.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self


class FoundBy(StrEnum):
    """By what records were listed or searched; the values that were sought are in no log."""

    BORN = "born"
    CALLER = "caller"
    CASE = "case"
    CATEGORY = "category"
    CODE = "code"
    COUNSELLOR = "counsellor"
    HEADLINE = "headline"
    NAME = "name"
    NUMBER = "number"
    PLACE = "place"
    # The newest records of the reader.
    RECENT = "recent"
    # A case that was asked for.
    REQUEST = "request"
    SINCE = "since"
    STATE = "state"
    STATUS = "status"
    UNTIL = "until"
    URGENCY = "urgency"


class ActedFrom(StrEnum):
    """From where an act came that no account made."""

    COMMAND_LINE = "command_line"
    # A duty phone of our own people.
    ON_CALL = "on_call"


# The subject of a change of what every line says.
EVERY_LINE = "every line"
# The subject of acts about the provider of identities.
IDENTITY_PROVIDER = "identity_provider"


@dataclass(frozen=True)
class Detail:
    """A part of an entry that the program reads again, written and read by the same names."""

    def kept(self) -> dict[str, Any]:
        """Return it as it stands in the entry."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """Read it; what else the entry says is left out. Raises KeyError if a part is not there."""
        return cls(**{one.name: kept[one.name] for one in fields(cls)})


@dataclass(frozen=True)
class Changed(Detail):
    """What an act has changed: the values before it and after it."""

    before: Any
    after: Any


@dataclass(frozen=True)
class PromptSaid(Detail):
    """Which words of a line were changed."""

    key: str
    language: str


@dataclass(frozen=True)
class PartnerAsked(Detail):
    """The number of a partner that waits for a second person, by its id."""

    change: str


@dataclass(frozen=True)
class AccountSaid(Detail):
    """The account of a line at a carrier; no token is in it."""

    carrier: str
    account: str | None
    name: str | None


@dataclass(frozen=True)
class WordsSaid(Detail):
    """A translation that was imported."""

    number: int
    kind: str
    translated: int
    reviewed: bool


@dataclass(frozen=True)
class SetSaid(Detail):
    """A set of definitions, by its id."""

    set: int
