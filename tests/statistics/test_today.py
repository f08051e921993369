"""The figures of today that stay open on a page say what the reports say."""

from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.statistics.counting import today
from app.work import PROGRAM
from tests.support.talks import talk, waits


async def now(stage: Stage) -> today.Today:
    async with transaction(stage.ground, PROGRAM) as work:
        return await today.so_far(work)


async def test_today_agrees_with_the_report_of_the_day(stage: Stage) -> None:
    assert (await now(stage)).service_level is None
    ana = await stage.add_counsellor("ana")
    first = await talk(stage, ana)
    second = await waits(stage, from_="+381641110002")
    await stage.advance(25)
    seen = await now(stage)
    assert (seen.waiting, seen.answered, seen.in_time, seen.abandoned) == (1, 1, 1, 0)
    assert seen.waits_since is not None
    await stage.exchange.hang_up(second)
    await stage.exchange.hang_up(first)
    await stage.advance(40)
    seen = await now(stage)
    admin = await stage.add_counsellor("admin", role=Role.ADMINISTRATOR, state=None)
    path = "/statistics/summary.json?from=2030-01-14&to=2030-01-15"
    told = await admin.ask("GET", path)
    told.raise_for_status()
    (figures,) = told.json()["rows"]
    assert (seen.waiting, seen.answered, seen.abandoned) == (0, 1, 1)
    assert figures["answered"] == seen.answered
    assert figures["service_level"] == seen.service_level / 100  # type: ignore[operator]
    # It is another file: the name of a shape, which may be of any letters, is not read for it.
    other = await admin.ask("GET", path + "&report=%C5%A1ifra%0D%0A")
    assert (other.status_code, other.json()) == (200, told.json())
    assert other.headers["content-disposition"] == told.headers["content-disposition"]
