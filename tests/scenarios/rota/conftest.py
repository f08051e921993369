"""A duty manager and two counsellors without shifts."""

import pytest

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.program.quiet import QuietStage


@pytest.fixture
async def three(stage: Stage) -> tuple[Counsellor, Counsellor, Counsellor]:
    return await _three(stage)


@pytest.fixture
async def quiet_three(quiet: QuietStage) -> tuple[Counsellor, Counsellor, Counsellor]:
    return await _three(quiet)


async def _three(stage: Stage) -> tuple[Counsellor, Counsellor, Counsellor]:
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await stage.add_counsellor("ana", shift=False)
    boris = await stage.add_counsellor("boris", shift=False)
    return chief, ana, boris
