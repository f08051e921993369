"""A call-back that was agreed and not made is an alarm of its line until a person takes it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from app.calls.lines import finding_lines
from app.calls.models import Call
from app.dashboard.rota.alarms import alarm_values
from app.errors import Invalid
from app.routing import changing_plans
from app.routing.alarm_rows import Alarm, AlarmKind
from app.routing.alarms import overdue_callbacks
from app.routing.callbacks import callback_attempts, callbacks
from app.routing.callbacks.callback_rows import Callback, CallbackState
from app.routing.callbacks.choices import Who
from app.routing.rota import unstaffed_alarms
from app.work import Work
from tests.support.verbs import a_counsellor, a_waiting_call

BELGRADE = ZoneInfo("Europe/Belgrade")
OVERDUE = [AlarmKind.CALLBACK_NOT_MADE]


async def looked(work: Work) -> list[str]:
    """Compare the call-backs with their limits. Return the kinds of the open alarms."""
    await work.session.flush()
    await overdue_callbacks.look_at_callbacks(work)
    await work.session.flush()
    return list(await work.session.scalars(select(Alarm.kind).where(Alarm.ended_at.is_(None))))


async def an_agreed_callback(work: Work, *, hour: int = 10) -> tuple[Call, Callback]:
    """A caller agrees to a call-back within an hour."""
    work.now = datetime(2030, 1, 14, hour, tzinfo=BELGRADE)
    call = await a_waiting_call(work)
    window = (work.now, work.now + timedelta(hours=1))
    return call, await callbacks.agree(work, call, Who.CALLER, window, safe=True)


async def test_a_call_back_that_was_not_made_alarms_once_until_it_is_taken(
    work: Work,
) -> None:
    _, row = await an_agreed_callback(work)
    ana = await a_counsellor(work, "ana")
    work.now += timedelta(hours=1, minutes=30)
    assert await looked(work) == []
    work.now += timedelta(minutes=1)
    for _ in range(2):
        assert await looked(work) == OVERDUE
    assert [job.task for job in work.jobs].count("referrals:alarm_turn") == 1
    ((alarm, name, reason),) = (await alarm_values(work))["overdue"]
    assert (name, reason) == (
        "Plavi telefon",
        "A call-back is overdue: it was agreed and not made.",
    )
    assert await unstaffed_alarms.open_alarms(work) == [], (
        "it does not stand among the lines without one"
    )
    # Acknowledged, it stays on the page until the call-back is made or closed.
    await unstaffed_alarms.acknowledge(work, alarm.id, "nora", ana)
    assert await looked(work) == OVERDUE
    await callbacks.cancel(work, ana, row.id)
    assert await looked(work) == []


async def test_a_moved_window_is_no_new_callback_and_a_rung_phone_ends_it(work: Work) -> None:
    _, row = await an_agreed_callback(work)
    work.now += timedelta(hours=2)
    # The rota had no counsellor, so the program has moved the window to tomorrow.
    row.window_from, row.window_until = (
        row.window_from + timedelta(days=1),
        row.window_until + (timedelta(days=1)),
    )
    assert await looked(work) == OVERDUE
    row.attempts = 1
    assert await looked(work) == [], "it was made, and the child not reached"


async def test_given_up_without_an_attempt_it_alarms_until_a_person_starts_it_again(
    work: Work,
) -> None:
    _, row = await an_agreed_callback(work)
    ana = await a_counsellor(work, "ana")
    work.now += timedelta(days=3)
    row.state, row.passes = CallbackState.GIVEN_UP.value, 3
    assert await looked(work) == OVERDUE
    await callback_attempts.start_again(work, ana, row.id)
    assert await looked(work) == []


async def test_the_time_is_the_lines_and_at_night_only_danger_alarms(work: Work) -> None:
    call, _ = await an_agreed_callback(work, hour=20)
    line = await finding_lines.line_of_id(work, call.line_id)
    assert line is not None
    await changing_plans.change_plan(work, line, callback_wait=7200)
    work.now += timedelta(hours=2, minutes=30)
    assert await looked(work) == [], "two hours after the agreed time, as the line has it"
    work.now += timedelta(hours=1)
    assert await looked(work) == [], "it is night"
    call.danger = True
    assert await looked(work) == OVERDUE
    call.danger = False
    work.now += timedelta(hours=8)
    assert await looked(work) == OVERDUE
    with pytest.raises(Invalid, match="300 to 86400"):
        await changing_plans.change_plan(work, line, callback_wait=60)
