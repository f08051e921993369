"""The page of the rota in a real browser: plan a week, swap a shift, cover an uncovered one."""

import asyncio
import contextlib
import os
import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.async_api import Error, FloatRect, Locator, Page, expect

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.browser import at

NIGHT = re.compile("22:00 to .* 06:00")


def row(page: Page, name: str) -> Locator:
    return page.locator(f'#week [data-name="{name}"]')


def duty(page: Page, name: str, begins: str) -> Locator:
    return row(page, name).locator(f'[data-from="{begins}"]')


async def box_of(one: Locator) -> FloatRect:
    """Where it stands, once the page has been drawn: a change may be replacing it just now."""
    for _ in range(300):
        await expect(one).to_be_visible()
        if (box := await one.bounding_box()) is not None:
            return box
        await asyncio.sleep(0.05)
    raise AssertionError("it has no place on the page")


async def scroll_to(one: Locator) -> None:
    """Scroll to it, and once more if the page has just been drawn anew."""
    for _ in range(20):
        with contextlib.suppress(Error):
            await one.scroll_into_view_if_needed(timeout=2_000)
            return
    raise AssertionError("it cannot be scrolled to")


async def _drags(page: Page, day: date) -> None:
    """Ana begins two hours later on Wednesday, thinks better of it, and Vera comes in the gap."""
    block = duty(page, "Ana", f"{day}T06:00")
    await scroll_to(block)
    box = await box_of(block)
    hour = box["width"] / 8
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + hour, y)
    await page.mouse.move(x + 2 * hour, y)
    await expect(page.locator(".ghost")).to_have_text("08:00–16:00")
    await page.mouse.up()
    moved = duty(page, "Ana", f"{day}T08:00")
    await expect(moved).to_have_attribute("data-until", f"{day}T16:00")
    await expect(page.get_by_role("status").filter(has_text="Moved: Ana")).to_be_visible()
    await page.locator("#undo-move").click()
    await expect(duty(page, "Ana", f"{day}T06:00")).to_be_visible()
    # An empty place is drawn over: a new duty.
    box = await box_of(duty(page, "Ana", f"{day}T06:00"))
    empty = await box_of(row(page, "Vera"))
    y = empty["y"] + empty["height"] / 2
    await page.mouse.move(box["x"] + 4 * hour + 1, y)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 5 * hour, y)
    await page.mouse.move(box["x"] + 6 * hour, y)
    await page.mouse.up()
    made = duty(page, "Vera", f"{day}T10:00")
    await expect(made).to_have_attribute("data-until", f"{day}T12:00")
    await expect(made).to_be_focused()


async def _uses_keys(page: Page, day: date) -> None:
    """Ana leaves an hour earlier, and Vera's two hours are removed: by keys alone."""
    block = duty(page, "Ana", f"{day}T06:00")
    await block.focus()
    await page.keyboard.press("Shift+ArrowLeft")
    await page.keyboard.press("Shift+ArrowLeft")
    await expect(page.locator("#rota-says")).to_contain_text("06:00–13:00. Enter saves")
    await page.keyboard.press("Escape")
    await expect(page.locator(".ghost")).to_have_count(0)
    await page.keyboard.press("Shift+ArrowLeft")
    await page.keyboard.press("Shift+ArrowLeft")
    await page.keyboard.press("Enter")
    await expect(block).to_have_attribute("data-until", f"{day}T13:00")
    await expect(block).to_be_focused()
    await duty(page, "Vera", f"{day}T10:00").focus()
    await page.keyboard.press("Delete")
    await expect(page.locator("#rota-says")).to_contain_text("Enter removes it")
    await page.keyboard.press("Enter")
    await expect(duty(page, "Vera", f"{day}T10:00")).to_have_count(0)


async def test_a_duty_manager_plans_a_week_and_mends_the_night(live: Stage, page: Page) -> None:
    chief = await live.add_counsellor("Jelena", role=Role.SUPERVISOR, shift=False, state=None)
    for name in ("Ana", "Boris", "Vera"):
        await live.add_counsellor(name, shift=False, state=None)
    await at(page, live, chief, "/")
    await page.get_by_role("link", name="Rota").click()
    local = datetime.now(UTC).astimezone(ZoneInfo("Europe/Belgrade")).date()
    monday = local + timedelta(days=7 - local.weekday())
    await page.get_by_role("link", name="week after →").click()
    await page.wait_for_url("**/roster?week=*")
    await expect(page.locator("#holes .duty").first).to_contain_text("⚠")

    shift = page.get_by_role("form", name="Add a shift")
    for name, begins, ends in (("Ana", "06:00", "14:00"), ("Boris", "14:00", "22:00")):
        await shift.get_by_label("Who").select_option(label=name)
        await shift.get_by_label("From").fill(begins)
        await shift.get_by_label("Until").fill(ends)
        for weekday in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"):
            await shift.get_by_label(weekday, exact=True).check()
        await shift.get_by_role("button", name="Add").click()
        await expect(page.locator("#shifts")).to_contain_text(name)
        await expect(row(page, name)).to_contain_text(f"{begins}–{ends}")

    # What is wrong is said, and nothing that was written is lost.
    await shift.get_by_label("Who").select_option(label="Vera")
    await shift.get_by_label("or a rule").fill("FREQ=SOMETIMES")
    await shift.get_by_role("button", name="Add").click()
    await expect(page.locator("#problem")).to_contain_text("is not a usable recurrence rule")
    assert await shift.get_by_label("or a rule").input_value() == "FREQ=SOMETIMES"

    # The night is uncovered, and the page says so.
    await expect(page.locator("#holes .duty").nth(1)).to_have_attribute("title", NIGHT)
    await shift.get_by_label("or a rule").fill("FREQ=DAILY")
    await shift.get_by_label("From").fill("22:00")
    await shift.get_by_label("Until").fill("06:00")
    await shift.get_by_role("button", name="Add").click()
    await expect(row(page, "Vera").locator(".duty").nth(3)).to_contain_text("22–06")
    await expect(page.locator("#holes .duty")).to_have_count(0)

    day = monday + timedelta(days=2)
    await _drags(page, day)
    await _uses_keys(page, day)
    if os.environ.get("PICTURES"):
        for width in (320, 768, 1440):
            for look in ("light", "dark"):
                await page.set_viewport_size({"width": width, "height": 1000})
                await page.emulate_media(color_scheme=look)
                await page.screenshot(
                    path=f"{os.environ['PICTURES']}/roster-{width}-{look}.png", full_page=True
                )
        await page.set_viewport_size({"width": 1440, "height": 1000})

    # Boris takes over from Ana for two hours; the last word can be taken back.
    change = page.get_by_role("form", name="Change part of a shift")
    await change.get_by_label("What").select_option("swap")
    await change.locator("[name=staff_id]").select_option(label="Ana")
    await change.get_by_label("Who takes over").select_option(label="Boris")
    await change.get_by_label("From").fill(f"{day}T06:00")
    await change.get_by_label("Until").fill(f"{day}T08:00")
    await change.get_by_role("button", name="Change").click()
    await expect(page.locator("#changes")).to_contain_text("Ana is replaced by Boris")
    await expect(row(page, "Boris")).to_contain_text("06:00–08:00")
    back = page.locator("#changes tr", has_text="is replaced by").get_by_role("button")
    await back.click()
    await expect(row(page, "Boris")).not_to_contain_text("06:00–08:00")
    # The calendar follows at once; the rest of the page is drawn anew when the click is answered.
    await expect(back).to_have_count(0)

    # A calendar of one's own, shown once.
    await page.get_by_role("button", name="Make an address").click()
    address = await page.locator("code.address").inner_text()
    assert "/calendar/" in address
    answer = await live.client.get(address)
    assert answer.text.startswith("BEGIN:VCALENDAR")
