"""The scripted hour, with callbacks lost, doubled and delayed and the server away for a while."""

import pytest

from app.demo.lengths import HOUR
from tests.support.hour import played_hour
from tests.support.profile import nightly


@nightly
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [2, 3])
async def test_no_caller_is_lost_in_an_hour(database: str, anyio_backend: str, seed: int) -> None:
    """The first hour is played every day before `tests/web/test_every_route.py` reads its rows."""
    async with played_hour(database, seed, HOUR):
        pass
