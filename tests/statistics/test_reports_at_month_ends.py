"""What was said is counted once a month is over in every time zone: 14:00 UTC of the next month's
first day. Here the month is over some hours earlier; a report of it waits, and none is refused."""

from datetime import UTC, date, datetime

import pytest

from app.errors import Invalid
from app.staff.roles import Role
from app.statistics.models import Export
from app.statistics.periods import Window
from app.statistics.published import release
from app.statistics.reports import sending
from app.statistics.reports.reports import kind_of, window_of
from app.work import Work
from tests.support.people import person
from tests.support.profile import by_day
from tests.support.program.quiet import quiet_stage_on
from tests.support.verbs import a_line, a_supervisor

# 1 February in Belgrade; in UTC it is still January, and then February.
_AT_NIGHT = datetime(2030, 1, 31, 23, 30, tzinfo=UTC)
_IN_THE_MORNING = datetime(2030, 2, 1, 6, 0, tzinfo=UTC)
_OVER_EVERYWHERE = datetime(2030, 2, 1, 14, 0, tzinfo=UTC)
_DECEMBER = Window(date(2029, 12, 1), date(2030, 1, 1))
_JANUARY = Window(date(2030, 1, 1), date(2030, 2, 1))


@pytest.mark.parametrize("name", ["violence", "monthly", "agencies", "feedback"])
async def test_the_newest_month_of_a_report_is_over_everywhere(work: Work, name: str) -> None:
    kind = kind_of(work, name)
    for now, window in (
        (_AT_NIGHT, _DECEMBER),
        (_IN_THE_MORNING, _DECEMBER),
        (_OVER_EVERYWHERE, _JANUARY),
    ):
        work.now = now
        assert window_of(work, kind, None) == window


async def test_the_newest_day_of_a_report_is_over_here(work: Work) -> None:
    work.now = _AT_NIGHT
    yesterday = Window(date(2030, 1, 31), date(2030, 2, 1))
    assert window_of(work, kind_of(work, "daily"), None) == yesterday


async def test_a_monthly_report_is_sent_once_its_month_is_over_everywhere(work: Work) -> None:
    await a_line(work)
    await a_supervisor(work, "vera")
    work.now = datetime(2030, 1, 15, 12, 0, tzinfo=UTC)
    row = await sending.schedule(work, "violence", "month", "supervisor")
    daily = await sending.schedule(work, "daily", "day", "supervisor")
    daily.next_on = date(2030, 2, 1)
    work.now = _IN_THE_MORNING
    assert await sending.take_due(work) == 1, "the report of a day does not wait"
    work.now = _OVER_EVERYWHERE
    assert await sending.take_due(work) == 1
    assert await sending.take_due(work) == 0
    await work.session.flush()
    found = await work.session.get(Export, work.jobs[-1].arguments["export_id"])
    assert found is not None
    assert (found.what, found.begins, found.ends) == ("violence", "2030-01-01", "2030-02-01")
    assert row.next_on == date(2030, 3, 1)


@pytest.mark.parametrize("every", ["day", "week"])
async def test_what_was_said_is_sent_of_no_shorter_time_than_a_month(
    work: Work, every: str
) -> None:
    """Such a file could never be made."""
    await a_line(work)
    with pytest.raises(Invalid, match="every month, quarter or year"):
        await sending.schedule(work, "violence", every, "supervisor")


async def test_a_year_is_published_with_its_last_month(work: Work) -> None:
    """A release never changes: made earlier, it would lack December for ever."""
    await a_line(work)
    period = "2029" if work.settings.public_period == "year" else "2029-12"
    work.now = datetime(2030, 1, 1, 6, 0, tzinfo=UTC)
    assert period not in await release.publishable(work)
    with pytest.raises(Invalid, match="not over yet"):
        await release.publish(work, period)
    work.now = datetime(2030, 1, 1, 14, 0, tzinfo=UTC)
    assert period in await release.publishable(work)
    with pytest.raises(Invalid, match="nothing in that period"):
        await release.publish(work, period)


# One that is not read of a month that is not over, one that leaves out what was said of it, and
# that of a day.
_OPENED = ("violence", "feedback", "daily", "chi", "monthly", "agencies")


async def test_reports_open_on_the_first_of_a_month(database: str, anyio_backend: str) -> None:
    async with quiet_stage_on(database, _AT_NIGHT) as stage:
        boss = await person(stage, "boss", Role.ADMINISTRATOR)
        base = stage.settings.public_url
        for name in by_day(_OPENED, 3):
            shown = await stage.client.get(
                f"{base}/reports/{name}", headers={"Cookie": boss.cookie_header}
            )
            assert shown.status_code == 200, (name, shown.text)
            is_offered = "day=2030-01-01" in shown.text
            # That of calls can be read, and leaves out what was said; the others cannot.
            assert is_offered is (name not in ("violence", "chi", "daily")), name
