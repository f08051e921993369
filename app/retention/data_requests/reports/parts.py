"""What the report of what is held about a person is made of."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app.retention.data_requests.kinds import AskingPerson
from app.words import days as day_forms
from app.words.pages import _
from app.work import Work


@dataclass
class Block:
    """A part of the report: lines of a label and a value, and what was left out of it."""

    title: str
    lines: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def say(self, label: str, value: Any, *, path: str = "", marked: bool = False) -> None:
        if value not in (None, ""):
            line = {"label": label, "value": str(value)}
            line |= {"path": path} if path else {}
            line |= {"mark": _("may name other people")} if marked else {}
            self.lines.append(line)


@dataclass
class Paper:
    """What all parts of a report need."""

    work: Work
    request_id: UUID
    person: AskingPerson
    language: str
    zone: ZoneInfo
    # The hashes of the numbers that were looked for.
    keys: set[bytes] = field(default_factory=set)
    # The numbers and codes themselves: by them a child is found among others of a record.
    numbers: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    # The entries that were found so, by the code of the record.
    entries: dict[str, list[str]] = field(default_factory=dict)
    # How many children each record told of when it was found.
    children: dict[UUID, int] = field(default_factory=dict)

    def at(self, moment: datetime | None) -> str:
        return day_forms.moment(moment, self.language, self.zone) if moment else ""
