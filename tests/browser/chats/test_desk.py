"""A counsellor writes with three children, and a call of a child in danger rings: by keyboard."""

import asyncio

from playwright.async_api import Locator, Page, expect

from app.demo.stage import Stage
from app.demo.writing import WritingChild, a_child
from tests.support.axe import faults
from tests.support.browser import at, available, picture, press, ring
from tests.support.profile import WHOLE

SAID = ("Ima li koga?", "U školi me tuku", "Broj je 064 123 4567, hoću da umrem")


async def test_three_children_write_and_a_call_in_danger_rings(live: Stage, page: Page) -> None:
    await page.set_viewport_size({"width": 1440, "height": 900})
    await live.let_write()
    ana = await live.add_counsellor("ana", state=None, chats=3)
    await at(page, live, ana, "/")
    await available(page)
    children = [await _accepted(live, page, words, n) for n, words in enumerate(SAID)]
    chats = page.locator(".chat")
    for chat in await chats.all():
        await expect(chat).to_be_visible()
    await expect(chats.nth(2).locator(".suggests")).to_contain_text("hoću da umrem")
    await _writes(page, chats.nth(0), children[0])
    # Half of an answer to the second child.
    await page.keyboard.press("Alt+PageDown")
    second = chats.nth(1).locator("textarea[name=text]")
    await expect(second).to_be_focused()
    await page.keyboard.type("Dobro je što si")
    await expect(chats.nth(1).locator(".unread")).to_have_count(0)
    await _is_put_in(page, chats, children)
    await expect(second).to_have_value("Dobro je što si")
    await expect(second).to_be_focused()
    await _looked_at(page, "chats")
    # Loaded again while she writes, with no call: her telephone is there for the next one.
    await page.reload()
    await expect(chats).to_have_count(3)
    await expect(page.locator("#telephone")).to_have_attribute("data-state", "ready")
    await expect(second).to_have_value("Dobro je što si")
    await second.focus()
    leg = await ring(live, "9")
    await expect(page.locator("#offer")).to_contain_text("A caller in danger")
    await expect(second).to_be_focused()
    # Out of the field, to Accept, and only then Enter.
    await page.keyboard.press("Escape")
    await press(page, "a")
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    await expect(second).to_have_value("Dobro je što si")
    await expect(page.locator("#desk [data-record][data-ready]")).to_have_count(1)
    await picture(page, "chats-and-a-call")
    if WHOLE:
        # By day she loads it again before the call; `test_telephone` has the talk after it.
        await page.reload()
        await expect(chats).to_have_count(3)
        await expect(second).to_have_value("Dobro je što si")
        await expect(page.locator("#call-title")).to_contain_text("Talking")
    await live.exchange.hang_up(leg)
    await expect(page.locator("#call-title")).to_have_count(0)
    await _ends(page, chats.nth(1), children[1])


async def _is_put_in(page: Page, chats: Locator, children: list[WritingChild]) -> None:
    """What is new comes into its conversation, and nothing is drawn again: not the first bubble,
    not the conversations beside it."""
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url.partition("/board/")[2]))
    await page.evaluate("document.querySelectorAll('.bubble').forEach((one) => { one.old = true })")
    await children[1].say("Ne znam kome da kažem")
    await expect(chats.nth(1).locator(".said")).to_contain_text("Ne znam kome")
    # It has the focus, so it is seen; what the third child wrote is not.
    await expect(chats.nth(1).locator(".unread")).to_have_count(0)
    await expect(page.locator("#chats-now .unread")).to_have_text("1 new")
    await children[2].ask("POST", "/conversation/typing", {})
    await expect(chats.nth(2).locator(".types")).to_be_visible()
    await children[2].say("Jesi li tu?")
    await expect(chats.nth(2).locator(".bubble").last).to_contain_text("Jesi li tu?")
    await expect(chats.nth(2).locator(".types")).to_be_hidden()
    for place in (chats.nth(2).locator(".chat-state"), page.locator(".chat-tabs"), "#chats-now"):
        shown = page.locator(place) if isinstance(place, str) else place
        await expect(shown.locator(".unread")).to_have_text("2 new")
    numbers = (
        await chats.nth(1)
        .locator(".bubble")
        .evaluate_all("(all) => all.map((one) => Number(one.dataset.number))")
    )
    assert numbers == sorted(set(numbers))
    old = "(all) => all.filter((one) => !one.old).map((one) => one.textContent)"
    new = await page.locator(".bubble").evaluate_all(old)
    assert len(new) == 2, new
    assert any(one.startswith("chats/") and "/news?" in one for one in asked), asked
    assert "chats" not in asked
    assert "chats/now" not in asked


async def _accepted(live: Stage, page: Page, words: str, before: int) -> WritingChild:
    """Let a child write, and accept it with the letter and Enter."""
    child = a_child(live)
    await child.open()
    await child.say(words)
    await expect(page.locator("#offer")).to_contain_text("A child writes")
    if before:
        await page.keyboard.press("Escape")
    await press(page, "a")
    chats = page.locator(".chat")
    await expect(chats).to_have_count(before + 1)
    await expect(chats.nth(before).locator(".said")).to_contain_text(words)
    return child


async def _writes(page: Page, chat: Locator, child: WritingChild) -> None:
    """Shift and Enter is a new line, Enter sends, and a beginning is put into the field."""
    field = chat.locator("textarea[name=text]")
    await field.focus()
    await page.keyboard.type("Tu sam.")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("Kako si?")
    await page.keyboard.press("Enter")
    await expect(chat.locator(".said")).to_contain_text("Kako si?")
    await expect(field).to_have_value("")
    await expect(field).to_be_focused()
    for _ in range(100):
        await child.look()
        if "Tu sam.\nKako si?" in child.words():
            break
        await asyncio.sleep(0.1)
    await child.ask("POST", "/conversation/seen", {"number": child.last})
    await expect(chat.locator(".ticks").last).to_contain_text("seen")
    await page.keyboard.press("Escape")
    await page.keyboard.press("b")
    await chat.locator("[data-insert^='Čujem da']").press("Enter")
    await expect(field).to_have_value("Čujem da ")
    await page.keyboard.press("Enter")
    await expect(page.locator("#refused")).to_contain_text("only a beginning")
    await expect(field).to_have_value("Čujem da ")


async def _looked_at(page: Page, name: str) -> None:
    """See the desk in both themes and at several widths."""
    found: list[str] = []
    every = (("light", 1440), ("dark", 1440), ("light", 768), ("dark", 320))
    for theme, width in every if WHOLE else every[-1:]:
        await page.emulate_media(
            color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce"
        )
        await page.set_viewport_size({"width": width, "height": 900})
        found += await faults(page, f"{name} {theme} {width}")
        await picture(page, f"{name}-{theme}-{width}")
    assert found == []
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size({"width": 1440, "height": 900})


async def _ends(page: Page, chat: Locator, child: WritingChild) -> None:
    """Two steps: E opens, and Enter on the button ends, after the last words."""
    await chat.focus()
    await page.keyboard.press("e")
    goodbye = chat.locator("textarea[name=goodbye]")
    await goodbye.fill("Čuvaj se!")
    await chat.get_by_role("button", name="Say goodbye and end").press("Enter")
    await expect(page.locator(".chat")).to_have_count(2)
    seen = await child.look()
    assert (seen["phase"], child.words()[-1]) == ("ended", "Čuvaj se!")
