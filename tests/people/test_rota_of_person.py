"""The page of a person says what the rota has for them: this week and the next three."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.dashboard.rota.of_person import rota_of_person
from app.routing.rota import changes, roster, working_times
from app.staff import accounts
from app.staff.roles import Role
from app.work import Work
from tests.support.verbs import a_counsellor, a_line, an_administrator

ZONE = ZoneInfo("Europe/Belgrade")


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), ZONE)


async def test_duty_and_absences_stand_in_their_week_with_the_working_times(work: Work) -> None:
    await a_line(work)
    ana = await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR)
    other = await accounts.add_staff(work, name="other", role=Role.COUNSELLOR)
    today = work.now.astimezone(ZONE).date()
    monday = today - timedelta(days=today.weekday())
    for person in (ana, other):
        await roster.add_shift(
            work,
            person,
            recurrence="FREQ=WEEKLY;BYDAY=TU",
            starts_at=time(8),
            minutes=480,
            timezone=ZONE.key,
        )
    tuesday = monday + timedelta(days=15)
    await changes.be_absent(
        work, None, ana.id, _at(tuesday, 12), _at(tuesday + timedelta(days=1), 0), "course"
    )
    available = working_times.read_available({"MO": ["08:00-16:00"]})
    await working_times.set_times(work, None, ana.id, 20, available)
    found = await rota_of_person(work, ana)
    assert found is not None
    assert [one.monday for one in found.weeks] == [monday + timedelta(weeks=n) for n in range(4)]
    told = [[(one.when, one.absent) for one in week.entries] for week in found.weeks]
    assert [len(week) for week in told[1:]] == [1, 2, 1]
    assert "08:00 to 12:00" in told[2][0][0]
    assert "12:00 to" in told[2][1][0]
    assert [one[1] for one in told[2]] == [False, True]
    assert (found.hours, found.when, found.zone) == ("20", "Monday 08:00-16:00", "Europe/Belgrade")


async def test_duty_without_an_end_is_the_whole_week(work: Work) -> None:
    await a_line(work)
    ana = await a_counsellor(work, "ana")
    found = await rota_of_person(work, ana)
    assert found is not None
    assert [one.when for one in found.weeks[1].entries] == ["all week"]
    assert found.hours == ""


async def test_who_takes_no_calls_is_on_no_rota(work: Work) -> None:
    assert await rota_of_person(work, await an_administrator(work)) is None
