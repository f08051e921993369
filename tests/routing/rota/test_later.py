"""A duty that repeats is changed on one day and all later ones."""

from datetime import date, time

import pytest

from app.errors import ChangedMeanwhile, Invalid, NotAllowed
from app.routing.rota import ending_shifts, free, later, roster, stretches
from app.routing.rota.models import ShiftRow
from app.routing.rota.shifts import Layer, Place
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work
from tests.support.duties import a_taker, at, daily, duties_on, log_of, place
from tests.support.verbs import a_line, a_supervisor


async def planned(work: Work) -> tuple[Staff, Staff, Staff, ShiftRow]:
    await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    return vera, ana, await a_taker(work, "boris"), await daily(work, ana)


async def test_this_and_all_later_days_go_to_a_colleague_at_other_times(work: Work) -> None:
    vera, ana, boris, shift = await planned(work)
    await ending_shifts.leave_out(work, shift.id, date(2030, 1, 20))
    was, to = place(ana, 17, 8, 16), place(boris, 17, 10, 19, Layer.BACKUP)
    assert await later.move(work, vera, was, to) == to
    assert await duties_on(work, 16) == {place(ana, 16, 8, 16)}
    assert await duties_on(work, 17) == {to}
    assert await duties_on(work, 30) == {place(boris, 30, 10, 19, Layer.BACKUP)}
    assert await duties_on(work, 20) == set(), "a day that is left out stays so"
    detail = log_of(work, AuditLog.DUTY_MOVED)
    assert (detail["later"], detail["before"]["counsellor"]) == (True, str(ana.id))
    assert detail["after"]["counsellor"] == str(boris.id)


async def test_this_and_all_later_days_are_removed(work: Work) -> None:
    vera, ana, _, _ = await planned(work)
    await later.remove(work, vera, place(ana, 17, 8, 16))
    assert await duties_on(work, 16) == {place(ana, 16, 8, 16)}
    assert await duties_on(work, 17) == await duties_on(work, 25) == set()
    assert log_of(work, AuditLog.DUTY_REMOVED)["later"] is True


async def test_every_second_week_keeps_its_weeks_and_a_count_its_number(work: Work) -> None:
    vera, _, boris, _ = await planned(work)
    for begins, rule in ((20, "INTERVAL=2"), (5, "COUNT=2")):
        await roster.add_shift(
            work,
            boris,
            recurrence=f"FREQ=WEEKLY;BYDAY=TU;{rule}",
            starts_at=time(begins),
            minutes=120,
            timezone="Europe/Belgrade",
            first_on=date(2030, 1, 15),
        )
    await later.move(work, vera, place(boris, 15, 20, 22), place(boris, 15, 21, 23))
    await later.move(work, vera, place(boris, 22, 5, 7), place(boris, 22, 6, 7))
    found = {day: await duties_on(work, day) for day in (15, 22, 29)}
    theirs = {
        day: {one for one in there if one.counsellor_id == boris.id} for day, there in found.items()
    }
    assert theirs == {
        15: {place(boris, 15, 5, 7), place(boris, 15, 21, 23)},
        22: {place(boris, 22, 6, 7)},
        29: {place(boris, 29, 21, 23)},
    }


async def test_what_cannot_be_changed_on_later_days_is_refused(work: Work) -> None:
    vera, ana, boris, _ = await planned(work)
    was = place(ana, 17, 8, 16)
    with pytest.raises(Invalid, match="keeps its days"):
        await later.move(work, vera, was, place(ana, 18, 8, 16))
    with pytest.raises(NotAllowed):
        await later.move(work, ana, was, place(ana, 17, 9, 17))
    with pytest.raises(ChangedMeanwhile):
        await later.move(work, vera, place(ana, 17, 9, 16), was)
    await stretches.add(work, vera, Place(boris.id, at(24, 12), at(24, 14)))
    with pytest.raises(free.OnDutyAlready):
        await later.move(work, vera, was, place(boris, 17, 8, 16))
    alone = place(boris, 24, 12, 14)
    with pytest.raises(Invalid, match="does not repeat"):
        await later.remove(work, vera, alone)
    begun = place(ana, 14, 8, 16)
    with pytest.raises(Invalid, match="has begun"):
        await later.remove(work, vera, begun)
