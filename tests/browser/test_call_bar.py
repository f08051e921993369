"""The call bar on every width: nothing is cut off, Urgent stands at the right edge.

By day on every other one; with `TESTS=whole` on all.
"""

import os
from typing import Any

from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.work import PROGRAM
from tests.support.browser import available, press, ring, visit
from tests.support.profile import WHOLE, nightly

_WIDTHS = (320, 390, 600, 800, 1024, 1440)
WIDTHS = _WIDTHS if WHOLE else _WIDTHS[::2]
HEIGHT = 720
# What a counsellor sees of the bars: each part that sticks out of the screen or of the call bar,
# that lies on another part, or that is smaller than a finger.
MEASURE = """
() => {
  const faults = [];
  const name = (one) => one.id || one.textContent.trim().slice(0, 30);
  const box = document.querySelector(".callbar .now")?.getBoundingClientRect();
  const PARTS = ".bar button, .bar summary, .callbar .now > .time";
  const parts = [...document.querySelectorAll(PARTS)]
    .filter((one) => one.checkVisibility() && !one.closest(".sheet"))
    .map((one) => [one, one.getBoundingClientRect()]);
  for (const [one, at] of parts) {
    if (at.left < 0 || at.right > innerWidth + 0.5) faults.push(`${name(one)} sticks out`);
    const inside = one.closest(".now");
    if (inside && at.right > box.right + 0.5) faults.push(`${name(one)} leaves the bar`);
    if (one.matches("button, summary") && Math.min(at.width, at.height) < 24) {
      faults.push(`${name(one)} is too small`);
    }
    if (one.scrollWidth > one.clientWidth + 1) faults.push(`${name(one)} is cut`);
    for (const [other, its] of parts) {
      if (one.contains(other) || other.contains(one)) continue;
      const wide = Math.min(at.right, its.right) - Math.max(at.left, its.left);
      const high = Math.min(at.bottom, its.bottom) - Math.max(at.top, its.top);
      if (wide > 1 && high > 1) faults.push(`${name(one)} lies on ${name(other)}`);
    }
  }
  const urgent = document.querySelector("#urgent > summary")?.getBoundingClientRect();
  if (urgent) {
    const end = document.getElementById("hang-up").getBoundingClientRect();
    if (box.right - urgent.right > 12) faults.push("Urgent is not at the right edge");
    if (Math.abs(urgent.left - end.right) < 8) faults.push("Urgent touches the end of the talk");
  }
  const { scrollWidth } = document.documentElement;
  if (scrollWidth > innerWidth) faults.push(`the page is ${scrollWidth} wide`);
  return faults;
}
"""


async def faults(page: Page, state: str) -> list[str]:
    found: list[str] = []
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": HEIGHT})
        mine: list[Any] = await page.evaluate(MEASURE)
        found += [f"{state} at {width}: {one}" for one in mine]
        if folder := os.environ.get("PICTURES"):
            await page.screenshot(caret="initial", path=f"{folder}/bar-{state}-{width}.png")
    return found


@nightly
async def test_the_call_bar_fits_every_width_and_covers_nothing_that_is_typed(
    live: Stage, page: Page
) -> None:
    """In Serbian, whose words are the longest, and with a long name.

    By day `test_frame` shows that the call keeps its room in the bar.
    """
    ana = await live.add_counsellor("Aleksandra Stojanović-Petrović", state=None)
    async with transaction(live.ground, PROGRAM) as work:
        (await work.session.merge(ana.staff)).page_language = "sr"
    await visit(page, live, ana, "/")
    await expect(page.locator("#connection")).to_contain_text("●")
    await available(page)
    found = await faults(page, "idle")
    await ring(live, digit="9")
    await expect(page.locator("#offer")).to_be_visible()
    found += await faults(page, "ringing")
    await press(page, "a")
    await expect(page.locator("#hold")).to_be_visible()
    await expect(page.locator("[data-record][data-ready]")).to_have_count(1)
    found += await faults(page, "talking")
    await page.locator("#hang-up").click()
    await expect(page.locator("#hang-up")).to_have_attribute("data-kept", "")
    found += await faults(page, "undo")
    await page.locator("#hang-up").click()
    await page.locator("#hold").click()
    await expect(page.locator("#resume")).to_be_visible()
    found += await faults(page, "held")
    await page.locator("#hang-up").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#ready")).to_be_visible()
    found += await faults(page, "wrap-up")
    assert not found, "\n".join(found)
    await page.locator("#ready").click()
    await expect(page.locator(".callbar[data-state=available]")).to_be_visible()
    await a_ring_does_not_cover_what_is_being_typed(live, page)


async def a_ring_does_not_cover_what_is_being_typed(live: Stage, page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": HEIGHT})
    await page.goto(live.settings.public_url + "/contacts")
    await expect(page.locator("#telephone")).to_have_attribute("data-state", "ready")
    # A field at the very foot of the page. Heights in the text of HTML would be refused.
    await page.evaluate(
        """() => document.querySelector("main").insertAdjacentHTML("beforeend",
        "<div class=high></div><textarea id=foot></textarea><p class=low></p>")"""
    )
    for name, height in (("high", "60rem"), ("low", "9rem")):
        await page.locator(f".{name}").last.evaluate("(one, h) => (one.style.height = h)", height)
    field = page.locator("#foot")
    await field.focus()
    await page.evaluate("() => document.getElementById('foot').scrollIntoView({block: 'end'})")
    await ring(live)
    await expect(page.locator("#offer")).to_be_visible()
    await expect(field).to_be_focused()
    bar = await page.locator(".callbar .now").bounding_box()
    mine = await field.bounding_box()
    assert bar is not None
    assert mine is not None
    assert mine["y"] + mine["height"] <= bar["y"], (mine, bar)
