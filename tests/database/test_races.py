"""Two transactions that really race, on a database of their own."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import BigInteger, bindparam, func, select, text

from app.chats import ending
from app.database.engine import open_database
from app.database.quick import Question
from app.demo.invariants import broken_now
from app.demo.stage import Stage
from app.jobs.transaction import rows_of, run_verb, transaction
from app.routing import own_presence, queue
from app.routing.sweep import sweep
from app.work import PROGRAM
from tests.support.profile import WHOLE

# How many counsellors are matched at once.
_MATCHED = 6 if WHOLE else 4


async def test_many_matchers_never_pair_a_caller_or_counsellor_twice(stage: Stage) -> None:
    for number in range(_MATCHED):
        await stage.add_counsellor(f"c{number}", state="break")
    legs = [stage.ring(f"+38164111{n:04d}") for n in range(_MATCHED + 3)]
    await stage.advance(2)
    for leg in legs:
        stage.exchange.press(leg, "1")
    await stage.advance(2)
    await stage.watch.execute("UPDATE presences SET state = 'available'")
    await asyncio.gather(*(queue.match(stage.ground) for _ in range(8)))
    rows = await stage.rows("SELECT call_id, counsellor_id FROM offers")
    assert len(rows) == _MATCHED
    assert len({row["call_id"] for row in rows}) == _MATCHED
    assert len({row["counsellor_id"] for row in rows}) == _MATCHED
    # Longest waiting first.
    assert await broken_now(stage) == []


async def test_a_caller_whose_webhook_is_being_decided_is_offered_right_after_it(
    stage: Stage,
) -> None:
    """No topic says that a lock is gone: matching looks again, and does not leave it to the sweep,
    which may be a second away."""
    await stage.add_counsellor("ana", state="break")
    leg = stage.ring()
    await stage.until(lambda: leg.heard)
    stage.exchange.press(leg, "1")
    await stage.until(lambda: leg.waits_in is not None)
    await stage.watch.execute("UPDATE presences SET state = 'available'")
    async with stage.ground.database.sessions() as webhook, webhook.begin():
        await webhook.execute(text("SELECT FROM calls FOR UPDATE"))
        matching = asyncio.create_task(queue.match(stage.ground))
        await asyncio.sleep(0.1)
        assert await stage.rows("SELECT FROM offers") == []
    # The worker may be looking, too, and be first.
    await matching
    assert len(await stage.rows("SELECT 1 FROM offers")) == 1


_LOCK = Question(select(func.pg_advisory_xact_lock(bindparam("lock", type_=BigInteger()))))


async def test_a_connection_on_which_a_statement_was_cut_off_is_not_used_again(
    stage: Stage,
) -> None:
    """Its answer may still come, and the next statement would take it for its own."""
    pids: list[int] = []

    async def stands() -> None:
        async with transaction(stage.ground, PROGRAM) as work:
            pids.append(await work.session.scalar(select(func.pg_backend_pid())) or 0)
            await rows_of(work, _LOCK, lock=116)

    await stage.rows("SELECT pg_advisory_lock(116)")
    standing = asyncio.create_task(stands())
    waits = "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    while not await stage.rows(waits):
        await asyncio.sleep(0.01)
    standing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await standing
    await stage.rows("SELECT pg_advisory_unlock(116)")
    there = "SELECT FROM pg_stat_activity WHERE pid = %s"
    for _ in range(300):
        if not await stage.rows(there, pids[0]):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the connection is still in the pool")


async def test_accept_against_expiry_against_hang_up(stage: Stage) -> None:
    """All three at once, many times: one of them wins, and the rest is consistent."""
    ana = await stage.add_counsellor("ana")
    for number in range(12 if WHOLE else 2):
        leg = stage.ring(f"+38164111{number:04d}")
        await stage.advance(2)
        stage.exchange.press(leg, "1")
        await stage.advance(1)
        offer = await ana.offer()
        assert offer is not None
        if number % 2:
            stage.stepped.move_to(stage.clock.now() + timedelta(seconds=21))
        await asyncio.gather(
            ana.ask("POST", f"/offers/{offer['id']}/accept"),
            sweep(stage.ground, ending.end_away),
            stage.exchange.hang_up(leg),
            ana.ask("POST", f"/offers/{offer['id']}/decline"),
        )
        await stage.advance(3)
        assert await broken_now(stage) == []
        assert (await stage.call_of(leg))["state"] == "ended"
        await ana.be("available")


async def test_a_verb_that_loses_a_race_is_run_again(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")

    async def choose(state: str) -> None:
        await run_verb(
            stage.ground,
            PROGRAM,
            lambda work: own_presence.choose_presence_by_name(work, ana.staff, state),
        )

    await asyncio.gather(*(choose(s) for s in ["break", "available", "off_duty"] * 5))
    (last,) = await stage.rows("SELECT after FROM presence_changes ORDER BY id DESC LIMIT 1")
    assert await ana.presence() == last["after"]
    assert await broken_now(stage) == []


async def test_no_lock_is_waited_for_without_an_end(stage: Stage) -> None:
    """Another transaction that holds a row, and does not end, stops neither phones nor pages."""
    ground = stage.ground
    for pool in (ground.database.engine, ground.database.aside, ground.database.counting):
        async with pool.connect() as connection:
            assert await connection.scalar(text("SHOW lock_timeout")) == "10s"
    (shown,) = await ground.database.quick.ask("SHOW lock_timeout", {})
    assert shown == {"lock_timeout": "10s"}
    ana = await stage.add_counsellor("ana")
    kept, brief = ground.database, open_database(ground.database.url, lock_seconds=0.2)
    object.__setattr__(ground, "database", brief)
    try:
        async with kept.sessions() as holder, holder.begin():
            await holder.execute(text("LOCK TABLE calls, presences IN EXCLUSIVE MODE"))
            leg = stage.ring()
            # A document all the same: the caller hears us, and is asked about again.
            await stage.until(lambda: leg.has_heard("Please stay on the line"))
            refused = await ana.ask("PUT", "/me/presence", {"state": "break"})
            assert (refused.status_code, refused.json()["error"]) == (503, "Unavailable")
            assert "Nothing was changed. Try again." in refused.json()["detail"]
        assert (await ana.ask("PUT", "/me/presence", {"state": "break"})).status_code == 200
        await stage.advance(20)
        assert not leg.over
        assert (await stage.call_of(leg))["state"] == "queued"
    finally:
        object.__setattr__(ground, "database", kept)
        await brief.close()
