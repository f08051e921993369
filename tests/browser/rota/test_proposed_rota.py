"""A rota is proposed and accepted in a real browser, with the keyboard alone and with the mouse."""

import os

import pytest
from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.browser import at
from tests.support.profile import nightly

pytestmark = pytest.mark.whole


async def _pictures(page: Page, name: str) -> None:
    if not os.environ.get("PICTURES"):
        return
    for width in (320, 768, 1440):
        for look in ("light", "dark"):
            await page.set_viewport_size({"width": width, "height": 1000})
            await page.emulate_media(color_scheme=look)
            path = f"{os.environ['PICTURES']}/{name}-{width}-{look}.png"
            await page.screenshot(caret="initial", path=path, full_page=True)
    await page.set_viewport_size({"width": 1440, "height": 1000})


async def _writes_down_when_ana_works(page: Page) -> None:
    await page.get_by_role("link", name="Change Ana").focus()
    await page.keyboard.press("Enter")
    await page.get_by_label("Hours a week").fill("24")
    await page.get_by_label("Can work at any time").focus()
    await page.keyboard.press("Space")
    await page.get_by_label("Monday").fill("8 or 16")
    await page.keyboard.press("Enter")
    await expect(page.locator("main").get_by_role("alert")).to_contain_text("is not a time")
    written = {"Monday": "8 to 16", "Tuesday": "8.00 – 16.00", "Wednesday": "8–16"}
    for day, text in written.items():
        await page.get_by_label(day).fill(text)
    await _pictures(page, "times-form")
    await page.get_by_label("Wednesday").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#working-times")).to_contain_text("Wednesday 08:00-16:00")
    await _pictures(page, "times")


@nightly
async def test_a_planner_proposes_a_rota_and_accepts_it_with_the_keyboard_and_the_mouse(
    live: Stage, page: Page
) -> None:
    """By day `tests/dashboard/test_planning_pages.py` sends the same forms."""
    chief = await live.add_counsellor("Jelena", role=Role.SUPERVISOR, shift=False, state=None)
    for name in ("Ana", "Boris", "Vera"):
        await live.add_counsellor(name, shift=False, state=None)
    await at(page, live, chief, "/")
    await page.goto(f"{live.settings.public_url}/roster/working-times")
    await _writes_down_when_ana_works(page)
    await page.get_by_role("link", name="Proposed rota").focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Propose a rota").focus()
    await page.keyboard.press("Enter")
    every = page.get_by_role("button", name="Accept all")
    await expect(every).to_be_visible(timeout=60_000)
    await expect(page.locator("#not-covered")).to_contain_text("the hours of the week are used up")
    await _pictures(page, "proposal")
    await page.goto(f"{live.settings.public_url}/roster")
    await page.get_by_role("link", name="week after →").click()
    await expect(page.locator('#week [data-kind="proposed"]').first).to_be_visible()
    await _pictures(page, "roster-proposed")
    await page.get_by_role("link", name="Look at it and decide").focus()
    await page.keyboard.press("Enter")
    # Ana's part first, then the rest.
    await page.get_by_role("button", name="Accept Ana", exact=True).focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".told")).to_contain_text("3 duties are in the rota now")
    await page.get_by_role("button", name="Accept Boris", exact=True).click()
    await expect(page.locator(".told")).to_contain_text("in the rota now")
    await every.click()
    await expect(page.locator("#proposal")).to_contain_text("Everything is decided")
    await page.goto(f"{live.settings.public_url}/roster")
    await page.get_by_role("link", name="week after →").click()
    await expect(page.locator('[data-name="Ana"] [data-kind="duty"]')).to_have_count(3)
    await expect(page.locator('#week [data-kind="proposed"]')).to_have_count(0)
