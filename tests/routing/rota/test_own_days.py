"""A holiday of our own is one for shifts, uncovered hours, planning and proposals alike."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from app.calls.lines import finding_lines, lines
from app.database.topics import Topic
from app.jobs.transaction import flush
from app.routing.rota import coverage, holidays, roster
from app.routing.rota.on_duty import Span
from app.routing.rota.shifts import OnHolidays
from app.routing.rota.staffing import next_staffed
from app.statistics.planning import planning, proposing
from app.work import Work
from tests.support.calls.lines import a_line
from tests.support.duties import a_taker, at
from tests.support.verbs import logged

OURS = date(2030, 1, 24)
SINCE, UNTIL = at(23, 0), at(26, 0)


async def in_force(work: Work) -> None:
    """Let a change count, as its commit does."""
    await flush(work)
    work.ground.memory.forget(Topic.EVERYTHING)


async def uncovered(work: Work) -> list[Span]:
    found = await coverage.coverage(work, SINCE, UNTIL)
    return list(next(one.uncovered for one in found if one.language == "sr"))


async def holidays_planned(work: Work) -> set[str]:
    found = await planning.plan(work, first_on=date(2030, 1, 23), days=3)
    return {slot.local[:10] for slot in found.slots if slot.holiday}


async def hours_to_propose(work: Work) -> list[Span]:
    own = (await roster.rota_of(work)).own_days
    return list(await proposing.opened(work, SINCE, UNTIL, own))


async def heard(work: Work) -> datetime | None:
    """Return when the line is staffed next, as a caller of the evening before hears it."""
    line = await finding_lines.any_line(work)
    assert line is not None
    work.now = at(23, 21)
    found = await next_staffed(work, line, "sr")
    return found.astimezone(ZoneInfo("Europe/Belgrade")) if found is not None else None


async def test_a_holiday_of_our_own_is_one_everywhere(work: Work) -> None:
    line = await a_line(work)
    await lines.set_opening_hours(work, line, "Mo-Su 08:00-20:00; PH off")
    ana = await a_taker(work, "ana")
    await roster.add_shift(
        work,
        ana,
        recurrence="FREQ=DAILY",
        starts_at=time(8),
        minutes=10 * 60,
        timezone="Europe/Belgrade",
        on_holidays=OnHolidays.OFF,
    )
    await in_force(work)
    evenings = [(at(day, 18), at(day, 20)) for day in (23, 24, 25)]
    days = [(at(day, 8), at(day, 20)) for day in (23, 24, 25)]
    now = work.now
    assert await uncovered(work) == evenings
    assert await hours_to_propose(work) == days
    assert await holidays_planned(work) == set()
    assert await heard(work) == at(24, 8)
    work.now = now
    await holidays.set_holiday(work, OURS, "Day of the helpline")
    entries = len(logged(work))
    await holidays.set_holiday(work, OURS, " Day of  the helpline")
    assert len(logged(work)) == entries, "nothing was changed"
    await in_force(work)
    assert await uncovered(work) == [evenings[0], evenings[2]], "nobody is missing on a closed day"
    assert await hours_to_propose(work) == [days[0], days[2]]
    assert await holidays_planned(work) == {"2030-01-24"}
    assert await heard(work) == at(25, 8)


async def test_a_public_holiday_on_which_we_work_is_to_be_covered(work: Work) -> None:
    line = await a_line(work)
    await lines.set_opening_hours(work, line, "Mo-Su 08:00-20:00; PH off")
    await in_force(work)
    since, until = at(7, 0), at(8, 0)

    async def left_open() -> tuple[Span, ...]:
        return (await coverage.coverage(work, since, until))[0].uncovered

    assert await left_open() == ()
    await holidays.set_holiday(work, date(2030, 1, 7), "Orthodox Christmas", free=False)
    await in_force(work)
    assert await left_open() == ((at(7, 8), at(7, 20)),), "otherwise a child would find it empty"
    await holidays.clear_holiday(work, date(2030, 1, 7))
    await in_force(work)
    assert await left_open() == ()
