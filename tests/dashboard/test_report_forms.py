"""Forms and figures of the reports: chosen, and written as the reader's language writes them."""

import re
from datetime import date

from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.statistics.counting.referral_figures import ReferralsBy
from app.statistics.exports.exporting import data_dictionary
from app.statistics.models import PublicRelease
from app.work import PROGRAM
from tests.support.program.quiet import QuietStage
from tests.support.referrals import page


async def test_a_period_to_publish_is_one_of_those_that_are_over(quiet: QuietStage) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    now = quiet.clock.now()

    async def offered() -> list[str]:
        shown = (await page(quiet, mila, "/reports")).text
        *_, choice = re.findall(r'<select name="period".*?</select>', shown, re.DOTALL)
        return re.findall(r'<option value="([^"]+)"', choice)

    last, before = str(now.year - 1), str(now.year - 2)
    assert (await offered())[:2] == [last, before]
    assert str(now.year) not in await offered(), "it is not over"
    async with transaction(quiet.ground, PROGRAM) as work:
        begins, ends = date(now.year - 1, 1, 1), date(now.year, 1, 1)
        work.session.add(
            PublicRelease(period=last, begins_on=begins, ends_on=ends, made_at=work.now, tables=[])
        )
    assert (await offered())[0] == before
    refused = await page(quiet, mila, "/reports/publish", period=last)
    assert "already published" in refused.text


async def test_figures_of_the_planning_have_the_readers_decimal_sign(quiet: QuietStage) -> None:
    vera = await quiet.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    english = (await page(quiet, vera, "/reports/planning")).text
    assert "<td>0.0</td>" in english
    assert re.search(r"<td>\d+%</td>", english)
    await page(quiet, vera, "/page-language", language="sr")
    serbian = (await page(quiet, vera, "/reports/planning")).text
    assert "<td>0,0</td>" in serbian
    assert not re.search(r"\d\.\d</td>", serbian)


async def test_a_file_of_referrals_by_sector_is_asked_for_and_each_column_is_explained(
    quiet: QuietStage,
) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    shown = (await page(quiet, mila, "/reports")).text
    first, second = re.findall(r'<select name="by" data-list>.*?</select>', shown, re.DOTALL)
    assert set(ReferralsBy) <= set(re.findall(r'<option value="([^"]+)"', first))
    assert "opened_how" not in second, "referrals are counted by one thing"
    window = {"what": "referrals", "from": "2029-11-01", "to": "2029-12-01", "format": "csv"}
    asked = await mila.ask("POST", "/statistics/exports", {**window, "by": ["sector"]})
    assert asked.status_code == 202, asked.text
    await page(quiet, mila, "/page-language", language="sr")
    dictionary = (await page(quiet, mila, "/reports/dictionary")).text
    assert all(f"<code>{name}</code>" in dictionary for _, name, _ in data_dictionary())
