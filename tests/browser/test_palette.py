"""The command palette in a real Chromium, by keyboard alone."""

import os

from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.browser import available, ring, visit


async def pictures(page: Page) -> None:
    """Keep what the palette looks like, if that is wanted."""
    folder = os.environ.get("PICTURES")
    if not folder:
        return
    await page.keyboard.press("Control+k")
    await page.keyboard.type("re")
    for theme in ("light", "dark"):
        await page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        for width in (1440, 1024, 800, 390):
            await page.set_viewport_size({"width": width, "height": 800})
            await page.screenshot(caret="initial", path=f"{folder}/palette-{width}-{theme}.png")
    await page.set_viewport_size({"width": 1280, "height": 720})
    await page.keyboard.press("Escape")


async def test_the_palette_by_keyboard_alone(live: Stage, page: Page) -> None:
    jelena = await live.add_counsellor("Jelena", role=Role.SUPERVISOR, state=None)
    await live.add_counsellor("Đorđe Čolić", shift=False, state=None)
    case = (await jelena.ask("POST", "/cases", {})).json()
    await visit(page, live, jelena, "/agencies")
    await expect(page.locator("#connection")).to_have_text("● live")
    typed = page.locator("#palette-typed")
    options = page.locator("#palette-list [role=option]")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    await takes_the_focus_and_gives_it_back(page)
    await pictures(page)

    # A page, in the other script; what was chosen last stands first the next time.
    await page.keyboard.press("Control+k")
    await page.keyboard.type("Роt")
    await expect(options).to_have_count(1)
    await expect(typed).to_have_attribute("aria-activedescendant", "palette-option-0")
    await page.keyboard.press("Enter")
    await expect(page.locator("#main h1")).to_contain_text("Rota")
    await page.keyboard.press("Control+k")
    await expect(options.first).to_contain_text("Rota")

    # A person, found without the marks of the letters.
    await page.keyboard.type("djordje")
    await expect(options.first).to_contain_text("Đorđe Čolić")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/team#person-*")

    # A case by its code, which stands in no address.
    await page.keyboard.press("Control+k")
    await page.keyboard.type(case["code"].replace("-", "").lower())
    await expect(options).to_have_text([f"{case['code']} Case"])
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/cases/{case['id']}")
    body = case["code"].split("-")[1]
    assert not [url for url in asked if body in url.upper()]
    assert case["code"] not in await page.evaluate("JSON.stringify(localStorage)")

    await acts_and_gives_way_to_a_ring(live, page)


async def takes_the_focus_and_gives_it_back(page: Page) -> None:
    """Enter without a word does nothing."""
    dialog, typed = page.locator("#palette"), page.locator("#palette-typed")
    options = page.locator("#palette-list [role=option]")
    field = page.locator("#main input:visible").first
    await field.focus()
    await page.keyboard.press("Control+k")
    await expect(typed).to_be_focused()
    await expect(options.first).to_contain_text("Desk")
    await page.keyboard.press("Enter")
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(field).to_be_focused()


async def acts_and_gives_way_to_a_ring(live: Stage, page: Page) -> None:
    """An action, and a ring that closes the palette."""
    dialog, typed = page.locator("#palette"), page.locator("#palette-typed")
    await available(page)
    await page.keyboard.press("Control+k")
    await page.keyboard.type("take a br")
    await page.keyboard.press("Enter")
    await expect(page.locator("#presence")).to_contain_text("On a break")
    await page.locator("#palette-open").click()
    await page.keyboard.type("be av")
    await page.keyboard.press("Enter")
    await expect(page.locator("#presence")).to_contain_text("Available")
    await page.keyboard.press("Control+k")
    await expect(typed).to_be_focused()
    await ring(live)
    await expect(page.locator("#accept")).to_be_focused()
    await expect(dialog).to_be_hidden()
