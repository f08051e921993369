"""People at a line, for tests of the rota."""

import pytest

from app.staff.models import Staff
from app.work import Work
from tests.support.duties import a_taker
from tests.support.verbs import a_line, a_supervisor


@pytest.fixture
async def three(work: Work) -> tuple[Staff, Staff, Staff]:
    """A line, the supervisor Vera, and Ana and Boris, who take its calls."""
    await a_line(work)
    return await a_supervisor(work), await a_taker(work, "ana"), await a_taker(work, "boris")
