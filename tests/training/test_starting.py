"""Which practice is started, and for whom."""

import pytest

from app.errors import Invalid, NotFound
from app.staff import accounts
from app.staff.roles import Role
from app.training import practices
from app.work import Work
from tests.support.verbs import a_counsellor, a_talk


async def test_without_a_telephone_or_in_a_call_none_is_started(work: Work) -> None:
    bora = await a_counsellor(work, "bora")
    await a_talk(work, bora)
    work.settings.practice_exchange = "http://127.0.0.1:1"
    ana = await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR, endpoint="browser")
    with pytest.raises(practices.NoTelephone):
        await practices.start(work, ana, "prank", "sr")
    with pytest.raises(NotFound):
        await practices.start(work, ana, "nothing", "sr")
    with pytest.raises(Invalid):
        await practices.start(work, ana, "prank", "hu")
    vera = await a_counsellor(work, "vera")
    await practices.start(work, vera, "prank", "sr")
    with pytest.raises(practices.AlreadyPractising):
        await practices.start(work, vera, "prank", "sr")
    with pytest.raises(practices.TraineeNotFree):
        await practices.start(work, bora, "prank", "sr")
