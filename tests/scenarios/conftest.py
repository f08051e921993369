"""A stage without telephones and jobs, for stories that only pages and the JSON API tell."""

from collections.abc import AsyncIterator

import pytest

from tests.scenarios.quiet import QuietStage, quiet_stage_on


@pytest.fixture
async def quiet(database: str, anyio_backend: str) -> AsyncIterator[QuietStage]:
    """The pages and the JSON API, as on a stage, without exchange, worker and sockets."""
    async with quiet_stage_on(database) as made:
        yield made
