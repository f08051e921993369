"""The scripted hour, with callbacks lost, doubled and delayed and the server away for a while."""

import pytest

from app.demo.hour import play_hour
from app.demo.stage import stage_on
from tests.scenarios.every_route import add_cases, open_every_route


@pytest.mark.timeout(300)
async def test_every_route_opens_with_every_row_of_an_hour(
    database: str, anyio_backend: str
) -> None:
    """Calls, contacts, referrals and call-backs in every state that an hour brings about."""
    async with stage_on(database, seed=1, wrap_up_seconds=20, long_wait_seconds=60) as stage:
        told = await play_hour(stage, 1)
        assert told["broken"] == []
        assert told["rings"] == told["calls"]
        assert told["lost"] == 0
        await add_cases(stage)
        opened = await open_every_route(stage)
    assert opened.broken == []
    assert opened.never_well == set()
    assert opened.requests > 500


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [2])
async def test_nobody_is_lost_in_an_hour(database: str, anyio_backend: str, seed: int) -> None:
    async with stage_on(database, seed=seed, wrap_up_seconds=20, long_wait_seconds=60) as stage:
        told = await play_hour(stage, seed)
    assert told["broken"] == []
    assert told["rings"] == told["calls"]
    assert told["lost"] == 0
    assert told["answered"] > told["rings"] / 2
    assert told["urgent"] == told["acknowledged"] > 0
    # The server was away; which callbacks are lost is left to the dice.
    assert told["unreachable"] > 0
