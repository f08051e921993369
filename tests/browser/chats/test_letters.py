"""A child who wants it reads each letter of its counsellor, and is read in the same way."""

from playwright.async_api import Browser, Page, expect

from app.demo.stage import Stage
from tests.support.browser import at, available, picture, press
from tests.support.children.at_their_page import EXIT, say, visit
from tests.support.profile import nightly


@nightly
async def test_both_read_each_letter_while_it_is_typed(
    live: Stage, page: Page, chromium: Browser
) -> None:
    await live.let_write(slug="plavi", exit_site=EXIT)
    ana = await live.add_counsellor("ana", state=None, chats=3, languages="en,sr")
    await at(page, live, ana, "/")
    await available(page)
    child = await (await chromium.new_context(locale="en", reduced_motion="reduce")).new_page()
    await visit(child, live, "en")
    await child.get_by_role("button", name="Start writing").click()
    await say(child, "I cannot hear")
    await expect(page.locator("#offer")).to_contain_text("A child writes")
    await press(page, "a")
    chat, field = page.locator(".chat"), page.locator(".chat textarea[name=text]")
    await expect(chat.locator(".said")).to_contain_text("I cannot hear")
    # Not chosen: a sign, and no words.
    await field.press_sequentially("I am he")
    await expect(child.locator("#types")).to_have_text("The counsellor is writing …")
    await expect(child.locator("#typed")).to_be_hidden()
    rows = await live.rows("SELECT text_sealed FROM chat_typing WHERE author = 'counsellor'")
    assert [row["text_sealed"] for row in rows] == [None]

    await child.get_by_label("Show each letter while I type").check()
    await expect(chat.locator("[data-letters]")).to_be_visible()
    await field.press_sequentially("re")
    await expect(child.locator("#typed")).to_have_text("I am here")
    await child.get_by_role("textbox", name="Your message").press_sequentially("so slow")
    await expect(chat.locator(".types .words")).to_have_text("so slow")
    await picture(page, "chats-letters")
    await picture(child, "child-letters")
    await page.keyboard.press("Tab")
    await chat.get_by_role("button", name="Send", exact=True).click()
    await expect(child.locator("#log .by-counsellor p")).to_have_text("I am here")
    await expect(child.locator("#typed")).to_be_hidden()

    # A page that is loaded again goes on in the same way.
    await child.reload()
    await expect(child.get_by_label("Show each letter while I type")).to_be_checked()
    await field.press_sequentially("Take your time")
    await expect(child.locator("#typed")).to_have_text("Take your time")
    await child.get_by_label("Show each letter while I type").uncheck()
    await expect(chat.locator("[data-letters]")).to_have_count(0)
    await field.press_sequentially(" now")
    await expect(child.locator("#types")).to_have_text("The counsellor is writing …")
    await expect(child.locator("#typed")).to_be_hidden()
