"""A wrong or lost field key is noticed, at the start and by readiness, and the way on is said."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from app import tables
from app.demo.stage import Stage
from app.errors import BadSettings
from app.privacy.keys import keys_in_program
from app.sealing import knowing
from app.sealing.knowing import check_keys, learn, learn_now
from app.settings import Settings
from app.work import Work, make_ground
from tests.support.sealing.keys import KEYS, OTHER, keys_of, settings_on, with_keys


async def test_keys_are_entered_once_and_then_compared(work: Work) -> None:
    await learn(work)
    assert work.keys.problem == ""
    wrong = with_keys(work, (1, OTHER))
    await learn(wrong)
    assert "is not the key 1 of this database" in wrong.keys.problem
    lost = with_keys(work, (2, KEYS[2]))
    await learn(lost)
    assert "no key 1" in lost.keys.problem
    assert "Put it back" in lost.keys.problem
    right = with_keys(work, (2, KEYS[2]), (1, KEYS[1]))
    await learn(right)
    assert right.keys.problem == ""
    # The new key does not seal before `helpline keys rotate`: another process may not have it.
    assert right.keys.current == 1


async def test_a_process_whose_clock_is_behind_works_by_the_keys_of_another(work: Work) -> None:
    await learn(work)
    behind = replace(work, now=work.now - timedelta(minutes=2))
    again = with_keys(behind, (1, KEYS[1]))
    await learn(again)
    assert again.keys.problem == ""
    assert again.keys.current == 1


async def test_a_key_that_has_never_sealed_may_be_taken_away_again(work: Work) -> None:
    await learn(work)
    await learn(with_keys(work, (2, KEYS[2]), (1, KEYS[1])))
    again = with_keys(work, (1, KEYS[1]))
    await learn(again)
    assert again.keys.problem == ""
    # Nor does its number belong to it for ever while it has sealed nothing.
    other = with_keys(work, (2, OTHER), (1, KEYS[1]))
    await learn(other)
    assert other.keys.problem == ""


def test_the_start_is_refused_with_what_to_do(database: str) -> None:
    right = settings_on(database, (1, KEYS[1]))
    check_keys(right, lambda: tables.metadata)
    _learn(right)
    check_keys(right, lambda: tables.metadata)
    for wrong, words in (
        (settings_on(database, (1, OTHER)), "HELPLINE_FIELD_KEYS is not the key 1"),
        (settings_on(database, (3, KEYS[3])), "HELPLINE_FIELD_KEYS has no key 1"),
    ):
        with pytest.raises(BadSettings, match=words):
            check_keys(wrong, lambda: tables.metadata)


def _learn(settings: Settings) -> None:
    async def run() -> None:
        ground = make_ground(settings)
        await learn_now(ground)
        await ground.database.close()

    asyncio.run(run())


@pytest.mark.parametrize(("key", "opens"), [(KEYS[1], True), (OTHER, False)])
def test_a_database_without_check_values_is_tried(database: str, key: bytes, opens: bool) -> None:
    row = uuid4()
    sealed = keys_in_program([(1, KEYS[1])], "s" * 40).seal(
        b"x", table="push_keys", column="private_sealed", row=row
    )
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO push_keys (id, private_sealed, public, created_at) "
            "VALUES (%s, %s, '', now())",
            [row, sealed],
        )
    settings = settings_on(database, (1, key))
    if opens:
        check_keys(settings, lambda: tables.metadata)
        return
    with pytest.raises(BadSettings, match=r"push_keys\.private_sealed"):
        check_keys(settings, lambda: tables.metadata)


def test_the_connection_at_the_start_has_limits(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[object] = []

    def look(connection: psycopg.Connection[Any], *_: object) -> str:
        row = connection.execute("SHOW statement_timeout").fetchone()
        shown.extend([row, connection.info.get_parameters().get("connect_timeout")])
        return ""

    monkeypatch.setattr(knowing, "cannot_open", look)
    check_keys(settings_on(database, (1, KEYS[1])), lambda: tables.metadata)
    assert shown == [{"statement_timeout": "1min"}, "10"]


async def test_readiness_says_which_key_is_wrong(stage: Stage) -> None:
    ready = f"{stage.settings.public_url}/readyz"
    async with asyncio.timeout(30):
        # A worker says that it is there a moment after the server does.
        while not await stage.rows("SELECT id FROM procrastinate_workers"):
            await asyncio.sleep(0.02)
    answer = await stage.client.get(ready)
    assert (answer.status_code, answer.json()["keys"]) == (200, "well")
    await stage.rows("UPDATE field_keys SET check_value = '\\x00' RETURNING number")
    answer = await stage.client.get(ready)
    assert answer.status_code == 503
    assert "Put the right key back" in answer.json()["keys"]
    await stage.rows("DELETE FROM field_keys RETURNING number")
    assert (await stage.client.get(ready)).status_code == 200


def test_a_check_value_tells_keys_apart_and_nothing_else() -> None:
    one, other = keys_of((1, KEYS[1])), keys_of((1, OTHER))
    assert one.check_value(1) != other.check_value(1)
    assert KEYS[1].hex() not in one.check_value(1).hex()
