"""What is sent to the interface of contacts and cases."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from app.contacts.saving import Change
from app.contacts.search import Wanted
from app.errors import Invalid


class ChangeIn(BaseModel):
    path: str = Field(max_length=120)
    value: Any = None
    base: int = 0


class Changes(BaseModel):
    changes: list[ChangeIn]

    def made(self) -> list[Change]:
        return [Change(c.path, c.value, c.base) for c in self.changes]


class Reason(BaseModel):
    reason: str = Field(max_length=2000)


class Looked(BaseModel):
    code: str | None = None
    category: str | None = None
    place: str | None = None
    since: datetime | None = Field(default=None, alias="from")
    until: datetime | None = Field(default=None, alias="to")
    counsellor: str | None = None
    status: str | None = None
    urgency: str | None = None
    name: str | None = None
    number: str | None = None
    headline: str | None = None
    cursor: str | None = None

    def wanted(self) -> Wanted:
        for at in (self.since, self.until):
            if at is not None and at.tzinfo is None:
                raise Invalid("Give instants with their zone.")
        return Wanted(**self.model_dump())
