"""Nothing jumps: while a counsellor types in the form of a call, what arrives moves neither the
field, nor the page, nor what is under the pointer.

Half of what arrives does so on a wide screen, and half on a phone; with `TESTS=whole` all on both.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from app.database.topics import Topic
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.routing.alarm_rows import AlarmKind
from app.routing.rota.unstaffed_alarms import open_alarm
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.browser import CHROMIUM, at, available, enter, press, ring, write
from tests.support.profile import WHOLE, nightly

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")

# Keeps what the browser itself says has moved, by its Layout Instability API. The lists below the
# form, and the state of the call in the bar, are what changes; all else has to stand still.
WATCH = """
globalThis.moved = [];
globalThis.within = "body";
const CHANGES = ".inbox, #frame";
const name = (one) => one.tagName + "#" + one.id + "." + one.className;
new PerformanceObserver((list) => {
  const sources = list.getEntries().flatMap((entry) => entry.sources);
  for (const { node, previousRect: was, currentRect: now } of sources) {
    const one = node?.nodeType === 1 ? node : node?.parentElement;
    if (one?.closest(within) && !one.closest(CHANGES))
      moved.push([name(one), was.x, was.y, now.x, now.y].join(" "));
  }
}).observe({ type: "layout-shift", buffered: true });
"""
# What the counsellor looks at, and what is under the hand.
WHERE = """(pointers) => {
  const box = (one) => {
    const { x, y, width, height } = one.getBoundingClientRect();
    return [one.id, x, y, width, height];
  };
  return {
    field: box(document.activeElement),
    scrolled: [scrollX, scrollY],
    under: pointers.map(([x, y]) => box(document.elementFromPoint(x, y))),
  };
}"""
TO_THE_FIELD = "document.activeElement.scrollIntoView({ block: 'center', behavior: 'instant' })"
# Two frames and a moment: what was drawn is measured by then.
DRAWN = """() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 300))))"""


@asynccontextmanager
async def nothing_jumps(
    page: Page, what: str, *pointers: Locator, within: str = "body"
) -> AsyncIterator[None]:
    """Compare where everything is before and after what arrives."""
    points = []
    for one in pointers:
        box = await one.bounding_box()
        assert box is not None
        points.append([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    await page.mouse.move(*points[0])
    await page.evaluate(DRAWN)
    await page.evaluate("(within) => { moved.length = 0; globalThis.within = within; }", within)
    before = await page.evaluate(WHERE, points)
    yield
    await page.evaluate(DRAWN)
    assert await page.evaluate(WHERE, points) == before, what
    assert await page.evaluate("moved") == [], what


async def turns_to(page: Page, width: int) -> None:
    """Let the screen have another width, and wait until all stands still on it."""
    await page.set_viewport_size({"width": width, "height": 900})
    await page.evaluate(TO_THE_FIELD)
    before = None
    while before != (before := await page.evaluate(WHERE, [])):
        await page.evaluate(DRAWN)


async def types(page: Page, field: Locator) -> None:
    """Write in a field in the middle of the form, until it is saved."""
    await field.focus()
    await page.evaluate(TO_THE_FIELD)
    await write(page, "She does not want to go home. ")
    await expect(page.locator("#saving")).to_have_text("All saved")


@nightly
@pytest.mark.parametrize("widths", [(1440, 390), (390, 1440)] if WHOLE else [(1440, 390)])
async def test_what_arrives_moves_nothing_under_eye_and_hand(
    live: Stage, page: Page, widths: tuple[int, int]
) -> None:
    """By day `test_frame` shows that a ring leaves the focus in a field."""
    await page.set_viewport_size({"width": widths[0], "height": 900})
    await page.add_init_script(WATCH)
    # A supervisor who takes calls is told of everything.
    nora = await live.add_counsellor("Nora", role=Role.SUPERVISOR, state=None)
    vera = await live.add_counsellor("Vera", role=Role.SUPERVISOR, shift=False, state=None)
    await at(page, live, nora, "/")
    await available(page)
    leg = await ring(live)
    await expect(page.locator("#offer")).to_be_visible()
    await press(page, "a")
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    form = page.locator(".writing")
    await expect(form.locator("[data-record][data-ready]")).to_have_count(1)
    boris = await live.add_counsellor("Boris")
    field = form.locator("#f-actions-summary")
    label = form.locator("label[for=f-actions-summary]").first
    hands = (label, page.locator("#hang-up"), page.locator("#urgent summary"))
    await types(page, field)
    async with nothing_jumps(page, "a call of a colleague", *hands):
        await ring(live, from_="+381641110001")
        while await boris.offer() is None:
            await live.clock.sleep(0.1)
        await boris.accept()
        await expect(page.locator("#talks-link")).to_contain_text("Talks: 2")
    async with nothing_jumps(page, "a caller who waits", *hands):
        waits = await ring(live, from_="+381641110002")
        await expect(page.locator(".rail a[data-section=desk] .count")).to_have_text("1")
    async with nothing_jumps(page, "a message", *hands):
        words = {"to": str(nora.id), "words": "Coffee is ready"}
        assert (await vera.ask("POST", "/team/messages", words)).status_code == 201
        await expect(page.locator("#team-messages-unread")).to_have_text("1 new")
    await turns_to(page, widths[1])
    async with nothing_jumps(page, "an alarm", *hands):
        await an_alarm(live)
        await expect(page.locator("#alarms")).to_contain_text("longer than the line allows")
    async with nothing_jumps(page, "a call for help", *hands):
        await calls_for_help(boris)
        await expect(page.locator(".help-bar")).to_contain_text("Boris needs a supervisor now")
    # The talk is over, and the form is finished later: a call rings while she types.
    await live.exchange.hang_up(waits)
    await live.exchange.hang_up(leg)
    await expect(page.locator("#ready")).to_be_visible()
    await page.locator("#ready").click()
    (contact,) = await live.rows("SELECT id FROM contacts WHERE owner_id = %s", nora.id)
    await enter(page, live, nora, f"/contacts/{contact['id']}")
    await expect(page.locator("#telephone")).to_have_attribute("data-state", "ready")
    field, label = page.locator("#f-actions-summary"), page.locator("label[for=f-actions-summary]")
    await types(page, field)
    # A ring makes room for itself in the bar.
    async with nothing_jumps(page, "a ring", label.first, within="main"):
        await ring(live, from_="+381641110003")
        await expect(page.locator("#offer")).to_be_visible()
    await expect(field).to_be_focused()


async def an_alarm(live: Stage) -> None:
    (row,) = await live.rows("SELECT id FROM lines")
    async with transaction(live.ground, PROGRAM) as work:
        await open_alarm(work, AlarmKind.LONG_WAIT, line_id=row["id"], language="en")
        work.announce(Topic.ALARMS)


async def calls_for_help(who: Counsellor) -> None:
    offer: Any = await who.offer()
    while offer["state"] != "connected":
        offer = await who.offer()
    answer = await who.ask("POST", f"/calls/{offer['call_id']}/call-for-help")
    assert answer.status_code < 300, answer.text
