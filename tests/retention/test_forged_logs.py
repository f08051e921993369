"""The role of the program can neither delete entries of the log nor forge where it begins."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.jobs.transaction import flush
from app.retention import running
from app.retention.models import LegalHold
from app.work import Work
from tests.support.retention.erasing import D, rule
from tests.support.retention.old_log import CALL, SHORTEST, YEARS, broken, call, entry, ids, old_log


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_entries WHERE id = 1",
        "DELETE FROM log_beginnings",
        "UPDATE log_beginnings SET last_id = 9",
        "TRUNCATE log_beginnings",
        "INSERT INTO log_beginnings VALUES ('audit_entries', 9, '\\x', 9, now(), now(), 1095,"
        " gen_random_uuid())",
        "DELETE FROM kept_entries",
        "INSERT INTO kept_entries SELECT * FROM audit_entries",
    ],
)
async def test_the_programs_role_can_neither_delete_nor_forge_a_beginning(
    work: Work, statement: str
) -> None:
    await old_log(work, 3000, 2999, 2998)
    await call(work)
    with pytest.raises(DBAPIError, match="permission denied"):
        async with work.session.begin_nested():
            await work.session.execute(text(statement))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        # The third entry is of last week.
        ({"up_to": 3}, "younger"),
        ({"up_to": 4}, "younger"),
        ({"days": 2999}, "younger"),
        # Entries that are not there yet: the next ones would be lost.
        ({"up_to": 1, "days": YEARS - 1}, "1095 days at least"),
        ({"days": None}, "1095 days at least"),
        ({"days": -5}, "1095 days at least"),
        ({"log": "record_events"}, "not erased in this way"),
        ({"log": None}, "not erased in this way"),
        ({"up_to": 90000}, "in parts"),
    ],
)
async def test_the_function_refuses_what_is_young_and_what_is_no_oldest_part(
    work: Work, values: dict[str, Any], told: str
) -> None:
    await old_log(work, 3000, 2998, 7, 2990)
    with pytest.raises(DBAPIError, match=told):
        await call(work, **values)
    assert await ids(work) == [1, 2, 3, 4]


RULES = {
    "for ever": ("DELETE FROM retention_rules", "for ever"),
    "for ever, decided": ("UPDATE retention_rules SET days = NULL", "for ever"),
    "the program's": ("UPDATE retention_rules SET decided_by = 'program'", "for ever"),
    "longer": ("UPDATE retention_rules SET days = 2999", "for 2999 days"),
    "a shorter one that waits": (
        "UPDATE retention_rules SET days = 2999, next_days = 1095, next_at = now() + '1 day'",
        "for 2999 days",
    ),
    "for ever, and a rule that waits": (
        "UPDATE retention_rules SET days = NULL, next_days = 1095, next_at = now() + '1 day'",
        "for ever",
    ),
    "a longer one since yesterday": (
        "UPDATE retention_rules SET next_days = 2999, next_at = now() - interval '1 day'",
        "for 2999 days",
    ),
}


@pytest.mark.parametrize(("statement", "told"), RULES.values(), ids=RULES)
async def test_the_function_reads_the_rule_itself(work: Work, statement: str, told: str) -> None:
    await old_log(work, 3000, 2998)
    await work.session.execute(text(SHORTEST))
    await work.session.execute(text(statement))
    given = {"log": "audit_entries", "up_to": 2, "days": YEARS, "run": uuid4()}
    with pytest.raises(DBAPIError, match=told):
        async with work.session.begin_nested():
            await work.session.scalar(text(CALL), given)
    assert await ids(work) == [1, 2]


async def test_the_function_reads_the_holds_itself(work: Work) -> None:
    held = uuid4()
    await old_log(work, 3000)
    await entry(work, 2999, subject=f"case:{held}")
    values = {"id": uuid4(), "reason_sealed": b"", "held_at": work.now}
    work.session.add(LegalHold(subject_kind="case", subject_id=held, **values))
    await flush(work)
    with pytest.raises(DBAPIError, match="held"):
        await call(work)
    assert await call(work, up_to=1) == 1
    await work.session.execute(text("UPDATE legal_holds SET lifted_at = now()"))
    assert await call(work) == 1


async def test_nothing_is_erased_twice_or_from_the_middle(work: Work) -> None:
    await old_log(work, 3000, 2999, 2998)
    assert await call(work, up_to=0) == 0
    assert await call(work) == 2
    assert await call(work) == 0
    # A number that none has: the part up to it is not the one that was meant.
    with pytest.raises(DBAPIError, match="younger"):
        await call(work, up_to=9)
    assert len(await ids(work)) == 2


FORGERIES = {
    "a row is deleted": "DELETE FROM audit_entries WHERE id = 2",
    "the first one is deleted": "DELETE FROM audit_entries WHERE id = 1",
    "a row is changed": "UPDATE audit_entries SET subject = 'x' WHERE id = 2",
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
async def test_a_forged_entry_of_the_log_is_not_erased(forger: Work, forgery: str) -> None:
    """To erase it would erase the proof; the check names it for as long as it is there."""
    await old_log(forger, 3000, 2999, 2998, 10)
    await rule(forger, D.LOG, YEARS)
    await flush(forger)
    await forger.session.execute(text("SET LOCAL session_replication_role = replica"))
    await forger.session.execute(text(forgery))
    await forger.session.execute(text("SET LOCAL session_replication_role = origin"))
    before = await ids(forger)
    assert await running.erase_some(forger, D.LOG, uuid4(), set()) == 0
    assert await ids(forger) == before
    assert "audit_entries" in await broken(forger)


BEGINNINGS = {
    "an entry that is deleted after the beginning": (
        "DELETE FROM audit_entries WHERE id = 3",
        {"audit_entries"},
    ),
    "a beginning that was moved on with its entries": (
        "DELETE FROM audit_entries WHERE id = 3; INSERT INTO log_beginnings SELECT log, 3, "
        "(SELECT previous FROM audit_entries WHERE id = 4), 1, last_at, at, days, run_id "
        "FROM log_beginnings",
        {"log_beginnings"},
    ),
    "a beginning that was taken away": ("DELETE FROM log_beginnings", {"audit_entries"}),
    "a beginning of another hash": (
        "UPDATE log_beginnings SET hash = sha256(hash)",
        {"audit_entries", "log_beginnings"},
    ),
    "an entry before the beginning": (
        "INSERT INTO audit_entries OVERRIDING SYSTEM VALUE SELECT 1, at, actor, action, subject, "
        "detail, previous, hash FROM audit_entries WHERE id = 3",
        {"audit_entries"},
    ),
    "a kept entry that names another person": (
        "UPDATE kept_entries SET actor = 'x'",
        {"kept_entries"},
    ),
}


@pytest.mark.parametrize(("forgery", "found"), BEGINNINGS.values(), ids=BEGINNINGS)
async def test_the_check_names_what_another_role_does_to_the_beginning(
    forger: Work, forgery: str, found: set[str]
) -> None:
    await entry(forger, 3000, action="staff_added")
    await old_log(forger, 2999, 10, 9)
    assert await call(forger) == 2
    assert await broken(forger) == {}
    await forger.session.execute(text("SET LOCAL session_replication_role = replica"))
    for statement in forgery.split("; "):
        await forger.session.execute(text(statement))
    assert set(await broken(forger)) == found


async def test_the_owner_deletes_no_entry_past_the_function_either(forger: Work) -> None:
    await old_log(forger, 3000, 2999, 2998)
    await call(forger)
    with pytest.raises(DBAPIError, match="append-only"):
        async with forger.session.begin_nested():
            await forger.session.execute(text("DELETE FROM audit_entries WHERE id = 3"))
