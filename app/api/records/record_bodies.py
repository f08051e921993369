"""Request bodies of the JSON interface of contacts and cases."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from app.contacts.finding.search import ContactsWanted
from app.contacts.saving import Change
from app.errors import Invalid


class ChangeIn(BaseModel):
    path: str = Field(max_length=120)
    value: Any = None
    base: int = Field(default=0, ge=0, le=2**31 - 1)


class Changes(BaseModel):
    changes: list[ChangeIn]

    def made(self) -> list[Change]:
        return [Change(c.path, c.value, c.base) for c in self.changes]


class Reason(BaseModel):
    reason: str = Field(max_length=2000)


Text = Annotated[str, Field(max_length=300)]


class Looked(BaseModel):
    code: Text | None = None
    category: Text | None = None
    place: Text | None = None
    since: datetime | None = Field(default=None, alias="from")
    until: datetime | None = Field(default=None, alias="to")
    counsellor: Text | None = None
    status: Text | None = None
    urgency: Text | None = None
    name: Text | None = None
    number: Text | None = None
    headline: Text | None = None
    # A child's year of birth.
    born: int | None = Field(default=None, ge=1900, le=2200)
    cursor: Text | None = None

    def wanted(self) -> ContactsWanted:
        for at in (self.since, self.until):
            if at is not None and at.tzinfo is None:
                raise Invalid("Give times with their zone, like 2026-11-24T08:00:00+01:00.")
        return ContactsWanted(**self.model_dump())
