"""Another key seals: everything that is stored is sealed anew, and the old key retires."""

import asyncio
import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Table, text
from sqlalchemy.exc import DBAPIError

import app
from app import tables
from app.database.base import SEALED
from app.errors import Conflict
from app.privacy.hash_kinds import HashOf
from app.privacy.keys import SALT_COLUMN, CannotOpen
from app.privacy.models import FieldKey
from app.privacy.safe import SECRETS
from app.sealing import resealing
from app.sealing.knowing import learn, learn_now
from app.sealing.places import sealed_places, values_of
from app.staff.log_checks.chains import verify_chains
from app.staff.log_checks.sealed_words import verify_words
from app.work import Work, make_ground
from tests.support.commands import begun, command
from tests.support.sealing.keys import KEYS, SECRET, settings_on, text_of, with_keys
from tests.support.sealing.stories import a_story

pytestmark = pytest.mark.whole

PLACES = sealed_places(tables.metadata)


async def sealed_with(work: Work) -> Counter[int]:
    found: Counter[int] = Counter()
    for one in await resealing.counts(work, tables.metadata):
        found[one.number] += one.values
    return found


async def everything_again(work: Work) -> int:
    done = 0
    for place in PLACES:
        some, after = await resealing.reseal_some(work, place, None)
        while after is not None:
            done += some
            some, after = await resealing.reseal_some(work, place, after)
    return done


async def opened(work: Work) -> list[bytes]:
    """Return everything that is sealed, as it was before."""
    found = []
    for place in PLACES:
        also = ", ".join(dict.fromkeys((*place.also(), place.column)))
        rows = await work.session.execute(text(f"SELECT {also} FROM {place.table}"))
        for row in rows.mappings():
            if row[place.column] is None:
                continue
            for path, value in values_of(place, row[place.column]).items():
                bound = place.bound_to(dict(row), path)
                if place.table == SECRETS[0]:
                    # What is in it is not told; it opens, and hashes stay as they are.
                    work.keys.check_opens(value, **bound)
                    found.append(work.keys.match_key(HashOf.NAME, "mina"))
                else:
                    found.append(work.keys.open(value, **bound))
    return sorted(found)


async def rotated(work: Work) -> Work:
    """Return the unit of work of a process in which key 2 seals."""
    await learn(work)
    later = with_keys(work, (2, KEYS[2]), (1, KEYS[1]))
    await resealing.rotate_key(later)
    later.now += resealing.NOTICE
    await learn(later)
    return later


def test_every_place_is_found_from_the_models() -> None:
    found = {(place.table, place.column) for place in PLACES}
    for table in tables.metadata.sorted_tables:
        named = {c.name for c in table.columns if c.name.endswith("_sealed")}
        assert {(table.name, name) for name in named} <= found
    # What the program seals is in these places, and it seals in no others.
    source = "".join(path.read_text() for path in Path(app.__file__).parent.rglob("*.py"))
    written = set(re.findall(r'table="(\w+)",\s*column="(\w+)"', source))
    written |= set(re.findall(r'Bound\(\s*"(\w+)",\s*"(\w+)"', source))
    assert written <= found
    answers = {p for p in found if SEALED in _info(p) and p[1] in ("sealed", SALT_COLUMN)}
    assert len(found - written - answers) <= 13, sorted(found - written - answers)


def _info(place: tuple[str, str]) -> dict[Any, Any]:
    table: Table = tables.metadata.tables[place[0]]
    info: dict[Any, Any] = table.columns[place[1]].info
    return info


async def test_everything_is_sealed_anew_before_the_old_key_is_retired(work: Work) -> None:
    await learn(work)
    await a_story(work)
    before = await opened(work)
    stored = {one.place for one in await resealing.counts(work, tables.metadata)}
    assert {
        "calls.caller_number_sealed",
        "completed_versions.sealed",
        "consents.for_what_sealed",
        "consents.words_sealed",
        "contacts.sealed",
        "earlier_answers.sealed",
        "record_events.words_sealed",
        "referrals.services_sealed",
        "urgency_decisions.reason_sealed",
    } <= stored
    await work.session.execute(
        text(
            "INSERT INTO statistic_days (day, made_at, records, version) "
            "SELECT opened_at::date, opened_at, 1, 1 FROM calls LIMIT 1"
        )
    )
    later = await rotated(work)
    await _the_old_key_is_needed(later)
    assert (await sealed_with(later)).keys() == {1}
    assert await everything_again(later) == len(before)
    assert (await sealed_with(later)).keys() == {2}
    assert await opened(later) == before
    assert await everything_again(later) == 0
    assert not [r for r in await verify_chains(later.session) if r.broken]
    words = await verify_words(later)
    assert [report for report in words if report.broken] == []
    assert {report.table: report.rows > 0 for report in words} == {
        "words_of_record_events": True,
        "words_of_urgency_decisions": True,
        "words_of_consents": True,
        "words_of_earlier_answers": True,
        "words_of_completed_versions": True,
        "words_before_sums": False,
    }
    # Kept figures are not forgotten for it.
    assert await later.session.scalar(text("SELECT count(*) FROM statistic_days")) == 1
    # What leaves the settings is not missed: the hashes do not come from the last key any more.
    alone = with_keys(later, (2, KEYS[2]))
    alone.keys.problem = ""
    later.now += resealing.SETTLED
    await resealing.retire_key(later, tables.metadata, 1)
    assert (await later.session.get_one(FieldKey, 1)).retired_at == later.now
    alone.now = later.now
    await learn(alone)
    assert alone.keys.problem == ""
    assert alone.keys.match_key(HashOf.CALLER, "+381") == work.keys.match_key(HashOf.CALLER, "+381")
    assert await opened(alone) == before
    # A retired key opens nothing, should it still be in the settings.
    both = with_keys(later, (2, KEYS[2]), (1, KEYS[1]))
    await learn(both)
    forged = work.keys.seal(b"forged", table="t", column="c", row=uuid4())
    with pytest.raises(CannotOpen):
        both.keys.open(forged, table="t", column="c", row=uuid4())


async def _the_old_key_is_needed(later: Work) -> None:
    """A key is retired only when nothing is sealed with it."""
    with pytest.raises(Conflict, match="seals"):
        await resealing.retire_key(later, tables.metadata, 2)
    with pytest.raises(Conflict, match="five minutes"):
        await resealing.retire_key(later, tables.metadata, 1)
    later.now += resealing.SETTLED + timedelta(seconds=1)
    with pytest.raises(Conflict, match="still sealed"):
        await resealing.retire_key(later, tables.metadata, 1)


async def test_rows_of_logs_take_a_new_seal_and_nothing_else(forger: Work) -> None:
    work = forger
    await a_story(work)
    await work.session.flush()
    await work.session.execute(text("SELECT set_config('helpline.resealing', 'on', true)"))
    # The last byte of a seal; its key's number and the length stay as they are.
    seal = "set_byte(words_sealed, length(words_sealed) - 1, 0)"
    await _change_words(work, f"words_sealed = {seal}")
    for change in ("kind = 'x'", "words_sealed = NULL", "detail = '{}'::jsonb || '{\"a\": 1}'"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with work.session.begin_nested():
                await _change_words(work, change)


async def _change_words(work: Work, change: str) -> None:
    sealed = "UPDATE record_events SET {} WHERE words_sealed IS NOT NULL RETURNING id"
    assert (await work.session.scalars(text(sealed.format(change)))).all()


async def test_words_that_replace_those_of_a_log_are_found(forger: Work) -> None:
    work = forger
    await a_story(work)
    await work.session.execute(text("SET LOCAL session_replication_role = replica"))
    for forgery, told in (
        ("words_sealed = set_byte(words_sealed, 20, 255 - get_byte(words_sealed, 20))", "words"),
        ("words_sealed = NULL", "record_events"),
        ("words_digest = sha256('')", "record_events"),
    ):
        forged = await work.session.begin_nested()
        await work.session.execute(
            text(f"UPDATE record_events SET {forgery} WHERE words_sealed IS NOT NULL")
        )
        found = [*await verify_chains(work.session), *await verify_words(work)]
        assert told in " ".join(report.table for report in found if report.broken), forgery
        await forged.rollback()
        # What was read of the forged rows is read again.
        work.session.expunge_all()
    assert not [one for one in await verify_chains(work.session) if one.broken]


def test_it_goes_on_after_it_was_killed(database: str) -> None:
    """A command that is killed with -9 leaves nothing that cannot be opened, and is repeated."""
    old = settings_on(database, (1, KEYS[1]))
    ground = make_ground(old)
    rows = [uuid4() for _ in range(3000)]
    place = {"table": "push_keys", "column": "private_sealed"}
    with psycopg.connect(database, autocommit=True) as connection:
        asyncio.run(_learned(old))
        connection.cursor().executemany(
            "INSERT INTO push_keys (id, private_sealed, public, created_at) "
            "VALUES (%s, %s, '', now())",
            [(row, ground.keys.seal(row.bytes, **place, row=row)) for row in rows],
        )
        keys = ((2, KEYS[2]), (1, KEYS[1]))
        asyncio.run(_learned(settings_on(database, *keys)))
        connection.execute("UPDATE field_keys SET seals_from = now() WHERE number = 2")
        by_key = "SELECT count(*) FROM push_keys WHERE get_byte(private_sealed, 1) = 2"
        with begun("keys", "reseal", environment=_environment(database, *keys)) as process:
            while not _count(connection, by_key):
                assert process.is_alive()
            process.kill()
        assert 0 < _count(connection, by_key) < len(rows)
        again = command("keys", "reseal", environment=_environment(database, *keys))
        assert again.returncode == 0, again.stderr
        assert "values were sealed anew" in again.stdout
        shown = command("keys", "status", environment=_environment(database, *keys)).stdout
        # The key of the hashes is sealed, too.
        assert f"key 2\tseals\t{len(rows) + 1} values" in shown
        assert "key 1\topens\t0 values" in shown
        assert _count(connection, by_key) == len(rows)
        sealed = connection.execute("SELECT id, private_sealed FROM push_keys").fetchall()
    after = make_ground(settings_on(database, *keys)).keys
    assert all(after.open(value, **place, row=row) == row.bytes for row, value in sealed)


def _count(connection: psycopg.Connection[Any], sql: str) -> int:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


async def _learned(settings: Any) -> None:
    ground = make_ground(settings)
    await learn_now(ground)
    await ground.database.close()


def _environment(database: str, *keys: tuple[int, bytes]) -> dict[str, str]:
    return {
        "HELPLINE_DATABASE_URL": database,
        "HELPLINE_FIELD_KEYS": text_of(*keys),
        "HELPLINE_SECRET_KEY": SECRET,
    }
