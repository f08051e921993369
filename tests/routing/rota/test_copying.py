"""A week is copied, a duty repeats, and of an absence it is said what no person works."""

from datetime import date, timedelta

import pytest

from app.errors import Invalid, NotAllowed
from app.routing.rota import changes, copying, free, on_duty, roster, stretches
from app.routing.rota.shifts import Layer, Place
from app.staff.models import Staff
from app.work import Work
from tests.support.duties import a_taker, at, daily, duties_on, place
from tests.support.verbs import a_line, a_supervisor

NEXT = date(2030, 1, 21)


async def test_a_week_is_copied_and_what_stands_there_stays(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    boris, olga = await a_taker(work, "boris"), await a_taker(work, "olga")
    await daily(work, ana)
    await stretches.add(work, vera, Place(boris.id, at(19, 22), at(20, 6)))
    await stretches.add(work, vera, place(olga, 16, 8, 12, Layer.BACKUP))
    await changes.be_absent(work, vera, olga.id, at(23, 0), at(24, 0))
    done = await copying.copy_week(work, vera, date(2030, 1, 17), date(2030, 1, 24))
    assert (done.made, done.there) == (1, 7)
    assert [one.place for one in done.left_out] == [place(olga, 23, 8, 12, Layer.BACKUP)]
    assert "olga is absent" in str(done.left_out[0].why)
    assert Place(boris.id, at(26, 22), at(27, 6)) in await duties_on(work, 26)
    again = await copying.copy_week(work, vera, date(2030, 1, 17), date(2030, 1, 24))
    assert (again.made, again.there) == (0, 8)


async def test_duty_without_an_end_is_in_each_week_and_is_not_copied(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    await roster.add_shift(work, ana, recurrence=None)
    done = await copying.copy_week(work, vera, date(2030, 1, 17), date(2030, 1, 24))
    assert (done.made, done.there, done.left_out) == (0, 1, ())


async def test_a_copy_keeps_the_time_on_the_wall_when_the_clocks_change(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    await stretches.add(work, vera, place(ana, 31, 8, 16))
    await copying.copy_week(work, vera, date(2030, 1, 31), date(2030, 4, 1))
    found = on_duty.stretches(
        await roster.rota_now(work), at(1, 0) + timedelta(days=60), at(1, 0) + timedelta(days=120)
    )
    # Eight o'clock in Belgrade is six o'clock UTC in summer.
    assert [one.start.isoformat() for one in found] == ["2030-04-04T06:00:00+00:00"]


async def test_a_week_is_copied_by_a_planner_into_another_week_to_come(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    with pytest.raises(Invalid):
        await copying.copy_week(work, vera, NEXT, NEXT)
    with pytest.raises(Invalid):
        await copying.copy_week(work, vera, NEXT, date(2030, 1, 1))
    with pytest.raises(NotAllowed):
        await copying.copy_week(work, ana, date(2030, 1, 14), NEXT)


async def test_a_duty_repeats_until_its_last_day(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    rule = "FREQ=WEEKLY;BYDAY=WE"
    await stretches.repeat(work, vera, place(ana, 16, 20, 23), rule, date(2030, 1, 23))
    for day, there in ((16, True), (17, False), (23, True), (30, False)):
        assert (place(ana, day, 20, 23) in await duties_on(work, day)) is there
    with pytest.raises(free.OnDutyAlready):
        await stretches.repeat(work, vera, place(ana, 16, 19, 21), rule, None)
    with pytest.raises(NotAllowed):
        await stretches.repeat(work, ana, place(ana, 17, 20, 23), rule, None)


async def test_what_an_absence_leaves_uncovered_is_said(work: Work) -> None:
    await a_line(work)
    ana = await a_taker(work, "ana")
    await daily(work, ana)
    fallen = await changes.fallen_out(work, ana.id, at(16, 12), at(17, 12))
    assert fallen == [place(ana, 16, 12, 16), place(ana, 17, 8, 12)]
    today = await changes.fallen_out(work, ana.id, at(13, 0), at(14, 20))
    assert today == [Place(ana.id, work.now, at(14, 16))]


async def test_a_colleague_who_is_on_duty_or_absent_takes_nothing_over(
    work: Work, three: tuple[Staff, Staff, Staff]
) -> None:
    vera, ana, boris = three
    await daily(work, ana)
    made = await stretches.add(work, vera, place(boris, 16, 10, 12))
    with pytest.raises(free.OnDutyAlready):
        await changes.swap(work, vera, ana.id, boris.id, at(16, 8), at(16, 16))
    asked = await changes.swap(work, ana, ana.id, boris.id, at(17, 8), at(17, 16))
    await changes.be_absent(work, boris, boris.id, at(17, 0), at(18, 0))
    with pytest.raises(free.AbsentThen):
        await changes.answer_swap(work, boris, asked.id, True)
    await changes.answer_swap(work, boris, asked.id, False)
    assert (asked.state, made.state) == ("refused", "in_force")
