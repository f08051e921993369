"""Answers as they are stored: each sealed for its own record and question."""

import base64
import json
from collections.abc import Sequence
from uuid import UUID

from pydantic_core import from_json

from app.contacts.models import Filled
from app.contacts.registry import sheet_of
from app.definitions.answers import Answers, Value
from app.privacy.keys import Bound
from app.work import Work


def present(record: Filled) -> Answers:
    """Return the answers with a mark for each sealed one: that it is there, and not what it is."""
    return {**record.answers, **dict.fromkeys(record.sealed, "sealed")}


# Special codes are filled up to a multiple of this: their length would tell which they are.
_FILLED_UP = 128


async def seal_answers(work: Work, record: Filled, answers: Answers) -> dict[str, str]:
    """Return answers sealed for storage, each bound to the record and its question.

    Spaces after codes mean nothing in JSON, and give answers of one question one length.
    """
    table, row = record.__tablename__, record.id
    sealed = await work.keys.seal_all(
        [
            (Bound(table, path, row), _body(work, record, path, value))
            for path, value in answers.items()
        ]
    )
    texts = [base64.b64encode(one).decode() for one in sealed]
    return dict(zip(answers, texts, strict=True))


def seal_answer(work: Work, record: Filled, path: str, value: Value) -> str:
    """Return one answer sealed for storage, as `seal_answers` does."""
    body = _body(work, record, path, value)
    sealed = work.keys.seal(body, table=record.__tablename__, column=path, row=record.id)
    return base64.b64encode(sealed).decode()


def _body(work: Work, record: Filled, path: str, value: Value) -> bytes:
    body = json.dumps(value, ensure_ascii=False).encode()
    return filled_up(body) if sheet_of(work, record).is_special(path) else body


def filled_up(body: bytes) -> bytes:
    """Return JSON with spaces up to a length that tells nothing."""
    return body.ljust(-(-len(body) // _FILLED_UP) * _FILLED_UP)


def seal_categories(work: Work, record: Filled, codes: list[str]) -> bytes | None:
    """Return the categories of a record with those above them, as lists show them, sealed."""
    if not codes:
        return None
    return work.keys.seal(
        filled_up(json.dumps(codes).encode()),
        table=record.__tablename__,
        column="categories_sealed",
        row=record.id,
    )


def open_lists(
    work: Work, table: str, sealed: Sequence[tuple[UUID, bytes | None]]
) -> list[list[str]]:
    """Return the categories of each record in a list; the list is in the log by now."""
    column = "categories_sealed"
    there = [(Bound(table, column, row), value) for row, value in sealed if value is not None]
    opened = iter(work.keys.open_together(there))
    return [[] if value is None else from_json(next(opened)) for _, value in sealed]


def open_categories(work: Work, table: str, row: UUID, sealed: bytes | None) -> list[str]:
    """Return the categories of one record; its reading is in the log by now."""
    return open_lists(work, table, [(row, sealed)])[0]


def open_answer(work: Work, record: Filled, path: str, sealed: str) -> Value:
    body = work.keys.open(
        base64.b64decode(sealed), table=record.__tablename__, column=path, row=record.id
    )
    value: Value = from_json(body)
    return value
