"""Numbers in a real Chromium: reports with charts, any summary, a file that two let out."""

import asyncio
import re
from pathlib import Path

from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.browser import at, picture
from tests.support.profile import WHOLE, nightly


async def ring(live: Stage) -> None:
    """A talk, on the real clock."""
    ana = await live.add_counsellor("ana")
    leg = live.ring()
    for _ in range(100):
        if leg.heard:
            break
        await asyncio.sleep(0.1)
    live.exchange.press(leg, "1")
    for _ in range(100):
        if await ana.offer():
            break
        await asyncio.sleep(0.1)
    assert (await ana.accept()).status_code == 200
    for _ in range(100):
        if (await live.call_of(leg))["state"] == "connected":
            (await ana.do("hang-up")).raise_for_status()
            return
        await asyncio.sleep(0.1)
    raise AssertionError("they do not talk")


@nightly
async def test_a_report_with_charts_and_the_same_numbers_elsewhere(live: Stage, page: Page) -> None:
    await ring(live)
    boss = await live.add_counsellor("boss", role=Role.ADMINISTRATOR, shift=False, state=None)
    await at(page, live, boss, "/")
    await page.get_by_role("link", name="Reports").click()
    await expect(page.locator("#kinds li")).to_have_count(7)
    today = live.today.isoformat()
    await page.goto(f"{live.settings.public_url}/reports/monthly?day={today}")
    pictures = page.locator("figure img")
    await expect(pictures.first).to_be_visible()
    widths = await pictures.evaluate_all("all => all.map(one => one.naturalWidth)")
    assert len(widths) >= 3
    assert all(width > 100 for width in widths)
    words = await pictures.evaluate_all("all => all.map(one => one.alt)")
    assert all(words)
    calls = page.locator(".headlines > div").first
    await expect(calls).to_contain_text("1")
    for width, height in ((1440, 900), (1024, 800)):
        await page.set_viewport_size({"width": width, "height": height})
        whole = await page.evaluate("document.documentElement.scrollHeight")
        assert whole <= 4 * height, "a month fits in four screens"
    await picture(page, "monthly")
    # What a figure is made of opens from it, and leads to the call.
    await calls.get_by_role("link", name="The calls").click()
    await expect(page.locator("#counted-calls tbody tr")).to_have_count(1)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("1 call, ")
    await picture(page, "counted-calls")
    await page.go_back()
    await page.locator(".identity").get_by_role("link", name="Answered").click()
    await page.locator("#counted-calls tbody a").click()
    await expect(page).to_have_url(re.compile("/calls/"))
    if WHOLE:
        await the_same_numbers_are_elsewhere(live, page)


async def the_same_numbers_are_elsewhere(live: Stage, page: Page) -> None:
    """By day `tests/statistics` has the routes of it, and the numbers of each format."""
    await page.goto(live.settings.public_url + "/reports/explore")
    await page.get_by_label("Split into").select_option("day")
    await page.locator("select[name=by]").select_option("outcome")
    await page.get_by_role("button", name="Count").click()
    row = page.locator("#summary tbody tr", has_text="answered")
    await expect(row.locator("td").first).to_have_text("1")
    await picture(page, "explore")
    async with page.expect_download() as started:
        await page.get_by_role("link", name="csv").click()
    file = await (await started.value).path()
    assert ",answered,Answered,1," in Path(file).read_text().replace('"', "")
    await page.goto(live.settings.public_url + "/reports/planning")
    await page.get_by_label("More counsellors").fill("2")
    await page.get_by_role("button", name="Calculate").click()
    await expect(page.locator("#plan tbody tr")).to_have_count(7)
    await picture(page, "planning")


@nightly
async def test_two_people_let_single_records_out(live: Stage, page: Page) -> None:
    """By day `tests/statistics/test_requested_files.py` has both people."""
    await ring(live)
    boss = await live.add_counsellor("boss", role=Role.ADMINISTRATOR, shift=False, state=None)
    chief = await live.add_counsellor("chief", role=Role.SUPERVISOR, shift=False, state=None)
    await at(page, live, boss, "/")
    await page.goto(live.settings.public_url + "/reports")
    await page.locator("select[name=what]").select_option("records")
    await page.get_by_role("button", name="Request the file").click()
    await expect(page.locator("#problem")).to_contain_text("what it is needed for")
    await page.get_by_label("Reason").fill("Evaluation by the institute")
    await page.get_by_role("button", name="Request the file").click()
    await expect(page.locator("#exports")).to_contain_text("waiting for a second person")
    await picture(page, "reports")
    (asked,) = (await chief.ask("GET", "/statistics/exports")).json()
    await chief.ask("POST", f"/statistics/exports/{asked['id']}/approve", {})
    for _ in range(50):
        await page.reload()
        if await page.get_by_role("link", name="Download").count():
            break
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Download").click()
    path = await (await started.value).path()
    lines = [line for line in Path(path).read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == 2
