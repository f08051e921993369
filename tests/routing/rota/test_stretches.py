"""A stretch of duty is added, moved, shortened and removed; MONDAY is ten o'clock in Belgrade."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.errors import ChangedMeanwhile, Invalid, NotAllowed, NotFound
from app.routing.rota import changes, free, on_duty, roster, stretches
from app.routing.rota.shifts import Layer, Place
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work
from tests.support.duties import a_taker, at, daily, duties_on, log_of, place
from tests.support.verbs import a_line, a_supervisor


async def test_one_day_of_a_shift_is_moved_and_the_other_days_stay(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    await daily(work, ana)
    was, to = place(ana, 16, 8, 16), place(ana, 16, 10, 18)
    assert await stretches.move(work, vera, was, to) == to
    assert await duties_on(work, 16) == {to}
    assert await duties_on(work, 17) == {place(ana, 17, 8, 16)}
    detail = log_of(work, AuditLog.DUTY_MOVED)
    assert detail["before"] == stretches.for_log(was)
    assert detail["after"] == stretches.for_log(to)
    # And once more: now it stands by itself.
    shorter = place(ana, 16, 10, 12)
    await stretches.move(work, vera, to, shorter)
    assert await duties_on(work, 16) == {shorter}


async def test_a_duty_goes_to_a_colleague_and_to_another_layer(
    work: Work, three: tuple[Staff, Staff, Staff]
) -> None:
    vera, ana, boris = three
    made = await stretches.add(work, vera, place(ana, 16, 8, 16))
    to = place(boris, 16, 8, 16, Layer.BACKUP)
    await stretches.move(work, vera, place(ana, 16, 8, 16), to)
    assert await duties_on(work, 16) == {to}
    assert (made.counsellor_id, made.layer) == (boris.id, "backup")


async def test_of_two_who_move_a_duty_the_second_is_told(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    await daily(work, ana)
    was = place(ana, 16, 8, 16)
    await stretches.move(work, vera, was, place(ana, 16, 9, 17))
    for to in (place(ana, 16, 7, 15), was):
        with pytest.raises(ChangedMeanwhile):
            await stretches.move(work, vera, was, to)
    with pytest.raises(ChangedMeanwhile):
        await stretches.remove(work, vera, was)
    assert await duties_on(work, 16) == {place(ana, 16, 9, 17)}


async def test_a_duty_is_removed_for_one_day(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    await daily(work, ana)
    await stretches.remove(work, vera, place(ana, 16, 8, 16))
    assert await duties_on(work, 16) == set()
    assert await duties_on(work, 17) == {place(ana, 17, 8, 16)}
    detail = log_of(work, AuditLog.DUTY_REMOVED)
    assert (detail["after"], detail["before"]["from_at"]) == (None, at(16, 8).isoformat())
    await stretches.add(work, vera, place(ana, 16, 8, 16))
    await stretches.remove(work, vera, place(ana, 16, 8, 16))
    assert await duties_on(work, 16) == set()


async def test_a_duty_that_has_begun_is_only_ended(
    work: Work, three: tuple[Staff, Staff, Staff]
) -> None:
    vera, ana, boris = three
    await daily(work, ana)
    was = place(ana, 14, 8, 16)
    for to in (place(ana, 14, 9, 16), place(boris, 14, 8, 16), place(ana, 14, 8, 9)):
        with pytest.raises(Invalid):
            await stretches.move(work, vera, was, to)
    shorter = place(ana, 14, 8, 14)
    await stretches.move(work, vera, was, shorter)
    await stretches.remove(work, vera, shorter)
    assert await duties_on(work, 14) == {replace(shorter, end=work.now)}


async def test_the_past_is_not_changed(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    await daily(work, ana)
    for verb in (
        stretches.remove(work, vera, place(ana, 13, 8, 16)),
        stretches.move(work, vera, place(ana, 13, 8, 16), place(ana, 16, 17, 20)),
        stretches.move(work, vera, place(ana, 15, 8, 16), place(ana, 14, 7, 8)),
        stretches.move(work, vera, place(ana, 15, 8, 16), Place(ana.id, at(14, 9), at(14, 20))),
    ):
        with pytest.raises(Invalid):
            await verb


async def test_a_person_is_on_duty_once_at_a_time_and_not_while_absent(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    await daily(work, ana)
    with pytest.raises(free.OnDutyAlready, match="2030-01-16 08:00 to 2030-01-16 16:00"):
        await stretches.add(work, vera, place(ana, 16, 15, 20))
    await stretches.add(work, vera, place(ana, 16, 15, 20, Layer.BACKUP))
    await changes.be_absent(work, vera, ana.id, at(17, 0), at(18, 0))
    with pytest.raises(free.AbsentThen, match="ana is absent"):
        await stretches.add(work, vera, place(ana, 17, 18, 20))
    with pytest.raises(free.AbsentThen):
        await stretches.move(work, vera, place(ana, 16, 8, 16), place(ana, 17, 8, 16))
    with pytest.raises(Invalid, match="no phone"):
        await stretches.add(work, vera, place(ana, 19, 18, 20, Layer.ON_CALL))


async def test_what_a_swap_or_an_absence_has_cut_is_not_moved(
    work: Work, three: tuple[Staff, Staff, Staff]
) -> None:
    vera, ana, boris = three
    await daily(work, ana)
    await changes.swap(work, vera, ana.id, boris.id, at(16, 8), at(16, 12))
    for part in (place(ana, 16, 12, 16), place(boris, 16, 8, 12)):
        with pytest.raises(stretches.CutByAnother):
            await stretches.remove(work, vera, part)
    made = await stretches.add(work, vera, place(ana, 18, 17, 20))
    work.now += timedelta(minutes=1)
    await changes.be_absent(work, vera, ana.id, at(18, 19), at(18, 23))
    with pytest.raises(stretches.CutByAnother):
        await stretches.remove(work, vera, place(ana, 18, 17, 19))
    assert made.state == "in_force"


async def test_who_does_not_plan_changes_nothing(work: Work) -> None:
    await a_line(work)
    ana = await a_taker(work, "ana")
    await daily(work, ana)
    for verb in (
        stretches.add(work, ana, place(ana, 16, 17, 20)),
        stretches.move(work, ana, place(ana, 16, 8, 16), place(ana, 16, 9, 17)),
        stretches.remove(work, ana, place(ana, 16, 8, 16)),
    ):
        with pytest.raises(NotAllowed):
            await verb


async def test_a_person_on_duty_always_is_not_moved(work: Work) -> None:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    await roster.add_shift(work, ana, recurrence=None)
    (duty,) = on_duty.stretches(await roster.rota_now(work), work.now, at(16, 0))
    with pytest.raises((stretches.AlwaysOnDuty, Invalid)):
        await stretches.remove(work, vera, duty.place)


async def test_a_stretch_is_found_by_its_beginning(work: Work) -> None:
    await a_line(work)
    ana = await a_taker(work, "ana")
    await daily(work, ana)
    assert await stretches.stretch_at(work, ana, at(16, 8)) == place(ana, 16, 8, 16)
    with pytest.raises(NotFound):
        await stretches.stretch_at(work, ana, at(16, 9))
