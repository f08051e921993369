"""A call-back that no counsellor makes: the person on call hears of it, until it is made."""

from datetime import timedelta

import pytest

from app.calls import record
from app.calls.lines import finding_lines
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.people import Phone
from app.routing import changing_plans
from app.routing.callbacks import callbacks
from app.routing.callbacks.choices import Who
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.contacts import skip_minutes
from tests.support.profile import nightly
from tests.support.referrals import add_agency, page, phone
from tests.support.talks import CHILD, waits

pytestmark = pytest.mark.usefixtures("each_minute")

CHIEF = "+38164555001"


async def an_agreed_callback(stage: Stage) -> None:
    """A child who waits agrees to a call-back within two minutes, on a line that is strict."""
    leg = await waits(stage, from_=CHILD)
    call_id = (await stage.call_of(leg))["id"]
    async with transaction(stage.ground, PROGRAM) as work:
        call = await record.lock_call(work, call_id)
        line = await finding_lines.any_line(work)
        assert line is not None
        await changing_plans.change_plan(work, line, callback_wait=300, longest_wait=3600)
        window = (work.now, work.now + timedelta(minutes=2))
        await callbacks.agree(work, call, Who.CALLER, window, safe=True)
    await stage.exchange.hang_up(leg)


async def kinds(stage: Stage) -> list[str]:
    rows = await stage.rows("SELECT kind FROM alarms WHERE ended_at IS NULL")
    return [row["kind"] for row in rows]


# By day the verbs of it are tried (`tests/routing/test_overdue_callbacks.py`).
@nightly
async def test_an_overdue_call_back_is_told_until_the_phone_of_the_child_rings(
    stage: Stage,
) -> None:
    await add_agency(stage, "supervisor", "supervisor_on_call", sector="own_house", phones=(CHIEF,))
    phone(stage, CHIEF, picks_up=2)
    stage.exchange.phones[CHILD] = Phone(picks_up=3)
    ana = await stage.add_counsellor("ana", state="break")
    nora = await stage.add_counsellor("nora", role=Role.SUPERVISOR, shift=False, state=None)
    await an_agreed_callback(stage)
    # In the first of them it is due, and no counsellor takes it.
    await skip_minutes(stage, 1, every=1)
    await skip_minutes(stage, 5, every=2.5)
    assert await kinds(stage) == [], "it may be late by five minutes"
    await skip_minutes(stage, 2, every=1)
    # The phone of the person on call rings, and is answered.
    await stage.advance(40)
    assert await kinds(stage) == ["callback_not_made"]
    heard = " ".join(one.text for one in stage.exchange.phones[CHIEF].heard)
    assert "A call-back was agreed and not made in time" in heard
    shown = (await page(stage, nora, "/team")).text
    assert "A call-back is overdue" in shown
    assert "Acknowledged by Supervisor." in shown
    # Ana is back and takes it: the phone of the child rings.
    await ana.be("available")
    await stage.until(lambda: _offered(ana), limit=20, what="an offer")
    await ana.accept()
    await stage.until(lambda: stage.exchange.phones[CHILD].rung == 1, limit=20, what="it rings")
    await skip_minutes(stage, 1, every=1)
    assert await kinds(stage) == []


async def _offered(who: Counsellor) -> bool:
    return await who.offer() is not None
