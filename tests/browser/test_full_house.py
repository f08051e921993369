"""A night of 300 waiting callers and the longest names, in every state of a talk.

In each state axe finds nothing, no page is wider than its screen, and the letters stay what they
are: one key alone does nothing. `PICTURES=<folder>` keeps a picture of each state and width.
"""

import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from app.demo.stage import LINE, Stage
from app.staff.roles import Role
from tests.support.axe import LOOKS, faults
from tests.support.browser import available, press, ring, visit
from tests.support.profile import WHOLE
from tests.support.waiting import until

pytestmark = [
    pytest.mark.skipif(not WHOLE, reason="looked at with TESTS=whole: it takes minutes"),
]

PICTURES = os.environ.get("PICTURES")
# The longest that a name may be: in words, and in one word that cannot be broken at a space.
LONG = "Aleksandra-Marija Stefanović-Radosavljević od Svetog Petra i Pavla iz Sremskih"
WORD = "Dečja" + "linijazapomoć" * 5 + "Beograd123"
# As the first waiting caller, 299 times.
MORE = """
INSERT INTO calls SELECT (jsonb_populate_record(one, jsonb_build_object(
  'id', gen_random_uuid(), 'provider_sid', 'CAmany' || n))).*
FROM calls one, generate_series(1, 299) n WHERE one.provider_sid = %s RETURNING id
"""


class Looks:
    """Looks at a page as readers of every kind do, each time in the next of all looks."""

    def __init__(self, page: Page) -> None:
        self.page, self.number, self.found = page, 0, list[str]()

    async def at(self, state: str) -> None:
        """Note what is wrong in a state: by axe in one look, by width in all."""
        theme, wide = LOOKS[self.number % len(LOOKS)]
        self.number += 1
        for width in (1440, 390, 320):
            await self.page.set_viewport_size({"width": width, "height": 900})
            await self.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            # Colours change over a moment, and axe would see one in between.
            await self.page.wait_for_timeout(250)
            if width == wide:
                self.found += await faults(self.page, f"{state} {theme} {width}")
            over = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if over > 0:
                self.found.append(f"{state} {width}: {over} pixels too wide")
            if PICTURES:
                name = f"full-{state.replace(' ', '-')}-{theme}-{width}.png"
                await self.page.screenshot(caret="initial", path=str(Path(PICTURES) / name))
        await self.page.set_viewport_size({"width": 1440, "height": 900})


async def test_a_full_house_with_the_longest_names(live: Stage, page: Page) -> None:
    assert len(WORD) == 80
    await live.rows("UPDATE lines SET name = %s WHERE number = %s RETURNING 1", WORD, LINE)
    live.ground.memory.forget("lines")
    ana = await live.add_counsellor(LONG, role=Role.SUPERVISOR, state=None)
    await live.rows("UPDATE staff SET team = %s RETURNING 1", WORD)
    live.ground.memory.forget("staff")
    looks = Looks(page)
    await visit(page, live, ana, "/")
    await available(page)
    leg = await ring(live, digit="9")
    await expect(page.locator("#accept")).to_be_focused()
    await looks.at("ringing")
    # One letter alone does nothing; the second step does.
    await page.keyboard.press("d")
    await expect(page.locator("#decline")).to_be_focused()
    await press(page, "a")
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    await expect(page.locator("[data-record][data-ready]")).to_have_count(1)

    child = await ring(live)
    await until(lambda: child.waits_in is not None, "another child waits")
    assert len(await live.rows(MORE, child.sid)) == 299
    await live.rows("SELECT pg_notify('helpline', 'queue')")
    await expect(page.locator("#waiting-count")).to_have_text("300")
    await expect(page.locator("#queue li")).to_have_count(21)
    await expect(page.locator("#queue")).to_contain_text("and 280 more")
    shown = await live.client.get(
        live.settings.public_url + "/board/queue", headers={"Cookie": ana.cookie_header}
    )
    assert len(shown.content) < 15_000, "what every desk fetches with every change"
    await looks.at("talking")
    await press(page, "h")
    await expect(page.locator("#call-title")).to_contain_text("On hold")
    await looks.at("on hold")
    for letter, place in (("u", "#urgent form"), ("t", "details[id^=bring-in] form")):
        await page.keyboard.press(letter)
        await expect(page.locator(place).first).to_be_visible()
        await looks.at(f"menu {letter}")
        await page.keyboard.press("Escape")
        await expect(page.locator(place).first).to_be_hidden()
    await page.keyboard.press("b")
    await expect(page.locator(".doing form[hx-post$='/callback']")).to_be_visible()
    await looks.at("call-back")
    await page.keyboard.press("Control+k")
    await expect(page.locator("dialog[open]")).to_be_visible()
    await looks.at("palette")
    await page.keyboard.press("Escape")
    await page.locator(".rail a[data-section=team]").click()
    await expect(page.locator("#talks-box li")).to_contain_text(LONG[:20])
    await looks.at("team")
    await page.locator(".rail a[data-section=desk]").click()
    await expect(page.locator("[data-record][data-ready]")).to_have_count(1)
    await live.exchange.hang_up(leg)
    await expect(page.locator("#wrap-up")).to_be_visible()
    await looks.at("wrap-up")
    assert not looks.found, "\n".join(looks.found)
