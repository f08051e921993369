"""How contacts and cases are opened.

`open_record` is the only way to sealed answers: it reads the record within the reader's scope,
logs the reading, and only then returns what can unseal them. A form asks its questions by special
codes: the program itself opens those that it goes by, and the log has that first, too
(`special_codes.admit`).
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import bindparam

from app.contacts.models import Contact, Filled
from app.contacts.scopes import any_reader, readable
from app.contacts.special_codes import remember_reading
from app.database.quick import Question
from app.definitions.answers import Answers, Value
from app.errors import NotFound
from app.privacy.keys import Bound, CannotOpen, told
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

R = TypeVar("R", bound=Filled)


@dataclass(frozen=True)
class Opened(Generic[R]):
    """A record whose reading is in the log, so that it can be unsealed."""

    work: Work
    record: R
    # Its sealed answers, which were opened together, by what was stored.
    known: dict[str, bytes | CannotOpen] = field(default_factory=dict)

    async def open_all(self, answers: Iterable[tuple[str, str]]) -> None:
        """Open sealed answers together, each of a question, before they are asked for."""
        wanted = [(path, sealed) for path, sealed in answers if sealed not in self.known]
        table, row = self.record.__tablename__, self.record.id
        opened = await self.work.keys.open_all(
            [(Bound(table, path, row), base64.b64decode(sealed)) for path, sealed in wanted]
        )
        self.known.update(zip((sealed for _, sealed in wanted), opened, strict=True))

    def __post_init__(self) -> None:
        self.work.admitted.add(self.record.id)

    @property
    def id(self) -> UUID:
        return self.record.id

    def answer(self, path: str) -> Value | None:
        """Return one answer, sealed or not."""
        sealed = self.record.sealed.get(path)
        if sealed is None:
            plain: Value | None = self.record.answers.get(path)
            return plain
        return self.unseal_answer(path, sealed)

    def unseal_answer(self, path: str, sealed: str) -> Value:
        """Open a sealed answer to one of the record's questions, current or earlier."""
        body = self.known.get(sealed)
        if body is None:
            body = self.work.keys.open(
                base64.b64decode(sealed),
                table=self.record.__tablename__,
                column=path,
                row=self.record.id,
            )
        value: Value = from_json(told(body))
        return value

    def answers(self) -> Answers:
        """Return all answers."""
        paths = [*self.record.answers, *self.record.sealed]
        return {path: value for path in paths if (value := self.answer(path)) is not None}

    def unseal(self, sealed: bytes | None, *, table: str, column: str, row: UUID) -> bytes | None:
        """Open a sealed column of a row that belongs to this record."""
        if sealed is None:
            return None
        return self.work.keys.open(sealed, table=table, column=column, row=row)

    def words(self, sealed: bytes | None, *, table: str, column: str, row: UUID) -> str:
        """Open a sealed column as text; empty if there is none."""
        return (self.unseal(sealed, table=table, column=column, row=row) or b"").decode()

    async def all_words(self, sealed: Sequence[tuple[bytes | None, Bound]]) -> list[str]:
        """Open sealed columns as texts, all together; empty where there is none."""
        there = [(bound, one) for one, bound in sealed if one is not None]
        texts = iter([told(one).decode() for one in await self.work.keys.open_all(there)])
        return ["" if one is None else next(texts) for one, _ in sealed]


class Plain:
    """A record read for display: it has the columns, and belongs to no session."""

    def __init__(self, table: str, row: dict[str, Any]) -> None:
        self.__dict__ = row
        self.__tablename__ = table


def is_contact(record: Any) -> bool:
    """Return whether a record is a contact and not a case, however it was read."""
    return bool(record.__tablename__ == Contact.__tablename__)


async def open_record(
    work: Work, staff: Staff, model: type[R], record_id: UUID, purpose: AuditLog
) -> Opened[R]:
    """Open a record that the person may read; the reading is logged first. Raises NotFound."""
    quick = work.ground.database.quick
    kind: Any = model
    rows = await quick.rows(
        _by_id(kind, staff.role), id=record_id, reader=staff.id, team=staff.team
    )
    if not rows:
        raise NotFound("Not found, or you do not have access.")
    await write_reading(work, purpose, f"{model.__name__.lower()}:{record_id}")
    remember_reading(work, record_id)
    record: Any = Plain(model.__tablename__, rows[0])
    opened = Opened(work, record)
    await opened.open_all(record.sealed.items())
    return opened


@cache
def _by_id(model: Any, role: str) -> Question:
    return Question(
        readable(model, any_reader(role))
        .with_only_columns(*model.__table__.columns)
        .where(model.id == bindparam("id"))
    )
