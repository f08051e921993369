"""The page of the rota in a real browser: plan a week, swap a shift, cover an uncovered one."""

import os
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.browser import CHROMIUM, signed_in

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")


async def test_a_duty_manager_plans_a_week_and_mends_the_night(live: Stage, page: Page) -> None:
    chief = await live.add_counsellor("Jelena", role=Role.SUPERVISOR, shift=False, state=None)
    for name in ("Ana", "Boris", "Vera"):
        await live.add_counsellor(name, shift=False, state=None)
    await signed_in(page, live, chief)
    await page.get_by_role("link", name="Rota").click()
    local = datetime.now(UTC).astimezone(ZoneInfo("Europe/Belgrade")).date()
    monday = local + timedelta(days=7 - local.weekday())
    await page.get_by_role("link", name="week after →").click()
    await page.wait_for_url("**/roster?week=*")
    await expect(page.locator("#holes td .hole").first).to_contain_text("all day")

    shift = page.get_by_role("form", name="Add a shift")
    for name, begins, ends in (("Ana", "06:00", "14:00"), ("Boris", "14:00", "22:00")):
        await shift.get_by_label("Who").select_option(label=name)
        await shift.get_by_label("From").fill(begins)
        await shift.get_by_label("Until").fill(ends)
        for weekday in ("MO", "TU", "WE", "TH", "FR", "SA", "SU"):
            await shift.get_by_label(weekday, exact=True).check()
        await shift.get_by_role("button", name="Add").click()
        await expect(page.locator("#shifts")).to_contain_text(name)
        await expect(page.locator("#week tr", has_text=name)).to_contain_text(f"{begins}–{ends}")

    # What is wrong is said, and nothing that was written is lost.
    await shift.get_by_label("Who").select_option(label="Vera")
    await shift.get_by_label("or a rule").fill("FREQ=SOMETIMES")
    await shift.get_by_role("button", name="Add").click()
    await expect(page.locator("#problem")).to_contain_text("is not a usable recurrence rule")
    assert await shift.get_by_label("or a rule").input_value() == "FREQ=SOMETIMES"

    # The night is uncovered, and the page says so.
    holes = page.locator("#holes tbody tr").first
    await expect(holes.locator("td").first).to_contain_text("⚠ …–06:00")
    await expect(holes.locator("td").first).to_contain_text("⚠ 22:00–…")
    await shift.get_by_label("or a rule").fill("FREQ=DAILY")
    await shift.get_by_label("From").fill("22:00")
    await shift.get_by_label("Until").fill("06:00")
    await shift.get_by_role("button", name="Add").click()
    await expect(page.locator("#week tr", has_text="Vera")).to_contain_text("22:00–…")
    await expect(holes.locator("td").nth(2)).to_have_text("covered")

    # Ana cannot come on Wednesday: Boris takes over for four hours; the rest is uncovered.
    day = monday + timedelta(days=2)
    change = page.get_by_role("form", name="Change part of a shift")
    await change.get_by_label("What").select_option("swap")
    await change.locator("[name=staff_id]").select_option(label="Ana")
    await change.get_by_label("Who takes over").select_option(label="Boris")
    await change.get_by_label("From").fill(f"{day}T06:00")
    await change.get_by_label("Until").fill(f"{day}T10:00")
    await change.get_by_role("button", name="Change").click()
    await expect(page.locator("#changes")).to_contain_text("Ana is replaced by Boris")
    row = page.locator("#week tbody tr", has_text="Boris").locator("td").nth(2)
    await expect(row).to_contain_text("06:00–10:00")
    await change.get_by_label("What").select_option("absence")
    await change.locator("[name=staff_id]").select_option(label="Ana")
    await change.get_by_label("From").fill(f"{day}T10:00")
    await change.get_by_label("Until").fill(f"{day}T14:00")
    await change.get_by_role("button", name="Change").click()
    await expect(holes.locator("td").nth(2)).to_contain_text("⚠ 10:00–14:00")
    if os.environ.get("PICTURES"):
        await page.set_viewport_size({"width": 1400, "height": 1700})
        await page.screenshot(path=os.environ["PICTURES"] + "/roster.png", full_page=True)
    await change.get_by_label("What").select_option("extra")
    await change.locator("[name=staff_id]").select_option(label="Vera")
    await change.get_by_label("From").fill(f"{day}T10:00")
    await change.get_by_label("Until").fill(f"{day}T14:00")
    await change.get_by_role("button", name="Change").click()
    await expect(holes.locator("td").nth(2)).to_have_text("covered")
    # The last word can be taken back.
    await (
        page.locator("#changes tr", has_text="Vera works an extra shift")
        .get_by_role("button")
        .click()
    )
    await expect(holes.locator("td").nth(2)).to_contain_text("⚠ 10:00–14:00")

    # A calendar of one's own, shown once.
    await page.get_by_role("button", name="Make an address").click()
    address = await page.locator("code.address").inner_text()
    assert "/calendar/" in address
    answer = await live.client.get(address)
    assert answer.text.startswith("BEGIN:VCALENDAR")
