"""The page of the rota in a real browser: plan a week, swap a shift, cover an uncovered one."""

import asyncio
import contextlib
import os
import re
from datetime import date, timedelta

from playwright.async_api import Error, FloatRect, Locator, Page, expect

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.browser import at
from tests.support.profile import WHOLE, nightly
from tests.support.referrals import page as form

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


async def stands(one: Locator) -> FloatRect:
    """Where it stands, once it has not moved for a moment: the page that answers is drawn anew, and
    so is the calendar, which follows the event."""
    before = await box_of(one)
    for _ in range(60):
        await asyncio.sleep(0.5)
        after = await box_of(one)
        if after == before:
            return after
        before = after
    raise AssertionError("it moves all the time")


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
    # The mouse is over a block that stands still.
    await block.hover()
    box = await stands(block)
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
    empty = await stands(row(page, "Vera"))
    box = await box_of(duty(page, "Ana", f"{day}T06:00"))
    y = empty["y"] + empty["height"] / 2
    await page.mouse.move(box["x"] + 4 * hour + 1, y)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 5 * hour, y)
    await page.mouse.move(box["x"] + 6 * hour, y)
    await page.mouse.up()
    made = duty(page, "Vera", f"{day}T10:00")
    await expect(made).to_have_attribute("data-until", f"{day}T12:00")
    await expect(made).to_be_focused()


async def _is_on_duty(
    live: Stage, planner: Counsellor, who: Counsellor, day: date, hour: int, hours: int
) -> None:
    """Let a planner add a duty, at a page elsewhere."""
    times = {"from_at": f"{day}T{hour:02}:00", "until_at": f"{day}T{hour + hours:02}:00"}
    values = {"staff_id": str(who.id), "layer": "primary", **times}
    assert (await form(live, planner, "/roster/duty/new", **values)).status_code == 303


async def _clicks(page: Page, name: str, day: date, hour: int) -> None:
    """A click on an empty place adds a duty of the usual length, from the full hour."""
    empty = row(page, name).locator("td").last
    await scroll_to(empty)
    column, place = await box_of(page.locator(f'th[data-day="{day}"]')), await box_of(empty)
    x = column["x"] + column["width"] * (hour + 0.4) / 24
    await page.mouse.click(x, place["y"] + place["height"] / 2)
    made = duty(page, name, f"{day}T{hour:02}:00")
    await expect(made).to_have_attribute("data-until", f"{day}T{hour + 8:02}:00")
    await expect(made).to_be_focused()
    await expect(page.get_by_role("status").filter(has_text=f"Added: {name}")).to_be_visible()


async def _adds_by_keys(page: Page, name: str, day: date) -> None:
    """Arrows on the + show a duty in the first empty place and move it; it ends eight hours on."""
    add = row(page, name).locator(".add")
    ghost, says = page.locator(".ghost"), page.locator("#rota-says")
    await add.focus()
    await page.keyboard.press("ArrowRight")
    await expect(ghost).to_have_text(re.compile("^(06|14):00–"))
    # A look at it changes nothing, and Escape gives the focus no other place.
    await page.keyboard.press("Escape")
    await expect(ghost).to_have_count(0)
    await expect(add).to_be_focused()
    await page.keyboard.press("ArrowRight")
    begins = (await ghost.inner_text())[:5]
    for _ in range(16 if begins == "06:00" else 0):
        await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Shift+ArrowRight")
    await expect(ghost).to_have_text("14:00–22:30")
    await expect(says).to_contain_text(f"{name}, ")
    await expect(says).to_contain_text("14:00–22:30. Enter saves")
    await page.keyboard.press("Shift+ArrowLeft")
    await page.keyboard.press("Enter")
    made = duty(page, name, f"{day}T14:00")
    await expect(made).to_have_attribute("data-until", f"{day}T22:00")
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


@nightly
async def test_a_duty_manager_plans_a_week_and_mends_the_night(live: Stage, page: Page) -> None:
    """By day a colleague changes the rota below, and `tests/routing/rota` has what it writes."""
    chief = await live.add_counsellor("Jelena", role=Role.SUPERVISOR, shift=False, state=None)
    ana, boris, _vera = [
        await live.add_counsellor(name, shift=False, state=None)
        for name in ("Ana", "Boris", "Vera")
    ]
    monday = live.today + timedelta(days=7 - live.today.weekday())
    # The first days are planned already.
    for n in range(6):
        for who, hour in ((ana, 6), (boris, 14)):
            await _is_on_duty(live, chief, who, monday + timedelta(days=n), hour, 8)
    await at(page, live, chief, "/")
    await page.get_by_role("link", name="Rota").click()
    await page.get_by_role("link", name="week after →").click()
    await page.wait_for_url("**/roster?week=*")
    await expect(page.locator("#uncovered .duty").first).to_contain_text("⚠")

    sunday = monday + timedelta(days=6)
    await _clicks(page, "Ana", sunday, 6)
    await _adds_by_keys(page, "Boris", sunday)
    found = await live.rows("SELECT count(*) AS n FROM rota_changes WHERE kind = 'extra'")
    assert found[0]["n"] >= 14

    await _covers_the_night(page)

    day = monday + timedelta(days=2)
    await _drags(page, day)
    await _uses_keys(page, day)
    if os.environ.get("PICTURES"):
        for width in (320, 768, 1440):
            for look in ("light", "dark"):
                await page.set_viewport_size({"width": width, "height": 1000})
                await page.emulate_media(color_scheme=look)
                await page.screenshot(
                    caret="initial",
                    path=f"{os.environ['PICTURES']}/roster-{width}-{look}.png",
                    full_page=True,
                )
        await page.set_viewport_size({"width": 1440, "height": 1000})

    if WHOLE:
        # By day `tests/dashboard/test_rota_pages.py` has the forms.
        await _swaps_and_takes_it_back(page, day)

    # A calendar of one's own, shown once.
    await page.get_by_role("button", name="Make an address").click()
    address = await page.locator("code.address").inner_text()
    assert "/calendar/" in address
    answer = await live.client.get(address)
    assert answer.text.startswith("BEGIN:VCALENDAR")


async def test_what_is_being_moved_stays_when_a_colleague_changes_the_rota(
    live: Stage, page: Page
) -> None:
    chief = await live.add_counsellor("Jelena", role=Role.SUPERVISOR, shift=False, state=None)
    other = await live.add_counsellor("Mila", role=Role.SUPERVISOR, shift=False, state=None)
    people = [await live.add_counsellor(name, shift=False, state=None) for name in ("Ana", "Vera")]
    monday = live.today + timedelta(days=7 - live.today.weekday())
    await at(page, live, chief, f"/roster?week={monday}")
    await _clicks(page, "Ana", monday, 6)
    ghost, says = page.locator(".ghost"), page.locator("#rota-says")

    async def adds_for_vera(hour: int) -> None:
        await _is_on_duty(live, other, people[1], monday, hour, 1)
        await expect(duty(page, "Vera", f"{monday}T{hour:02}:00")).to_be_visible()

    # A new duty, by keys.
    await row(page, "Ana").locator(".add").focus()
    await page.keyboard.press("ArrowRight")
    begins = await ghost.inner_text()
    await adds_for_vera(9)
    await expect(ghost).to_have_text(begins)
    # One that stands already.
    await duty(page, "Ana", f"{monday}T06:00").focus()
    await page.keyboard.press("ArrowRight")
    await adds_for_vera(11)
    await expect(ghost).to_have_text("06:30–14:30")
    await expect(duty(page, "Ana", f"{monday}T06:00")).to_have_attribute("data-moving", "")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    await expect(duty(page, "Ana", f"{monday}T07:00")).to_be_focused()
    # One that a colleague takes away meanwhile.
    moved = duty(page, "Ana", f"{monday}T07:00")
    was = await moved.get_attribute("data-at")
    assert was is not None
    await page.keyboard.press("ArrowRight")
    assert was is not None
    gone = {"was": was, "act": "remove", "staff_id": str(people[0].staff.id), "layer": "primary"}
    times = {"from_at": f"{monday}T07:00", "until_at": f"{monday}T15:00"}
    assert (await form(live, other, "/roster/duty", **gone, **times)).status_code == 303
    await expect(moved).to_have_count(0)
    await expect(ghost).to_have_count(0)
    await expect(says).to_contain_text("Another person has changed this duty")


async def _covers_the_night(page: Page) -> None:
    """A rule that is wrong is refused; the right one covers the night."""
    shift = page.get_by_role("form", name="Add a shift")
    # What is wrong is said, and nothing that was written is lost.
    await shift.get_by_label("Who").select_option(label="Vera")
    await shift.get_by_text("Another rule").click()
    other = shift.get_by_label("As calendars write it")
    await other.fill("FREQ=SOMETIMES")
    await shift.get_by_role("button", name="Add").click()
    await expect(page.locator("#problem")).to_contain_text("is not a usable recurrence rule")
    assert await other.input_value() == "FREQ=SOMETIMES"

    # The night is uncovered, and the page says so.
    await expect(page.locator("#uncovered .duty").nth(1)).to_have_attribute("title", NIGHT)
    await other.fill("")
    await shift.get_by_label("or a rule").select_option(label="every day")
    await shift.get_by_label("From").fill("22:00")
    await shift.get_by_label("Until").fill("06:00")
    await shift.get_by_role("button", name="Add").click()
    await expect(row(page, "Vera").locator(".duty").nth(3)).to_contain_text("22–06")
    await expect(page.locator("#uncovered .duty")).to_have_count(0)
    # The calendar follows the event; the whole page is drawn anew when the form is answered.
    await expect(page.locator("#shifts")).to_contain_text("Vera")


async def _swaps_and_takes_it_back(page: Page, day: date) -> None:
    """Boris takes over from Ana for two hours; the last word can be taken back."""
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
