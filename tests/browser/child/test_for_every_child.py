"""The page of a child on small screens, from the right, enlarged, and for a screen reader.

With `TESTS=whole` in every language, with axe at three widths.
"""

from typing import Any, Literal

import pytest
from playwright.async_api import Page, Route, expect

from app import words
from app.database.topics import Topic
from app.demo.stage import Stage
from tests.support.axe import faults, faults_zoomed
from tests.support.browser import PICTURES, picture
from tests.support.children.at_their_page import take_next, visit, write
from tests.support.profile import WHOLE

# A field with smaller letters makes a telephone enlarge the page.
SMALL = """
[...document.querySelectorAll("input, textarea, select")]
  .filter((one) => parseFloat(getComputedStyle(one).fontSize) < 16).map((one) => one.id)
"""
WIDTHS = (320, 390, 768)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


async def _look(page: Page, where: str) -> list[str]:
    """Return what is wrong with the page that is open; by day in one theme for each language."""
    found = []
    own = THEMES if WHOLE else THEMES[:1] if where.startswith("ar") else THEMES[1:]
    for width in WIDTHS if WHOLE or PICTURES else WIDTHS[:1]:
        await page.set_viewport_size({"width": width, "height": 640})
        for theme in own:
            await page.emulate_media(color_scheme=theme)
            await picture(page, f"child-{where}-{width}-{theme}")
            if WHOLE or width == WIDTHS[0]:
                found += await faults(page, f"{where} {theme}")
    found += await faults_zoomed(page, where)
    found += [f"{where}: small letters in {one}" for one in await page.evaluate(SMALL)]
    exit_ = await page.locator("#exit").bounding_box()
    assert exit_ is not None
    assert exit_["y"] >= 0, "the way out is always seen"
    assert exit_["height"] >= 44
    return found


@pytest.mark.parametrize("language", words.written() if WHOLE else ["ar"])
async def test_every_child_can_use_the_page(stage: Stage, page: Page, language: str) -> None:
    texts = words.child_texts(language)
    spoken = words.spoken_as(language)
    if spoken not in ("sr", "en"):
        await _speak(stage, spoken)
    ana = await stage.add_counsellor("ana", chats=2, languages=f"{spoken},en")
    if language == "sr":
        # An old browser: it reads no stream, and asks again and again.
        await page.add_init_script("delete window.ReadableStream; delete window.AbortController")
    polls: list[str] = []
    page.on("request", lambda one: polls.append(one.url) if "wait=25" in one.url else None)
    await page.emulate_media(reduced_motion="reduce", forced_colors="none")
    await visit(page, stage, language)
    direction = "rtl" if words.about(language).right_to_left else "ltr"
    assert await page.evaluate("document.documentElement.dir") == direction
    wrong = await _look(page, f"{language}-start")
    await page.get_by_role("button", name=texts["page"]["have_code"]).click()
    wrong += await _look(page, f"{language}-code")
    await page.get_by_role("button", name=texts["page"]["back"]).click()
    await page.get_by_role("button", name=texts["page"]["start"]).click()
    call_id = await take_next(ana)
    await expect(page.locator("#state")).to_have_text(texts["script"]["here"])
    await page.get_by_role("textbox", name=texts["page"]["message"]).fill("Hello " * 30 + "x" * 90)
    if language == "ar":
        await _fail_once(page, "messages", 429, {"error": "TooFast"})
    await page.get_by_role("button", name=texts["page"]["send"], exact=True).click()
    if language == "ar":
        await expect(page.locator("#network")).to_have_text(texts["script"]["too_fast"])
    await write(ana, call_id, "مرحبا 123" if language == "ar" else "Zdravo!\nTu sam.")
    await expect(page.locator("#log .by-counsellor")).to_have_count(1)
    said = page.locator("#log .by-counsellor p")
    assert await said.get_attribute("lang") == words.spoken_as(language)
    assert bool(polls) == (language == "sr")
    wrong += await _look(page, f"{language}-chat")
    await page.emulate_media(forced_colors="active")
    wrong += await faults(page, f"{language} high contrast")
    await page.emulate_media(forced_colors="none")
    # By keys alone: from the field on, in the order of the page.
    await page.get_by_role("textbox", name=texts["page"]["message"]).focus()
    order = []
    for _ in range(4):
        await page.keyboard.press("Tab")
        order.append(await page.evaluate("document.activeElement.id"))
    assert order == ["send", "letters", "danger", "end"]
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name=texts["page"]["end_no"])).to_be_focused()
    await page.get_by_role("button", name=texts["page"]["end_yes"]).click()
    await expect(page.locator("#ended-title")).to_have_text(texts["script"]["goodbye"])
    await expect(page.locator("#ended-title")).to_be_focused()
    wrong += await _look(page, f"{language}-ended")
    best = page.get_by_role("radio", name=texts["page"]["rate_5"], exact=True)
    await best.first.check()
    await _fail_once(page, "feedback", 500 if language == "ar" else 429)
    await page.get_by_role("button", name=texts["page"]["rate_send"]).click()
    await expect(page.locator("#rated")).to_have_text(texts["script"]["rate_lost"])
    await expect(page.locator("#rated")).to_have_text(texts["script"]["rate_thanks"])
    rated = await stage.rows("SELECT helped, again FROM chat_feedback")
    assert [(row["helped"], row["again"]) for row in rated] == [(5, None)]
    assert wrong == []


async def _fail_once(page: Page, what: str, status: int, body: Any = None) -> None:
    """Have the next request of a kind fail; the one after it arrives."""

    async def fail(route: Route) -> None:
        await route.fulfill(status=status, json=body or {})

    await page.route(f"**/chat/conversation/{what}", fail, times=1)


async def _speak(stage: Stage, language: str) -> None:
    """Add a language to the line, also one in which it can only be written."""
    await stage.change_rows(
        "INSERT INTO line_languages (line_id, language, position, digit, locale)"
        f" SELECT id, '{language}', 9, '9', '{language}' FROM lines"
    )
    stage.ground.memory.forget(Topic.EVERYTHING)
