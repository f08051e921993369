"""Words that are sealed in a log are those that were written: their checksums say so."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.contacts import contacts
from app.contacts.models import Contact
from app.contacts.saving import STRETCH, Change
from app.database.logs import Why, change_rows
from app.jobs.transaction import flush
from app.privacy.keys import Bound, CannotOpen
from app.referrals.services import seal_for_what
from app.referrals.states import Service
from app.staff.accounts import actor_of
from app.staff.log_checks.chains import verify_chains
from app.staff.log_checks.sealed_words import verify_words
from app.work import Work
from tests.support.sealing.stories import a_story

pytestmark = pytest.mark.whole

# For each log: the column with the words, what names its row, and to what the words are bound.
_BYTES = {
    "record_events": ("words_sealed", "id", "words_id"),
    "urgency_decisions": ("reason_sealed", "id", "id"),
    "consents": ("words_sealed", "number", "id"),
}
_NAME = "child.a1.name"


async def _broken(work: Work) -> list[str]:
    reports = [*await verify_chains(work.session), *await verify_words(work)]
    return [report.table for report in reports if report.broken]


@asynccontextmanager
async def _undone(work: Work) -> AsyncIterator[None]:
    inner = await work.session.begin_nested()
    yield
    await inner.rollback()


async def _change(work: Work, log: str, sought: dict[str, Any], put: dict[str, Any]) -> None:
    """Do what the program's role may do: the rights of this test are those of the program."""
    assert await change_rows(work.session, Why.RESEALING, log, [(sought, put)]) == 1


async def _row(work: Work, query: str) -> Any:
    return (await work.session.execute(text(query))).mappings().first()


async def test_words_that_were_overwritten_with_a_right_seal_are_found(work: Work) -> None:
    await a_story(work)
    assert await _broken(work) == []
    for log, (column, key, bound) in _BYTES.items():
        row = await _row(work, f"SELECT * FROM {log} WHERE {column} IS NOT NULL")
        place = {"table": log, "column": column, "row": row[bound]}
        forged = work.keys.seal_with_sum(b"All is well.", **place)
        for put in (
            {column: forged.sealed},
            {column: forged.sealed, "salt_sealed": forged.salt_sealed},
            {"salt_sealed": row[column]},
        ):
            async with _undone(work):
                await _change(work, log, {key: row[key]}, put)
                assert await _broken(work) == [f"words_of_{log}"]
    row = await _row(work, "SELECT * FROM consents WHERE for_what_sealed IS NOT NULL")
    forged_services = seal_for_what(work, row["id"], [Service.SHELTER])["for_what_sealed"]
    async with _undone(work):
        await _change(
            work, "consents", {"number": row["number"]}, {"for_what_sealed": forged_services}
        )
        assert await _broken(work) == ["words_of_consents"]
    row = await _row(work, "SELECT * FROM completed_versions WHERE sealed ? 'child.a1.name'")
    answer = Bound("contacts", _NAME, row["contact_id"])
    (forged_name,) = await work.keys.seal_all([(answer, b'"Sara"')])
    for put in ({**row["sealed"], _NAME: _text(forged_name)}, {_NAME: row["sealed"][_NAME]}, {}):
        async with _undone(work):
            sought = {"contact_id": row["contact_id"], "number": row["number"]}
            await _change(work, "completed_versions", sought, {"sealed": put})
            assert await _broken(work) == ["words_of_completed_versions"]
    row = await _row(work, "SELECT * FROM earlier_answers WHERE sealed IS NOT NULL")
    async with _undone(work):
        await _change(work, "earlier_answers", {"id": row["id"]}, {"sealed": _text(forged_name)})
        assert await _broken(work) == ["words_of_earlier_answers"]
    assert await _broken(work) == []


def _text(sealed: bytes) -> str:
    return base64.b64encode(sealed).decode()


async def test_words_that_were_moved_to_another_row_are_found(work: Work) -> None:
    """Both earlier answers belong to one question of one record: each opens in both places."""
    ana = await a_story(work)
    work.actor = actor_of(ana)
    (contact,) = await work.session.scalars(select(Contact))
    work.now += 2 * STRETCH
    saved = [Change(_NAME, "Sara", contact.revision)]
    await contacts.save(work, ana, contact.id, saved)
    await flush(work)
    first, second = (
        await work.session.execute(
            text("SELECT * FROM earlier_answers WHERE path = :path ORDER BY id"), {"path": _NAME}
        )
    ).mappings()
    for columns in (["sealed"], ["sealed", "salt_sealed"]):
        async with _undone(work):
            for one, other in ((first, second), (second, first)):
                put = {column: other[column] for column in columns}
                await _change(work, "earlier_answers", {"id": one["id"]}, put)
            assert await _broken(work) == ["words_of_earlier_answers"]


async def test_words_are_gone_only_where_the_log_says_that_their_record_was_erased(
    work: Work,
) -> None:
    """An intruder may mark a record as erased, and take the mark away again."""
    await a_story(work)
    await work.session.execute(text("UPDATE contacts SET erased_at = now()"))
    row = await _row(work, "SELECT id FROM urgency_decisions WHERE reason_sealed IS NOT NULL")
    change: Any = ({"id": row["id"]}, {"reason_sealed": None})
    assert await change_rows(work.session, Why.ERASING, "urgency_decisions", [change]) == 1
    assert await _broken(work) == ["words_of_urgency_decisions"]
    gone = await _row(work, "SELECT * FROM urgency_decisions WHERE reason_sealed IS NULL")
    assert gone["words_sum"] is not None
    assert gone["salt_sealed"] is None, "without it the sum tells nothing"


async def test_no_change_of_a_log_reaches_a_sum_or_loses_a_salt(work: Work) -> None:
    await a_story(work)
    for log, (column, key, _) in _BYTES.items():
        row = await _row(work, f"SELECT * FROM {log} WHERE {column} IS NOT NULL")
        for put in ({"words_sum": bytes(32)}, {"words_sum": None}, {"salt_sealed": None}):
            with pytest.raises(DBAPIError, match="append-only"):
                async with work.session.begin_nested():
                    await _change(work, log, {key: row[key]}, put)
    row = await _row(work, "SELECT number FROM consents WHERE for_what_sealed IS NOT NULL")
    for put in ({"for_what_sum": bytes(32)}, {"for_what_sealed": None}):
        with pytest.raises(DBAPIError, match="append-only"):
            async with work.session.begin_nested():
                await _change(work, "consents", dict(row), put)
    row = await _row(work, "SELECT * FROM completed_versions WHERE sealed <> '{}'")
    sought = {"contact_id": row["contact_id"], "number": row["number"]}
    more = {**row["words_sums"], "note.x": "00"}
    for sums in (None, {}, more):
        with pytest.raises(DBAPIError, match="append-only"):
            async with work.session.begin_nested():
                await _change(work, "completed_versions", sought, {"words_sums": sums})


# The hash of a row as it was made before there were checksums.
_HASH_BEFORE = """
SELECT hash = sha256(previous || convert_to(jsonb_build_array(subject_kind, subject_id, kind,
  extract(epoch FROM at), staff_id, detail, encode(words_digest, 'hex'), words_id)::text, 'UTF8'))
FROM record_events WHERE words_sum IS NULL AND words_sealed IS NOT NULL
"""


async def test_words_from_before_sums_were_kept_are_counted_and_named_if_they_do_not_open(
    work: Work,
) -> None:
    row = uuid4()
    sealed = work.keys.seal(b"Before.", table="record_events", column="words_sealed", row=row)
    await work.session.execute(
        text(
            "INSERT INTO record_events (subject_kind, subject_id, kind, at, detail, words_sealed,"
            " words_id, previous, hash) VALUES ('case', :row, 'reopened', now(), '{}', :sealed,"
            " :row, '', '')"
        ),
        {"row": row, "sealed": sealed},
    )
    assert await work.session.scalar(text(_HASH_BEFORE)), "its chain fits as it did"
    assert await _broken(work) == []
    assert [(one.table, one.rows) for one in await verify_words(work) if one.rows] == [
        ("words_before_sums", 1)
    ]
    damaged = bytes([*sealed[:-1], sealed[-1] ^ 1])
    await _change(work, "record_events", {"words_id": row}, {"words_sealed": damaged})
    assert await _broken(work) == ["words_before_sums"]


async def test_a_row_whose_key_is_retired_while_it_is_checked_is_not_named(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check read it as it was before it was sealed anew."""
    await a_story(work)
    opens, asked = work.keys.sums_all, 0

    async def sums_all(values: list[Any]) -> list[Any]:
        nonlocal asked
        asked += 1
        return [CannotOpen() for _ in values] if asked == 1 else await opens(values)

    monkeypatch.setattr(work.keys, "sums_all", sums_all)
    assert await _broken(work) == []
    assert asked > 1
