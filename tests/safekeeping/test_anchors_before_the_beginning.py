"""Anchors of a log whose oldest part was erased by its rule: nothing is missing that may be."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from app.database.logs import erase_up_to
from app.safekeeping.anchors import make_anchor
from app.safekeeping.models import Anchor
from app.safekeeping.verifying import Verdict, verdict_of
from app.work import Work
from tests.support.retention.old_log import SHORTEST, old_log
from tests.support.verbs import with_settings


async def anchored(work: Work, days: int) -> None:
    """Make an anchor as it was made this many days ago."""
    noon = datetime.now(UTC).replace(hour=12, minute=0)
    work.now = noon - timedelta(days=days)
    assert await make_anchor(work) is not None


async def a_file(forger: Work, tmp_path: Path) -> Work:
    work = with_settings(forger, anchor_file=tmp_path / "anchors")
    await work.session.execute(text(SHORTEST))
    await old_log(work, 3000, 2999)
    await anchored(work, 2998)
    await old_log(work, 2990, 2989)
    await anchored(work, 20)
    await old_log(work, 10, 9)
    await anchored(work, 5)
    return work


async def erased(work: Work, up_to: int) -> None:
    assert await erase_up_to(work.session, "audit_entries", up_to, 1095, uuid4()) == up_to


async def verdict(work: Work) -> Verdict:
    rows = await work.session.scalars(select(Anchor.document).order_by(Anchor.made_at))
    return await verdict_of(work, "\n".join(rows).encode())


async def said(work: Work) -> list[str]:
    return [f"{one.log}: {one.sentence}" for one in (await verdict(work)).findings]


async def test_what_is_before_the_beginning_is_not_missing(forger: Work, tmp_path: Path) -> None:
    work = await a_file(forger, tmp_path)
    assert await said(work) == []
    for up_to, before in ((3, 1), (4, 2)):
        await work.session.execute(text("SAVEPOINT before"))
        await erased(work, up_to)
        assert await said(work) == []
        assert (await verdict(work)).before == before
        await work.session.execute(text("ROLLBACK TO before"))
    # In two parts, and with an anchor that was made afterwards.
    await erased(work, 2)
    await old_log(work, 2)
    await anchored(work, 1)
    assert await erase_up_to(work.session, "audit_entries", 4, 1095, uuid4()) == 2
    assert await said(work) == []


@pytest.mark.parametrize(
    ("forgery", "told"),
    [
        ("DELETE FROM audit_entries WHERE id = 5", "Entries 5 are missing."),
        ("DELETE FROM audit_entries WHERE id = 4", "Entries 4 are missing."),
        ("DELETE FROM audit_entries WHERE id > 5", "Entries 6 are missing."),
        ("DELETE FROM log_beginnings", "Entries 1-3 are missing."),
        (
            "UPDATE audit_entries SET hash = sha256(hash) WHERE id > 5",
            "An entry from 5 to 6 was altered.",
        ),
    ],
)
async def test_what_another_role_takes_away_is_named(
    forger: Work, tmp_path: Path, forgery: str, told: str
) -> None:
    work = await a_file(forger, tmp_path)
    await erased(work, 3)
    await work.session.execute(text("SET LOCAL session_replication_role = replica"))
    await work.session.execute(text(forgery))
    assert f"audit_entries: {told}" in await said(work)


async def test_a_beginning_that_an_anchor_contradicts_is_named(
    forger: Work, tmp_path: Path
) -> None:
    """The owner of the tables moves it, and everything in the database fits."""
    work = await a_file(forger, tmp_path)
    await erased(work, 4)
    await work.session.execute(text("SET LOCAL session_replication_role = replica"))
    await work.session.execute(
        text(
            "INSERT INTO log_beginnings SELECT b.log, 6, e.hash, 2, e.at, now(), 1095, b.run_id "
            "FROM log_beginnings b, audit_entries e WHERE e.id = 6"
        )
    )
    await work.session.execute(text("DELETE FROM audit_entries WHERE id IN (5, 6)"))
    told = "audit_entries: Entries up to number 6 were erased before their time."
    assert await said(work) == [told]


async def test_a_beginning_with_another_hash_than_an_anchor_says_is_named(
    forger: Work, tmp_path: Path
) -> None:
    work = await a_file(forger, tmp_path)
    await erased(work, 4)
    await work.session.execute(text("SET LOCAL session_replication_role = replica"))
    await work.session.execute(text("UPDATE log_beginnings SET hash = sha256(hash)"))
    assert await said(work) == ["audit_entries: An entry from 1 to 4 was altered."]
